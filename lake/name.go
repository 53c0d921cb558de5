package lake

import (
	"strings"
	"unicode/utf8"
)

// Names that every client sees.
const (
	// CatalogName is the one catalog of a server.
	CatalogName = "lake"
	// DefaultSchema is where names without a schema resolve unless the caller says
	// otherwise. Every lake has it.
	DefaultSchema = "main"
	// TemporarySchema is the schema that shows the temporary tables of a session. It is
	// also the name of a catalog whose one schema, DefaultSchema, holds them.
	TemporarySchema = "temp"
)

// NestingMax is how deep the types of a column may be nested, itself included: DuckDB and JDBC
// clients recurse over them.
const NestingMax = 64

// nameBytesMax is the longest name; see CheckName.
const nameBytesMax = 1024

// CheckText refuses text that databases refuse, cut short or corrupt: what is no UTF-8, or
// holds a NUL character.
//
// Errors: KindInvalid.
func CheckText(text string) error {
	if !utf8.ValidString(text) {
		return Errorf(KindInvalid, "a name or text is no UTF-8: %q", text)
	}
	if at := strings.IndexByte(text, 0); at >= 0 {
		return Errorf(KindInvalid, "a name or text has a NUL character, at byte %d of %q", at, text)
	}
	return nil
}

// CheckName refuses what schemas, tables, views, columns and fields cannot be called: names
// are 1 to 1,024 bytes of UTF-8 without NUL.
//
// Errors: KindInvalid.
func CheckName(name string) error {
	switch {
	case name == "":
		return Errorf(KindInvalid, "a name is empty")
	case len(name) > nameBytesMax:
		return Errorf(KindInvalid, "a name has %d bytes, and may have %d: %q...", len(name), nameBytesMax, strings.ToValidUTF8(name[:40], "?"))
	}
	return CheckText(name)
}

// Check returns why a table cannot be used, though it is in the catalog: another program may
// have written it.
//
// Errors: KindUnsupported; the kind of Fault.
func (t *Table) Check() error {
	kind, err := KindUnsupported, CheckName(t.Name)
	if t.Fault != nil {
		kind, err = KindOf(t.Fault), t.Fault
	}
	if err == nil {
		err = CheckColumns(t.Columns)
	}
	if err == nil {
		return nil
	}
	return Errorf(kind, "table %q cannot be used, only dropped: %w", t.Name, err)
}

// CheckColumns refuses columns and fields that cannot be called so, defaults that are no text,
// and types that are nested more than 64 deep.
//
// Errors: KindInvalid.
func CheckColumns(columns []Column) error {
	for i := range columns {
		if err := checkColumn(&columns[i], 1); err != nil {
			return err
		}
	}
	return nil
}

// checkColumn checks the name of a column or field, its default and what lies in it.
func checkColumn(c *Column, depth int) error {
	if depth > NestingMax {
		return Errorf(KindInvalid, "column %q: types are nested more than %d deep", c.Name, NestingMax)
	}
	if err := CheckName(c.Name); err != nil {
		return err
	}
	if c.Default != nil {
		if err := CheckText(*c.Default); err != nil {
			return err
		}
	}
	for i := range c.Children {
		if err := checkColumn(&c.Children[i], depth+1); err != nil {
			return err
		}
	}
	return nil
}
