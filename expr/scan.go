package expr

import (
	"github.com/flightlake/flightlake/lake"
)

// Scan is a pruned read of one table at one snapshot: complete in itself, so
// that it can be executed without the catalog.
type Scan struct {
	Table    *lake.Table
	Snapshot lake.SnapshotID
	// Projection lists the top-level columns to produce, in output order. It
	// may be empty: then batches carry a row count and no columns.
	Projection []lake.FieldID
	// Residual is what remains to be evaluated on rows; nil means nothing. It
	// may name columns that are not in the Projection.
	Residual Predicate
	// Limit stops the scan after that many rows; lake.Unknown means no limit.
	Limit int64
	// Offset skips that many rows first.
	Offset int64
	Tasks  []lake.ScanTask
	// InlinedTables names the catalog's tables of inlined rows that are part of
	// the table at this snapshot; the rows are read with
	// catalog.Catalog.InlinedRows and count as if they came after all files.
	InlinedTables []string
	// Pruning says what was skipped, for EXPLAIN and scan_plan.
	Pruning Pruning
}

// Pruning counts what each level of pruning considered and skipped.
type Pruning struct {
	FilesTotal              int64
	FilesSkippedByPartition int64
	FilesSkippedByStats     int64
	RowGroupsTotal          int64 // of files with a zone map that were not skipped
	RowGroupsSkipped        int64
	RowsTotal               int64
	BytesTotal              int64
}
