package planner

import (
	"github.com/apache/arrow-go/v18/arrow/array"

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
// lake.Column.ArrowType. It panics for a type that appendable refuses.
func appendValue(b array.Builder, v *lake.Value) {
	if v == nil {
		b.AppendNull()
		return
	}
	if err := lake.AppendValue(b, *v); err != nil {
		panic(err) // appendable was not asked
	}
}
