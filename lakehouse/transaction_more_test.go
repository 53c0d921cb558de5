package lakehouse_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

func TestPartitionedTablesInTransactions(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE old (k INT, v INT) PARTITIONED BY (k)")
	b.exec(t, "INSERT INTO old VALUES (1, 1), (2, 2)")
	c := b.begin(t)
	c.do("CREATE TABLE new (k INT, v INT) PARTITIONED BY (bucket(4, k))", "INSERT INTO new SELECT * FROM range(20) r(k), range(1) s(v)",
		"INSERT INTO new VALUES (3, 100)", "INSERT INTO old SELECT * FROM new WHERE k < 4", "INSERT INTO old VALUES (7, NULL)")
	require.Equal(t, []string{"3|0", "3|100"}, c.read("FROM new WHERE k = 3 ORDER BY v"))
	require.Equal(t, []string{"1|0", "1|1"}, c.read("FROM old WHERE k = 1 ORDER BY v"))
	require.Equal(t, []string{"1|7"}, c.read("SELECT count(*) FILTER (skipped_by IS NULL), count(*) FROM lake.scan_plan('FROM old WHERE k = 7')"),
		"partitions of the transaction's files prune too")
	require.Equal(t, []string{"7|(null)"}, c.read("FROM old WHERE k = 7"))
	c.commit()
	require.Equal(t, []string{"3|0", "3|100"}, b.rows(t, "FROM new WHERE k = 3 ORDER BY v"))
	require.Equal(t, []string{"8"}, b.rows(t, "SELECT count(*) FROM old"))
	b.exec(t, "INSERT INTO new VALUES (3, 200)")
	require.Equal(t, []string{"3|0", "3|100", "3|200"}, b.rows(t, "FROM new WHERE k = 3 ORDER BY v"))
	b.clean(t)
}

func TestDefaultSchemaMadeByTheTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.begin(t)
	c.do("CREATE SCHEMA s", "COMMENT ON SCHEMA s IS 'mine'")
	in := func(sql string) statement.Statement {
		return statement.Statement{SQL: sql, Caller: c.caller, Scope: session.Scope{Schema: "s"}}
	}
	for _, sql := range []string{
		"CREATE TABLE p (id INT PRIMARY KEY, v INT DEFAULT 7)", "CREATE TABLE q (id INT REFERENCES p)",
		"INSERT INTO p (id) VALUES (1)", "INSERT INTO p VALUES ((SELECT max(id) + 1 FROM p), DEFAULT)", "INSERT INTO q SELECT id FROM p",
	} {
		_, err := b.Execute(t.Context(), in(sql))
		require.NoError(t, err, sql)
	}
	rows, err := b.query(t.Context(), in("SELECT p.id, v FROM p JOIN q USING (id) ORDER BY ALL"))
	require.NoError(t, err)
	require.Equal(t, []string{"1|7", "2|7"}, rows)
	rows, err = b.query(t.Context(), in("SHOW TABLES"))
	require.NoError(t, err)
	require.Equal(t, []string{"p", "q"}, rows)
	d, err := b.Describe(t.Context(), in("SELECT v FROM p WHERE id = ?"))
	require.NoError(t, err)
	require.Equal(t, "v", d.Result.Field(0).Name)
	c.commit()
	state, err := b.State(t.Context(), session.Caller{})
	require.NoError(t, err)
	schema, ok := state.State.Schema("s")
	require.True(t, ok)
	require.Equal(t, "mine", schema.Comment)
	table, _ := state.State.Table("s", "p")
	require.Equal(t, []string{"id"}, table.PrimaryKey)
	require.Equal(t, []string{"1|7", "2|7"}, b.rows(t, "FROM s.p ORDER BY ALL"))
}

func TestFilesOfAnOpenTransactionAreStaged(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	c := b.begin(t)
	c.do("INSERT INTO t VALUES (2)", "CREATE TABLE u AS FROM t")
	staged, err := b.catalog.Staged(t.Context())
	require.NoError(t, err)
	require.Len(t, staged, 2)
	require.NoError(t, b.next().Recover(t.Context()), "as the next server does after this one was killed")
	b.clean(t)
}

func TestServiceThatClosesRollsBack(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	c, sql := b.begin(t), b.connect(t)
	c.do("INSERT INTO t VALUES (2)")
	sql.do("BEGIN", "INSERT INTO t VALUES (3)")
	b.Close(t.Context())
	b.clean(t)
}

// lostCommits is a catalog whose commits may end without an answer.
type lostCommits struct {
	catalog.Catalog
	lost atomic.Bool
}

func (c *lostCommits) Commit(ctx context.Context, commit catalog.Commit) (catalog.Result, error) {
	result, err := c.Catalog.Commit(ctx, commit)
	if c.lost.Load() {
		return catalog.Result{}, lake.Errorf(lake.KindIndeterminate, "no answer: %w", errors.Join(err, context.DeadlineExceeded))
	}
	return result, err
}

func TestCommitOfUnknownOutcomeKeepsTheFiles(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	lost := &lostCommits{Catalog: b.catalog}
	b.components.Catalog = lost
	b = newBundle(b.components, lakehouse.Options{})
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	c := b.begin(t)
	c.do("INSERT INTO t VALUES (2)")
	lost.lost.Store(true)
	_, err := c.end(true)
	require.ErrorIs(t, err, lake.ErrIndeterminate)
	lost.lost.Store(false)
	require.Equal(t, []string{"1", "2"}, b.rows(t, "FROM t ORDER BY i"), "it was committed, and so the files must stay")
	_, err = c.end(true)
	require.ErrorContains(t, err, "outcome is not known")
	b.clean(t)
}

// endsTransaction is a stream during which the transaction ends.
type endsTransaction struct {
	array.RecordReader
	endFunc func()
}

func (r *endsTransaction) Next() bool {
	if r.RecordReader.Next() {
		return true
	}
	r.endFunc()
	return false
}

func TestFailedAppendInATransactionLeavesNoFiles(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.begin(t)
	c.do("CREATE TABLE t (i BIGINT, s VARCHAR)")
	ingest := statement.Ingest{Table: "t", IfExists: statement.ExistsAppend, Caller: c.caller, Options: map[string]string{"row_group_rows": "0"}}
	_, err := b.Ingest(t.Context(), ingest, numbers(t, 0, 10, 5))
	require.Error(t, err)
	id := c.caller.Transaction
	ingest.Options = nil
	up, err := b.Ingest(t.Context(), ingest, &endsTransaction{RecordReader: numbers(t, 0, 10, 5), endFunc: func() {
		_, err := b.Transactions.End(t.Context(), session.Caller{}, id, false)
		require.NoError(t, err)
	}})
	require.ErrorIs(t, err, lake.ErrState)
	require.Zero(t, up.Rows)
	b.clean(t)
}

// TestNewTablesOfTwoTransactionsAreNotMixedUp plans over tables that have no id
// of the catalog yet: the plan of one must not be made with the columns of another.
func TestNewTablesOfTwoTransactionsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	one, two := b.begin(t), b.begin(t)
	planned := func(c *client, sql string) {
		t.Helper()
		require.NotContains(t, strings.Join(c.read("EXPLAIN "+sql), "\n"), "no plan could be had")
	}
	one.do("CREATE TABLE a (v INT)")
	planned(one, "FROM a WHERE v = 1")
	two.do("CREATE TABLE b (w INT)", "SAVEPOINT s", "CREATE TABLE c (x INT)")
	planned(two, "FROM b WHERE w = 1")
	planned(two, "FROM c WHERE x = 1")
	two.do("ROLLBACK TO s", "CREATE TABLE d (y INT)")
	planned(two, "FROM d WHERE y = 1")
	three, four := b.connect(t), b.connect(t)
	three.do("CREATE TEMP TABLE a (v INT)")
	planned(three, "FROM a WHERE v = 1")
	four.do("CREATE TEMP TABLE b (w INT)")
	planned(four, "FROM b WHERE w = 1")
}

func TestTransactionOfASessionThatHasEnded(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.connect(t)
	b.Sessions.Close(t.Context(), c.caller.Session.ID())
	_, err := b.Transactions.Begin(t.Context(), c.caller)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
	c.fails(lake.KindUnauthenticated, "ended", "BEGIN")
}
