package writer_test

import (
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// TestPartitionValuesAreThoseThatPruningComputes writes random values of every
// type by every transform, and prunes their file by predicates that hold.
func TestPartitionValuesAreThoseThatPruningComputes(t *testing.T) {
	t.Parallel()
	types := []string{
		"boolean", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "int128", "uint128",
		"float32", "float64", "decimal(4,1)", "decimal(18,3)", "decimal(38,5)", "date", "time", "time_ns",
		"timestamp_s", "timestamp_ms", "timestamp", "timestamp_ns", "timestamptz", "varchar", "blob", "uuid",
	}
	transforms := []lake.Transform{
		lake.TransformIdentity, lake.TransformBucket, lake.TransformYear, lake.TransformMonth, lake.TransformDay, lake.TransformHour,
	}
	for _, name := range types {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			col := number(column(t, "c", name))[0]
			rapid.Check(t, func(rt *rapid.T) {
				f := lake.PartitionField{Column: col.ID, Transform: rapid.SampledFrom(transforms).Draw(rt, "transform")}
				if f.Transform == lake.TransformBucket {
					f.Buckets = math.MaxInt32 // so many that equal buckets mean equal hashes
				}
				spec := &lake.PartitionSpec{ID: 5, Fields: []lake.PartitionField{f}}
				if writeNothing(t, []lake.Column{col}, f) != nil {
					return
				}
				values, v := drawStored(rt, &col)
				written := partitionValue(t, col, values, f)
				want, ok := expr.ApplyTransform(f, col.Type, v)
				require.Equal(rt, ok, written != nil, "%v of %v", f, values)
				if ok {
					require.Zero(rt, lake.Compare(expr.TransformType(f, col.Type), want, *written), "%v of %v", f, values)
				}
				part := expr.NewPartition(spec, []*lake.Value{written}, 1, func(lake.FieldID) (lake.Type, bool) { return col.Type, true })
				for _, op := range []expr.Op{expr.OpEqual, expr.OpLessEqual, expr.OpGreaterEqual} {
					p := expr.Compare{Field: col.ID, Type: col.Type, Op: op, Value: v}
					require.True(rt, expr.CanMatch(p, part), "%s of %v by %v", expr.Format(p, []lake.Column{col}), values, f)
				}
			})
		})
	}
}

// drawStored returns one random value of a column, as Arrow and as a Value.
// Moments are often near 1970, where rounding goes wrong.
func drawStored(t *rapid.T, c *lake.Column) (arrow.Array, lake.Value) {
	b := array.NewBuilder(memory.DefaultAllocator, c.ArrowType())
	defer b.Release()
	limit := int64(math.MaxInt64)
	switch c.Type.ID {
	case lake.TypeTime, lake.TypeTimeNS:
		limit = 86_400_000_000
	case lake.TypeTimestampS, lake.TypeTimestampMS:
		limit = 200_000_000_000
	case lake.TypeDecimal:
		limit = 9999
	default:
	}
	low := -limit
	if c.Type.ID == lake.TypeTime || c.Type.ID == lake.TypeTimeNS {
		low = 0
	}
	n := rapid.OneOf(rapid.Int64Range(max(low, -2000), min(limit, 2000)), rapid.Int64Range(low, limit)).Draw(t, "n")
	text := rapid.StringN(0, 5, -1).Draw(t, "text")
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(n&1 == 1)
		return b.NewArray(), lake.Value{Int: n & 1}
	case *array.Int8Builder:
		b.Append(int8(n))
		return b.NewArray(), lake.Value{Int: int64(int8(n))}
	case *array.Int16Builder:
		b.Append(int16(n))
		return b.NewArray(), lake.Value{Int: int64(int16(n))}
	case *array.Int32Builder:
		b.Append(int32(n))
		return b.NewArray(), lake.Value{Int: int64(int32(n))}
	case *array.Int64Builder:
		b.Append(n)
	case *array.Uint8Builder:
		b.Append(uint8(n))
		return b.NewArray(), lake.Value{Uint: uint64(uint8(n))}
	case *array.Uint16Builder:
		b.Append(uint16(n))
		return b.NewArray(), lake.Value{Uint: uint64(uint16(n))}
	case *array.Uint32Builder:
		b.Append(uint32(n))
		return b.NewArray(), lake.Value{Uint: uint64(uint32(n))}
	case *array.Uint64Builder:
		b.Append(uint64(n))
		return b.NewArray(), lake.Value{Uint: uint64(n)}
	case *array.Float32Builder:
		b.Append(math.Float32frombits(uint32(n)))
		return b.NewArray(), lake.Value{Float: float64(math.Float32frombits(uint32(n)))}
	case *array.Float64Builder:
		b.Append(math.Float64frombits(uint64(n)))
		return b.NewArray(), lake.Value{Float: math.Float64frombits(uint64(n))}
	case *array.Decimal128Builder:
		if c.Type.ID == lake.TypeUint128 {
			n &= math.MaxInt64
		}
		b.Append(decimal128.FromI64(n))
		return b.NewArray(), lake.Value{Int: n >> 63, Uint: uint64(n)}
	case *array.Date32Builder:
		b.Append(arrow.Date32(n))
		return b.NewArray(), lake.Value{Int: int64(int32(n))}
	case *array.Time64Builder:
		b.Append(arrow.Time64(n))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n))
	case *array.StringBuilder:
		b.Append(text)
		return b.NewArray(), lake.Value{Bytes: text}
	case *array.BinaryBuilder:
		b.Append([]byte(text))
		return b.NewArray(), lake.Value{Bytes: text}
	case *extensions.UUIDBuilder:
		id := uuid.NewSHA1(uuid.NameSpaceOID, []byte(text))
		b.Append(id)
		return b.NewArray(), lake.Value{Bytes: string(id[:])}
	default:
		t.Fatalf("no values of %s", c.Type)
	}
	return b.NewArray(), lake.Value{Int: n}
}
