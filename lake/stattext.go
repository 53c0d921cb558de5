package lake

import (
	"encoding/hex"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseStat reads a statistics or partition value of type t from its text in
// the catalog (DuckLake data_types.md, "Type Encoding for Statistics"). It
// reports false, so that the value is unknown, for text that does not denote
// exactly one value of t, for NaN, and for types without a text: timetz,
// interval, variant, geometry and nested types. int128, uint128 and time_ns,
// which the specification gives no statistics, are read as integers and as
// times with up to nine fractional digits; partition values need them.
func ParseStat(t Type, text string) (Value, bool) {
	switch t.ID {
	case TypeBoolean:
		return parseBoolean(text)
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		v, err := strconv.ParseInt(text, 10, integerBits(t.ID))
		return Value{Int: v}, err == nil && text[0] != '+'
	case TypeUint8, TypeUint16, TypeUint32, TypeUint64:
		v, err := strconv.ParseUint(text, 10, integerBits(t.ID))
		return Value{Uint: v}, err == nil
	case TypeInt128:
		return parseFixed(text, 0, maxInt128Digits)
	case TypeUint128:
		return parseUint128(text)
	case TypeDecimal:
		return parseFixed(text, int(t.Scale), int(t.Precision))
	case TypeFloat32:
		return parseFloat(text, 32)
	case TypeFloat64:
		return parseFloat(text, 64)
	case TypeDate:
		return parseDate(text)
	case TypeTime, TypeTimeNS:
		return parseTime(text, unitsPerSecond(t.ID))
	case TypeTimestampS, TypeTimestampMS, TypeTimestamp, TypeTimestampNS, TypeTimestampTZ:
		return parseTimestamp(text, t.ID)
	case TypeVarchar, TypeJSON:
		return Value{Bytes: text}, utf8.ValidString(text)
	case TypeBlob:
		raw, err := hex.DecodeString(text)
		return Value{Bytes: string(raw)}, err == nil
	case TypeUUID:
		return parseUUID(text)
	default:
		return Value{}, false
	}
}

// FormatStat returns the text of v, a value of type t, as DuckDB prints it (but
// for float32, of which DuckDB may print more digits than tell it apart) for
// the catalog. It reports false for what has no text (see ParseStat) and for a
// v that is no value of t, such as NaN or a date that DuckDB cannot hold.
// ParseStat of the result gives v back, but for the sign of a float's zero.
func FormatStat(t Type, v Value) (string, bool) {
	switch t.ID {
	case TypeBoolean:
		return strconv.FormatInt(v.Int, 10), v.Int == 0 || v.Int == 1
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		shift := 64 - integerBits(t.ID)
		return strconv.FormatInt(v.Int, 10), v.Int<<shift>>shift == v.Int
	case TypeUint8, TypeUint16, TypeUint32, TypeUint64:
		shift := 64 - integerBits(t.ID)
		return strconv.FormatUint(v.Uint, 10), v.Uint<<shift>>shift == v.Uint
	case TypeInt128:
		return formatFixed(v, 0, maxInt128Digits)
	case TypeUint128:
		return string(appendUint128(nil, uint64(v.Int), v.Uint)), true
	case TypeDecimal:
		return formatFixed(v, int(t.Scale), int(t.Precision))
	case TypeFloat32:
		return FormatFloat(v.Float, 32), float64(float32(v.Float)) == v.Float // not so of NaN
	case TypeFloat64:
		return FormatFloat(v.Float, 64), !math.IsNaN(v.Float)
	case TypeDate:
		return formatDate(v.Int)
	case TypeTime, TypeTimeNS:
		perSecond := unitsPerSecond(t.ID)
		ok := v.Int >= 0 && v.Int <= secondsPerDay*perSecond
		return string(appendTime(nil, v.Int, perSecond)), ok
	case TypeTimestampS, TypeTimestampMS, TypeTimestamp, TypeTimestampNS, TypeTimestampTZ:
		return formatTimestamp(v.Int, t.ID)
	case TypeVarchar, TypeJSON:
		return v.Bytes, utf8.ValidString(v.Bytes)
	case TypeBlob:
		return strings.ToUpper(hex.EncodeToString([]byte(v.Bytes))), true
	case TypeUUID:
		return formatUUID(v.Bytes)
	default:
		return "", false
	}
}

// nanText is what DuckDB prints for every NaN.
const nanText = "nan"

// FormatPartition returns the text of a partition value: FormatStat's, and that
// of NaN, which is a partition value but no bound.
func FormatPartition(t Type, v Value) (string, bool) {
	if t.Float() && math.IsNaN(v.Float) {
		return nanText, true
	}
	return FormatStat(t, v)
}

// ParsePartition is the inverse of FormatPartition.
func ParsePartition(t Type, text string) (Value, bool) {
	if t.Float() && text == nanText {
		return Value{Float: math.NaN()}, true
	}
	return ParseStat(t, text)
}

// Widen returns v, a value of type from, as a value of type to. It reports
// false unless every value of from is a value of to with the same order, so
// that bounds stay bounds: a column that was promoted keeps the bounds of its
// older files, one that was changed otherwise loses them.
func Widen(from, to Type, v Value) (Value, bool) {
	if from == to {
		return v, true
	}
	switch {
	case signed(from.ID) && signed(to.ID):
		return v, integerBits(from.ID) <= integerBits(to.ID)
	case unsigned(from.ID) && unsigned(to.ID):
		return v, integerBits(from.ID) <= integerBits(to.ID)
	case unsigned(from.ID) && signed(to.ID):
		return Value{Int: int64(v.Uint)}, integerBits(from.ID) < integerBits(to.ID)
	case from.ID == TypeFloat32 && to.ID == TypeFloat64:
		return v, true
	case from.ID == TypeDecimal && to.ID == TypeDecimal:
		return v, from.Scale == to.Scale && from.Precision <= to.Precision
	case from.ID == TypeJSON && to.ID == TypeVarchar:
		return v, true
	}
	return Value{}, false
}

func signed(id TypeID) bool   { return id >= TypeInt8 && id <= TypeInt64 }
func unsigned(id TypeID) bool { return id >= TypeUint8 && id <= TypeUint64 }

// integerBits returns the width of the integer types up to 64 bits.
func integerBits(id TypeID) int {
	switch id {
	case TypeInt8, TypeUint8:
		return 8
	case TypeInt16, TypeUint16:
		return 16
	case TypeInt32, TypeUint32:
		return 32
	default:
		return 64
	}
}

func parseBoolean(text string) (Value, bool) {
	switch text {
	case "0", "false":
		return Value{Int: 0}, true
	case "1", "true":
		return Value{Int: 1}, true
	}
	return Value{}, false
}

// uuidGroups are the lengths in bytes of the groups of a UUID's text.
var uuidGroups = [...]int{4, 2, 2, 2, 6} // a read-only table of RFC 9562

// parseUUID reads the canonical form only, in either case.
func parseUUID(text string) (Value, bool) {
	var raw []byte
	for i, n := range uuidGroups {
		group, rest, found := strings.Cut(text, "-")
		decoded, err := hex.DecodeString(group)
		if err != nil || len(decoded) != n || found != (i < len(uuidGroups)-1) {
			return Value{}, false
		}
		raw, text = append(raw, decoded...), rest
	}
	return Value{Bytes: string(raw)}, true
}

func formatUUID(raw string) (string, bool) {
	const length = 16
	if len(raw) != length {
		return "", false
	}
	groups := make([]string, len(uuidGroups))
	for i, n := range uuidGroups {
		groups[i], raw = hex.EncodeToString([]byte(raw[:n])), raw[n:]
	}
	return strings.Join(groups, "-"), true
}

const (
	positiveInfinity = "inf"
	negativeInfinity = "-inf"
)

func parseFloat(text string, bitSize int) (Value, bool) {
	switch text {
	case positiveInfinity:
		return Value{Float: math.Inf(1)}, true
	case negativeInfinity:
		return Value{Float: math.Inf(-1)}, true
	}
	// strconv also takes hexadecimal, underscores, "NaN" and "infinity".
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return Value{}, false
	}
	f, err := strconv.ParseFloat(text, bitSize)
	return Value{Float: f}, err == nil
}

// FormatFloat returns f as the text that DuckDB casts a FLOAT (of 32 bits) or a
// DOUBLE (of 64) to: the shortest that reads back as f, with an exponent of at least
// two digits below 1e-4 and from 1e16 on, else with a point; or nan, inf and -inf.
func FormatFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return nanText
	case math.IsInf(f, 1):
		return positiveInfinity
	case math.IsInf(f, -1):
		return negativeInfinity
	}
	const exponentFrom, exponentBelow = 16, -4
	text := strconv.FormatFloat(f, 'e', -1, bits)
	// It is the text's exponent that counts: the FLOAT 0.0001 is less than 1e-4.
	exponent, err := strconv.Atoi(text[strings.IndexByte(text, 'e')+1:])
	if err != nil || exponent >= exponentFrom || exponent < exponentBelow {
		return text
	}
	text = strconv.FormatFloat(f, 'f', -1, bits)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// maxInt128Digits is the number of digits of the extremes of int128.
const maxInt128Digits = 39

// parseFixed reads a number of at most precision digits, scale of them after
// the point, as a two's complement of 128 bits. More fractional digits than
// scale are refused.
func parseFixed(text string, scale, precision int) (Value, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if len(fraction) > scale || len(whole)+len(fraction) == 0 || (hasPoint && fraction == "") {
		return Value{}, false
	}
	hi, lo, ok := parseDigits(whole + fraction + strings.Repeat("0", scale-len(fraction)))
	if !ok {
		return Value{}, false
	}
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	if isNegative := int64(hi) < 0; isNegative != negative && hi|lo != 0 {
		return Value{}, false
	}
	v := Value{Int: int64(hi), Uint: lo}
	return v, fitsDigits(v, precision)
}

func parseUint128(text string) (Value, bool) {
	hi, lo, ok := parseDigits(text)
	return Value{Int: int64(hi), Uint: lo}, ok && text != ""
}

// parseDigits reads an unsigned decimal number of up to 128 bits.
func parseDigits(text string) (hi, lo uint64, ok bool) {
	for i := range len(text) {
		d := text[i] - '0'
		if d > 9 {
			return 0, 0, false
		}
		over, highPart := bits.Mul64(hi, 10)
		carry, lowPart := bits.Mul64(lo, 10)
		var c1, c2 uint64
		lo, c1 = bits.Add64(lowPart, uint64(d), 0)
		hi, c2 = bits.Add64(highPart, carry, c1)
		if over != 0 || c2 != 0 {
			return 0, 0, false
		}
	}
	return hi, lo, true
}

// magnitude returns the absolute value of a two's complement of 128 bits.
func magnitude(v Value) (hi, lo uint64) {
	if v.Int >= 0 {
		return uint64(v.Int), v.Uint
	}
	lo, borrow := bits.Sub64(0, v.Uint, 0)
	hi, _ = bits.Sub64(0, uint64(v.Int), borrow)
	return hi, lo
}

// fitsDigits reports whether v has at most n significant digits.
func fitsDigits(v Value, n int) bool {
	if n >= maxInt128Digits {
		return true
	}
	hi, lo := magnitude(v)
	limitHi, limitLo := uint64(0), uint64(1)
	for range n {
		_, high := bits.Mul64(limitHi, 10)
		carry, low := bits.Mul64(limitLo, 10)
		limitHi, limitLo = high+carry, low
	}
	return hi < limitHi || (hi == limitHi && lo < limitLo)
}

// formatFixed prints a decimal as DuckDB does, which leaves the zero before
// the point out where the type has no digit there.
func formatFixed(v Value, scale, precision int) (string, bool) {
	if !fitsDigits(v, precision) {
		return "", false
	}
	hi, lo := magnitude(v)
	digits := appendUint128(nil, hi, lo)
	wholeMin := 1
	if precision == scale {
		wholeMin = 0
		if string(digits) == "0" {
			digits = digits[:0]
		}
	}
	if missing := scale + wholeMin - len(digits); missing > 0 {
		digits = append([]byte(strings.Repeat("0", missing)), digits...)
	}
	var b strings.Builder
	if v.Int < 0 {
		b.WriteByte('-')
	}
	b.Write(digits[:len(digits)-scale])
	if scale > 0 {
		b.WriteByte('.')
		b.Write(digits[len(digits)-scale:])
	}
	return b.String(), true
}

func appendUint128(dst []byte, hi, lo uint64) []byte {
	const chunk, chunkDigits = 10_000_000_000_000_000_000, 19
	if hi == 0 && lo < chunk {
		return strconv.AppendUint(dst, lo, 10)
	}
	quotientHi, remainder := hi/chunk, hi%chunk
	quotientLo, rest := bits.Div64(remainder, lo, chunk)
	dst = appendUint128(dst, quotientHi, quotientLo)
	low := strconv.FormatUint(rest, 10)
	dst = append(dst, strings.Repeat("0", chunkDigits-len(low))...)
	return append(dst, low...)
}
