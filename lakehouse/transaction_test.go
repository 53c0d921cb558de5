package lakehouse_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// client runs statements for one caller.
type client struct {
	*bundle
	t      *testing.T
	caller session.Caller
}

// begin returns a client in a transaction of the protocol.
func (b *bundle) begin(t *testing.T) *client {
	t.Helper()
	id, err := b.Transactions.Begin(t.Context(), session.Caller{})
	require.NoError(t, err)
	return &client{bundle: b, t: t, caller: session.Caller{Transaction: id}}
}

// connect returns a client with a session.
func (b *bundle) connect(t *testing.T) *client {
	t.Helper()
	x, err := b.Sessions.Open(t.Context(), nil)
	require.NoError(t, err)
	return &client{bundle: b, t: t, caller: session.Caller{Session: x}}
}

func (c *client) try(sql string) (statement.Update, error) {
	return c.Execute(c.t.Context(), statement.Statement{SQL: sql, Caller: c.caller})
}

func (c *client) do(sqls ...string) {
	c.t.Helper()
	for _, sql := range sqls {
		_, err := c.try(sql)
		require.NoError(c.t, err, sql)
	}
}

// fails expects the statement to fail with an error of the kind, whose text has
// the words.
func (c *client) fails(kind lake.Kind, words, sql string) {
	c.t.Helper()
	_, err := c.try(sql)
	require.Equal(c.t, kind, lake.KindOf(err), "%s: %v", sql, err)
	require.ErrorContains(c.t, err, words, sql)
}

func (c *client) read(sql string) []string {
	c.t.Helper()
	rows, err := c.query(c.t.Context(), statement.Statement{SQL: sql, Caller: c.caller})
	require.NoError(c.t, err, sql)
	return rows
}

func (c *client) end(commit bool) (statement.Update, error) {
	return c.Transactions.End(c.t.Context(), c.caller, c.caller.Transaction, commit)
}

func (c *client) commit() statement.Update {
	c.t.Helper()
	up, err := c.end(true)
	require.NoError(c.t, err)
	return up
}

// head returns the id of the latest snapshot.
func (b *bundle) head(t *testing.T) lake.SnapshotID {
	t.Helper()
	snapshot, err := b.catalog.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	return snapshot.ID
}

// clean expects every object to be one that the catalog names, and none staged.
func (b *bundle) clean(t *testing.T) {
	t.Helper()
	require.ElementsMatch(t, b.published(t), b.objects(t))
	staged, err := b.catalog.Staged(t.Context())
	require.NoError(t, err)
	require.Empty(t, staged)
}

func TestTransactionShowsItsOwnChangesToItselfOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE old AS SELECT i FROM range(5) r(i)")
	b.exec(t, "CREATE TABLE gone (i INT)")
	before := b.head(t)
	c := b.begin(t)
	c.do("CREATE SCHEMA s", "CREATE TABLE s.t (i BIGINT, name VARCHAR)", "INSERT INTO s.t VALUES (1, 'a'), (2, 'b')",
		"INSERT INTO old SELECT i + 10 FROM s.t", "DROP TABLE gone", "CREATE TABLE copy AS SELECT i FROM old WHERE i > 3",
		"COMMENT ON TABLE s.t IS 'new'", "COMMENT ON COLUMN old.i IS 'number'", "CALL lake.set_option('compression', 'snappy', table_name => 'old')",
		"INSERT INTO s.t (i) SELECT i FROM copy")
	require.Equal(t, []string{"1|a", "2|b", "4|(null)", "11|(null)", "12|(null)"}, c.read("SELECT * FROM s.t ORDER BY i"))
	require.Equal(t, []string{"7|12"}, c.read("SELECT count(*), max(i) FROM old"))
	require.Equal(t, []string{"11"}, c.read("SELECT i FROM old WHERE i = 11"))
	require.Equal(t, []string{"14"}, c.read("SELECT sum(a.i)::BIGINT FROM old a JOIN copy c ON a.i + 1 = c.i"), "joins see both")
	require.Contains(t, c.read("DESCRIBE s.t")[1], "name|VARCHAR")
	require.Equal(t, []string{"main|copy", "main|old", "s|t"},
		c.read("SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL"))
	require.Equal(t, []string{"7"}, c.read("SELECT sum(rows)::BIGINT FROM (SELECT DISTINCT path, row_group, rows FROM lake.row_groups('old'))"))
	_, err := c.query(t.Context(), statement.Statement{SQL: "FROM gone", Caller: c.caller})
	require.ErrorIs(t, err, lake.ErrNotFound)

	require.Equal(t, []string{"5"}, b.rows(t, "SELECT count(*) FROM old"))
	require.Equal(t, []string{"main|gone", "main|old"}, b.rows(t, "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL"))
	require.Equal(t, before, b.head(t))

	up := c.commit()
	require.Equal(t, before+1, up.Snapshot, "one snapshot")
	require.Equal(t, up.Snapshot, b.head(t))
	require.Equal(t, []string{"1|a", "2|b", "4|(null)", "11|(null)", "12|(null)"}, b.rows(t, "SELECT * FROM s.t ORDER BY i"))
	require.Equal(t, []string{"7|12"}, b.rows(t, "SELECT count(*), max(i) FROM old"))
	require.Equal(t, []string{"4", "11", "12"}, b.rows(t, "SELECT i FROM copy ORDER BY i"))
	require.Equal(t, []string{"compression|snappy"}, b.rows(t, "SELECT option_name, value FROM lake.options() WHERE scope = 'TABLE'"))
	state, err := b.State(t.Context(), session.Caller{})
	require.NoError(t, err)
	table, ok := state.State.Table("s", "t")
	require.True(t, ok)
	require.Equal(t, "new", table.Comment)
	b.clean(t)
}

func TestTransactionReadsOneSnapshot(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	c := b.begin(t)
	b.exec(t, "INSERT INTO t VALUES (2)")
	require.Equal(t, []string{"2"}, c.read("SELECT count(*) FROM t"), "the first statement pins, not the beginning")
	b.exec(t, "INSERT INTO t VALUES (3)")
	b.exec(t, "CREATE TABLE late (i INT)")
	require.Equal(t, []string{"1", "2"}, c.read("FROM t ORDER BY i"))
	_, err := c.query(t.Context(), statement.Statement{SQL: "FROM late", Caller: c.caller})
	require.ErrorIs(t, err, lake.ErrNotFound)
	_, err = c.query(t.Context(), statement.Statement{SQL: "FROM t AT (VERSION => 4)", Caller: c.caller})
	require.ErrorContains(t, err, "newer than the one the statement reads")
	c.do("INSERT INTO t VALUES (4)")
	require.Equal(t, []string{"1"}, c.read("FROM t AT (VERSION => 1)"), "the past is the committed one")
	require.Equal(t, []string{"1", "2"}, c.read("FROM t AT (VERSION => 2) ORDER BY i"))
	require.Equal(t, []string{"1", "2", "4"}, c.read("FROM t ORDER BY i"))
	c.commit()
	require.Equal(t, []string{"1", "2", "3", "4"}, b.rows(t, "FROM t ORDER BY i"), "appends do not conflict")
	b.clean(t)
}

func TestTransactionRolledBackLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	before := b.head(t)
	c := b.begin(t)
	c.do("INSERT INTO t VALUES (2)", "CREATE TABLE u AS FROM t", "DROP TABLE t")
	require.Len(t, b.objects(t), 3)
	_, err := c.end(false)
	require.NoError(t, err)
	require.Equal(t, before, b.head(t))
	require.Equal(t, []string{"1"}, b.rows(t, "FROM t"))
	b.clean(t)
	_, err = c.end(false)
	require.NoError(t, err, "a driver rolls back when it closes")
	_, err = c.end(true)
	require.ErrorIs(t, err, lake.ErrState)
	require.ErrorContains(t, err, "was rolled back")
	c.fails(lake.KindState, "was rolled back", "INSERT INTO t VALUES (3)")
}

func TestTransactionWithoutChangesMakesNoSnapshot(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	before := b.head(t)
	c := b.begin(t)
	require.Zero(t, c.commit().Snapshot, "nothing was pinned")
	c = b.begin(t)
	c.read("FROM t")
	require.Equal(t, before, c.commit().Snapshot)
	c = b.begin(t)
	c.do("CREATE TABLE u AS FROM t", "INSERT INTO t SELECT 1 WHERE false", "CREATE SCHEMA s", "DROP SCHEMA s", "DROP TABLE u")
	require.Equal(t, before, c.commit().Snapshot)
	require.Equal(t, before, b.head(t))
	b.clean(t)
}

func TestTransactionAppendsAndDropsItsTable(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	b.exec(t, "CREATE SCHEMA s")
	b.exec(t, "CREATE TABLE s.x AS SELECT 1 AS i")
	c := b.begin(t)
	c.do("INSERT INTO t VALUES (2)", "COMMENT ON TABLE t IS 'old'", "DROP TABLE t", "CREATE TABLE t (name VARCHAR)", "INSERT INTO t VALUES ('new')",
		"CREATE OR REPLACE TABLE s.x AS SELECT 7 AS y", "DROP SCHEMA s CASCADE", "CREATE SCHEMA s", "CREATE TABLE IF NOT EXISTS s.x AS SELECT 8 AS z",
		"CREATE TABLE IF NOT EXISTS s.x AS SELECT 9 AS z")
	require.Equal(t, []string{"new"}, c.read("FROM t"))
	require.Equal(t, []string{"8"}, c.read("FROM s.x"))
	c.commit()
	require.Equal(t, []string{"new"}, b.rows(t, "FROM t"))
	require.Equal(t, []string{"8"}, b.rows(t, "SELECT z FROM s.x"))
	state, err := b.State(t.Context(), session.Caller{})
	require.NoError(t, err)
	table, _ := state.State.Table("main", "t")
	require.Empty(t, table.Comment, "the comment was of the table that was dropped")
	b.exec(t, "INSERT INTO s.x VALUES (9)")
}

func TestTransactionConflictsNameTheOtherSnapshot(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, ours, theirs, words string }{
		{"table created by both", "CREATE TABLE n (i INT)", "CREATE TABLE n (i INT)", "snapshot 4"},
		{"append to a table that was dropped", "INSERT INTO t VALUES (1)", "DROP TABLE t", "snapshot 4"},
		{"append to a table that was replaced", "INSERT INTO t VALUES (1)", "CREATE OR REPLACE TABLE t AS SELECT 1 AS i", "snapshot 4"},
		{"drop of a table that was dropped", "DROP TABLE t", "DROP TABLE t", "snapshot 4"},
		{"comment on a table that was replaced", "COMMENT ON TABLE t IS 'x'", "CREATE OR REPLACE TABLE t AS SELECT 1 AS i", "snapshot 4"},
		{"schema created by both", "CREATE SCHEMA n", "CREATE SCHEMA n", "snapshot 4"},
		{"drop of a schema that was used", "DROP SCHEMA s", "CREATE TABLE s.t (i INT)", "snapshot 4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.exec(t, "CREATE TABLE t (i INT)")
			b.exec(t, "CREATE TABLE other (i INT)")
			b.exec(t, "CREATE SCHEMA s")
			c := b.begin(t)
			c.do("INSERT INTO other VALUES (1)", test.ours)
			b.exec(t, test.theirs)
			_, err := c.end(true)
			require.ErrorIs(t, err, lake.ErrConflict)
			require.ErrorContains(t, err, test.words)
			require.Equal(t, []string{"0"}, b.rows(t, "SELECT count(*) FROM other"), "nothing of it is published")
			b.clean(t)
			c.fails(lake.KindState, "its commit failed", "INSERT INTO other VALUES (1)")
		})
	}
}

func TestStatementThatFailsLeavesTheTransactionOpen(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.begin(t)
	c.do("CREATE TABLE t (i INT)", "INSERT INTO t VALUES (1)")
	c.fails(lake.KindExists, "exists", "CREATE TABLE t (i INT)")
	c.fails(lake.KindInvalid, "", "INSERT INTO t SELECT 'x' || i FROM t")
	c.fails(lake.KindNotFound, "", "DROP TABLE t, missing")
	require.Equal(t, []string{"1"}, c.read("FROM t"))
	c.commit()
	require.Equal(t, []string{"1"}, b.rows(t, "FROM t"))
	b.clean(t)
}

func TestIngestJoinsTheTransactionOfItsSession(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.connect(t)
	id, err := b.Transactions.Begin(t.Context(), c.caller)
	require.NoError(t, err)
	ingest := func(in statement.Ingest) error {
		in.Caller = c.caller
		_, err := b.Ingest(t.Context(), in, numbers(t, 0, 10, 5))
		return err
	}
	require.NoError(t, ingest(statement.Ingest{Table: "t", IfMissing: statement.MissingCreate}))
	require.NoError(t, ingest(statement.Ingest{Table: "t", IfExists: statement.ExistsAppend}))
	require.ErrorIs(t, ingest(statement.Ingest{Table: "t", IfExists: statement.ExistsFails}), lake.ErrExists)
	require.NoError(t, ingest(statement.Ingest{Table: "r", IfMissing: statement.MissingCreate}))
	require.NoError(t, ingest(statement.Ingest{Table: "r", IfMissing: statement.MissingCreate, IfExists: statement.ExistsReplace}))
	require.ErrorIs(t, ingest(statement.Ingest{Table: "missing"}), lake.ErrNotFound)
	seen, err := b.State(t.Context(), c.caller)
	require.NoError(t, err)
	_, ok := seen.State.Table("main", "t")
	require.True(t, ok, "metadata joins it too")
	outside, err := b.State(t.Context(), session.Caller{})
	require.NoError(t, err)
	_, ok = outside.State.Table("main", "t")
	require.False(t, ok)
	_, err = c.query(t.Context(), statement.Statement{SQL: "FROM t", Caller: c.caller})
	require.ErrorIs(t, err, lake.ErrNotFound, "a statement without the id is outside")

	c.caller.Transaction = id
	require.Equal(t, []string{"20"}, c.read("SELECT count(*) FROM t"))
	require.Equal(t, []string{"10"}, c.read("SELECT count(*) FROM r"))
	c.commit()
	require.Equal(t, []string{"20"}, b.rows(t, "SELECT count(*) FROM t"))
	b.clean(t)
}

func TestAppendTokenInTransactions(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i BIGINT, s VARCHAR)")
	c := b.begin(t)
	ingest := func(caller session.Caller) statement.Update {
		up, err := b.Ingest(t.Context(), statement.Ingest{
			Table: "t", IfExists: statement.ExistsAppend, Token: "once", Caller: caller,
		}, numbers(t, 0, 10, 5))
		require.NoError(t, err)
		return up
	}
	require.False(t, ingest(c.caller).Replayed)
	require.True(t, ingest(c.caller).Replayed, "it is in the transaction")
	require.Equal(t, []string{"10"}, c.read("SELECT count(*) FROM t"))
	up := c.commit()
	again := ingest(session.Caller{})
	require.True(t, again.Replayed)
	require.Equal(t, up.Snapshot, again.Snapshot)
	require.EqualValues(t, 10, again.Rows)
	c = b.begin(t)
	require.True(t, ingest(c.caller).Replayed, "it was committed before")
	require.Equal(t, []string{"10"}, c.read("SELECT count(*) FROM t"))
	c.commit()
	b.clean(t)
}

func TestSavepoints(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i INT)")
	c := b.begin(t)
	_, err := b.Transactions.Savepoint(t.Context(), c.caller, strings.Repeat("a", 257))
	require.ErrorIs(t, err, lake.ErrInvalid)
	_, err = b.Execute(t.Context(), statement.Statement{SQL: "SAVEPOINT " + strings.Repeat("a", 257), Caller: c.caller})
	require.ErrorIs(t, err, lake.ErrInvalid)
	first, err := b.Transactions.Savepoint(t.Context(), c.caller, "a")
	require.NoError(t, err)
	c.do("INSERT INTO t VALUES (1)")
	second, err := b.Transactions.Savepoint(t.Context(), c.caller, "a")
	require.NoError(t, err)
	c.do("INSERT INTO t VALUES (2)", "SAVEPOINT b", "DROP TABLE t", "ROLLBACK TO SAVEPOINT B")
	require.Equal(t, []string{"1", "2"}, c.read("FROM t ORDER BY i"))
	c.do("INSERT INTO t VALUES (3)", "ROLLBACK TO b")
	require.Equal(t, []string{"1", "2"}, c.read("FROM t ORDER BY i"), "a savepoint is there after a rollback to it")
	require.Len(t, b.objects(t), 2, "what nobody can return to is gone")
	require.NoError(t, b.Transactions.EndSavepoint(t.Context(), c.caller, second, false))
	require.Equal(t, []string{"1"}, c.read("FROM t"))
	c.fails(lake.KindNotFound, "savepoint", "ROLLBACK TO b")
	require.NoError(t, b.Transactions.EndSavepoint(t.Context(), session.Caller{}, second, true))
	require.ErrorIs(t, b.Transactions.EndSavepoint(t.Context(), c.caller, second, false), lake.ErrNotFound)
	c.do("SAVEPOINT c", "INSERT INTO t VALUES (4)", "RELEASE SAVEPOINT c")
	require.Equal(t, []string{"1", "4"}, c.read("FROM t ORDER BY i"))
	c.commit()
	require.Equal(t, []string{"1", "4"}, b.rows(t, "FROM t ORDER BY i"))
	b.clean(t)
	require.ErrorIs(t, b.Transactions.EndSavepoint(t.Context(), c.caller, first, false), lake.ErrState)
	_, err = b.Transactions.Savepoint(t.Context(), session.Caller{}, "x")
	require.ErrorIs(t, err, lake.ErrState)
}

func TestTransactionsOfSQL(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i INT)")
	c, other := b.connect(t), b.connect(t)
	c.fails(lake.KindState, "no transaction is open", "COMMIT")
	c.fails(lake.KindState, "no transaction is open", "ROLLBACK")
	c.do("BEGIN", "INSERT INTO t VALUES (1)")
	c.fails(lake.KindState, "open already", "BEGIN TRANSACTION")
	require.Equal(t, []string{"1"}, c.read("FROM t"))
	require.Empty(t, other.read("FROM t"))
	c.do("COMMIT")
	require.Equal(t, []string{"1"}, other.read("FROM t"))
	c.do("BEGIN", "INSERT INTO t VALUES (2)", "ROLLBACK")
	require.Equal(t, []string{"1"}, c.read("FROM t"))
	c.do("BEGIN READ ONLY")
	require.Equal(t, []string{"1"}, c.read("FROM t"))
	c.fails(lake.KindState, "read-only", "INSERT INTO t VALUES (3)")
	c.fails(lake.KindState, "read-only", "CREATE TABLE u (i INT)")
	c.do("COMMIT")
	none := &client{bundle: b, t: t}
	none.fails(lake.KindState, "session", "BEGIN")
	d, err := b.Describe(t.Context(), statement.Statement{SQL: "BEGIN", Caller: c.caller})
	require.NoError(t, err)
	require.True(t, d.Update)
	c.do("BEGIN", "INSERT INTO t VALUES (4)")
	b.Sessions.Close(t.Context(), c.caller.Session.ID())
	require.Equal(t, []string{"1"}, b.rows(t, "FROM t"))
	b.clean(t)
}

func TestSQLCommitInATransactionOfTheProtocol(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i INT)")
	c := b.begin(t)
	c.do("BEGIN", "INSERT INTO t VALUES (1)")
	c.fails(lake.KindState, "open already", "BEGIN")
	c.do("COMMIT")
	require.Equal(t, []string{"1"}, b.rows(t, "FROM t"))
	c.do("INSERT INTO t VALUES (2)", "ROLLBACK", "BEGIN", "INSERT INTO t VALUES (3)")
	require.Equal(t, []string{"1"}, b.rows(t, "FROM t"))
	c.commit()
	require.Equal(t, []string{"1", "3"}, b.rows(t, "FROM t ORDER BY i"))
	b.clean(t)
}

func TestTransactionIsItsUsersOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ann, bob := &auth.Identity{User: "ann"}, &auth.Identity{User: "bob"}
	id, err := b.Transactions.Begin(t.Context(), session.Caller{Identity: ann})
	require.NoError(t, err)
	thief := &client{bundle: b, t: t, caller: session.Caller{Identity: bob, Transaction: id}}
	thief.fails(lake.KindNotFound, "not known", "CREATE TABLE t (i INT)")
	_, err = thief.end(true)
	require.ErrorIs(t, err, lake.ErrNotFound)
	_, err = thief.end(false)
	require.ErrorIs(t, err, lake.ErrNotFound)
}

func TestStatementsOfOneTransactionAtTheSameTime(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.begin(t)
	c.do("CREATE TABLE t (i INT)")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			for range 3 {
				_, err := c.try("INSERT INTO t VALUES (1)")
				_, err2 := c.try("CREATE TABLE IF NOT EXISTS u (i INT)")
				errs[i] = errors.Join(errs[i], err, err2)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, []string{"24"}, c.read("SELECT count(*) FROM t"))
	c.commit()
	require.Equal(t, []string{"24"}, b.rows(t, "SELECT count(*) FROM t"))
	b.clean(t)
}
