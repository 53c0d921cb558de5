package expr

import (
	"math"

	"github.com/flightlake/flightlake/lake"
)

// civil is a moment of the proleptic Gregorian calendar, in which the year 0
// is 1 BC, as DuckDB counts.
type civil struct {
	year       int64
	month, day int64 // from 1
	nanos      int64 // since midnight
}

const (
	nanosPerSecond = 1_000_000_000
	secondsPerDay  = 86_400
	nanosPerHour   = 3_600 * nanosPerSecond

	yearCountMax = 1 << 23 // beyond every year that a 32-bit date can name
)

// floorDiv rounds towards minus infinity, as moments before 1970 need.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// unitsPerSecond returns the resolution of a timestamp type, 0 for other types.
func unitsPerSecond(t lake.Type) int64 {
	switch t.ID {
	case lake.TypeTimestampS:
		return 1
	case lake.TypeTimestampMS:
		return 1_000
	case lake.TypeTimestamp, lake.TypeTimestampTZ:
		return 1_000_000
	case lake.TypeTimestampNS:
		return nanosPerSecond
	default:
		return 0
	}
}

// infinite reports whether v is an infinity of date or timestamp type t.
func infinite(t lake.Type, v lake.Value) bool {
	if t.ID == lake.TypeDate {
		return v.Int == math.MaxInt32 || v.Int == -math.MaxInt32
	}
	return unitsPerSecond(t) != 0 && (v.Int == math.MaxInt64 || v.Int == -math.MaxInt64)
}

// civilOf splits a finite date or timestamp; false for other values.
func civilOf(t lake.Type, v lake.Value) (civil, bool) {
	if infinite(t, v) {
		return civil{}, false
	}
	days, nanos := v.Int, int64(0)
	if t.ID != lake.TypeDate {
		units := unitsPerSecond(t)
		if units == 0 {
			return civil{}, false
		}
		days = floorDiv(v.Int, units*secondsPerDay)
		nanos = (v.Int - days*units*secondsPerDay) * (nanosPerSecond / units)
	}
	c := civil{nanos: nanos}
	c.year, c.month, c.day = lake.CivilFromDays(days)
	return c, true
}

// valueAt returns the date or timestamp of type t at the given days and
// nanoseconds; false if it does not fit.
func valueAt(t lake.Type, days, nanos int64) (lake.Value, bool) {
	if t.ID == lake.TypeDate {
		return lake.Value{Int: days}, days > -math.MaxInt32 && days < math.MaxInt32
	}
	units := unitsPerSecond(t)
	if units == 0 {
		return lake.Value{}, false
	}
	perDay, rest := units*secondsPerDay, floorDiv(nanos, nanosPerSecond/units)
	if days < 0 { // from the end of the day, which may fit where its start does not
		days, rest = days+1, rest-perDay
	}
	if days > math.MaxInt64/perDay || days < -math.MaxInt64/perDay {
		return lake.Value{}, false
	}
	n := days*perDay + rest
	if (rest > 0) != (n > days*perDay) && rest != 0 || n == math.MaxInt64 || n <= -math.MaxInt64 {
		return lake.Value{}, false
	}
	return lake.Value{Int: n}, true
}
