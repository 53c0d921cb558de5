package lake

import "github.com/flightlake/flightlake/internal/invariant"

// Unknown marks a count that is not known.
const Unknown int64 = -1

// ColumnStats are the statistics of one leaf column (a column or nested field
// without children) over a DataFile or a RowGroup. A missing bound means
// unknown: it never means that all values are null.
type ColumnStats struct {
	Field FieldID
	// Min and Max bound all values that are neither NULL nor NaN, in the order
	// of Compare; nil means unknown. For nested leaves they bound every element.
	Min, Max *Value
	// MinExact and MaxExact say that the bound is a value that occurs.
	MinExact, MaxExact bool
	ValueCount         int64 // leaf values with NULLs; Unknown if not known
	NullCount          int64 // Unknown if not known
	NaNCount           int64 // Unknown if not known; 0 for types without NaN
	Bytes              int64 // compressed bytes of the column; 0 if not known
}

// RowGroup is one Parquet row group of a DataFile.
type RowGroup struct {
	Index   int32 // ordinal in the file
	Rows    int64
	Bytes   int64 // compressed bytes of all columns
	Columns []ColumnStats
}

// NameMapping tells by which names a file has the columns of its table: a
// ducklake_column_mapping. Files share it; it must not be modified.
type NameMapping struct {
	ID int64
	// Fields are the columns and nested fields that the file has; nil if the
	// catalog does not hold the mapping.
	Fields map[FieldID]MappedField
}

// MappedField is where a file has a column.
type MappedField struct {
	Name string // among the columns of the file, or the fields of a struct
	// InPath is set for a column whose one value is in the path of the file, as
	// name=value, and not in the file.
	InPath bool
}

// DataFile is one immutable Parquet object of a table.
//
// INVARIANT: Begin < End whenever End is not zero.
// INVARIANT: the sum of RowGroups[i].Rows is Rows whenever RowGroups is not nil.
type DataFile struct {
	ID    FileID
	Table TableID
	// Path is the key in the lake's Bucket. If Absolute it lies outside the
	// Bucket and is a path or URL of its own.
	Path        string
	Absolute    bool
	Rows        int64 // rows in the Parquet file, deleted ones included
	Bytes       int64
	FooterBytes int64 // length of the Parquet footer; 0 if unknown
	RowIDStart  int64 // first DuckLake row id
	Begin       SnapshotID
	End         SnapshotID // 0 while the file is live
	// PartitionID is 0 for an unpartitioned file. PartitionValues has one entry
	// per field of that spec; a nil entry is NULL.
	PartitionID     PartitionID
	PartitionValues []*Value
	// Mapping names the columns of a file that another program wrote and whose own
	// field ids do not count; nil if they do.
	Mapping *NameMapping
	// PartialMax is set (not 0) for files of merged snapshots: rows carry the
	// column _ducklake_internal_snapshot_id.
	PartialMax SnapshotID
	Encrypted  bool
	Stats      []ColumnStats // file level, by leaf field
	// RowGroups is nil for a foreign file: one that flightlake did not write
	// and whose row groups the catalog does not know.
	RowGroups []RowGroup
	// Deletes lists what was deleted from the file; nil if nothing was.
	Deletes []Delete
}

// Delete marks rows of a DataFile as deleted from a snapshot on: either the
// rows named by a delete file, or the inlined positions.
type Delete struct {
	Begin     SnapshotID
	End       SnapshotID // 0 while live
	Path      string     // key of a delete file (columns file_path, pos); empty for inlined positions
	Absolute  bool
	Bytes     int64
	Format    string  // "parquet" or "puffin"
	Positions []int64 // sorted row positions in the file, for inlined deletes
	Count     int64   // rows deleted
	// PartialMax is set (not 0) for a delete file of several snapshots: its rows
	// carry the column _ducklake_internal_snapshot_id, the snapshot from which
	// the row is deleted.
	PartialMax SnapshotID
}

// Inlined is a table of the catalog that holds rows of a table.
type Inlined struct {
	Name string
	Rows int64 // live at the snapshot asked for
}

// CheckInvariants panics if the file breaks one of its invariants, in builds
// that check them. Whoever makes or changes a DataFile calls it.
func (f *DataFile) CheckInvariants() {
	invariant.Check("Begin < End whenever End is not zero.", func() bool {
		return f.End == 0 || f.Begin < f.End
	})
	invariant.Check("the sum of RowGroups[i].Rows is Rows whenever RowGroups is not nil.", func() bool {
		var rows int64
		for i := range f.RowGroups {
			rows += f.RowGroups[i].Rows
		}
		return f.RowGroups == nil || rows == f.Rows
	})
}

// Live reports whether the file belongs to snapshot s.
func (f *DataFile) Live(s SnapshotID) bool {
	return f.Begin <= s && (f.End == 0 || s < f.End)
}

// ColumnStats returns the file-level statistics of a leaf.
func (f *DataFile) ColumnStats(id FieldID) (*ColumnStats, bool) {
	return findStats(f.Stats, id)
}

// ColumnStats returns the statistics of a leaf in the row group.
func (g *RowGroup) ColumnStats(id FieldID) (*ColumnStats, bool) {
	return findStats(g.Columns, id)
}

func findStats(stats []ColumnStats, id FieldID) (*ColumnStats, bool) {
	for i := range stats {
		if stats[i].Field == id {
			return &stats[i], true
		}
	}
	return nil, false
}
