package lake

import (
	"math"
	"strconv"
	"strings"
)

const (
	secondsPerDay = 86_400
	infinityText  = "infinity"
	minusInfinity = "-infinity"
	beforeChrist  = " (BC)"
	// daysToEpoch is the number of days from 0000-03-01 to 1970-01-01 in the
	// proleptic Gregorian calendar; daysPer400Years is the length of its cycle.
	daysToEpoch     = 719_468
	daysPer400Years = 146_097
	// dateDaysMin and dateDaysMax are the finite dates of DuckDB:
	// 5877642-06-25 (BC) and 5881580-07-10.
	dateDaysMin = -math.MaxInt32 + 1
	dateDaysMax = math.MaxInt32 - 1
	// timestampMicrosMin is the first finite timestamp of DuckDB, whatever the
	// unit of its type: 290309-12-22 (BC) 00:00:00.
	timestampMicrosMin = -9_223_372_022_400_000_000
	microsPerSecond    = 1_000_000
)

// unitsPerSecond returns the resolution of a time or timestamp type.
func unitsPerSecond(id TypeID) int64 {
	switch id {
	case TypeTimestampS:
		return 1
	case TypeTimestampMS:
		return 1_000
	case TypeTimestampNS, TypeTimeNS:
		return 1_000_000_000
	default:
		return 1_000_000
	}
}

func parseDate(text string) (Value, bool) {
	switch text {
	case infinityText:
		return Value{Int: math.MaxInt32}, true
	case minusInfinity:
		return Value{Int: -math.MaxInt32}, true
	}
	days, rest, ok := cutDate(text)
	return Value{Int: days}, ok && rest == ""
}

func formatDate(days int64) (string, bool) {
	switch {
	case days == math.MaxInt32:
		return infinityText, true
	case days == -math.MaxInt32:
		return minusInfinity, true
	case days < dateDaysMin || days > dateDaysMax:
		return "", false
	}
	return string(appendDate(nil, days)), true
}

func parseTimestamp(text string, id TypeID) (Value, bool) {
	switch text {
	case infinityText:
		return Value{Int: math.MaxInt64}, true
	case minusInfinity:
		return Value{Int: -math.MaxInt64}, true
	}
	perSecond := unitsPerSecond(id)
	days, rest, ok := cutDate(text)
	if !ok {
		return Value{}, false
	}
	var offset int64
	if id == TypeTimestampTZ {
		if rest, offset, ok = cutZone(rest); !ok {
			return Value{}, false
		}
	}
	clock, found := strings.CutPrefix(rest, " ")
	ofDay, ok := parseTime(clock, perSecond)
	if !found || !ok || ofDay.Int == secondsPerDay*perSecond {
		return Value{}, false
	}
	return timestampUnits(days, ofDay.Int-offset*perSecond, perSecond)
}

// timestampUnits adds days and units of perSecond without overflow.
func timestampUnits(days, ofDay, perSecond int64) (Value, bool) {
	perDay := secondsPerDay * perSecond
	// The first day of the range is incomplete: borrow a day from the sum so
	// that the product does not overflow before the positive rest is added.
	if days < 0 {
		days++
		ofDay -= perDay
	}
	whole := days * perDay
	if days != 0 && whole/days != perDay {
		return Value{}, false
	}
	sum := whole + ofDay
	if (ofDay > 0) != (sum > whole) && ofDay != 0 {
		return Value{}, false
	}
	return Value{Int: sum}, sum != math.MaxInt64 && sum != -math.MaxInt64 && timestampHeld(sum, perSecond)
}

// timestampHeld reports whether DuckDB can hold a finite timestamp: it casts
// every unit through microseconds.
func timestampHeld(units, perSecond int64) bool {
	if perSecond > microsPerSecond {
		return units != math.MinInt64
	}
	factor := microsPerSecond / perSecond
	return units >= timestampMicrosMin/factor && units <= math.MaxInt64/factor
}

func formatTimestamp(units int64, id TypeID) (string, bool) {
	switch units {
	case math.MaxInt64:
		return infinityText, true
	case -math.MaxInt64:
		return minusInfinity, true
	}
	perSecond := unitsPerSecond(id)
	if !timestampHeld(units, perSecond) {
		return "", false
	}
	perDay := secondsPerDay * perSecond
	days, ofDay := units/perDay, units%perDay
	if ofDay < 0 {
		days, ofDay = days-1, ofDay+perDay
	}
	text := append(appendDate(nil, days), ' ')
	text = appendTime(text, ofDay, perSecond)
	if id == TypeTimestampTZ {
		text = append(text, "+00"...)
	}
	return string(text), true
}

// cutDate reads YYYY-MM-DD, with more digits for years after 9999 and " (BC)"
// after years before 1, from the front of text.
func cutDate(text string) (days int64, rest string, ok bool) {
	const yearDigitsMin, yearDigitsMax, monthAndDay = 4, 7, len("-01-01")
	end := strings.IndexByte(text, '-')
	if end < yearDigitsMin || end > yearDigitsMax || len(text) < end+monthAndDay || text[end+3] != '-' {
		return 0, "", false
	}
	year, ok1 := parseNumber(text[:end])
	month, ok2 := parseNumber(text[end+1 : end+3])
	day, ok3 := parseNumber(text[end+4 : end+6])
	if !ok1 || !ok2 || !ok3 || year < 1 {
		return 0, "", false
	}
	rest, bc := strings.CutPrefix(text[end+monthAndDay:], beforeChrist)
	if bc {
		year = 1 - year
	}
	if month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month) {
		return 0, "", false
	}
	days = DaysFromCivil(year, month, day)
	return days, rest, days >= dateDaysMin && days <= dateDaysMax
}

// cutZone reads +HH, +HH:MM or +HH:MM:SS from the end of text.
func cutZone(text string) (rest string, seconds int64, ok bool) {
	at := strings.LastIndexAny(text, "+-")
	if at < 0 {
		return "", 0, false
	}
	const parts, hoursMax = 3, 15
	fields := strings.Split(text[at+1:], ":")
	if len(fields) > parts {
		return "", 0, false
	}
	for i := range parts {
		seconds *= 60
		if i >= len(fields) {
			continue
		}
		n, ok := parseNumber(fields[i])
		if !ok || len(fields[i]) != 2 || n >= 60 || (i == 0 && n > hoursMax) {
			return "", 0, false
		}
		seconds += n
	}
	if text[at] == '-' {
		seconds = -seconds
	}
	return text[:at], seconds, true
}

// parseTime reads HH:MM:SS and a fraction no finer than 1/perSecond.
func parseTime(text string, perSecond int64) (Value, bool) {
	const length = len("00:00:00")
	if len(text) < length || text[2] != ':' || text[5] != ':' {
		return Value{}, false
	}
	hour, ok1 := parseNumber(text[0:2])
	minute, ok2 := parseNumber(text[3:5])
	second, ok3 := parseNumber(text[6:8])
	if !ok1 || !ok2 || !ok3 || minute > 59 || second > 59 {
		return Value{}, false
	}
	units := (hour*3600 + minute*60 + second) * perSecond
	if fraction := text[length:]; fraction != "" {
		if len(fraction) < 2 || fraction[0] != '.' {
			return Value{}, false
		}
		n, ok := parseNumber(fraction[1:])
		if !ok {
			return Value{}, false
		}
		unit := perSecond
		for range len(fraction) - 1 {
			if unit%10 != 0 {
				return Value{}, false
			}
			unit /= 10
		}
		units += n * unit
	}
	return Value{Int: units}, units <= secondsPerDay*perSecond
}

// parseNumber reads one to nine decimal digits.
func parseNumber(text string) (int64, bool) {
	const digitsMax = 9
	if text == "" || len(text) > digitsMax {
		return 0, false
	}
	var n int64
	for i := range len(text) {
		d := text[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}

func appendDate(dst []byte, days int64) []byte {
	year, month, day := CivilFromDays(days)
	suffix := ""
	if year < 1 {
		year, suffix = 1-year, beforeChrist
	}
	dst = appendPadded(dst, year, 4)
	dst = appendPadded(append(dst, '-'), month, 2)
	dst = appendPadded(append(dst, '-'), day, 2)
	return append(dst, suffix...)
}

// appendTime prints units since midnight, without trailing zeros of the fraction.
func appendTime(dst []byte, units, perSecond int64) []byte {
	seconds, fraction := units/perSecond, units%perSecond
	dst = appendPadded(dst, seconds/3600, 2)
	dst = appendPadded(append(dst, ':'), seconds/60%60, 2)
	dst = appendPadded(append(dst, ':'), seconds%60, 2)
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := perSecond / 10; fraction > 0; unit /= 10 {
		dst = append(dst, byte('0'+fraction/unit))
		fraction %= unit
	}
	return dst
}

func appendPadded(dst []byte, n int64, width int) []byte {
	text := strconv.FormatInt(n, 10)
	for i := len(text); i < width; i++ {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}

// DaysFromCivil counts the days from 1970-01-01 to a date of the proleptic
// Gregorian calendar; year 0 is 1 BC. Years are counted from March so that the
// leap day ends them.
func DaysFromCivil(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	cycle := floorDiv(year, 400)
	yearOfCycle := year - cycle*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	dayOfCycle := yearOfCycle*365 + yearOfCycle/4 - yearOfCycle/100 + dayOfYear
	return cycle*daysPer400Years + dayOfCycle - daysToEpoch
}

// CivilFromDays is the inverse of DaysFromCivil.
func CivilFromDays(days int64) (year, month, day int64) {
	days += daysToEpoch
	cycle := floorDiv(days, daysPer400Years)
	dayOfCycle := days - cycle*daysPer400Years
	yearOfCycle := (dayOfCycle - dayOfCycle/1460 + dayOfCycle/36524 - dayOfCycle/146096) / 365
	dayOfYear := dayOfCycle - (365*yearOfCycle + yearOfCycle/4 - yearOfCycle/100)
	monthFromMarch := (5*dayOfYear + 2) / 153
	day = dayOfYear - (153*monthFromMarch+2)/5 + 1
	month = (monthFromMarch+2)%12 + 1
	year = yearOfCycle + cycle*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

func daysInMonth(year, month int64) int64 {
	next := month + 1
	if next == 13 {
		return 31
	}
	return DaysFromCivil(year, next, 1) - DaysFromCivil(year, month, 1)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
