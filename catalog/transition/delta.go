package transition

import (
	"slices"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/lake"
)

// Delta is what one operation, or all of a commit, changes in what a catalog holds.
// Its parts are independent of each other and need no order, but that what ends was
// there before and what begins is there after.
type Delta struct {
	// Entries describe the change as ducklake_snapshot_changes does, each once.
	Entries []Entry
	// NewSchemaVersion says that the schema version rises: all that changes a State does so.
	NewSchemaVersion bool

	Begun Begun
	Ended Ended
	// Comments and Options are set, each thing at most once.
	Comments []Comment
	Options  []Option
	// Keys are tables that declare keys from now on, as they declare them.
	Keys []lake.Table

	entered map[Entry]bool        // what Entries holds
	created map[lake.TableID]bool // what Begun.Tables holds
}

// Begun is what there was not before.
type Begun struct {
	Schemas    []SchemaBegun
	Tables     []TableBegun
	Columns    []ColumnBegun
	Partitions []PartitionBegun
	Files      []FilesBegun
}

// Ended is what there is no longer.
type Ended struct {
	Schemas []lake.SchemaID // with their comments and options
	Tables  []lake.TableID  // with all that belongs to them: columns, partitioning, files, comments
}

// SchemaBegun is a new schema; it has no tables yet.
type SchemaBegun struct {
	Schema lake.Schema
	UUID   uuid.UUID
}

// TableBegun is a new table. Its columns, partitioning, comments, keys and options are
// in the other parts of the Delta.
type TableBegun struct {
	Table lake.Table
	UUID  uuid.UUID
	// SchemaPath is the path of its schema, with which Table.Path begins.
	SchemaPath string
}

// ColumnBegun is a column or a nested field. Its Children are in entries of their own.
type ColumnBegun struct {
	Table  lake.TableID
	Parent lake.FieldID // 0 for a top-level column
	Order  int64        // columns of one parent ascend by it
	Column lake.Column
}

// PartitionBegun is how new files of a table are partitioned.
type PartitionBegun struct {
	Table lake.TableID
	Spec  lake.PartitionSpec
}

// FilesBegun are files that were added to a table. ID, Table, Begin and PartitionID of
// them are assigned; row ids are not, which depend on all files that the table ever had.
type FilesBegun struct {
	Table  lake.Table                   // as it was when they were added
	Leaves map[lake.FieldID]lake.Column // of its columns
	Files  []*lake.DataFile
}

// Comment is the comment of a schema, a table or a column; an empty one is removed.
type Comment struct {
	Schema lake.SchemaID
	Table  lake.TableID // 0 for a comment of the schema itself
	Column lake.FieldID // 0 for a comment of the table or schema itself
	Text   string
}

// Option is an option of a table, or of the lake if Table is 0.
type Option struct {
	Table lake.TableID
	Name  string
	Value string
}

// Entry is an entry of ducklake_snapshot_changes, such as created_table:"main"."t".
type Entry struct {
	Action string
	Of     string // an id, or quoted names
}

// Actions of an Entry, as DuckLake names them.
const (
	createdSchema = "created_schema"
	droppedSchema = "dropped_schema"
	createdTable  = "created_table"
	droppedTable  = "dropped_table"
	insertedInto  = "inserted_into_table"
	alteredTable  = "altered_table"
)

// String returns the entry as it is stored.
func (e Entry) String() string { return e.Action + ":" + e.Of }

// enter adds an entry unless there is one like it.
func (d *Delta) enter(action, of string) {
	e := Entry{action, of}
	if d.entered[e] {
		return
	}
	if d.entered == nil {
		d.entered = map[Entry]bool{}
	}
	d.entered[e] = true
	d.Entries = append(d.Entries, e)
}

// begin adds a new table.
func (d *Delta) begin(t TableBegun) {
	if d.created == nil {
		d.created = map[lake.TableID]bool{}
	}
	d.created[t.Table.ID] = true
	d.Begun.Tables = append(d.Begun.Tables, t)
	d.enter(createdTable, quoteTable(t.Table.Schema, t.Table.Name))
}

// altered notes that a table changed, unless it is new.
func (d *Delta) altered(id lake.TableID) {
	if !d.created[id] {
		d.enter(alteredTable, idText(id))
	}
}

// Same reports whether both are about the same thing.
func (c Comment) Same(o Comment) bool {
	return c.Table == o.Table && c.Column == o.Column && (c.Table != 0 || c.Schema == o.Schema)
}

// Same reports whether both are about the same thing.
func (o Option) Same(p Option) bool { return o.Table == p.Table && o.Name == p.Name }

// Replace returns the list with v in the place of what is about the same thing.
func Replace[T interface{ Same(T) bool }](list []T, v T) []T {
	return append(slices.DeleteFunc(list, v.Same), v)
}
