package engine

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// columnReader copies rows of DuckDB vectors of one type into Arrow buffers.
type columnReader interface {
	// read appends rows [from, to) of v.
	read(v *vector, from, to int) error
	// bytes returns about how many bytes those rows take.
	bytes(v *vector, from, to int) int64
	// finish returns what was read, owned by the caller, and starts afresh.
	finish() arrow.ArrayData
	// release drops what was read.
	release()
}

func newColumnReader(t *valueType, mem memory.Allocator) columnReader {
	base := readerBase{mem: mem, arrow: t.arrow, validity: growing{mem: mem}}
	switch t.id {
	case duckdb.TypeBoolean:
		return &boolReader{readerBase: base, data: growing{mem: mem}}
	case duckdb.TypeVarchar, duckdb.TypeBlob:
		return newTextReader(base, vectorBytes)
	case duckdb.TypeBit:
		return newTextReader(base, bitText)
	case duckdb.TypeEnum:
		return newTextReader(base, enumText(t))
	case duckdb.TypeList, duckdb.TypeMap:
		child := t.children[0]
		if t.id == duckdb.TypeMap {
			child = valueType{id: duckdb.TypeStruct, children: t.children, arrow: t.arrow.(*arrow.MapType).Elem()}
		}
		return &listReader{readerBase: base, offsets: growing{mem: mem}, child: newColumnReader(&child, mem)}
	case duckdb.TypeStruct:
		r := &structReader{readerBase: base}
		for i := range t.children {
			r.children = append(r.children, newColumnReader(&t.children[i], mem))
		}
		return r
	case duckdb.TypeArray:
		return &arrayReader{readerBase: base, size: t.size, child: newColumnReader(&t.children[0], mem)}
	}
	width, convert := fixedConversion(t)
	return &fixedReader{readerBase: base, data: growing{mem: mem}, width: width, convert: convert}
}

// growing is a byte buffer that doubles when it is full. It begins with the
// size that it had when it was last finished.
type growing struct {
	mem  memory.Allocator
	buf  *memory.Buffer
	n    int
	last int
}

// extend appends n bytes, whose content is undefined, and returns them.
func (g *growing) extend(n int) []byte {
	if g.buf == nil {
		g.buf = memory.NewResizableBuffer(g.mem)
		g.buf.Reserve(g.last)
	}
	need := g.n + n
	if need > g.buf.Cap() {
		g.buf.Reserve(max(need, 2*g.buf.Cap()))
	}
	g.buf.ResizeNoShrink(need)
	out := g.buf.Bytes()[g.n:need]
	g.n = need
	return out
}

func (g *growing) finish() *memory.Buffer {
	buf := g.buf
	if buf == nil {
		buf = memory.NewResizableBuffer(g.mem)
	}
	g.buf, g.n, g.last = nil, 0, g.n
	return buf
}

func (g *growing) release() {
	if g.buf != nil {
		g.buf.Release()
	}
	g.buf, g.n = nil, 0
}

// readerBase collects the validity of a column.
type readerBase struct {
	mem      memory.Allocator
	arrow    arrow.DataType
	validity growing // a bitmap; empty while no row is null
	rows     int
	nulls    int
}

func (r *readerBase) readValidity(v *vector, from, to int) {
	n := to - from
	if v.validity == nil && r.nulls == 0 {
		r.rows += n
		return
	}
	had := r.validity.n
	need := int(bitutil.BytesForBits(int64(r.rows + n)))
	clear(r.validity.extend(need - had))
	all := r.validity.buf.Bytes()
	if had == 0 {
		bitutil.SetBitsTo(all, 0, int64(r.rows), true)
	}
	if v.validity == nil {
		bitutil.SetBitsTo(all, int64(r.rows), int64(n), true)
	} else {
		mask := unsafe.Slice((*byte)(v.validity), int(bitutil.BytesForBits(int64(to))))
		bitutil.CopyBitmap(mask, from, n, all, r.rows)
		r.nulls += n - bitutil.CountSetBits(mask, from, n)
	}
	r.rows += n
}

func (r *readerBase) finishWith(buffers []*memory.Buffer, children ...arrow.ArrayData) arrow.ArrayData {
	if r.nulls > 0 {
		buffers[0] = r.validity.finish()
	} else {
		r.validity.release()
	}
	data := array.NewData(r.arrow, r.rows, buffers, children, r.nulls, 0)
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	for _, c := range children {
		c.Release()
	}
	r.rows, r.nulls = 0, 0
	return data
}

func (r *readerBase) release() {
	r.validity.release()
	r.rows, r.nulls = 0, 0
}

// fixedReader reads values of fixed width. convert, if not nil, writes the
// Arrow form of rows [from, to) to out; null rows hold anything.
type fixedReader struct {
	readerBase
	data    growing
	width   int // of the Arrow value, in bytes
	convert func(v *vector, from, to int, out []byte) error
}

func (r *fixedReader) read(v *vector, from, to int) error {
	r.readValidity(v, from, to)
	out := r.data.extend((to - from) * r.width)
	if r.convert != nil {
		return r.convert(v, from, to, out)
	}
	copy(out, v.bytes(from, to-from, r.width))
	return nil
}

func (r *fixedReader) bytes(_ *vector, from, to int) int64 { return int64((to - from) * r.width) }

func (r *fixedReader) finish() arrow.ArrayData {
	return r.finishWith([]*memory.Buffer{nil, r.data.finish()})
}

func (r *fixedReader) release() {
	r.readerBase.release()
	r.data.release()
}

type boolReader struct {
	readerBase
	data growing
}

func (r *boolReader) read(v *vector, from, to int) error {
	first := r.rows
	r.readValidity(v, from, to)
	had := r.data.n
	clear(r.data.extend(int(bitutil.BytesForBits(int64(r.rows))) - had))
	all := r.data.buf.Bytes()
	for i, b := range v.bytes(from, to-from, 1) {
		if b != 0 {
			bitutil.SetBit(all, first+i)
		}
	}
	return nil
}

func (r *boolReader) bytes(_ *vector, from, to int) int64 { return int64(to-from)/8 + 1 }

func (r *boolReader) finish() arrow.ArrayData {
	return r.finishWith([]*memory.Buffer{nil, r.data.finish()})
}

func (r *boolReader) release() {
	r.readerBase.release()
	r.data.release()
}

// offsetBytes is the width of an offset of a string, binary, list or map array.
const offsetBytes = 4

// textReader reads strings and blobs, and what is shown as text.
type textReader struct {
	readerBase
	offsets growing
	data    growing
	text    func(v *vector, row int) []byte
}

func newTextReader(base readerBase, text func(*vector, int) []byte) *textReader {
	return &textReader{readerBase: base, offsets: growing{mem: base.mem}, data: growing{mem: base.mem}, text: text}
}

func (r *textReader) read(v *vector, from, to int) error {
	r.readValidity(v, from, to)
	offsets := extendOffsets(&r.offsets, to-from)
	for row := from; row < to; row++ {
		if v.valid(row) {
			text := r.text(v, row)
			if r.data.n+len(text) > math.MaxInt32 {
				return lake.Errorf(lake.KindExhausted, "a value of %d bytes does not fit into an Arrow batch", len(text))
			}
			copy(r.data.extend(len(text)), text)
		}
		offsets[row-from] = int32(r.data.n)
	}
	return nil
}

// extendOffsets makes room for n more offsets, and writes the leading zero.
func extendOffsets(g *growing, n int) []int32 {
	if g.n == 0 {
		clear(g.extend(offsetBytes))
	}
	return arrow.Int32Traits.CastFromBytes(g.extend(n * offsetBytes))
}

func (r *textReader) bytes(v *vector, from, to int) int64 {
	n := int64((to - from) * offsetBytes)
	for row := from; row < to; row++ {
		if v.valid(row) {
			n += int64(len(r.text(v, row)))
		}
	}
	return n
}

func (r *textReader) finish() arrow.ArrayData {
	extendOffsets(&r.offsets, 0)
	return r.finishWith([]*memory.Buffer{nil, r.offsets.finish(), r.data.finish()})
}

func (r *textReader) release() {
	r.readerBase.release()
	r.offsets.release()
	r.data.release()
}

// bitText shows a BIT as zeros and ones. Its first byte counts the unused bits
// at the head of the second.
func bitText(v *vector, row int) []byte {
	raw := vectorBytes(v, row)
	if len(raw) < 2 {
		return nil
	}
	out := make([]byte, 0, 8*len(raw))
	for i := int(raw[0]); i < 8*(len(raw)-1); i++ {
		out = append(out, '0'+bits.Reverse8(raw[1+i/8])>>(i%8)&1)
	}
	return out
}

func enumText(t *valueType) func(*vector, int) []byte {
	labels := make([][]byte, len(t.labels))
	for i, s := range t.labels {
		labels[i] = []byte(s)
	}
	switch t.physical {
	case duckdb.TypeUTinyInt:
		return func(v *vector, row int) []byte { return labels[values[uint8](v, row, 1)[0]] }
	case duckdb.TypeUSmallInt:
		return func(v *vector, row int) []byte { return labels[values[uint16](v, row, 1)[0]] }
	}
	return func(v *vector, row int) []byte { return labels[values[uint32](v, row, 1)[0]] }
}
