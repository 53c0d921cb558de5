package flat_test

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/scanner/internal/flat"
)

// types are those that the package reads.
func types() []arrow.DataType {
	return []arrow.DataType{
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Uint32, arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Time32ms,
		arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Uint64, arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Timestamp_us,
		arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
		&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 18, Scale: 3},
	}
}

// drawArray makes n values of a type: few or many distinct ones, in runs or not.
func drawArray(t *rapid.T, dt arrow.DataType, n int, optional bool) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, dt)
	defer b.Release()
	distinct := rapid.SampledFrom([]int{1, 2, 7, 300, 100_000}).Draw(t, "distinct")
	longest := rapid.SampledFrom([]int{0, 1, 31, 32, 33, 64, 65, 500}).Draw(t, "longest")
	nulls := 0
	if optional {
		nulls = rapid.SampledFrom([]int{0, 1, 50, 99, 100}).Draw(t, "nulls")
	}
	random := uint64(rapid.Uint32().Draw(t, "seed"))
	for b.Len() < n {
		random = random*6364136223846793005 + 1442695040888963407
		v := int64(random>>33) % int64(distinct)
		run := 1
		if random>>20&7 == 0 {
			run = int(random >> 24 & 63)
		}
		null := int(random>>40%100) < nulls
		for ; run > 0 && b.Len() < n; run-- {
			if null {
				b.AppendNull()
			} else {
				appendNumber(b, v*7-300, longest)
			}
		}
	}
	return b.NewArray()
}

func appendNumber(b array.Builder, v int64, longest int) {
	text := strconv.FormatInt(v, 10) + strings.Repeat("z", longest)
	text = text[:min(len(text), int(uint64(v)%uint64(longest+1)))]
	switch b := b.(type) {
	case *array.Int32Builder:
		b.Append(int32(v))
	case *array.Uint32Builder:
		b.Append(uint32(v))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v))
	case *array.Time32Builder:
		b.Append(arrow.Time32(v))
	case *array.Int64Builder:
		b.Append(v << 30)
	case *array.Uint64Builder:
		b.Append(uint64(v))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v))
	case *array.Float32Builder:
		b.Append(float32(v) / 8)
	case *array.Float64Builder:
		b.Append(float64(v) / 8)
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(v))
	case *array.StringBuilder:
		b.Append(text)
	case *array.BinaryBuilder:
		b.Append([]byte(text))
	}
}

// chunk is a column chunk in a file of its own.
type chunk struct {
	file   []byte
	meta   *metadata.FileMetaData
	pages  []byte // of the chunk
	column flat.Column
}

func drawChunk(t *rapid.T, arr arrow.Array, optional bool) chunk {
	schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: arr.DataType(), Nullable: optional}}, nil)
	codec := rapid.SampledFrom([]compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy}).Draw(t, "codec")
	props := parquet.NewWriterProperties(
		parquet.WithDataPageSize(rapid.SampledFrom([]int64{1, 200, 5000, 1 << 20}).Draw(t, "pageSize")),
		parquet.WithBatchSize(rapid.SampledFrom([]int64{1, 64, 1000}).Draw(t, "batchSize")),
		parquet.WithDictionaryDefault(rapid.Bool().Draw(t, "dictionary")),
		parquet.WithDictionaryPageSizeLimit(rapid.SampledFrom([]int64{64, 1 << 20}).Draw(t, "dictionarySize")),
		parquet.WithStoreDecimalAsInteger(true), parquet.WithCompression(codec))
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, props, pqarrow.DefaultWriterProps())
	require.NoError(t, err)
	batch := array.NewRecordBatch(schema, []arrow.Array{arr}, int64(arr.Len()))
	defer batch.Release()
	require.NoError(t, w.Write(batch))
	require.NoError(t, w.Close())
	r, err := file.NewParquetReader(bytes.NewReader(out.Bytes()))
	require.NoError(t, err)
	meta, err := r.MetaData().RowGroup(0).ColumnChunk(0)
	require.NoError(t, err)
	from := meta.DataPageOffset()
	if meta.HasDictionaryPage() {
		from = min(from, meta.DictionaryPageOffset())
	}
	return chunk{
		file: out.Bytes(), meta: r.MetaData(), pages: out.Bytes()[from : from+meta.TotalCompressedSize()],
		column: flat.Column{
			Type: arr.DataType(), Physical: meta.Type(), Optional: optional, Codec: codec,
			Values: meta.NumValues(), Bytes: meta.TotalUncompressedSize(),
		},
	}
}

// oracle reads the chunk with pqarrow.
func (c *chunk) oracle(t *rapid.T) arrow.Array {
	r, err := file.NewParquetReader(bytes.NewReader(c.file))
	require.NoError(t, err)
	fr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	require.NoError(t, err)
	table, err := fr.ReadTable(context.Background())
	require.NoError(t, err)
	defer table.Release()
	out, err := array.Concatenate(table.Column(0).Data().Chunks(), memory.DefaultAllocator)
	require.NoError(t, err)
	return out
}

// TestArraysEqualThoseOfPqarrow reads and skips steps of any size, so that
// batches end inside pages, runs and groups of bits.
func TestArraysEqualThoseOfPqarrow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer alloc.AssertSize(t, 0)
		optional := rapid.Bool().Draw(t, "optional")
		n := rapid.SampledFrom([]int{1, 9, 1000, 5000}).Draw(t, "n")
		arr := drawArray(t, rapid.SampledFrom(types()).Draw(t, "type"), n, optional)
		c := drawChunk(t, arr, optional)
		want := c.oracle(t)
		require.True(t, array.Equal(arr, want), "the oracle reads what was written")
		r, ok := flat.Open(c.pages, c.column, alloc, alloc)
		require.True(t, ok, "what pqarrow writes is read here")
		defer r.Release()
		for at := 0; at < n; {
			step := min(rapid.SampledFrom([]int{1, 7, 64, 1000, 3000, 5000}).Draw(t, "step"), n-at)
			if rapid.IntRange(0, 3).Draw(t, "skip") == 0 {
				require.NoError(t, r.Skip(step))
			} else {
				got, err := r.Next(step)
				require.NoError(t, err)
				part := array.NewSlice(want, int64(at), int64(at+step))
				require.Equal(t, part.NullN(), got.NullN())
				require.True(t, array.Equal(part, got), "want %v\ngot %v", part, got)
				require.NoError(t, validate(got))
				got.Release()
			}
			at += step
		}
		_, err := r.Next(1)
		require.Equal(t, lake.KindCorrupt, lake.KindOf(err), "there are no more values")
	})
}

func validate(arr arrow.Array) error {
	if v, ok := arr.(interface{ Validate() error }); ok { // flipped bytes need not be UTF-8
		return v.Validate()
	}
	return nil
}

// TestCorruptPagesAreDeclinedOrAnError flips and cuts bytes: a chunk may still
// decode, but never panics, never leaks, and fails as corrupt.
func TestCorruptPagesAreDeclinedOrAnError(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer alloc.AssertSize(t, 0)
		optional := rapid.Bool().Draw(t, "optional")
		arr := drawArray(t, rapid.SampledFrom(types()).Draw(t, "type"), 500, optional)
		c := drawChunk(t, arr, optional)
		pages := bytes.Clone(c.pages)
		for range rapid.IntRange(1, 4).Draw(t, "flips") {
			pages[rapid.IntRange(0, len(pages)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		pages = pages[:rapid.SampledFrom([]int{len(pages), rapid.IntRange(0, len(pages)).Draw(t, "cut")}).Draw(t, "end")]
		r, ok := flat.Open(pages, c.column, alloc, alloc)
		if !ok {
			return
		}
		defer r.Release()
		for range 5 {
			got, err := r.Next(100)
			if err != nil {
				require.Equal(t, lake.KindCorrupt, lake.KindOf(err), "%v", err)
				require.NotContains(t, err.Error(), "decode:", "found by a check, not by a panic")
				return
			}
			require.Equal(t, 100, got.Len())
			require.NoError(t, validate(got))
			got.Release()
		}
	})
}

func TestOtherChunksAreDeclined(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		arr := drawArray(t, arrow.PrimitiveTypes.Int64, 100, false)
		c := drawChunk(t, arr, false)
		for name, change := range map[string]func(*flat.Column){
			"codec":        func(c *flat.Column) { c.Codec = compress.Codecs.Zstd },
			"more values":  func(c *flat.Column) { c.Values++ },
			"larger pages": func(c *flat.Column) { c.Bytes = 3 },
			"type":         func(c *flat.Column) { c.Type = arrow.FixedWidthTypes.Boolean },
			"physical":     func(c *flat.Column) { c.Physical = parquet.Types.Int32 },
		} {
			other := c.column
			change(&other)
			_, ok := flat.Open(c.pages, other, memory.DefaultAllocator, memory.DefaultAllocator)
			require.False(t, ok, name)
		}
	})
}
