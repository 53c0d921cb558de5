package expr_test

import (
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// row holds the values of one row; an absent field is NULL.
type row map[lake.FieldID]*lake.Value

// truth is the slow, plain evaluator: 1 true, 0 false, -1 NULL.
func truth(p expr.Predicate, r row) int {
	switch p := p.(type) {
	case expr.And:
		out := 1
		for _, t := range p.Terms {
			switch truth(t, r) {
			case 0:
				return 0
			case -1:
				out = -1
			}
		}
		return out
	case expr.Or:
		out := 0
		for _, t := range p.Terms {
			switch truth(t, r) {
			case 1:
				return 1
			case -1:
				out = -1
			}
		}
		return out
	case expr.Not:
		if v := truth(p.Term, r); v >= 0 {
			return 1 - v
		}
		return -1
	case expr.IsNull:
		return boolInt(r[p.Field] == nil)
	case expr.Constant:
		if p.Null {
			return -1
		}
		return boolInt(p.Value)
	case expr.Compare:
		if r[p.Field] == nil {
			return -1
		}
		return boolInt(holds(p.Op, lake.Compare(p.Type, *r[p.Field], p.Value)))
	case expr.In:
		if len(p.Values) == 0 {
			return 0
		}
		if r[p.Field] == nil {
			return -1
		}
		return boolInt(slices.ContainsFunc(p.Values, func(v lake.Value) bool {
			return lake.Compare(p.Type, *r[p.Field], v) == 0
		}))
	}
	panic("no other predicates")
}

func holds(op expr.Op, c int) bool {
	return [...]bool{c == 0, c != 0, c < 0, c <= 0, c > 0, c >= 0}[op]
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// leafTypes are all types that have values.
func leafTypes() []lake.Type {
	var out []lake.Type
	for id := lake.TypeBoolean; id <= lake.TypeJSON; id++ {
		switch id {
		case lake.TypeInterval:
		case lake.TypeDecimal:
			out = append(out, lake.Type{ID: id, Precision: 9, Scale: 2}, lake.Type{ID: id, Precision: 18},
				lake.Type{ID: id, Precision: 38, Scale: 10})
		default:
			out = append(out, lake.Type{ID: id})
		}
	}
	return out
}

// valueOf draws a value of a type, often an adversarial one, from few distinct
// ones so that equalities happen.
func valueOf(t lake.Type) *rapid.Generator[lake.Value] {
	ints := func(lo, hi int64, special ...int64) *rapid.Generator[lake.Value] {
		special = append(special, lo, lo+1, hi-1, hi, 0, 1)
		return rapid.Map(rapid.OneOf(rapid.SampledFrom(special), rapid.Int64Range(max(lo, -3), min(hi, 3))),
			func(n int64) lake.Value { return lake.Value{Int: n} })
	}
	uints := func(hi uint64) *rapid.Generator[lake.Value] {
		return rapid.Map(rapid.SampledFrom([]uint64{0, 1, 2, hi / 2, hi/2 + 1, hi - 1, hi}),
			func(n uint64) lake.Value { return lake.Value{Uint: n} })
	}
	switch t.ID {
	case lake.TypeBoolean:
		return ints(0, 1)
	case lake.TypeInt8:
		return ints(math.MinInt8, math.MaxInt8)
	case lake.TypeInt16:
		return ints(math.MinInt16, math.MaxInt16)
	case lake.TypeInt32:
		return ints(math.MinInt32, math.MaxInt32)
	case lake.TypeUint8:
		return uints(math.MaxUint8)
	case lake.TypeUint16:
		return uints(math.MaxUint16)
	case lake.TypeUint32:
		return uints(math.MaxUint32)
	case lake.TypeUint64:
		return uints(math.MaxUint64)
	case lake.TypeFloat32, lake.TypeFloat64:
		special := []float64{
			math.NaN(), math.Copysign(0, -1), 0, math.Inf(1), math.Inf(-1), 1, -1, 0.5,
			math.MaxFloat32, math.SmallestNonzeroFloat32,
		}
		return rapid.Map(rapid.SampledFrom(special), func(f float64) lake.Value { return lake.Value{Float: f} })
	case lake.TypeInt128, lake.TypeUint128, lake.TypeDecimal:
		return rapid.SampledFrom([]lake.Value{
			{},
			{Uint: 1},
			{Uint: 250},
			{Int: -1, Uint: math.MaxUint64},
			{Int: -1, Uint: 1 << 63},
			{Uint: math.MaxUint64},
			{Int: 5421010862427522170, Uint: 687399551400673279}, // 10^38-1
			{Int: -5421010862427522171, Uint: 17759344522308878337},
		})
	case lake.TypeDate:
		return ints(-math.MaxInt32, math.MaxInt32, -719528, 2932896, -1)
	case lake.TypeTime, lake.TypeTimeTZ:
		return ints(0, 86_400_000_000)
	case lake.TypeTimeNS:
		return ints(0, 86_400_000_000_000)
	case lake.TypeUUID:
		return rapid.SampledFrom([]lake.Value{
			{Bytes: string(make([]byte, 16))},
			{Bytes: "\x80aaaaaaaaaaaaaaa"},
			{Bytes: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
			{Bytes: "0123456789abcdef"},
		})
	case lake.TypeVarchar, lake.TypeJSON, lake.TypeBlob:
		return rapid.Map(rapid.SampledFrom([]string{"", "a", "ab", "abc", "\xff\xff", "\xff", "é", "zzzz", "a\x00"}),
			func(s string) lake.Value { return lake.Value{Bytes: s} })
	default:
		return ints(-math.MaxInt64, math.MaxInt64, -1_000_000, 1_700_000_000_000_000)
	}
}

// buildArray makes the array in which values of a column travel.
func buildArray(mem memory.Allocator, c lake.Column, values []*lake.Value) arrow.Array {
	b := array.NewBuilder(mem, c.ArrowType())
	defer b.Release()
	for _, v := range values {
		if v == nil {
			b.AppendNull()
		} else if err := lake.AppendValue(b, *v); err != nil {
			panic(err)
		}
	}
	return b.NewArray()
}

// statsOf computes exact statistics.
func statsOf(id lake.FieldID, t lake.Type, values []*lake.Value) lake.ColumnStats {
	s := lake.ColumnStats{Field: id, ValueCount: int64(len(values)), MinExact: true, MaxExact: true}
	for _, v := range values {
		switch {
		case v == nil:
			s.NullCount++
		case t.Float() && math.IsNaN(v.Float):
			s.NaNCount++
		default:
			if s.Min == nil || lake.Compare(t, *v, *s.Min) < 0 {
				s.Min = v
			}
			if s.Max == nil || lake.Compare(t, *v, *s.Max) > 0 {
				s.Max = v
			}
		}
	}
	return s
}
