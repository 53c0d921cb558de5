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

// inKernel returns the kernel of column IN (values), with the set that the
// column's type needs.
func inKernel(p In) kernel {
	switch p.Type.ID {
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64:
		return inUnsigned(setOf(p.Values, func(v lake.Value) uint64 { return v.Uint }))
	case lake.TypeFloat32, lake.TypeFloat64:
		hasNaN := slices.ContainsFunc(p.Values, func(v lake.Value) bool { return v.Float != v.Float })
		return inFloats(setOf(p.Values, func(v lake.Value) float64 { return v.Float }), hasNaN)
	case lake.TypeInt128, lake.TypeUint128, lake.TypeDecimal:
		return inDecimals(p)
	case lake.TypeVarchar, lake.TypeJSON, lake.TypeBlob, lake.TypeUUID:
		return inBytes(setOf(p.Values, func(v lake.Value) string { return v.Bytes }))
	default: // booleans, signed integers, dates and times
		return inSigned(setOf(p.Values, func(v lake.Value) int64 { return v.Int }))
	}
}

func setOf[K comparable](values []lake.Value, keyFunc func(lake.Value) K) map[K]struct{} {
	set := make(map[K]struct{}, len(values))
	for _, v := range values {
		set[keyFunc(v)] = struct{}{}
	}
	return set
}

func inSigned(set map[int64]struct{}) kernel {
	return func(arr arrow.Array, out []uint8) bool {
		switch a := arr.(type) {
		case *array.Boolean:
			for i := range out {
				_, ok := set[int64(toTruth(a.Value(i))/isTrue)]
				out[i] = toTruth(ok)
			}
		case *array.Int8:
			lookUpSigned(a.Int8Values(), set, out)
		case *array.Int16:
			lookUpSigned(a.Int16Values(), set, out)
		case *array.Int32:
			lookUpSigned(a.Int32Values(), set, out)
		case *array.Int64:
			lookUpSigned(a.Int64Values(), set, out)
		case *array.Date32:
			lookUpSigned(a.Date32Values(), set, out)
		case *array.Time64:
			lookUpSigned(a.Time64Values(), set, out)
		case *array.Timestamp:
			lookUpSigned(a.TimestampValues(), set, out)
		default:
			return false
		}
		return true
	}
}

func inUnsigned(set map[uint64]struct{}) kernel {
	return func(arr arrow.Array, out []uint8) bool {
		switch a := arr.(type) {
		case *array.Uint8:
			lookUpUnsigned(a.Uint8Values(), set, out)
		case *array.Uint16:
			lookUpUnsigned(a.Uint16Values(), set, out)
		case *array.Uint32:
			lookUpUnsigned(a.Uint32Values(), set, out)
		case *array.Uint64:
			lookUpUnsigned(a.Uint64Values(), set, out)
		default:
			return false
		}
		return true
	}
}

// inFloats relies on -0 and +0 being one key of a map; a NaN is none.
func inFloats(set map[float64]struct{}, hasNaN bool) kernel {
	return func(arr arrow.Array, out []uint8) bool {
		switch a := arr.(type) {
		case *array.Float32:
			lookUpFloats(a.Float32Values(), set, hasNaN, out)
		case *array.Float64:
			lookUpFloats(a.Float64Values(), set, hasNaN, out)
		default:
			return false
		}
		return true
	}
}

func inDecimals(p In) kernel {
	order := func(a, b lake.Value) int { return lake.Compare(p.Type, a, b) }
	return func(arr arrow.Array, out []uint8) bool {
		a, ok := arr.(*array.Decimal128)
		if !ok {
			return false
		}
		for i, v := range a.Values() {
			_, found := slices.BinarySearchFunc(p.Values, decimalValue(v), order)
			out[i] = toTruth(found)
		}
		return true
	}
}

func inBytes(set map[string]struct{}) kernel {
	return func(arr arrow.Array, out []uint8) bool {
		var valueFunc func(int) string
		switch a := arr.(type) {
		case *array.String:
			valueFunc = a.Value
		case *array.Binary:
			valueFunc = binaryBytes(a)
		case *array.FixedSizeBinary:
			valueFunc = fixedBytes(a)
		default:
			return false
		}
		for i := range out {
			_, ok := set[valueFunc(i)]
			out[i] = toTruth(ok)
		}
		return true
	}
}

func lookUpSigned[T ~int8 | ~int16 | ~int32 | ~int64](values []T, set map[int64]struct{}, out []uint8) {
	for i, v := range values {
		_, ok := set[int64(v)]
		out[i] = toTruth(ok)
	}
}

func lookUpUnsigned[T ~uint8 | ~uint16 | ~uint32 | ~uint64](values []T, set map[uint64]struct{}, out []uint8) {
	for i, v := range values {
		_, ok := set[uint64(v)]
		out[i] = toTruth(ok)
	}
}

func lookUpFloats[T ~float32 | ~float64](values []T, set map[float64]struct{}, hasNaN bool, out []uint8) {
	for i, v := range values {
		_, ok := set[float64(v)]
		out[i] = toTruth(ok || hasNaN && v != v)
	}
}
