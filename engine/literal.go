package engine

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/flightlake/flightlake/lake"
)

// Literal returns one value of an array as an SQL expression of constants with
// the value's own type: integers of 64 bits are BIGINT, and so on. Whatever the
// value holds, the text is one expression.
//
// Errors: KindUnsupported for a type that DuckDB lacks; KindInvalid for a value
// out of the range of its type.
func Literal(a arrow.Array, row int) (string, error) {
	if a.DataType().ID() == arrow.NULL {
		return "NULL", nil
	}
	columns, err := lake.ColumnsFromArrow(arrow.NewSchema([]arrow.Field{{Name: "parameter", Type: a.DataType(), Nullable: true}}, nil))
	if err != nil {
		return "", err
	}
	return literal(a, row, &columns[0])
}

func castTo(text string, c *lake.Column) string { return "CAST(" + text + " AS " + c.SQLType() + ")" }

// castText returns a cast of text, which must not hold a NUL character.
func castText(text string, c *lake.Column) string { return castTo(lake.QuoteLiteral(text), c) }

func literal(a arrow.Array, row int, c *lake.Column) (string, error) {
	if a.IsNull(row) {
		return castTo("NULL", c), nil
	}
	switch a := a.(type) {
	case *array.Dictionary:
		return literal(a.Dictionary(), a.GetValueIndex(row), c)
	case *array.RunEndEncoded:
		return literal(a.Values(), a.GetPhysicalIndex(row), c)
	case *extensions.UUIDArray:
		return castText(a.Value(row).String(), c), nil
	case array.ExtensionArray:
		return literal(a.Storage(), row, c)
	case *array.Boolean:
		return castText(strconv.FormatBool(a.Value(row)), c), nil
	case *array.Float16:
		return floatLiteral(float64(lake.HalfToFloat(a.Value(row))), 32, c), nil
	case *array.Float32:
		return floatLiteral(float64(a.Value(row)), 32, c), nil
	case *array.Float64:
		return floatLiteral(a.Value(row), 64, c), nil
	case *array.Struct:
		return structLiteral(a, row, c)
	case *array.Map:
		return mapLiteral(a, row, c)
	case array.ListLike:
		return listLiteral(a, row, c)
	}
	if text, ok := decimalLiteral(a, row, c); ok {
		return text, nil
	}
	if text, ok, err := timeLiteral(a, row, c); ok {
		return text, err
	}
	if text, ok, err := bytesLiteral(a, row, c); ok {
		return text, err
	}
	if arrow.IsInteger(a.DataType().ID()) {
		return castText(a.ValueStr(row), c), nil
	}
	return "", lake.Errorf(lake.KindUnsupported, "a parameter of Arrow type %s", a.DataType())
}

func floatLiteral(f float64, bits int, c *lake.Column) string {
	return castText(strconv.FormatFloat(f, 'g', -1, bits), c) // NaN, +Inf and -Inf included
}

// unscaled returns the digits of a decimal; nil for another type.
func unscaled(a arrow.Array, row int) *big.Int {
	switch a := a.(type) {
	case *array.Decimal32:
		return big.NewInt(int64(a.Value(row)))
	case *array.Decimal64:
		return big.NewInt(int64(a.Value(row)))
	case *array.Decimal128:
		return a.Value(row).BigInt()
	case *array.Decimal256:
		return a.Value(row).BigInt()
	}
	return nil
}

func decimalLiteral(a arrow.Array, row int, c *lake.Column) (text string, ok bool) {
	value := unscaled(a, row)
	if value == nil {
		return "", false
	}
	scale := int(a.DataType().(arrow.DecimalType).GetScale())
	if scale < 0 {
		value.Mul(value, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-scale)), nil))
		scale = 0
	}
	digits := new(big.Int).Abs(value).String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	text = digits[:len(digits)-scale]
	if scale > 0 {
		text += "." + digits[len(digits)-scale:]
	}
	if value.Sign() < 0 {
		text = "-" + text
	}
	return castText(text, c), true
}

func bytesLiteral(a arrow.Array, row int, c *lake.Column) (string, bool, error) {
	switch a := a.(type) {
	case *array.String:
		return textLiteral(a.Value(row), c)
	case *array.LargeString:
		return textLiteral(a.Value(row), c)
	case *array.StringView:
		return textLiteral(a.Value(row), c)
	case *array.Binary:
		return blobLiteral(a.Value(row)), true, nil
	case *array.LargeBinary:
		return blobLiteral(a.Value(row)), true, nil
	case *array.BinaryView:
		return blobLiteral(a.Value(row)), true, nil
	case *array.FixedSizeBinary:
		return blobLiteral(a.Value(row)), true, nil
	}
	return "", false, nil
}

func blobLiteral(b []byte) string { return "from_hex('" + hex.EncodeToString(b) + "')" }

// textLiteral writes text with a NUL character, which would end the statement,
// as bytes.
func textLiteral(s string, c *lake.Column) (string, bool, error) {
	if !utf8.ValidString(s) {
		return "", true, lake.Errorf(lake.KindInvalid, "a text parameter is not UTF-8")
	}
	if strings.Contains(s, "\x00") {
		return castTo("decode("+blobLiteral([]byte(s))+")", c), true, nil
	}
	return castText(s, c), true, nil
}

func listLiteral(a array.ListLike, row int, c *lake.Column) (string, error) {
	start, end := a.ValueOffsets(row)
	items, err := literals(a.ListValues(), start, end, &c.Children[0])
	if err != nil {
		return "", err
	}
	return castTo("["+items+"]", c), nil
}

func literals(a arrow.Array, start, end int64, c *lake.Column) (string, error) {
	texts := make([]string, 0, end-start)
	for i := start; i < end; i++ {
		text, err := literal(a, int(i), c)
		if err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", "), nil
}

func mapLiteral(a *array.Map, row int, c *lake.Column) (string, error) {
	start, end := a.ValueOffsets(row)
	keys, err := literals(a.Keys(), start, end, &c.Children[0])
	if err != nil {
		return "", err
	}
	values, err := literals(a.Items(), start, end, &c.Children[1])
	if err != nil {
		return "", err
	}
	return castTo(fmt.Sprintf("MAP([%s], [%s])", keys, values), c), nil
}

func structLiteral(a *array.Struct, row int, c *lake.Column) (string, error) {
	texts := make([]string, a.NumField())
	for i := range texts {
		text, err := literal(a.Field(i), row, &c.Children[i])
		if err != nil {
			return "", err
		}
		texts[i] = lake.QuoteIdent(c.Children[i].Name) + ": " + text
	}
	return castTo("{"+strings.Join(texts, ", ")+"}", c), nil
}
