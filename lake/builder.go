package lake

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// AppendValue appends one value of a leaf type to a builder of its Arrow type
// (Column.ArrowType).
//
// Errors: KindInternal for a builder of a type that no Value has.
func AppendValue(b array.Builder, v Value) error {
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
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.Int))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v.Int))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Int))
	case *array.Decimal128Builder:
		b.Append(decimal128.New(v.Int, v.Uint))
	case *array.StringBuilder:
		b.Append(v.Bytes)
	case *array.BinaryBuilder:
		b.Append([]byte(v.Bytes))
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte(v.Bytes))
	case interface{ StorageBuilder() array.Builder }: // uuid and json
		return AppendValue(b.StorageBuilder(), v)
	default:
		return Errorf(KindInternal, "no value of Arrow type %s can be made", b.Type())
	}
	return nil
}
