package writer

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// decimalTarget is a decimal column that values of another scale go to.
type decimalTarget struct {
	column   lake.Type
	limit    decimal128.Num // the least magnitude that has too many digits before scaling
	factor   decimal128.Num // 10 to the difference of the scales
	scaled   bool
	unsigned bool // uhugeint
}

// newDecimalTarget returns the target for values of the given scale; ok is
// false if digits after the point would be lost.
func newDecimalTarget(to lake.Type, scale int32) (t decimalTarget, ok bool) {
	precision := to.Precision
	if to.ID != lake.TypeDecimal {
		precision = hugeDigits
	}
	up := to.Scale - scale
	if up < 0 || up > hugeDigits {
		return t, false
	}
	return decimalTarget{
		column: to, factor: decimal128.GetScaleMultiplier(int(up)),
		limit:  decimal128.GetScaleMultiplier(int(max(0, precision-up))),
		scaled: up > 0, unsigned: to.ID == lake.TypeUint128,
	}, true
}

// decimalKernel stores integers and decimals. A decimal type of fewer digits
// on each side of the point fits; integers are checked one by one.
func decimalKernel(from arrow.DataType, to lake.Type) kernel {
	if t, ok := from.(arrow.DecimalType); ok {
		precision, scale := t.GetPrecision(), t.GetScale()
		target, ok := newDecimalTarget(to, scale)
		whole := to.Precision - to.Scale
		if to.ID != lake.TypeDecimal {
			whole = hugeDigits
		}
		if !ok || precision-scale > whole {
			return nil
		}
		return target.decimals(from.ID())
	}
	target, ok := newDecimalTarget(to, 0)
	if !ok {
		return nil
	}
	switch from.ID() {
	case arrow.INT8:
		return integersToDecimal[int8](target)
	case arrow.INT16:
		return integersToDecimal[int16](target)
	case arrow.INT32:
		return integersToDecimal[int32](target)
	case arrow.INT64:
		return integersToDecimal[int64](target)
	case arrow.UINT8:
		return integersToDecimal[uint8](target)
	case arrow.UINT16:
		return integersToDecimal[uint16](target)
	case arrow.UINT32:
		return integersToDecimal[uint32](target)
	case arrow.UINT64:
		return integersToDecimal[uint64](target)
	default:
		return nil
	}
}

func integersToDecimal[S integer64](t decimalTarget) kernel {
	signed := rangeOf[S]().signed()
	return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
		return appendDecimals(dst, arrow.GetValues[S](arr.Data(), 1), r, t, func(v S) (decimal128.Num, bool) {
			if signed {
				return decimal128.FromI64(int64(v)), true
			}
			return decimal128.FromU64(uint64(v)), true
		})
	}
}

func (t decimalTarget) decimals(from arrow.Type) kernel {
	switch from {
	case arrow.DECIMAL32:
		return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
			return appendDecimals(dst, arrow.GetValues[int32](arr.Data(), 1), r, t, func(v int32) (decimal128.Num, bool) {
				return decimal128.FromI64(int64(v)), true
			})
		}
	case arrow.DECIMAL64:
		return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
			return appendDecimals(dst, arrow.GetValues[int64](arr.Data(), 1), r, t, func(v int64) (decimal128.Num, bool) {
				return decimal128.FromI64(v), true
			})
		}
	case arrow.DECIMAL128:
		return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
			values := arr.(*array.Decimal128).Values()
			if dst.Leaf.Kind == pqenc.Int64 && !t.scaled {
				return appendNarrowDecimals(dst, values, r, t)
			}
			return appendDecimals(dst, values, r, t, func(v decimal128.Num) (decimal128.Num, bool) { return v, true })
		}
	case arrow.DECIMAL256:
		return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
			values := arr.(*array.Decimal256)
			return appendDecimals(dst, values.Values(), r, t, narrowDecimal256)
		}
	default:
		return nil
	}
}

// appendNarrowDecimals is appendDecimals for the common case of a decimal128
// of at most 18 digits: half the time.
func appendNarrowDecimals(dst *pqenc.Values, src []decimal128.Num, r rows, t decimalTarget) error {
	limit := int64(t.limit.LowBits())
	for i := range r.n {
		at := r.lo + i
		if r.idx != nil {
			at = int(r.idx[i])
		}
		v := int64(src[at].LowBits())
		if src[at].HighBits() != v>>63 || v >= limit || v <= -limit {
			return t.refuse(src[at])
		}
		dst.I64 = append(dst.I64, v)
	}
	return nil
}

func (t decimalTarget) refuse(v decimal128.Num) error {
	if t.unsigned && v.Sign() < 0 {
		return lake.Errorf(lake.KindInvalid, "a negative value does not fit into uint128")
	}
	return lake.Errorf(lake.KindInvalid, "a value does not fit into %s", t.column)
}

// appendDecimals appends the elements r of src, widened by widen and rescaled.
func appendDecimals[S any](dst *pqenc.Values, src []S, r rows, t decimalTarget, widen func(S) (decimal128.Num, bool)) error {
	for i := range r.n {
		at := r.lo + i
		if r.idx != nil {
			at = int(r.idx[i])
		}
		v, ok := widen(src[at])
		if !ok {
			return lake.Errorf(lake.KindInvalid, "a value of more than 38 digits does not fit into %s", t.column)
		}
		// |v| < limit, without Abs, which overflows for the least value.
		if !v.Less(t.limit) || !t.limit.Negate().Less(v) || (t.unsigned && v.Sign() < 0) {
			return t.refuse(v)
		}
		if t.scaled {
			v = v.Mul(t.factor)
		}
		switch dst.Leaf.Kind {
		case pqenc.Int32:
			dst.I32 = append(dst.I32, int32(v.LowBits()))
		case pqenc.Int64:
			dst.I64 = append(dst.I64, int64(v.LowBits()))
		default:
			dst.Data = binary.BigEndian.AppendUint64(dst.Data, uint64(v.HighBits()))
			dst.Data = binary.BigEndian.AppendUint64(dst.Data, v.LowBits())
		}
	}
	return nil
}
