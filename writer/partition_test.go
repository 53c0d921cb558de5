package writer_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer"
)

// partitionValue writes one value partitioned by one field and returns the
// partition value.
func partitionValue(t *testing.T, c lake.Column, values arrow.Array, field lake.PartitionField) *lake.Value {
	t.Helper()
	columns := number(c)
	field.Column = 1
	rows := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: c.Name, Type: values.DataType(), Nullable: true}}, nil),
		[]arrow.Array{values}, 1)
	spec := writer.Spec{Columns: columns, Partition: &lake.PartitionSpec{ID: 5, Fields: []lake.PartitionField{field}}}
	result, err := setup(t).write(t, spec, []arrow.RecordBatch{rows})
	require.NoError(t, err)
	require.Len(t, result.Files, 1)
	require.Equal(t, lake.PartitionID(5), result.Files[0].PartitionID)
	require.Len(t, result.Files[0].PartitionValues, 1)
	return result.Files[0].PartitionValues[0]
}

// writeNothing writes no rows of columns, partitioned by one field.
func writeNothing(t *testing.T, columns []lake.Column, field lake.PartitionField) error {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, lake.ArrowSchema(columns))
	defer b.Release()
	spec := writer.Spec{Columns: columns, Partition: &lake.PartitionSpec{Fields: []lake.PartitionField{field}}}
	_, err := setup(t).write(t, spec, []arrow.RecordBatch{b.NewRecordBatch()})
	return err
}

func parse(t *testing.T, dataType arrow.DataType, text string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, dataType, strings.NewReader(text))
	require.NoError(t, err)
	return a
}

func TestBucketsAreThoseOfDuckLake(t *testing.T) {
	t.Parallel()
	python(t)
	const buckets = 1000003 // so many that equal buckets mean equal hashes
	var asked [][3]string
	var names []string
	var got []any
	for _, c := range typeCases() {
		if c.lakeType == "interval" || strings.Contains(c.duckdb[1], "\x00") {
			continue
		}
		col := column(t, "c", c.lakeType)
		for i, text := range c.duckdb {
			values := parse(t, col.ArrowType(), c.values)
			v := partitionValue(t, col, array.NewSlice(values, int64(i), int64(i)+1),
				lake.PartitionField{Transform: lake.TransformBucket, Buckets: buckets})
			names = append(names, c.lakeType+" "+text)
			got = append(got, float64(v.Int))
			asked = append(asked, [3]string{fmt.Sprintf("(murmur3_32({}) & 2147483647) %% %d", buckets), col.SQLType(), text})
		}
	}
	for _, special := range []struct {
		kind string
		v    float64
		text string
	}{
		{"float64", math.Copysign(0, -1), "-0.0"},
		{"float64", math.NaN(), "nan"},
		{"float64", math.Inf(-1), "-infinity"},
		{"float32", math.NaN(), "nan"},
		{"float32", math.Copysign(0, -1), "-0.0"},
	} {
		col := column(t, "c", special.kind)
		b := array.NewBuilder(memory.DefaultAllocator, col.ArrowType())
		switch b := b.(type) {
		case *array.Float64Builder:
			b.Append(special.v)
		case *array.Float32Builder:
			b.Append(float32(special.v))
		}
		v := partitionValue(t, col, b.NewArray(), lake.PartitionField{Transform: lake.TransformBucket, Buckets: buckets})
		names = append(names, special.kind+" "+special.text)
		got = append(got, float64(v.Int))
		asked = append(asked, [3]string{fmt.Sprintf("(murmur3_32({}) & 2147483647) %% %d", buckets), col.SQLType(), special.text})
	}
	requireSame(t, names, asked, got)
}

func TestCalendarPartsAreThoseOfDuckDB(t *testing.T) {
	t.Parallel()
	python(t)
	texts := map[string][]string{
		"date":         {"1970-01-01", "1969-12-31", "0001-01-01", "2000-02-29", "1900-03-01", "infinity", "-infinity"},
		"timestamp":    {"1969-12-31 23:59:59.999999", "2024-12-31 23:00:00", "0001-01-01 00:00:00", "infinity"},
		"timestamp_s":  {"1969-12-31 23:59:59", "2024-02-29 12:30:00", "infinity"},
		"timestamp_ms": {"1969-12-31 23:59:59.999", "2024-02-29 12:30:00"},
		"timestamp_ns": {"1969-12-31 23:59:59.999999999", "1969-12-31 23:59:59.999999", "2024-02-29 12:30:00.000000001", "-infinity"},
	}
	var asked [][3]string
	var names []string
	var got []any
	for kind, values := range texts {
		for _, text := range values {
			for _, transform := range []lake.Transform{lake.TransformYear, lake.TransformMonth, lake.TransformDay, lake.TransformHour} {
				col := column(t, "c", kind)
				v := partitionValue(t, col, instant(t, col, text), lake.PartitionField{Transform: transform})
				names = append(names, fmt.Sprintf("%s(%s %s)", transform, kind, text))
				asked = append(asked, [3]string{string(transform) + "({})", col.SQLType(), text})
				if v == nil {
					got = append(got, nil)
				} else {
					got = append(got, float64(v.Int))
				}
			}
		}
	}
	requireSame(t, names, asked, got)
}

// instant returns one date or timestamp, which may be infinite.
func instant(t *testing.T, c lake.Column, text string) arrow.Array {
	t.Helper()
	sign := int64(1)
	switch text {
	case "-infinity":
		sign = -1
		fallthrough
	case "infinity":
		if c.Type.ID == lake.TypeDate {
			return parse(t, c.ArrowType(), "["+strconv.FormatInt(sign*math.MaxInt32, 10)+"]")
		}
		b := array.NewTimestampBuilder(memory.DefaultAllocator, c.ArrowType().(*arrow.TimestampType))
		b.Append(arrow.Timestamp(sign * math.MaxInt64))
		return b.NewArray()
	}
	return parse(t, c.ArrowType(), `["`+text+`"]`)
}

func requireSame(t *testing.T, names []string, asked [][3]string, got []any) {
	t.Helper()
	argument, err := json.Marshal(asked)
	require.NoError(t, err)
	var want []any
	runPython(t, &want, "ducklake_partition.py", string(argument))
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i], got[i], names[i])
	}
}

func TestIdentityValuesAreTyped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lakeType, value string
		want            lake.Value
	}{
		{"boolean", `[true]`, lake.Value{Int: 1}},
		{"int8", `[-3]`, lake.Value{Int: -3}},
		{"uint32", `[4294967295]`, lake.Value{Uint: math.MaxUint32}},
		{"uint64", `[18446744073709551615]`, lake.Value{Uint: math.MaxUint64}},
		{"decimal(4,1)", `["-0.5"]`, lake.Value{Int: -1, Uint: math.MaxUint64 - 4}},
		{"decimal(38,1)", `["-0.5"]`, lake.Value{Int: -1, Uint: math.MaxUint64 - 4}},
		{"timestamp_s", `["1970-01-01 00:00:09"]`, lake.Value{Int: 9}},
		{"varchar", `["a/b=c"]`, lake.Value{Bytes: "a/b=c"}},
		{"float64", `[-0.0]`, lake.Value{}},
	} {
		col := column(t, "c", c.lakeType)
		v := partitionValue(t, col, parse(t, col.ArrowType(), c.value), lake.PartitionField{Transform: lake.TransformIdentity})
		require.Equal(t, &c.want, v, c.lakeType)
	}
	null := partitionValue(t, column(t, "c", "int32"), parse(t, arrow.PrimitiveTypes.Int32, `[null]`),
		lake.PartitionField{Transform: lake.TransformIdentity})
	require.Nil(t, null)
}

// TestEveryRowIsInTheFileOfItsPartition routes random rows by two fields under
// tiny limits, so that buffers are evicted and files rolled all the time.
func TestEveryRowIsInTheFileOfItsPartition(t *testing.T) {
	t.Parallel()
	columns := number(column(t, "region", "varchar"), column(t, "ts", "timestamp"), column(t, "n", "int64"))
	partition := &lake.PartitionSpec{ID: 1, Fields: []lake.PartitionField{
		{Column: 1, Transform: lake.TransformIdentity}, {Column: 2, Transform: lake.TransformMonth},
	}}
	rapid.Check(t, func(rt *rapid.T) {
		f := setup(t)
		var batches []arrow.RecordBatch
		total := int64(0)
		b := array.NewRecordBuilder(memory.DefaultAllocator, lake.ArrowSchema(columns))
		for range rapid.IntRange(1, 4).Draw(rt, "batches") {
			for range rapid.IntRange(0, 300).Draw(rt, "rows") {
				region := rapid.SampledFrom([]string{"eu", "us", "", "null"}).Draw(rt, "region")
				if region == "null" {
					b.Field(0).AppendNull()
				} else {
					b.Field(0).(*array.StringBuilder).Append(region)
				}
				month := rapid.Int64Range(0, 3).Draw(rt, "month")
				b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(month * 31 * 86400_000_000))
				b.Field(2).(*array.Int64Builder).Append(total)
				total++
			}
			batches = append(batches, b.NewRecordBatch())
		}
		options := writer.Options{RowGroupRows: rapid.Int64Range(1, 100).Draw(rt, "group"), TargetFileSize: 4000}
		limits := writer.Limits{BufferedBytes: rapid.Int64Range(100, 5000).Draw(rt, "buffered"), OpenFiles: 3}
		held := &share{max: rapid.Int64Range(100, 10000).Draw(rt, "share")}
		result, err := f.writeLimited(t, writer.Spec{Columns: columns, Partition: partition, Options: options, Memory: held}, batches, limits)
		require.NoError(rt, err)
		require.Zero(rt, held.now, "all that was held is given back")
		require.Equal(rt, total > 0, held.most > 0)
		require.LessOrEqual(rt, held.most, min(limits.BufferedBytes, held.max)+sliceBytesOfTest)
		require.Equal(rt, total, result.Rows)
		seen := map[int64]bool{}
		for _, file := range result.Files {
			require.Len(rt, file.PartitionValues, 2)
			table := f.read(t, file)
			require.Equal(rt, file.Rows, table.NumRows())
			for _, g := range file.RowGroups {
				require.LessOrEqual(rt, g.Rows, options.RowGroupRows)
			}
			reader := array.NewTableReader(table, 0)
			for reader.Next() {
				checkRouted(rt, reader.RecordBatch(), file.PartitionValues, seen)
			}
		}
		require.Len(rt, seen, int(total))
	})
}

// sliceBytesOfTest is more than the rows of one batch take: limits are looked at between.
const sliceBytesOfTest = 64 << 10

// share is a writer.Memory of max bytes.
type share struct{ max, now, most int64 }

func (s *share) Hold(delta int64) {
	s.now += delta
	s.most = max(s.most, s.now)
}

func (s *share) Share() int64 { return s.max }

func checkRouted(t *rapid.T, rows arrow.RecordBatch, values []*lake.Value, seen map[int64]bool) {
	region, ts := rows.Column(0).(*array.String), rows.Column(1).(*array.Timestamp)
	for i := range int(rows.NumRows()) {
		n := rows.Column(2).(*array.Int64).Value(i)
		require.False(t, seen[n], "row %d is in two files", n)
		seen[n] = true
		if region.IsNull(i) {
			require.Nil(t, values[0])
		} else {
			require.Equal(t, region.Value(i), values[0].Bytes)
		}
		require.EqualValues(t, ts.Value(i).ToTime(arrow.Microsecond).Month(), values[1].Int)
	}
}

func TestTransformsThatATypeDoesNotHaveAreRefused(t *testing.T) {
	t.Parallel()
	columns := number(column(t, "v", "varchar"), column(t, "i", "interval"), list(column(t, "x", "int32")))
	for _, field := range []lake.PartitionField{
		{Column: 1, Transform: lake.TransformYear},
		{Column: 2, Transform: lake.TransformIdentity},
		{Column: 3, Transform: lake.TransformBucket, Buckets: 3},
		{Column: 1, Transform: lake.TransformBucket},
		{Column: 4, Transform: lake.TransformIdentity}, // the list's element
	} {
		err := writeNothing(t, columns, field)
		require.ErrorIs(t, err, lake.ErrInvalid, "%+v", field)
	}
	require.ErrorIs(t, writeNothing(t, columns, lake.PartitionField{Column: 1, Transform: "truncate"}), lake.ErrUnsupported)
}
