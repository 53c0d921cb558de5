package pqenc

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/flightlake/flightlake/lake"
)

// BoundLimit is the most bytes that a bound of text or of a blob keeps; longer
// values are cut to a prefix, and the maximum's prefix is incremented.
const BoundLimit = 64

// bounds are the least and greatest of some values of a leaf, exactly. Text
// and blobs are borrowed from Values.
type bounds struct {
	has        bool
	number     lake.Value // least, for every Kind but Bytes and uuid
	numberMax  lake.Value
	least      []byte // for Bytes and uuid
	greatest   []byte
	nans       int64
	negZero    bool // a float that is -0 occurs
	comparable bool // the type has an order
}

// ordered reports whether values of the leaf have an order, and so bounds.
func ordered(l *Leaf) bool {
	switch l.Type.ID {
	case lake.TypeInterval, lake.TypeVariant, lake.TypeGeometry, lake.TypeInvalid:
		return false
	default:
		return true
	}
}

// byBytes reports whether bounds of the leaf are ordered by unsigned bytes.
func byBytes(l *Leaf) bool {
	return l.Kind == Bytes || (l.Kind == Fixed && l.Type.ID == lake.TypeUUID)
}

// boundsOf returns the bounds of values [lo, hi) of v: those of the page that
// follows the pages of the chunk. If d is not nil, its indices encode the values.
func (e *Encoder) boundsOf(v *Values, d *dictionary, lo, hi int) bounds {
	b := bounds{comparable: ordered(v.Leaf)}
	if lo >= hi || !b.comparable {
		return b
	}
	switch {
	case byBytes(v.Leaf) && d != nil:
		d.distinct(lo, hi, e.marks, uint32(len(e.chunk.pages)), func(i int) { b.addBytes(v.value(i)) })
	case byBytes(v.Leaf):
		for i := lo; i < hi; i++ {
			b.addBytes(v.value(i))
		}
	case v.Leaf.Kind == Fixed:
		b.addWide(v, lo, hi)
	case v.Leaf.Kind == Float32:
		addFloats(&b, v.F32[lo:hi])
	case v.Leaf.Kind == Float64:
		addFloats(&b, v.F64[lo:hi])
	default:
		b.addIntegers(v, lo, hi)
	}
	return b
}

func (b *bounds) addBytes(value []byte) {
	if !b.has {
		b.has, b.least, b.greatest = true, value, value
		return
	}
	switch {
	case bytes.Compare(value, b.least) < 0:
		b.least = value
	case bytes.Compare(value, b.greatest) > 0:
		b.greatest = value
	}
}

func leastGreatest[T uint8 | int32 | uint32 | int64 | uint64](values []T) (least, greatest T) {
	least, greatest = values[0], values[0]
	for _, v := range values {
		least = min(least, v)
		greatest = max(greatest, v)
	}
	return least, greatest
}

func (b *bounds) addIntegers(v *Values, lo, hi int) {
	b.has = true
	unsigned := false
	switch v.Leaf.Type.ID {
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64:
		unsigned = true
	default:
	}
	switch v.Leaf.Kind {
	case Bool:
		least, greatest := leastGreatest(v.Bools[lo:hi])
		b.number.Int, b.numberMax.Int = int64(least), int64(greatest)
	case Int32:
		if unsigned {
			least, greatest := leastGreatest(asUint32(v.I32[lo:hi]))
			b.number.Uint, b.numberMax.Uint = uint64(least), uint64(greatest)
			return
		}
		least, greatest := leastGreatest(v.I32[lo:hi])
		b.number.Int, b.numberMax.Int = int64(least), int64(greatest)
	default:
		if unsigned {
			least, greatest := leastGreatest(asUint64(v.I64[lo:hi]))
			b.number.Uint, b.numberMax.Uint = least, greatest
			return
		}
		b.number.Int, b.numberMax.Int = leastGreatest(v.I64[lo:hi])
	}
	if v.Leaf.Type.ID == lake.TypeDecimal {
		b.number, b.numberMax = wide(b.number.Int), wide(b.numberMax.Int)
	}
}

// wide returns a decimal's Value of 128 bits.
func wide(v int64) lake.Value { return lake.Value{Int: v >> 63, Uint: uint64(v)} }

// addWide adds integers of 128 bits, big endian.
func (b *bounds) addWide(v *Values, lo, hi int) {
	for i := lo; i < hi; i++ {
		raw := v.value(i)
		value := lake.Value{Int: int64(binary.BigEndian.Uint64(raw)), Uint: binary.BigEndian.Uint64(raw[8:])}
		if !b.has {
			b.has, b.number, b.numberMax = true, value, value
			continue
		}
		if lessWide(value, b.number) {
			b.number = value
		}
		if lessWide(b.numberMax, value) {
			b.numberMax = value
		}
	}
}

func lessWide(a, b lake.Value) bool {
	return a.Int < b.Int || (a.Int == b.Int && a.Uint < b.Uint)
}

func addFloats[T float32 | float64](b *bounds, values []T) {
	least, greatest := T(math.Inf(1)), T(math.Inf(-1))
	var nans, zeros int64
	for _, v := range values {
		if v != v {
			nans++
			continue
		}
		if v < least {
			least = v
		}
		if v > greatest {
			greatest = v
		}
		if v == 0 && math.Signbit(float64(v)) {
			zeros++
		}
	}
	b.nans = nans
	b.negZero = zeros > 0
	if nans < int64(len(values)) {
		b.has = true
		// +0 stands for both zeros.
		b.number.Float, b.numberMax.Float = float64(least)+0, float64(greatest)+0
	}
}

// merge adds the bounds of other values of the same leaf.
func (b *bounds) merge(l *Leaf, o *bounds) {
	b.comparable = o.comparable
	b.nans += o.nans
	b.negZero = b.negZero || o.negZero
	if !o.has {
		return
	}
	if !b.has {
		nans, negZero := b.nans, b.negZero
		*b = *o
		b.nans, b.negZero = nans, negZero
		return
	}
	if byBytes(l) {
		b.addBytes(o.least)
		b.addBytes(o.greatest)
		return
	}
	if lake.Compare(l.Type, o.number, b.number) < 0 {
		b.number = o.number
	}
	if lake.Compare(l.Type, o.numberMax, b.numberMax) > 0 {
		b.numberMax = o.numberMax
	}
}

// text reports whether values of the leaf are UTF-8.
func text(l *Leaf) bool {
	return l.Type.ID == lake.TypeVarchar || l.Type.ID == lake.TypeJSON
}

// values returns the bounds as the catalog keeps them: nil where a bound is not
// known, cut to BoundLimit, and whether each is a value that occurs.
func (b *bounds) values(l *Leaf) (least, greatest *lake.Value, leastExact, greatestExact bool) {
	if !b.has {
		return nil, nil, false, false
	}
	if !byBytes(l) {
		low, high := b.number, b.numberMax
		// min and max of a column that holds -0 are not known to the sign.
		return &low, &high, !b.negZero || low.Float != 0, !b.negZero || high.Float != 0
	}
	low, exact := CutLeast(b.least, text(l))
	least, leastExact = &lake.Value{Bytes: string(low)}, exact
	if high, exact, ok := CutGreatest(b.greatest, text(l)); ok {
		greatest, greatestExact = &lake.Value{Bytes: string(high)}, exact
	}
	return least, greatest, leastExact, greatestExact
}

// CutLeast returns a lower bound of at most BoundLimit bytes for value, at a
// rune boundary if it is text, and whether it is value itself. The result
// shares the memory of value.
func CutLeast(value []byte, text bool) (bound []byte, exact bool) {
	if len(value) <= BoundLimit {
		return value, true
	}
	end := BoundLimit
	for text && end > 0 && !utf8.RuneStart(value[end]) {
		end--
	}
	return value[:end], false
}

// CutGreatest returns an upper bound of about BoundLimit bytes for value, valid
// UTF-8 if it is text, and whether it is value itself. ok is false if there is
// none: a prefix of 0xFF bytes, or of the last rune, has no successor.
func CutGreatest(value []byte, text bool) (bound []byte, exact, ok bool) {
	prefix, exact := CutLeast(value, text)
	if exact {
		return value, true, true
	}
	if text {
		bound, ok = nextText(prefix)
	} else {
		bound, ok = nextBytes(prefix)
	}
	return bound, false, ok
}

func nextBytes(prefix []byte) ([]byte, bool) {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != math.MaxUint8 {
			next := bytes.Clone(prefix[:i+1])
			next[i]++
			return next, true
		}
	}
	return nil, false
}

// nextText increments the last rune that has a successor. Runes are ordered as
// their UTF-8 is.
func nextText(prefix []byte) ([]byte, bool) {
	for end := len(prefix); end > 0; {
		r, size := utf8.DecodeLastRune(prefix[:end])
		if r == utf8.RuneError && size <= 1 {
			return nil, false
		}
		start := end - size
		if r < utf8.MaxRune {
			r++
			if r == surrogateFirst {
				r = surrogateLast + 1
			}
			return utf8.AppendRune(bytes.Clone(prefix[:start]), r), true
		}
		end = start
	}
	return nil, false
}

// Surrogates are not runes: UTF-8 has none.
const (
	surrogateFirst = 0xD800
	surrogateLast  = 0xDFFF
)
