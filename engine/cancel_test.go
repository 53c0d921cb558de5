package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
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
		"lists":                "SELECT max(len(list_sort(range(1000000)))) FROM range(1000000000000)",
	}
}

// memoryOf returns the bytes that the executor's DuckDB holds.
func memoryOf(t *testing.T, x *engine.Executor) string {
	t.Helper()
	return mustQuery(t, x, "SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory() WHERE tag NOT IN ('IN_MEMORY_TABLE', 'METADATA')").rows[0][0]
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
		r, err := x.Query(ctx, engine.Query{SQL: sql})
		require.NoError(t, err, name)
		for r.Next() {
		}
		require.ErrorIs(t, r.Err(), context.Canceled, name)
		r.Release()
		took := time.Since(<-cancelled)
		t.Log(name, took, memoryOf(t, x))
		require.Less(t, took, time.Second, name)
		require.Equal(t, before, memoryOf(t, x), name)
	}
}
