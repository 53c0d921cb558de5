package expr

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// ParseValue parses the text that DuckDB gives a value of type t, such as a
// default or a statistic in the catalog. It is the inverse of FormatValue, and
// also reads what DuckDB's casts accept of dates and times with a zone offset.
//
// Errors: KindInvalid for text that is not a value of t; KindUnsupported for
// types without values.
func ParseValue(t lake.Type, text string) (lake.Value, error) {
	v, ok := parse(t, text)
	if !ok {
		if !ordered(t) {
			return lake.Value{}, lake.Errorf(lake.KindUnsupported, "values of type %s cannot be read from text", t)
		}
		return lake.Value{}, lake.Errorf(lake.KindInvalid, "the text is not a value of type %s", t)
	}
	return v, nil
}

func parse(t lake.Type, text string) (lake.Value, bool) {
	switch t.ID {
	case lake.TypeVarchar, lake.TypeJSON:
		return lake.Value{Bytes: text}, true
	case lake.TypeBlob:
		return parseBlob(text)
	default:
	}
	text = strings.TrimSpace(text)
	switch t.ID {
	case lake.TypeBoolean:
		return parseBool(text)
	case lake.TypeInt8, lake.TypeInt16, lake.TypeInt32, lake.TypeInt64:
		n, err := strconv.ParseInt(text, 10, intBits(t.ID))
		return lake.Value{Int: n}, err == nil
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64:
		n, err := strconv.ParseUint(text, 10, intBits(t.ID))
		return lake.Value{Uint: n}, err == nil
	case lake.TypeInt128, lake.TypeUint128, lake.TypeDecimal:
		return parseWide(t, text)
	case lake.TypeFloat32, lake.TypeFloat64:
		return parseFloat(t, text)
	case lake.TypeDate, lake.TypeTimestampS, lake.TypeTimestampMS, lake.TypeTimestamp,
		lake.TypeTimestampNS, lake.TypeTimestampTZ:
		return parseMoment(t, text)
	case lake.TypeTime, lake.TypeTimeTZ, lake.TypeTimeNS:
		return parseTime(t, text)
	case lake.TypeUUID:
		b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
		return lake.Value{Bytes: string(b)}, err == nil && len(b) == 16
	default:
		return lake.Value{}, false
	}
}

func intBits(id lake.TypeID) int {
	switch id {
	case lake.TypeInt8, lake.TypeUint8:
		return 8
	case lake.TypeInt16, lake.TypeUint16:
		return 16
	case lake.TypeInt32, lake.TypeUint32:
		return 32
	default:
		return 64
	}
}

func parseBool(text string) (lake.Value, bool) {
	switch strings.ToLower(text) {
	case "true", "t", "1":
		return lake.Value{Int: 1}, true
	case "false", "f", "0":
		return lake.Value{}, true
	}
	return lake.Value{}, false
}

func parseFloat(t lake.Type, text string) (lake.Value, bool) {
	bits := 64
	if t.ID == lake.TypeFloat32 {
		bits = 32
	}
	if strings.HasPrefix(strings.TrimLeft(text, "+-"), "0x") || strings.Contains(text, "_") {
		return lake.Value{}, false
	}
	f, err := strconv.ParseFloat(text, bits)
	return lake.Value{Float: f}, err == nil
}

// parseWide reads an integer or decimal of up to 128 bits, exactly.
func parseWide(t lake.Type, text string) (lake.Value, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if t.ID == lake.TypeDecimal {
		for int32(len(fraction)) > t.Scale && strings.HasSuffix(fraction, "0") {
			fraction = fraction[:len(fraction)-1]
		}
	}
	if int32(len(fraction)) > t.Scale || strings.ContainsAny(fraction, "+-") || whole+fraction == "" {
		return lake.Value{}, false
	}
	fraction += strings.Repeat("0", int(t.Scale)-len(fraction))
	n, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok || strings.Contains(text, "_") {
		return lake.Value{}, false
	}
	if t.ID == lake.TypeUint128 {
		if n.Sign() < 0 || n.BitLen() > 128 {
			return lake.Value{}, false
		}
	} else if n.BitLen() > 127 && !isMinInt128(n) {
		return lake.Value{}, false
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
	high := new(big.Int).Rsh(n, 64)
	if t.ID == lake.TypeUint128 {
		return lake.Value{Int: int64(high.Uint64()), Uint: low.Uint64()}, true
	}
	return lake.Value{Int: high.Int64(), Uint: low.Uint64()}, true
}

func isMinInt128(n *big.Int) bool {
	return n.Sign() < 0 && n.BitLen() == 128 && n.TrailingZeroBits() == 127
}

func parseBlob(text string) (lake.Value, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		if i+3 >= len(text) || text[i+1] != 'x' {
			return lake.Value{}, false
		}
		c, err := strconv.ParseUint(text[i+2:i+4], 16, 8)
		if err != nil {
			return lake.Value{}, false
		}
		b.WriteByte(byte(c))
		i += 3
	}
	return lake.Value{Bytes: b.String()}, true
}

func parseMoment(t lake.Type, text string) (lake.Value, bool) {
	limit := int64(math.MaxInt64)
	if t.ID == lake.TypeDate {
		limit = math.MaxInt32
	}
	switch strings.ToLower(text) {
	case "infinity", "inf":
		return lake.Value{Int: limit}, true
	case "-infinity", "-inf":
		return lake.Value{Int: -limit}, true
	}
	text, bc := strings.CutSuffix(text, " (BC)")
	date, clock, timed := strings.Cut(strings.Replace(text, "T", " ", 1), " ")
	parts := strings.Split(date, "-")
	if len(parts) != 3 {
		return lake.Value{}, false
	}
	var ymd [3]int64
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 40)
		if err != nil {
			return lake.Value{}, false
		}
		ymd[i] = int64(n)
	}
	if bc {
		ymd[0] = 1 - ymd[0]
	}
	days := lake.DaysFromCivil(ymd[0], ymd[1], ymd[2])
	if y, m, d := lake.CivilFromDays(days); y != ymd[0] || m != ymd[1] || d != ymd[2] {
		return lake.Value{}, false
	}
	if !timed || t.ID == lake.TypeDate {
		return valueAt(t, days, 0)
	}
	nanos, ok := parseClock(clock)
	if !ok {
		return lake.Value{}, false
	}
	return valueAt(t, days, nanos)
}

func parseTime(t lake.Type, text string) (lake.Value, bool) {
	nanos, ok := parseClock(text)
	const nanosPerDay = secondsPerDay * nanosPerSecond
	if t.ID == lake.TypeTimeTZ && (nanos < 0 || nanos > nanosPerDay) { // the zone left the day
		nanos -= floorDiv(nanos, nanosPerDay) * nanosPerDay
	}
	if nanos < 0 || nanos > nanosPerDay { // 24:00:00 is a time
		return lake.Value{}, false
	}
	if t.ID == lake.TypeTimeNS {
		return lake.Value{Int: nanos}, ok
	}
	return lake.Value{Int: nanos / 1_000}, ok
}

// parseClock reads hh:mm:ss[.fraction][zone] as nanoseconds since midnight in
// UTC; a zone may move it before or past the day.
func parseClock(text string) (int64, bool) {
	zone := int64(0)
	if s, ok := strings.CutSuffix(text, "Z"); ok {
		text = s
	} else if i := strings.LastIndexAny(text, "+-"); i > 0 {
		var ok bool
		if zone, ok = parseSexagesimal(text[i+1:]); !ok {
			return 0, false
		}
		if text[i] == '-' {
			zone = -zone
		}
		text = text[:i]
	}
	text, fraction, _ := strings.Cut(strings.TrimSpace(text), ".")
	seconds, ok := parseSexagesimal(text)
	if !ok || strings.Count(text, ":") == 0 || len(fraction) > 9 {
		return 0, false
	}
	nanos, err := strconv.ParseUint("0"+fraction+strings.Repeat("0", 9-len(fraction)), 10, 32)
	if err != nil {
		return 0, false
	}
	return (seconds-zone)*nanosPerSecond + int64(nanos), true
}

// parseSexagesimal reads hh[:mm[:ss]] as seconds.
func parseSexagesimal(text string) (int64, bool) {
	parts := strings.Split(text, ":")
	if len(parts) > 3 {
		return 0, false
	}
	total, weight := int64(0), int64(3_600)
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil || i > 0 && n > 59 {
			return 0, false
		}
		total += int64(n) * weight
		weight /= 60
	}
	return total, true
}
