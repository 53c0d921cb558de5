package lakehouse_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/workload"
)

// endless is a query that nobody waits for.
const endless = "SELECT * FROM range(1000000000000)"

// drain reads until the rows end.
func drain(rows statement.Rows) {
	for rows.Reader.Next() {
	}
}

// start begins to read a query.
func (c *client) start(t *testing.T, id statement.ID, sql string) statement.Rows {
	t.Helper()
	q, err := c.Plan(t.Context(), statement.Statement{ID: id, SQL: sql, Caller: c.caller})
	require.NoError(t, err)
	rows, err := c.Run(t.Context(), q)
	require.NoError(t, err)
	return rows
}

func TestAStatementIsListedAndKilled(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	who, other := b.connect(t), b.connect(t)
	rows := who.start(t, "one", endless)
	defer rows.Reader.Release()
	short := other.read("SELECT id FROM lake.sessions() WHERE NOT current")
	require.Len(t, short, 1)
	require.NotContains(t, string(who.caller.Session.ID()), short[0])
	require.Equal(t, []string{"one|" + short[0] + "|anonymous|query|" + endless + "|running|0"},
		other.read(`SELECT id, session, user, kind, sql, state, rows FROM lake.statements() WHERE id = 'one'`))

	other.do("KILL 'one'")
	drain(rows)
	require.EqualError(t, rows.Reader.Err(), "statement one was killed by anonymous")
	require.ErrorIs(t, rows.Reader.Err(), context.Canceled)
	again := statement.Statement{ID: "one", SQL: "SELECT 1"}
	_, err := b.Plan(t.Context(), again)
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.Run(t.Context(), statement.Query{Statement: again})
	require.ErrorIs(t, err, context.Canceled)

	_, err = other.try("KILL 'nope'")
	require.ErrorIs(t, err, lake.ErrNotFound)
	_, err = other.try("KILL SESSION 'nope'")
	require.ErrorIs(t, err, lake.ErrNotFound)
}

func TestKillSessionEndsItAndItsStatements(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	who, other := b.connect(t), b.connect(t)
	rows := who.start(t, "one", endless)
	defer rows.Reader.Release()
	short := other.read("SELECT id FROM lake.sessions() WHERE NOT current")[0]
	other.do("KILL SESSION '" + short + "'")
	drain(rows)
	require.ErrorContains(t, rows.Reader.Err(), "its session was killed by anonymous")
	_, err := b.Sessions.Use(who.caller.Session.ID(), nil)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
}

func TestCancelReachesStatementsWithoutSession(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	q, err := b.Plan(t.Context(), statement.Statement{ID: "one", SQL: endless})
	require.NoError(t, err)
	rows, err := b.Run(t.Context(), q)
	require.NoError(t, err)
	defer rows.Reader.Release()
	known, err := b.Cancel(t.Context(), session.Caller{}, "one")
	require.NoError(t, err)
	require.True(t, known)
	drain(rows)
	require.ErrorIs(t, rows.Reader.Err(), context.Canceled)
	known, err = b.Cancel(t.Context(), session.Caller{}, "other")
	require.NoError(t, err)
	require.False(t, known)
}

func TestAStatementTimesOut(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	who := b.connect(t)
	who.do("SET statement_timeout = '50ms'")
	rows := who.start(t, "one", endless)
	defer rows.Reader.Release()
	drain(rows)
	require.ErrorIs(t, rows.Reader.Err(), context.DeadlineExceeded)
	require.EqualError(t, rows.Reader.Err(), "statement one ran longer than its statement_timeout of 50ms")
	_, err := who.try("CREATE TABLE x AS " + endless)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "statement_timeout of 50ms")
}

func TestAStatementHoldsItsTurnUntilItsRowsAreReleased(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{Workload: workload.Options{RunningMax: 1, QueueTimeout: time.Millisecond}})
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	who := b.connect(t)
	rows := who.start(t, "one", "SELECT * FROM t")
	for _, sql := range []string{"INSERT INTO t VALUES (1)", "CREATE TABLE x (a BIGINT)"} {
		_, err := who.try(sql)
		require.ErrorIs(t, err, lake.ErrExhausted, sql)
	}
	_, err := b.Ingest(t.Context(), statement.Ingest{Table: "t"}, numbers(t, 0, 1, 1))
	require.ErrorIs(t, err, lake.ErrExhausted)
	again := who.start(t, "one", "SELECT * FROM t") // another endpoint of it
	who.do("SET application_name = 'x'")
	require.Equal(t, []string{"one"}, who.read("SELECT id FROM lake.statements() WHERE sql LIKE '% FROM t'"))
	rows.Reader.Release()
	again.Reader.Release()
	who.do("INSERT INTO t VALUES (1)")
}

func TestEveryWayToEndGivesTheTurnBack(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	for _, sql := range []string{"SELECT * FROM nope", "SELECT a FROM t", "SELECT a / 0 FROM t", "SELECT 'x'::INT FROM t"} {
		_, _ = b.query(t.Context(), statement.Statement{SQL: sql})
	}
	for _, sql := range []string{"CREATE TABLE t (a INT)", "INSERT INTO t VALUES ('x')", "nonsense", "DROP TABLE t", "SET x = 1"} {
		_, _ = b.Execute(t.Context(), statement.Statement{SQL: sql})
	}
	_, err := b.Ingest(t.Context(), statement.Ingest{Table: "nope"}, numbers(t, 0, 1, 1))
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Execute(ctx, statement.Statement{SQL: "CREATE SCHEMA s"})
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, b.Stats().Workload.Running)
	require.Zero(t, b.Stats().Workload.Queued)
}

func TestCloseEndsWhatRuns(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	who := b.connect(t)
	rows := who.start(t, "one", endless)
	defer rows.Reader.Release()
	b.Close(t.Context())
	drain(rows)
	require.ErrorIs(t, rows.Reader.Err(), lake.ErrUnavailable)
	_, err := b.Execute(t.Context(), statement.Statement{SQL: "CREATE SCHEMA s"})
	require.ErrorIs(t, err, lake.ErrUnavailable)
	_, err = b.Sessions.Use(who.caller.Session.ID(), nil)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
}

func TestMaintainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, &manualClock{now: time.Unix(1_700_000_000, 0)}, lakehouse.Options{})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b.Maintain(ctx) // returns when ctx ends, after it has swept some times
	})
}

func TestWhatAScanHoldsAndHasDoneIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i BIGINT, s VARCHAR) WITH (row_group_rows = 20000)")
	b.exec(t, "INSERT INTO t SELECT i, 'value ' || i FROM range(200000) r(i)")
	who := b.connect(t)
	rows := who.start(t, "one", "SELECT * FROM t")
	require.True(t, rows.Reader.Next())
	seen := b.rows(t, "SELECT rows > 0, rows < 200000, bytes > 0, memory_bytes > 0, progress < 1 FROM lake.statements() WHERE id = 'one'")
	require.Equal(t, []string{"true|true|true|true|true"}, seen)
	last := b.Progress("one")
	for rows.Reader.Next() {
		now := b.Progress("one")
		require.GreaterOrEqual(t, now, last)
		last = now
	}
	require.NoError(t, rows.Reader.Err())
	require.InDelta(t, 1, b.Progress("one"), 0)
	require.Equal(t, []string{"200000"}, b.rows(t, "SELECT rows FROM lake.statements() WHERE id = 'one'"))
	rows.Reader.Release()
	require.InDelta(t, lake.Unknown, b.Progress("one"), 0)
	require.Zero(t, b.Stats().Workload.MemoryBytes)
}

func TestWhatTheEngineIsGivenToReadIsCounted(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i BIGINT, s VARCHAR) WITH (row_group_rows = 20000)")
	b.exec(t, "INSERT INTO t SELECT i, 'value ' || i FROM range(400000) r(i)")
	who := b.connect(t)
	rows := who.start(t, "one", "SELECT i + 1, s || repeat('x', 20) FROM t")
	require.True(t, rows.Reader.Next())
	require.Equal(t, []string{"true"}, b.rows(t, "SELECT memory_bytes > 0 FROM lake.statements() WHERE id = 'one'"))
	rows.Reader.Release()
	require.Zero(t, b.Stats().Workload.MemoryBytes)
}

func TestAStatementThatHoldsTooMuchMemoryEnds(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{Workload: workload.Options{MemoryBytesMax: 200 << 10}})
	b.exec(t, "CREATE TABLE t AS SELECT i, 'value ' || i AS s FROM range(200000) r(i)")
	who := b.connect(t)
	rows := who.start(t, "one", "SELECT * FROM t")
	drain(rows)
	require.ErrorIs(t, rows.Reader.Err(), lake.ErrExhausted)
	require.ErrorContains(t, rows.Reader.Err(), "one statement may hold 204800 (statement_memory_bytes)")
	rows.Reader.Release()
	require.Zero(t, b.Stats().Workload.MemoryBytes)
	require.Equal(t, []string{"200000"}, who.read("SELECT count(*) FROM t"), "others go on")
}

func TestRowsThatAStatementWritesAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	stream := &watchedReader{RecordReader: numbers(t, 0, 100, 10)}
	stream.nextFunc = func(batch int) {
		if batch == 5 {
			require.Equal(t, []string{`INGEST INTO "t"|ingest|40`}, b.rows(t, "SELECT sql, kind, rows FROM lake.statements() WHERE id = 'one'"))
		}
	}
	_, err := b.Ingest(t.Context(), statement.Ingest{ID: "one", Table: "t", IfMissing: statement.MissingCreate}, stream)
	require.NoError(t, err)
}

// watchedReader calls a function before each batch, which it numbers from 1 on.
type watchedReader struct {
	array.RecordReader
	nextFunc func(batch int)
	n        int
}

func (r *watchedReader) Next() bool {
	r.n++
	r.nextFunc(r.n)
	return r.RecordReader.Next()
}

func TestAnIngestIsKilledBetweenBatches(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	stream := &watchedReader{RecordReader: numbers(t, 0, 100, 10)}
	stream.nextFunc = func(batch int) {
		if batch == 5 {
			_, err := b.Cancel(t.Context(), session.Caller{}, "one")
			require.NoError(t, err)
		}
	}
	_, err := b.Ingest(t.Context(), statement.Ingest{ID: "one", Table: "t", IfMissing: statement.MissingCreate}, stream)
	require.EqualError(t, err, "statement one was killed by anonymous")
	b.clean(t)
}

// connected returns a user who has a session.
func (w *world) connected(t *testing.T, user string) *actor {
	t.Helper()
	a := w.as(t, user)
	x, err := w.Sessions.Open(t.Context(), a.caller.Identity)
	require.NoError(t, err)
	a.caller.Session = x
	return a
}

func TestUsersSeeAndKillTheirOwnStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tom, ian, root := w.connected(t, "tom"), w.connected(t, "ian"), w.connected(t, "root")
	q, err := w.Plan(t.Context(), statement.Statement{ID: "one", SQL: endless, Caller: tom.caller})
	require.NoError(t, err)
	rows, err := w.Run(t.Context(), q)
	require.NoError(t, err)
	defer rows.Reader.Release()
	listed := func(a *actor, function string) []string {
		out, err := w.query(t.Context(), a.statement("SELECT DISTINCT \"user\" FROM lake."+function+"() ORDER BY ALL"))
		require.NoError(t, err)
		return out
	}
	for _, function := range []string{"statements", "sessions"} {
		require.NotContains(t, listed(ian, function), "tom", function)
		require.Contains(t, listed(tom, function), "tom", function)
		require.Contains(t, listed(root, function), "tom", function)
	}
	short, err := w.query(t.Context(), tom.statement("SELECT id FROM lake.sessions() WHERE current"))
	require.NoError(t, err)
	for _, sql := range []string{"KILL 'one'", "KILL SESSION '" + short[0] + "'"} {
		_, err = w.Execute(t.Context(), ian.statement(sql))
		require.ErrorIs(t, err, lake.ErrForbidden, sql)
		require.ErrorContains(t, err, "another user's", sql)
	}
	_, err = w.Cancel(t.Context(), ian.caller, "one")
	require.ErrorIs(t, err, lake.ErrForbidden)
	_, err = w.Execute(t.Context(), root.statement("KILL 'one'"))
	require.NoError(t, err)
	drain(rows)
	require.EqualError(t, rows.Reader.Err(), "statement one was killed by root")
	_, err = w.Execute(t.Context(), root.statement("KILL SESSION '"+short[0]+"'"))
	require.NoError(t, err)
	_, err = w.Sessions.Use(tom.caller.Session.ID(), tom.caller.Identity)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
}

func TestReadersMakeTemporaryTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, user := range []string{"rita", "eve"} {
		a := w.connected(t, user)
		for _, sql := range []string{"CREATE TEMP TABLE mine AS FROM sales.orders", "INSERT INTO mine FROM mine"} {
			_, err := w.Execute(t.Context(), a.statement(sql))
			require.NoError(t, err, sql)
		}
		rows, err := w.query(t.Context(), a.statement("SELECT count(*) FROM mine"))
		require.NoError(t, err)
		require.Equal(t, []string{map[string]string{"rita": "12", "eve": "4"}[user]}, rows, "the row filter of %s holds", user)
		_, err = w.Execute(t.Context(), a.statement("DROP TABLE mine"))
		require.NoError(t, err)
		_, err = w.Execute(t.Context(), a.statement("CREATE TABLE main.mine AS SELECT 1 AS a"))
		require.ErrorIs(t, err, lake.ErrForbidden)
	}
}
