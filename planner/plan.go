package planner

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// Resolved is the table that a reference names, at its snapshot. Table is nil
// for a reference that is left alone.
type Resolved struct {
	Table    *lake.Table
	Snapshot lake.SnapshotID
	// Files is the table's version at Snapshot; nil if Table is.
	Files *lake.TableVersion
	// Filter is an SQL condition over the table's columns: the statement sees only
	// rows for which it is true. Empty means all.
	Filter string
}

// Request is a statement to plan.
type Request struct {
	Analysis *Analysis
	// Tables has one entry per Analysis.Tables.
	Tables []Resolved
	// NamesFunc returns the names of the result's columns as DuckDB binds them. It
	// is called at most once, and only where the plan does not name them;
	// nil if not known. With them more statements need no engine.
	NamesFunc func(context.Context) ([]string, error)
}

// Plan is how a query is run. It is not modified once made.
type Plan struct {
	Analysis *Analysis
	Reads    []Read // one per Analysis.Tables
	// Answer is set if the catalog alone answers the query. Else Native is set
	// if the scanner alone does. Else it needs the engine, over Reads.
	Answer *Answer
	Native *Native
	// Empty is set if the query has no rows whatever its tables hold.
	Empty bool
	// Note says why the statement is not pruned; empty if it is.
	Note string
	// Ordered is set if the statement says ORDER BY at its top level.
	Ordered bool
}

// Read is what is read of one table reference.
type Read struct {
	Ref      TableRef
	Table    *lake.Table // nil if the reference is left alone
	Snapshot lake.SnapshotID
	// Columns are the top-level columns that the query needs, in the order of the
	// table; nil means that this is not known, empty that it needs none.
	Columns []lake.FieldID
	// Predicate is what the reference was pruned by; nil if by nothing.
	Predicate expr.Predicate
	// Filter is the part of Predicate that can be evaluated on batches. The query's
	// answer is the same if only rows for which it is true are read.
	Filter expr.Predicate
	// RowFilter is Resolved.Filter as the statement runs it: see Filtered. Guard is
	// the predicate that is true for the same rows, nil if there is none that can
	// be evaluated on batches; it is part of Filter. A condition of the client that
	// fails on a row shows values of it, so where Guard is nil rows must pass
	// RowFilter before DuckDB sees them beside the client's conditions.
	RowFilter string
	Guard     expr.Predicate
	Pruned
	Inlined []lake.Inlined

	answered int64 // files that are not read because the catalog answers
}

// Native is a query that the scanner runs alone.
type Native struct {
	Scan  expr.Scan
	Names []string // of the result's columns, one per Scan.Projection
}

// names returns the names of the result's columns; nil if they are not known.
func (r Request) names(ctx context.Context) ([]string, error) {
	if r.NamesFunc == nil {
		return nil, nil
	}
	return r.NamesFunc(ctx)
}

// TwinName returns the name of the twin of the i-th reference of a statement. Twins
// outlive statements, so the name says which columns its table had.
func TwinName(table *lake.Table, i int) string {
	id := table.ColumnsID()
	if id.Draft != 0 {
		return fmt.Sprintf("t%d_%d_%d_%d", id.Table, id.Begin, id.Draft, i)
	}
	return fmt.Sprintf("t%d_%d_%d", id.Table, id.Begin, i)
}

// Twins returns the empty tables that stand for the references of a statement.
func Twins(tables []Resolved) []lake.Twin {
	var twins []lake.Twin
	for i, r := range tables {
		if r.Table != nil {
			twins = append(twins, lake.Twin{Name: TwinName(r.Table, i), Columns: r.Table.Columns})
		}
	}
	return twins
}

// TwinSQL returns the statement's query over its twins.
func (a *Analysis) TwinSQL(tables []Resolved) string {
	return a.RewriteQuery(func(i int, ref TableRef) string {
		if tables[i].Table == nil {
			return ""
		}
		twin := lake.QuoteIdent(TwinName(tables[i].Table, i))
		switch {
		case tables[i].Filter == "" || ref.Bare && ref.Described:
			return twin
		case ref.Bare:
			return "SELECT * FROM " + Filtered(twin, tables[i].Filter)
		}
		return Filtered(twin, tables[i].Filter)
	})
}

// Plan plans the query of a statement. Its parameters, if any, are unknown.
//
// Errors: KindInternal if Tables does not fit Analysis; KindInvalid, naming the
// table, for a row filter that is not one; those of NamesFunc and ctx.
func (p *Planner) Plan(ctx context.Context, req Request) (*Plan, error) {
	if len(req.Tables) != len(req.Analysis.Tables) {
		return nil, lake.Errorf(lake.KindInternal, "%d tables for %d references", len(req.Tables), len(req.Analysis.Tables))
	}
	plan := &Plan{Analysis: req.Analysis, Reads: make([]Read, len(req.Tables)), Ordered: req.Analysis.ordered}
	guards, err := p.filters(ctx, &req)
	if err != nil {
		return nil, err
	}
	for i, r := range req.Tables {
		plan.Reads[i] = Read{
			Ref: req.Analysis.Tables[i], Table: r.Table, Snapshot: r.Snapshot,
			Predicate: guards[i], Filter: guards[i], RowFilter: r.Filter, Guard: guards[i],
		}
		if r.Table == nil {
			continue
		}
		if r.Files == nil {
			return nil, lake.Errorf(lake.KindInternal, "no files of table %q at snapshot %d", r.Table.Name, r.Snapshot)
		}
		if !req.Analysis.Tables[i].Described {
			plan.Reads[i].Inlined = r.Files.Inlined
		}
	}
	s, err := p.shape(ctx, req, plan)
	if err != nil {
		return nil, err
	}
	if s != nil {
		plan.setReads(s)
		if err := plan.native(ctx, s, req); err != nil {
			return nil, err
		}
	}
	plan.Empty = s != nil && s.empty() && req.Analysis.Stable()
	if plan.Native == nil && !req.Analysis.Stable() {
		plan.unprune("the value of " + req.Analysis.UnstableCalls() + " may change until the statement runs")
	}
	for i := range plan.Reads {
		if !plan.Reads[i].Ref.Described {
			plan.Reads[i].prune(req.Tables[i])
		}
	}
	if plan.Native != nil {
		plan.finishNative()
	}
	if s != nil {
		if err := plan.answer(ctx, s, req); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// shape has the statement optimised. It returns nil, with a note in the plan,
// if that cannot be had.
func (p *Planner) shape(ctx context.Context, req Request, plan *Plan) (*shape, error) {
	a := req.Analysis
	twins := Twins(req.Tables)
	switch {
	case len(twins) == 0 || a.Statement.Query == nil:
		return nil, nil // nothing to plan is no error
	case !a.Exact:
		plan.Note = "the statement cannot be serialised"
		return nil, nil
	}
	tree, err := p.frontend.Optimize(ctx, a.TwinSQL(req.Tables), twins)
	var s *shape
	if err == nil {
		refs, tables := make(map[string]int), make([]*lake.Table, len(req.Tables))
		for i, r := range req.Tables {
			if tables[i] = r.Table; r.Table != nil {
				refs[TwinName(r.Table, i)] = i
			}
		}
		s, err = readShape(tree, refs, tables)
	}
	if err == nil {
		return s, nil
	}
	if ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	plan.Note = "no plan could be had: " + message
	return nil, nil // the statement is read unpruned; the engine reports what is wrong with it
}

// setReads sets the columns and predicates of the reads. A reference that is read
// twice is pruned by the OR of its predicates; one that is not read at all is
// not pruned: DuckDB found out that it does not matter.
func (p *Plan) setReads(s *shape) {
	seen := make([]int, len(p.Reads))
	predicates := make([][]expr.Predicate, len(p.Reads))
	for _, g := range s.gets {
		r := &p.Reads[g.ref]
		seen[g.ref]++
		predicates[g.ref] = append(predicates[g.ref], g.prune)
		r.Columns = append(r.Columns, g.columns...)
	}
	for i := range p.Reads {
		r := &p.Reads[i]
		if seen[i] == 0 {
			continue
		}
		r.Columns = inTableOrder(r.Table, r.Columns)
		predicate := tidy(expr.Or{Terms: predicates[i]})
		if c, ok := predicate.(expr.Constant); !ok || !c.Value || c.Null {
			r.Predicate = predicate
			r.Filter = conjoin(r.Guard, evaluable(predicate))
		}
	}
}

func inTableOrder(table *lake.Table, ids []lake.FieldID) []lake.FieldID {
	out := []lake.FieldID{}
	for i := range table.Columns {
		if slices.Contains(ids, table.Columns[i].ID) {
			out = append(out, table.Columns[i].ID)
		}
	}
	return out
}

// evaluable returns the terms of p that can be evaluated, nil if there are none.
func evaluable(p expr.Predicate) expr.Predicate {
	and, ok := p.(expr.And)
	if !ok {
		if expr.Evaluable(p) {
			return p
		}
		return nil
	}
	var terms []expr.Predicate
	for _, t := range and.Terms {
		if expr.Evaluable(t) {
			terms = append(terms, t)
		}
	}
	if len(terms) == 0 {
		return nil
	}
	return expr.Simplify(expr.And{Terms: terms})
}

// conjoin returns what is true where both are; nil is true everywhere. Terms of
// guard that filter has too are not repeated.
func conjoin(guard, filter expr.Predicate) expr.Predicate {
	switch {
	case guard == nil:
		return filter
	case filter == nil:
		return guard
	}
	terms := []expr.Predicate{guard}
	if and, ok := guard.(expr.And); ok {
		terms = slices.Clone(and.Terms)
	}
	known := []expr.Predicate{filter}
	if and, ok := filter.(expr.And); ok {
		known = and.Terms
	}
	terms = slices.DeleteFunc(terms, func(t expr.Predicate) bool {
		return slices.ContainsFunc(known, func(k expr.Predicate) bool { return reflect.DeepEqual(t, k) })
	})
	return expr.Simplify(expr.And{Terms: append(terms, filter)})
}

func (p *Plan) unprune(note string) {
	for i := range p.Reads {
		p.Reads[i].Predicate, p.Reads[i].Filter = p.Reads[i].Guard, p.Reads[i].Guard
	}
	p.Note = note
}

func (r *Read) prune(t Resolved) {
	if t.Table == nil {
		return
	}
	r.Pruned = Prune(t.Table, t.Files, r.Predicate)
}

// Scan returns the read as a scan of its columns for the engine: every row that
// the query may need.
func (r *Read) Scan() expr.Scan {
	s := expr.Scan{
		Table: r.Table, Snapshot: r.Snapshot, Projection: r.Columns, Residual: r.Filter,
		Limit: lake.Unknown, Tasks: r.Tasks, Pruning: r.Pruning,
	}
	if r.Columns == nil {
		for i := range r.Table.Columns {
			s.Projection = append(s.Projection, r.Table.Columns[i].ID)
		}
	}
	for _, t := range r.Inlined {
		s.InlinedTables = append(s.InlinedTables, t.Name)
	}
	return s
}

// Rows returns the rows of the tasks and of inlined data, before deletes and
// filters.
func (r *Read) Rows() int64 {
	var rows int64
	for i := range r.Tasks {
		rows += r.Tasks[i].Rows
	}
	for _, t := range r.Inlined {
		rows += t.Rows
	}
	return rows
}

// Bytes returns the compressed bytes of the tasks, all columns counted.
func (r *Read) Bytes() int64 {
	var bytes int64
	for i := range r.Tasks {
		bytes += r.Tasks[i].Bytes
	}
	return bytes
}
