package scanner_test

import (
	"context"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore/local"
	"github.com/flightlake/flightlake/scanner"
)

// lineitem returns a scan of all columns of TPC-H's lineitem, which lies in
// the folder named by FLIGHTLAKE_TEST_TPCH.
func lineitem(b *testing.B) (*scanner.Scanner, *expr.Scan, int64) {
	b.Helper()
	dir := os.Getenv("FLIGHTLAKE_TEST_TPCH")
	if dir == "" {
		b.Skip("FLIGHTLAKE_TEST_TPCH is not set")
	}
	bucket, err := local.New(dir)
	require.NoError(b, err)
	raw, err := file.OpenParquetFile(dir+"/lineitem.parquet", false)
	require.NoError(b, err)
	defer func() { require.NoError(b, raw.Close()) }()
	fr, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	require.NoError(b, err)
	schema, err := fr.Schema()
	require.NoError(b, err)
	columns, err := lake.ColumnsFromArrow(schema)
	require.NoError(b, err)
	columns, _ = lake.AssignFieldIDs(columns)
	info, err := os.Stat(dir + "/lineitem.parquet")
	require.NoError(b, err)
	scan := &expr.Scan{
		Table: &lake.Table{Name: "lineitem", Columns: columns}, Snapshot: 1, Limit: lake.Unknown,
		Tasks: []lake.ScanTask{{File: &lake.DataFile{Path: "lineitem.parquet", Rows: raw.NumRows(), Bytes: info.Size()}, Bytes: info.Size()}},
	}
	for _, c := range columns {
		scan.Projection = append(scan.Projection, c.ID)
	}
	return scanner.New(bucket, nil, scanner.Options{}), scan, raw.NumRows()
}

func BenchmarkScan(b *testing.B) {
	s, scan, rows := lineitem(b)
	run := func(name string, scan *expr.Scan, rows int64) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := s.Scan(context.Background(), scan)
				require.NoError(b, err)
				got := int64(0)
				for r.Next() {
					got += r.RecordBatch().NumRows()
				}
				require.NoError(b, r.Err())
				r.Release()
				require.Equal(b, rows, got)
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	run("columns=16", scan, rows)
	four := *scan
	four.Projection = scan.Projection[:4]
	run("columns=4", &four, rows)
	none := *scan
	none.Residual = expr.Compare{Field: 2, Type: lake.Type{ID: lake.TypeInt64}, Op: expr.OpLess, Value: lake.Value{}}
	run("selectivity=0", &none, 0)
	point := *scan
	point.Projection = scan.Projection[:3]
	point.Tasks = []lake.ScanTask{{File: scan.Tasks[0].File, RowGroups: []int32{20}, Bytes: 1 << 20}}
	point.Residual = expr.Compare{Field: 1, Type: lake.Type{ID: lake.TypeInt64}, Op: expr.OpEqual, Value: lake.Value{Int: 2267617}}
	run("point", &point, 2)
}
