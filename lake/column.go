package lake

import (
	"slices"
	"strings"
)

// FieldID identifies a column, or a nested field, of one table across renames.
// It is DuckLake's column_id and the Parquet field_id. Field ids start at 1.
type FieldID int64

// Column is one column of a Table, or one field of a nested column. Children
// of a list: one column named "element"; of a map: "key" and "value"; of a
// struct: its fields.
type Column struct {
	ID       FieldID
	Name     string
	Type     Type
	Nullable bool
	Children []Column

	// InitialDefault is the value, as DuckDB text, of rows in files older than
	// the column; nil means NULL.
	InitialDefault *string
	// Default is the DEFAULT of the column as DuckDB text: a literal's text if
	// DefaultIsExpression is false (nil means NULL), an SQL expression otherwise.
	Default             *string
	DefaultIsExpression bool
	Comment             string
}

// SQLType returns the DuckDB type of the column, such as
// `STRUCT("a" INTEGER, "b" VARCHAR[])`.
func (c *Column) SQLType() string {
	var b strings.Builder
	c.writeSQLType(&b)
	return b.String()
}

// DefaultSQL returns the column's DEFAULT as an SQL expression, in the form that
// clients see; NULL if it has none. Only a literal is surely of the column's type.
func (c *Column) DefaultSQL() string {
	switch {
	case c.Default == nil:
		return "NULL"
	case c.DefaultIsExpression:
		return *c.Default
	case c.Type.ID == TypeVarchar:
		return QuoteLiteral(*c.Default)
	}
	return "CAST(" + QuoteLiteral(*c.Default) + " AS " + c.SQLType() + ")"
}

func (c *Column) writeSQLType(b *strings.Builder) {
	switch c.Type.ID {
	case TypeList:
		c.Children[0].writeSQLType(b)
		b.WriteString("[]")
	case TypeMap:
		b.WriteString("MAP(")
		c.Children[0].writeSQLType(b)
		b.WriteString(", ")
		c.Children[1].writeSQLType(b)
		b.WriteByte(')')
	case TypeStruct:
		b.WriteString("STRUCT(")
		for i := range c.Children {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(QuoteIdent(c.Children[i].Name))
			b.WriteByte(' ')
			c.Children[i].writeSQLType(b)
		}
		b.WriteByte(')')
	case TypeDecimal:
		b.WriteString(strings.ToUpper(c.Type.String()))
	default:
		b.WriteString(typeNames[c.Type.ID].duckdb)
	}
}

// Walk calls fn for c and then for each descendant, depth first.
func (c *Column) Walk(fn func(*Column)) {
	fn(c)
	for i := range c.Children {
		c.Children[i].Walk(fn)
	}
}

// LeavesOf returns the columns and nested fields that hold values, by id.
func LeavesOf(columns []Column) map[FieldID]Column {
	leaves := make(map[FieldID]Column, len(columns))
	for i := range columns {
		columns[i].Walk(func(c *Column) {
			if !c.Type.Nested() {
				leaves[c.ID] = *c
			}
		})
	}
	return leaves
}

// AssignFieldIDs returns a deep copy of columns with field ids 1..n given
// depth first, as DuckLake numbers the columns of a new table, and the next
// free id.
func AssignFieldIDs(columns []Column) ([]Column, FieldID) {
	next := FieldID(1)
	out := CloneColumns(columns)
	for i := range out {
		out[i].Walk(func(c *Column) {
			c.ID = next
			next++
		})
	}
	return out, next
}

// QuoteIdent returns name as a quoted SQL identifier.
func QuoteIdent(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// QuoteLiteral returns text as an SQL string literal.
func QuoteLiteral(text string) string {
	return `'` + strings.ReplaceAll(text, `'`, `''`) + `'`
}

// CloneColumns returns columns of which no part is shared with the given ones.
func CloneColumns(columns []Column) []Column {
	out := slices.Clone(columns)
	for i := range out {
		out[i].Children = CloneColumns(out[i].Children)
	}
	return out
}
