package lakehouse_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

// manualClock is a clock that a test moves.
type manualClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *manualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *manualClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestIdleTransactionIsRolledBack(t *testing.T) {
	t.Parallel()
	clock := &manualClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b := setupClock(t, clock)
	b.exec(t, "CREATE TABLE t (i INT)")
	untouched, lazy, swept := b.begin(t), b.begin(t), b.begin(t)
	sql := b.connect(t)
	lazy.do("INSERT INTO t VALUES (1)")
	swept.do("INSERT INTO t VALUES (2)")
	sql.do("BEGIN", "INSERT INTO t VALUES (3)")
	clock.advance(9 * time.Minute)
	lazy.do("INSERT INTO t VALUES (4)")
	clock.advance(2 * time.Minute)
	b.Sweep(t.Context())
	require.Len(t, b.objects(t), 2, "the files of the others are gone")
	swept.fails(lake.KindState, "idle for 10m0s", "INSERT INTO t VALUES (5)")
	sql.fails(lake.KindState, "idle for 10m0s", "INSERT INTO t VALUES (5)")
	sql.fails(lake.KindState, "idle for 10m0s", "INSERT INTO t VALUES (5)")
	for _, end := range []string{"COMMIT", "ROLLBACK"} {
		d, err := b.Describe(t.Context(), statement.Statement{SQL: end, Caller: sql.caller})
		require.NoError(t, err, "drivers prepare what they run: without that nothing could end the transaction")
		require.True(t, d.Update)
	}
	sql.fails(lake.KindState, "idle for 10m0s", "COMMIT")
	sql.do("INSERT INTO t VALUES (6)")
	_, err := swept.end(true)
	require.ErrorIs(t, err, lake.ErrState)
	clock.advance(9 * time.Minute)
	lazy.fails(lake.KindState, "idle for 10m0s", "INSERT INTO t VALUES (7)")
	_, err = lazy.end(false)
	require.NoError(t, err)
	untouched.do("INSERT INTO t VALUES (8)")
	untouched.commit()
	late, lateSQL := b.begin(t), b.connect(t)
	late.do("INSERT INTO t VALUES (9)")
	lateSQL.do("BEGIN", "INSERT INTO t VALUES (10)")
	clock.advance(11 * time.Minute)
	_, err = late.end(true)
	require.ErrorContains(t, err, "idle for 10m0s", "whether the sweep came first must not matter")
	lateSQL.fails(lake.KindState, "idle for 10m0s", "COMMIT")
	require.Equal(t, []string{"6", "8"}, b.rows(t, "FROM t ORDER BY i"))
	b.clean(t)
}

func TestATransactionWhoseResultIsReadIsNotIdle(t *testing.T) {
	t.Parallel()
	clock := &manualClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b := setupClock(t, clock)
	b.exec(t, "CREATE TABLE t (i INT)")
	for _, begin := range []string{"", "BEGIN"} {
		c := b.connect(t)
		planned := c.caller
		if begin == "" {
			id, err := b.Transactions.Begin(t.Context(), c.caller)
			require.NoError(t, err)
			planned.Transaction = id
		} else {
			c.do(begin)
		}
		_, err := b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO t VALUES (0)", Caller: planned})
		require.NoError(t, err)
		q, err := b.Plan(t.Context(), statement.Statement{SQL: "SELECT * FROM range(100000)", Caller: planned})
		require.NoError(t, err)
		q.Statement.Caller = c.caller // a ticket names no transaction
		rows, err := b.Run(t.Context(), q)
		require.NoError(t, err)
		clock.advance(11 * time.Minute)
		b.Sweep(t.Context())
		rows.Reader.Release()
		c.caller = planned
		c.do("INSERT INTO t VALUES (1)")
	}
}

func TestATransactionThatOnlyReadKeepsItsSnapshotHoweverLongItIsIdle(t *testing.T) {
	t.Parallel()
	clock := &manualClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b := setupClock(t, clock)
	b.exec(t, "CREATE TABLE t (i INT)")
	b.exec(t, "INSERT INTO t VALUES (1)")
	protocol, sql, saved, temporary := b.begin(t), b.connect(t), b.connect(t), b.connect(t)
	sql.do("BEGIN")
	saved.do("BEGIN", "SAVEPOINT a", "INSERT INTO t VALUES (2)", "ROLLBACK TO a")
	temporary.do("BEGIN", "CREATE TEMP TABLE mine (i INT)")
	for _, c := range []*client{protocol, sql, saved} {
		require.Equal(t, []string{"1"}, c.read("FROM t"))
	}
	b.exec(t, "INSERT INTO t VALUES (3)")
	clock.advance(7 * time.Hour)
	b.Sweep(t.Context())
	temporary.fails(lake.KindState, "idle for 10m0s", "INSERT INTO t VALUES (2)")
	for _, c := range []*client{protocol, sql, saved} {
		require.Equal(t, []string{"1"}, c.read("FROM t"), "the snapshot of the first statement")
		c.fails(lake.KindInvalid, "INT", "INSERT INTO t VALUES ('x')")
	}
	clock.advance(11 * time.Minute)
	sql.do("INSERT INTO t VALUES (4)")
	clock.advance(11 * time.Minute)
	sql.fails(lake.KindState, "idle for 10m0s", "INSERT INTO t VALUES (5)")
	require.Equal(t, []string{"1"}, protocol.read("FROM t"))
	protocol.commit()
	saved.do("COMMIT")
	require.Equal(t, []string{"1", "3"}, b.rows(t, "FROM t ORDER BY i"))
	b.clean(t)
}
