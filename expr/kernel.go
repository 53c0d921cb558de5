package expr

import (
	"cmp"
	"slices"
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/flightlake/flightlake/lake"
)

// compareKernel returns the kernel of column <op> constant. Each kernel
// returns false for an array of a type that the column's type does not have.
func compareKernel(p Compare) kernel {
	op, v := p.Op, p.Value
	return func(arr arrow.Array, out []uint8) bool {
		switch a := arr.(type) {
		case *array.Boolean:
			return compareBool(a, op, v.Int, out)
		case *array.Int8:
			compareInts(a.Int8Values(), op, v.Int, out)
		case *array.Int16:
			compareInts(a.Int16Values(), op, v.Int, out)
		case *array.Int32:
			compareInts(a.Int32Values(), op, v.Int, out)
		case *array.Int64:
			compareOrdered(a.Int64Values(), op, v.Int, out)
		case *array.Uint8:
			compareUints(a.Uint8Values(), op, v.Uint, out)
		case *array.Uint16:
			compareUints(a.Uint16Values(), op, v.Uint, out)
		case *array.Uint32:
			compareUints(a.Uint32Values(), op, v.Uint, out)
		case *array.Uint64:
			compareOrdered(a.Uint64Values(), op, v.Uint, out)
		case *array.Float32:
			compareFloats(a.Float32Values(), op, v.Float, out)
		case *array.Float64:
			compareFloats(a.Float64Values(), op, v.Float, out)
		case *array.Date32:
			compareInts(a.Date32Values(), op, v.Int, out)
		case *array.Time64:
			compareInts(a.Time64Values(), op, v.Int, out)
		case *array.Timestamp:
			compareInts(a.TimestampValues(), op, v.Int, out)
		case *array.Decimal128:
			compareDecimals(a.Values(), p, out)
		case *array.String:
			compareBytes(a.Value, op, v.Bytes, out)
		case *array.Binary:
			compareBytes(binaryBytes(a), op, v.Bytes, out)
		case *array.FixedSizeBinary:
			compareBytes(fixedBytes(a), op, v.Bytes, out)
		default:
			return false
		}
		return true
	}
}

// compareInts widens, so that a constant beyond the column's type compares right.
func compareInts[T ~int8 | ~int16 | ~int32 | ~int64](values []T, op Op, c int64, out []uint8) {
	if int64(T(c)) == c {
		compareOrdered(values, op, T(c), out)
		return
	}
	fill(out, op, cmp.Compare(0, c)) // beyond the type: every value is on one side
}

func compareUints[T ~uint8 | ~uint16 | ~uint32](values []T, op Op, c uint64, out []uint8) {
	if uint64(T(c)) == c {
		compareOrdered(values, op, T(c), out)
		return
	}
	fill(out, op, -1)
}

// fill sets every row to the result of a value that is order (-1, 0, +1) the constant.
func fill(out []uint8, op Op, order int) {
	value := verdict(op, order)
	for i := range out {
		out[i] = value
	}
}

// verdict returns the truth of a op b where order compares a to b.
func verdict(op Op, order int) uint8 {
	var ok bool
	switch op {
	case OpEqual:
		ok = order == 0
	case OpNotEqual:
		ok = order != 0
	case OpLess:
		ok = order < 0
	case OpLessEqual:
		ok = order <= 0
	case OpGreater:
		ok = order > 0
	case OpGreaterEqual:
		ok = order >= 0
	}
	return toTruth(ok)
}

func toTruth(ok bool) uint8 {
	var b uint8
	if ok {
		b = isTrue
	}
	return b
}

// compareOrdered has one loop per operator, without branches inside.
func compareOrdered[T cmp.Ordered](values []T, op Op, c T, out []uint8) {
	out = out[:len(values)]
	switch op {
	case OpEqual:
		for i, v := range values {
			out[i] = toTruth(v == c)
		}
	case OpNotEqual:
		for i, v := range values {
			out[i] = toTruth(v != c)
		}
	case OpLess:
		for i, v := range values {
			out[i] = toTruth(v < c)
		}
	case OpLessEqual:
		for i, v := range values {
			out[i] = toTruth(v <= c)
		}
	case OpGreater:
		for i, v := range values {
			out[i] = toTruth(!(v <= c)) // NaN is greater than every number
		}
	case OpGreaterEqual:
		for i, v := range values {
			out[i] = toTruth(!(v < c))
		}
	}
}

func compareFloats[T ~float32 | ~float64](values []T, op Op, c float64, out []uint8) {
	if c != c {
		for i, v := range values {
			order := -1
			if v != v {
				order = 0
			}
			out[i] = verdict(op, order)
		}
		return
	}
	if float64(T(c)) == c {
		compareOrdered(values, op, T(c), out)
		return
	}
	for i, v := range values { // a double that is no float
		out[i] = verdict(op, lake.Compare(lake.Type{ID: lake.TypeFloat64}, lake.Value{Float: float64(v)}, lake.Value{Float: c}))
	}
}

func compareBool(a *array.Boolean, op Op, c int64, out []uint8) bool {
	onFalse, onTrue := verdict(op, cmp.Compare(0, c)), verdict(op, cmp.Compare(1, c))
	for i := range out {
		if a.Value(i) {
			out[i] = onTrue
		} else {
			out[i] = onFalse
		}
	}
	return true
}

func compareDecimals(values []decimal128.Num, p Compare, out []uint8) {
	for i, v := range values {
		out[i] = verdict(p.Op, lake.Compare(p.Type, decimalValue(v), p.Value))
	}
}

func decimalValue(n decimal128.Num) lake.Value {
	return lake.Value{Int: n.HighBits(), Uint: n.LowBits()}
}

// asString is for reading only, while the array that owns b lives.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func fixedBytes(a *array.FixedSizeBinary) func(int) string {
	return func(i int) string { return asString(a.Value(i)) }
}

func binaryBytes(a *array.Binary) func(int) string {
	return func(i int) string { return asString(a.Value(i)) }
}

func compareBytes(valueFunc func(int) string, op Op, c string, out []uint8) {
	if op == OpEqual || op == OpNotEqual {
		for i := range out {
			out[i] = toTruth((valueFunc(i) == c) == (op == OpEqual))
		}
		return
	}
	for i := range out {
		out[i] = verdict(op, strings.Compare(valueFunc(i), c))
	}
}

// inKernel returns the kernel of column IN (values).
func inKernel(p In) kernel {
	bits := make(map[int64]struct{}, len(p.Values))
	texts := make(map[string]struct{}, len(p.Values))
	floats := make(map[float64]struct{}, len(p.Values)) // -0 and +0 are one key
	hasNaN := false
	for _, v := range p.Values {
		bits[v.Int] = struct{}{}
		texts[v.Bytes] = struct{}{}
		floats[v.Float] = struct{}{}
		hasNaN = hasNaN || v.Float != v.Float
	}
	unsigned := make(map[uint64]struct{}, len(p.Values))
	for _, v := range p.Values {
		unsigned[v.Uint] = struct{}{}
	}
	return func(arr arrow.Array, out []uint8) bool {
		switch a := arr.(type) {
		case *array.Boolean:
			for i := range out {
				_, ok := bits[int64(toTruth(a.Value(i))/isTrue)]
				out[i] = toTruth(ok)
			}
		case *array.Int8:
			inInts(a.Int8Values(), bits, out)
		case *array.Int16:
			inInts(a.Int16Values(), bits, out)
		case *array.Int32:
			inInts(a.Int32Values(), bits, out)
		case *array.Int64:
			inInts(a.Int64Values(), bits, out)
		case *array.Date32:
			inInts(a.Date32Values(), bits, out)
		case *array.Time64:
			inInts(a.Time64Values(), bits, out)
		case *array.Timestamp:
			inInts(a.TimestampValues(), bits, out)
		case *array.Uint8:
			inUints(a.Uint8Values(), unsigned, out)
		case *array.Uint16:
			inUints(a.Uint16Values(), unsigned, out)
		case *array.Uint32:
			inUints(a.Uint32Values(), unsigned, out)
		case *array.Uint64:
			inUints(a.Uint64Values(), unsigned, out)
		case *array.Float32:
			inFloats(a.Float32Values(), floats, hasNaN, out)
		case *array.Float64:
			inFloats(a.Float64Values(), floats, hasNaN, out)
		case *array.Decimal128:
			inDecimals(a.Values(), p, out)
		case *array.String:
			inBytes(a.Value, texts, out)
		case *array.Binary:
			inBytes(binaryBytes(a), texts, out)
		case *array.FixedSizeBinary:
			inBytes(fixedBytes(a), texts, out)
		default:
			return false
		}
		return true
	}
}

func inInts[T ~int8 | ~int16 | ~int32 | ~int64](values []T, set map[int64]struct{}, out []uint8) {
	for i, v := range values {
		_, ok := set[int64(v)]
		out[i] = toTruth(ok)
	}
}

func inUints[T ~uint8 | ~uint16 | ~uint32 | ~uint64](values []T, set map[uint64]struct{}, out []uint8) {
	for i, v := range values {
		_, ok := set[uint64(v)]
		out[i] = toTruth(ok)
	}
}

func inFloats[T ~float32 | ~float64](values []T, set map[float64]struct{}, hasNaN bool, out []uint8) {
	for i, v := range values {
		_, ok := set[float64(v)]
		out[i] = toTruth(ok || hasNaN && v != v)
	}
}

func inDecimals(values []decimal128.Num, p In, out []uint8) {
	for i, v := range values {
		_, ok := slices.BinarySearchFunc(p.Values, decimalValue(v), func(a, b lake.Value) int {
			return lake.Compare(p.Type, a, b)
		})
		out[i] = toTruth(ok)
	}
}

func inBytes(valueFunc func(int) string, set map[string]struct{}, out []uint8) {
	for i := range out {
		_, ok := set[valueFunc(i)]
		out[i] = toTruth(ok)
	}
}
