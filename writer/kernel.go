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
// value fits is decided by type, but for units of time, digits of integers in
// decimals, and texts: these are checked value by value.
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
	values := arr.(*array.Boolean) //nolint:forcetypeassert // kernelFor chose by type
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

// integerRange describes an integer type.
type integerRange struct {
	bits   int
	signed bool
}

func (outer integerRange) holds(inner integerRange) bool {
	switch {
	case outer.signed == inner.signed:
		return outer.bits >= inner.bits
	case outer.signed:
		return outer.bits > inner.bits
	}
	return false
}

func integerRangeOf(id lake.TypeID) (integerRange, bool) {
	switch id {
	case lake.TypeInt8:
		return integerRange{8, true}, true
	case lake.TypeInt16:
		return integerRange{16, true}, true
	case lake.TypeInt32:
		return integerRange{32, true}, true
	case lake.TypeInt64:
		return integerRange{64, true}, true
	case lake.TypeUint8:
		return integerRange{8, false}, true
	case lake.TypeUint16:
		return integerRange{16, false}, true
	case lake.TypeUint32:
		return integerRange{32, false}, true
	case lake.TypeUint64:
		return integerRange{64, false}, true
	default:
		return integerRange{}, false
	}
}

func rangeOf[S integer64]() integerRange {
	var zero S
	return integerRange{bits: int(unsafe.Sizeof(zero)) * 8, signed: zero-1 < zero}
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

func integersFrom[S integer64](to lake.Type) kernel {
	target, ok := integerRangeOf(to.ID)
	if !ok || !target.holds(rangeOf[S]()) {
		return nil
	}
	if target.bits <= 32 {
		return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
			dst.I32 = convert(dst.I32, arrow.GetValues[S](arr.Data(), 1), r)
			return nil
		}
	}
	return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
		dst.I64 = convert(dst.I64, arrow.GetValues[S](arr.Data(), 1), r)
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
	values := arr.(*array.Float16) //nolint:forcetypeassert // kernelFor chose by type
	for i := range r.n {
		at := r.lo + i
		if r.idx != nil {
			at = int(r.idx[i])
		}
		f := values.Value(at).Float32()
		if dst.Leaf.Kind == pqenc.Float64 {
			dst.F64 = append(dst.F64, float64(f))
		} else {
			dst.F32 = append(dst.F32, f)
		}
	}
	return nil
}
