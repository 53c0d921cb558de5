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
// It is empty for a statement without a query.
func (a *Analysis) RewriteQuery(replace func(i int, ref TableRef) string) string {
	if a.Statement.Query == nil {
		return ""
	}
	return apply(a.Statement.Text, a.rewriteEdits(replace), *a.Statement.Query)
}

func (a *Analysis) rewriteEdits(replace func(i int, ref TableRef) string) []edit {
	edits := a.pinEdits()
	q := qualifiers{analysis: a, byName: map[string][]int{}, aliases: a.implicitAliases()}
	for i, ref := range a.Tables {
		text := replace(i, ref)
		if text == "" {
			continue
		}
		if ref.Alias == "" {
			name := strings.ToLower(ref.Name)
			q.byName[name] = append(q.byName[name], i)
			if !ref.Bare {
				text += " AS " + lake.QuoteIdent(q.aliases[i])
			}
		}
		if ref.queried && !ref.Bare {
			text = "FROM " + text
		}
		edits = append(edits, edit{span: ref.Span, text: text})
		if ref.At != nil {
			edits = append(edits, edit{span: ref.AtSpan})
		}
	}
	if len(q.byName) > 0 {
		edits = append(edits, q.edits()...)
	}
	slices.SortFunc(edits, func(x, y edit) int { return x.span.Start - y.span.Start })
	return edits
}

// qualifiers finds names of catalog and schema in front of columns of replaced
// references without an alias.
type qualifiers struct {
	analysis *Analysis
	byName   map[string][]int // those references, by the name of their table in lower case
	aliases  []string         // of all references: see implicitAliases
}

// edits removes the qualifiers: main.t.a becomes t.a.
func (q *qualifiers) edits() []edit {
	var edits []edit
	st := q.analysis.Statement
	c := &sqltext.Cursor{Text: st.Text, Tokens: st.Tokens}
	for !c.End() {
		start := c.Pos
		parts := dotted(c)
		if parts == nil {
			c.Pos = start + 1
			continue
		}
		if len(parts) < 3 || c.IsOp(0, "(") && len(parts) < 4 || q.analysis.inReference(c.Tokens[start].Start) {
			continue
		}
		if n, ref := q.count(parts); n > 0 {
			e := edit{span: sqltext.Span{Start: c.Tokens[start].Start, End: c.Tokens[start+2*n].Start}}
			if alias := q.aliases[ref]; alias != q.analysis.Tables[ref].Name {
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
	for isName(c, 0) {
		t, _ := c.Peek(0)
		parts = append(parts, sqltext.IdentName(c.Of(t)))
		c.Pos++
		if !c.IsOp(0, ".") || !isName(c, 1) {
			return parts
		}
		c.Pos++
	}
	return parts
}

// isName reports whether the token i places ahead is an identifier.
func isName(c *sqltext.Cursor, i int) bool {
	t, ok := c.Peek(i)
	return ok && (t.Kind == sqltext.TokenWord || t.Kind == sqltext.TokenQuoted)
}

// inReference reports whether an offset lies in the name of a reference. The
// names are in the order of the text and do not overlap.
func (a *Analysis) inReference(offset int) bool {
	i, _ := slices.BinarySearchFunc(a.Tables, offset, func(r TableRef, offset int) int { return r.Span.End - offset - 1 })
	return i < len(a.Tables) && offset >= a.Tables[i].Span.Start && offset < a.Tables[i].Span.End
}

// implicitAliases returns the aliases of references that have none of their
// own: the name of the table, with the schema if the same FROM holds a table of
// that name in another schema. (Its bare name is then ambiguous.)
func (a *Analysis) implicitAliases() []string {
	type place struct {
		within int
		name   string
	}
	schemas := make(map[place]string) // of the first such reference
	ambiguous := make(map[place]bool)
	aliases := make([]string, len(a.Tables))
	for pass := range 2 {
		for i, ref := range a.Tables {
			at := place{ref.within, strings.ToLower(ref.Name)}
			schema := strings.ToLower(ref.schemaName())
			first, seen := schemas[at]
			switch {
			case ref.Alias != "":
			case pass == 0 && !seen:
				schemas[at] = schema
			case pass == 0:
				ambiguous[at] = ambiguous[at] || first != schema
			case ambiguous[at]:
				aliases[i] = ref.schemaName() + "." + ref.Name
			default:
				aliases[i] = ref.Name
			}
		}
	}
	return aliases
}

// schemaName returns the schema that is written, or main.
func (r TableRef) schemaName() string {
	if r.Schema == "" || r.Catalog == "" && strings.EqualFold(r.Schema, lake.CatalogName) {
		return lake.DefaultSchema
	}
	return r.Schema
}

// count returns how many leading parts of a column's name are the catalog and
// schema of a replaced reference, and the ordinal of that.
func (q *qualifiers) count(parts []string) (n, ref int) {
	first := strings.ToLower(parts[0])
	if q.analysis.names[first] || len(q.byName[first]) > 0 {
		return 0, 0 // alias.struct.field, or table.struct.field
	}
	// A schema as written wins over one that an unqualified reference may have.
	for _, inSchema := range []func(TableRef, string) bool{TableRef.isSchema, TableRef.inSchema} {
		full := -1
		if len(parts) >= 4 && first == lake.CatalogName {
			full = q.find(parts[2], func(r TableRef) bool { return inSchema(r, parts[1]) })
		}
		short := q.find(parts[1], func(r TableRef) bool { return first == lake.CatalogName || inSchema(r, parts[0]) })
		switch {
		case full >= 0 && (short < 0 || full <= short):
			return 2, full
		case short >= 0:
			return 1, short
		}
	}
	return 0, 0
}

// find returns the first replaced reference of that name that fits, or -1.
func (q *qualifiers) find(name string, fits func(TableRef) bool) int {
	for _, i := range q.byName[strings.ToLower(name)] {
		if fits(q.analysis.Tables[i]) {
			return i
		}
	}
	return -1
}

// isSchema reports whether the reference is to a table of that schema, if
// unqualified names are of main.
func (r TableRef) isSchema(schema string) bool { return strings.EqualFold(r.schemaName(), schema) }

// inSchema reports whether the reference may be to a table of that schema.
func (r TableRef) inSchema(schema string) bool {
	return r.Schema == "" || strings.EqualFold(r.Schema, schema) ||
		strings.EqualFold(r.Schema, lake.CatalogName)
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
