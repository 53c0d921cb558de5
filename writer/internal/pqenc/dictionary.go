package pqenc

import (
	"bytes"
	"hash/maphash"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
)

const (
	// dictMaxEntries and dictMaxBytes bound a dictionary: a larger one costs
	// readers more memory than it saves bytes.
	dictMaxEntries = 1 << 16
	dictMaxBytes   = 1 << 20
	// dictSample is after how many values a dictionary is given up if more
	// than dictSampleDistinct of them were distinct: columns that are nearly
	// unique cost 0.1 ms per row group, and a domain of 10,000 values still passes.
	dictSample         = 1 << 14
	dictSampleDistinct = dictSample * 3 / 4
	// dictMinValues is the fewest values for which a dictionary is tried.
	dictMinValues = 16

	fibonacci = 0x9E3779B97F4A7C15 // 2^64 / golden ratio, spreads small integers
)

// dictionary maps the values of a leaf to indices in order of appearance. Its
// memory is kept from one row group to the next.
type dictionary struct {
	slots   []uint32 // entry + 1, or 0; length is a power of two
	keys    []uint64 // of entries: the value's bits, or its hash
	first   []uint32 // of entries: where the value first occurs
	bytes   int      // size of the dictionary page
	indices []uint32
	seed    maphash.Seed
}

// build fills d from all values of v and reports whether writing the indices
// is smaller than writing the values.
func (d *dictionary) build(v *Values) bool {
	n := v.Present()
	if n < dictMinValues || v.Leaf.Kind == Bool {
		return false
	}
	d.reset(n)
	var ok bool
	switch v.Leaf.Kind {
	case Int32:
		ok = dictNumbers(d, arrow.Uint32Traits.CastFromBytes(arrow.Int32Traits.CastToBytes(v.I32)), 4)
	case Float32:
		ok = dictNumbers(d, arrow.Uint32Traits.CastFromBytes(arrow.Float32Traits.CastToBytes(v.F32)), 4)
	case Int64:
		ok = dictNumbers(d, arrow.Uint64Traits.CastFromBytes(arrow.Int64Traits.CastToBytes(v.I64)), 8)
	case Float64:
		ok = dictNumbers(d, arrow.Uint64Traits.CastFromBytes(arrow.Float64Traits.CastToBytes(v.F64)), 8)
	case Bytes, Fixed:
		ok = d.addBytes(v, n)
	case Bool:
	}
	return ok && d.bytes+n*d.width()/8 < v.plainSize(0, n)*9/10
}

func (d *dictionary) reset(n int) {
	if d.slots == nil {
		d.seed = maphash.MakeSeed()
	}
	// At least twice as many slots as entries keeps probes short.
	size := 1 << bits.Len(uint(2*min(n, dictMaxEntries)-1))
	if cap(d.slots) < size {
		d.slots = make([]uint32, size)
	} else {
		d.slots = d.slots[:size]
		clear(d.slots)
	}
	if cap(d.indices) < n {
		d.indices = make([]uint32, n)
	}
	d.indices = d.indices[:n]
	d.keys, d.first, d.bytes = d.keys[:0], d.first[:0], 0
}

// width returns the bits of an index; at least 1, which every reader takes.
func (d *dictionary) width() int { return max(1, bitWidth(len(d.first)-1)) }

// full reports whether the dictionary does not pay after i values.
func (d *dictionary) full(i int) bool {
	return len(d.first) >= dictMaxEntries || d.bytes > dictMaxBytes ||
		(i < dictSample && len(d.first) > dictSampleDistinct)
}

func dictNumbers[T uint32 | uint64](d *dictionary, values []T, size int) bool {
	shift := 64 - bits.Len(uint(len(d.slots)-1))
	mask := uint64(len(d.slots) - 1)
	for i, value := range values {
		key := uint64(value)
		at := (key * fibonacci) >> shift
		for {
			entry := d.slots[at]
			if entry == 0 {
				if d.full(i) {
					return false
				}
				d.keys = append(d.keys, key)
				d.first = append(d.first, uint32(i))
				d.bytes += size
				d.slots[at] = uint32(len(d.keys))
				d.indices[i] = uint32(len(d.keys) - 1)
				break
			}
			if d.keys[entry-1] == key {
				d.indices[i] = entry - 1
				break
			}
			at = (at + 1) & mask
		}
	}
	return true
}

func (d *dictionary) addBytes(v *Values, n int) bool {
	mask := uint64(len(d.slots) - 1)
	for i := range n {
		value := v.value(i)
		key := maphash.Bytes(d.seed, value)
		at := key & mask
		for {
			entry := d.slots[at]
			if entry == 0 {
				if d.full(i) {
					return false
				}
				d.keys = append(d.keys, key)
				d.first = append(d.first, uint32(i))
				d.bytes += len(value) + 4
				d.slots[at] = uint32(len(d.keys))
				d.indices[i] = uint32(len(d.keys) - 1)
				break
			}
			if d.keys[entry-1] == key && bytes.Equal(v.value(int(d.first[entry-1])), value) {
				d.indices[i] = entry - 1
				break
			}
			at = (at + 1) & mask
		}
	}
	return true
}

// appendPage appends the entries in the encoding PLAIN.
func (d *dictionary) appendPage(dst []byte, v *Values) []byte {
	for _, i := range d.first {
		dst = v.appendPlain(dst, int(i), int(i)+1)
	}
	return dst
}

// appendIndices appends the indices of values [lo, hi) as a data page holds
// them: the bit width in one byte, then the hybrid.
func (d *dictionary) appendIndices(dst []byte, lo, hi int) []byte {
	width := d.width()
	dst = append(dst, byte(width))
	return appendHybrid(dst, d.indices[lo:hi], width)
}

// distinct calls fn with the position of each distinct value of [lo, hi).
// marks is scratch with one element per entry, all different from stamp.
func (d *dictionary) distinct(lo, hi int, marks []uint32, stamp uint32, fn func(i int)) {
	for _, entry := range d.indices[lo:hi] {
		if marks[entry] != stamp {
			marks[entry] = stamp
			fn(int(d.first[entry]))
		}
	}
}

// noStamp is a mark that no page uses.
const noStamp = math.MaxUint32
