package sqltext

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// ForeignKey is FOREIGN KEY (...) REFERENCES, or REFERENCES behind a column.
type ForeignKey struct {
	Columns    []string
	Table      ObjectName // that it refers to
	RefColumns []string   // nil means its primary key
}

// columnList reads the keys that a column list declares, and keeps the list
// without them: DuckDB is to define the table where other tables are not
// known. first and last are as Parens returns them.
func (cr *Create) columnList(c *Cursor, first, last int) error {
	var kept []string
	for from := first; from < last; {
		to := c.itemEnd(from, last)
		item := &Cursor{Text: c.Text, Tokens: c.Tokens[:to], Pos: from}
		text, err := cr.columnItem(item)
		if err != nil {
			return err
		}
		if text != nil {
			kept = append(kept, *text)
		}
		from = to + 1
	}
	switch {
	case cr.PrimaryKey == nil && cr.ForeignKeys == nil: // as written, with what may be wrong in it
	case len(kept) == 0:
		return SyntaxError(c.Text, c.Tokens[first].Start, "a table needs a column")
	default:
		cr.definition = "(" + strings.Join(kept, ", ") + ")"
	}
	return nil
}

// columnItem reads one column or constraint and returns what is left of it for
// DuckDB, nil if nothing is.
func (cr *Create) columnItem(c *Cursor) (*string, error) {
	start := c.Offset()
	if c.constraint("PRIMARY", "KEY") {
		columns, err := columnNames(c)
		if err == nil {
			err = cr.setPrimaryKey(c, start, columns)
		}
		return nil, endOfItem(c, err)
	}
	if c.constraint("FOREIGN", "KEY") {
		columns, err := columnNames(c)
		if err == nil && !c.Words("REFERENCES") {
			err = c.Unexpected("FOREIGN KEY is followed by columns, REFERENCES and a table")
		}
		if err == nil {
			err = cr.references(c, columns)
		}
		return nil, endOfItem(c, err)
	}
	text, err := cr.columnKeys(c)
	return &text, err
}

// endOfItem returns err, or what is wrong if c is not at its end.
func endOfItem(c *Cursor, err error) error {
	if err == nil && !c.End() {
		return c.Unexpected(`expected "," or ")"`)
	}
	return err
}

// constraint consumes [CONSTRAINT name] and the words, all of them or nothing.
func (c *Cursor) constraint(words ...string) bool {
	at := c.Pos
	if c.IsWord(0, "CONSTRAINT") {
		c.Pos += 2
	}
	if c.Words(words...) {
		return true
	}
	c.Pos = at
	return false
}

// columnKeys returns the text of a column's definition without its keys.
func (cr *Create) columnKeys(c *Cursor) (string, error) {
	if c.End() { // a comma too many, which DuckDB reports
		return "", nil
	}
	name, from := IdentName(c.Of(c.Tokens[c.Pos])), c.Offset()
	var text strings.Builder
	for !c.End() {
		if c.IsOp(0, "(") {
			if _, _, err := c.Parens(); err != nil {
				return "", err
			}
			continue
		}
		start := c.Offset()
		var err error
		switch {
		case c.constraint("PRIMARY", "KEY"):
			err = cr.setPrimaryKey(c, start, []string{name})
		case c.constraint("REFERENCES"):
			err = cr.references(c, []string{name})
		default:
			c.Pos++
			continue
		}
		if err != nil {
			return "", err
		}
		text.WriteString(c.Text[from:start])
		from = c.PrevEnd()
	}
	text.WriteString(c.Text[from:c.PrevEnd()])
	return text.String(), nil
}

func (cr *Create) setPrimaryKey(c *Cursor, start int, columns []string) error {
	if cr.PrimaryKey != nil {
		return SyntaxError(c.Text, start, "the primary key was given before")
	}
	cr.PrimaryKey = columns
	return nil
}

// references reads what follows REFERENCES. Keys are not enforced, so that no
// action can be asked for.
func (cr *Create) references(c *Cursor, columns []string) (err error) {
	key := ForeignKey{Columns: columns}
	if key.Table, err = objectName(c, "table"); err != nil {
		return err
	}
	if c.IsOp(0, "(") {
		if key.RefColumns, err = columnNames(c); err != nil {
			return err
		}
	}
	for c.IsWord(0, "ON") {
		start := c.Offset()
		c.Pos++
		switch {
		case !c.Words("DELETE") && !c.Words("UPDATE"):
			return c.Unexpected("expected DELETE or UPDATE")
		case c.Words("NO", "ACTION"), c.Words("RESTRICT"):
		case c.Words("CASCADE"), c.Words("SET", "NULL"), c.Words("SET", "DEFAULT"):
			return lake.Errorf(lake.KindUnsupported, "%s at %s is not supported: keys are declared and not enforced",
				strings.ToUpper(c.Text[start:c.PrevEnd()]), Position(c.Text, start))
		default:
			return c.Unexpected("expected NO ACTION or RESTRICT")
		}
	}
	cr.ForeignKeys = append(cr.ForeignKeys, key)
	return nil
}
