package lakehouse_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

func TestTicketShowsWhatTheTransactionDidWhenItWasMade(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	c := b.begin(t)
	plan := func(sql string) statement.Query {
		q, err := b.Plan(t.Context(), statement.Statement{SQL: sql, Caller: c.caller})
		require.NoError(t, err)
		return q
	}
	plain := plan("FROM t")
	require.Empty(t, plain.View)
	c.do("INSERT INTO t VALUES (2)")
	before := plan("FROM t ORDER BY i")
	require.NotEmpty(t, before.View)
	require.EqualValues(t, 2, plan("SELECT * FROM t").Rows, "exact with the transaction's rows")
	c.do("CREATE TABLE u AS SELECT 5 AS i")
	require.Empty(t, plan("SELECT 1").View)
	ofU := plan("FROM u")
	c.do("INSERT INTO t VALUES (3)")
	after := plan("FROM t ORDER BY i")
	c.do("DROP TABLE u")
	redeem := func(q statement.Query) ([]string, error) { return b.run(t.Context(), q) }
	check := func(want []string, q statement.Query) {
		t.Helper()
		rows, err := redeem(statement.Query{Statement: statement.Statement{SQL: q.Statement.SQL, Scope: q.Statement.Scope}, Snapshot: q.Snapshot, View: q.View, Time: q.Time})
		require.NoError(t, err)
		require.Equal(t, want, rows)
	}
	check([]string{"1"}, plain)
	check([]string{"1", "2"}, before)
	check([]string{"1", "2", "3"}, after)
	check([]string{"5"}, ofU)
	c.commit()
	check([]string{"1", "2"}, before)
	check([]string{"1", "2", "3"}, after)
	_, err := redeem(ofU)
	require.ErrorIs(t, err, lake.ErrState, "its files were dropped")

	c = b.begin(t)
	c.do("INSERT INTO t VALUES (9)")
	lost := plan("FROM t")
	running, err := b.Run(t.Context(), lost)
	require.NoError(t, err)
	_, err = c.end(false)
	require.NoError(t, err)
	_, err = redeem(lost)
	require.ErrorIs(t, err, lake.ErrState)
	require.ErrorContains(t, err, "rolled back")
	var rows int64
	for running.Reader.Next() {
		rows += running.Reader.RecordBatch().NumRows()
	}
	require.NoError(t, running.Reader.Err(), "a reader at work reads to its end")
	require.EqualValues(t, 4, rows)
	running.Reader.Release()
	b.clean(t)
}

func TestNowIsThePlansTimeInEveryRun(t *testing.T) {
	t.Parallel()
	clock := &manualClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b := setupClock(t, clock)
	b.exec(t, "CREATE TABLE t AS SELECT TIMESTAMPTZ '2026-01-01 00:30:00+00' AS ts")
	const sql = "SELECT count(*) FROM t WHERE ts > now()"
	q, err := b.Plan(t.Context(), statement.Statement{SQL: sql})
	require.NoError(t, err)
	clock.advance(time.Hour)
	for range 2 {
		rows, err := b.run(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, []string{"1"}, rows)
	}
	require.Equal(t, []string{"0"}, b.rows(t, sql))
}

// run redeems a planned query.
func (b *bundle) run(ctx context.Context, q statement.Query) ([]string, error) {
	running, err := b.Run(ctx, q)
	if err != nil {
		return nil, err
	}
	return drainText(running)
}
