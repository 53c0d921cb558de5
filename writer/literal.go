package writer

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// literalOf returns the default of column as an array of length 1, nil if it
// is NULL. The array lives on Go's heap and need not be released.
//
// Errors: KindUnsupported for a default that is an expression, or of a type
// whose text is not understood; KindInvalid for malformed text.
func literalOf(column *lake.Column) (arrow.Array, error) {
	if column.Default == nil {
		return nil, nil // NULL is a default
	}
	text := *column.Default
	if column.DefaultIsExpression {
		return nil, lake.Errorf(lake.KindUnsupported, "the default %s is an expression and cannot be computed here", text)
	}
	switch column.Type.ID {
	case lake.TypeInterval, lake.TypeList, lake.TypeStruct, lake.TypeMap:
		return nil, lake.Errorf(lake.KindUnsupported, "a default of type %s cannot be computed here", column.Type)
	case lake.TypeBlob:
		return binaryLiteral(text)
	case lake.TypeVarchar, lake.TypeJSON, lake.TypeUUID:
		return parseLiteral(arrow.BinaryTypes.String, text)
	case lake.TypeBoolean:
		text = strings.ToLower(text)
	case lake.TypeTimestampTZ:
		return instantLiteral(column.Type, text)
	default:
	}
	literal, err := parseLiteral(column.ArrowType(), text)
	if err != nil {
		return nil, lake.Errorf(lake.KindInvalid, "the default %q is not of type %s", text, column.Type)
	}
	return literal, nil
}

// instantLiteral parses the text of a timestamptz as DuckDB writes it.
func instantLiteral(t lake.Type, text string) (arrow.Array, error) {
	v, err := expr.ParseValue(t, text)
	if err != nil {
		return nil, lake.Errorf(lake.KindInvalid, "the default %q is not of type %s", text, t)
	}
	b := array.NewTimestampBuilder(memory.NewGoAllocator(), &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: lake.UTC})
	defer b.Release()
	b.Append(arrow.Timestamp(v.Int))
	return b.NewArray(), nil
}

func parseLiteral(t arrow.DataType, text string) (arrow.Array, error) {
	b := array.NewBuilder(memory.NewGoAllocator(), t)
	defer b.Release()
	if err := b.AppendValueFromString(text); err != nil {
		return nil, lake.Wrap(lake.KindInvalid, "default", err)
	}
	if b.NullN() > 0 { // the text of NULL in arrow-go, which is "(null)"
		return nil, lake.Errorf(lake.KindInvalid, "the default %q is not of type %s", text, t)
	}
	return b.NewArray(), nil
}

// binaryLiteral parses DuckDB's text of a blob: \xAA escapes among ASCII.
func binaryLiteral(text string) (arrow.Array, error) {
	var raw []byte
	for len(text) > 0 {
		if !strings.HasPrefix(text, `\x`) {
			raw, text = append(raw, text[0]), text[1:]
			continue
		}
		digits := text[2:min(4, len(text))]
		b, err := hex.DecodeString(digits)
		if err != nil || len(digits) != 2 {
			return nil, lake.Errorf(lake.KindInvalid, "the default %s is not a blob", strconv.Quote(text))
		}
		raw, text = append(raw, b...), text[4:]
	}
	b := array.NewBinaryBuilder(memory.NewGoAllocator(), arrow.BinaryTypes.Binary)
	defer b.Release()
	b.Append(raw)
	return b.NewArray(), nil
}
