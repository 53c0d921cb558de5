package planner

import (
	"slices"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// edit replaces a span of the text.
type edit struct {
	span sqltext.Span
	text string
}

// Rewrite returns the statement with references replaced by what replace
// returns for them: SQL that can stand in FROM, such as a quoted name or a call.
// An empty string leaves the reference alone. A reference without an alias gets
// its own name as alias; AT clauses of replaced references are removed; names
// of catalog and schema in front of their columns are removed.
func (a *Analysis) Rewrite(replace func(i int, ref TableRef) string) string {
	edits := a.rewriteEdits(replace)
	return apply(a.Statement.Text, edits, sqltext.Span{End: len(a.Statement.Text)})
}

// RewriteQuery is Rewrite for the statement's query alone.
func (a *Analysis) RewriteQuery(replace func(i int, ref TableRef) string) string {
	return apply(a.Statement.Text, a.rewriteEdits(replace), *a.Statement.Query)
}

func (a *Analysis) rewriteEdits(replace func(i int, ref TableRef) string) []edit {
	edits := a.pinEdits()
	replaced := make([]bool, len(a.Tables))
	for i, ref := range a.Tables {
		text := replace(i, ref)
		if text == "" {
			continue
		}
		replaced[i] = true
		if ref.Alias == "" && !ref.Bare {
			text += " AS " + lake.QuoteIdent(a.implicitAlias(i))
		}
		edits = append(edits, edit{span: ref.Span, text: text})
		if ref.At != nil {
			edits = append(edits, edit{span: ref.AtSpan})
		}
	}
	edits = append(edits, a.qualifierEdits(replaced)...)
	slices.SortFunc(edits, func(x, y edit) int { return x.span.Start - y.span.Start })
	return edits
}

// qualifierEdits removes catalog and schema in front of columns of replaced
// references without an alias: main.t.a becomes t.a.
func (a *Analysis) qualifierEdits(replaced []bool) []edit {
	var edits []edit
	c := &sqltext.Cursor{Text: a.Statement.Text, Tokens: a.Statement.Tokens}
	for !c.End() {
		start := c.Pos
		parts := dotted(c)
		if parts == nil {
			c.Pos = start + 1
			continue
		}
		if a.inReference(c.Tokens[start].Start) || c.IsOp(0, "(") && len(parts) < 4 {
			continue
		}
		if n, ref := a.qualifiers(parts, replaced); n > 0 {
			e := edit{span: sqltext.Span{Start: c.Tokens[start].Start, End: c.Tokens[start+2*n].Start}}
			if alias := a.implicitAlias(ref); alias != a.Tables[ref].Name {
				e.span.End, e.text = c.Tokens[start+2*n].End, lake.QuoteIdent(alias)
			}
			edits = append(edits, e)
		}
	}
	return edits
}

// dotted consumes name.name... and returns its parts, nil if there is no name.
func dotted(c *sqltext.Cursor) []string {
	var parts []string
	for {
		part, err := c.Ident("column")
		if err != nil {
			return parts
		}
		parts = append(parts, part)
		if !c.IsOp(0, ".") {
			return parts
		}
		if t, ok := c.Peek(1); !ok || t.Kind != sqltext.TokenWord && t.Kind != sqltext.TokenQuoted {
			return parts
		}
		c.Pos++
	}
}

func (a *Analysis) inReference(offset int) bool {
	for _, ref := range a.Tables {
		if offset >= ref.Span.Start && offset < ref.Span.End {
			return true
		}
	}
	return false
}

// implicitAlias returns the alias of a reference that has none of its own: the
// name of its table, with the schema if the same FROM holds a table of that
// name in another schema. (Its bare name is then ambiguous.)
func (a *Analysis) implicitAlias(i int) string {
	ref := a.Tables[i]
	for _, other := range a.Tables {
		if other.within == ref.within && other.Alias == "" && strings.EqualFold(other.Name, ref.Name) &&
			!strings.EqualFold(other.schemaName(), ref.schemaName()) {
			return ref.schemaName() + "." + ref.Name
		}
	}
	return ref.Name
}

// schemaName returns the schema that is written, or main.
func (r TableRef) schemaName() string {
	if r.Schema == "" || r.Catalog == "" && strings.EqualFold(r.Schema, CatalogName) {
		return DefaultSchema
	}
	return r.Schema
}

// qualifiers returns how many leading parts of a column's name are the catalog
// and schema of a replaced reference, and the ordinal of that.
func (a *Analysis) qualifiers(parts []string, replaced []bool) (n, ref int) {
	if len(parts) < 3 || a.names[strings.ToLower(parts[0])] {
		return 0, 0
	}
	for i, ref := range a.Tables {
		if replaced[i] && ref.Alias == "" && strings.EqualFold(ref.Name, parts[0]) {
			return 0, 0 // table.struct.field
		}
	}
	// A schema as written wins over one that an unqualified reference may have.
	for _, inSchema := range []func(TableRef, string) bool{TableRef.isSchema, TableRef.inSchema} {
		for i, ref := range a.Tables {
			switch {
			case !replaced[i] || ref.Alias != "":
			case len(parts) >= 4 && strings.EqualFold(parts[0], CatalogName) && inSchema(ref, parts[1]) &&
				strings.EqualFold(parts[2], ref.Name):
				return 2, i
			case (inSchema(ref, parts[0]) || strings.EqualFold(parts[0], CatalogName)) && strings.EqualFold(parts[1], ref.Name):
				return 1, i
			}
		}
	}
	return 0, 0
}

// isSchema reports whether the reference is to a table of that schema, if
// unqualified names are of main.
func (r TableRef) isSchema(schema string) bool { return strings.EqualFold(r.schemaName(), schema) }

// inSchema reports whether the reference may be to a table of that schema.
func (r TableRef) inSchema(schema string) bool {
	return r.Schema == "" || strings.EqualFold(r.Schema, schema) ||
		strings.EqualFold(r.Schema, CatalogName)
}

// apply returns text[within] with edits made. Edits outside of it are dropped.
func apply(text string, edits []edit, within sqltext.Span) string {
	var b strings.Builder
	pos := within.Start
	for _, e := range edits {
		if e.span.Start < pos || e.span.End > within.End {
			continue
		}
		b.WriteString(text[pos:e.span.Start])
		b.WriteString(e.text)
		pos = e.span.End
	}
	b.WriteString(text[pos:within.End])
	return b.String()
}
