package lakehouse_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// temporaryBytes returns what lake.sessions() says of the caller's session.
func (c *client) temporaryBytes() string {
	c.t.Helper()
	return c.read("SELECT temporary_bytes FROM lake.sessions() WHERE current")[0]
}

// ingest appends the rows of numbers, 0 up to rows, to a temporary table.
func (c *client) ingestTemporary(table string, missing statement.IfMissing, exists statement.IfExists, rows int) error {
	c.t.Helper()
	_, err := c.Ingest(c.t.Context(), statement.Ingest{
		Table: table, Temporary: true, Caller: c.caller, IfMissing: missing, IfExists: exists,
	}, numbers(c.t, 0, rows, 10))
	return err
}

func TestTemporaryTablesAreTheirSessionsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE lasting AS SELECT i FROM range(3) r(i)")
	mine, other := b.connect(t), b.connect(t)
	head := b.head(t)
	mine.do("CREATE TEMP TABLE t (i BIGINT, s VARCHAR DEFAULT 'd')", "INSERT INTO t (i) VALUES (1), (2)")
	other.do("CREATE TEMPORARY TABLE t AS SELECT 'other' AS x")
	require.Equal(t, []string{"1|d", "2|d"}, mine.read("FROM t ORDER BY i"))
	require.Equal(t, []string{"other"}, other.read("FROM t"))
	_, err := b.query(t.Context(), statement.Statement{SQL: "FROM t"})
	require.ErrorIs(t, err, lake.ErrNotFound)
	require.Equal(t, head, b.head(t), "no snapshot is made")
	b.clean(t)

	for _, name := range []string{"t", "T", "temp.t", "temp.main.t", `"temp"."t"`} {
		require.Equal(t, []string{"2"}, mine.read("SELECT count(*) FROM "+name), name)
	}
	require.Equal(t, []string{"2"}, mine.read("SELECT i FROM t JOIN lasting USING (i) WHERE i > 1"))
	require.Equal(t, []string{"2"}, mine.read("SELECT i FROM t WHERE i > 1"), "by the scanner alone")
	mine.do("INSERT INTO temp.t SELECT i, 'x' FROM lasting", "INSERT INTO temp.main.t SELECT * FROM t WHERE i = 0")
	require.Equal(t, []string{"6"}, mine.read("SELECT count(*) FROM t"))
	mine.do("INSERT INTO lasting SELECT i FROM t WHERE i = 0")
	require.Equal(t, []string{"5"}, b.rows(t, "SELECT count(*) FROM lasting"))
	mine.do("CREATE TABLE copy AS FROM t")
	require.Equal(t, []string{"6"}, b.rows(t, "SELECT count(*) FROM copy"))
}

func TestATemporaryTableHidesOneOfTheLake(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 'lasting' AS x")
	c := b.connect(t)
	require.Equal(t, []string{"lasting"}, c.read("FROM t"))
	c.do("CREATE TEMP TABLE t AS SELECT 'temporary' AS x")
	for name, want := range map[string]string{
		"t": "temporary", "temp.t": "temporary", "main.t": "lasting", "lake.main.t": "lasting", "lake.t": "lasting",
	} {
		require.Equal(t, []string{want}, c.read("FROM "+name), name)
	}
	c.do("INSERT INTO t VALUES ('more')", "INSERT INTO main.t VALUES ('more')")
	require.Equal(t, []string{"2"}, b.rows(t, "SELECT count(*) FROM t"))
	require.Equal(t, []string{"2"}, c.read("SELECT count(*) FROM t"))
	c.do("DROP TABLE t")
	require.Equal(t, []string{"lasting", "more"}, c.read("FROM t ORDER BY x"))
	c.fails(lake.KindNotFound, "temp.t", "DROP TABLE temp.t")
	c.do("DROP TABLE IF EXISTS temp.t", "DROP TABLE t")
	_, err := b.query(t.Context(), statement.Statement{SQL: "FROM t"})
	require.ErrorIs(t, err, lake.ErrNotFound)
}

func TestCreatingATemporaryTableLooksAtTemporaryTablesOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	c := b.connect(t)
	c.do("CREATE TEMP TABLE t AS SELECT 2 AS a")
	c.fails(lake.KindExists, "temp", "CREATE TEMP TABLE t AS SELECT 3 AS a")
	c.do("CREATE TEMP TABLE IF NOT EXISTS t AS SELECT 3 AS a")
	require.Equal(t, []string{"2"}, c.read("FROM t"))
	c.do("CREATE OR REPLACE TEMP TABLE t AS SELECT 'four' AS b")
	require.Equal(t, []string{"four"}, c.read("SELECT b FROM t"))
	c.do("CREATE TABLE temp.u (i INT)", "CREATE TEMP TABLE temp.v (i INT)", "CREATE TEMP TABLE temp.main.w (i INT)")
	c.fails(lake.KindInvalid, "lies in no schema of the lake", "CREATE TEMP TABLE main.x (i INT)")
	c.fails(lake.KindInvalid, "lies in no schema of the lake", "CREATE TEMP TABLE lake.main.x (i INT)")
	c.fails(lake.KindExists, "main.t", "CREATE TABLE t (i INT)")
	c.fails(lake.KindNotFound, "temp.nope", "INSERT INTO temp.nope VALUES (1)")
	c.fails(lake.KindInvalid, "", "INSERT INTO t VALUES (1, 2, 3)")
	seen, err := b.State(t.Context(), c.caller)
	require.NoError(t, err)
	var names []string
	for _, table := range seen.Temporary {
		names = append(names, table.Schema+"."+table.Name)
	}
	require.Equal(t, []string{"temp.t", "temp.u", "temp.v", "temp.w"}, names)
}

func TestTemporaryIngestInEveryMode(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	_, err := b.Ingest(t.Context(), statement.Ingest{Table: "t", IfMissing: statement.MissingCreate}, numbers(t, 0, 1, 1))
	require.NoError(t, err)
	c := b.connect(t)
	require.ErrorIs(t, c.ingestTemporary("t", statement.MissingFails, statement.ExistsAppend, 1), lake.ErrNotFound)
	require.NoError(t, c.ingestTemporary("t", statement.MissingCreate, statement.ExistsFails, 20))
	require.ErrorIs(t, c.ingestTemporary("t", statement.MissingCreate, statement.ExistsFails, 20), lake.ErrExists)
	require.NoError(t, c.ingestTemporary("t", statement.MissingFails, statement.ExistsAppend, 5))
	require.Equal(t, []string{"25"}, c.read("SELECT count(*) FROM t"))
	require.NoError(t, c.ingestTemporary("t", statement.MissingCreate, statement.ExistsReplace, 7))
	require.Equal(t, []string{"7"}, c.read("SELECT count(*) FROM t"))
	require.NoError(t, c.ingestTemporary("u", statement.MissingCreate, statement.ExistsAppend, 0))
	require.Equal(t, []string{"0"}, c.read("SELECT count(*) FROM u"))
	require.Equal(t, []string{"1"}, b.rows(t, "SELECT count(*) FROM t"))
	_, err = b.Ingest(t.Context(), statement.Ingest{Schema: "main", Table: "x", Temporary: true, Caller: c.caller, IfMissing: statement.MissingCreate},
		numbers(t, 0, 1, 1))
	require.ErrorIs(t, err, lake.ErrInvalid)
	_, err = b.Ingest(t.Context(), statement.Ingest{Table: "x", Temporary: true, IfMissing: statement.MissingCreate}, numbers(t, 0, 1, 1))
	require.ErrorIs(t, err, lake.ErrState, "there is no session")
	b.clean(t)
}

func TestTemporaryTablesOpenASession(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var opened *session.Session
	caller := session.Caller{OpenFunc: func(ctx context.Context) (x *session.Session, err error) {
		opened, err = b.Sessions.Open(ctx, nil)
		return opened, err
	}}
	_, err := b.Execute(t.Context(), statement.Statement{SQL: "CREATE TEMP TABLE t AS SELECT 1 AS a", Caller: caller})
	require.NoError(t, err)
	c := &client{bundle: b, t: t, caller: session.Caller{Session: opened}}
	require.Equal(t, []string{"1"}, c.read("FROM t"))
	_, err = b.Execute(t.Context(), statement.Statement{SQL: "CREATE TEMP TABLE t AS SELECT 1 AS a"})
	require.ErrorIs(t, err, lake.ErrState)
}

func TestMemoryOfTemporaryTablesIsLimitedAndFreed(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{Sessions: session.Options{TemporaryBytesMax: 64 << 10}})
	c := b.connect(t)
	require.Equal(t, "0", c.temporaryBytes())
	c.do("CREATE TEMP TABLE t AS SELECT i, hash(i) AS h FROM range(2000) r(i)")
	one := c.temporaryBytes()
	require.NotEqual(t, "0", one)
	c.fails(lake.KindExhausted, "65536 bytes (temporary_bytes)", "CREATE TEMP TABLE u AS SELECT i, hash(i) AS h FROM range(1000000) r(i)")
	require.Equal(t, one, c.temporaryBytes(), "a failed statement leaves nothing")
	for range 5 {
		c.do("CREATE OR REPLACE TEMP TABLE t AS SELECT i, hash(i) AS h FROM range(2000) r(i)")
	}
	require.Equal(t, one, c.temporaryBytes())
	c.do("DROP TABLE t")
	require.Equal(t, "0", c.temporaryBytes())
	c.do("CREATE TEMP TABLE t AS SELECT i, hash(i) AS h FROM range(2000) r(i)")
	other := b.connect(t)
	b.Sessions.Close(t.Context(), c.caller.Session.ID())
	require.Equal(t, []string{"0"}, other.read("SELECT sum(temporary_bytes)::BIGINT FROM lake.sessions()"))
	_, err := c.try("CREATE TEMP TABLE t AS SELECT 1 AS a")
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
}

func TestReadersKeepADroppedTemporaryTable(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.connect(t)
	require.NoError(t, c.ingestTemporary("t", statement.MissingCreate, statement.ExistsFails, 100_000))
	rows := c.start(t, "one", "SELECT * FROM t")
	c.do("DROP TABLE t", "CREATE TEMP TABLE t AS SELECT 1 AS a")
	n := int64(0)
	for rows.Reader.Next() {
		n += rows.Reader.RecordBatch().NumRows()
	}
	require.NoError(t, rows.Reader.Err())
	require.Equal(t, int64(100_000), n)
	before := c.temporaryBytes()
	rows.Reader.Release()
	require.Equal(t, []string{"1"}, c.read("FROM t"))
	require.Less(t, len(c.temporaryBytes()), len(before), "its files went with the last reader")
}

func TestATicketForADroppedTemporaryTableSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.connect(t)
	c.do("CREATE TEMP TABLE t AS SELECT i FROM range(10) r(i)")
	q, err := b.Plan(t.Context(), statement.Statement{SQL: "SELECT i FROM t", Caller: c.caller})
	require.NoError(t, err)
	require.NotEmpty(t, q.View)
	c.do("INSERT INTO t VALUES (11)")
	rows, err := b.Run(t.Context(), q)
	require.NoError(t, err)
	require.True(t, rows.Reader.Next())
	require.Equal(t, int64(10), rows.Reader.RecordBatch().NumRows(), "what was there when it was planned")
	rows.Reader.Release()
	c.do("DROP TABLE t")
	rows, err = b.Run(t.Context(), q)
	if err == nil {
		defer rows.Reader.Release()
		require.False(t, rows.Reader.Next())
		err = rows.Reader.Err()
	}
	require.ErrorIs(t, err, lake.ErrState)
	require.ErrorContains(t, err, "dropped or replaced")
}

func TestARollbackRestoresTemporaryTables(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE lasting (i BIGINT)")
	c := b.connect(t)
	c.do("CREATE TEMP TABLE t AS SELECT i FROM range(3) r(i)", "CREATE TEMP TABLE u AS SELECT 1 AS a")
	before := c.temporaryBytes()
	for _, end := range []string{"ROLLBACK", "COMMIT"} {
		c.do("BEGIN", "INSERT INTO t VALUES (3)", "DROP TABLE u", "CREATE TEMP TABLE w AS SELECT 1 AS a", "INSERT INTO lasting SELECT i FROM t")
		require.Equal(t, []string{"4"}, c.read("SELECT count(*) FROM t"))
		c.do("SAVEPOINT s", "DROP TABLE t", "ROLLBACK TO s")
		require.Equal(t, []string{"4"}, c.read("SELECT count(*) FROM t"))
		c.do(end)
		if end == "ROLLBACK" {
			require.Equal(t, []string{"3|1"}, c.read("SELECT (SELECT count(*) FROM t), (SELECT a FROM u)"))
			c.fails(lake.KindNotFound, `"w"`, "INSERT INTO lasting FROM w")
			require.Equal(t, before, c.temporaryBytes())
		}
	}
	require.Equal(t, []string{"4|1"}, c.read("SELECT (SELECT count(*) FROM t), (SELECT a FROM w)"))
	c.fails(lake.KindNotFound, `"u"`, "INSERT INTO lasting FROM u")
	require.Equal(t, []string{"4"}, b.rows(t, "SELECT count(*) FROM lasting"))
	c.do("DROP TABLE t, w")
	require.Equal(t, "0", c.temporaryBytes())

	id, err := b.Transactions.Begin(t.Context(), c.caller)
	require.NoError(t, err)
	require.NoError(t, c.ingestTemporary("t", statement.MissingCreate, statement.ExistsFails, 10)) // joins it
	_, err = b.Transactions.End(t.Context(), c.caller, id, false)
	require.NoError(t, err)
	require.Equal(t, "0", c.temporaryBytes())
	require.Equal(t, []string{}, c.read("SELECT table_name FROM information_schema.tables WHERE table_type = 'LOCAL TEMPORARY'"))
}

func TestTemporaryTablesAreShown(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.connect(t)
	c.do("CREATE TEMP TABLE shown (i BIGINT, s VARCHAR)")
	require.Equal(t, []string{"shown|LOCAL TEMPORARY"}, c.read("SELECT table_name, table_type FROM information_schema.tables WHERE table_name = 'shown'"))
	require.Equal(t, []string{"shown"}, c.read("SHOW TABLES"))
	require.Equal(t, []string{"i|BIGINT", "s|VARCHAR"}, c.read("SELECT column_name, column_type FROM (DESCRIBE shown)"))
	d, err := b.Describe(t.Context(), statement.Statement{SQL: "INSERT INTO shown VALUES (?, ?)", Caller: c.caller})
	require.NoError(t, err)
	require.Equal(t, "int64 utf8", fmt.Sprint(d.Params.Field(0).Type, " ", d.Params.Field(1).Type))
	d, err = b.Describe(t.Context(), statement.Statement{SQL: "SELECT s FROM shown WHERE i = ?", Caller: c.caller})
	require.NoError(t, err)
	require.Equal(t, "s", d.Result.Field(0).Name)
}

func TestSessionsChangeTheirTemporaryTablesAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.connect(t)
	c.do("CREATE TEMP TABLE t (i BIGINT)")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := c.try(fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
			require.NoError(t, err)
			_, err = c.try(fmt.Sprintf("CREATE OR REPLACE TEMP TABLE u AS SELECT %d AS a", i))
			require.NoError(t, err)
			_, err = c.query(t.Context(), statement.Statement{SQL: "SELECT count(*) FROM t", Caller: c.caller})
			require.NoError(t, err)
		})
	}
	wg.Wait()
	require.Equal(t, []string{"8"}, c.read("SELECT count(*) FROM t"))
	require.Equal(t, []string{"1"}, c.read("SELECT count(*) FROM u"))
}

func TestOneOfManyMakesATemporaryTable(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	const create = "CREATE TEMP TABLE t AS SELECT i FROM range(100) r(i)"
	c, alone := b.connect(t), b.connect(t)
	alone.do(create)
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.try(create); err == nil {
				made.Add(1)
			} else {
				require.ErrorIs(t, err, lake.ErrExists)
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(1), made.Load())
	require.Equal(t, alone.temporaryBytes(), c.temporaryBytes(), "the files of the others are gone")
}

func TestIdleSessionsFreeTheirTemporaryTables(t *testing.T) {
	t.Parallel()
	now := &manualClock{now: time.Unix(1_700_000_000, 0)}
	b := setupLimited(t, now, lakehouse.Options{Sessions: session.Options{IdleTimeout: time.Minute}})
	c := b.connect(t)
	c.do("CREATE TEMP TABLE t AS SELECT 1 AS a")
	now.advance(2 * time.Minute)
	b.Sweep(t.Context())
	require.Equal(t, []string{"0"}, b.rows(t, "SELECT count(*) FROM lake.sessions()"))
	_, err := c.query(t.Context(), statement.Statement{SQL: "FROM t", Caller: c.caller})
	require.Error(t, err)
}

func TestCachesForgetTheTemporaryTablesOfASessionThatEnded(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{})
	var during, after []int64 // entries of caches, by session
	for range 5 {
		c := b.connect(t)
		c.do("CREATE TEMP TABLE scratch AS SELECT 42 AS n")
		require.Equal(t, []string{"42"}, c.read("FROM scratch"))
		during = append(during, b.Stats().Plans.Entries+b.Stats().Footers.Entries)
		b.Sessions.Close(t.Context(), c.caller.Session.ID())
		after = append(after, b.Stats().Plans.Entries+b.Stats().Footers.Entries)
	}
	require.Greater(t, during[4], after[4])
	require.Equal(t, after[0], after[4])
}

func TestNamingSchemaTempOpensASession(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	opened := 0
	caller := session.Caller{OpenFunc: func(ctx context.Context) (*session.Session, error) {
		opened++
		return b.Sessions.Open(ctx, nil)
	}}
	_, err := b.Execute(t.Context(), statement.Statement{SQL: "CREATE TABLE temp.t (i INT)", Caller: caller})
	require.NoError(t, err)
	require.Equal(t, 1, opened)
}

// TestTemporaryTablesStayOutOfTransactionsOfOtherSessions uses one's transaction
// from the other's connection, with and without a session of its own.
func TestTemporaryTablesStayOutOfTransactionsOfOtherSessions(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	one, two := b.connect(t), b.connect(t)
	one.do("CREATE TEMP TABLE t AS SELECT 'one' AS x")
	two.do("CREATE TEMP TABLE t AS SELECT 'two' AS x")
	id, err := b.Transactions.Begin(t.Context(), one.caller)
	require.NoError(t, err)
	inside := one.caller
	inside.Transaction = id
	owner := &client{bundle: b, t: t, caller: inside}
	inside.Session = two.caller.Session
	guest := &client{bundle: b, t: t, caller: inside}
	none := b.begin(t)
	none.caller.Session = two.caller.Session
	for _, sql := range []string{"CREATE TEMP TABLE u (i INT)", "INSERT INTO t VALUES ('more')", "DROP TABLE t"} {
		guest.fails(lake.KindState, "another session", sql)
		none.fails(lake.KindState, "another session", sql)
	}
	require.ErrorIs(t, guest.ingestTemporary("u", statement.MissingCreate, statement.ExistsAppend, 10), lake.ErrState)
	require.Equal(t, []string{"two"}, guest.read("FROM t"), "reading is free")

	guest.do("CREATE TABLE lasting AS FROM t")
	guest.fails(lake.KindState, "another session", "DROP TABLE lasting, t") // neither is dropped
	guest.do("COMMIT")
	owner.do("DROP TABLE t", "CREATE TEMP TABLE u (i INT)")
	_, err = owner.end(false)
	require.NoError(t, err)
	require.Equal(t, []string{"one"}, one.read("FROM t"))
	require.Equal(t, []string{"two"}, two.read("FROM t"))
	require.Equal(t, []string{"two"}, b.rows(t, "FROM lasting"))
}

func TestATemporaryTableOfATransactionThatEndedMeanwhileIsNotMade(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, end := range []string{"ROLLBACK", "COMMIT"} {
		c := b.connect(t)
		c.do("BEGIN")
		stream := &watchedReader{RecordReader: numbers(t, 0, 20, 10)}
		stream.nextFunc = func(batch int) {
			if batch == 1 {
				c.do(end)
			}
		}
		_, err := c.Ingest(t.Context(), statement.Ingest{
			Table: "t", Temporary: true, Caller: c.caller, IfMissing: statement.MissingCreate,
		}, stream)
		require.ErrorIs(t, err, lake.ErrState, end)
		_, err = c.query(t.Context(), statement.Statement{SQL: "FROM t", Caller: c.caller})
		require.ErrorIs(t, err, lake.ErrNotFound, end)
		require.Equal(t, "0", c.temporaryBytes(), end)
		c.do("CREATE TEMP TABLE t AS SELECT 1", "DROP TABLE t")
		require.Equal(t, "0", c.temporaryBytes(), "no transaction holds the files any more")
	}
}
