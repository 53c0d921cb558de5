package planner

import (
	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// Reasons why a file is not read.
const (
	SkippedByPartition = "partition"
	SkippedByStats     = "statistics"
	SkippedByRowGroups = "row groups" // each one by its own statistics
	SkippedByAnswer    = "catalog"    // the catalog answers the query
)

// Skipped is a file that is not read.
type Skipped struct {
	File   *lake.DataFile
	Reason string
}

// Pruned is what remains of a table's files.
type Pruned struct {
	Tasks   []lake.ScanTask // in the order of the files
	Skipped []Skipped
	Pruning expr.Pruning
	// Decided is set if the predicate is true on every row of every task, so
	// that nothing is left to evaluate. Deletes do not matter to it.
	Decided bool
}

// Prune returns the row groups of a table's version that may hold rows for
// which predicate is true; nil means all. It looks at partition values, then at
// file statistics, then at zone maps, and opens no file. Tasks point into the
// version.
func Prune(table *lake.Table, version *lake.TableVersion, predicate expr.Predicate) Pruned {
	p := pruner{
		predicate: expr.Simplify(expr.MaskRepeated(predicate, table.Columns)),
		types:     make(map[lake.FieldID]lake.Type),
		version:   version,
	}
	for i := range table.Columns {
		table.Columns[i].Walk(func(c *lake.Column) { p.types[c.ID] = c.Type })
	}
	p.out.Decided = true
	for _, f := range version.Files {
		p.file(f)
	}
	return p.out
}

type pruner struct {
	predicate expr.Predicate // nil matches every row
	types     map[lake.FieldID]lake.Type
	version   *lake.TableVersion
	out       Pruned
}

func (p *pruner) typeOf(id lake.FieldID) (lake.Type, bool) {
	t, ok := p.types[id]
	return t, ok
}

func (p *pruner) file(f *lake.DataFile) {
	pr := &p.out.Pruning
	pr.FilesTotal++
	pr.RowsTotal += f.Rows
	pr.BytesTotal += f.Bytes
	var facts *expr.Partition // nil for a file without partition
	if spec, ok := p.version.Partition(f.PartitionID); ok && len(f.PartitionValues) > 0 && p.predicate != nil {
		facts = expr.NewPartition(spec, f.PartitionValues, f.Rows, p.typeOf)
	}
	if facts != nil && f.Rows != 0 && !expr.CanMatch(p.predicate, facts) {
		pr.FilesSkippedByPartition++
		p.skip(f, SkippedByPartition)
		return
	}
	if !p.canMatch(facts, expr.FileStats(f)) {
		pr.FilesSkippedByStats++
		p.skip(f, SkippedByStats)
		return
	}
	task := lake.ScanTask{File: f, Rows: f.Rows, Bytes: f.Bytes}
	if len(f.RowGroups) > 0 {
		if !p.rowGroups(facts, &task) {
			p.skip(f, SkippedByRowGroups)
			return
		}
	} else {
		p.decide(facts, expr.FileStats(f))
	}
	p.out.Tasks = append(p.out.Tasks, task)
}

func (p *pruner) skip(f *lake.DataFile, reason string) {
	p.out.Skipped = append(p.out.Skipped, Skipped{File: f, Reason: reason})
}

// canMatch asks the statistics and the partition values, each alone: either
// can prove that no row matches.
func (p *pruner) canMatch(facts *expr.Partition, stats expr.StatsSource) bool {
	return expr.CanMatch(p.predicate, stats) && (facts == nil || expr.CanMatch(p.predicate, merged{stats, facts}))
}

// decide notes whether rows are left on which the predicate is to be evaluated.
func (p *pruner) decide(facts *expr.Partition, stats expr.StatsSource) {
	p.out.Decided = p.out.Decided && (expr.AllMatch(p.predicate, stats) ||
		facts != nil && expr.AllMatch(p.predicate, merged{stats, facts}))
}

// rowGroups narrows the task to the row groups that may match and reports
// whether one is left.
func (p *pruner) rowGroups(facts *expr.Partition, task *lake.ScanTask) bool {
	groups := task.File.RowGroups
	p.out.Pruning.RowGroupsTotal += int64(len(groups))
	kept := make([]int32, 0, len(groups))
	var rows, bytes int64
	for i := range groups {
		stats := expr.RowGroupStats(&groups[i])
		if !p.canMatch(facts, stats) {
			continue
		}
		p.decide(facts, stats)
		kept = append(kept, groups[i].Index)
		rows += groups[i].Rows
		bytes += groups[i].Bytes
	}
	p.out.Pruning.RowGroupsSkipped += int64(len(groups) - len(kept))
	if len(kept) < len(groups) {
		task.RowGroups, task.Rows, task.Bytes = kept, rows, bytes
	}
	return len(kept) > 0
}

// merged is the statistics of rows, and for leaves that these do not have,
// what follows from the partition values of their file.
type merged struct {
	stats expr.StatsSource
	facts *expr.Partition
}

// RowCount returns that of the statistics.
func (m merged) RowCount() int64 { return m.stats.RowCount() }

// ColumnStats returns the partition's statistics of a leaf only if they are
// exact for any subset of the file's rows.
func (m merged) ColumnStats(id lake.FieldID) (*lake.ColumnStats, bool) {
	if s, ok := m.stats.ColumnStats(id); ok {
		return s, true
	}
	s, ok := m.facts.ColumnStats(id)
	if !ok {
		return nil, false
	}
	scaled := *s
	rows, all := m.stats.RowCount(), m.facts.RowCount()
	scaled.ValueCount = rows
	if scaled.NullCount == all && all > 0 {
		scaled.NullCount = rows
	}
	if scaled.NaNCount == all && all > 0 {
		scaled.NaNCount = rows
	}
	return &scaled, true
}
