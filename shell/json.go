package shell

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// appendJSON writes a value as JSON. Integers and decimals are numbers with all
// their digits; NaN and the infinities, which JSON lacks, are strings; binary is
// base64; times are ISO 8601, with Z if their type has a zone.
func appendJSON(out []byte, a arrow.Array, i int) []byte {
	if isNull(a, i) {
		return append(out, "null"...)
	}
	if out, ok := appendJSONScalar(out, a, i); ok {
		return out
	}
	if b, j, ok := inner(a, i); ok && a.DataType().ID() != arrow.EXTENSION {
		return appendJSON(out, b, j)
	}
	switch a := a.(type) {
	case *array.Map:
		return appendJSONMap(out, a, i)
	case array.ListLike:
		from, to := a.ValueOffsets(i)
		out = append(out, '[')
		for k := from; k < to; k++ {
			if k > from {
				out = append(out, ',')
			}
			out = appendJSON(out, a.ListValues(), int(k))
		}
		return append(out, ']')
	case *array.Struct:
		names := uniqueNames(a.DataType().(*arrow.StructType).Fields())
		out = append(out, '{')
		for k := range a.NumField() {
			out = appendJSONName(out, names[k], k > 0)
			out = appendJSON(out, a.Field(k), i)
		}
		return append(out, '}')
	}
	if text, ok := scalar(a, i); ok {
		return appendJSONString(out, text)
	}
	if b, j, ok := inner(a, i); ok {
		return appendJSON(out, b, j)
	}
	return appendJSONString(out, a.ValueStr(i))
}

// appendJSONScalar writes what is a JSON number, a boolean, or a string of another
// form than Text.
func appendJSONScalar(out []byte, a arrow.Array, i int) ([]byte, bool) {
	switch a := a.(type) {
	case *array.Boolean:
		return strconv.AppendBool(out, a.Value(i)), true
	case *array.Float16:
		return appendJSONFloat(out, float64(lake.HalfToFloat(a.Value(i))), 32), true
	case *array.Float32:
		return appendJSONFloat(out, float64(a.Value(i)), 32), true
	case *array.Float64:
		return appendJSONFloat(out, a.Value(i), 64), true
	case *array.Int8, *array.Int16, *array.Int32, *array.Int64, *array.Uint8, *array.Uint16, *array.Uint32, *array.Uint64:
		return append(out, a.ValueStr(i)...), true
	case array.StringLike:
		return appendJSONString(out, a.Value(i)), true
	case binary:
		return appendJSONString(out, base64.StdEncoding.EncodeToString(a.Value(i))), true
	case *array.Date32:
		if text, ok := infinity(int64(a.Value(i)), math.MaxInt32); ok {
			return appendJSONString(out, text), true
		}
		return appendJSONString(out, isoDate(a.Value(i).ToTime())), true
	case *array.Date64:
		return appendJSONString(out, isoDate(a.Value(i).ToTime())), true
	case *array.Timestamp:
		zone := ""
		if a.DataType().(*arrow.TimestampType).TimeZone != "" {
			zone = "Z"
		}
		return appendJSONString(out, timestampText(a, i, func(t time.Time) string { return isoDate(t) + "T" }, zone)), true
	case *array.Duration:
		return appendJSONString(out, isoInterval(0, 0, int64(a.Value(i)), int64(time.Second/unitOf(a.DataType())))), true
	case *array.MonthInterval:
		return appendJSONString(out, isoInterval(int32(a.Value(i)), 0, 0, 1)), true
	case *array.DayTimeInterval:
		v := a.Value(i)
		return appendJSONString(out, isoInterval(0, v.Days, int64(v.Milliseconds), 1e3)), true
	case *array.MonthDayNanoInterval:
		v := a.Value(i)
		return appendJSONString(out, isoInterval(v.Months, v.Days, v.Nanoseconds, 1e9)), true
	}
	text, ok := decimalText(a, i)
	return append(out, text...), ok
}

// isoDate writes a date as ISO 8601, in which the year before 1 is 0.
func isoDate(t time.Time) string {
	sign, year := "", t.Year()
	if year < 0 {
		sign, year = "-", -year
	}
	return fmt.Sprintf("%s%04d-%02d-%02d", sign, year, t.Month(), t.Day())
}

// isoInterval writes an interval as an ISO 8601 duration such as P1M2DT3.5S; n
// counts parts of a second.
func isoInterval(months, days int32, n, perSecond int64) string {
	text := "P"
	if months != 0 {
		text += fmt.Sprintf("%dM", months)
	}
	if days != 0 {
		text += fmt.Sprintf("%dD", days)
	}
	if n == 0 && text != "P" {
		return text
	}
	sign, rest := "", n%perSecond
	if n < 0 {
		sign, rest = "-", -rest
	}
	seconds := n / perSecond
	if seconds < 0 {
		seconds = -seconds
	}
	return text + fmt.Sprintf("T%s%d%sS", sign, seconds, fraction(rest*(1e9/perSecond)))
}

// appendJSONMap writes an object if the keys are text, else a list of pairs.
func appendJSONMap(out []byte, a *array.Map, i int) []byte {
	from, to := a.ValueOffsets(i)
	keys, ok := a.Keys().(array.StringLike)
	if ok {
		out = append(out, '{')
		for k := from; k < to; k++ {
			out = appendJSONName(out, keys.Value(int(k)), k > from)
			out = appendJSON(out, a.Items(), int(k))
		}
		return append(out, '}')
	}
	out = append(out, '[')
	for k := from; k < to; k++ {
		if k > from {
			out = append(out, ',')
		}
		out = append(out, `{"key":`...)
		out = appendJSON(out, a.Keys(), int(k))
		out = append(out, `,"value":`...)
		out = appendJSON(out, a.Items(), int(k))
		out = append(out, '}')
	}
	return append(out, ']')
}

func appendJSONName(out []byte, name string, more bool) []byte {
	if more {
		out = append(out, ',')
	}
	return append(appendJSONString(out, name), ':')
}

func appendJSONFloat(out []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(out, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(out, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(out, `"-Infinity"`...)
	}
	return append(out, lake.FormatFloat(v, bits)...)
}

// appendJSONString writes text as a JSON string, in which < and > stay readable.
func appendJSONString(out []byte, text string) []byte {
	var b jsonBuffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string can always be encoded
	return append(out, b[:len(b)-1]...)
}

// jsonBuffer collects what an encoder writes.
type jsonBuffer []byte

// Write implements io.Writer.
func (b *jsonBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// uniqueNames returns the names of fields, those that come again with a number,
// because an object holds a name once.
func uniqueNames(fields []arrow.Field) []string {
	names := make([]string, len(fields))
	taken := make(map[string]bool, len(fields))
	for _, f := range fields {
		taken[f.Name] = true
	}
	seen := make(map[string]bool, len(fields))
	for i, f := range fields {
		name := f.Name
		for n := 1; seen[name] || name != f.Name && taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", f.Name, n)
		}
		seen[name] = true
		names[i] = name
	}
	return names
}
