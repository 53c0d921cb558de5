package transition

import (
	"strconv"

	"github.com/flightlake/flightlake/lake"
)

// Failed says which precondition of an operation does not hold. Err says it in words
// and carries the Kind.
type Failed struct {
	Precondition Precondition
	Err          error
}

// Error returns the text of Err.
func (f *Failed) Error() string { return f.Err.Error() }

// Unwrap returns Err.
func (f *Failed) Unwrap() error { return f.Err }

// PreconditionKind is a kind of Precondition.
type PreconditionKind uint8

// The preconditions of operations.
const (
	// NameFree requires that nothing has the name of a schema, or of a table or view in it.
	NameFree PreconditionKind = iota
	// NameTaken requires a schema of a name, or a table of a name in it.
	NameTaken
	// TableLive requires that a table, by its id, was not dropped.
	TableLive
	// LayoutUnchanged requires that columns and partitioning of a table are those that
	// the operation was made for.
	LayoutUnchanged
	// SchemaEmpty requires that nothing is in a schema.
	SchemaEmpty
	// ColumnExists requires that a table has a column of an id.
	ColumnExists
	// FilesSeen requires that a table got no files since the base of the commit.
	FilesSeen
)

// Precondition is what an operation requires of the state that it is applied to.
type Precondition struct {
	Kind PreconditionKind
	// Schema and Table are names, as the operation spells them where it names them;
	// Table is empty where the schema itself is meant.
	Schema, Table string
	ID            lake.TableID // of TableLive, LayoutUnchanged, ColumnExists and FilesSeen
	Column        lake.FieldID // of ColumnExists
}

// String names the schema or table, quoted.
func (p Precondition) String() string {
	if p.Table == "" {
		return "schema " + lake.QuoteIdent(p.Schema)
	}
	return "table " + quoteTable(p.Schema, p.Table)
}

func fail(p Precondition, kind lake.Kind, format string, args ...any) error {
	return &Failed{Precondition: p, Err: lake.Errorf(kind, format, args...)}
}

// quoteTable quotes the name of a table with its schema.
func quoteTable(schema, table string) string {
	return lake.QuoteIdent(schema) + "." + lake.QuoteIdent(table)
}

func idText[T ~int64](id T) string { return strconv.FormatInt(int64(id), 10) }

// CheckText is lake.CheckText for several texts.
//
// Errors: KindInvalid.
func CheckText(texts ...string) error {
	for _, text := range texts {
		if err := lake.CheckText(text); err != nil {
			return err
		}
	}
	return nil
}
