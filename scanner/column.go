package scanner

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	pqfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/scanner/internal/flat"
)

// columnReader decodes a column of one row group from its first row on.
type columnReader interface {
	// next returns the next n values, in the table's type; the caller releases them.
	next(n int64) (arrow.Array, error)
	// skip passes over n values.
	skip(n int64) error
	release()
}

// openColumn returns a reader of a column whose bytes are fetched; nil if the
// file lacks it.
func (g *group) openColumn(s *source) (columnReader, error) {
	if s.field < 0 {
		return nil, nil // a column that the file lacks has no reader
	}
	if r := g.openFlat(s); r != nil {
		return r, nil
	}
	if g.reader == nil {
		if err := g.openReader(); err != nil {
			return nil, err
		}
	}
	included := make(map[int]bool, len(s.leaves))
	for _, l := range s.leaves {
		included[l] = true
	}
	r, err := g.reader.GetFieldReader(g.pipeline.ctx, s.field, included, []int{g.unit.rowGroup})
	if err != nil {
		return nil, err
	}
	return &generalColumn{reader: r, mem: g.mem, convert: s.convert}, nil
}

// openReader opens the general Parquet reader, for the columns that package
// flat leaves to it.
func (g *group) openReader() error {
	// Some buffers of the Parquet reader itself outlive the scan until they are
	// collected, so that they do not come from the allocator of batches.
	f := g.unit.file
	props := parquet.NewReaderProperties(f.scanner.pages)
	props.BufferedStreamEnabled = true
	raw, err := pqfile.NewParquetReader(g.ranges, pqfile.WithMetadata(f.meta), pqfile.WithReadProps(props))
	if err != nil {
		return err
	}
	g.reader, err = pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{PreAllocBinaryData: true}, g.mem)
	if err != nil {
		return err
	}
	for i := range f.layout.columns {
		if s := &f.layout.columns[i]; s.physical != nil {
			g.reader.Manifest.Fields[s.field].Field.Type = s.physical
		}
	}
	return nil
}

// generalColumn is a column of any layout.
type generalColumn struct {
	reader  *pqarrow.ColumnReader
	mem     memory.Allocator
	convert converter
}

// skipRows is how many values a generalColumn decodes at once to skip them.
const skipRows = 8 << 10

func (c *generalColumn) next(n int64) (arrow.Array, error) {
	chunked, err := c.reader.NextBatch(n)
	if err != nil {
		return nil, err
	}
	defer chunked.Release()
	if int64(chunked.Len()) != n {
		return nil, lake.Errorf(lake.KindCorrupt, "there are %d values where %d rows are expected", chunked.Len(), n)
	}
	arr, err := single(chunked, c.mem)
	if err != nil {
		return nil, err
	}
	defer arr.Release()
	return c.convert(c.mem, arr)
}

// skip decodes the values: a seek inside a column chunk needs an index to be
// trusted.
func (c *generalColumn) skip(n int64) error {
	for n > 0 {
		step := min(n, skipRows)
		chunked, err := c.reader.NextBatch(step)
		if err != nil {
			return err
		}
		chunked.Release()
		n -= step
	}
	return nil
}

func (c *generalColumn) release() { c.reader.Release() }

// single returns the chunks as one array.
func single(c *arrow.Chunked, mem memory.Allocator) (arrow.Array, error) {
	if len(c.Chunks()) == 1 {
		c.Chunk(0).Retain()
		return c.Chunk(0), nil
	}
	if len(c.Chunks()) == 0 {
		return array.MakeArrayOfNull(mem, c.DataType(), 0), nil
	}
	return array.Concatenate(c.Chunks(), mem)
}

// flatColumn is a column that is not nested.
type flatColumn struct {
	reader  *flat.Reader
	mem     memory.Allocator
	convert converter
}

// openFlat returns nil for a column that flat does not read.
func (g *group) openFlat(s *source) columnReader {
	if s.flat == nil {
		return nil
	}
	meta := g.unit.file.meta
	chunk, err := meta.RowGroup(g.unit.rowGroup).ColumnChunk(s.leaves[0])
	if err != nil || chunk.NumValues() != g.rows {
		return nil
	}
	leaf := meta.Schema.Column(s.leaves[0])
	at := chunkRange(chunk)
	r, ok := flat.Open(g.ranges.bytes(at), flat.Column{
		Type: s.flat, Physical: leaf.PhysicalType(), Optional: leaf.MaxDefinitionLevel() > 0,
		Codec: chunk.Compression(), Values: g.rows, Bytes: chunk.TotalUncompressedSize(),
	}, g.mem, g.pipeline.scanner.pages)
	if !ok {
		return nil
	}
	return &flatColumn{reader: r, mem: g.mem, convert: s.flatConvert}
}

func (c *flatColumn) next(n int64) (arrow.Array, error) {
	arr, err := c.reader.Next(int(n))
	if err != nil {
		return nil, err
	}
	defer arr.Release()
	return c.convert(c.mem, arr)
}

func (c *flatColumn) skip(n int64) error { return c.reader.Skip(int(n)) }

func (c *flatColumn) release() { c.reader.Release() }

// chunkRange returns where the pages of a column chunk are.
func chunkRange(chunk *metadata.ColumnChunkMetaData) objstore.Range {
	from := chunk.DataPageOffset()
	if dict := chunk.DictionaryPageOffset(); chunk.HasDictionaryPage() && dict > 0 {
		from = min(from, dict)
	}
	return objstore.Range{From: from, To: from + chunk.TotalCompressedSize()}
}
