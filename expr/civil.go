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

	daysPerEra   = 146_097 // days of 400 years
	epochShift   = 719_468 // days from 0000-03-01 to 1970-01-01
	yearCountMax = 1 << 23 // beyond every year that a 32-bit date can name
)

// daysFromCivil returns the days from 1970-01-01 to the date. It counts years
// from March, so that the leap day is the last of the year.
func daysFromCivil(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*daysPerEra + dayOfEra - epochShift
}

// civilFromDays is the inverse of daysFromCivil.
func civilFromDays(days int64) (year, month, day int64) {
	days += epochShift
	era := floorDiv(days, daysPerEra)
	dayOfEra := days - era*daysPerEra
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/(daysPerEra-1)) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153
	day = dayOfYear - (153*shifted+2)/5 + 1
	month = (shifted+2)%12 + 1
	year = yearOfEra + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

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
	c.year, c.month, c.day = civilFromDays(days)
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
