package writer

import (
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// kernel appends the elements r of arr, which all exist and are not NULL, to
// the values of a leaf.
//
// Errors: KindInvalid for a value that the column cannot hold.
type kernel func(dst *pqenc.Values, arr arrow.Array, r rows) error

// storageOf returns the plain type under extension types, dictionaries and
// run-end encodings.
func storageOf(t arrow.DataType) arrow.DataType {
	for {
		switch inner := t.(type) {
		case arrow.ExtensionType:
			t = inner.StorageType()
		case *arrow.DictionaryType:
			t = inner.ValueType
		case *arrow.RunEndEncodedType:
			t = inner.Encoded()
		default:
			return t
		}
	}
}

// kernelFor returns the kernel that stores values of a plain Arrow type as
// values of a column type without loss, or nil if there is none. Whether a
// value fits is decided by type, but for integers in narrower integers and in
// decimals, units of time, and texts: these are checked value by value.
func kernelFor(from arrow.DataType, to lake.Type) kernel {
	switch to.ID {
	case lake.TypeBoolean:
		if from.ID() == arrow.BOOL {
			return appendBooleans
		}
	case lake.TypeInt8, lake.TypeInt16, lake.TypeInt32, lake.TypeInt64,
		lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64:
		return integerKernel(from, to)
	case lake.TypeInt128, lake.TypeUint128, lake.TypeDecimal:
		return decimalKernel(from, to)
	case lake.TypeFloat32, lake.TypeFloat64:
		return floatKernel(from, to)
	case lake.TypeDate, lake.TypeTime, lake.TypeTimeNS, lake.TypeTimeTZ, lake.TypeTimestampS,
		lake.TypeTimestampMS, lake.TypeTimestamp, lake.TypeTimestampNS, lake.TypeTimestampTZ:
		return temporalKernel(from, to)
	case lake.TypeInterval:
		return intervalKernel(from)
	case lake.TypeVarchar, lake.TypeJSON, lake.TypeBlob:
		return textKernel(from, to)
	case lake.TypeUUID:
		return uuidKernel(from)
	default:
	}
	return nil
}

type integer64 interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

type number interface {
	integer64 | float32 | float64
}

// convert appends the elements r of src, converted by Go's rules.
func convert[S, D number](dst []D, src []S, r rows) []D {
	at := len(dst)
	dst = slices.Grow(dst, r.n)[:at+r.n]
	out := dst[at:]
	if r.idx != nil {
		for i, j := range r.idx {
			out[i] = D(src[j])
		}
		return dst
	}
	src = src[r.lo : r.lo+r.n]
	if same, ok := any(src).([]D); ok {
		copy(out, same)
		return dst
	}
	for i, v := range src {
		out[i] = D(v)
	}
	return dst
}

func appendBooleans(dst *pqenc.Values, arr arrow.Array, r rows) error {
	values := arr.(*array.Boolean) // kernelFor chose by type
	for i := range r.n {
		at := r.lo + i
		if r.idx != nil {
			at = int(r.idx[i])
		}
		bit := uint8(0)
		if values.Value(at) {
			bit = 1
		}
		dst.Bools = append(dst.Bools, bit)
	}
	return nil
}

// integerRange holds the limits of an integer type, in which the smallest value
// of a signed type is in two's complement.
type integerRange struct {
	low, high uint64
	bits      int
}

func signedRange(bits int) integerRange {
	return integerRange{low: ^uint64(0) << (bits - 1), high: 1<<(bits-1) - 1, bits: bits}
}

func unsignedRange(bits int) integerRange {
	return integerRange{high: ^uint64(0) >> (64 - bits), bits: bits}
}

func (r integerRange) signed() bool { return r.low != 0 }

// shared returns the values of r that outer holds, and whether these are all.
func (r integerRange) shared(outer integerRange) (values integerRange, all bool) {
	values = integerRange{low: r.low, high: min(r.high, outer.high), bits: r.bits}
	if int64(values.low) < int64(outer.low) {
		values.low = outer.low
	}
	return values, values == r
}

func integerRangeOf(id lake.TypeID) (integerRange, bool) {
	switch id {
	case lake.TypeInt8:
		return signedRange(8), true
	case lake.TypeInt16:
		return signedRange(16), true
	case lake.TypeInt32:
		return signedRange(32), true
	case lake.TypeInt64:
		return signedRange(64), true
	case lake.TypeUint8:
		return unsignedRange(8), true
	case lake.TypeUint16:
		return unsignedRange(16), true
	case lake.TypeUint32:
		return unsignedRange(32), true
	case lake.TypeUint64:
		return unsignedRange(64), true
	default:
		return integerRange{}, false
	}
}

func rangeOf[S integer64]() integerRange {
	var zero S
	bits := int(unsafe.Sizeof(zero)) * 8
	if zero-1 < zero {
		return signedRange(bits)
	}
	return unsignedRange(bits)
}

// within reports whether the elements r of src are all values of a range.
func within[S integer64](src []S, r rows, values integerRange) bool {
	low, span := values.low, values.high-values.low // a value below low wraps to one above span
	if r.idx != nil {
		for _, j := range r.idx {
			if uint64(src[j])-low > span {
				return false
			}
		}
		return true
	}
	for _, v := range src[r.lo : r.lo+r.n] {
		if uint64(v)-low > span {
			return false
		}
	}
	return true
}

func integerKernel(from arrow.DataType, to lake.Type) kernel {
	switch from.ID() {
	case arrow.INT8:
		return integersFrom[int8](to)
	case arrow.INT16:
		return integersFrom[int16](to)
	case arrow.INT32:
		return integersFrom[int32](to)
	case arrow.INT64:
		return integersFrom[int64](to)
	case arrow.UINT8:
		return integersFrom[uint8](to)
	case arrow.UINT16:
		return integersFrom[uint16](to)
	case arrow.UINT32:
		return integersFrom[uint32](to)
	case arrow.UINT64:
		return integersFrom[uint64](to)
	default:
		return nil
	}
}

// integersFrom checks the values only if the column does not hold all of S.
func integersFrom[S integer64](to lake.Type) kernel {
	target, ok := integerRangeOf(to.ID)
	if !ok {
		return nil
	}
	shared, all := rangeOf[S]().shared(target)
	return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
		values := arrow.GetValues[S](arr.Data(), 1)
		if !all && !within(values, r, shared) {
			return lake.Errorf(lake.KindInvalid, "a value is out of the range of %s", to)
		}
		if target.bits <= 32 {
			dst.I32 = convert(dst.I32, values, r)
		} else {
			dst.I64 = convert(dst.I64, values, r)
		}
		return nil
	}
}

// floatKernel holds integers too where a float holds all of them.
func floatKernel(from arrow.DataType, to lake.Type) kernel {
	double := to.ID == lake.TypeFloat64
	switch from.ID() {
	case arrow.FLOAT16:
		return appendHalves
	case arrow.FLOAT32:
		return floatsFrom[float32](double)
	case arrow.FLOAT64:
		if double {
			return floatsFrom[float64](double)
		}
	case arrow.INT8:
		return floatsFrom[int8](double)
	case arrow.INT16:
		return floatsFrom[int16](double)
	case arrow.UINT8:
		return floatsFrom[uint8](double)
	case arrow.UINT16:
		return floatsFrom[uint16](double)
	case arrow.INT32:
		if double {
			return floatsFrom[int32](double)
		}
	case arrow.UINT32:
		if double {
			return floatsFrom[uint32](double)
		}
	default:
	}
	return nil
}

func floatsFrom[S number](double bool) kernel {
	return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
		values := arrow.GetValues[S](arr.Data(), 1)
		if double {
			dst.F64 = convert(dst.F64, values, r)
		} else {
			dst.F32 = convert(dst.F32, values, r)
		}
		return nil
	}
}

func appendHalves(dst *pqenc.Values, arr arrow.Array, r rows) error {
	values := arr.(*array.Float16) // kernelFor chose by type
	for i := range r.n {
		at := r.lo + i
		if r.idx != nil {
			at = int(r.idx[i])
		}
		f := lake.HalfToFloat(values.Value(at))
		if dst.Leaf.Kind == pqenc.Float64 {
			dst.F64 = append(dst.F64, float64(f))
		} else {
			dst.F32 = append(dst.F32, f)
		}
	}
	return nil
}
