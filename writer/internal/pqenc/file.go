package pqenc

import (
	"context"
	"encoding/binary"
	"io"
	"slices"

	"github.com/flightlake/flightlake/lake"
)

const (
	magic = "PAR1"
	// formatVersion is FileMetaData.version: pages and encodings of version 1.
	formatVersion = 1
)

// Sink is what a File is written to: objstore.Writer is one.
type Sink interface {
	Write(ctx context.Context, p []byte) (int, error)
}

// File writes row groups, the page index and the footer to a sink. The sink's
// errors are returned as they are.
type File struct {
	sink      Sink
	schema    *Schema
	createdBy string
	offset    int64
	rows      int64
	groups    []group
}

// group is what the footer says of a row group.
type group struct {
	rows   int64
	offset int64
	chunks []chunkMeta
}

// chunkMeta is a Chunk without its bytes.
type chunkMeta struct {
	Chunk
	offset            int64
	columnIndexOffset int64
	columnIndexSize   int32
	offsetIndexOffset int64
	offsetIndexSize   int32
}

// NewFile begins a file. createdBy goes into the footer.
func NewFile(ctx context.Context, sink Sink, schema *Schema, createdBy string) (*File, error) {
	f := &File{sink: sink, schema: schema, createdBy: createdBy}
	return f, f.write(ctx, []byte(magic))
}

// Size returns how many bytes have been written.
func (f *File) Size() int64 { return f.offset }

// RowGroups returns how many row groups have been written.
func (f *File) RowGroups() int { return len(f.groups) }

func (f *File) write(ctx context.Context, b []byte) error {
	n, err := f.sink.Write(ctx, b)
	f.offset += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// WriteRowGroup appends a row group of one chunk per leaf of the schema. The
// chunks may be encoded again afterwards.
func (f *File) WriteRowGroup(ctx context.Context, rows int64, chunks []*Chunk) error {
	g := group{rows: rows, offset: f.offset, chunks: make([]chunkMeta, len(chunks))}
	for i, c := range chunks {
		if int64(c.Rows) != rows {
			return lake.Errorf(lake.KindInternal, "column chunk %d has %d rows, the row group %d", i, c.Rows, rows)
		}
		m := chunkMeta{Chunk: *c, offset: f.offset}
		m.buf, m.pages = nil, slices.Clone(c.pages)
		for p := range m.pages {
			m.pages[p].offset += f.offset
		}
		g.chunks[i] = m
		if err := f.write(ctx, c.buf); err != nil {
			return err
		}
	}
	f.groups = append(f.groups, g)
	f.rows += rows
	return nil
}

// Close writes the page index and the footer, and returns the length of the
// footer without its length field and magic. It does not close the sink.
func (f *File) Close(ctx context.Context) (footer int64, err error) {
	if err := f.writePageIndex(ctx); err != nil {
		return 0, err
	}
	t := &thriftWriter{}
	f.writeFooter(t)
	size := len(t.buf)
	t.buf = binary.LittleEndian.AppendUint32(t.buf, uint32(size))
	t.buf = append(t.buf, magic...)
	return int64(size), f.write(ctx, t.buf)
}

// writePageIndex writes all column indexes and then all offset indexes, as
// Parquet PageIndex.md places them.
func (f *File) writePageIndex(ctx context.Context) error {
	t := &thriftWriter{}
	for g := range f.groups {
		for c := range f.groups[g].chunks {
			m := &f.groups[g].chunks[c]
			if !m.indexable || len(m.pages) == 0 {
				continue
			}
			start := len(t.buf)
			m.writeColumnIndex(t)
			m.columnIndexOffset, m.columnIndexSize = f.offset+int64(start), int32(len(t.buf)-start)
		}
	}
	for g := range f.groups {
		for c := range f.groups[g].chunks {
			m := &f.groups[g].chunks[c]
			if len(m.pages) == 0 {
				continue
			}
			start := len(t.buf)
			m.writeOffsetIndex(t)
			m.offsetIndexOffset, m.offsetIndexSize = f.offset+int64(start), int32(len(t.buf)-start)
		}
	}
	return f.write(ctx, t.buf)
}

func (m *chunkMeta) writeColumnIndex(t *thriftWriter) {
	t.open()
	t.list(1, thriftTrue, len(m.pages))
	for i := range m.pages {
		if m.pages[i].empty() {
			t.buf = append(t.buf, thriftTrue)
		} else {
			t.buf = append(t.buf, thriftFalse)
		}
	}
	t.list(2, thriftBinary, len(m.pages))
	for i := range m.pages {
		t.bytes(m.pages[i].bounds.least)
	}
	t.list(3, thriftBinary, len(m.pages))
	for i := range m.pages {
		t.bytes(m.pages[i].bounds.greatest)
	}
	t.i32(4, 0) // UNORDERED: readers gain nothing from an order that is not known
	t.list(5, thriftI64, len(m.pages))
	for i := range m.pages {
		t.zigzag(m.pages[i].nulls)
	}
	t.close()
}

// empty reports whether the page has no value.
func (p *page) empty() bool { return p.nulls == int64(p.levels) }

func (m *chunkMeta) writeOffsetIndex(t *thriftWriter) {
	t.open()
	t.list(1, thriftStruct, len(m.pages))
	for i := range m.pages {
		t.open()
		t.i64(1, m.pages[i].offset)
		t.i32(2, m.pages[i].size)
		t.i64(3, m.pages[i].firstRow)
		t.close()
	}
	t.close()
}

func (f *File) writeFooter(t *thriftWriter) {
	t.open()
	t.i32(1, formatVersion)
	f.schema.write(t, 2)
	t.i64(3, f.rows)
	t.list(4, thriftStruct, len(f.groups))
	for i := range f.groups {
		f.groups[i].write(t, int16(min(i, maxOrdinal)))
	}
	t.text(6, f.createdBy)
	t.list(7, thriftStruct, len(f.schema.Leaves))
	for range f.schema.Leaves {
		t.open()
		t.emptyStruct(1) // TYPE_ORDER
		t.close()
	}
	t.close()
}

// maxOrdinal is the largest ordinal of a row group that its field can hold.
const maxOrdinal = 1<<15 - 1

func (g *group) write(t *thriftWriter, ordinal int16) {
	var uncompressed, compressed int64
	for i := range g.chunks {
		uncompressed += g.chunks[i].uncompressed
		compressed += g.chunks[i].Stats.Bytes
	}
	t.open()
	t.list(1, thriftStruct, len(g.chunks))
	for i := range g.chunks {
		g.chunks[i].write(t)
	}
	t.i64(2, uncompressed)
	t.i64(3, g.rows)
	t.i64(5, g.offset)
	t.i64(6, compressed)
	t.i16(7, ordinal)
	t.close()
}

// write writes a ColumnChunk.
func (m *chunkMeta) write(t *thriftWriter) {
	t.open()
	t.i64(2, 0)
	t.structField(3)
	m.writeMeta(t)
	t.close()
	if m.offsetIndexSize > 0 {
		t.i64(4, m.offsetIndexOffset)
		t.i32(5, m.offsetIndexSize)
	}
	if m.columnIndexSize > 0 {
		t.i64(6, m.columnIndexOffset)
		t.i32(7, m.columnIndexSize)
	}
	t.close()
}

// writeMeta writes the fields of a ColumnMetaData.
func (m *chunkMeta) writeMeta(t *thriftWriter) {
	encodings := []int32{encodingPlain, encodingRLE}
	if m.dictBytes > 0 {
		encodings = append(encodings, encodingRLEDict)
	}
	t.i32(1, int32(m.leaf.Kind))
	t.list(2, thriftI32, len(encodings))
	for _, e := range encodings {
		t.zigzag(int64(e))
	}
	t.list(3, thriftBinary, len(m.leaf.Path))
	for _, p := range m.leaf.Path {
		t.bytes([]byte(p))
	}
	t.i32(4, m.codec)
	t.i64(5, m.levels)
	t.i64(6, m.uncompressed)
	t.i64(7, m.Stats.Bytes)
	t.i64(9, m.offset+m.dictBytes)
	if m.dictBytes > 0 {
		t.i64(11, m.offset)
	}
	t.structField(12)
	m.writeStatistics(t)
	t.close()
}

// writeStatistics writes the fields of Statistics.
func (m *chunkMeta) writeStatistics(t *thriftWriter) {
	t.i64(3, m.nulls)
	if m.bounds.hasGreatest {
		t.binary(5, m.bounds.greatest)
	}
	if m.bounds.hasLeast {
		t.binary(6, m.bounds.least)
	}
	if m.bounds.hasGreatest {
		t.boolean(7, m.bounds.greatestExact)
	}
	if m.bounds.hasLeast {
		t.boolean(8, m.bounds.leastExact)
	}
}
