package lake

import (
	"strings"
	"time"
)

// SnapshotID numbers the snapshots of a lake, one more than the parent's.
type SnapshotID int64

// SchemaID identifies a schema. DuckLake takes it, TableID and PartitionID from
// one sequence, next_catalog_id.
type SchemaID int64

// TableID identifies a table.
type TableID int64

// PartitionID identifies a PartitionSpec; 0 means none.
type PartitionID int64

// FileID identifies a data file; it comes from next_file_id.
type FileID int64

// Snapshot is an immutable state of the lake.
type Snapshot struct {
	ID            SnapshotID
	Time          time.Time // UTC, microseconds
	SchemaVersion int64     // changes with every DDL, not with appends
	Changes       string    // ducklake_snapshot_changes.changes_made
	Author        string
	Message       string
}

// State is the schemas and tables of one snapshot, without files. It depends
// on SchemaVersion only and is shared by all snapshots that have it.
type State struct {
	SchemaVersion int64
	Schemas       []Schema // sorted by name
	// Options holds the lake-wide options of ducklake_metadata, by name.
	Options map[string]string
}

// Schema is a namespace of tables and views.
type Schema struct {
	ID      SchemaID
	Name    string
	Path    string // key prefix of its tables' files, ends with "/"
	Comment string
	Tables  []Table // sorted by name
	Views   []View  // sorted by name
	// Macros names the macros of the schema, sorted; nobody here calls them.
	Macros []string
	// Options holds the options of the schema (scope 'schema' in ducklake_metadata),
	// by name: what a new table in it begins with.
	Options map[string]string
}

// Origin says who keeps a table.
type Origin uint8

// The origins of tables.
const (
	OriginCatalog     Origin = iota // it is committed
	OriginTransaction               // a transaction made it and has not committed it
	OriginSession                   // it is a temporary table of a session
)

// Table is a named set of rows.
type Table struct {
	ID        TableID
	Origin    Origin
	UUID      string
	SchemaID  SchemaID
	Schema    string // name of its schema
	Name      string
	Path      string // key prefix of its files in the Bucket, ends with "/"
	Comment   string
	Columns   []Column
	Partition *PartitionSpec // nil if unpartitioned
	// PrimaryKey names the columns of the declared primary key, in its order;
	// nil if there is none. Keys are declarations: nobody checks the rows, but
	// these columns are not nullable.
	PrimaryKey []string
	// ForeignKeys are declared too. The table that one refers to may have been
	// dropped since: State.ForeignKeys returns those that hold.
	ForeignKeys []ForeignKey
	// Options holds the options of the table (scope 'table' in
	// ducklake_metadata) and those of its schema that it does not set itself,
	// by name; they override State.Options.
	Options map[string]string
	// Fault says why the table cannot be used, though it is in the catalog: another program
	// wrote it so. It is nil for a table that can; see Check.
	Fault error
	// Begin is the snapshot that created the table; renaming it does not change that.
	Begin SnapshotID
	// ColumnsBegin is the snapshot since which the columns are what they are: files
	// that began before may have others (see Current). Comments are no part of it.
	ColumnsBegin SnapshotID
	// LayoutBegin is the snapshot since which columns and partitioning both are what
	// they are, never before ColumnsBegin: what a writer has to know to add files.
	LayoutBegin SnapshotID
	// Draft is not 0 if the columns were not committed yet: a number that no other
	// draft of columns of this process has.
	Draft int64
}

// ColumnsID identifies the columns of a table at a point of its history. Two tables
// with the same ColumnsID have the same columns, but for comments.
type ColumnsID struct {
	Table TableID
	Begin SnapshotID // Table.ColumnsBegin
	Draft int64      // Table.Draft
}

// ColumnsID returns the identity of the columns.
func (t *Table) ColumnsID() ColumnsID { return ColumnsID{t.ID, t.ColumnsBegin, t.Draft} }

// Current reports whether a file of the table was written with the columns that the
// table has now.
func (t *Table) Current(f *DataFile) bool { return f.Begin >= t.ColumnsBegin }

// View is a stored query.
type View struct {
	ID            int64
	Name          string
	Dialect       string // "duckdb"
	SQL           string
	ColumnAliases []string
	Comment       string
}

// PartitionSpec says how rows are routed to files. Files keep the spec they
// were written with.
type PartitionSpec struct {
	ID     PartitionID
	Fields []PartitionField
}

// Transform names a partition transform of DuckLake 1.0.
type Transform string

// The transforms. Year, month, day and hour yield the calendar part (month
// 1..12, not months since an epoch), in UTC for timestamptz.
const (
	TransformIdentity Transform = "identity"
	TransformYear     Transform = "year"
	TransformMonth    Transform = "month"
	TransformDay      Transform = "day"
	TransformHour     Transform = "hour"
	TransformBucket   Transform = "bucket"
)

// PartitionField is one key of a PartitionSpec.
type PartitionField struct {
	Column    FieldID
	Transform Transform
	Buckets   int32 // number of buckets, for TransformBucket only
}

// Schema returns the schema with the given name, compared without case as
// DuckDB does.
func (s *State) Schema(name string) (*Schema, bool) {
	for i := range s.Schemas {
		if strings.EqualFold(s.Schemas[i].Name, name) {
			return &s.Schemas[i], true
		}
	}
	return nil, false
}

// Table returns the table with the given schema and name, compared without case.
func (s *State) Table(schema, name string) (*Table, bool) {
	sc, ok := s.Schema(schema)
	if !ok {
		return nil, false
	}
	for i := range sc.Tables {
		if strings.EqualFold(sc.Tables[i].Name, name) {
			return &sc.Tables[i], true
		}
	}
	return nil, false
}

// TableByID returns the table with the given id.
func (s *State) TableByID(id TableID) (*Table, bool) {
	for i := range s.Schemas {
		for j := range s.Schemas[i].Tables {
			if t := &s.Schemas[i].Tables[j]; t.ID == id {
				return t, true
			}
		}
	}
	return nil, false
}

// Column returns the top-level column with the given name, compared without case.
func (t *Table) Column(name string) (*Column, bool) {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return &t.Columns[i], true
		}
	}
	return nil, false
}

// Field returns the column or nested field with the given id.
func (t *Table) Field(id FieldID) (*Column, bool) {
	var found *Column
	for i := range t.Columns {
		t.Columns[i].Walk(func(c *Column) {
			if c.ID == id {
				found = c
			}
		})
	}
	return found, found != nil
}

// Option returns the option of the table if set, else the lake's.
func (s *State) Option(t *Table, name string) (string, bool) {
	if t != nil {
		if v, ok := t.Options[name]; ok {
			return v, true
		}
	}
	v, ok := s.Options[name]
	return v, ok
}

// ValueType returns the type of the partition's values in a table with these leaves.
func (f PartitionField) ValueType(leaves map[FieldID]Column) Type {
	if f.Transform == TransformIdentity {
		return leaves[f.Column].Type
	}
	return Type{ID: TypeInt64}
}
