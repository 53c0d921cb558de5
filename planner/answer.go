package planner

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// Answer is the one row of a query that the catalog answers by itself: counts,
// minima and maxima that it knows exactly.
type Answer struct {
	Columns []lake.Column // names and types of the result
	Values  []*lake.Value // one per column; nil is NULL
}

// Batch returns the answer as a record batch of one row, which the caller
// releases.
func (a *Answer) Batch(mem memory.Allocator) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, lake.ArrowSchema(a.Columns))
	defer b.Release()
	for i, v := range a.Values {
		appendValue(b.Field(i), v)
	}
	return b.NewRecordBatch()
}

// aggregate is one aggregate of the select list; column is nil for count(*).
type aggregate struct {
	name   string
	column *lake.Column
}

// answer answers the plan from the catalog if it is nothing but such
// aggregates over one table, and what the catalog knows is exact.
func (p *Plan) answer(ctx context.Context, s *shape, req Request) error {
	if len(s.gets) != 1 || s.root.text("type") != "LOGICAL_PROJECTION" {
		return nil
	}
	g := s.gets[0]
	aggregates, ok := s.aggregates(g)
	if !ok || !expr.Evaluable(g.exact) {
		return nil
	}
	r := &p.Reads[g.ref]
	t, ok := newTally(r, expr.Simplify(g.exact), req.Tables[g.ref])
	if !ok {
		return nil
	}
	out := &Answer{}
	for _, a := range aggregates {
		value, ok := t.value(a)
		if !ok {
			return nil
		}
		col := lake.Column{Type: lake.Type{ID: lake.TypeInt64}, Nullable: true}
		if a.name == "min" || a.name == "max" {
			col.Type = a.column.Type
		}
		out.Columns, out.Values = append(out.Columns, col), append(out.Values, value)
	}
	names, err := req.names(ctx)
	if err != nil || len(names) != len(out.Columns) {
		return err
	}
	for i, name := range names {
		out.Columns[i].Name = name
	}
	p.Answer = out
	for _, task := range r.Tasks {
		r.Skipped = append(r.Skipped, Skipped{File: task.File, Reason: SkippedByAnswer})
	}
	r.answered, r.Tasks = int64(len(r.Tasks)), nil
	return nil
}

// aggregates returns the aggregates of PROJECTION over AGGREGATE over g, in the
// order of the result.
func (s *shape) aggregates(g get) ([]aggregate, bool) {
	children := s.root.objects("children")
	if len(children) != 1 || children[0].text("type") != "LOGICAL_AGGREGATE_AND_GROUP_BY" {
		return nil, false
	}
	node := children[0]
	below := node.objects("children")
	if len(node.list("groups")) > 0 || len(node.list("grouping_sets")) > 0 || len(node.list("grouping_functions")) > 0 ||
		len(below) != 1 {
		return nil, false
	}
	var ok bool
	if g.outputs, ok = g.through(below[0]); !ok {
		return nil, false
	}
	var all []aggregate
	for _, e := range node.objects("expressions") {
		a, ok := readAggregate(e, g)
		if !ok {
			return nil, false
		}
		all = append(all, a)
	}
	var out []aggregate
	for _, e := range s.root.objects("expressions") {
		n, ok := e.index("index")
		if e.text("expression_class") != "BOUND_REF" || !ok || n >= len(all) {
			return nil, false
		}
		out = append(out, all[n])
	}
	return out, len(out) > 0
}

// through returns the columns that an operator puts out which is g, or picks
// columns of it: what a row filter leaves between the two.
func (g get) through(o object) ([]*lake.Column, bool) {
	if o.text("type") == "LOGICAL_GET" {
		return g.outputs, true
	}
	children := o.objects("children")
	if o.text("type") != "LOGICAL_PROJECTION" || len(children) != 1 {
		return nil, false
	}
	below, ok := g.through(children[0])
	if !ok {
		return nil, false
	}
	var out []*lake.Column
	for _, e := range o.objects("expressions") {
		var col *lake.Column
		if n, ok := e.index("index"); ok && n < len(below) && e.text("expression_class") == "BOUND_REF" {
			col = below[n]
		}
		out = append(out, col)
	}
	return out, true
}

func readAggregate(e object, g get) (aggregate, bool) {
	if e.text("expression_class") != "BOUND_AGGREGATE" || e.text("aggregate_type") != "NON_DISTINCT" ||
		e["filter"] != nil || len(e.object("order_bys").list("orders")) > 0 {
		return aggregate{}, false
	}
	name, children := e.text("name"), e.objects("children")
	if name == "count_star" {
		return aggregate{name: name}, len(children) == 0
	}
	if len(children) != 1 || name != "count" && name != "min" && name != "max" {
		return aggregate{}, false
	}
	if name == "count" && children[0].text("expression_class") == "BOUND_CONSTANT" {
		return aggregate{name: "count_star"}, !children[0].object("value").flag("is_null")
	}
	col := converter{columns: g.outputs}.column(children[0])
	if col == nil || col.Type.Nested() {
		return aggregate{}, false
	}
	if name != "count" {
		result, ok := duckType(e.object("return_type"))
		if !ok || result != col.Type {
			return aggregate{}, false
		}
	}
	return aggregate{name: name, column: col}, true
}

// tally is what the catalog knows of the rows that an answer is about.
type tally struct {
	files   []*lake.DataFile // wholly counted
	rows    int64            // live rows, inlined ones included
	deletes bool             // some rows of files are deleted
	inlined bool
}

// newTally decides for every file whether predicate is true on all of its rows
// or on none; ok is false if it is neither for some file, or the number of
// live rows is not known.
func newTally(r *Read, predicate expr.Predicate, t Resolved) (*tally, bool) {
	out := &tally{}
	if c, ok := predicate.(expr.Constant); ok && c.Value && !c.Null {
		predicate = nil
	}
	if predicate != nil && len(r.Inlined) > 0 {
		return nil, false
	}
	for _, in := range r.Inlined {
		if in.Rows < 0 {
			return nil, false
		}
		out.rows += in.Rows
		out.inlined = out.inlined || in.Rows > 0
	}
	pruned := Prune(t.Table, t.Files, predicate)
	if !pruned.Decided {
		return nil, false
	}
	for _, task := range pruned.Tasks {
		f := task.File
		deleted, ok := deletedRows(f, t.Snapshot)
		if !ok || task.RowGroups != nil || f.Rows < 0 || f.PartialMax > t.Snapshot {
			return nil, false
		}
		out.files = append(out.files, f)
		out.rows += f.Rows - deleted
		out.deletes = out.deletes || deleted > 0
	}
	return out, true
}

// deletedRows returns how many rows of f are deleted at snapshot; ok is false
// if that is not known. Several deletes may name the same row.
func deletedRows(f *lake.DataFile, snapshot lake.SnapshotID) (rows int64, ok bool) {
	live := 0
	for i := range f.Deletes {
		d := &f.Deletes[i]
		if d.Begin > snapshot || d.End != 0 && d.End <= snapshot {
			continue
		}
		live++
		rows = d.Count
		if d.PartialMax > snapshot {
			rows = lake.Unknown // some of its rows are deleted later
		}
	}
	return rows, live == 0 || live == 1 && rows >= 0 && rows <= f.Rows
}

func (t *tally) value(a aggregate) (*lake.Value, bool) {
	switch a.name {
	case "count_star":
		return &lake.Value{Int: t.rows}, true
	case "count":
		return t.count(a.column)
	}
	return t.bound(a)
}

// count returns the number of values that are not NULL.
func (t *tally) count(col *lake.Column) (*lake.Value, bool) {
	if t.deletes || t.inlined {
		return nil, false
	}
	rows := t.rows
	for _, f := range t.files {
		s, ok := f.ColumnStats(col.ID)
		if !ok || s.NullCount < 0 || s.NullCount > f.Rows || s.ValueCount >= 0 && s.ValueCount != f.Rows {
			return nil, false
		}
		rows -= s.NullCount
	}
	return &lake.Value{Int: rows}, true
}

// bound returns the least or greatest value, NULL if there is none.
func (t *tally) bound(a aggregate) (*lake.Value, bool) {
	if t.deletes || t.inlined || !appendable(a.column.Type) {
		return nil, false
	}
	var best *lake.Value
	for _, f := range t.files {
		s, ok := f.ColumnStats(a.column.ID)
		if !ok || s.NullCount < 0 || s.ValueCount >= 0 && s.ValueCount != f.Rows {
			return nil, false
		}
		if s.NullCount == f.Rows {
			continue
		}
		if a.column.Type.Float() && s.NaNCount != 0 {
			return nil, false // NaN is the greatest value, and no bound holds it
		}
		value, exact := s.Min, s.MinExact
		if a.name == "max" {
			value, exact = s.Max, s.MaxExact
		}
		if value == nil || !exact || a.column.Type.Float() && value.Float == 0 { // a bound does not tell -0 from +0
			return nil, false
		}
		c := 0
		if best != nil {
			c = lake.Compare(a.column.Type, *value, *best)
		}
		if best == nil || a.name == "min" && c < 0 || a.name == "max" && c > 0 {
			best = value
		}
	}
	return best, true
}
