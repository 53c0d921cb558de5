package shell

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// rewrite replaces the golden files by what the tests get.
var rewrite = flag.Bool("rewrite", false, "rewrite golden files")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		require.NoError(t, os.WriteFile(path, got, 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s; -rewrite writes it anew", name)
}

// record builds a batch from JSON as arrow-go reads it.
func record(t *testing.T, mem memory.Allocator, schema *arrow.Schema, text string) arrow.RecordBatch {
	t.Helper()
	r, _, err := array.RecordFromJSON(mem, schema, bytes.NewReader([]byte(text)))
	require.NoError(t, err)
	return r
}

// column is one array under a name.
type column struct {
	name string
	data arrow.Array
}

// everyType returns a batch with two rows of every type that arrow-go has: a
// value, and NULL where the type has it.
func everyType(t *testing.T, mem memory.Allocator) arrow.RecordBatch {
	t.Helper()
	columns := append(append(scalarColumns(mem), temporalColumns(mem)...), nestedColumns(t, mem)...)
	fields := make([]arrow.Field, len(columns))
	arrays := make([]arrow.Array, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.name, Type: c.data.DataType(), Nullable: true}
		arrays[i] = c.data
	}
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, 2)
	for _, c := range columns {
		c.data.Release()
	}
	return batch
}

// built returns what a builder holds, and releases it.
func built(name string, b array.Builder) column {
	defer b.Release()
	return column{name, b.NewArray()}
}

// two appends a value and NULL.
func two[T any, B interface {
	array.Builder
	Append(T)
}](name string, b B, value T) column {
	b.Append(value)
	b.AppendNull()
	return built(name, b)
}

func scalarColumns(mem memory.Allocator) []column {
	return []column{
		two("bool", array.NewBooleanBuilder(mem), true),
		two("int8", array.NewInt8Builder(mem), -8),
		two("int64", array.NewInt64Builder(mem), -9223372036854775808),
		two("uint64", array.NewUint64Builder(mem), 18446744073709551615),
		two("float16", array.NewFloat16Builder(mem), float16.New(1.5)),
		two("float32", array.NewFloat32Builder(mem), 0.1),
		two("float64", array.NewFloat64Builder(mem), 1e300),
		two("small", array.NewFloat64Builder(mem), 0.00002),
		two("decimal32", array.NewDecimal32Builder(mem, &arrow.Decimal32Type{Precision: 5, Scale: 2}), decimal.Decimal32(-150)),
		two("decimal64", array.NewDecimal64Builder(mem, &arrow.Decimal64Type{Precision: 12, Scale: 3}), decimal.Decimal64(5)),
		two("decimal128", array.NewDecimal128Builder(mem, &arrow.Decimal128Type{Precision: 38, Scale: 2}), decimal.Decimal128{}),
		two("utf8", array.NewStringBuilder(mem), "a,\"b\"\n|c"),
		two("large_utf8", array.NewLargeStringBuilder(mem), "grün 🦆"),
		two("utf8_view", array.NewStringViewBuilder(mem), "longer than twelve bytes"),
		two("binary", array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary), []byte("a\x00\\b")),
		two("binary_view", array.NewBinaryViewBuilder(mem), []byte{0xff}),
		two("fixed", array.NewFixedSizeBinaryBuilder(mem, &arrow.FixedSizeBinaryType{ByteWidth: 2}), []byte{1, 2}),
		two("uuid", extensions.NewUUIDBuilder(mem), uuid.MustParse("0190a0b0-1111-7222-8333-444455556666")),
	}
}

func temporalColumns(mem memory.Allocator) []column {
	const micros = 1_577_934_245_123_400 // 2020-01-02 03:04:05.1234
	return []column{
		two("date32", array.NewDate32Builder(mem), arrow.Date32(18263)),
		two("date64", array.NewDate64Builder(mem), arrow.Date64(-86_400_000)),
		two("time32", array.NewTime32Builder(mem, &arrow.Time32Type{Unit: arrow.Millisecond}), arrow.Time32(3_723_004)),
		two("time64", array.NewTime64Builder(mem, &arrow.Time64Type{Unit: arrow.Nanosecond}), arrow.Time64(86_399_999_999_999)),
		two("timestamp_s", array.NewTimestampBuilder(mem, &arrow.TimestampType{Unit: arrow.Second}), arrow.Timestamp(-62_198_755_200)),
		two("timestamp_us", array.NewTimestampBuilder(mem, &arrow.TimestampType{Unit: arrow.Microsecond}), arrow.Timestamp(micros)),
		two("timestamp_ns", array.NewTimestampBuilder(mem, &arrow.TimestampType{Unit: arrow.Nanosecond}), arrow.Timestamp(-1)),
		two("timestamptz", array.NewTimestampBuilder(mem, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "Europe/Berlin"}),
			arrow.Timestamp(micros)),
		two("infinity", array.NewTimestampBuilder(mem, &arrow.TimestampType{Unit: arrow.Microsecond}), arrow.Timestamp(1<<63-1)),
		two("duration", array.NewDurationBuilder(mem, &arrow.DurationType{Unit: arrow.Millisecond}), arrow.Duration(-90_061_001)),
		two("interval_months", array.NewMonthIntervalBuilder(mem), arrow.MonthInterval(25)),
		two("interval_days", array.NewDayTimeIntervalBuilder(mem), arrow.DayTimeInterval{Days: 1, Milliseconds: -1500}),
		two("interval", array.NewMonthDayNanoIntervalBuilder(mem), arrow.MonthDayNanoInterval{Months: -1, Days: 2, Nanoseconds: 3_500_000_000}),
	}
}

func nestedColumns(t *testing.T, mem memory.Allocator) []column {
	t.Helper()
	point := arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, arrow.Field{Name: "it's", Type: arrow.BinaryTypes.String, Nullable: true})
	fromJSON := func(name string, dt arrow.DataType, text string) column {
		data, _, err := array.FromJSON(mem, dt, bytes.NewReader([]byte(text)))
		require.NoError(t, err, name)
		return column{name, data}
	}
	null := column{"null", array.NewNull(2)}
	dictionary := array.NewDictionaryBuilder(mem, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String})
	require.NoError(t, dictionary.(*array.BinaryDictionaryBuilder).AppendString("word"))
	dictionary.AppendNull()
	runs := array.NewRunEndEncodedBuilder(mem, arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String)
	runs.Append(1)
	runs.ValueBuilder().(*array.StringBuilder).Append("run")
	runs.AppendNull()
	sparse := array.NewSparseUnionBuilder(mem, arrow.SparseUnionOf([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	}, []arrow.UnionTypeCode{0, 1}))
	sparse.Append(1)
	sparse.Child(1).(*array.StringBuilder).Append("u")
	sparse.Child(0).AppendNull()
	sparse.Append(0)
	sparse.Child(0).AppendNull()
	sparse.Child(1).AppendNull()
	return []column{
		null,
		fromJSON("list", arrow.ListOf(arrow.BinaryTypes.String), `[["a", null, "b c", "", "null"], null]`),
		fromJSON("fixed_list", arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float64), `[[1, 2.5], null]`),
		fromJSON("struct", point, `[{"x": 1, "it's": "q'\\"}, null]`),
		fromJSON("map", arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), `[[{"key": "k", "value": null}], null]`),
		fromJSON("int_map", arrow.MapOf(arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String), `[[{"key": 1, "value": "v"}], null]`),
		fromJSON("deep", arrow.ListOf(arrow.ListOf(point)), `[[[{"x": null, "it's": null}], null, []], null]`),
		built("dictionary", dictionary),
		built("runs", runs),
		built("union", sparse),
	}
}
