package planner

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// placeTable reads a table reference whose name begins at c, and sets the spans
// and the AT clause of ref, whose alias is known. It reports whether the tokens
// are what the reference says.
func placeTable(c *sqltext.Cursor, ref *TableRef) bool {
	start := c.Offset()
	word, _ := c.Peek(-1)
	switch {
	case c.IsWord(-1, "TABLE"):
		start, ref.queried = word.Start, true
		ref.Command = command(c, -2)
	case c.IsWord(-1, "ONLY"): // means nothing, and stands before no function
		start = word.Start
	default:
		ref.Command = command(c, -1)
	}
	ref.Described = ref.Described || ref.Command == "DESCRIBE" || ref.Command == "SHOW"
	ref.Bare = ref.Command != ""
	name, quoted, ok := tableName(c)
	if !ok || name != ref.Name {
		return false
	}
	ref.Quoted = quoted
	ref.Span = sqltext.Span{Start: start, End: c.PrevEnd()}
	skipAlias(c, ref)
	placeAt(c, ref)
	return true
}

// command returns the statement whose word stands i places ahead, if it is one
// that takes the bare name of a table.
func command(c *sqltext.Cursor, i int) string {
	for _, word := range [...]string{"DESCRIBE", "SHOW", "SUMMARIZE"} {
		if c.IsWord(i, word) {
			return word
		}
	}
	if c.IsWord(i, "DESC") {
		return "DESCRIBE"
	}
	return ""
}

// tableName consumes name[.name[.name]] and returns the last part.
func tableName(c *sqltext.Cursor) (name string, quoted, ok bool) {
	if t, more := c.Peek(0); more && t.Kind == sqltext.TokenString {
		c.Pos++
		name, ok = sqltext.StringValue(c.Of(t))
		return name, true, ok
	}
	for {
		part, err := c.Ident("table")
		if err != nil {
			return "", false, false
		}
		name = part
		if !c.Op(".") {
			return name, false, true
		}
	}
}

// skipAlias moves behind the alias of ref and its column names, if they follow.
func skipAlias(c *sqltext.Cursor, ref *TableRef) {
	if ref.Alias == "" {
		return
	}
	i := 0
	if c.IsWord(0, "AS") {
		i = 1
	}
	t, ok := c.Peek(i)
	if !ok {
		return
	}
	text := c.Of(t)
	value, isString := sqltext.StringValue(text)
	if t.Kind == sqltext.TokenOp || t.Kind == sqltext.TokenNumber ||
		t.Kind != sqltext.TokenString && sqltext.IdentName(text) != ref.Alias || t.Kind == sqltext.TokenString && (!isString || value != ref.Alias) {
		return // the alias stands before the name: FROM a: t
	}
	c.Pos += i + 1
	if len(ref.ColumnAliases) > 0 && c.IsOp(0, "(") {
		_, _, _ = c.Parens() // DuckDB parsed it: it is closed
	}
}

// placeAt reads AT (VERSION => expression) if it follows.
func placeAt(c *sqltext.Cursor, ref *TableRef) {
	if !c.IsWord(0, "AT") || !c.IsOp(1, "(") || !c.IsOp(3, "=>") {
		return
	}
	start := c.Offset()
	at := &At{Timestamp: c.IsWord(2, "TIMESTAMP")}
	if !at.Timestamp && !c.IsWord(2, "VERSION") {
		return
	}
	c.Pos++
	first, last, err := c.Parens()
	if err != nil || first+2 >= last {
		return
	}
	at.Expression = c.Text[c.Tokens[first+2].Start:c.Tokens[last-1].End]
	ref.At, ref.AtSpan = at, sqltext.Span{Start: start, End: c.PrevEnd()}
}

// classify recognises references to what is not a table of the lake.
func (r *TableRef) classify() {
	switch {
	case strings.EqualFold(r.Schema, MetadataSchema), strings.EqualFold(r.Catalog, MetadataSchema):
		r.Metadata = true
	case strings.EqualFold(r.Schema, "information_schema"), strings.EqualFold(r.Schema, "pg_catalog"),
		strings.EqualFold(r.Catalog, "system"), strings.EqualFold(r.Catalog, lake.TemporarySchema):
		r.System = true
	case r.Quoted:
	case r.Schema == "" || strings.EqualFold(r.Schema, lake.DefaultSchema):
		r.System = systemView(strings.ToLower(r.Name))
	}
}

// systemView reports whether DuckDB has a view of that name in every schema's
// reach.
func systemView(name string) bool {
	switch name {
	case "duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_indexes", "duckdb_logs", "duckdb_schemas",
		"duckdb_tables", "duckdb_types", "duckdb_views", "pragma_database_list",
		"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema",
		"pg_am", "pg_attrdef", "pg_attribute", "pg_class", "pg_collation", "pg_constraint", "pg_database", "pg_depend", "pg_description",
		"pg_enum", "pg_index", "pg_indexes", "pg_namespace", "pg_prepared_statements", "pg_proc", "pg_sequence",
		"pg_sequences", "pg_settings", "pg_tables", "pg_tablespace", "pg_type", "pg_views":
		return true
	}
	return false
}
