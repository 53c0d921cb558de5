package writer_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/writer"
)

// discard is a Bucket that keeps nothing.
type discard struct{ objstore.Bucket }

func (discard) Create(context.Context, string) (objstore.Writer, error) { return discardWriter{}, nil }

type discardWriter struct{}

func (discardWriter) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }
func (discardWriter) Commit(context.Context) error                   { return nil }
func (discardWriter) Abort(context.Context) error                    { return nil }

// cpuTime returns the time that this process has computed. Unlike elapsed time
// it can be compared between runs on a machine that is busy.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

var lineitem = sync.OnceValues(func() (arrow.Table, error) {
	path := os.Getenv("FLIGHTLAKE_BENCH_LINEITEM")
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{Parallel: true}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	return r.ReadTable(context.Background())
})

// BenchmarkWriteLineitem writes TPC-H lineitem from batches in memory. It needs
// FLIGHTLAKE_BENCH_LINEITEM, the path of a Parquet file.
func BenchmarkWriteLineitem(b *testing.B) {
	if os.Getenv("FLIGHTLAKE_BENCH_LINEITEM") == "" {
		b.Skip("FLIGHTLAKE_BENCH_LINEITEM is not set")
	}
	table, err := lineitem()
	require.NoError(b, err)
	columns, err := lake.ColumnsFromArrow(table.Schema())
	require.NoError(b, err)
	columns, _ = lake.AssignFieldIDs(columns)
	for _, o := range []writer.Options{
		{Compression: "uncompressed"},
		{Compression: "snappy"},
		{Compression: "lz4_raw"},
		{Compression: "zstd"},
		{Compression: "zstd", CompressionLevel: 1},
		{Compression: "snappy", RowGroupRows: 245760},
		{Compression: "snappy", RowGroupRows: 1 << 20},
	} {
		b.Run(fmt.Sprintf("compression=%s/level=%d/row_group_rows=%d", o.Compression, o.CompressionLevel, o.RowGroupRows), func(b *testing.B) {
			b.ReportAllocs()
			w := writer.New(discard{}, func(context.Context, []string) error { return nil }, writer.Settings{})
			spec := writer.Spec{Columns: columns, KeyPrefix: "t/", Options: o}
			var size int64
			before := cpuTime(b)
			for b.Loop() {
				result, err := w.Write(b.Context(), spec, array.NewTableReader(table, 65536))
				require.NoError(b, err)
				require.Equal(b, table.NumRows(), result.Rows)
				size = 0
				for _, f := range result.Files {
					size += f.Bytes
				}
			}
			b.ReportMetric(float64(table.NumRows())*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(size)/1e6, "file_MB")
			b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "cpu_s/op")
		})
	}
}

// BenchmarkWriteSmall writes 1,000 rows of lineitem, as small appends do.
func BenchmarkWriteSmall(b *testing.B) {
	if os.Getenv("FLIGHTLAKE_BENCH_LINEITEM") == "" {
		b.Skip("FLIGHTLAKE_BENCH_LINEITEM is not set")
	}
	table, err := lineitem()
	require.NoError(b, err)
	columns, err := lake.ColumnsFromArrow(table.Schema())
	require.NoError(b, err)
	columns, _ = lake.AssignFieldIDs(columns)
	all := array.NewTableReader(table, 1000)
	require.True(b, all.Next())
	w := writer.New(discard{}, func(context.Context, []string) error { return nil }, writer.Settings{})
	b.ReportAllocs()
	for b.Loop() {
		reader, err := array.NewRecordReader(table.Schema(), []arrow.RecordBatch{all.RecordBatch()})
		require.NoError(b, err)
		_, err = w.Write(b.Context(), writer.Spec{Columns: columns, KeyPrefix: "t/"}, reader)
		require.NoError(b, err)
	}
}

// BenchmarkWritePartitioned writes lineitem to 196 partitions.
func BenchmarkWritePartitioned(b *testing.B) {
	if os.Getenv("FLIGHTLAKE_BENCH_LINEITEM") == "" {
		b.Skip("FLIGHTLAKE_BENCH_LINEITEM is not set")
	}
	table, err := lineitem()
	require.NoError(b, err)
	columns, err := lake.ColumnsFromArrow(table.Schema())
	require.NoError(b, err)
	columns, _ = lake.AssignFieldIDs(columns)
	w := writer.New(discard{}, func(context.Context, []string) error { return nil }, writer.Settings{})
	spec := writer.Spec{Columns: columns, KeyPrefix: "t/", Partition: &lake.PartitionSpec{ID: 1, Fields: []lake.PartitionField{
		{Column: 15, Transform: lake.TransformIdentity}, // l_shipmode
		{Column: 11, Transform: lake.TransformYear},     // l_shipdate
		{Column: 1, Transform: lake.TransformBucket, Buckets: 4},
	}}}
	b.ReportAllocs()
	before := cpuTime(b)
	files := 0
	for b.Loop() {
		result, err := w.Write(b.Context(), spec, array.NewTableReader(table, 65536))
		require.NoError(b, err)
		require.Equal(b, table.NumRows(), result.Rows)
		files = len(result.Files)
	}
	b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "cpu_s/op")
	b.ReportMetric(float64(files), "files")
}

// BenchmarkWriteIntegers writes four million integers to an INTEGER column, as
// they are and out of wider ones, which are checked.
func BenchmarkWriteIntegers(b *testing.B) {
	const rows = 1 << 22
	for _, from := range []arrow.DataType{arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int64} {
		b.Run("from="+from.Name(), func(b *testing.B) {
			builder := array.NewBuilder(memory.DefaultAllocator, from)
			for i := range rows {
				require.NoError(b, builder.AppendValueFromString(strconv.Itoa(i*7919%30011)))
			}
			record := one(builder.NewArray())
			columns := number(lake.Column{Name: "c", Type: lake.Type{ID: lake.TypeInt32}, Nullable: true})
			w := writer.New(discard{}, func(context.Context, []string) error { return nil }, writer.Settings{})
			b.SetBytes(rows * 4)
			before := cpuTime(b)
			for b.Loop() {
				reader, err := array.NewRecordReader(record.Schema(), []arrow.RecordBatch{record})
				require.NoError(b, err)
				result, err := w.Write(b.Context(), writer.Spec{Columns: columns, KeyPrefix: "t/"}, reader)
				require.NoError(b, err)
				require.EqualValues(b, rows, result.Rows)
			}
			b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "cpu_s/op")
		})
	}
}
