package flat

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/snappy"

	"github.com/flightlake/flightlake/lake"
)

// indexBlock is how many dictionary indices are decoded before their entries
// are gathered; a block stays in the first-level cache.
const indexBlock = 1024

// maxWidth is the most bits of a dictionary index.
const maxWidth = 32

// Column says what a column chunk holds.
type Column struct {
	Type     arrow.DataType // of the arrays to make
	Physical parquet.Type   // of the file
	Optional bool           // may be NULL; a flat column has no other levels
	Codec    compress.Compression
	Values   int64 // with NULLs
	Bytes    int64 // of all pages, uncompressed
}

// Readable reports whether columns of a physical type can be made arrays of dt.
func Readable(dt arrow.DataType, physical parquet.Type) bool {
	return newBuilder(dt, physical, nil) != nil
}

func newBuilder(dt arrow.DataType, physical parquet.Type, mem memory.Allocator) builder {
	switch dt.ID() {
	case arrow.INT32, arrow.UINT32, arrow.DATE32, arrow.TIME32:
		if physical == parquet.Types.Int32 {
			return &fixed[uint32]{mem: mem, width: 4, load: copyValues[uint32]}
		}
	case arrow.INT64, arrow.UINT64, arrow.TIME64, arrow.TIMESTAMP:
		if physical == parquet.Types.Int64 {
			return &fixed[uint64]{mem: mem, width: 8, load: copyValues[uint64]}
		}
	case arrow.FLOAT32:
		if physical == parquet.Types.Float {
			return &fixed[uint32]{mem: mem, width: 4, load: copyValues[uint32]}
		}
	case arrow.FLOAT64:
		if physical == parquet.Types.Double {
			return &fixed[uint64]{mem: mem, width: 8, load: copyValues[uint64]}
		}
	case arrow.DECIMAL128:
		switch physical {
		case parquet.Types.Int32:
			return &fixed[decimal128.Num]{mem: mem, width: 4, load: widen32}
		case parquet.Types.Int64:
			return &fixed[decimal128.Num]{mem: mem, width: 8, load: widen64}
		default:
		}
	case arrow.STRING, arrow.BINARY:
		if physical == parquet.Types.ByteArray {
			return &text{mem: mem}
		}
	default:
	}
	return nil
}

// page is a page of a chunk.
type page struct {
	header
	body []byte // as in the file
}

// Reader decodes one column chunk from its beginning. It is used by one
// goroutine at a time.
type Reader struct {
	column  Column
	pages   []page // not yet begun; the dictionary is not among them
	dict    *page  // nil if there is none, or it is loaded
	mem     memory.Allocator
	scratch memory.Allocator
	out     builder

	buf      []byte // of the current page: its values and levels, then padBytes
	left     int    // values of the current page still to read, with NULLs
	defs     hybrid
	encoding int32
	pos, end int    // of PLAIN values in buf
	indices  hybrid // of others

	levels   []uint32
	block    [indexBlock]uint32
	rows     int    // of the batch
	validity []byte // of the batch; nil while nothing is NULL
	nulls    int
}

// Open returns a reader of chunk, the bytes of a column chunk from its first
// page on, which it borrows until Release. Arrays are allocated from mem, and
// what lives no longer than the Reader from scratch. It reports false for a
// chunk that is to be left to a general reader.
func Open(chunk []byte, c Column, mem, scratch memory.Allocator) (*Reader, bool) {
	out := newBuilder(c.Type, c.Physical, mem)
	if out == nil || c.Codec != compress.Codecs.Uncompressed && c.Codec != compress.Codecs.Snappy {
		return nil, false
	}
	r := &Reader{column: c, mem: mem, scratch: scratch, out: out}
	values := int64(0)
	for first := true; values < c.Values; first = false {
		h, size, ok := parseHeader(chunk)
		if !ok || int(h.compressed) > len(chunk)-size || int64(h.uncompressed) > c.Bytes || !r.reads(&h) {
			return nil, false
		}
		p := page{header: h, body: chunk[size : size+int(h.compressed)]}
		chunk = chunk[size+int(h.compressed):]
		switch {
		case h.kind != pageDictionary:
			r.pages = append(r.pages, p)
			values += int64(h.values)
		case first:
			r.dict = &p
		default:
			return nil, false
		}
	}
	return r, values == c.Values
}

// reads reports whether the layout of a page is known here.
func (r *Reader) reads(h *header) bool {
	indexed := h.encoding == encodingRLEDict || h.encoding == encodingPlainDict
	switch h.kind {
	case pageDictionary:
		return h.encoding == encodingPlain || h.encoding == encodingPlainDict
	case pageData:
		return (h.encoding == encodingPlain || indexed) && (!r.column.Optional || h.defEncoding == encodingRLE)
	}
	return false
}

// Release frees what the Reader holds; arrays live on.
func (r *Reader) Release() {
	if r.buf != nil {
		r.scratch.Free(r.buf)
		r.buf = nil
	}
}

// Skip passes over rows. Pages that it passes whole are not decoded.
//
// Errors: those of Next.
func (r *Reader) Skip(rows int) error {
	for rows > 0 {
		if r.left == 0 && len(r.pages) > 0 && int(r.pages[0].values) <= rows {
			rows -= int(r.pages[0].values)
			r.pages = r.pages[1:]
			continue
		}
		n := rows
		if r.left > 0 {
			n = min(n, r.left)
		}
		skipped, err := r.Next(n)
		if err != nil {
			return err
		}
		skipped.Release()
		rows -= n
	}
	return nil
}

// Next returns the next rows values, at least one, as one array that begins
// at offset 0. After an error the Reader can only be released.
//
// Errors: KindCorrupt for pages that do not decode or are too few;
// KindUnsupported for text beyond 2 GiB in one batch.
func (r *Reader) Next(rows int) (arr arrow.Array, err error) {
	r.rows, r.validity, r.nulls = rows, nil, 0
	r.out.begin(rows)
	defer func() {
		if p := recover(); p != nil {
			err = errCorrupt("decode: %v", p)
		}
		if err != nil {
			r.out.abandon()
			r.mem.Free(r.validity)
		}
	}()
	for done := 0; done < rows; {
		if r.left == 0 {
			if err := r.nextPage(); err != nil {
				return nil, err
			}
			continue
		}
		n := min(r.left, rows-done)
		values, err := r.readLevels(done, n)
		if err != nil {
			return nil, err
		}
		if err := r.readValues(values); err != nil {
			return nil, err
		}
		if values < n {
			r.out.spread(r.levels[:n], values)
		}
		done += n
		r.left -= n
	}
	return r.array(), nil
}

func (r *Reader) array() arrow.Array {
	buffers := append([]*memory.Buffer{nil}, r.out.finish()...)
	if r.validity != nil {
		buffers[0] = memory.NewBufferWithAllocator(r.validity, r.mem)
	}
	data := array.NewData(r.column.Type, r.rows, buffers, nil, r.nulls, 0)
	defer data.Release()
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(data)
}

// nextPage begins the next data page.
func (r *Reader) nextPage() error {
	if len(r.pages) == 0 {
		return errCorrupt("a column chunk has fewer values than rows")
	}
	p := &r.pages[0]
	indexed := p.encoding != encodingPlain
	if indexed && r.dict != nil {
		if err := r.unpack(r.dict); err != nil {
			return err
		}
		if err := r.out.setDictionary(int(r.dict.values), r.buf, 0, int(r.dict.uncompressed)); err != nil {
			return err
		}
		r.dict = nil
	}
	if err := r.unpack(p); err != nil {
		return err
	}
	r.pages = r.pages[1:]
	r.left, r.encoding = int(p.values), p.encoding
	r.pos, r.end = 0, int(p.uncompressed)
	if r.column.Optional {
		if r.end < 4 || int64(binary.LittleEndian.Uint32(r.buf)) > int64(r.end-4) {
			return errCorrupt("the levels of a page are cut off")
		}
		r.pos = 4 + int(binary.LittleEndian.Uint32(r.buf))
		r.defs = hybrid{buf: r.buf, pos: 4, end: r.pos, width: 1}
	}
	if !indexed {
		return nil
	}
	width := 0
	if r.pos < r.end { // a page of NULLs may end here
		width = int(r.buf[r.pos])
		r.pos++
	}
	if width > maxWidth {
		return errCorrupt("dictionary indices of %d bits", width)
	}
	r.indices = hybrid{buf: r.buf, pos: r.pos, end: r.end, width: width}
	return nil
}

// unpack uncompresses a page into r.buf.
func (r *Reader) unpack(p *page) error {
	size := int(p.uncompressed)
	if size+padBytes > len(r.buf) {
		r.Release()
		r.buf = allocate(r.scratch, size+padBytes)
	}
	src, dst := p.body, r.buf[:size:size]
	if r.column.Codec == compress.Codecs.Uncompressed {
		if len(src) != len(dst) {
			return errCorrupt("a page of %d bytes holds %d", len(dst), len(src))
		}
		copy(dst, src)
		return nil
	}
	n, err := snappy.DecodedLen(src)
	if err == nil && n != len(dst) {
		return errCorrupt("a page of %d bytes uncompresses to %d", len(dst), n)
	}
	if err == nil {
		_, err = snappy.Decode(dst, src)
	}
	return lake.Wrap(lake.KindCorrupt, "uncompress page", err)
}

// readLevels returns how many of the next n values, which begin at row done of
// the batch, are not NULL. If they are fewer, r.levels tells which.
func (r *Reader) readLevels(done, n int) (int, error) {
	if !r.column.Optional {
		return n, nil
	}
	present, err := r.defs.ones(n)
	if err != nil {
		return 0, err
	}
	if present {
		if r.validity != nil {
			bitutil.SetBitsTo(r.validity, int64(done), int64(n), true)
		}
		return n, nil
	}
	if cap(r.levels) < n {
		r.levels = make([]uint32, max(n, r.rows))
	}
	r.levels = r.levels[:n]
	if err := r.defs.read(r.levels); err != nil {
		return 0, err
	}
	values := 0
	for _, l := range r.levels {
		if l > 1 {
			return 0, errCorrupt("a level of %d where 1 is the most", l)
		}
		values += int(l)
	}
	if values < n && r.validity == nil {
		r.validity = r.mem.Allocate(int(bitutil.BytesForBits(int64(r.rows))))
		bitutil.SetBitsTo(r.validity, 0, int64(done), true)
	}
	if r.validity != nil {
		for i, l := range r.levels {
			r.validity[(done+i)/8] |= byte(l) << ((done + i) % 8)
		}
	}
	r.nulls += n - values
	return values, nil
}

// readValues appends n values of the current page.
func (r *Reader) readValues(n int) error {
	if r.encoding == encodingPlain {
		var err error
		r.pos, err = r.out.appendPlain(n, r.buf, r.pos, r.end)
		return err
	}
	for n > 0 {
		block := r.block[:min(n, indexBlock)]
		if err := r.indices.read(block); err != nil {
			return err
		}
		if err := r.out.appendIndices(block); err != nil {
			return err
		}
		n -= len(block)
	}
	return nil
}

// allocate returns n bytes of any content, all of which the caller overwrites
// or keeps to itself.
func allocate(mem memory.Allocator, n int) []byte {
	if pool, ok := mem.(interface{ AllocateDirty(n int) []byte }); ok {
		return pool.AllocateDirty(n)
	}
	return mem.Allocate(n)
}

func errCorrupt(format string, args ...any) error {
	return lake.Errorf(lake.KindCorrupt, format, args...)
}
