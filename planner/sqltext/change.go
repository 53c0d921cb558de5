package sqltext

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Drop is DROP SCHEMA or DROP TABLE.
type Drop struct {
	Names    []ObjectName
	IfExists bool
	Cascade  bool
}

func (s *Statement) drop(c *Cursor) error {
	var what string
	switch {
	case c.Words("TABLE"):
		s.Kind, s.Name, what = KindDropTable, "DROP TABLE", "table"
	case c.Words("SCHEMA"):
		s.Kind, s.Name, what = KindDropSchema, "DROP SCHEMA", "schema"
	case s.nextWord(c) == "":
		return c.Unexpected("DROP is followed by TABLE or SCHEMA")
	default:
		return s.other("DROP " + s.nextWord(c))
	}
	d := &Drop{IfExists: c.Words("IF", "EXISTS")}
	for {
		name, err := objectName(c, what)
		if err != nil {
			return err
		}
		d.Names = append(d.Names, name)
		if !c.Op(",") {
			break
		}
	}
	d.Cascade = c.Words("CASCADE")
	if !d.Cascade {
		c.Words("RESTRICT")
	}
	s.Drop = d
	return s.end(c)
}

// Insert is INSERT INTO. Its rows come from Statement.Query, or are one row of
// defaults.
type Insert struct {
	Name          ObjectName
	Columns       []string // nil if not given
	ByName        bool
	DefaultValues bool
	// HasDefault is set if a row of VALUES holds the word DEFAULT, so that the
	// rows are no query by themselves.
	HasDefault bool
}

func (s *Statement) insert(c *Cursor) (err error) {
	s.Kind, s.Name = KindInsert, "INSERT"
	if c.Words("OR") {
		return lake.Errorf(lake.KindUnsupported, "INSERT OR %s is not supported: tables have no keys", s.nextWord(c))
	}
	if !c.Words("INTO") {
		return c.Unexpected("INSERT is followed by INTO")
	}
	in := &Insert{}
	s.Insert = in
	if in.Name, err = objectName(c, "table"); err != nil {
		return err
	}
	if c.IsOp(0, "(") && !c.beginsQuery(1) {
		if in.Columns, err = columnNames(c); err != nil {
			return err
		}
	}
	if c.Words("BY", "NAME") {
		in.ByName = true
	} else {
		c.Words("BY", "POSITION")
	}
	if c.Words("DEFAULT", "VALUES") {
		in.DefaultValues = true
		if err := s.refuseInsertTail(c); err != nil {
			return err
		}
		return s.end(c)
	}
	start := c.Offset()
	inner := &Statement{Text: s.Text}
	if err := inner.classify(&Cursor{Text: s.Text, Tokens: c.Tokens[c.Pos:]}); err != nil {
		return err
	}
	if inner.Kind != KindQuery {
		return c.Unexpected("expected VALUES, SELECT or DEFAULT VALUES")
	}
	s.Query = &Span{start, len(s.Text)}
	return s.refuseInsertTail(c)
}

// beginsQuery reports whether the token i places ahead begins a query.
func (c *Cursor) beginsQuery(i int) bool {
	for c.IsOp(i, "(") {
		i++
	}
	t, ok := c.Peek(i)
	word := strings.ToUpper(c.Of(t))
	return ok && t.Kind == TokenWord && (word == "WITH" || isQueryWord(word))
}

func columnNames(c *Cursor) ([]string, error) {
	if err := c.Expect("("); err != nil {
		return nil, err
	}
	var names []string
	for {
		name, err := c.Ident("column")
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if c.Op(",") {
			continue
		}
		return names, c.Expect(")")
	}
}

// refuseInsertTail refuses RETURNING and ON CONFLICT behind the rows.
func (s *Statement) refuseInsertTail(c *Cursor) error {
	depth := 0
	for i := 0; ; i++ {
		t, ok := c.Peek(i)
		switch {
		case !ok:
			return nil
		case c.IsOp(i, "("):
			depth++
		case c.IsOp(i, ")"):
			depth--
		case depth > 0:
			if c.IsWord(i, "DEFAULT") && (c.IsOp(i-1, "(") || c.IsOp(i-1, ",")) && (c.IsOp(i+1, ")") || c.IsOp(i+1, ",")) {
				s.Insert.HasDefault = true
			}
		case c.IsWord(i, "RETURNING"):
			return lake.Errorf(lake.KindUnsupported, "INSERT ... RETURNING at %s is not supported", Position(s.Text, t.Start))
		case c.IsWord(i, "ON") && c.IsWord(i+1, "CONFLICT"):
			return lake.Errorf(lake.KindUnsupported, "INSERT ... ON CONFLICT at %s is not supported: tables have no keys",
				Position(s.Text, t.Start))
		}
	}
}

// Comment is COMMENT ON SCHEMA, TABLE or COLUMN.
type Comment struct {
	// Name is that of the schema (its Schema qualifier is then a catalog) or of
	// the table.
	Name     ObjectName
	OnSchema bool
	Column   string // empty for a comment on a schema or table
	Text     string // empty removes the comment
}

func (s *Statement) comment(c *Cursor) (err error) {
	s.Kind, s.Name = KindComment, "COMMENT ON"
	if !c.Words("ON") {
		return c.Unexpected("COMMENT is followed by ON")
	}
	cm := &Comment{}
	switch {
	case c.Words("SCHEMA"):
		cm.OnSchema = true
		cm.Name, err = objectName(c, "schema")
	case c.Words("TABLE"):
		cm.Name, err = objectName(c, "table")
	case c.Words("COLUMN"):
		cm.Name, cm.Column, err = columnPath(c)
	case s.nextWord(c) == "":
		return c.Unexpected("COMMENT ON is followed by SCHEMA, TABLE or COLUMN")
	default:
		return s.other("COMMENT ON " + s.nextWord(c))
	}
	if err != nil {
		return err
	}
	if !c.Words("IS") {
		return c.Unexpected("expected IS and the text")
	}
	if !c.Words("NULL") {
		t, _ := c.Peek(0)
		text, ok := StringValue(c.Of(t))
		if t.Kind != TokenString || !ok {
			return c.Unexpected("a comment is a string or NULL")
		}
		cm.Text = text
		c.Pos++
	}
	s.Comment = cm
	return s.end(c)
}

// columnPath reads [catalog.][schema.]table.column.
func columnPath(c *Cursor) (ObjectName, string, error) {
	start := c.Offset()
	var parts []string
	end := start
	for {
		part, err := c.Ident("column")
		if err != nil {
			return ObjectName{}, "", err
		}
		parts = append(parts, part)
		if !c.IsOp(0, ".") {
			break
		}
		end = c.PrevEnd()
		c.Pos++
	}
	if len(parts) < 2 || len(parts) > 4 {
		return ObjectName{}, "", SyntaxError(c.Text, start, "a column is named as table.column")
	}
	column := parts[len(parts)-1]
	parts = append(make([]string, 4-len(parts)), parts[:len(parts)-1]...)
	return ObjectName{Catalog: parts[0], Schema: parts[1], Name: parts[2], Span: Span{start, end}}, column, nil
}

// Call is CALL function(arguments).
type Call struct {
	Name ObjectName
	Args []Arg
}

// Arg is one argument of a CALL or of a table function.
type Arg struct {
	Name     string // of a named argument, in lower case; empty if positional
	Span     Span   // of its expression
	Value    string // text of a constant: a string's text, a number, a word
	Constant bool   // the expression is one literal
	Null     bool
	String   bool // a string literal
}

func (s *Statement) call(c *Cursor) (err error) {
	s.Kind, s.Name = KindCall, "CALL"
	call := &Call{}
	if call.Name, err = objectName(c, "function"); err != nil {
		return err
	}
	if call.Args, err = Arguments(c); err != nil {
		return err
	}
	s.Call = call
	return s.end(c)
}

// Arguments consumes a parenthesised list of arguments.
//
// Errors: KindInvalid if the list is malformed.
func Arguments(c *Cursor) ([]Arg, error) {
	first, last, err := c.Parens()
	if err != nil {
		return nil, err
	}
	var args []Arg
	for from := first; from < last; {
		to := c.itemEnd(from, last)
		arg := &Cursor{Text: c.Text, Tokens: c.Tokens[:to], Pos: from}
		a, err := argument(arg)
		if err != nil {
			return nil, err
		}
		args = append(args, a)
		from = to + 1
		if to < last && from >= last {
			return nil, SyntaxError(c.Text, c.Tokens[to].Start, "an argument is missing after this comma")
		}
	}
	return args, nil
}

func argument(c *Cursor) (Arg, error) {
	var a Arg
	if t, ok := c.Peek(0); ok && t.Kind <= TokenQuoted && (c.IsOp(1, "=>") || c.IsOp(1, ":=") || c.IsOp(1, "=")) {
		name, err := c.Ident("argument")
		if err != nil {
			return Arg{}, err
		}
		a.Name = strings.ToLower(name)
		c.Pos++
	}
	if c.End() {
		return Arg{}, c.Unexpected("an argument is missing")
	}
	a.Span = Span{c.Offset(), c.Tokens[len(c.Tokens)-1].End}
	a.Null = c.IsWord(0, "NULL")
	t, _ := c.Peek(0)
	a.String = t.Kind == TokenString
	a.Value, a.Constant = literal(c)
	if !c.End() {
		a.Constant, a.Null, a.String, a.Value = false, false, false, ""
	}
	return a, nil
}
