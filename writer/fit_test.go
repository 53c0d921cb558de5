package writer_test

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer"
)

// store writes values to a column of a type and returns what is read back.
func store(t *testing.T, lakeType string, values arrow.Array) (arrow.Array, error) {
	t.Helper()
	f := setup(t)
	result, err := f.write(t, writer.Spec{Columns: number(column(t, "c", lakeType))}, []arrow.RecordBatch{one(values)})
	if err != nil {
		require.Empty(t, result.Files)
		require.Empty(t, result.Left)
		return nil, err
	}
	return f.read(t, result.Files[0]).Column(0).Data().Chunk(0), nil
}

func tz(unit arrow.TimeUnit, zone string) arrow.DataType {
	return &arrow.TimestampType{Unit: unit, TimeZone: zone}
}

func TestArrowTypesAreHeldWithoutLoss(t *testing.T) {
	t.Parallel()
	p := arrow.PrimitiveTypes
	dictionary := &arrow.DictionaryType{IndexType: p.Int8, ValueType: arrow.BinaryTypes.String}
	for _, c := range []struct {
		name, to string
		from     arrow.DataType
		values   string
		want     string
	}{
		{"int widened", "int64", p.Int8, `[-1, 2]`, `[-1 2]`},
		{"uint to int", "int32", p.Uint16, `[65535]`, `[65535]`},
		{"float widened", "float64", p.Float32, `[0.5, null]`, `[0.5 (null)]`},
		{"int to float", "float64", p.Int32, `[-2147483648]`, `[-2.147483648e+09]`},
		{"int to decimal", "decimal(4,1)", p.Int64, `[-999]`, `[-999]`},
		{"decimal rescaled", "decimal(10,3)", &arrow.Decimal128Type{Precision: 5, Scale: 1}, `["1.5"]`, `[1.5]`},
		{"decimal32", "decimal(9,2)", &arrow.Decimal32Type{Precision: 9, Scale: 2}, `["-1.25"]`, `[-1.25]`},
		{"decimal64", "decimal(18,2)", &arrow.Decimal64Type{Precision: 18, Scale: 2}, `["-1.25"]`, `[-1.25]`},
		{"decimal256", "decimal(38,2)", &arrow.Decimal256Type{Precision: 38, Scale: 2}, `["-1.25"]`, `[-1.25]`},
		{"negative scale", "decimal(7,0)", &arrow.Decimal128Type{Precision: 5, Scale: -2}, `["1200"]`, `[1200]`},
		{"date64", "date", arrow.FixedWidthTypes.Date64, `["1969-12-31"]`, `[1969-12-31]`},
		{"date to timestamp", "timestamp", arrow.FixedWidthTypes.Date32, `["1969-12-31"]`, `[-86400000000]`},
		{"time32", "time", arrow.FixedWidthTypes.Time32s, `["01:02:03"]`, `[3723000000]`},
		{"time in ns", "time", arrow.FixedWidthTypes.Time64ns, `["01:02:03.000001"]`, `[3723000001]`},
		{"timestamp in s", "timestamp", tz(arrow.Second, ""), `["1969-12-31 23:59:59"]`, `[-1000000]`},
		{"timestamp in ns", "timestamp", tz(arrow.Nanosecond, ""), `["1969-12-31 23:59:59.999999"]`, `[-1]`},
		{"timestamptz in ms of a zone", "timestamptz", tz(arrow.Millisecond, "+05:00"), `["2020-01-01 00:00:00+05:00"]`, `[1577818800000000]`},
		{"large text", "varchar", arrow.BinaryTypes.LargeString, `["a", null, ""]`, `["a" (null) ""]`},
		{"dictionary", "varchar", dictionary, `["a", null, "a"]`, `["a" (null) "a"]`},
		{"fixed bytes", "blob", &arrow.FixedSizeBinaryType{ByteWidth: 2}, `["AAE="]`, `["\x00\x01"]`},
		{"text as json", "json", arrow.BinaryTypes.String, `["[1]"]`, `["[1]"]`},
		{"null", "int64", arrow.Null, `[null, null]`, `[(null) (null)]`},
		{"month interval", "interval", arrow.FixedWidthTypes.MonthInterval, `[{"months": 14}]`, `["\x0e\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"]`},
		{"day time interval", "interval", arrow.FixedWidthTypes.DayTimeInterval, `[{"days": 1, "milliseconds": 2}]`, `["\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := store(t, c.to, parse(t, c.from, c.values))
			require.NoError(t, err)
			require.Equal(t, c.want, got.String())
		})
	}
}

func TestLayoutsThatJSONCannotBuild(t *testing.T) {
	t.Parallel()
	mem := memory.DefaultAllocator
	halves := array.NewFloat16Builder(mem)
	halves.Append(float16.New(1.5))
	durations := array.NewDurationBuilder(mem, &arrow.DurationType{Unit: arrow.Second})
	durations.Append(2)
	views := array.NewStringViewBuilder(mem)
	views.Append("short")
	views.AppendNull()
	views.Append("a text of more than twelve bytes")
	runs := array.NewRunEndEncodedBuilder(mem, arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String)
	runs.Append(3)
	runs.ValueBuilder().(*array.StringBuilder).Append("x")
	runs.Append(1)
	runs.ValueBuilder().AppendNull()
	uuids := extensions.NewUUIDBuilder(mem)
	require.NoError(t, uuids.AppendValueFromString("00000000-0000-0000-0000-000000000001"))
	sliced := array.NewSlice(runs.NewArray(), 2, 4)
	nothing := array.NewNull(1)
	ends := parse(t, arrow.PrimitiveTypes.Int32, `[3]`)
	indices := parse(t, arrow.PrimitiveTypes.Int8, `[0, null]`)
	named := array.NewDictionaryArray(&arrow.DictionaryType{IndexType: indices.DataType(), ValueType: arrow.Null}, indices, nothing)
	for _, c := range []struct {
		name, to string
		values   arrow.Array
		want     string
	}{
		{"float16", "float32", halves.NewArray(), `[1.5]`},
		{"duration", "interval", durations.NewArray(), `["\x00\x00\x00\x00\x00\x00\x00\x00\xd0\a\x00\x00"]`},
		{"views", "varchar", views.NewArray(), `["short" (null) "a text of more than twelve bytes"]`},
		{"slice of runs", "varchar", sliced, `["x" (null)]`},
		{"runs of nothing", "int32", array.NewRunEndEncodedArray(ends, nothing, 3, 0), `[(null) (null) (null)]`},
		{"dictionary of nothing", "int32", named, `[(null) (null)]`},
		{"uuid as blob", "blob", uuids.NewArray(), `["\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"]`},
	} {
		got, err := store(t, c.to, c.values)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got.String(), c.name)
	}
}

func TestListLayouts(t *testing.T) {
	t.Parallel()
	columns := number(list(column(t, "x", "int32")))
	for _, from := range []arrow.DataType{
		arrow.LargeListOf(arrow.PrimitiveTypes.Int32), arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int32),
		arrow.ListViewOf(arrow.PrimitiveTypes.Int32), arrow.LargeListViewOf(arrow.PrimitiveTypes.Int16),
	} {
		values := parse(t, from, `[[1, 2], null, [3, null]]`)
		f := setup(t)
		data := f.must(t, columns, one(array.NewSlice(values, 1, 3)))
		require.Equal(t, `[(null) [3 (null)]]`, f.read(t, data).Column(0).Data().Chunk(0).String(), from.String())
	}
}

func TestLossyValuesAreRefused(t *testing.T) {
	t.Parallel()
	ns := tz(arrow.Nanosecond, "")
	invalidText := array.NewStringBuilder(memory.DefaultAllocator)
	invalidText.Append("\xff")
	split := array.NewStringBuilder(memory.DefaultAllocator) // one rune over two values
	split.AppendValues([]string{"\xc3", "\xa9"}, nil)
	huge := array.NewDecimal128Builder(memory.DefaultAllocator, &arrow.Decimal128Type{Precision: 38})
	require.NoError(t, huge.AppendValueFromString("99999999999999999999999999999999999999"))
	overPrecision := parse(t, arrow.PrimitiveTypes.Int64, `[100000]`)
	for _, c := range []struct {
		name, to string
		values   arrow.Array
		text     string
	}{
		{"nanoseconds", "timestamp", parse(t, ns, `["1969-12-31 23:59:59.999999999"]`), "finer"},
		{"nanoseconds of a zone", "timestamptz", parse(t, tz(arrow.Nanosecond, "UTC"), `["2020-01-01 00:00:00.000000001Z"]`), "finer"},
		{"half a second", "timestamp_s", parse(t, tz(arrow.Millisecond, ""), `["2020-01-01 00:00:00.5"]`), "finer"},
		{"seconds overflow", "timestamp", instants(arrow.Second, math.MaxInt64/1000), "out of range"},
		{"half a day", "date", date64(1), "whole day"},
		{"time over a day", "time", parse(t, arrow.PrimitiveTypes.Int64, `[1]`), "type"},
		{"interval of microseconds", "interval", parse(t, arrow.FixedWidthTypes.MonthDayNanoInterval, `[{"months": 0, "days": 0, "nanoseconds": 1000}]`), "finer"},
		{"negative interval", "interval", parse(t, arrow.FixedWidthTypes.MonthInterval, `[{"months": -1}]`), "out of range"},
		{"long interval", "interval", parse(t, arrow.FixedWidthTypes.MonthDayNanoInterval, `[{"months": 0, "days": 0, "nanoseconds": 4294967296000000}]`), "out of range"},
		{"integer in a decimal", "decimal(6,2)", overPrecision, "fit"},
		{"negative in uhugeint", "uint128", parse(t, &arrow.Decimal128Type{Precision: 38}, `["-1"]`), "negative"},
		{"malformed JSON", "json", text(`{"a":`), "malformed"},
		{"invalid UTF-8", "varchar", invalidText.NewArray(), "UTF-8"},
		{"a rune over two values", "varchar", split.NewArray(), "UTF-8"},
		{"no UUID", "uuid", text("zz"), "UUID"},
	} {
		_, err := store(t, c.to, c.values)
		require.ErrorIs(t, err, lake.ErrInvalid, c.name)
		require.ErrorContains(t, err, `"c"`, c.name)
		require.ErrorContains(t, err, c.text, c.name)
	}
	_, err := store(t, "int128", huge.NewArray())
	require.NoError(t, err)
}

// TestIntegersGoToAnyIntegerColumnThatHoldsTheirValues tries the values beside
// the limits of every type in a column of every other, by the rules of math/big.
func TestIntegersGoToAnyIntegerColumnThatHoldsTheirValues(t *testing.T) {
	t.Parallel()
	p := arrow.PrimitiveTypes
	types := []struct {
		name      string
		arrow     arrow.DataType
		low, high *big.Int
	}{
		{"int8", p.Int8, nil, nil},
		{"int16", p.Int16, nil, nil},
		{"int32", p.Int32, nil, nil},
		{"int64", p.Int64, nil, nil},
		{"uint8", p.Uint8, nil, nil},
		{"uint16", p.Uint16, nil, nil},
		{"uint32", p.Uint32, nil, nil},
		{"uint64", p.Uint64, nil, nil},
	}
	one := big.NewInt(1)
	var edges []*big.Int
	for i := range types {
		bits := uint(types[i].arrow.(arrow.FixedWidthDataType).BitWidth())
		low, high := big.NewInt(0), new(big.Int).Lsh(one, bits)
		if types[i].name[0] == 'i' {
			high.Rsh(high, 1)
			low.Neg(high)
		}
		high.Sub(high, one)
		types[i].low, types[i].high = low, high
		for _, e := range []*big.Int{low, high} {
			edges = append(edges, new(big.Int).Sub(e, one), e, new(big.Int).Add(e, one))
		}
	}
	for _, from := range types {
		for _, to := range types {
			for _, v := range edges {
				if v.Cmp(from.low) < 0 || v.Cmp(from.high) > 0 {
					continue
				}
				values := parse(t, from.arrow, fmt.Sprintf(`[7, %s]`, v))
				got, err := store(t, to.name, values)
				if v.Cmp(to.low) >= 0 && v.Cmp(to.high) <= 0 {
					require.NoError(t, err, "%s of %s in %s", v, from.name, to.name)
					require.Equal(t, fmt.Sprintf("[7 %s]", v), got.String(), "%s in %s", from.name, to.name)
					continue
				}
				require.ErrorIs(t, err, lake.ErrInvalid, "%s of %s in %s", v, from.name, to.name)
				require.ErrorContains(t, err, `column "c": a value is out of the range of `+to.name)
			}
		}
	}
}

func TestOnlyIntegersThatAreThereAreChecked(t *testing.T) {
	t.Parallel()
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues([]int64{1 << 40, 1, 1 << 41, 2}, []bool{true, true, false, true}) // a value lies under the NULL
	got, err := store(t, "int32", array.NewSlice(b.NewArray(), 1, 4))
	require.NoError(t, err)
	require.Equal(t, "[1 (null) 2]", got.String())
	b.AppendValues([]int64{1, 0, 1 << 40}, []bool{true, false, true})
	_, err = store(t, "int32", b.NewArray())
	require.ErrorIs(t, err, lake.ErrInvalid, "beside a NULL")
	columns := number(list(column(t, "x", "int8")))
	f := setup(t)
	data := f.must(t, columns, one(parse(t, arrow.ListOf(arrow.PrimitiveTypes.Int64), `[[1, -128], null, []]`)))
	require.Equal(t, "[[1 -128] (null) []]", f.read(t, data).Column(0).Data().Chunk(0).String())
	_, err = f.write(t, writer.Spec{Columns: columns}, []arrow.RecordBatch{one(parse(t, arrow.ListOf(arrow.PrimitiveTypes.Int64), `[[1], [128]]`))})
	require.ErrorContains(t, err, `column "c.element": a value is out of the range of int8`)
}

func TestBoundsOfNarrowedIntegersAreOfTheColumnsType(t *testing.T) {
	t.Parallel()
	f := setup(t)
	data := f.must(t, number(column(t, "c", "uint8")), one(parse(t, arrow.PrimitiveTypes.Int64, `[200, 3, null]`)))
	stats := data.Stats[0]
	require.Equal(t, lake.Value{Uint: 3}, *stats.Min)
	require.Equal(t, lake.Value{Uint: 200}, *stats.Max)
	require.EqualValues(t, 1, stats.NullCount)
}

func instants(unit arrow.TimeUnit, value int64) arrow.Array {
	b := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: unit})
	b.Append(arrow.Timestamp(value))
	return b.NewArray()
}

func date64(value int64) arrow.Array {
	b := array.NewDate64Builder(memory.DefaultAllocator)
	b.Append(arrow.Date64(value))
	return b.NewArray()
}

func TestSchemasThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	id := column(t, "id", "int32")
	id.Nullable = false
	row := lake.Column{Name: "s", Type: lake.Type{ID: lake.TypeStruct}, Nullable: true, Children: []lake.Column{column(t, "x", "int32")}}
	columns := number(id, column(t, "name", "varchar"), row)
	field := func(name string, t arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: t, Nullable: true}
	}
	i32, str := arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String
	for _, c := range []struct {
		name   string
		fields []arrow.Field
		text   string
	}{
		{"extra", []arrow.Field{field("id", i32), field("nope", str)}, `"nope"`},
		{"missing NOT NULL", []arrow.Field{field("name", str)}, `"id"`},
		{"float to integer", []arrow.Field{field("id", arrow.PrimitiveTypes.Float32)}, `"id"`},
		{"repeated", []arrow.Field{field("id", i32), field("ID", i32)}, "twice"},
		{"text to number", []arrow.Field{field("id", str)}, `"id"`},
		{"nested extra", []arrow.Field{field("id", i32), field("s", arrow.StructOf(field("y", i32)))}, `"s.y"`},
		{"nested type", []arrow.Field{field("id", i32), field("s", arrow.StructOf(field("x", str)))}, `"s.x"`},
		{"list for struct", []arrow.Field{field("id", i32), field("s", arrow.ListOf(i32))}, `"s"`},
	} {
		err := writer.CheckFit(columns, arrow.NewSchema(c.fields, nil))
		require.ErrorIs(t, err, lake.ErrInvalid, c.name)
		require.ErrorContains(t, err, c.text, c.name)
	}
	require.NoError(t, writer.CheckFit(columns, arrow.NewSchema([]arrow.Field{field("ID", i32), field("Name", arrow.BinaryTypes.StringView)}, nil)))
}

func TestZonedTimestampsDoNotFitOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lakeType string
		from     arrow.DataType
	}{{"timestamp", tz(arrow.Microsecond, "UTC")}, {"timestamptz", tz(arrow.Microsecond, "")}, {"date", tz(arrow.Second, "")}} {
		err := writer.CheckFit(number(column(t, "c", c.lakeType)), arrow.NewSchema([]arrow.Field{{Name: "c", Type: c.from}}, nil))
		require.ErrorIs(t, err, lake.ErrInvalid, c.lakeType)
	}
}

func TestNullInANotNullColumnIsRefused(t *testing.T) {
	t.Parallel()
	required := column(t, "x", "int32")
	required.Nullable = false
	for name, c := range map[string]struct {
		column lake.Column
		rows   string
		text   string
	}{
		"top level": {required, `[{"x": 1}, {"x": null}]`, `"x"`},
		"element":   {list(required), `[{"c": [1, null]}]`, `"c.element"`},
	} {
		columns := number(c.column)
		loose := number(c.column)
		loose[0].Walk(func(l *lake.Column) { l.Nullable = true })
		_, err := setup(t).write(t, writer.Spec{Columns: columns}, []arrow.RecordBatch{batch(t, lake.ArrowSchema(loose), c.rows)})
		require.ErrorIs(t, err, lake.ErrInvalid, name)
		require.ErrorContains(t, err, c.text, name)
	}
	// A required field of a struct that is itself NULL is not a violation.
	row := lake.Column{Name: "s", Type: lake.Type{ID: lake.TypeStruct}, Nullable: true, Children: []lake.Column{required}}
	columns := number(row)
	f := setup(t)
	data := f.must(t, columns, batch(t, lake.ArrowSchema(columns), `[{"s": null}, {"s": {"x": 3}}]`))
	require.Equal(t, `{[(null) 3]}`, f.read(t, data).Column(0).Data().Chunk(0).String())
}

func TestAbsentColumnsTakeTheirDefault(t *testing.T) {
	t.Parallel()
	with := func(c lake.Column, text string) lake.Column {
		c.Default = &text
		return c
	}
	columns := number(
		column(t, "present", "int32"),
		with(column(t, "i", "int64"), "-7"), with(column(t, "v", "varchar"), "(null)x"), with(column(t, "d", "decimal(10,2)"), "1.5"),
		with(column(t, "dt", "date"), "2020-02-29"), with(column(t, "ts", "timestamp"), "2020-02-29 01:02:03.5"),
		with(column(t, "b", "boolean"), "TRUE"), with(column(t, "bl", "blob"), `a\xFF`),
		with(column(t, "u", "uuid"), "00000000-0000-0000-0000-000000000001"), column(t, "nothing", "varchar"), list(column(t, "x", "int32")),
	)
	f := setup(t)
	schema := arrow.NewSchema([]arrow.Field{{Name: "present", Type: arrow.PrimitiveTypes.Int32}}, nil)
	table := f.read(t, f.must(t, columns, batch(t, schema, `[{"present": 1}, {"present": 2}]`)))
	want := []string{
		"[1 2]", "[-7 -7]", `["(null)x" "(null)x"]`, "[1.5 1.5]", "[2020-02-29 2020-02-29]",
		"[1582938123500000 1582938123500000]", "[true true]", `["a\xff" "a\xff"]`, "", "[(null) (null)]", "[(null) (null)]",
	}
	for i, text := range want {
		if text != "" {
			require.Equal(t, text, table.Column(i).Data().Chunk(0).String(), columns[i].Name)
		}
	}
	expression := column(t, "e", "int64")
	now := "random()"
	expression.Default, expression.DefaultIsExpression = &now, true
	require.ErrorIs(t, writer.CheckFit(number(expression, column(t, "present", "int32")), schema), lake.ErrUnsupported)
}

func TestMalformedArraysAreErrors(t *testing.T) {
	t.Parallel()
	bytes := memory.NewBufferBytes([]byte("abc"))
	beyond := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, 2, 3}))
	elements := parse(t, arrow.PrimitiveTypes.Int32, `[1]`)
	lists := array.NewData(arrow.ListOf(arrow.PrimitiveTypes.Int32), 2, []*memory.Buffer{nil, beyond}, []arrow.ArrayData{elements.Data()}, 0, 0)
	_, err := setup(t).write(t, writer.Spec{Columns: number(list(column(t, "x", "int32")))}, []arrow.RecordBatch{one(array.NewListData(lists))})
	require.ErrorIs(t, err, lake.ErrInvalid)

	values := text("a")
	indices := array.NewInt8Builder(memory.DefaultAllocator)
	indices.AppendValues([]int8{0, -1, 5}, nil)
	dictionary := array.NewDictionaryArray(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: values.DataType()}, indices.NewArray(), values)
	_, err = store(t, "varchar", dictionary)
	require.ErrorIs(t, err, lake.ErrInvalid)

	descending := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, 2, 1, 3}))
	texts := array.NewData(arrow.BinaryTypes.String, 3, []*memory.Buffer{nil, descending, bytes}, nil, 0, 0)
	_, err = store(t, "varchar", array.NewStringData(texts))
	require.ErrorIs(t, err, lake.ErrInvalid)
}

func TestOptionsAreDuckLakes(t *testing.T) {
	t.Parallel()
	o, err := writer.ParseOptions(map[string]string{
		"parquet_compression": "ZSTD", "parquet_compression_level": "3", "parquet_row_group_size": "1000", "target_file_size": "128MB", "other": "x",
	})
	require.NoError(t, err)
	require.Equal(t, writer.Options{Compression: "zstd", CompressionLevel: 3, RowGroupRows: 1000, TargetFileSize: 128_000_000}, o)
	o, err = writer.ParseOptions(map[string]string{"row_group_rows": "5", "target_file_size": "1 MiB", "compression": "none"})
	require.NoError(t, err)
	require.Equal(t, writer.Options{Compression: "uncompressed", RowGroupRows: 5, TargetFileSize: 1 << 20}, o)
	for name, value := range map[string]string{
		"compression": "lzo", "row_group_rows": "0", "target_file_size": "-1MB", "parquet_row_group_size": "many", "parquet_compression_level": "99",
	} {
		_, err := writer.ParseOptions(map[string]string{name: value})
		require.ErrorIs(t, err, lake.ErrInvalid, name)
		require.ErrorContains(t, err, name)
	}
	gzip := writer.Spec{Columns: number(column(t, "c", "float64")), Options: writer.Options{Compression: "gzip", CompressionLevel: 12}}
	_, err = setup(t).write(t, gzip, []arrow.RecordBatch{one(floats(1))})
	require.ErrorIs(t, err, lake.ErrInvalid)
}
