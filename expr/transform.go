package expr

import (
	"encoding/binary"
	"math"

	"github.com/twmb/murmur3"

	"github.com/flightlake/flightlake/lake"
)

// TransformType returns the type of the partition values that f makes of a
// column of type t.
func TransformType(f lake.PartitionField, t lake.Type) lake.Type {
	switch f.Transform {
	case lake.TransformIdentity:
		return t
	case lake.TransformBucket:
		return lake.Type{ID: lake.TypeInt32}
	case lake.TransformYear, lake.TransformMonth, lake.TransformDay, lake.TransformHour:
		return lake.Type{ID: lake.TypeInt64}
	}
	return lake.Type{}
}

// ApplyTransform returns the partition value of a non-null value of type t. It
// returns false if the result is NULL, as for the year of an infinite date, or
// if the transform does not apply to the type.
func ApplyTransform(f lake.PartitionField, t lake.Type, v lake.Value) (lake.Value, bool) {
	switch f.Transform {
	case lake.TransformIdentity:
		return v, ordered(t)
	case lake.TransformBucket:
		if f.Buckets <= 0 {
			return lake.Value{}, false
		}
		hash, ok := bucketHash(t, v)
		return lake.Value{Int: int64(hash&math.MaxInt32) % int64(f.Buckets)}, ok
	case lake.TransformYear, lake.TransformMonth, lake.TransformDay, lake.TransformHour:
	}
	if t.ID == lake.TypeTime {
		return lake.Value{Int: v.Int / microsPerHour}, f.Transform == lake.TransformHour
	}
	if t.ID == lake.TypeTimestampNS && !infinite(t, v) {
		v.Int -= v.Int % nanosPerMicro
	}
	c, ok := civilOf(t, v)
	if !ok {
		return lake.Value{}, false
	}
	switch f.Transform {
	case lake.TransformYear:
		return lake.Value{Int: c.year}, true
	case lake.TransformMonth:
		return lake.Value{Int: c.month}, true
	case lake.TransformDay:
		return lake.Value{Int: c.day}, true
	case lake.TransformHour:
		return lake.Value{Int: c.nanos / nanosPerHour}, true
	default:
		return lake.Value{}, false
	}
}

// nanosPerMicro is the grain to which DuckDB cuts nanoseconds, towards 1970,
// before it takes the calendar's parts of them.
const nanosPerMicro = 1_000

// microsPerHour are the units of TIME in an hour; 24:00 is in the hour 24.
const microsPerHour = 3_600_000_000

// bucketHash is the Murmur3 hash that DuckLake computes (specification,
// ducklake_partition_column): signed integers, and types held as such, are
// hashed as 8 little-endian bytes, floats as the bits of a double without
// negative zero and with one NaN, text and blobs as their bytes, and all other types as the
// text that DuckDB casts them to.
func bucketHash(t lake.Type, v lake.Value) (uint32, bool) {
	switch t.ID {
	case lake.TypeBoolean, lake.TypeInt8, lake.TypeInt16, lake.TypeInt32, lake.TypeInt64,
		lake.TypeDate, lake.TypeTime, lake.TypeTimeNS, lake.TypeTimestampS, lake.TypeTimestampMS,
		lake.TypeTimestamp, lake.TypeTimestampNS, lake.TypeTimestampTZ:
		return hashInt(v.Int), true
	case lake.TypeFloat32, lake.TypeFloat64:
		switch f := v.Float; {
		case f == 0:
			return hashInt(0), true // not the bits of -0
		case math.IsNaN(f):
			return hashInt(quietNaN), true
		default:
			return hashInt(int64(math.Float64bits(f))), true
		}
	case lake.TypeDecimal:
		if t.Precision <= decimalDigitsInt64 {
			return hashInt(int64(v.Uint)), true
		}
		return murmur3.StringSum32(FormatValue(t, v)), true
	case lake.TypeVarchar, lake.TypeJSON, lake.TypeBlob:
		return murmur3.StringSum32(v.Bytes), true
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64,
		lake.TypeInt128, lake.TypeUint128, lake.TypeUUID:
		return murmur3.StringSum32(FormatValue(t, v)), true
	default:
		return 0, false // timetz is hashed with its offset, which is not kept
	}
}

// quietNaN holds the bits of the NaN that DuckDB makes.
const quietNaN = 0x7FF8000000000000

// decimalDigitsInt64 is the largest precision of a decimal that DuckDB holds
// in 64 bits.
const decimalDigitsInt64 = 18

func hashInt(i int64) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(i))
	return murmur3.Sum32(b[:])
}
