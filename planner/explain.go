package planner

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// Execution names who runs the plan: "catalog", "native scan" or "engine".
func (p *Plan) Execution() string {
	switch {
	case p.Answer != nil:
		return "catalog"
	case p.Native != nil:
		return "native scan"
	}
	return "engine"
}

// Explain returns the plan as lines of text for people to read.
func (p *Plan) Explain() []string {
	lines := []string{"execution: " + p.Execution()}
	if p.Note != "" {
		lines = append(lines, "not pruned: "+p.Note)
	}
	for i := range p.Reads {
		if p.Reads[i].Table != nil && !p.Reads[i].Ref.Described {
			lines = append(lines, p.explainRead(&p.Reads[i])...)
		}
	}
	return lines
}

func (p *Plan) explainRead(r *Read) []string {
	pr := r.Pruning
	name := r.Table.Schema + "." + r.Table.Name
	if r.Ref.Alias != "" {
		name += " as " + r.Ref.Alias
	}
	byRowGroups := int64(len(r.Skipped)) - pr.FilesSkippedByPartition - pr.FilesSkippedByStats - r.answered
	lines := []string{
		fmt.Sprintf("scan %s at snapshot %d", name, r.Snapshot),
		fmt.Sprintf("  files: %d of %d (skipped %d by partition, %d by statistics, %d by row groups)",
			len(r.Tasks), pr.FilesTotal, pr.FilesSkippedByPartition, pr.FilesSkippedByStats, byRowGroups),
		fmt.Sprintf("  row groups: %d of %d with a zone map", pr.RowGroupsTotal-pr.RowGroupsSkipped, pr.RowGroupsTotal),
		fmt.Sprintf("  rows: %d of %d, bytes: %d of %d", r.Rows(), pr.RowsTotal+inlinedRows(r), r.Bytes(), pr.BytesTotal),
		"  columns: " + strings.Join(r.columnNames(), ", "),
	}
	if r.answered > 0 {
		lines = append(lines, fmt.Sprintf("  files that need not be read, because the catalog answers: %d", r.answered))
	}
	if n := inlinedRows(r); n > 0 {
		lines = append(lines, fmt.Sprintf("  inlined rows: %d", n))
	}
	if r.Predicate != nil {
		lines = append(lines, "  pruned by: "+expr.Format(r.Predicate, r.Table.Columns))
	}
	if residual := p.residual(r); residual != "" {
		lines = append(lines, "  left to evaluate: "+residual)
	}
	return lines
}

// residual returns the predicate left to evaluate on the rows that are read,
// as SQL; empty if there is none.
func (p *Plan) residual(r *Read) string {
	predicate := r.Predicate
	if p.Native != nil {
		predicate = p.Native.Scan.Residual
	} else if r.Decided && len(r.Inlined) == 0 {
		predicate = nil
	}
	if predicate == nil {
		return ""
	}
	return expr.Format(predicate, r.Table.Columns)
}

func inlinedRows(r *Read) int64 {
	var rows int64
	for _, t := range r.Inlined {
		rows += max(t.Rows, 0)
	}
	return rows
}

func (r *Read) columnNames() []string {
	names := []string{}
	for i := range r.Table.Columns {
		c := &r.Table.Columns[i]
		if r.Columns == nil {
			names = append(names, c.Name)
			continue
		}
		for _, id := range r.Columns {
			if id == c.ID {
				names = append(names, c.Name)
			}
		}
	}
	return names
}

// ScanPlanSchema is the schema of the rows of lake.scan_plan: one row per data
// file of each reference, read or skipped, and one per table of inlined rows,
// whose path is NULL.
func ScanPlanSchema() *arrow.Schema {
	text, integer := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64
	return arrow.NewSchema([]arrow.Field{
		{Name: "reference", Type: arrow.PrimitiveTypes.Int32}, // ordinal in the statement, from 1
		{Name: "schema_name", Type: text},
		{Name: "table_name", Type: text},
		{Name: "snapshot_id", Type: integer},
		{Name: "path", Type: text, Nullable: true},
		{Name: "skipped_by", Type: text, Nullable: true},                                     // NULL for a file that is read
		{Name: "row_groups", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32), Nullable: true}, // NULL means all
		{Name: "row_groups_total", Type: integer, Nullable: true},                            // NULL if not known
		{Name: "rows", Type: integer},                                                        // to read, before deletes and filters
		{Name: "bytes", Type: integer},                                                       // to read, all columns
		{Name: "file_rows", Type: integer},
		{Name: "file_bytes", Type: integer},
		{Name: "has_deletes", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "columns", Type: arrow.ListOf(text)},
		{Name: "pruned_by", Type: text, Nullable: true},
		{Name: "residual", Type: text, Nullable: true},
		{Name: "execution", Type: text},
	}, nil)
}

// ScanPlan returns the plan as rows of ScanPlanSchema, with paths as locate
// returns them. The caller releases the batch.
func (p *Plan) ScanPlan(mem memory.Allocator, locate func(*lake.DataFile) string) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, ScanPlanSchema())
	defer b.Release()
	for i := range p.Reads {
		r := &p.Reads[i]
		if r.Table == nil {
			continue
		}
		for _, t := range r.Tasks {
			p.scanPlanRow(b, i, scanPlanFile{file: t.File, path: locate(t.File), task: &t})
		}
		for _, s := range r.Skipped {
			p.scanPlanRow(b, i, scanPlanFile{file: s.File, path: locate(s.File), reason: s.Reason})
		}
		for _, in := range r.Inlined {
			p.scanPlanRow(b, i, scanPlanFile{rows: in.Rows})
		}
	}
	return b.NewRecordBatch()
}

// scanPlanFile is a file read (task), a file skipped (reason) or inlined rows.
type scanPlanFile struct {
	file   *lake.DataFile
	path   string
	task   *lake.ScanTask
	reason string
	rows   int64
}

func (p *Plan) scanPlanRow(b *array.RecordBuilder, i int, f scanPlanFile) {
	r := &p.Reads[i]
	w := rowWriter{b: b}
	w.int32(int32(i) + 1)
	w.text(r.Table.Schema)
	w.text(r.Table.Name)
	w.int64(int64(r.Snapshot))
	file := f.file
	if file == nil {
		file = &lake.DataFile{Rows: f.rows}
		w.null()
	} else {
		w.text(f.path)
	}
	w.optional(f.reason)
	rows, bytes := int64(0), int64(0)
	var groups []int32
	switch {
	case f.task != nil:
		rows, bytes, groups = f.task.Rows, f.task.Bytes, f.task.RowGroups
	case f.reason == "":
		rows = f.rows
	}
	w.groups(groups)
	if file.RowGroups == nil {
		w.null()
	} else {
		w.int64(int64(len(file.RowGroups)))
	}
	w.int64(rows)
	w.int64(bytes)
	w.int64(file.Rows)
	w.int64(file.Bytes)
	deleted, known := deletedRows(file, r.Snapshot)
	w.bool(deleted > 0 || !known)
	w.texts(r.columnNames())
	if r.Predicate == nil {
		w.null()
	} else {
		w.text(expr.Format(r.Predicate, r.Table.Columns))
	}
	w.optional(p.residual(r))
	w.text(p.Execution())
}

// rowWriter appends the fields of one row from left to right.
type rowWriter struct {
	b    *array.RecordBuilder
	next int
}

func (w *rowWriter) field() array.Builder {
	w.next++
	return w.b.Field(w.next - 1)
}

func (w *rowWriter) null() { w.field().AppendNull() }

func (w *rowWriter) text(s string) { appendTo[*array.StringBuilder](w).Append(s) }

func (w *rowWriter) int32(i int32) { appendTo[*array.Int32Builder](w).Append(i) }

func (w *rowWriter) int64(i int64) { appendTo[*array.Int64Builder](w).Append(i) }

func (w *rowWriter) bool(b bool) { appendTo[*array.BooleanBuilder](w).Append(b) }

func (w *rowWriter) optional(s string) {
	if s == "" {
		w.null()
		return
	}
	w.text(s)
}

func (w *rowWriter) groups(groups []int32) {
	l := appendTo[*array.ListBuilder](w)
	if groups == nil {
		l.AppendNull()
		return
	}
	l.Append(true)
	for _, g := range groups {
		builderAs[*array.Int32Builder](l.ValueBuilder()).Append(g)
	}
}

func (w *rowWriter) texts(texts []string) {
	l := appendTo[*array.ListBuilder](w)
	l.Append(true)
	for _, s := range texts {
		builderAs[*array.StringBuilder](l.ValueBuilder()).Append(s)
	}
}

func appendTo[B array.Builder](w *rowWriter) B { return builderAs[B](w.field()) }

// builderAs panics if the schema and its writer do not agree.
func builderAs[B array.Builder](b array.Builder) B {
	typed, ok := b.(B)
	if !ok {
		panic("planner: the row does not fit ScanPlanSchema")
	}
	return typed
}
