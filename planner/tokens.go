package planner

import (
	"strings"

	"github.com/flightlake/flightlake/planner/sqltext"
)

// scanTokens finds the table references of a statement that DuckDB cannot
// serialise (PIVOT) in its tokens: names where FROM, JOIN and their like allow
// a table. They are candidates: what the lake does not have is no reference.
func (a *Analysis) scanTokens() {
	st := a.Statement
	tokens := st.Tokens
	for i, t := range tokens {
		if t.Start < st.Query.Start {
			continue
		}
		tokens = tokens[:len(tokens):len(tokens)]
		s := tokenScan{analysis: a, c: &sqltext.Cursor{Text: st.Text, Tokens: tokens, Pos: i}}
		s.commonTables()
		s.run()
		break
	}
	a.sort()
}

type tokenScan struct {
	analysis *Analysis
	c        *sqltext.Cursor
	ctes     *scope
	prefix   string // alias in front of the table that comes next
}

// commonTables notes the names in front of AS (, wherever they are defined.
func (s *tokenScan) commonTables() {
	c := *s.c
	for ; !c.End(); c.Pos++ {
		if !c.IsOp(0, "(") || !c.IsWord(-1, "AS") && !c.IsWord(-1, "MATERIALIZED") {
			continue
		}
		back := -2
		for c.IsWord(back, "NOT") || c.IsWord(back, "AS") {
			back--
		}
		if c.IsOp(back, ")") {
			for !c.IsOp(back, "(") && c.Pos+back > 0 {
				back--
			}
			back--
		}
		if t, ok := c.Peek(back); ok && (t.Kind == sqltext.TokenWord || t.Kind == sqltext.TokenQuoted) {
			s.ctes = &scope{name: sqltext.IdentName(c.Of(t)), outer: s.ctes}
		}
	}
}

// run visits the tokens. expect says that a table may come next; inFrom says,
// per depth of parentheses, that a comma is followed by another table.
func (s *tokenScan) run() {
	c := s.c
	inFrom := []bool{false}
	expect := false
	for !c.End() {
		top := len(inFrom) - 1
		t, _ := c.Peek(0)
		if c.IsOp(1, "(") && (t.Kind == sqltext.TokenWord || t.Kind == sqltext.TokenQuoted) {
			s.analysis.Functions = append(s.analysis.Functions, strings.ToLower(sqltext.IdentName(c.Of(t))))
		}
		s.analysis.Lists = s.analysis.Lists || c.IsWord(0, "SHOW") || command(c, 0) == "DESCRIBE"
		switch {
		case expect && c.IsWord(0, "ONLY"): // a table comes next all the same
		case c.IsOp(0, "("):
			inFrom = append(inFrom, expect)
			c.Pos++
			continue
		case c.IsOp(0, ")"):
			if top > 0 {
				inFrom = inFrom[:top]
			}
			expect = false
		case c.IsOp(0, ","):
			expect = inFrom[top]
		case t.Kind == sqltext.TokenWord && tableFollows(strings.ToUpper(c.Of(t))):
			expect, inFrom[top] = true, true
		case t.Kind == sqltext.TokenWord && clauseBegins(strings.ToUpper(c.Of(t))):
			expect, inFrom[top] = false, false
		case expect && c.IsOp(1, ":"): // FROM alias: table
			s.prefix = sqltext.IdentName(c.Of(t))
			c.Pos += 2
			continue
		case expect && t.Kind <= sqltext.TokenString:
			expect = false
			s.reference()
			s.prefix = ""
			continue
		default:
			expect = false
		}
		c.Pos++
	}
}

func tableFollows(word string) bool {
	switch word {
	case "FROM", "JOIN", "PIVOT", "UNPIVOT", "PIVOT_WIDER", "PIVOT_LONGER", "TABLE", "DESCRIBE", "SHOW", "SUMMARIZE", "LATERAL":
		return true
	}
	return false
}

func clauseBegins(word string) bool {
	switch word {
	case "SELECT", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "ON", "USING", "WINDOW", "QUALIFY",
		"UNION", "EXCEPT", "INTERSECT", "FETCH", "SAMPLE", "TABLESAMPLE", "VALUES", "INTO", "WITH":
		return true
	}
	return false
}

// aliasEnds reports whether an unquoted word behind a table name is no alias.
func aliasEnds(word string) bool {
	switch word {
	case "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "SEMI", "ANTI", "ASOF", "POSITIONAL",
		"AT", "PIVOT", "UNPIVOT", "FOR", "AS", "PIVOT_WIDER", "PIVOT_LONGER":
		return true
	}
	return clauseBegins(word)
}

// tableParts consumes the name of a table, which may be a string, and returns
// its parts; nil if there is none.
func tableParts(c *sqltext.Cursor) []string {
	if t, ok := c.Peek(0); ok && t.Kind == sqltext.TokenString {
		name, _, ok := tableName(c)
		if !ok {
			return nil
		}
		return []string{name}
	}
	var parts []string
	for isName(c, 0) {
		t, _ := c.Peek(0)
		parts = append(parts, sqltext.IdentName(c.Of(t)))
		c.Pos++
		if !c.Op(".") {
			return parts
		}
	}
	return nil
}

// reference reads a table, or a function, where one is expected.
func (s *tokenScan) reference() {
	c := s.c
	start := c.Pos
	parts := tableParts(c)
	if parts == nil {
		c.Pos = start + 1
		return
	}
	if c.IsOp(0, "(") {
		s.tableFunction(start, parts)
		return
	}
	if len(parts) > 3 || len(parts) == 1 && s.ctes.has(parts[0]) {
		return
	}
	end := c.Pos
	ref := TableRef{Name: parts[len(parts)-1], Alias: s.prefix, candidate: true}
	if len(parts) > 1 {
		ref.Schema = parts[len(parts)-2]
	}
	if len(parts) > 2 {
		ref.Catalog = parts[0]
	}
	c.Words("AS")
	if t, ok := c.Peek(0); ref.Alias == "" && ok && (t.Kind == sqltext.TokenQuoted || t.Kind == sqltext.TokenWord && !aliasEnds(strings.ToUpper(c.Of(t)))) {
		ref.Alias = sqltext.IdentName(c.Of(t))
		s.analysis.names[strings.ToLower(ref.Alias)] = true
		if c.IsOp(1, "(") {
			ref.ColumnAliases = []string{""}
		}
	}
	c.Pos = start
	if placeTable(c, &ref) {
		ref.ColumnAliases = nil
		ref.classify()
		s.analysis.Tables = append(s.analysis.Tables, ref)
	} else {
		c.Pos = end
	}
}

// tableFunction reads a function in FROM, whose name was consumed.
func (s *tokenScan) tableFunction(start int, parts []string) {
	c := s.c
	tf := TableFunction{Name: parts[len(parts)-1]}
	if len(parts) > 1 {
		tf.Schema = parts[len(parts)-2]
	}
	open := c.Pos
	args, err := sqltext.Arguments(c)
	if err == nil {
		tf.Args, tf.Span = args, sqltext.Span{Start: c.Tokens[start].Start, End: c.PrevEnd()}
	}
	s.analysis.TableFunctions = append(s.analysis.TableFunctions, tf)
	s.analysis.Functions = append(s.analysis.Functions, strings.ToLower(tf.Name))
	c.Pos = open // the arguments may hold calls
}
