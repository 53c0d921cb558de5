package pqenc

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// Values holds the values of one leaf for the rows of one row group: levels,
// and the values that are not NULL, densely. Which slice holds the values
// depends on the leaf's Kind. The caller appends values, then calls AddLevels
// (or AddPresent) so that both agree.
type Values struct {
	Leaf *Leaf

	Levels  int     // number of levels: values, NULLs and empty lists
	Missing int     // levels without a value
	Rows    int     // rows; equals Levels unless the leaf is repeated
	Defs    []uint8 // nil while Missing is 0 and the leaf is not repeated
	Reps    []uint8 // nil unless the leaf is repeated

	Bools []uint8 // 0 or 1
	I32   []int32
	I64   []int64
	F32   []float32
	F64   []float64
	Data  []byte   // Bytes and Fixed: the values, one after the other
	Ends  []uint32 // Bytes: end of each value in Data
}

// MaxData bounds Values.Data so that Ends cannot overflow.
const MaxData = 1<<31 - 1

// AddPresent adds n levels that have a value, one per row, to a leaf that is
// not repeated.
func (v *Values) AddPresent(n int) {
	if v.Defs != nil {
		v.Defs = appendRepeated(v.Defs, v.Leaf.MaxDef, n)
	}
	v.Levels += n
	v.Rows += n
}

// AddLevels adds levels; reps is nil if the leaf is not repeated.
func (v *Values) AddLevels(defs, reps []uint8) {
	missing := 0
	for _, d := range defs {
		if d != v.Leaf.MaxDef {
			missing++
		}
	}
	if v.Leaf.MaxRep == 0 {
		if missing == 0 {
			v.AddPresent(len(defs))
			return
		}
		v.Rows += len(defs)
	} else {
		v.Reps = append(v.Reps, reps...)
		for _, r := range reps {
			if r == 0 {
				v.Rows++
			}
		}
	}
	if v.Defs == nil {
		v.Defs = appendRepeated(make([]uint8, 0, v.Levels+len(defs)), v.Leaf.MaxDef, v.Levels)
	}
	v.Defs = append(v.Defs, defs...)
	v.Levels += len(defs)
	v.Missing += missing
}

func appendRepeated(dst []uint8, value uint8, n int) []uint8 {
	dst = slices.Grow(dst, n)
	at := len(dst)
	dst = dst[:at+n]
	for i := at; i < len(dst); i++ {
		dst[i] = value
	}
	return dst
}

// Present returns how many values are not NULL.
func (v *Values) Present() int { return v.Levels - v.Missing }

// Size returns the bytes that the values and levels occupy.
func (v *Values) Size() int {
	return len(v.Defs) + len(v.Reps) + len(v.Bools) + 4*len(v.I32) + 8*len(v.I64) +
		4*len(v.F32) + 8*len(v.F64) + len(v.Data) + 4*len(v.Ends)
}

// Reset empties v and keeps its memory.
func (v *Values) Reset() {
	v.Levels, v.Missing, v.Rows = 0, 0, 0
	v.Defs, v.Reps = nil, v.Reps[:0]
	v.Bools, v.I32, v.I64 = v.Bools[:0], v.I32[:0], v.I64[:0]
	v.F32, v.F64 = v.F32[:0], v.F64[:0]
	v.Data, v.Ends = v.Data[:0], v.Ends[:0]
}

// value returns value i of a leaf of kind Bytes or Fixed.
func (v *Values) value(i int) []byte {
	if v.Leaf.Kind == Fixed {
		return v.Data[i*v.Leaf.Width : (i+1)*v.Leaf.Width]
	}
	start := uint32(0)
	if i > 0 {
		start = v.Ends[i-1]
	}
	return v.Data[start:v.Ends[i]]
}

// plainSize returns the size of values [lo, hi) in the encoding PLAIN.
func (v *Values) plainSize(lo, hi int) int {
	n := hi - lo
	switch v.Leaf.Kind {
	case Bool:
		return (n + 7) / 8
	case Int32, Float32:
		return 4 * n
	case Int64, Float64:
		return 8 * n
	case Fixed:
		return v.Leaf.Width * n
	case Bytes:
		if n == 0 {
			return 0
		}
		start := uint32(0)
		if lo > 0 {
			start = v.Ends[lo-1]
		}
		return 4*n + int(v.Ends[hi-1]-start)
	}
	return 0
}

// appendPlain appends values [lo, hi) in the encoding PLAIN. Numbers are laid
// out as in memory: the package needs a little-endian machine.
func (v *Values) appendPlain(dst []byte, lo, hi int) []byte {
	switch v.Leaf.Kind {
	case Bool:
		return appendBits(dst, v.Bools[lo:hi])
	case Int32:
		return append(dst, arrow.Int32Traits.CastToBytes(v.I32[lo:hi])...)
	case Int64:
		return append(dst, arrow.Int64Traits.CastToBytes(v.I64[lo:hi])...)
	case Float32:
		return append(dst, arrow.Float32Traits.CastToBytes(v.F32[lo:hi])...)
	case Float64:
		return append(dst, arrow.Float64Traits.CastToBytes(v.F64[lo:hi])...)
	case Fixed:
		return append(dst, v.Data[lo*v.Leaf.Width:hi*v.Leaf.Width]...)
	case Bytes:
		dst = slices.Grow(dst, v.plainSize(lo, hi))
		for i := lo; i < hi; i++ {
			dst = appendLengthPrefixed(dst, v.value(i))
		}
	}
	return dst
}

func appendLengthPrefixed(dst, value []byte) []byte {
	n := len(value)
	dst = append(dst, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	return append(dst, value...)
}

func appendBits(dst []byte, values []uint8) []byte {
	for len(values) >= 8 {
		v := values[:8]
		dst = append(dst, v[0]|v[1]<<1|v[2]<<2|v[3]<<3|v[4]<<4|v[5]<<5|v[6]<<6|v[7]<<7)
		values = values[8:]
	}
	if len(values) > 0 {
		var last byte
		for i, v := range values {
			last |= v << i
		}
		dst = append(dst, last)
	}
	return dst
}
