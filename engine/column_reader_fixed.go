package engine

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// decimalBytes is the width of a decimal128, of a UUID and of an interval.
const decimalBytes = 16

// fixedConversion returns the width in Arrow of values of t, and how to convert
// them; nil if DuckDB's bytes are Arrow's.
func fixedConversion(t *valueType) (width int, convert func(v *vector, from, to int, out []byte) error) {
	switch t.id {
	case duckdb.TypeDecimal:
		switch t.physical {
		case duckdb.TypeSmallInt:
			return decimalBytes, widenDecimals[int16]
		case duckdb.TypeInteger:
			return decimalBytes, widenDecimals[int32]
		case duckdb.TypeBigInt:
			return decimalBytes, widenDecimals[int64]
		}
		return decimalBytes, nil
	case duckdb.TypeHugeInt:
		return decimalBytes, copyHugeInts
	case duckdb.TypeUHugeInt:
		return decimalBytes, copyUHugeInts
	case duckdb.TypeUUID:
		return decimalBytes, convertUUIDs
	case duckdb.TypeInterval:
		return decimalBytes, convertIntervals
	case duckdb.TypeTimeTZ:
		return arrow.Int64SizeBytes, convertTimeTZs
	}
	return t.arrow.(arrow.FixedWidthDataType).Bytes(), nil
}

// pointer returns where b begins.
func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func hugeInts(out []byte) []hugeInt {
	v := vector{data: pointer(out)}
	return values[hugeInt](&v, 0, len(out)/decimalBytes)
}

func widenDecimals[T int16 | int32 | int64](v *vector, from, to int, out []byte) error {
	wide := hugeInts(out)
	for i, x := range values[T](v, from, to-from) {
		wide[i] = hugeInt{low: uint64(int64(x)), high: int64(x) >> 63}
	}
	return nil
}

// The limits of decimal128(38, 0): 10^38 as two words.
const (
	tenTo38High = 0x4b3b4ca85a86c47a
	tenTo38Low  = 0x098a224000000000
)

func fits38Digits(high, low uint64) bool {
	return high < tenTo38High || high == tenTo38High && low < tenTo38Low
}

func copyHugeInts(v *vector, from, to int, out []byte) error {
	for i, x := range values[hugeInt](v, from, to-from) {
		high, low := uint64(x.high), x.low
		if x.high < 0 {
			var borrow uint64
			low, borrow = bits.Sub64(0, low, 0)
			high, _ = bits.Sub64(0, high, borrow)
		}
		if !fits38Digits(high, low) && v.valid(from+i) {
			return overflowError("HUGEINT")
		}
	}
	copy(out, v.bytes(from, to-from, decimalBytes))
	return nil
}

func copyUHugeInts(v *vector, from, to int, out []byte) error {
	for i, x := range values[hugeInt](v, from, to-from) {
		if !fits38Digits(uint64(x.high), x.low) && v.valid(from+i) {
			return overflowError("UHUGEINT")
		}
	}
	copy(out, v.bytes(from, to-from, decimalBytes))
	return nil
}

func overflowError(name string) error {
	return lake.Errorf(lake.KindInvalid, "a %s of the result has more than 38 digits, which Arrow's decimal128 cannot hold: "+
		"cast it to DOUBLE or VARCHAR", name)
}

func convertUUIDs(v *vector, from, to int, out []byte) error {
	for i, x := range values[hugeInt](v, from, to-from) {
		uuidBytes(x, out[i*decimalBytes:])
	}
	return nil
}

func convertIntervals(v *vector, from, to int, out []byte) error {
	o := vector{data: pointer(out)}
	target := values[monthDayNano](&o, 0, to-from)
	for i, x := range values[interval](v, from, to-from) {
		if (x.micros > math.MaxInt64/nanosPerMicro || x.micros < math.MinInt64/nanosPerMicro) && v.valid(from+i) {
			return lake.Errorf(lake.KindInvalid, "an INTERVAL of the result is longer than Arrow's nanoseconds can hold: cast it to VARCHAR")
		}
		target[i] = monthDayNano{months: x.months, days: x.days, nanos: x.micros * nanosPerMicro}
	}
	return nil
}

func convertTimeTZs(v *vector, from, to int, out []byte) error {
	target := arrow.Int64Traits.CastFromBytes(out)
	for i, x := range values[uint64](v, from, to-from) {
		target[i] = timeTZToUTC(x)
	}
	return nil
}
