package writer

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
)

// rows selects elements of an Arrow array, one per level that they yield in
// Parquet. Its slices belong to an arena.
type rows struct {
	n  int
	lo int // index of the first element, if idx is nil
	// idx holds the index of each element; -1 where there is none, because it
	// or an ancestor is NULL or an empty list. nil means lo, lo+1, ...
	idx []int32
	// defs holds the definition level reached so far; nil means that all
	// elements exist and have reached def.
	defs []uint8
	def  uint8
	reps []uint8 // repetition levels; nil means 0
}

// none marks an element that does not exist in rows.idx.
const none = -1

// slice returns the rows [lo, lo+n) of an array of top-level values.
func slice(lo, n int) rows { return rows{n: n, lo: lo} }

// arena lends the slices of rows, and takes them all back at once. Its zero
// value is ready to use.
type arena struct {
	ints  []int32
	bytes []uint8
}

// reset takes back what was lent.
func (a *arena) reset() { a.ints, a.bytes = a.ints[:0], a.bytes[:0] }

func (a *arena) newInts(n int) []int32 {
	if cap(a.ints)-len(a.ints) < n {
		a.ints = make([]int32, 0, max(n, 2*cap(a.ints))) // what was lent stays with its users
	}
	at := len(a.ints)
	a.ints = a.ints[:at+n]
	return a.ints[at : at+n : at+n]
}

func (a *arena) newBytes(n int) []uint8 {
	if cap(a.bytes)-len(a.bytes) < n {
		a.bytes = make([]uint8, 0, max(n, 2*cap(a.bytes)))
	}
	at := len(a.bytes)
	a.bytes = a.bytes[:at+n]
	return a.bytes[at : at+n : at+n]
}

// explicit returns r with idx and defs set, in memory of its own.
func (r rows) explicit(a *arena) rows {
	idx, defs := a.newInts(r.n), a.newBytes(r.n)
	if r.idx != nil {
		copy(idx, r.idx)
	} else {
		for i := range idx {
			idx[i] = int32(r.lo + i)
		}
	}
	if r.defs != nil {
		copy(defs, r.defs)
	} else {
		for i := range defs {
			defs[i] = r.def
		}
	}
	r.idx, r.defs = idx, defs
	return r
}

// dropNulls marks the elements that are NULL in arr as not existing, and
// reports whether there are any.
func (r rows) dropNulls(a *arena, arr arrow.Array) (rows, bool) {
	if arr.NullN() == 0 {
		return r, false
	}
	bitmap, offset := arr.NullBitmapBytes(), arr.Data().Offset()
	out := r.explicit(a)
	dropped := false
	for i, j := range out.idx {
		if j == none {
			continue
		}
		if bit := offset + int(j); len(bitmap) == 0 || bitmap[bit>>3]&(1<<(bit&7)) == 0 {
			out.idx[i] = none
			dropped = true
		}
	}
	if !dropped {
		return r, false
	}
	return out, true
}

// raise returns r with the definition level of all existing elements raised by one.
func (r rows) raise(a *arena) rows {
	r.def++
	if r.defs == nil {
		return r
	}
	defs := a.newBytes(r.n)
	copy(defs, r.defs)
	for i, j := range r.idx {
		if j != none {
			defs[i]++
		}
	}
	r.defs = defs
	return r
}

// existing returns the elements of r that exist, without levels.
func (r rows) existing(a *arena) rows {
	if r.defs == nil {
		return rows{n: r.n, lo: r.lo, idx: r.idx}
	}
	idx := a.newInts(r.n)[:0]
	for _, j := range r.idx {
		if j != none {
			idx = append(idx, j)
		}
	}
	return rows{n: len(idx), idx: idx}
}

// outside marks an index that is negative or does not fit.
const outside = -2

// through returns r with each index replaced by its entry in indices, or by
// outside.
func through[T int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64](a *arena, r rows, indices []T) rows {
	idx := a.newInts(r.n)
	if r.idx == nil {
		for i, v := range indices[r.lo : r.lo+r.n] {
			idx[i] = narrow(int64(v))
		}
	} else {
		for i, j := range r.idx {
			if j != none {
				idx[i] = narrow(int64(indices[j]))
			} else {
				idx[i] = none
			}
		}
	}
	r.idx = idx
	return r
}

func narrow(v int64) int32 {
	if v < 0 || v > math.MaxInt32 {
		return outside
	}
	return int32(v)
}

// constant returns r with every existing element replaced by element 0.
func (r rows) constant(a *arena) rows {
	idx := a.newInts(r.n)
	for i := range idx {
		idx[i] = 0
		if r.idx != nil && r.idx[i] == none {
			idx[i] = none
		}
	}
	r.idx = idx
	return r
}
