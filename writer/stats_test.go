package writer_test

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer"
)

func floats(values ...float64) arrow.Array {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return b.NewArray()
}

// one returns a batch of one column named c.
func one(values arrow.Array) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: values.DataType(), Nullable: true}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{values}, int64(values.Len()))
}

// statsOf writes values to a column of the given type, and returns the file's statistics.
func statsOf(t *testing.T, lakeType string, values arrow.Array) lake.ColumnStats {
	t.Helper()
	return setup(t).must(t, number(column(t, "c", lakeType)), one(values)).Stats[0]
}

func TestNaNIsCountedAndNotInBounds(t *testing.T) {
	t.Parallel()
	s := statsOf(t, "float64", floats(1, math.NaN(), 3))
	require.Equal(t, int64(1), s.NaNCount)
	require.Equal(t, &lake.Value{Float: 1}, s.Min)
	require.Equal(t, &lake.Value{Float: 3}, s.Max)
	require.True(t, s.MinExact && s.MaxExact)
}

func TestOnlyNaNHasNoBounds(t *testing.T) {
	t.Parallel()
	s := statsOf(t, "float64", floats(math.NaN(), math.NaN()))
	require.Equal(t, int64(2), s.NaNCount)
	require.Nil(t, s.Min)
	require.Nil(t, s.Max)
}

func TestFooterOfAChunkWithNaNHasNoBounds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	columns := number(column(t, "c", "float64"))
	result, err := f.write(t, writer.Spec{Columns: columns, Options: writer.Options{RowGroupRows: 3}},
		[]arrow.RecordBatch{one(floats(1, math.NaN(), 3, 4, 5, 6))})
	require.NoError(t, err)
	r := f.open(t, result.Files[0])
	for group, want := range []bool{false, true} {
		chunk, err := r.MetaData().RowGroup(group).ColumnChunk(0)
		require.NoError(t, err)
		s, err := chunk.Statistics()
		require.NoError(t, err)
		require.Equal(t, want, s.HasMinMax(), "row group %d", group)
		index, err := r.GetPageIndexReader().RowGroup(group)
		require.NoError(t, err)
		pages, err := index.GetColumnIndex(0)
		require.NoError(t, err)
		require.Equal(t, want, pages != nil, "row group %d", group)
	}
}

func TestDuckDBFindsNaNAboveFive(t *testing.T) {
	t.Parallel()
	python(t)
	f := setupFolder(t)
	data := f.must(t, number(column(t, "c", "float64")), one(floats(1, math.NaN(), 3)))
	var got []string
	runPython(t, &got, "query.py", "SELECT c::VARCHAR FROM '"+f.path(data)+"' WHERE c > 5")
	require.Equal(t, []string{"nan"}, got)
}

func TestSignedZerosShareABoundThatIsNotExact(t *testing.T) {
	t.Parallel()
	negative := math.Copysign(0, -1)
	s := statsOf(t, "float64", floats(negative, 0, 1))
	require.Equal(t, math.Float64bits(0), math.Float64bits(s.Min.Float))
	require.False(t, s.MinExact)
	require.True(t, s.MaxExact)
	f := setup(t)
	data := f.must(t, number(column(t, "c", "float64")), one(floats(0)))
	chunk, err := f.open(t, data).MetaData().RowGroup(0).ColumnChunk(0)
	require.NoError(t, err)
	footer, err := chunk.Statistics()
	require.NoError(t, err)
	require.Equal(t, math.Float64bits(negative), binary.LittleEndian.Uint64(footer.EncodeMin()))
	require.Equal(t, math.Float64bits(0), binary.LittleEndian.Uint64(footer.EncodeMax()))
}

func TestAllNullHasNoBounds(t *testing.T) {
	t.Parallel()
	s := statsOf(t, "int32", parse(t, arrow.PrimitiveTypes.Int32, `[null, null]`))
	require.Nil(t, s.Min)
	require.Nil(t, s.Max)
	require.Equal(t, int64(2), s.NullCount)
	require.Equal(t, int64(2), s.ValueCount)
}

func TestUnsignedBoundsAreUnsigned(t *testing.T) {
	t.Parallel()
	s := statsOf(t, "uint64", parse(t, arrow.PrimitiveTypes.Uint64, `[1, 18446744073709551615]`))
	require.Equal(t, uint64(1), s.Min.Uint)
	require.Equal(t, uint64(math.MaxUint64), s.Max.Uint)
	s = statsOf(t, "uint32", parse(t, arrow.PrimitiveTypes.Uint32, `[1, 4294967295]`))
	require.Equal(t, uint64(1), s.Min.Uint)
	require.Equal(t, uint64(math.MaxUint32), s.Max.Uint)
}

func TestDecimalBoundsAreSigned(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"decimal(4,1)", "decimal(18,1)", "decimal(38,1)"} {
		c := column(t, "c", name)
		s := statsOf(t, name, parse(t, c.ArrowType(), `["0.1", "-0.2"]`))
		require.Equal(t, lake.Value{Int: -1, Uint: math.MaxUint64 - 1}, *s.Min, name)
		require.Equal(t, lake.Value{Int: 0, Uint: 1}, *s.Max, name)
	}
}

func text(values ...string) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return b.NewArray()
}

func TestLongTextIsCutToABoundOfWholeRunes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63) + "é" + "tail" // the rune crosses the limit
	s := statsOf(t, "varchar", text(long))
	require.Equal(t, strings.Repeat("a", 63), s.Min.Bytes)
	require.Equal(t, strings.Repeat("a", 62)+"b", s.Max.Bytes)
	require.False(t, s.MinExact)
	require.False(t, s.MaxExact)
}

func TestBlobOf0xFFHasNoUpperBound(t *testing.T) {
	t.Parallel()
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	b.Append([]byte(strings.Repeat("\xff", 65)))
	s := statsOf(t, "blob", b.NewArray())
	require.NotNil(t, s.Min)
	require.Nil(t, s.Max)
}

func TestTextOfTheLastRuneHasNoUpperBound(t *testing.T) {
	t.Parallel()
	s := statsOf(t, "varchar", text(strings.Repeat("\U0010FFFF", 20)))
	require.Nil(t, s.Max)
	s = statsOf(t, "varchar", text(strings.Repeat("\uD7FF", 30))) // its successor skips the surrogates
	require.True(t, strings.HasSuffix(s.Max.Bytes, "\uE000"))
}

func TestUnknownMaximumOfOneRowGroupIsUnknownForTheFile(t *testing.T) {
	t.Parallel()
	result, err := setup(t).write(t, writer.Spec{Columns: number(column(t, "c", "varchar")), Options: writer.Options{RowGroupRows: 1}},
		[]arrow.RecordBatch{one(text("a", strings.Repeat("\U0010FFFF", 20)))})
	require.NoError(t, err)
	s := result.Files[0].Stats[0]
	require.Equal(t, "a", s.Min.Bytes)
	require.Nil(t, s.Max)
}

func TestBoundsOfNestedLeavesCoverEveryElement(t *testing.T) {
	t.Parallel()
	columns := number(list(column(t, "x", "int32")))
	f := setup(t)
	data := f.must(t, columns, batch(t, lake.ArrowSchema(columns), `[{"c": [5, null, -7]}, {"c": []}, {"c": null}]`))
	s := data.Stats[0]
	require.Equal(t, lake.FieldID(2), s.Field)
	require.Equal(t, int64(-7), s.Min.Int)
	require.Equal(t, int64(5), s.Max.Int)
	require.Equal(t, int64(5), s.ValueCount)
	require.Equal(t, int64(3), s.NullCount)
}

func TestValuesUnderANullParentAreNotCounted(t *testing.T) {
	t.Parallel()
	// A null list whose slot still spans elements.
	columns := number(list(column(t, "x", "int32")))
	elements := parse(t, arrow.PrimitiveTypes.Int32, `[100, 1, 2]`)
	offsets := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, 1, 3}))
	validity := memory.NewBufferBytes([]byte{0b10})
	data := array.NewData(columns[0].ArrowType(), 2, []*memory.Buffer{validity, offsets}, []arrow.ArrayData{elements.Data()}, 1, 0)
	got := setup(t).must(t, columns, one(array.NewListData(data)))
	require.Equal(t, int64(2), got.Stats[0].Max.Int)
	require.Equal(t, int64(3), got.Stats[0].ValueCount)
}

func TestEveryPageIsInThePageIndex(t *testing.T) {
	t.Parallel()
	b := array.NewInt64Builder(memory.DefaultAllocator)
	for i := range int64(50000) {
		b.Append(i)
	}
	f := setup(t)
	data := f.must(t, number(column(t, "c", "int64")), one(b.NewArray()))
	index, err := f.open(t, data).GetPageIndexReader().RowGroup(0)
	require.NoError(t, err)
	offsets, err := index.GetOffsetIndex(0)
	require.NoError(t, err)
	bounds, err := index.GetColumnIndex(0)
	require.NoError(t, err)
	pages := offsets.GetPageLocations()
	require.Len(t, pages, 3)
	for i, p := range pages {
		require.Equal(t, p.FirstRowIndex, int64(binary.LittleEndian.Uint64(bounds.GetMinValues()[i])))
	}
	require.Equal(t, int64(49999), int64(binary.LittleEndian.Uint64(bounds.GetMaxValues()[2])))
	require.Equal(t, []bool{false, false, false}, bounds.GetNullPages())
}

// TestBoundsHoldForRandomText checks that bounds bound, that text bounds are
// valid UTF-8, and that exact ones occur.
func TestBoundsHoldForRandomText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		values := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) string {
			prefix := strings.Repeat(rapid.SampledFrom([]string{"a", "é", "\U0010FFFF", "\uD7FF", "\x7f"}).Draw(rt, "rune"),
				rapid.IntRange(0, 70).Draw(rt, "times"))
			return prefix + rapid.StringN(0, 5, 20).Draw(rt, "tail")
		}), 1, 40).Draw(rt, "values")
		result, err := setup(t).write(t, writer.Spec{Columns: number(column(t, "c", "varchar")), Options: writer.Options{RowGroupRows: 7}},
			[]arrow.RecordBatch{one(text(values...))})
		require.NoError(rt, err)
		s := result.Files[0].Stats[0]
		require.LessOrEqual(rt, len(s.Min.Bytes), 64)
		require.True(rt, utf8.ValidString(s.Min.Bytes))
		minSeen, maxSeen := false, false
		for _, v := range values {
			require.LessOrEqual(rt, s.Min.Bytes, v)
			minSeen = minSeen || v == s.Min.Bytes
			if s.Max != nil {
				require.True(rt, utf8.ValidString(s.Max.Bytes))
				require.GreaterOrEqual(rt, s.Max.Bytes, v)
				maxSeen = maxSeen || v == s.Max.Bytes
			}
		}
		require.True(rt, minSeen || !s.MinExact)
		require.True(rt, maxSeen || !s.MaxExact)
	})
}

// TestRandomRowsAreReadBack compares what arrow-go reads with what was written,
// for values that are repeated, distinct, NULL and mixed, over many row groups.
func TestRandomRowsAreReadBack(t *testing.T) {
	t.Parallel()
	columns := number(column(t, "i", "int32"), column(t, "l", "int64"), column(t, "b", "boolean"), column(t, "s", "varchar"),
		column(t, "d", "float64"), column(t, "w", "decimal(38,2)"), list(column(t, "x", "varchar")))
	schema := lake.ArrowSchema(columns)
	rapid.Check(t, func(rt *rapid.T) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		domain := rapid.SampledFrom([]int{1, 2, 30, 1 << 20}).Draw(rt, "domain")
		run := rapid.SampledFrom([]int{1, 3, 8, 50}).Draw(rt, "run")
		nulls := rapid.SampledFrom([]int{0, 1, 7}).Draw(rt, "nulls")
		rows := rapid.IntRange(1, 3000).Draw(rt, "rows")
		seed := rapid.IntRange(0, 1<<20).Draw(rt, "seed")
		for i := range rows {
			v := ((i/run + seed) * 7919) % domain
			if nulls > 0 && (i/run)%(nulls+1) == 0 {
				for _, f := range b.Fields() {
					f.AppendNull()
				}
				continue
			}
			b.Field(0).(*array.Int32Builder).Append(int32(-v))
			b.Field(1).(*array.Int64Builder).Append(int64(v) << 33)
			b.Field(2).(*array.BooleanBuilder).Append(v%2 == 0)
			b.Field(3).(*array.StringBuilder).Append(strconv.Itoa(v))
			b.Field(4).(*array.Float64Builder).Append(float64(v) / 2)
			require.NoError(rt, b.Field(5).AppendValueFromString(strconv.Itoa(-v)))
			l := b.Field(6).(*array.ListBuilder)
			l.Append(true)
			for e := range v % 4 {
				l.ValueBuilder().(*array.StringBuilder).Append(strconv.Itoa(e))
			}
		}
		written := b.NewRecordBatch()
		f := setup(t)
		options := writer.Options{
			RowGroupRows: rapid.Int64Range(100, 4000).Draw(rt, "group"),
			Compression:  rapid.SampledFrom([]string{"uncompressed", "snappy", "zstd", "gzip", "brotli", "lz4_raw"}).Draw(rt, "codec"),
		}
		result, err := f.write(t, writer.Spec{Columns: columns, Options: options}, []arrow.RecordBatch{written})
		require.NoError(rt, err)
		table := f.read(t, result.Files[0])
		for c := range columns {
			got, err := array.Concatenate(table.Column(c).Data().Chunks(), memory.DefaultAllocator)
			require.NoError(rt, err)
			require.True(rt, array.Equal(written.Column(c), got), "column %s", columns[c].Name)
		}
	})
}
