package writer

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// Durations in nanoseconds.
const (
	nano   = int64(1)
	micro  = 1000 * nano
	milli  = 1000 * micro
	second = 1000 * milli
	day    = 24 * 60 * 60 * second
)

func narrowDecimal256(v decimal256.Num) (decimal128.Num, bool) {
	words := v.Array() // little endian
	extension := uint64(int64(words[1]) >> 63)
	return decimal128.New(int64(words[1]), words[0]), words[2] == extension && words[3] == extension
}

func unitOf(u arrow.TimeUnit) int64 {
	switch u {
	case arrow.Second:
		return second
	case arrow.Millisecond:
		return milli
	case arrow.Microsecond:
		return micro
	case arrow.Nanosecond:
	}
	return nano
}

// grain returns the unit of a column of times, and the unit in which Parquet
// stores it.
func grain(id lake.TypeID) (unit, stored int64) {
	switch id {
	case lake.TypeTimeNS, lake.TypeTimestampNS:
		return nano, nano
	case lake.TypeTimestampMS:
		return milli, milli
	case lake.TypeTimestampS:
		return second, micro
	default:
		return micro, micro
	}
}

// temporalKernel stores dates, times and timestamps. A finer unit is taken as
// long as nothing would be cut off. A timestamp with a time zone is an instant
// and goes only to timestamptz, one without only to the others.
func temporalKernel(from arrow.DataType, to lake.Type) kernel {
	isTime := to.ID == lake.TypeTime || to.ID == lake.TypeTimeNS || to.ID == lake.TypeTimeTZ
	switch t := from.(type) {
	case *arrow.Date32Type:
		switch {
		case to.ID == lake.TypeDate:
			return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
				dst.I32 = convert(dst.I32, arrow.GetValues[int32](arr.Data(), 1), r)
				return nil
			}
		case !isTime && to.ID != lake.TypeTimestampTZ:
			return instants[int32](to.ID, day)
		}
	case *arrow.Date64Type:
		if to.ID == lake.TypeDate {
			return appendDates64
		}
	case *arrow.Time32Type:
		if isTime {
			return timesOfDay[int32](to.ID, unitOf(t.Unit))
		}
	case *arrow.Time64Type:
		if isTime {
			return timesOfDay[int64](to.ID, unitOf(t.Unit))
		}
	case *arrow.TimestampType:
		if (t.TimeZone != "") == (to.ID == lake.TypeTimestampTZ) && !isTime && to.ID != lake.TypeDate {
			return instants[int64](to.ID, unitOf(t.Unit))
		}
	}
	return nil
}

// appendDates64 stores milliseconds, which Arrow wants to be whole days.
func appendDates64(dst *pqenc.Values, arr arrow.Array, r rows) error {
	const perDay = day / milli
	src := arrow.GetValues[int64](arr.Data(), 1)
	for i := range r.n {
		at := r.lo + i
		if r.idx != nil {
			at = int(r.idx[i])
		}
		v := src[at]
		if v%perDay != 0 {
			return lake.Errorf(lake.KindInvalid, "a date64 value is not a whole day and would be cut off")
		}
		if v /= perDay; v > math.MaxInt32 || v < math.MinInt32 {
			return lake.Errorf(lake.KindInvalid, "a date is out of range")
		}
		dst.I32 = append(dst.I32, int32(v))
	}
	return nil
}

func timesOfDay[S int32 | int64](to lake.TypeID, unit int64) kernel {
	_, stored := grain(to)
	last := day / stored
	if to == lake.TypeTimeNS {
		last-- // 24:00 is stored as the next day, and would be read as 00:00
	}
	store := instants[S](to, unit)
	return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
		at := len(dst.I64)
		if err := store(dst, arr, r); err != nil {
			return err
		}
		for _, v := range dst.I64[at:] {
			if v < 0 || v > last {
				return lake.Errorf(lake.KindInvalid, "a time of day must be from 00:00 to 24:00")
			}
		}
		return nil
	}
}

// instants stores times in the given unit, scaled to the unit of the column.
// The extremes of S are infinite (see lake.Value) and stay so.
func instants[S int32 | int64](to lake.TypeID, unit int64) kernel {
	column, stored := grain(to)
	infinity := int64(math.MaxInt64)
	if rangeOf[S]().bits == 32 {
		infinity = math.MaxInt32
	}
	return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
		at := len(dst.I64)
		dst.I64 = convert(dst.I64, arrow.GetValues[S](arr.Data(), 1), r)
		if unit == stored && column <= unit {
			return nil
		}
		return scale(dst.I64[at:], unit, column, stored, infinity)
	}
}

// scale converts values, in place, from one unit to another. Parts finer than
// the column's unit are refused.
func scale(values []int64, unit, column, stored, infinity int64) error {
	multiply, divide, whole := max(1, unit/stored), max(1, stored/unit), max(1, column/unit)
	limit := math.MaxInt64 / multiply
	for i, v := range values {
		switch {
		case v == infinity:
			values[i] = math.MaxInt64
		case v == -infinity:
			values[i] = -math.MaxInt64
		case v%whole != 0:
			return lake.Errorf(lake.KindInvalid, "the value %d in units of %s has a part finer than %s, which would be cut off",
				v, unitName(unit), unitName(column))
		case v > limit || v < -limit:
			return lake.Errorf(lake.KindInvalid, "the value %d in units of %s is out of range", v, unitName(unit))
		default:
			values[i] = v / divide * multiply
		}
	}
	return nil
}

func unitName(unit int64) string {
	switch unit {
	case nano:
		return "1 ns"
	case micro:
		return "1 us"
	case milli:
		return "1 ms"
	case second:
		return "1 s"
	}
	return "1 day"
}

// intervalKernel stores what fits into Parquet's INTERVAL: months, days and
// milliseconds, none of them negative, each in 32 bits.
func intervalKernel(from arrow.DataType) kernel {
	switch t := from.(type) {
	case *arrow.MonthIntervalType:
		return intervals(func(v int32) (int64, int64, int64) { return int64(v), 0, 0 })
	case *arrow.DayTimeIntervalType:
		return intervals(func(v arrow.DayTimeInterval) (int64, int64, int64) {
			return 0, int64(v.Days), int64(v.Milliseconds) * milli
		})
	case *arrow.MonthDayNanoIntervalType:
		return intervals(func(v arrow.MonthDayNanoInterval) (int64, int64, int64) {
			return int64(v.Months), int64(v.Days), v.Nanoseconds
		})
	case *arrow.DurationType:
		unit := unitOf(t.Unit)
		return intervals(func(v int64) (int64, int64, int64) {
			if v > math.MaxInt64/unit || v < 0 {
				return 0, 0, -1 // refused as out of range
			}
			return 0, 0, v * unit
		})
	default:
		return nil
	}
}

func intervals[S arrow.FixedWidthType](split func(S) (months, days, nanos int64)) kernel {
	return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
		src := arrow.GetValues[S](arr.Data(), 1)
		for i := range r.n {
			at := r.lo + i
			if r.idx != nil {
				at = int(r.idx[i])
			}
			months, days, nanos := split(src[at])
			if months < 0 || days < 0 || nanos < 0 || nanos/milli > math.MaxUint32 {
				return lake.Errorf(lake.KindInvalid, "an interval is out of range: Parquet stores months, days and "+
					"milliseconds from 0 to 2^32-1 (about 49 days of time)")
			}
			if nanos%milli != 0 {
				return lake.Errorf(lake.KindInvalid, "an interval has a part finer than the milliseconds that Parquet stores")
			}
			dst.Data = binary.LittleEndian.AppendUint32(dst.Data, uint32(months))
			dst.Data = binary.LittleEndian.AppendUint32(dst.Data, uint32(days))
			dst.Data = binary.LittleEndian.AppendUint32(dst.Data, uint32(nanos/milli))
		}
		return nil
	}
}
