package engine

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// listReader reads lists, and maps as lists of structs.
type listReader struct {
	readerBase
	offsets growing
	child   columnReader
	length  int64 // elements read
}

// runs calls fn for the ranges of the child vector that hold the elements of
// rows [from, to), in order and joined where they touch.
func (r *listReader) runs(v *vector, from, to int, fn func(from, to int) error) error {
	entries := values[listEntry](v, from, to-from)
	begin, end := 0, 0
	for i, e := range entries {
		if e.length == 0 || !v.valid(from+i) {
			continue
		}
		if int(e.offset) == end {
			end += int(e.length)
			continue
		}
		if end > begin {
			if err := fn(begin, end); err != nil {
				return err
			}
		}
		begin, end = int(e.offset), int(e.offset+e.length)
	}
	if end > begin {
		return fn(begin, end)
	}
	return nil
}

func (r *listReader) read(v *vector, from, to int) error {
	r.readValidity(v, from, to)
	offsets := extendOffsets(&r.offsets, to-from)
	for i, e := range values[listEntry](v, from, to-from) {
		if v.valid(from + i) {
			r.length += int64(e.length)
		}
		if r.length > math.MaxInt32 {
			return lake.Errorf(lake.KindExhausted, "lists of %d elements do not fit into an Arrow batch", r.length)
		}
		offsets[i] = int32(r.length)
	}
	child := newVector(duckdb.ListVectorGetChild(v.handle))
	return r.runs(v, from, to, func(from, to int) error { return r.child.read(&child, from, to) })
}

func (r *listReader) bytes(v *vector, from, to int) int64 {
	n := int64((to - from) * offsetBytes)
	child := newVector(duckdb.ListVectorGetChild(v.handle))
	_ = r.runs(v, from, to, func(from, to int) error {
		n += r.child.bytes(&child, from, to)
		return nil
	})
	return n
}

func (r *listReader) finish() arrow.ArrayData {
	extendOffsets(&r.offsets, 0)
	r.length = 0
	return r.finishWith([]*memory.Buffer{nil, r.offsets.finish()}, r.child.finish())
}

func (r *listReader) release() {
	r.readerBase.release()
	r.offsets.release()
	r.child.release()
	r.length = 0
}

// structReader reads structs.
type structReader struct {
	readerBase
	children []columnReader
}

func (r *structReader) read(v *vector, from, to int) error {
	r.readValidity(v, from, to)
	for i, c := range r.children {
		child := newVector(duckdb.StructVectorGetChild(v.handle, duckdb.IdxT(i)))
		if err := c.read(&child, from, to); err != nil {
			return err
		}
	}
	return nil
}

func (r *structReader) bytes(v *vector, from, to int) int64 {
	var n int64
	for i, c := range r.children {
		child := newVector(duckdb.StructVectorGetChild(v.handle, duckdb.IdxT(i)))
		n += c.bytes(&child, from, to)
	}
	return n
}

func (r *structReader) finish() arrow.ArrayData {
	children := make([]arrow.ArrayData, len(r.children))
	for i, c := range r.children {
		children[i] = c.finish()
	}
	return r.finishWith([]*memory.Buffer{nil}, children...)
}

func (r *structReader) release() {
	r.readerBase.release()
	for _, c := range r.children {
		c.release()
	}
}

// arrayReader reads lists of a fixed size.
type arrayReader struct {
	readerBase
	size  int
	child columnReader
}

func (r *arrayReader) read(v *vector, from, to int) error {
	r.readValidity(v, from, to)
	child := newVector(duckdb.ArrayVectorGetChild(v.handle))
	return r.child.read(&child, from*r.size, to*r.size)
}

func (r *arrayReader) bytes(v *vector, from, to int) int64 {
	child := newVector(duckdb.ArrayVectorGetChild(v.handle))
	return r.child.bytes(&child, from*r.size, to*r.size)
}

func (r *arrayReader) finish() arrow.ArrayData {
	return r.finishWith([]*memory.Buffer{nil}, r.child.finish())
}

func (r *arrayReader) release() {
	r.readerBase.release()
	r.child.release()
}
