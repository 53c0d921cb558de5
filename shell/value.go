package shell

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/rivo/uniseg"

	"github.com/flightlake/flightlake/lake"
)

// nullText stands for NULL within lists, structs and maps, and in tables.
const nullText = "NULL"

// binary is an array of bytes, of any layout.
type binary interface {
	arrow.Array
	Value(int) []byte
}

// width returns how many columns of a terminal the text takes.
func width(text string) int { return uniseg.StringWidth(text) }

// Text returns a value as DuckDB writes it as text, so that what a CSV file
// holds can be read back. Times with a zone are in UTC. The value must not be NULL.
func Text(a arrow.Array, i int) string {
	if s, ok := scalar(a, i); ok {
		return s
	}
	return string(appendNested(nil, a, i))
}

// scalar returns the text of a value that holds no other values.
func scalar(a arrow.Array, i int) (string, bool) {
	switch a := a.(type) {
	case *array.Null:
		return nullText, true
	case *array.Float16:
		return lake.FormatFloat(float64(lake.HalfToFloat(a.Value(i))), 32), true
	case *array.Float32:
		return lake.FormatFloat(float64(a.Value(i)), 32), true
	case *array.Float64:
		return lake.FormatFloat(a.Value(i), 64), true
	case array.StringLike:
		return a.Value(i), true
	case binary:
		return blobText(a.Value(i)), true
	case *array.Date32:
		if text, ok := infinity(int64(a.Value(i)), math.MaxInt32); ok {
			return text, true
		}
		return dateText(a.Value(i).ToTime()), true
	case *array.Date64:
		return dateText(a.Value(i).ToTime()), true
	case *array.Time32:
		return timeText(time.Duration(a.Value(i)) * unitOf(a.DataType())), true
	case *array.Time64:
		return timeText(time.Duration(a.Value(i)) * unitOf(a.DataType())), true
	case *array.Timestamp:
		zone := ""
		if a.DataType().(*arrow.TimestampType).TimeZone != "" {
			zone = "+00"
		}
		return timestampText(a, i, func(t time.Time) string { return dateText(t) + " " }, zone), true
	case *array.Duration:
		return durationText(int64(a.Value(i)), unitOf(a.DataType())), true
	case *array.MonthInterval:
		return intervalText(int32(a.Value(i)), 0, 0), true
	case *array.DayTimeInterval:
		v := a.Value(i)
		return intervalText(0, v.Days, int64(v.Milliseconds)*int64(time.Millisecond)), true
	case *array.MonthDayNanoInterval:
		v := a.Value(i)
		return intervalText(v.Months, v.Days, v.Nanoseconds), true
	case *extensions.UUIDArray:
		return a.Value(i).String(), true
	case *array.Boolean, *array.Int8, *array.Int16, *array.Int32, *array.Int64, *array.Uint8, *array.Uint16, *array.Uint32,
		*array.Uint64:
		return a.ValueStr(i), true
	}
	return decimalText(a, i)
}

// decimalText writes a decimal with all digits of its scale.
func decimalText(a arrow.Array, i int) (string, bool) {
	t, ok := a.DataType().(arrow.DecimalType)
	if !ok {
		return "", false
	}
	switch a := a.(type) {
	case *array.Decimal32:
		return a.Value(i).ToString(t.GetScale()), true
	case *array.Decimal64:
		return a.Value(i).ToString(t.GetScale()), true
	case *array.Decimal128:
		return a.Value(i).ToString(t.GetScale()), true
	case *array.Decimal256:
		return a.Value(i).ToString(t.GetScale()), true
	}
	return "", false
}

// inner returns the array and the place that really hold the value, if a is only
// another way to say it.
func inner(a arrow.Array, i int) (arrow.Array, int, bool) {
	switch a := a.(type) {
	case *array.Dictionary:
		return a.Dictionary(), a.GetValueIndex(i), true
	case *array.RunEndEncoded:
		return a.Values(), a.GetPhysicalIndex(i), true
	case array.Union:
		child := a.Field(a.ChildID(i))
		if dense, ok := a.(*array.DenseUnion); ok {
			return child, int(dense.ValueOffset(i)), true
		}
		return child, i, true
	case array.ExtensionArray:
		return a.Storage(), i, true
	}
	return nil, 0, false
}

// isNull reports whether the value is NULL, also inside a dictionary, a run or a
// union.
func isNull(a arrow.Array, i int) bool {
	if a.DataType().ID() == arrow.NULL || a.IsNull(i) {
		return true
	}
	if _, ok := a.(array.ExtensionArray); ok {
		return false
	}
	if b, j, ok := inner(a, i); ok {
		return isNull(b, j)
	}
	return false
}

// appendNested writes a value of a list, struct or map, or one that is encoded.
func appendNested(out []byte, a arrow.Array, i int) []byte {
	if b, j, ok := inner(a, i); ok {
		return append(out, Text(b, j)...)
	}
	switch a := a.(type) {
	case *array.Map:
		from, to := a.ValueOffsets(i)
		out = append(out, '{')
		for k := from; k < to; k++ {
			out = appendSeparator(out, k > from)
			out = appendItem(out, a.Keys(), int(k))
			out = append(out, '=')
			out = appendItem(out, a.Items(), int(k))
		}
		return append(out, '}')
	case array.ListLike:
		from, to := a.ValueOffsets(i)
		out = append(out, '[')
		for k := from; k < to; k++ {
			out = appendSeparator(out, k > from)
			out = appendItem(out, a.ListValues(), int(k))
		}
		return append(out, ']')
	case *array.Struct:
		out = append(out, '{')
		for k := range a.NumField() {
			out = appendSeparator(out, k > 0)
			out = append(out, quoted(a.DataType().(*arrow.StructType).Field(k).Name)...)
			out = append(out, ": "...)
			out = appendItem(out, a.Field(k), i)
		}
		return append(out, '}')
	}
	return append(out, a.ValueStr(i)...)
}

func appendSeparator(out []byte, needed bool) []byte {
	if needed {
		return append(out, ", "...)
	}
	return out
}

// appendItem writes a value inside another one, in quotes where it would be taken
// for something else without.
func appendItem(out []byte, a arrow.Array, i int) []byte {
	if isNull(a, i) {
		return append(out, nullText...)
	}
	if b, j, ok := inner(a, i); ok && a.DataType().ID() != arrow.EXTENSION {
		return appendItem(out, b, j)
	}
	text := Text(a, i)
	switch a.(type) {
	case array.StringLike, binary:
		if text == "" || strings.EqualFold(text, nullText) || strings.ContainsAny(text, " \t\r\n,:=()[]{}'\"\\") {
			return append(out, quoted(text)...)
		}
	}
	return append(out, text...)
}

func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// blobText writes printable ASCII as it is and other bytes as \xAB.
func blobText(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c >= ' ' && c <= '~' && c != '\\' {
			s.WriteByte(c)
			continue
		}
		s.WriteString(`\x` + strings.ToUpper(hex.EncodeToString([]byte{c})))
	}
	return s.String()
}

func dateText(t time.Time) string {
	if t.Year() <= 0 {
		return fmt.Sprintf("%04d-%02d-%02d (BC)", 1-t.Year(), t.Month(), t.Day())
	}
	return fmt.Sprintf("%04d-%02d-%02d", t.Year(), t.Month(), t.Day())
}

func unitOf(t arrow.DataType) time.Duration {
	return t.(arrow.TemporalWithUnit).TimeUnit().Multiplier()
}

// timeText writes a time of day with as many decimals as it needs.
func timeText(d time.Duration) string {
	h, d := d/time.Hour, d%time.Hour
	m, d := d/time.Minute, d%time.Minute
	return fmt.Sprintf("%02d:%02d:%02d%s", h, m, d/time.Second, fraction(int64(d%time.Second)))
}

// fraction writes nanoseconds of a second as .123, without zeros at the end.
func fraction(nanos int64) string {
	if nanos == 0 {
		return ""
	}
	return "." + strings.TrimRight(fmt.Sprintf("%09d", nanos), "0")
}

// infinity returns the text of DuckDB's infinities, which are the ends of a type's
// range.
func infinity(v, end int64) (string, bool) {
	switch v {
	case end:
		return "infinity", true
	case -end:
		return "-infinity", true
	}
	return "", false
}

// timestampText writes the date as it is told, time and zone.
func timestampText(a *array.Timestamp, i int, dateFunc func(time.Time) string, zone string) string {
	v := a.Value(i)
	if text, ok := infinity(int64(v), math.MaxInt64); ok {
		return text
	}
	t := v.ToTime(a.DataType().(*arrow.TimestampType).Unit)
	return dateFunc(t) + t.Format("15:04:05") + fraction(int64(t.Nanosecond())) + zone
}

func durationText(n int64, unit time.Duration) string {
	perSecond := int64(time.Second / unit)
	seconds, rest := n/perSecond, n%perSecond*int64(unit)
	sign := ""
	if n < 0 {
		sign, seconds, rest = "-", -seconds, -rest
	}
	return fmt.Sprintf("%s%02d:%02d:%02d%s", sign, seconds/3600, seconds/60%60, seconds%60, fraction(rest))
}

func intervalText(months, days int32, nanos int64) string {
	var parts []string
	add := func(n int32, unit string) {
		if n == 1 || n == -1 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit))
		} else if n != 0 {
			parts = append(parts, fmt.Sprintf("%d %ss", n, unit))
		}
	}
	add(months/12, "year")
	add(months%12, "month")
	add(days, "day")
	if nanos != 0 || len(parts) == 0 {
		parts = append(parts, durationText(nanos, time.Nanosecond))
	}
	return strings.Join(parts, " ")
}
