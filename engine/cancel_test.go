package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// endless are statements that would run for hours, by what keeps them busy.
func endless() map[string]string {
	return map[string]string{
		"cross join, counted":  "SELECT count(*) FROM range(1000000000000) a, range(1000000000000) b",
		"cross join, streamed": "SELECT a.range + b.range FROM range(1000000000000) a, range(1000000000000) b",
		"sort":                 "SELECT range FROM range(100000000) ORDER BY hash(range)",
		"aggregation":          "SELECT hash(range), count(*) FROM range(100000000) GROUP BY 1",
		"join":                 "SELECT count(*) FROM range(100000000) a JOIN range(100000000) b ON hash(a.range) = hash(b.range + 1)",
		"window":               "SELECT max(s) FROM (SELECT sum(range) OVER (ORDER BY hash(range)) AS s FROM range(100000000))",
		"recursion":            "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r",
		"text":                 "SELECT max(md5(repeat('x', 100000) || range)) FROM range(1000000000000)",
		"lists":                "SELECT max(len(list_sort(range(range % 100 + 100000)))) FROM range(1000000000000)",
	}
}

// memoryOf returns the bytes that the executor's DuckDB holds.
func memoryOf(t *testing.T, x *engine.Executor) string {
	t.Helper()
	rows, err := x.Texts("SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT::VARCHAR FROM duckdb_memory() WHERE tag NOT IN ('IN_MEMORY_TABLE', 'METADATA')")
	require.NoError(t, err)
	return rows[0][0]
}

// TestCancelledQueriesEndAtOnce cancels each statement while it works.
func TestCancelledQueriesEndAtOnce(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{MemoryLimitBytes: 4 << 30})
	before := memoryOf(t, x)
	for name, sql := range endless() {
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan time.Time, 1)
		time.AfterFunc(300*time.Millisecond, func() {
			cancelled <- time.Now()
			cancel()
		})
		_, err := query(ctx, x, engine.Query{SQL: "SELECT count(*) FROM (" + sql + ")"})
		require.ErrorIs(t, err, context.Canceled, name)
		require.Less(t, time.Since(<-cancelled), time.Second, name)
		require.Equal(t, before, memoryOf(t, x), name)
	}
}

// stallingSource is a source of five rows and then of none, nor of an end: asked
// is closed when it is waited for.
func stallingSource(t *testing.T, x *engine.Executor) (s *memSource, asked chan struct{}) {
	t.Helper()
	s = sourceOf(t, x, "SELECT range AS a FROM range(5)")
	asked = make(chan struct{})
	s.rows = 10
	s.nextFunc = func(ctx context.Context, n int) error {
		if n == 0 {
			return nil
		}
		close(asked)
		<-ctx.Done()
		return ctx.Err()
	}
	return s, asked
}

func TestCancelEndsASourceThatWasRegisteredForLonger(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{Threads: 1})
	s, asked := stallingSource(t, x)
	ref, release := x.Register(t.Context(), s)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := query(ctx, x, engine.Query{SQL: "SELECT sum(a) FROM " + ref})
	require.ErrorIs(t, err, context.Canceled)
}

func TestInsertOfASourceThatStallsIsCancelled(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{Threads: 1})
	s, asked := stallingSource(t, x)
	ref, release := x.Register(t.Context(), s)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := x.InsertRows(ctx, engine.Insert{
		Table: "t", Columns: s.columns,
		Statements: insertOf(" FROM " + ref),
	})
	require.ErrorIs(t, err, context.Canceled)
}

func TestProgressIsTheShareOfTheRowsRead(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{Threads: 1})
	s, asked := stallingSource(t, x)
	ref, release := x.Register(t.Context(), s)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := x.Query(ctx, engine.Query{SQL: "SELECT sum(a) FROM " + ref})
	require.NoError(t, err)
	require.Zero(t, r.Progress())
	done := make(chan bool)
	go func() { done <- r.Next() }()
	<-asked
	require.InDelta(t, 0.5, r.Progress(), 1e-9)
	cancel()
	require.False(t, <-done)
	require.Less(t, r.Progress(), 1.0, "it did not end well")
	r.Release()
	require.Less(t, r.Progress(), 1.0)

	r, err = x.Query(t.Context(), engine.Query{SQL: "SELECT 1"})
	require.NoError(t, err)
	require.InDelta(t, float64(lake.Unknown), r.Progress(), 0)
	require.True(t, r.Next())
	require.False(t, r.Next())
	require.InDelta(t, 1, r.Progress(), 0)
	r.Release()
	require.InDelta(t, 1, r.Progress(), 0)
}
