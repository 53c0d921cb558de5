package expr

import (
	"github.com/flightlake/flightlake/lake"
)

// Scan is a pruned read of one table at one snapshot. It is complete in itself but
// for InlinedTables: package scanner reads the files without the catalog, which holds
// the rows of those.
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

// Within returns the scan of a part: its row groups, and the inlined rows if it
// is the last. A file of which the catalog knows no row groups belongs to the part
// that holds its first. A scan with Limit or Offset must not be divided.
func (s Scan) Within(part lake.Part) Scan {
	if part == (lake.Part{}) {
		return s
	}
	tasks := s.Tasks
	s.Tasks = nil
	for i := range tasks {
		if t, ok := taskWithin(tasks[i], part); ok {
			s.Tasks = append(s.Tasks, t)
		}
	}
	if part.To != (lake.Bound{}) {
		s.InlinedTables = nil
	}
	return s
}

// taskWithin narrows a task to a part; ok is false if nothing of it is left.
func taskWithin(t lake.ScanTask, part lake.Part) (_ lake.ScanTask, ok bool) {
	if len(t.File.RowGroups) == 0 {
		return t, part.Contains(lake.Bound{File: t.File.ID})
	}
	out := lake.ScanTask{File: t.File}
	all := true
	t.EachRowGroup(func(g *lake.RowGroup) {
		if !part.Contains(lake.Bound{File: t.File.ID, RowGroup: g.Index}) {
			all = false
			return
		}
		out.RowGroups = append(out.RowGroups, g.Index)
		out.Rows += g.Rows
		out.Bytes += g.Bytes
	})
	if all {
		return t, true
	}
	return out, len(out.RowGroups) > 0
}
