package engine_test

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/flightlake/flightlake/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newFrontend(t *testing.T, opts engine.FrontendOptions) *engine.Frontend {
	t.Helper()
	f, err := engine.NewFrontend(opts)
	require.NoError(t, err)
	t.Cleanup(f.Close)
	return f
}

// newExecutor returns an executor whose results are checked for leaks.
func newExecutor(t *testing.T, opts engine.Options) *engine.Executor {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	if opts.Threads == 0 {
		opts.Threads = 2
	}
	x, err := engine.NewExecutor(mem, opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		x.Close()
		mem.AssertSize(t, 0)
	})
	return x
}

// result is a query's rows as text.
type result struct {
	schema *arrow.Schema
	rows   [][]string
	sizes  []int64 // rows per batch
}

func query(ctx context.Context, x *engine.Executor, q engine.Query) (*result, error) {
	r, err := x.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	out := &result{schema: r.Schema()}
	for r.Next() {
		batch := r.RecordBatch()
		out.sizes = append(out.sizes, batch.NumRows())
		for row := range int(batch.NumRows()) {
			values := make([]string, batch.NumCols())
			for i, column := range batch.Columns() {
				values[i] = column.ValueStr(row)
			}
			out.rows = append(out.rows, values)
		}
	}
	return out, r.Err()
}

func mustQuery(t *testing.T, x *engine.Executor, sql string) *result {
	t.Helper()
	r, err := query(t.Context(), x, engine.Query{SQL: sql})
	require.NoError(t, err, sql)
	return r
}
