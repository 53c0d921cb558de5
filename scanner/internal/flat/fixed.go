package flat

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// builder collects the values of one batch. Values are appended densely; then
// spread makes room for the NULLs among the last ones.
type builder interface {
	// setDictionary takes the entries of the dictionary, encoded as PLAIN in
	// buf[pos:end], which is followed by padBytes.
	setDictionary(n int, buf []byte, pos, end int) error
	// begin allocates for rows values.
	begin(rows int)
	// appendPlain takes n values encoded as PLAIN and returns the position
	// after them.
	appendPlain(n int, buf []byte, pos, end int) (int, error)
	appendIndices(indices []uint32) error
	// spread moves the last values to where levels is 1.
	spread(levels []uint32, values int)
	// finish returns the buffers after the validity, whose references are the
	// caller's.
	finish() []*memory.Buffer
	// abandon frees what begin allocated and finish did not return.
	abandon()
}

// fixed builds values of a fixed width.
type fixed[T arrow.FixedWidthType] struct {
	mem   memory.Allocator
	width int // of a value in the page
	load  func(dst []T, src []byte)
	dict  []T
	raw   []byte
	out   []T // raw
	n     int // values in out
}

func (f *fixed[T]) setDictionary(n int, buf []byte, pos, end int) error {
	if n > (end-pos)/f.width {
		return errCorrupt("the dictionary page is cut off")
	}
	f.dict = make([]T, n)
	f.load(f.dict, buf[pos:pos+n*f.width])
	return nil
}

func (f *fixed[T]) begin(rows int) {
	var zero [1]T
	f.raw = allocate(f.mem, rows*len(arrow.GetBytes(zero[:])))
	f.out, f.n = arrow.GetData[T](f.raw), 0
}

func (f *fixed[T]) appendPlain(n int, buf []byte, pos, end int) (int, error) {
	if n > (end-pos)/f.width {
		return pos, errCorrupt("the values of a page are cut off")
	}
	next := pos + n*f.width
	f.load(f.out[f.n:f.n+n], buf[pos:next])
	f.n += n
	return next, nil
}

func (f *fixed[T]) appendIndices(indices []uint32) error {
	dict, out := f.dict, f.out[f.n:f.n+len(indices)]
	for i, index := range indices {
		if int(index) >= len(dict) {
			return errCorrupt("a dictionary of %d entries has no entry %d", len(dict), index)
		}
		out[i] = dict[index]
	}
	f.n += len(indices)
	return nil
}

func (f *fixed[T]) spread(levels []uint32, values int) {
	var zero T
	first := f.n - values
	out := f.out[first : first+len(levels)]
	for i := len(levels) - 1; i >= 0; i-- {
		if levels[i] == 1 {
			values--
			out[i] = out[values]
		} else {
			out[i] = zero
		}
	}
	f.n = first + len(levels)
}

func (f *fixed[T]) finish() []*memory.Buffer {
	b := memory.NewBufferWithAllocator(f.raw, f.mem)
	f.raw, f.out = nil, nil
	return []*memory.Buffer{b}
}

func (f *fixed[T]) abandon() {
	if f.raw != nil {
		f.mem.Free(f.raw)
		f.raw, f.out = nil, nil
	}
}

func copyValues[T arrow.FixedWidthType](dst []T, src []byte) { copy(arrow.GetBytes(dst), src) }

func widen32(dst []decimal128.Num, src []byte) {
	for i := range dst {
		v := int64(int32(binary.LittleEndian.Uint32(src[4*i:])))
		dst[i] = decimal128.New(v>>63, uint64(v))
	}
}

func widen64(dst []decimal128.Num, src []byte) {
	for i := range dst {
		v := int64(binary.LittleEndian.Uint64(src[8*i:]))
		dst[i] = decimal128.New(v>>63, uint64(v))
	}
}
