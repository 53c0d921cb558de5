package lakehouse_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/internal/clock/clocktest"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/workload"
)

// endlessPlan is a query whose tables are not known before an endless one has ended.
const endlessPlan = "SELECT * FROM t AT (VERSION => (SELECT count(*) FROM range(1000000000000)))"

func TestPlanningTimesOut(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	who := b.connect(t)
	who.do("SET statement_timeout = '100ms'")
	for name, call := range map[string]func(st statement.Statement) error{
		"describe": func(st statement.Statement) error { _, err := b.Describe(t.Context(), st); return err },
		"plan":     func(st statement.Statement) error { _, err := b.Plan(t.Context(), st); return err },
		"insert": func(st statement.Statement) error {
			st.SQL = "INSERT INTO t " + st.SQL
			_, err := b.Execute(t.Context(), st)
			return err
		},
		"explain": func(st statement.Statement) error {
			st.SQL = "EXPLAIN " + st.SQL
			_, err := b.Plan(t.Context(), st)
			return err
		},
	} {
		began := time.Now()
		err := call(statement.Statement{SQL: endlessPlan, Caller: who.caller})
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.ErrorContains(t, err, "statement_timeout of 100ms", name)
		require.Less(t, time.Since(began), 10*time.Second, name)
	}
}

func TestPlanningIsListedAndKilled(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	who, other := b.connect(t), b.connect(t)
	planned := make(chan error, 1)
	go func() {
		_, err := b.Plan(t.Context(), statement.Statement{ID: "slow", SQL: endlessPlan, Caller: who.caller})
		planned <- err
	}()
	require.Eventually(t, func() bool {
		return len(other.read("SELECT id FROM lake.statements() WHERE id = 'slow' AND state = 'running'")) == 1
	}, 10*time.Second, time.Millisecond)
	other.do("KILL 'slow'")
	require.EqualError(t, <-planned, "statement slow was killed by anonymous")
	require.Zero(t, b.Stats().Workload.Running)
}

func TestOnlyALookAtWhatRunsNeedsNoTurn(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{Workload: workload.Options{RunningMax: 1, QueueTimeout: time.Millisecond}})
	who := b.connect(t)
	rows := who.start(t, "one", endless)
	require.True(t, rows.Reader.Next())
	read := make(chan struct{}) // all the time: its turn would be taken otherwise
	go func() {
		defer close(read)
		for rows.Reader.Next() {
		}
		rows.Reader.Release()
	}()
	for _, sql := range []string{
		"FROM lake.statements()", "SELECT id, sql FROM lake.statements() WHERE rows >= 0 ORDER BY started",
		"SELECT count(*) FROM lake.sessions()", "CALL lake.statements()",
	} {
		require.NotEmpty(t, who.read(sql), sql)
	}
	for _, sql := range []string{
		"SELECT 1", "FROM lake.settings()", "FROM lake.settings(), range(30000000)",
		"FROM lake.statements(), range(30000000)", "FROM lake.statements() a, lake.statements() b",
		"SELECT unnest(range(30000000)) FROM lake.statements()",
		"SELECT repeat('x', 1000000) FROM lake.statements()",
		"SELECT (SELECT count(*) FROM range(30000000)) FROM lake.statements()",
		"WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT * FROM lake.statements() WHERE EXISTS (FROM r)",
		"FROM lake.statements() UNION ALL FROM range(30000000)",
		"EXPLAIN ANALYZE SELECT * FROM lake.statements()",
	} {
		_, err := b.query(t.Context(), statement.Statement{SQL: sql})
		require.ErrorIs(t, err, lake.ErrExhausted, sql)
	}
	who.do("KILL 'one'")
	<-read
	require.NotEmpty(t, who.read("SELECT 1"))
}

func TestResultsThatNobodyReadsLeaveRoom(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{Workload: workload.Options{RunningMax: 4}})
	who := b.connect(t)
	for range 4 {
		rows := who.start(t, "", endless)
		defer rows.Reader.Release()
		require.True(t, rows.Reader.Next())
	}
	began := time.Now()
	require.Equal(t, []string{"1"}, who.read("SELECT 1"))
	require.Less(t, time.Since(began), 5*time.Second, "the turns of those that stall are given to others at once")
}

func TestOldestSnapshotIsThatOfAllReaders(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	_, ok := b.OldestSnapshot()
	require.False(t, ok)
	first := b.exec(t, "INSERT INTO t VALUES (2)").Snapshot
	c := b.begin(t)
	_, ok = b.OldestSnapshot()
	require.False(t, ok, "a transaction that did nothing reads nothing")
	c.read("FROM t")
	second := b.exec(t, "INSERT INTO t VALUES (3)").Snapshot
	rows := b.connect(t).start(t, "", endless)
	third := b.exec(t, "INSERT INTO t VALUES (4)").Snapshot
	oldest := func() lake.SnapshotID {
		id, ok := b.OldestSnapshot()
		require.True(t, ok)
		return id
	}
	require.Equal(t, first, oldest(), "the transaction's")
	_, err := c.end(false)
	require.NoError(t, err)
	require.Equal(t, second, oldest(), "the query's")
	b.Retain(third, time.Now().Add(time.Hour))
	rows.Reader.Release()
	require.Equal(t, third, oldest(), "the ticket's")
}

func TestOldestSnapshotIsThatOfThePast(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	first := b.exec(t, "INSERT INTO t VALUES (2)").Snapshot
	second := b.exec(t, "INSERT INTO t VALUES (3)").Snapshot
	third := b.exec(t, "INSERT INTO t VALUES (4)").Snapshot
	for sql, want := range map[string]lake.SnapshotID{
		"FROM t": third,
		fmt.Sprintf("FROM t AT (VERSION => %d)", second):                                               second,
		fmt.Sprintf("SELECT * FROM t JOIN t o AT (VERSION => %d) USING (a)", first):                    first,
		fmt.Sprintf("SELECT (SELECT count(*) FROM t AT (VERSION => %d) WHERE a > 1) FROM t", first):    first,
		fmt.Sprintf("SELECT * FROM t AT (VERSION => %d), t o AT (VERSION => %d)", first, second):       first,
		fmt.Sprintf("FROM lake.list_files('t', snapshot_version => %d)", second):                       second,
		fmt.Sprintf("FROM lake.snapshot_files(%d)", first):                                             first,
		fmt.Sprintf("FROM lake.scan_plan('FROM t AT (VERSION => %d)')", second):                        second,
		fmt.Sprintf("FROM ducklake_list_files('lake', 't', snapshot_version => %d), t LIMIT 1", first): first,
		fmt.Sprintf("EXPLAIN SELECT * FROM t AT (VERSION => %d)", second):                              second,
	} {
		for _, how := range []string{"planned", "found", "planned by another"} {
			caller := session.Caller{}
			if how == "planned by another" {
				caller = b.connect(t).caller
			}
			q, err := b.Plan(t.Context(), statement.Statement{SQL: sql, Caller: caller})
			require.NoError(t, err, sql)
			require.Equal(t, want, q.Oldest, "%s, %s", sql, how)
			rows, err := b.Run(t.Context(), q)
			require.NoError(t, err, sql)
			oldest, ok := b.OldestSnapshot()
			require.True(t, ok)
			require.Equal(t, want, oldest, "%s runs, %s", sql, how)
			rows.Reader.Release()
			_, ok = b.OldestSnapshot()
			require.False(t, ok)
		}
	}
	_, err := b.Execute(t.Context(), statement.Statement{SQL: fmt.Sprintf("INSERT INTO t SELECT * FROM t AT (VERSION => %d)", first)})
	require.NoError(t, err)
}

func TestATicketKeepsThePastFromThePlanOn(t *testing.T) {
	t.Parallel()
	c := clocktest.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	b := setupLimited(t, c, lakehouse.Options{Workload: workload.Options{TicketLifetime: time.Hour}})
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	first := b.exec(t, "INSERT INTO t VALUES (2)").Snapshot
	b.exec(t, "INSERT INTO t VALUES (3)")
	c.Advance(2 * time.Hour) // past the tickets of earlier processes
	_, ok := b.OldestSnapshot()
	require.False(t, ok)
	_, err := b.Plan(t.Context(), statement.Statement{SQL: fmt.Sprintf("SELECT a + 1 FROM t AT (VERSION => %d)", first)})
	require.NoError(t, err)
	oldest, ok := b.OldestSnapshot()
	require.True(t, ok)
	require.Equal(t, first, oldest)
	c.Advance(time.Hour)
	_, ok = b.OldestSnapshot()
	require.True(t, ok)
	c.Advance(3 * time.Minute)
	_, ok = b.OldestSnapshot()
	require.False(t, ok)
}

// A statement with a turn must not wait for one that waits for a turn.
func TestStatementsThatShareAPlanDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{Workload: workload.Options{RunningMax: 1, QueueTimeout: 5 * time.Second}})
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	for i := range 100 {
		sql := fmt.Sprintf("SELECT a + %d AS a FROM t", i)
		var g errgroup.Group
		g.Go(func() error {
			_, err := b.Execute(t.Context(), statement.Statement{SQL: fmt.Sprintf("CREATE OR REPLACE TABLE u%d AS %s", i, sql)})
			return err
		})
		for range 4 {
			g.Go(func() error {
				_, err := b.query(t.Context(), statement.Statement{SQL: sql})
				return err
			})
		}
		require.NoError(t, g.Wait())
	}
}

// closedCatalog refuses commits while it is closed.
type closedCatalog struct {
	catalog.Catalog
	closed atomic.Bool
}

func (c *closedCatalog) Commit(ctx context.Context, commit catalog.Commit) (catalog.Result, error) {
	if c.closed.Load() {
		return catalog.Result{}, lake.Errorf(lake.KindUnavailable, "closed")
	}
	return c.Catalog.Commit(ctx, commit)
}

func TestDroppingTablesOfTheLakeAndTemporaryOnesIsAtomic(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := &closedCatalog{Catalog: b.catalog}
	b.components.Catalog = c
	b = newBundle(b.components, lakehouse.Options{})
	who := b.connect(t)
	who.do("CREATE TABLE kept AS SELECT 1 AS a")
	who.do("CREATE TEMP TABLE mine AS SELECT 2 AS a")
	there := func() {
		t.Helper()
		require.Equal(t, []string{"1"}, who.read("FROM kept"))
		require.Equal(t, []string{"2"}, who.read("FROM mine"))
	}
	_, err := who.try("DROP TABLE kept, mine, nope")
	require.ErrorIs(t, err, lake.ErrNotFound)
	there()
	c.closed.Store(true)
	_, err = who.try("DROP TABLE mine, kept")
	require.ErrorIs(t, err, lake.ErrUnavailable)
	c.closed.Store(false)
	there()
	who.do("BEGIN READ ONLY")
	_, err = who.try("DROP TABLE kept, mine")
	require.ErrorIs(t, err, lake.ErrState)
	who.do("COMMIT")
	there()
	who.do("BEGIN")
	who.do("DROP TABLE kept, mine")
	who.do("ROLLBACK")
	there()
	who.do("DROP TABLE kept, mine")
	for _, sql := range []string{"FROM kept", "FROM mine"} {
		_, err := b.query(t.Context(), statement.Statement{SQL: sql, Caller: who.caller})
		require.ErrorIs(t, err, lake.ErrNotFound, sql)
	}
}
