package engine

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"github.com/flightlake/flightlake/lake"
)

// LiteralAs returns the value as Literal does, converted to a type that DuckDB
// inferred for the parameter (Description.Params), or to that of a column: what
// binding the value to a prepared statement does. A type of null leaves the value
// as it is, and so does a number that the type cannot hold exactly but for the
// range: comparisons with it keep their meaning. If check is not empty it is an
// SQL condition that is true if the value can be converted.
//
// Errors: those of Literal; KindInvalid, without the value, for an integer out of
// the type's range and for text that is no number that the type holds exactly.
func LiteralAs(a arrow.Array, row int, want arrow.DataType) (text, check string, err error) {
	text, err = Literal(a, row)
	if err != nil || want == nil || want.ID() == arrow.NULL || arrow.TypeEqual(want, a.DataType()) {
		return text, "", err
	}
	columns, err := lake.ColumnsFromArrow(arrow.NewSchema([]arrow.Field{{Name: "parameter", Type: want, Nullable: true}}, nil))
	if err != nil {
		return "", "", err
	}
	c := &columns[0]
	a, row = innermost(a, row)
	if a.DataType().ID() == arrow.NULL || a.IsNull(row) { // an array of type null has no bitmap
		return castTo("NULL", c), "", nil
	}
	if b, ok := sixteen(a, row); ok && c.Type.ID == lake.TypeUUID {
		return castText(b.String(), c), "", nil
	}
	if exact, decided := exactNumber(a, row, c); decided {
		switch {
		case exact:
			return castTo(text, c), "", nil
		case arrow.IsInteger(a.DataType().ID()):
			return "", "", lake.Errorf(lake.KindInvalid, "the value %s is out of the range of %s", Shown(a, row), c.SQLType())
		case isText(a.DataType().ID()):
			return "", "", lake.Errorf(lake.KindInvalid, "the text %s is not a value of %s", Shown(a, row), c.SQLType())
		}
		return text, "", nil
	}
	return castTo(text, c), "TRY_CAST(" + text + " AS " + c.SQLType() + ") IS NOT NULL", nil
}

// shownRunes is how much of a value an error shows.
const shownRunes = 32

// Shown returns the beginning of a value for an error about it: text in quotes.
func Shown(a arrow.Array, row int) string {
	a, row = innermost(a, row)
	text := a.ValueStr(row)
	if runes := []rune(text[:min(len(text), 4*shownRunes)]); len(runes) > shownRunes {
		text = string(runes[:shownRunes]) + "..."
	}
	if isText(a.DataType().ID()) {
		return strconv.Quote(text)
	}
	return text
}

// innermost returns the array and row that a dictionary or a run refers to.
func innermost(a arrow.Array, row int) (arrow.Array, int) {
	for !a.IsNull(row) {
		switch v := a.(type) {
		case *array.Dictionary:
			a, row = v.Dictionary(), v.GetValueIndex(row)
		case *array.RunEndEncoded:
			a, row = v.Values(), v.GetPhysicalIndex(row)
		default:
			return a, row
		}
	}
	return a, row
}

// sixteen returns the bytes of a UUID that came as binary.
func sixteen(a arrow.Array, row int) (uuid.UUID, bool) {
	b, ok := a.(interface{ Value(i int) []byte })
	if !ok {
		return uuid.UUID{}, false
	}
	id, err := uuid.FromBytes(b.Value(row))
	return id, err == nil
}

func isText(id arrow.Type) bool {
	return id == arrow.STRING || id == arrow.LARGE_STRING || id == arrow.STRING_VIEW
}

// exactNumber reports whether a type of integers or decimals holds a number, or
// text, exactly; decided is false if one of the two is of another type.
func exactNumber(a arrow.Array, row int, c *lake.Column) (exact, decided bool) {
	limit, scale := numberLimit(c.Type)
	if limit == nil {
		return false, false
	}
	value, ok := rational(a, row)
	if !ok {
		return false, false
	}
	if value == nil {
		return false, true
	}
	shifted := new(big.Rat).Mul(value, new(big.Rat).SetInt(power(10, scale)))
	if !shifted.IsInt() {
		return false, true
	}
	n := shifted.Num()
	low := new(big.Int)
	switch {
	case c.Type.ID == lake.TypeDecimal:
		low.Sub(big.NewInt(1), limit)
	case !unsigned(c.Type.ID):
		low.Neg(limit)
	}
	return n.Cmp(low) >= 0 && n.Cmp(limit) < 0, true
}

func power(base, exponent int64) *big.Int {
	return new(big.Int).Exp(big.NewInt(base), big.NewInt(exponent), nil)
}

// numberLimit returns the least number above those of a type, counted in units of
// the scale; nil for a type of others than integers and decimals.
func numberLimit(t lake.Type) (limit *big.Int, scale int64) {
	bits := map[lake.TypeID]int64{
		lake.TypeInt8: 7, lake.TypeInt16: 15, lake.TypeInt32: 31, lake.TypeInt64: 63, lake.TypeInt128: 127,
		lake.TypeUint8: 8, lake.TypeUint16: 16, lake.TypeUint32: 32, lake.TypeUint64: 64, lake.TypeUint128: 128,
	}
	if t.ID == lake.TypeDecimal {
		return power(10, int64(t.Precision)), int64(t.Scale)
	}
	if n, ok := bits[t.ID]; ok {
		return power(2, n), 0
	}
	return nil, 0
}

func unsigned(id lake.TypeID) bool {
	return id == lake.TypeUint8 || id == lake.TypeUint16 || id == lake.TypeUint32 || id == lake.TypeUint64 || id == lake.TypeUint128
}

// Limits of text that is taken for a number, whose digits are written out to
// compare: bytes, and the exponent.
const (
	numberTextMax = 128
	exponentMax   = 64
)

// rational returns a number, or text, as a fraction, nil if it is none; ok is
// false for other types.
func rational(a arrow.Array, row int) (value *big.Rat, ok bool) {
	var text string
	switch a := a.(type) {
	case array.ExtensionArray:
		return nil, false
	case *array.Float16:
		return new(big.Rat).SetFloat64(float64(lake.HalfToFloat(a.Value(row)))), true
	case *array.Float32:
		text = strconv.FormatFloat(float64(a.Value(row)), 'g', -1, 32)
	case *array.Float64:
		text = strconv.FormatFloat(a.Value(row), 'g', -1, 64)
	case *array.Decimal32, *array.Decimal64, *array.Decimal128, *array.Decimal256:
		value := new(big.Rat).SetInt(unscaled(a, row))
		scale := int64(a.DataType().(arrow.DecimalType).GetScale())
		if scale < 0 {
			return value.Mul(value, new(big.Rat).SetInt(power(10, -scale))), true
		}
		return value.Quo(value, new(big.Rat).SetInt(power(10, scale))), true
	default:
		if id := a.DataType().ID(); !arrow.IsInteger(id) && !isText(id) {
			return nil, false
		}
		text = strings.TrimSpace(a.ValueStr(row))
	}
	if len(text) > numberTextMax {
		return nil, true
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f != 0 && math.Abs(math.Log10(math.Abs(f))) > exponentMax ||
		strings.ContainsAny(text, "/_xXpPbBoO") {
		return nil, true // no type holds it, or it is no number of SQL
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, true
	}
	return r, true
}
