package lake

import (
	"cmp"
	"strings"
)

// Value is one non-null scalar of a leaf type. Which fields are set depends on
// the Type it belongs to, which is kept beside it:
//
//	boolean                          Int: 0 or 1
//	int8..int64                      Int
//	uint8..uint64                    Uint
//	date                             Int: days since 1970-01-01
//	time, timetz / time_ns           Int: microseconds (in UTC) / nanoseconds since midnight
//	timestamp*                       Int: units of the type since 1970-01-01 (UTC)
//	float32, float64                 Float
//	int128, decimal                  Int: high word, Uint: low word (two's complement, unscaled)
//	uint128                          Uint: low word, Int: high word's bits
//	varchar, json                    Bytes: UTF-8
//	blob                             Bytes
//	uuid                             Bytes: 16 bytes, big endian
//
// Date and timestamp infinities are the extremes of the integer as in DuckDB:
// math.MaxInt64 and -math.MaxInt64 (MaxInt32 for date). interval, variant and
// geometry have no Value.
type Value struct {
	Int   int64
	Uint  uint64
	Float float64
	Bytes string
}

// Compare orders two values of type t as DuckDB does: NaN equals NaN and is
// greater than every number, -0 equals +0, text and blobs are ordered by
// unsigned bytes. It returns -1, 0 or +1.
func Compare(t Type, a, b Value) int {
	switch t.ID {
	case TypeUint8, TypeUint16, TypeUint32, TypeUint64:
		return cmp.Compare(a.Uint, b.Uint)
	case TypeFloat32, TypeFloat64:
		return compareFloat(a.Float, b.Float)
	case TypeInt128, TypeDecimal:
		if c := cmp.Compare(a.Int, b.Int); c != 0 {
			return c
		}
		return cmp.Compare(a.Uint, b.Uint)
	case TypeUint128:
		if c := cmp.Compare(uint64(a.Int), uint64(b.Int)); c != 0 {
			return c
		}
		return cmp.Compare(a.Uint, b.Uint)
	case TypeVarchar, TypeJSON, TypeBlob, TypeUUID:
		return strings.Compare(a.Bytes, b.Bytes)
	default:
		return cmp.Compare(a.Int, b.Int)
	}
}

func compareFloat(a, b float64) int {
	switch aNaN, bNaN := a != a, b != b; {
	case aNaN && bNaN:
		return 0
	case aNaN:
		return 1
	case bNaN:
		return -1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
