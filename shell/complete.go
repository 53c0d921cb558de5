package shell

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flightlake/flightlake/planner/sqltext"
)

// Names are the names that are completed.
type Names struct {
	// Schema is where unqualified names are looked up.
	Schema  string
	Schemas []string
	Tables  []Table
}

// Candidate is what may stand in the place of the word before the cursor.
type Candidate struct {
	Text string // with quotes if it needs them
	Kind string // keyword, schema, table, column, command, format
}

// keywords that are worth completing.
var keywords = strings.Fields(`ALL ALTER AND ANALYZE AS ASC AT BEGIN BETWEEN BY CALL CASE CAST COLUMN COMMENT COMMIT
	CREATE CROSS CURRENT_DATE CURRENT_TIMESTAMP DEFAULT DELETE DESC DESCRIBE DISTINCT DROP ELSE END EXCEPT EXISTS EXPLAIN
	FALSE FILTER FIRST FROM FULL GRANT GROUP HAVING IF ILIKE IN INNER INSERT INTERSECT INTERVAL INTO IS JOIN KILL LAST
	LEFT LIKE LIMIT NATURAL NOT NULL NULLS OFFSET ON OR ORDER OUTER OVER PARTITION PARTITIONED QUALIFY RECURSIVE RELEASE
	REPLACE RESET REVOKE RIGHT ROLLBACK SAVEPOINT SCHEMA SELECT SET SHOW SUMMARIZE TABLE TABLES TEMPORARY THEN TIMESTAMP
	TO TRUE UNION UPDATE USE USING VALUES VERSION VIEW WHEN WHERE WINDOW WITH`)

// commands that are completed.
var commandNames = []string{`\?`, `\d`, `\dn`, `\dt`, `\format`, `\i`, `\maxrows`, `\null`, `\o`, `\q`, `\timing`}

// plainName is a name that needs no quotes.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// quoteName returns a name as it is written in SQL.
func quoteName(name string) string {
	if plainName.MatchString(name) && !slices.Contains(keywords, strings.ToUpper(name)) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Complete returns the beginning of the word before the cursor, which is at a byte
// offset into text, and what can stand for it.
func Complete(text string, cursor int, names Names) (prefix string, found []Candidate) {
	cursor = min(max(cursor, 0), len(text))
	start := wordStart(text[:cursor])
	prefix = text[start:cursor]
	if trimmed := strings.TrimLeft(text[:cursor], " \t\n"); strings.HasPrefix(trimmed, `\`) {
		return completeCommand(trimmed, names)
	}
	// A letter in the place of the word is a token unless it is in a string or a comment.
	probe := text[:start] + "x"
	tokens, err := sqltext.Lex(probe)
	if err != nil || len(tokens) == 0 || tokens[len(tokens)-1].Start != start {
		return prefix, nil
	}
	c := &sqltext.Cursor{Text: probe, Tokens: tokens, Pos: len(tokens) - 1}
	var all []Candidate
	switch {
	case c.IsOp(-1, "."):
		owner, ok := c.Peek(-2)
		if !ok {
			return prefix, nil
		}
		all = names.within(text, sqltext.IdentName(c.Of(owner)))
	case anyWord(c, "FROM", "JOIN", "INTO", "TABLE", "UPDATE", "DESCRIBE", "SUMMARIZE"):
		all = names.tables()
	case anyWord(c, "SCHEMA", "USE"):
		all = names.schemas()
	default:
		all = append(names.columns(text), keywordCandidates(prefix)...)
	}
	return prefix, matching(all, prefix)
}

// wordStart returns where the word at the end of text begins.
func wordStart(text string) int {
	i := strings.LastIndexFunc(text, func(r rune) bool {
		return r != '_' && r != '$' && r != '"' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if i < 0 {
		return 0
	}
	_, size := utf8.DecodeRuneInString(text[i:])
	return i + size
}

func anyWord(c *sqltext.Cursor, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return c.IsWord(-1, w) })
}

// matching returns the candidates that begin with prefix, whatever its case, in order
// and once.
func matching(all []Candidate, prefix string) []Candidate {
	var found []Candidate
	lower := strings.ToLower(prefix)
	for _, c := range all {
		if strings.HasPrefix(strings.ToLower(c.Text), lower) && !slices.Contains(found, c) {
			found = append(found, c)
		}
	}
	return found
}

// keywordCandidates are in lower case if what was typed is.
func keywordCandidates(prefix string) []Candidate {
	lower := prefix != "" && prefix == strings.ToLower(prefix)
	out := make([]Candidate, len(keywords))
	for i, k := range keywords {
		if lower {
			k = strings.ToLower(k)
		}
		out[i] = Candidate{Text: k, Kind: "keyword"}
	}
	return out
}

func completeCommand(text string, names Names) (string, []Candidate) {
	name, argument, hasArgument := strings.Cut(text, " ")
	var all []Candidate
	if !hasArgument {
		for _, c := range commandNames {
			all = append(all, Candidate{Text: c, Kind: "command"})
		}
		return name, matching(all, name)
	}
	switch name {
	case `\d`, `\dt`:
		all = names.tables()
	case `\format`:
		for _, f := range Formats() {
			all = append(all, Candidate{Text: string(f), Kind: "format"})
		}
	case `\timing`:
		all = []Candidate{{Text: "on", Kind: "command"}, {Text: "off", Kind: "command"}}
	}
	return argument, matching(all, argument)
}

func (n Names) schemas() []Candidate {
	out := make([]Candidate, len(n.Schemas))
	for i, s := range n.Schemas {
		out[i] = Candidate{Text: quoteName(s), Kind: "schema"}
	}
	return out
}

// tables are those of the default schema by their names, others with their schema.
func (n Names) tables() []Candidate {
	var out []Candidate
	for _, t := range n.Tables {
		text := quoteName(t.Name)
		if !strings.EqualFold(t.Schema, n.Schema) {
			text = quoteName(t.Schema) + "." + text
		}
		out = append(out, Candidate{Text: text, Kind: "table"})
	}
	return append(out, n.schemas()...)
}

// within are the tables of a schema, or the columns of a table or of what a
// statement calls so.
func (n Names) within(text, owner string) []Candidate {
	var out []Candidate
	for _, t := range n.Tables {
		if strings.EqualFold(t.Schema, owner) {
			out = append(out, Candidate{Text: quoteName(t.Name), Kind: "table"})
		}
	}
	for _, ref := range references(text) {
		if strings.EqualFold(ref.alias, owner) || strings.EqualFold(ref.table, owner) {
			out = append(out, n.columnsOf(ref)...)
		}
	}
	return out
}

// columns are those of all tables that a statement mentions.
func (n Names) columns(text string) []Candidate {
	var out []Candidate
	for _, ref := range references(text) {
		out = append(out, n.columnsOf(ref)...)
	}
	return out
}

func (n Names) columnsOf(ref reference) []Candidate {
	schema := ref.schema
	if schema == "" {
		schema = n.Schema
	}
	var out []Candidate
	for _, t := range n.Tables {
		if !strings.EqualFold(t.Name, ref.table) || !strings.EqualFold(t.Schema, schema) || t.Columns == nil {
			continue
		}
		for _, f := range t.Columns.Fields() {
			out = append(out, Candidate{Text: quoteName(f.Name), Kind: "column"})
		}
	}
	return out
}

// reference is a table that a statement mentions.
type reference struct{ schema, table, alias string }

// references finds what follows FROM, JOIN, INTO, UPDATE and the commas of a FROM.
// It guesses: the statement is not finished.
func references(text string) []reference {
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return nil
	}
	c := &sqltext.Cursor{Text: text, Tokens: tokens}
	var refs []reference
	from := false
	for !c.End() {
		switch {
		case anyOf(c, "FROM", "JOIN", "INTO", "UPDATE"):
			from = true
		case from && c.Op(","):
		default:
			if anyOf(c, "WHERE", "GROUP", "ORDER", "SET", "VALUES", "SELECT", "HAVING", "LIMIT") {
				from = false
			} else {
				c.Pos++
			}
			continue
		}
		if ref, ok := readReference(c); ok {
			refs = append(refs, ref)
		}
	}
	return refs
}

func anyOf(c *sqltext.Cursor, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return c.Words(w) })
}

func readReference(c *sqltext.Cursor) (reference, bool) {
	var parts []string
	for {
		t, ok := c.Peek(0)
		if !ok || t.Kind != sqltext.TokenWord && t.Kind != sqltext.TokenQuoted {
			break
		}
		parts = append(parts, sqltext.IdentName(c.Of(t)))
		c.Pos++
		if !c.Op(".") {
			break
		}
	}
	if len(parts) == 0 {
		return reference{}, false
	}
	ref := reference{table: parts[len(parts)-1]}
	if len(parts) > 1 {
		ref.schema = parts[len(parts)-2]
	}
	c.Words("AS")
	if t, ok := c.Peek(0); ok && (t.Kind == sqltext.TokenQuoted ||
		t.Kind == sqltext.TokenWord && !slices.Contains(keywords, strings.ToUpper(c.Of(t)))) {
		ref.alias = sqltext.IdentName(c.Of(t))
		c.Pos++
	}
	return ref, true
}
