package sqltext

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Create is CREATE SCHEMA or CREATE TABLE.
type Create struct {
	Name        ObjectName
	Temporary   bool // CREATE TEMP TABLE; the name may be qualified by any schema
	OrReplace   bool
	IfNotExists bool
	// Columns is the column list of CREATE TABLE with its parentheses; nil if
	// there is none. For CREATE TABLE AS it may hold names only.
	Columns *Span
	// PrimaryKey names the columns of the declared primary key; nil if there is none.
	PrimaryKey  []string
	ForeignKeys []ForeignKey
	definition  string // Columns without keys; empty means as they are

	Partition []PartitionKey // of PARTITIONED BY
	Sort      []SortKey      // of SORTED BY
	// Options holds WITH (name = value, ...), names in lower case, values as text.
	Options map[string]string
	NoData  bool // CREATE TABLE AS ... WITH NO DATA
}

// SortKey is one key of SORTED BY.
type SortKey struct {
	Column     string
	Descending bool
	NullsFirst bool // as given, or DuckDB's default: nulls last
}

func (s *Statement) create(c *Cursor) error {
	var cr Create
	cr.OrReplace = c.Words("OR", "REPLACE")
	if c.IsWord(0, "LOCAL") && (c.IsWord(1, "TEMP") || c.IsWord(1, "TEMPORARY")) {
		c.Pos++
	}
	if t, ok := c.Peek(0); ok && (c.IsWord(0, "TEMP") || c.IsWord(0, "TEMPORARY") || c.IsWord(0, "PERSISTENT") || c.IsWord(0, "UNIQUE")) {
		c.Pos++
		cr.Temporary = strings.HasPrefix(strings.ToUpper(c.Of(t)), "TEMP") && c.IsWord(0, "TABLE")
		if !cr.Temporary {
			return s.other("CREATE " + strings.ToUpper(c.Of(t)) + " " + s.nextWord(c))
		}
	}
	s.Create = &cr
	switch {
	case c.Words("SCHEMA"):
		s.Kind, s.Name = KindCreateSchema, "CREATE SCHEMA"
		return s.createSchema(c)
	case c.Words("TABLE"):
		s.Kind, s.Name = KindCreateTable, "CREATE TABLE"
		return s.createTable(c)
	}
	s.Create = nil
	if s.nextWord(c) == "" {
		return c.Unexpected("CREATE is followed by SCHEMA or TABLE")
	}
	return s.other("CREATE " + s.nextWord(c))
}

func (s *Statement) createSchema(c *Cursor) (err error) {
	s.Create.IfNotExists = c.Words("IF", "NOT", "EXISTS")
	if s.Create.Name, err = objectName(c, "schema"); err != nil {
		return err
	}
	if s.Create.Name.Catalog != "" {
		return SyntaxError(s.Text, s.Create.Name.Span.Start, "the name of a schema has at most two parts")
	}
	return s.end(c)
}

// end checks that nothing follows.
func (s *Statement) end(c *Cursor) error {
	if !c.End() {
		return c.Unexpected("expected the end of the statement")
	}
	return nil
}

func (s *Statement) createTable(c *Cursor) (err error) {
	cr := s.Create
	var first, last int // of the column list
	cr.IfNotExists = c.Words("IF", "NOT", "EXISTS")
	if cr.Name, err = objectName(c, "table"); err != nil {
		return err
	}
	for !c.End() {
		switch {
		case c.IsOp(0, "("):
			if cr.Columns != nil {
				return c.Unexpected("the column list was given before")
			}
			start := c.Offset()
			if first, last, err = c.Parens(); err == nil {
				cr.Columns = &Span{start, c.PrevEnd()}
			}
		case c.IsWord(0, "PARTITIONED"):
			err = s.partitionedBy(c)
		case c.IsWord(0, "SORTED"):
			err = s.sortedBy(c)
		case c.IsWord(0, "WITH"):
			err = s.withOptions(c)
		case c.Words("AS"):
			return s.createAs(c)
		default:
			return c.Unexpected("expected a column list, AS, PARTITIONED BY, SORTED BY or WITH")
		}
		if err != nil {
			return err
		}
	}
	if cr.Columns == nil {
		return c.Unexpected("expected a column list or AS")
	}
	return cr.columnList(c, first, last)
}

func (s *Statement) createAs(c *Cursor) error {
	s.Name = "CREATE TABLE AS"
	start, end := c.Offset(), len(c.Tokens)
	if last := (&Cursor{Text: c.Text, Tokens: c.Tokens, Pos: len(c.Tokens) - 1}); last.IsWord(0, "DATA") {
		switch {
		case last.IsWord(-1, "NO") && last.IsWord(-2, "WITH"):
			s.Create.NoData = true
			end -= 3
		case last.IsWord(-1, "WITH"):
			end -= 2
		}
	}
	if c.Pos >= end {
		return c.Unexpected("AS is followed by a query")
	}
	inner := &Statement{Text: s.Text}
	if err := inner.classify(&Cursor{Text: s.Text, Tokens: c.Tokens[c.Pos:end]}); err != nil {
		return err
	}
	if inner.Kind != KindQuery {
		return c.Unexpected("AS is followed by a query")
	}
	s.Query = &Span{start, c.Tokens[end-1].End}
	return nil
}

// DefinitionSQL returns CREATE TABLE for name, which is quoted, with the column
// list but for its keys, and nothing else, for DuckDB to bind.
func (s *Statement) DefinitionSQL(name string) string {
	columns := s.Create.definition
	if columns == "" {
		columns = s.Create.Columns.Of(s.Text)
	}
	return "CREATE TABLE " + lake.QuoteIdent(name) + " " + columns
}

func (s *Statement) sortedBy(c *Cursor) error {
	c.Pos++
	if !c.Words("BY") {
		return c.Unexpected("SORTED is followed by BY")
	}
	if s.Create.Sort != nil {
		return c.Unexpected("SORTED BY was given before")
	}
	if err := c.Expect("("); err != nil {
		return err
	}
	for {
		name, err := c.Ident("column")
		if err != nil {
			return err
		}
		if !c.IsOp(0, ",") && !c.IsOp(0, ")") && !c.IsWord(0, "ASC") && !c.IsWord(0, "DESC") && !c.IsWord(0, "NULLS") {
			return lake.Errorf(lake.KindUnsupported, "SORTED BY takes column names; an expression at %s is not supported",
				Position(c.Text, c.Offset()))
		}
		key := SortKey{Column: name}
		key.Descending = c.Words("DESC")
		if !key.Descending {
			c.Words("ASC")
		}
		if c.Words("NULLS", "FIRST") {
			key.NullsFirst = true
		} else {
			c.Words("NULLS", "LAST")
		}
		s.Create.Sort = append(s.Create.Sort, key)
		if c.Op(",") {
			continue
		}
		return c.Expect(")")
	}
}

// withOptions reads WITH (name = value, ...).
func (s *Statement) withOptions(c *Cursor) error {
	c.Pos++
	if s.Create.Options == nil {
		s.Create.Options = map[string]string{}
	}
	if err := c.Expect("("); err != nil {
		return err
	}
	for {
		name, err := optionName(c)
		if err != nil {
			return err
		}
		if _, ok := s.Create.Options[name]; ok {
			c.Pos--
			return c.Unexpected("this option was given before")
		}
		if !c.Op("=") && !c.Op("=>") && !c.Op(":=") {
			return c.Unexpected(`expected "=" and a value`)
		}
		value, ok := literal(c)
		if !ok {
			return c.Unexpected("the value of an option is a string, a number, TRUE, FALSE or a word")
		}
		s.Create.Options[name] = value
		if c.Op(",") {
			continue
		}
		return c.Expect(")")
	}
}

func optionName(c *Cursor) (string, error) {
	if t, ok := c.Peek(0); ok && t.Kind == TokenString {
		if name, ok := StringValue(c.Of(t)); ok && name != "" {
			c.Pos++
			return strings.ToLower(name), nil
		}
	}
	name, err := c.Ident("option")
	return strings.ToLower(name), err
}

// literal consumes a string, a number with its sign, or a word.
func literal(c *Cursor) (string, bool) {
	sign := ""
	if c.IsOp(0, "-") || c.IsOp(0, "+") {
		if t, ok := c.Peek(1); !ok || t.Kind != TokenNumber {
			return "", false
		}
		if c.IsOp(0, "-") {
			sign = "-"
		}
		c.Pos++
	}
	t, ok := c.Peek(0)
	if !ok {
		return "", false
	}
	value, ok := "", false
	switch t.Kind {
	case TokenString:
		value, ok = StringValue(c.Of(t))
	case TokenNumber:
		value, ok = sign+strings.ReplaceAll(c.Of(t), "_", ""), true
	case TokenWord, TokenQuoted:
		value, ok = IdentName(c.Of(t)), true
	case TokenParam, TokenOp:
	}
	if ok {
		c.Pos++
	}
	return value, ok
}
