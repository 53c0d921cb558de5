package sqltext

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Grant is GRANT or REVOKE: of privileges on objects, or of a role.
type Grant struct {
	Revoke bool
	// Privileges are in upper case, such as SELECT; nil means all. Whether there
	// is such a privilege is for the caller to decide.
	Privileges []string
	Objects    []GrantObject // empty if a role is granted
	Role       string        // the role that is granted, as written; empty if privileges are
	Grantees   []string      // users and roles, as written
}

// GrantKind says what a GrantObject names.
type GrantKind uint8

// What privileges are granted on.
const (
	GrantTable     GrantKind = iota // ON [TABLE] t
	GrantAllTables                  // ON ALL TABLES IN SCHEMA s
	GrantSchema                     // ON SCHEMA s
	GrantLake                       // ON LAKE, DATABASE or CATALOG name
)

// GrantObject is one of the objects of GRANT ... ON.
type GrantObject struct {
	Kind GrantKind
	// Name is that of the table, of the schema (its Schema qualifier is then a
	// catalog) or of the lake.
	Name ObjectName
}

// grant reads what follows GRANT or REVOKE.
func (s *Statement) grant(c *Cursor, word string) (err error) {
	g := &Grant{Revoke: word == "REVOKE"}
	s.Kind, s.Name, s.Grant = KindGrant, word, g
	before := "TO"
	if g.Revoke {
		before = "FROM"
		if (c.IsWord(0, "GRANT") || c.IsWord(0, "ADMIN")) && c.IsWord(1, "OPTION") {
			return lake.Errorf(lake.KindUnsupported, "REVOKE %s OPTION is not supported: grants cannot be handed on", s.nextWord(c))
		}
	}
	if err := g.what(c, before); err != nil {
		return err
	}
	if !c.Words(before) {
		return c.Unexpected("expected " + before + " and the name of a user or role")
	}
	for {
		if _, more := c.Peek(1); more && !c.IsOp(1, ",") && !c.Words("USER") && !c.Words("GROUP") {
			c.Words("ROLE")
		}
		name, err := c.Ident("user or role")
		if err != nil {
			return err
		}
		g.Grantees = append(g.Grantees, name)
		if !c.Op(",") {
			break
		}
	}
	if c.IsWord(0, "WITH") {
		return lake.Errorf(lake.KindUnsupported, "GRANT ... WITH at %s is not supported: grants cannot be handed on",
			Position(s.Text, c.Offset()))
	}
	if g.Revoke && !c.Words("CASCADE") { // nothing depends on a grant
		c.Words("RESTRICT")
	}
	return s.end(c)
}

// what reads the role, or the privileges and their objects; before is the word
// behind them.
func (g *Grant) what(c *Cursor, before string) error {
	if !c.IsWord(0, "ALL") && (c.IsWord(1, before) || c.IsOp(1, ",") && !c.grantsOn(before)) {
		role, err := c.Ident("role")
		if err != nil {
			return err
		}
		if c.IsOp(0, ",") {
			return lake.Errorf(lake.KindUnsupported, "several roles at %s: grant and revoke roles one by one",
				Position(c.Text, c.Offset()))
		}
		g.Role = role
		return nil
	}
	if c.Words("ALL") {
		c.Words("PRIVILEGES")
	} else if err := g.privileges(c); err != nil {
		return err
	}
	if !c.Words("ON") {
		return c.Unexpected("expected ON and what the privileges are for")
	}
	return g.objects(c)
}

// grantsOn reports whether ON comes before the given word.
func (c *Cursor) grantsOn(word string) bool {
	for i := 0; ; i++ {
		switch _, more := c.Peek(i); {
		case c.IsWord(i, "ON"):
			return true
		case !more || c.IsWord(i, word):
			return false
		}
	}
}

func (g *Grant) privileges(c *Cursor) error {
	for {
		t, ok := c.Peek(0)
		if !ok || t.Kind != TokenWord {
			return c.Unexpected("expected a privilege such as SELECT, or ALL")
		}
		c.Pos++
		g.Privileges = append(g.Privileges, strings.ToUpper(c.Of(t)))
		if c.IsOp(0, "(") {
			return lake.Errorf(lake.KindUnsupported, "privileges on columns at %s are not supported; grant them on the table",
				Position(c.Text, c.Offset()))
		}
		if !c.Op(",") {
			return nil
		}
	}
}

func (g *Grant) objects(c *Cursor) error {
	kind, what := GrantTable, "table"
	_, more := c.Peek(1)
	named := more && !c.IsOp(1, ",") && !c.IsOp(1, ".") && !c.IsWord(1, "TO") && !c.IsWord(1, "FROM")
	switch {
	case c.Words("ALL", "TABLES", "IN", "SCHEMA"):
		kind, what = GrantAllTables, "schema"
	case !named: // a table that is called like one of the words below
	case c.Words("SCHEMA"):
		kind, what = GrantSchema, "schema"
	case c.Words("LAKE"), c.Words("DATABASE"), c.Words("CATALOG"):
		kind, what = GrantLake, "lake"
	default:
		c.Words("TABLE")
	}
	for {
		start := c.Offset()
		name, err := objectName(c, what)
		if err != nil {
			return err
		}
		if kind == GrantLake && name.Schema != "" || kind != GrantTable && name.Catalog != "" {
			return SyntaxError(c.Text, start, "the name of a "+what+" has fewer parts")
		}
		g.Objects = append(g.Objects, GrantObject{Kind: kind, Name: name})
		if !c.Op(",") {
			return nil
		}
	}
}
