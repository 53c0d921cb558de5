package sqltext

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Set is SET or RESET of an option.
type Set struct {
	// Name is in lower case, with dots if it has parts; "timezone" for SET TIME
	// ZONE. It is empty for RESET ALL.
	Name string
	// Value is the text of a string, number or word; empty with Reset.
	Value  string
	Reset  bool // RESET, SET ... = DEFAULT
	Global bool // SET GLOBAL
	Local  bool // SET LOCAL: until the end of the transaction
}

// set reads SET [SESSION | LOCAL | GLOBAL] name = value, and the forms that
// standard SQL has for some options.
func (s *Statement) set(c *Cursor) (err error) {
	s.Kind, s.Name = KindSet, "SET"
	set := &Set{}
	s.Set = set
	set.scope(c)
	switch {
	case c.IsWord(0, "TIME") && c.IsWord(1, "ZONE"):
		c.Pos += 2
		set.Name = "timezone"
	case (c.IsWord(0, "SCHEMA") || c.IsWord(0, "CATALOG")) && !c.beforeValue():
		set.Name, err = settingName(c)
	case (c.IsWord(0, "VARIABLE") || c.IsWord(0, "ROLE") || c.IsWord(0, "TRANSACTION") ||
		c.IsWord(0, "AUTHORIZATION") || c.IsWord(0, "CHARACTERISTICS")) && !c.beforeValue():
		return lake.Errorf(lake.KindUnsupported, "SET %s is not supported", s.nextWord(c))
	default:
		if set.Name, err = settingName(c); err != nil {
			return err
		}
		if !c.Op("=") && !c.Words("TO") {
			return c.Unexpected(`expected "=" or TO and a value`)
		}
	}
	if err != nil {
		return err
	}
	if c.Words("DEFAULT") {
		set.Reset = true
		return s.end(c)
	}
	var ok bool
	if set.Value, ok = literal(c); !ok {
		return c.Unexpected("the value of an option is a string, a number, TRUE, FALSE or a word")
	}
	if c.IsOp(0, ",") {
		return lake.Errorf(lake.KindUnsupported, "option %q takes one value; a list at %s is not supported",
			set.Name, Position(s.Text, c.Offset()))
	}
	return s.end(c)
}

// beforeValue reports whether the token behind the next one is "=", TO or a dot,
// so that the next one is the name of an option.
func (c *Cursor) beforeValue() bool {
	return c.IsOp(1, "=") || c.IsWord(1, "TO") || c.IsOp(1, ".")
}

// scope consumes the word for where an option holds.
func (x *Set) scope(c *Cursor) {
	if _, more := c.Peek(1); !more || c.beforeValue() {
		return
	}
	switch {
	case c.Words("SESSION"):
	case c.Words("LOCAL"):
		x.Local = true
	case c.Words("GLOBAL"):
		x.Global = true
	}
}

// settingName reads the name of an option, which may have parts.
func settingName(c *Cursor) (string, error) {
	var parts []string
	for {
		part, err := c.Ident("setting")
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
		if !c.Op(".") {
			return strings.ToLower(strings.Join(parts, ".")), nil
		}
	}
}

// reset reads RESET [SESSION | LOCAL | GLOBAL] name and RESET ALL.
func (s *Statement) reset(c *Cursor) (err error) {
	s.Kind, s.Name = KindSet, "RESET"
	set := &Set{Reset: true}
	s.Set = set
	set.scope(c)
	switch {
	case c.Words("ALL"):
		return s.end(c)
	case c.Words("TIME", "ZONE"):
		set.Name = "timezone"
	case c.IsWord(0, "VARIABLE") && !c.beforeValue():
		if _, more := c.Peek(1); more {
			return lake.Errorf(lake.KindUnsupported, "RESET VARIABLE is not supported")
		}
		set.Name, err = settingName(c)
	default:
		set.Name, err = settingName(c)
	}
	if err != nil {
		return err
	}
	return s.end(c)
}

// use reads USE name[.name]. Whether one name is a catalog or a schema is for
// the session to decide.
func (s *Statement) use(c *Cursor) error {
	s.Kind, s.Name = KindUse, "USE"
	name, err := objectName(c, "schema")
	if err != nil {
		return err
	}
	if name.Catalog != "" {
		return SyntaxError(s.Text, name.Span.Start, "USE takes schema, catalog or catalog.schema")
	}
	s.Use = &name
	return s.end(c)
}

// Kill is KILL of a running statement or of a session.
type Kill struct {
	Session bool
	ID      string // not empty
}

// kill reads KILL [QUERY | STATEMENT | SESSION] 'id'.
func (s *Statement) kill(c *Cursor) error {
	s.Kind, s.Name = KindKill, "KILL"
	k := &Kill{}
	switch {
	case c.Words("SESSION"):
		k.Session = true
	case c.Words("QUERY"), c.Words("STATEMENT"):
	}
	t, _ := c.Peek(0)
	id, ok := "", false
	if t.Kind == TokenString {
		id, ok = StringValue(c.Of(t))
	}
	if !ok || id == "" {
		return c.Unexpected("KILL is followed by [QUERY | STATEMENT | SESSION] and an id as a string, such as KILL QUERY 'b1946ac9-...'")
	}
	c.Pos++
	k.ID, s.Kill = id, k
	return s.end(c)
}
