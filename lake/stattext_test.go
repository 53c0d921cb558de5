package lake_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/lake"
)

func decimalType(precision, scale int32) lake.Type {
	return lake.Type{ID: lake.TypeDecimal, Precision: precision, Scale: scale}
}

// statTexts holds what DuckDB 1.5 prints, as the ducklake extension stores it.
func statTexts() []struct {
	typ   lake.Type
	text  string
	value lake.Value
} {
	id := func(id lake.TypeID) lake.Type { return lake.Type{ID: id} }
	return []struct {
		typ   lake.Type
		text  string
		value lake.Value
	}{
		{id(lake.TypeBoolean), "0", lake.Value{Int: 0}},
		{id(lake.TypeBoolean), "1", lake.Value{Int: 1}},
		{id(lake.TypeInt8), "-128", lake.Value{Int: -128}},
		{id(lake.TypeInt64), "-9223372036854775808", lake.Value{Int: math.MinInt64}},
		{id(lake.TypeUint64), "18446744073709551615", lake.Value{Uint: math.MaxUint64}},
		{id(lake.TypeInt128), "-170141183460469231731687303715884105728", lake.Value{Int: math.MinInt64}},
		{id(lake.TypeInt128), "-1", lake.Value{Int: -1, Uint: math.MaxUint64}},
		{id(lake.TypeUint128), "340282366920938463463374607431768211455", lake.Value{Int: -1, Uint: math.MaxUint64}},
		{id(lake.TypeFloat32), "-inf", lake.Value{Float: math.Inf(-1)}},
		{id(lake.TypeFloat32), "1e-45", lake.Value{Float: math.SmallestNonzeroFloat32}},
		{id(lake.TypeFloat32), "0.1", lake.Value{Float: float64(float32(0.1))}},
		{id(lake.TypeFloat32), "3.4e+38", lake.Value{Float: float64(float32(3.4e38))}},
		{id(lake.TypeFloat32), "16777216.0", lake.Value{Float: 1 << 24}},
		{id(lake.TypeFloat64), "1000000000000000.0", lake.Value{Float: 1e15}},
		{id(lake.TypeFloat64), "1e+16", lake.Value{Float: 1e16}},
		{id(lake.TypeFloat64), "1e-05", lake.Value{Float: 1e-5}},
		{id(lake.TypeFloat64), "0.0001", lake.Value{Float: 1e-4}},
		{id(lake.TypeFloat64), "1e+300", lake.Value{Float: 1e300}},
		{id(lake.TypeFloat64), "123456789.125", lake.Value{Float: 123456789.125}},
		{decimalType(5, 2), "-0.05", lake.Value{Int: -1, Uint: ^uint64(4)}},
		{decimalType(5, 2), "123.40", lake.Value{Uint: 12340}},
		{decimalType(10, 0), "-5", lake.Value{Int: -1, Uint: ^uint64(4)}},
		{decimalType(2, 2), ".50", lake.Value{Uint: 50}},
		{decimalType(2, 2), ".00", lake.Value{}},
		{decimalType(38, 0), strings.Repeat("9", 38), lake.Value{Int: 0x4b3b4ca85a86c47a, Uint: 0x098a223fffffffff}},
		{decimalType(38, 38), "-." + strings.Repeat("0", 37) + "1", lake.Value{Int: -1, Uint: math.MaxUint64}},
		{id(lake.TypeDate), "1970-01-01", lake.Value{}},
		{id(lake.TypeDate), "2000-02-29", lake.Value{Int: 11016}},
		{id(lake.TypeDate), "0001-12-31 (BC)", lake.Value{Int: -719163}},
		{id(lake.TypeDate), "0001-01-01", lake.Value{Int: -719162}},
		{id(lake.TypeDate), "12345-01-01", lake.Value{Int: 3789391}},
		{id(lake.TypeDate), "5877642-06-25 (BC)", lake.Value{Int: -math.MaxInt32 + 1}},
		{id(lake.TypeDate), "5881580-07-10", lake.Value{Int: math.MaxInt32 - 1}},
		{id(lake.TypeDate), "infinity", lake.Value{Int: math.MaxInt32}},
		{id(lake.TypeDate), "-infinity", lake.Value{Int: -math.MaxInt32}},
		{id(lake.TypeTime), "23:59:59.12", lake.Value{Int: 86_399_120_000}},
		{id(lake.TypeTime), "24:00:00", lake.Value{Int: 86_400_000_000}},
		{id(lake.TypeTimeNS), "00:00:00.000000001", lake.Value{Int: 1}},
		{id(lake.TypeTimestampS), "1969-12-31 23:59:59", lake.Value{Int: -1}},
		{id(lake.TypeTimestampMS), "1969-12-31 23:59:59.123", lake.Value{Int: -877}},
		{id(lake.TypeTimestamp), "0001-12-31 (BC) 10:00:00", lake.Value{Int: -62135647200000000}},
		{id(lake.TypeTimestamp), "290309-12-22 (BC) 00:00:00", lake.Value{Int: -9223372022400000000}},
		{id(lake.TypeTimestamp), "294247-01-10 04:00:54.775806", lake.Value{Int: math.MaxInt64 - 1}},
		{id(lake.TypeTimestamp), "infinity", lake.Value{Int: math.MaxInt64}},
		{id(lake.TypeTimestampNS), "1969-12-31 23:59:59.123456789", lake.Value{Int: -876543211}},
		{id(lake.TypeTimestampNS), "-infinity", lake.Value{Int: -math.MaxInt64}},
		{id(lake.TypeTimestampTZ), "1970-01-01 00:00:00.5+00", lake.Value{Int: 500_000}},
		{id(lake.TypeVarchar), "", lake.Value{}},
		{id(lake.TypeVarchar), "é'x", lake.Value{Bytes: "é'x"}},
		{id(lake.TypeJSON), `{"a":1}`, lake.Value{Bytes: `{"a":1}`}},
		{id(lake.TypeBlob), "00FF", lake.Value{Bytes: "\x00\xff"}},
		{
			id(lake.TypeUUID), "550e8400-e29b-41d4-a716-446655440000",
			lake.Value{Bytes: "\x55\x0e\x84\x00\xe2\x9b\x41\xd4\xa7\x16\x44\x66\x55\x44\x00\x00"},
		},
	}
}

func TestStatTextIsWhatDuckDBPrints(t *testing.T) {
	t.Parallel()
	for _, c := range statTexts() {
		t.Run(c.typ.String()+" "+c.text, func(t *testing.T) {
			t.Parallel()
			text, ok := lake.FormatStat(c.typ, c.value)
			require.True(t, ok)
			require.Equal(t, c.text, text)
			value, ok := lake.ParseStat(c.typ, c.text)
			require.True(t, ok)
			require.Equal(t, c.value, value)
		})
	}
}

func TestParseStatTakesOtherWritersTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ   lake.Type
		text  string
		value lake.Value
	}{
		{lake.Type{ID: lake.TypeBoolean}, "true", lake.Value{Int: 1}},
		{lake.Type{ID: lake.TypeFloat64}, "1", lake.Value{Float: 1}},
		{lake.Type{ID: lake.TypeFloat64}, "-0.0", lake.Value{Float: math.Copysign(0, -1)}},
		{decimalType(5, 3), "0.5", lake.Value{Uint: 500}},
		{decimalType(2, 2), "0.5", lake.Value{Uint: 50}},
		{lake.Type{ID: lake.TypeBlob}, "00ff", lake.Value{Bytes: "\x00\xff"}},
		{lake.Type{ID: lake.TypeTimestampTZ}, "1970-01-01 02:00:00+02", lake.Value{}},
		{lake.Type{ID: lake.TypeTimestampTZ}, "1969-12-31 18:29:59-05:30:01", lake.Value{}},
	} {
		value, ok := lake.ParseStat(c.typ, c.text)
		require.True(t, ok, "%s %s", c.typ, c.text)
		require.Equal(t, c.value, value, "%s %s", c.typ, c.text)
	}
}

// TestFormatFloat expects what DuckDB 1.4 casts the values to.
func TestFormatFloat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value float64
		bits  int
		want  string
	}{
		{math.NaN(), 32, "nan"},
		{math.Copysign(math.NaN(), -1), 64, "nan"},
		{math.Inf(1), 64, "inf"},
		{math.Inf(-1), 32, "-inf"},
		{0, 64, "0.0"},
		{math.Copysign(0, -1), 64, "-0.0"},
		{0.0001, 64, "0.0001"},
		{float64(float32(0.0001)), 32, "0.0001"},
		{0.00002, 64, "2e-05"},
		{float64(float32(0.000012345)), 32, "1.2345e-05"},
		{1e15, 64, "1000000000000000.0"},
		{1e16, 64, "1e+16"},
		{123456789012345678, 64, "1.2345678901234568e+17"},
		{float64(float32(123456789012345678)), 32, "1.2345679e+17"},
		{16777216, 32, "16777216.0"},
		{1.5, 32, "1.5"},
	} {
		require.Equal(t, c.want, lake.FormatFloat(c.value, c.bits))
	}
}

func TestParseStatRefusesRatherThanGuesses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id   lake.TypeID
		text string
	}{
		{lake.TypeBoolean, "2"},
		{lake.TypeBoolean, ""},
		{lake.TypeInt8, "128"},
		{lake.TypeInt32, "+1"},
		{lake.TypeInt32, "1.0"},
		{lake.TypeInt64, ""},
		{lake.TypeUint8, "-1"},
		{lake.TypeInt128, "170141183460469231731687303715884105728"},
		{lake.TypeUint128, "340282366920938463463374607431768211456"},
		{lake.TypeFloat64, "nan"},
		{lake.TypeFloat64, "NaN"},
		{lake.TypeFloat64, "0x1p4"},
		{lake.TypeFloat64, "1e400"},
		{lake.TypeFloat64, "infinity"},
		{lake.TypeDate, "2023-02-29"},
		{lake.TypeDate, "0000-01-01"},
		{lake.TypeDate, "2023-1-1"},
		{lake.TypeDate, "2023-01-01 00:00:00"},
		{lake.TypeDate, "5881580-07-11"},
		{lake.TypeTime, "24:00:00.000001"},
		{lake.TypeTime, "23:59:60"},
		{lake.TypeTime, "00:00:00.0000001"},
		{lake.TypeTime, "00:00:00."},
		{lake.TypeTimestamp, "2020-01-01"},
		{lake.TypeTimestamp, "2020-01-01 24:00:00"},
		{lake.TypeTimestamp, "2020-01-01 00:00:00+00"},
		{lake.TypeTimestamp, "294247-01-10 04:00:54.775807"},
		{lake.TypeTimestamp, "290309-12-21 (BC) 23:59:59"},
		{lake.TypeTimestampNS, "2300-01-01 00:00:00"},
		{lake.TypeTimestampTZ, "2020-01-01 00:00:00"},
		{lake.TypeVarchar, "\xff"},
		{lake.TypeBlob, "0"},
		{lake.TypeUUID, "550e8400e29b41d4a716446655440000"},
		{lake.TypeTimeTZ, "12:00:00+00"},
		{lake.TypeInterval, "1 day"},
		{lake.TypeList, "[1]"},
	} {
		_, ok := lake.ParseStat(lake.Type{ID: c.id}, c.text)
		require.False(t, ok, "%s %q", lake.Type{ID: c.id}, c.text)
	}
	for _, text := range []string{"1000", "0.001", "1.", ".", "", "1e2", "--1", "1-"} {
		_, ok := lake.ParseStat(decimalType(5, 2), text)
		require.False(t, ok, "decimal %q", text)
	}
}

func TestFormatStatRefusesWhatIsNoValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ   lake.Type
		value lake.Value
	}{
		{lake.Type{ID: lake.TypeBoolean}, lake.Value{Int: 2}},
		{lake.Type{ID: lake.TypeInt8}, lake.Value{Int: 128}},
		{lake.Type{ID: lake.TypeUint16}, lake.Value{Uint: 1 << 16}},
		{lake.Type{ID: lake.TypeFloat64}, lake.Value{Float: math.NaN()}},
		{lake.Type{ID: lake.TypeFloat32}, lake.Value{Float: 0.1}},
		{decimalType(2, 1), lake.Value{Uint: 100}},
		{lake.Type{ID: lake.TypeDate}, lake.Value{Int: math.MaxInt32 + 1}},
		{lake.Type{ID: lake.TypeTime}, lake.Value{Int: -1}},
		{lake.Type{ID: lake.TypeTimestampS}, lake.Value{Int: math.MaxInt64 / 1000}},
		{lake.Type{ID: lake.TypeTimestamp}, lake.Value{Int: math.MinInt64}},
		{lake.Type{ID: lake.TypeVarchar}, lake.Value{Bytes: "\xff"}},
		{lake.Type{ID: lake.TypeUUID}, lake.Value{Bytes: "short"}},
		{lake.Type{ID: lake.TypeTimeTZ}, lake.Value{}},
		{lake.Type{ID: lake.TypeStruct}, lake.Value{}},
	} {
		_, ok := lake.FormatStat(c.typ, c.value)
		require.False(t, ok, "%s %v", c.typ, c.value)
	}
}

// leafTypes returns one type of each leaf that has values.
func leafTypes() []lake.Type {
	var types []lake.Type
	for id := lake.TypeBoolean; id <= lake.TypeJSON; id++ {
		switch id {
		case lake.TypeInterval:
		case lake.TypeDecimal:
			types = append(types, decimalType(1, 0), decimalType(18, 3), decimalType(38, 38), decimalType(38, 0))
		default:
			types = append(types, lake.Type{ID: id})
		}
	}
	return types
}

// drawValue draws any bits for the words that the type uses; many are no
// value of the type, which callers must expect.
func drawValue(t *rapid.T, typ lake.Type) lake.Value {
	switch typ.ID {
	case lake.TypeVarchar, lake.TypeJSON:
		return lake.Value{Bytes: rapid.String().Draw(t, "text")}
	case lake.TypeBlob:
		return lake.Value{Bytes: string(rapid.SliceOf(rapid.Byte()).Draw(t, "blob"))}
	case lake.TypeUUID:
		return lake.Value{Bytes: string(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))}
	case lake.TypeFloat32:
		return lake.Value{Float: float64(rapid.Float32().Draw(t, "float"))}
	case lake.TypeFloat64:
		return lake.Value{Float: rapid.Float64().Draw(t, "float")}
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64:
		return lake.Value{Uint: rapid.Uint64().Draw(t, "uint")}
	case lake.TypeInt128, lake.TypeUint128:
		return lake.Value{Int: rapid.Int64().Draw(t, "high"), Uint: rapid.Uint64().Draw(t, "low")}
	case lake.TypeDecimal:
		low := rapid.Int64().Draw(t, "low")
		return lake.Value{Int: low >> 63, Uint: uint64(low)}
	default:
		return lake.Value{Int: rapid.Int64().Draw(t, "int")}
	}
}

func TestStatTextRoundTrip(t *testing.T) {
	t.Parallel()
	for _, typ := range leafTypes() {
		t.Run(typ.String(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				v := drawValue(t, typ)
				text, ok := lake.FormatStat(typ, v)
				if !ok {
					return
				}
				back, ok := lake.ParseStat(typ, text)
				require.True(t, ok, text)
				require.Zero(t, lake.Compare(typ, v, back), text)
			})
		})
	}
}

func TestStatTextOfEveryDateRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := lake.Value{Int: int64(rapid.Int32Min(-math.MaxInt32).Draw(t, "days"))}
		text, ok := lake.FormatStat(lake.Type{ID: lake.TypeDate}, v)
		require.True(t, ok)
		back, ok := lake.ParseStat(lake.Type{ID: lake.TypeDate}, text)
		require.True(t, ok, text)
		require.Equal(t, v, back, text)
	})
}

func TestParseStatNeverPanics(t *testing.T) {
	t.Parallel()
	types := leafTypes()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`-?[0-9]{0,7}[-:.+ 0-9e()BC]{0,30}`)).Draw(t, "text")
		for _, typ := range types {
			if v, ok := lake.ParseStat(typ, text); ok {
				_, _ = lake.FormatStat(typ, v)
			}
		}
	})
}

func TestWidenKeepsOnlyOrderPreservingPromotions(t *testing.T) {
	t.Parallel()
	id := func(id lake.TypeID) lake.Type { return lake.Type{ID: id} }
	v, ok := lake.Widen(id(lake.TypeUint8), id(lake.TypeInt16), lake.Value{Uint: 200})
	require.True(t, ok)
	require.Equal(t, lake.Value{Int: 200}, v)
	_, ok = lake.Widen(id(lake.TypeInt8), id(lake.TypeInt64), lake.Value{Int: -1})
	require.True(t, ok)
	for _, c := range [][2]lake.Type{
		{id(lake.TypeInt64), id(lake.TypeInt32)},
		{id(lake.TypeInt32), id(lake.TypeVarchar)}, // "10" < "9"
		{id(lake.TypeUint64), id(lake.TypeInt64)},
		{id(lake.TypeInt8), id(lake.TypeUint64)},
		{id(lake.TypeFloat64), id(lake.TypeFloat32)},
		{decimalType(5, 2), decimalType(5, 3)},
		{id(lake.TypeTimestampMS), id(lake.TypeTimestamp)},
	} {
		_, ok = lake.Widen(c[0], c[1], lake.Value{})
		require.False(t, ok, "%s to %s", c[0], c[1])
	}
}
