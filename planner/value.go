package planner

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/flightlake/flightlake/lake"
)

// appendable reports whether appendValue knows the type.
func appendable(t lake.Type) bool {
	switch t.ID {
	case lake.TypeBoolean, lake.TypeInt8, lake.TypeInt16, lake.TypeInt32, lake.TypeInt64, lake.TypeInt128,
		lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64,
		lake.TypeFloat32, lake.TypeFloat64, lake.TypeDecimal, lake.TypeDate, lake.TypeTime, lake.TypeTimeNS,
		lake.TypeTimestampS, lake.TypeTimestampMS, lake.TypeTimestamp, lake.TypeTimestampNS, lake.TypeTimestampTZ,
		lake.TypeVarchar, lake.TypeBlob:
		return true
	default:
		return false
	}
}

// appendValue appends v, or NULL if it is nil, to a builder of
// lake.Column.ArrowType.
func appendValue(b array.Builder, t lake.Type, v *lake.Value) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.Int != 0)
	case *array.Int8Builder:
		b.Append(int8(v.Int))
	case *array.Int16Builder:
		b.Append(int16(v.Int))
	case *array.Int32Builder:
		b.Append(int32(v.Int))
	case *array.Int64Builder:
		b.Append(v.Int)
	case *array.Uint8Builder:
		b.Append(uint8(v.Uint))
	case *array.Uint16Builder:
		b.Append(uint16(v.Uint))
	case *array.Uint32Builder:
		b.Append(uint32(v.Uint))
	case *array.Uint64Builder:
		b.Append(v.Uint)
	case *array.Float32Builder:
		b.Append(float32(v.Float))
	case *array.Float64Builder:
		b.Append(v.Float)
	case *array.Decimal128Builder:
		b.Append(decimal128.New(v.Int, v.Uint))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.Int))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v.Int))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Int))
	case *array.StringBuilder:
		b.Append(v.Bytes)
	case *array.BinaryBuilder:
		b.Append([]byte(v.Bytes))
	default:
		panic("planner: no builder for " + t.String()) // appendable was not asked
	}
}
