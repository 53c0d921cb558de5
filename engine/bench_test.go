package engine_test

import (
	"context"
	"io"
	"os"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// lineitemVariable names a Parquet file of TPC-H's lineitem for the benchmarks
// that need one (tpchgen-cli -s 1 --format=parquet --tables lineitem).
const lineitemVariable = "FLIGHTLAKE_BENCH_LINEITEM"

// parquetSource reads one Parquet file with arrow-go, one row group per call of
// the reader's threads.
type parquetSource struct {
	b       *testing.B
	path    string
	columns []lake.Column
	rows    int64
}

func newParquetSource(b *testing.B, path string) *parquetSource {
	b.Helper()
	f, err := file.OpenParquetFile(path, true)
	require.NoError(b, err)
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	require.NoError(b, err)
	schema, err := r.Schema()
	require.NoError(b, err)
	columns, err := lake.ColumnsFromArrow(schema)
	require.NoError(b, err)
	return &parquetSource{b: b, path: path, columns: columns, rows: f.NumRows()}
}

func (s *parquetSource) Columns() []lake.Column { return s.columns }
func (s *parquetSource) Rows() int64            { return s.rows }

func (s *parquetSource) Open(_ context.Context, projection []int) (engine.Stream, error) {
	f, err := file.OpenParquetFile(s.path, true)
	if err != nil {
		return nil, err
	}
	return &parquetStream{file: f, projection: projection, readers: make(chan pqarrow.RecordReader, 64)}, nil
}

type parquetStream struct {
	file       *file.Reader
	projection []int
	next       atomic.Int64
	readers    chan pqarrow.RecordReader
}

func (s *parquetStream) Next(ctx context.Context) (arrow.RecordBatch, error) {
	for {
		var r pqarrow.RecordReader
		select {
		case r = <-s.readers:
		default:
			group := int(s.next.Add(1) - 1)
			if group >= s.file.NumRowGroups() {
				return nil, io.EOF
			}
			fr, err := pqarrow.NewFileReader(s.file, pqarrow.ArrowReadProperties{BatchSize: 1 << 16}, memory.DefaultAllocator)
			if err != nil {
				return nil, err
			}
			if r, err = fr.GetRecordReader(ctx, s.projection, []int{group}); err != nil {
				return nil, err
			}
		}
		if r.Next() {
			batch := r.RecordBatch()
			batch.Retain()
			s.readers <- r
			return batch, nil
		}
		r.Release()
	}
}

func (s *parquetStream) Close() { _ = s.file.Close() }

const (
	tpchQ1 = `SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), sum(l_extendedprice * (1 - l_discount)),
		sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)), avg(l_quantity), avg(l_extendedprice), avg(l_discount), count(*)
		FROM lineitem WHERE l_shipdate <= DATE '1998-09-02' GROUP BY ALL ORDER BY ALL`
	tpchQ6 = `SELECT sum(l_extendedprice * l_discount) FROM lineitem WHERE l_shipdate >= DATE '1994-01-01'
		AND l_shipdate < DATE '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24`
	export = `SELECT * FROM lineitem`
)

func drain(b *testing.B, x *engine.Executor, sql string) int64 {
	b.Helper()
	r, err := x.Query(b.Context(), engine.Query{SQL: sql})
	require.NoError(b, err)
	defer r.Release()
	var rows int64
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	require.NoError(b, r.Err())
	return rows
}

func BenchmarkLineitem(b *testing.B) {
	path := os.Getenv(lineitemVariable)
	if path == "" {
		b.Skip("set " + lineitemVariable)
	}
	x, err := engine.NewExecutor(nil, engine.Options{Threads: 2, AllowedDirs: []string{"/"}})
	require.NoError(b, err)
	defer x.Close()
	ref, release := x.Register(b.Context(), newParquetSource(b, path))
	defer release()
	refs := []struct{ name, from string }{{"register", ref}, {"read_parquet", "read_parquet(" + lake.QuoteLiteral(path) + ")"}}
	for _, q := range []struct{ name, sql string }{{"q1", tpchQ1}, {"q6", tpchQ6}, {"export", export}} {
		for _, r := range refs {
			b.Run("query="+q.name+"/source="+r.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					drain(b, x, "WITH lineitem AS (FROM "+r.from+") "+q.sql)
				}
			})
		}
	}
}

func BenchmarkQueryOverhead(b *testing.B) {
	x, err := engine.NewExecutor(nil, engine.Options{Threads: 2})
	require.NoError(b, err)
	defer x.Close()
	b.ReportAllocs()
	for b.Loop() {
		require.EqualValues(b, 1, drain(b, x, "SELECT 1"))
	}
}

func BenchmarkOpen(b *testing.B) {
	b.Run("executor", func(b *testing.B) {
		for b.Loop() {
			x, err := engine.NewExecutor(nil, engine.Options{Threads: 2})
			require.NoError(b, err)
			x.Close()
		}
	})
	b.Run("frontend", func(b *testing.B) {
		for b.Loop() {
			f, err := engine.NewFrontend(engine.FrontendOptions{})
			require.NoError(b, err)
			f.Close()
		}
	})
}

func BenchmarkOptimize(b *testing.B) {
	f, err := engine.NewFrontend(engine.FrontendOptions{})
	require.NoError(b, err)
	defer f.Close()
	twins := []lake.Twin{intTwin("t1")}
	b.ReportAllocs()
	for b.Loop() {
		_, err := f.Optimize(b.Context(), "SELECT a FROM t1 WHERE a = 5", twins)
		require.NoError(b, err)
	}
}
