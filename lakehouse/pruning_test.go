package lakehouse_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/meter"
	"github.com/flightlake/flightlake/statement"
)

// scattered returns a stream of rows (k int64, v int64): k ascends, v does not
// compress.
func scattered(t *testing.T, rows int) array.RecordReader {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "k", Type: arrow.PrimitiveTypes.Int64}, {Name: "v", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	v := uint64(1)
	for i := range rows {
		v = v*6364136223846793005 + 1442695040888963407
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.Int64Builder).Append(int64(v >> 1))
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	reader, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
	require.NoError(t, err)
	t.Cleanup(reader.Release)
	return reader
}

// TestBytesServedAgreeWithTheScanPlan reads row groups of a table whose footers
// are cached, and compares what the bucket served with what scan_plan said.
func TestBytesServedAgreeWithTheScanPlan(t *testing.T) {
	t.Parallel()
	bucket := meter.New(mem.New(mem.Options{}))
	b := setup(t, bucket)
	b.exec(t, "CREATE TABLE t (k BIGINT NOT NULL, v BIGINT NOT NULL) WITH (row_group_rows = 20000)")
	_, err := b.Ingest(t.Context(), statement.Ingest{Table: "t", IfExists: statement.ExistsAppend}, scattered(t, 400_000))
	require.NoError(t, err)
	require.Len(t, b.rows(t, "SELECT v FROM t WHERE k = 399999"), 1) // the footer is cached now
	for _, c := range []struct {
		where  string
		groups int
		rows   int
	}{
		{"k BETWEEN 100000 AND 139999", 2, 40000},
		{"k < 20000 OR k >= 200000 AND k < 220001", 3, 40001},
		{"k = -1", 0, 0},
	} {
		plan := b.rows(t, fmt.Sprintf("SELECT coalesce(sum(len(row_groups)), 0), coalesce(sum(bytes), 0) FROM lake.scan_plan('SELECT * FROM t WHERE %s') WHERE skipped_by IS NULL", c.where))
		require.Len(t, plan, 1)
		var groups int
		var bytes int64
		_, err := fmt.Sscanf(plan[0], "%d|%d", &groups, &bytes)
		require.NoError(t, err)
		require.Equal(t, c.groups, groups, c.where)
		before := bucket.Snapshot()
		require.Len(t, b.rows(t, "SELECT * FROM t WHERE "+c.where), c.rows)
		served := bucket.Snapshot().Sub(before).BytesRead
		require.Equal(t, bytes, served, c.where)
	}
	before := bucket.Snapshot()
	require.Equal(t, []string{"400000|0|399999"}, b.rows(t, "SELECT count(*), min(k), max(k) FROM t"))
	require.Zero(t, bucket.Snapshot().Sub(before).BytesRead, "the catalog answers")
}

// TestPrunedFilesAreNotOpened deletes the objects that pruning skips.
func TestPrunedFilesAreNotOpened(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i BIGINT, s VARCHAR) PARTITIONED BY (bucket(4, i))")
	for n := range 5 {
		_, err := b.Ingest(t.Context(), statement.Ingest{Table: "t", IfExists: statement.ExistsAppend}, numbers(t, n*100, 100, 100))
		require.NoError(t, err)
	}
	kept := b.rows(t, "SELECT path FROM lake.scan_plan('SELECT s FROM t WHERE i = 250') WHERE skipped_by IS NULL")
	require.Len(t, kept, 1)
	for _, key := range b.objects(t) {
		if key != kept[0] {
			require.NoError(t, b.bucket.Delete(t.Context(), key))
		}
	}
	require.Equal(t, []string{"value of a row"}, b.rows(t, "SELECT s FROM t WHERE i = 250"))
	require.Equal(t, []string{"1"}, b.rows(t, "SELECT count(*) FROM t JOIN range(300) r(x) ON r.x = t.i WHERE t.i = 250"))
	for reason, files := range map[string]int{"partition": 15, "statistics": 4} {
		require.Equal(t, []string{strconv.Itoa(files)},
			b.rows(t, "SELECT count(*) FROM lake.scan_plan('SELECT s FROM t WHERE i = 250') WHERE skipped_by = '"+reason+"'"))
	}
}
