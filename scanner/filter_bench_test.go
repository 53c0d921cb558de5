package scanner_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/scanner"
)

// BenchmarkScanIn looks for many values in a file of many row groups: what is made of
// the values must be made once, and be shared.
func BenchmarkScanIn(b *testing.B) {
	const groups, groupRows = 100, 4 << 10
	columns := []lake.Column{column(1, "k", lake.TypeInt64)}
	schema := withIDs(lake.ArrowSchema(columns), columns)
	batches := make([]arrow.RecordBatch, groups)
	for g := range batches {
		builder := array.NewInt64Builder(memory.DefaultAllocator)
		for i := range int64(groupRows) {
			builder.Append(int64(g)*groupRows + i)
		}
		keys := builder.NewArray()
		batches[g] = array.NewRecordBatch(schema, []arrow.Array{keys}, groupRows)
	}
	bucket := newBucket()
	data := encode(b, batches...)
	bucket.put(b, "t.parquet", data)
	s := scanner.New(bucket, nil, scanner.Options{})
	for _, values := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("groups=%d/rows=%d/values=%d", groups, groups*groupRows, values), func(b *testing.B) {
			in := expr.In{Field: 1, Type: columns[0].Type}
			for i := range int64(values) {
				in.Values = append(in.Values, lake.Value{Int: i * 7})
			}
			scan := scanOf(columns, &lake.DataFile{Path: "t.parquet", Rows: groups * groupRows, Bytes: int64(len(data))})
			scan.Residual = in
			b.ReportAllocs()
			for b.Loop() {
				rows, err := countRows(b, s, scan)
				require.NoError(b, err)
				require.EqualValues(b, values, rows)
			}
			b.ReportMetric(float64(groups*groupRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
