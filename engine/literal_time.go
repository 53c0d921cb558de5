package engine

import (
	"fmt"
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// Milliseconds of a day, and the years whose dates are written out; others are
// counted from 1970.
const (
	millisPerDay   = 24 * 60 * 60 * 1000
	nanosPerDay    = 24 * 60 * 60 * int64(time.Second)
	writtenYearMin = 1
	writtenYearMax = 9999
)

// timeLiteral returns the literal of a date, time, timestamp or interval; ok is
// false for other types.
func timeLiteral(a arrow.Array, row int, c *lake.Column) (text string, ok bool, err error) {
	switch a := a.(type) {
	case *array.Date32:
		return dateLiteral(int64(a.Value(row)), c), true, nil
	case *array.Date64:
		return dateLiteral(floorDiv(int64(a.Value(row)), millisPerDay), c), true, nil
	case *array.Time32:
		text, err = timeOfDayLiteral(int64(a.Value(row)), a.DataType().(*arrow.Time32Type).Unit, c)
		return text, true, err
	case *array.Time64:
		text, err = timeOfDayLiteral(int64(a.Value(row)), a.DataType().(*arrow.Time64Type).Unit, c)
		return text, true, err
	case *array.Timestamp:
		text, err = timestampLiteral(int64(a.Value(row)), a.DataType().(*arrow.TimestampType).Unit, c)
		return text, true, err
	case *array.MonthInterval:
		return intervalLiteral(int64(a.Value(row)), 0, 0, c), true, nil
	case *array.DayTimeInterval:
		v := a.Value(row)
		return intervalLiteral(0, int64(v.Days), int64(v.Milliseconds)*1000, c), true, nil
	case *array.MonthDayNanoInterval:
		v := a.Value(row)
		return intervalLiteral(int64(v.Months), int64(v.Days), v.Nanoseconds/nanosPerMicro, c), true, nil
	case *array.Duration:
		micros, err := toMicros(int64(a.Value(row)), a.DataType().(*arrow.DurationType).Unit)
		return intervalLiteral(0, 0, micros, c), true, err
	}
	return "", false, nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// toMicros converts a count of units to microseconds, downwards.
func toMicros(v int64, unit arrow.TimeUnit) (int64, error) {
	scale := int64(1)
	switch unit {
	case arrow.Nanosecond:
		return floorDiv(v, nanosPerMicro), nil
	case arrow.Second:
		scale = microsPerSecond
	case arrow.Millisecond:
		scale = microsPerSecond / 1000
	case arrow.Microsecond:
	}
	if v > math.MaxInt64/scale || v < math.MinInt64/scale {
		return 0, lake.Errorf(lake.KindInvalid, "a time of %d %s is out of range", v, unit)
	}
	return v * scale, nil
}

func intervalLiteral(months, days, micros int64, c *lake.Column) string {
	return castTo(fmt.Sprintf("to_months(%d) + to_days(%d) + to_microseconds(%s)", months, days, bigint(micros)), c)
}

// bigint writes a number so that the least one is no overflow of the minus sign.
func bigint(v int64) string { return fmt.Sprintf("CAST('%d' AS BIGINT)", v) }

func written(t time.Time) bool { return t.Year() >= writtenYearMin && t.Year() <= writtenYearMax }

func dateLiteral(days int64, c *lake.Column) string {
	switch days {
	case math.MaxInt32:
		return castText("infinity", c)
	case -math.MaxInt32:
		return castText("-infinity", c)
	}
	const secondsPerDay = 24 * 60 * 60
	if t := time.Unix(days*secondsPerDay, 0).UTC(); written(t) {
		return castText(t.Format(time.DateOnly), c)
	}
	return castTo(fmt.Sprintf("DATE '1970-01-01' + CAST('%d' AS INTEGER)", days), c)
}

func timeOfDayLiteral(v int64, unit arrow.TimeUnit, c *lake.Column) (string, error) {
	nanos := v
	if unit != arrow.Nanosecond {
		micros, err := toMicros(v, unit)
		if err != nil {
			return "", err
		}
		nanos = micros * nanosPerMicro
		if micros > microsPerDay {
			nanos = nanosPerDay + 1
		}
	}
	if nanos < 0 || nanos > nanosPerDay || v < 0 {
		return "", lake.Errorf(lake.KindInvalid, "a time of day of %d %s is out of range", v, unit)
	}
	seconds, fraction := nanos/int64(time.Second), nanos%int64(time.Second)
	text := fmt.Sprintf("%02d:%02d:%02d.%09d", seconds/3600, seconds/60%60, seconds%60, fraction)
	if unit != arrow.Nanosecond {
		text = text[:len(text)-len("000")]
	}
	return castText(text, c), nil
}

func timestampLiteral(v int64, unit arrow.TimeUnit, c *lake.Column) (string, error) {
	switch v {
	case math.MaxInt64:
		return castText("infinity", c), nil
	case -math.MaxInt64:
		return castText("-infinity", c), nil
	}
	if c.Type.ID == lake.TypeTimestampNS {
		if t := time.Unix(0, v).UTC(); written(t) { // always
			return castText(t.Format("2006-01-02 15:04:05.000000000"), c), nil
		}
	}
	micros, err := toMicros(v, unit)
	if err != nil {
		return "", err
	}
	if t := time.UnixMicro(micros).UTC(); written(t) {
		text := t.Format("2006-01-02 15:04:05.000000")
		if c.Type.ID == lake.TypeTimestampTZ {
			text += "+00"
		}
		return castText(text, c), nil
	}
	return castTo("make_timestamp("+bigint(micros)+")", c), nil
}
