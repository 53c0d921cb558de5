package expr

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Format returns p as SQL, for EXPLAIN. Fields are named after columns, nested
// ones by their path; a field that is not among them is printed as its id.
func Format(p Predicate, columns []lake.Column) string {
	names := make(map[lake.FieldID]string)
	for i := range columns {
		nameFields(&columns[i], "", names)
	}
	var b strings.Builder
	writePredicate(&b, p, names)
	return b.String()
}

func nameFields(c *lake.Column, prefix string, out map[lake.FieldID]string) {
	name := prefix + identifier(c.Name)
	out[c.ID] = name
	for i := range c.Children {
		nameFields(&c.Children[i], name+".", out)
	}
}

// identifier quotes a name unless it is plain.
func identifier(name string) string {
	for i, r := range name {
		if (r < 'a' || r > 'z') && r != '_' && (i == 0 || r < '0' || r > '9') {
			return lake.QuoteIdent(name)
		}
	}
	return name
}

func writePredicate(b *strings.Builder, p Predicate, names map[lake.FieldID]string) {
	switch p := p.(type) {
	case nil:
		b.WriteString("true")
	case And:
		writeTerms(b, p.Terms, " AND ", "true", names)
	case Or:
		writeTerms(b, p.Terms, " OR ", "false", names)
	case Not:
		if null, ok := p.Term.(IsNull); ok {
			b.WriteString(fieldName(null.Field, names) + " IS NOT NULL")
			return
		}
		b.WriteString("NOT (")
		writePredicate(b, p.Term, names)
		b.WriteByte(')')
	case Compare:
		fmt.Fprintf(b, "%s %s %s", fieldName(p.Field, names), p.Op, SQLLiteral(p.Type, p.Value))
	case In:
		b.WriteString(fieldName(p.Field, names) + " IN (")
		for i, v := range p.Values {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(SQLLiteral(p.Type, v))
		}
		b.WriteByte(')')
	case IsNull:
		b.WriteString(fieldName(p.Field, names) + " IS NULL")
	case Constant:
		if p.Null {
			b.WriteString("NULL")
		} else {
			b.WriteString(strconv.FormatBool(p.Value))
		}
	case Opaque:
		b.WriteString("(" + p.Text + ")")
	}
}

func writeTerms(b *strings.Builder, terms []Predicate, join, empty string, names map[lake.FieldID]string) {
	if len(terms) == 0 {
		b.WriteString(empty)
		return
	}
	for i, t := range terms {
		if i > 0 {
			b.WriteString(join)
		}
		_, and := t.(And)
		_, or := t.(Or)
		if and || or {
			b.WriteByte('(')
			writePredicate(b, t, names)
			b.WriteByte(')')
		} else {
			writePredicate(b, t, names)
		}
	}
}

func fieldName(id lake.FieldID, names map[lake.FieldID]string) string {
	if n, ok := names[id]; ok {
		return n
	}
	return "#" + strconv.FormatInt(int64(id), 10)
}

// String returns the SQL operator.
func (o Op) String() string {
	return [...]string{"=", "<>", "<", "<=", ">", ">="}[o]
}

// SQLLiteral returns v as a literal of DuckDB's SQL.
func SQLLiteral(t lake.Type, v lake.Value) string {
	text := FormatValue(t, v)
	switch t.ID {
	case lake.TypeBoolean, lake.TypeInt8, lake.TypeInt16, lake.TypeInt32, lake.TypeInt64,
		lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64,
		lake.TypeInt128, lake.TypeUint128, lake.TypeDecimal:
		return text
	case lake.TypeVarchar:
		return lake.QuoteLiteral(text)
	default:
		c := lake.Column{Type: t}
		return lake.QuoteLiteral(text) + "::" + c.SQLType()
	}
}

// FormatValue returns v as the text that DuckDB casts it to. Types without
// values give an empty text.
func FormatValue(t lake.Type, v lake.Value) string {
	switch t.ID {
	case lake.TypeBoolean:
		return strconv.FormatBool(v.Int != 0)
	case lake.TypeInt8, lake.TypeInt16, lake.TypeInt32, lake.TypeInt64:
		return strconv.FormatInt(v.Int, 10)
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64:
		return strconv.FormatUint(v.Uint, 10)
	case lake.TypeInt128, lake.TypeDecimal:
		return formatDecimal(wide(v.Int, v.Uint), t.Scale)
	case lake.TypeUint128:
		high := new(big.Int).Lsh(new(big.Int).SetUint64(uint64(v.Int)), 64)
		return high.Or(high, new(big.Int).SetUint64(v.Uint)).String()
	case lake.TypeFloat32:
		return lake.FormatFloat(v.Float, 32)
	case lake.TypeFloat64:
		return lake.FormatFloat(v.Float, 64)
	case lake.TypeDate, lake.TypeTimestampS, lake.TypeTimestampMS, lake.TypeTimestamp,
		lake.TypeTimestampNS, lake.TypeTimestampTZ:
		return formatMoment(t, v)
	case lake.TypeTime:
		return formatClock(v.Int * 1_000)
	case lake.TypeTimeTZ:
		return formatClock(v.Int*1_000) + "+00"
	case lake.TypeTimeNS:
		return formatClock(v.Int)
	case lake.TypeVarchar, lake.TypeJSON:
		return v.Bytes
	case lake.TypeBlob:
		return formatBlob(v.Bytes)
	case lake.TypeUUID:
		h := hex.EncodeToString([]byte(v.Bytes))
		if len(h) != 32 {
			return h
		}
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	default:
		return ""
	}
}

// wide joins the words of a 128-bit two's complement number.
func wide(high int64, low uint64) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(high), 64)
	return n.Add(n, new(big.Int).SetUint64(low))
}

func formatDecimal(n *big.Int, scale int32) string {
	if scale == 0 {
		return n.String()
	}
	digits := new(big.Int).Abs(n).String()
	if pad := int(scale) + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	point := len(digits) - int(scale)
	text := digits[:point] + "." + digits[point:]
	if n.Sign() < 0 {
		return "-" + text
	}
	return text
}

func formatMoment(t lake.Type, v lake.Value) string {
	if infinite(t, v) {
		if v.Int > 0 {
			return "infinity"
		}
		return "-infinity"
	}
	c, _ := civilOf(t, v)
	year, era := c.year, ""
	if year <= 0 {
		year, era = 1-year, " (BC)"
	}
	text := fmt.Sprintf("%04d-%02d-%02d", year, c.month, c.day)
	if t.ID != lake.TypeDate {
		text += " " + formatClock(c.nanos)
	}
	if t.ID == lake.TypeTimestampTZ {
		text += "+00"
	}
	return text + era
}

func formatClock(nanos int64) string {
	seconds := nanos / nanosPerSecond
	text := fmt.Sprintf("%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	if fraction := nanos % nanosPerSecond; fraction != 0 {
		digits := strings.TrimRight(fmt.Sprintf("%09d", fraction), "0")
		for len(digits)%3 != 0 && len(digits) > 6 {
			digits += "0"
		}
		text += "." + digits
	}
	return text
}

// formatBlob prints bytes outside printable ASCII, quotes and the backslash as \xHH.
func formatBlob(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < 32 || c > 126 || c == '\\' || c == '\'' || c == '"' {
			fmt.Fprintf(&b, `\x%02X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
