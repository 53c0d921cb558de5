package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// plansBytesDefault is the default of Options.PlansBytesMax.
const plansBytesDefault = 16 << 20

// Planner makes plans of queries and keeps them. Safe for concurrent use.
type Planner struct {
	views     *view.Views
	catalog   Catalog
	executor  *engine.Executor
	planner   *planner.Planner
	plans     *cache.Cache[planKey, *Plan]
	functions Functions
	runner    *Runner
	evaluator Evaluator
}

func newPlanner(c Components, r *Runner, o Options) *Planner {
	return &Planner{
		views: c.Views, catalog: c.Catalog, executor: c.Executor, planner: planner.New(c.Frontend), runner: r, evaluator: r.evaluator,
		plans: cache.New(cmp.Or(o.PlansBytesMax, plansBytesDefault), planBytes),
	}
}

// SetFunctions gives the planner the lake's functions, before its first query.
func (s *Planner) SetFunctions(f Functions) { s.functions = f }

// Stats returns the counters of the plans that are kept.
func (s *Planner) Stats() cache.Stats { return s.plans.Stats() }

// Forget drops the plans over temporary tables of a session.
func (s *Planner) Forget(x *session.Session) {
	s.plans.RemoveFunc(func(k planKey) bool { return k.session == x })
}

// Statement binds the parameters of a query and plans it.
//
// Errors: those of Processor.Plan.
func (s *Planner) Statement(ctx context.Context, run *workload.Statement, st statement.Statement, v *view.View) (*Plan, error) {
	parsed, err := st.Classify()
	if err != nil {
		return nil, err
	}
	bound, err := Bind(parsed, st.Params)
	if err != nil {
		return nil, err
	}
	if len(bound) != 1 {
		return nil, lake.Errorf(lake.KindInvalid, "a query runs with one row of parameters and got %d", len(bound))
	}
	if st.Params == nil {
		return s.Select(ctx, run, parsed, v)
	}
	if !hasText(st.Params) {
		p, err := s.SelectText(ctx, run, bound[0], v)
		if err == nil || lake.KindOf(err) != lake.KindInvalid {
			return p, err
		}
	}
	converted, err := s.converted(ctx, run, parsed, st.Params, v)
	if err != nil {
		return nil, err
	}
	if converted == "" {
		converted = bound[0] // what is wrong is said of the text with its values
	}
	return s.SelectText(ctx, run, converted, v)
}

// SelectText is Select for a text.
//
// Errors: those of Select; KindInvalid for a text that is not one statement.
func (s *Planner) SelectText(ctx context.Context, run *workload.Statement, sql string, v *view.View) (*Plan, error) {
	st, err := sqltext.Classify(sql)
	if err != nil {
		return nil, err
	}
	return s.Select(ctx, run, st, v)
}

// Select plans one query without parameters, or finds its plan.
//
// Errors: those of Processor.Plan; KindInvalid for a statement that is no query.
func (s *Planner) Select(ctx context.Context, run *workload.Statement, st *sqltext.Statement, v *view.View) (*Plan, error) {
	if s.mayWatch(st) {
		return s.plan(ctx, run, st, v) // which nobody may wait for
	}
	// Callers that share a plan all have their turns: none waits for one that waits.
	if err := run.Await(ctx); err != nil {
		return nil, err
	}
	key := planKey{sql: st.Text, schema: v.Schema(), snapshot: v.Snapshot, over: v.Over, temp: v.Temporary, access: v.Access.Key()}
	if v.Temporary != nil {
		key.session = v.Caller.Session
	}
	var own *Plan // nil if another call made the plan
	p, err := s.plans.Get(ctx, key, func(ctx context.Context) (_ *Plan, err error) {
		own, err = s.plan(ctx, run, st, v)
		return own, err
	})
	if err != nil {
		return nil, err
	}
	for i := range p.plan.Reads {
		if r := &p.plan.Reads[i]; r.Table != nil {
			run.Pin(r.Snapshot) // another call may have made the plan
		}
	}
	stale := false
	if p.mirrored {
		latest, _, err := s.views.Latest(ctx)
		if err != nil {
			return nil, err
		}
		stale = latest.SchemaVersion != p.schemaVersion
	}
	if stale || len(p.virtual) > 0 || p.analysis.TimeDependent() {
		s.plans.Remove(key)
		if stale || p != own { // what another call sees and when, such as its session's settings
			return s.plan(ctx, run, st, v)
		}
	}
	return p, nil
}

func (s *Planner) plan(ctx context.Context, run *workload.Statement, st *sqltext.Statement, v *view.View) (*Plan, error) {
	if err := v.CheckScope(); err != nil {
		return nil, err
	}
	analysis, calls, err := s.analyze(ctx, run, st, v)
	if err != nil {
		return nil, err
	}
	if !IsQuery(analysis.Statement) {
		return nil, lake.Errorf(lake.KindInvalid, "%s is not a query", analysis.Statement.Name)
	}
	p := &Plan{
		defaultSchema: EngineSchema(v, nil), ownSchema: v.Schema(), analysis: analysis, virtual: map[int]*Rowset{},
		schemaVersion: v.State.SchemaVersion, watches: calls.watch(analysis),
		explain: analysis.Statement.Kind == sqltext.KindExplain, analyze: analysis.Statement.Analyze,
	}
	if !p.watches {
		if err := run.Await(ctx); err != nil {
			return nil, err
		}
	}
	if p.shown, err = s.mirror(ctx, v); err != nil {
		return nil, err
	}
	tables, err := s.resolveAll(ctx, run, v, p, calls.rows)
	if err != nil {
		return nil, err
	}
	if p.explain {
		if err := checkInspection(tables); err != nil {
			return nil, err
		}
	}
	p.note(v, tables)
	if err := s.describePlan(ctx, run, p, tables); err != nil {
		return nil, err
	}
	return p, nil
}

// IsQuery reports whether a statement returns rows.
func IsQuery(st *sqltext.Statement) bool {
	return st.Kind == sqltext.KindQuery || st.Kind == sqltext.KindExplain || st.Kind == sqltext.KindCall
}

// mirror shows the engine the latest schemas. It returns what a statement must be
// shown in their place, nil if they are what it sees.
func (s *Planner) mirror(ctx context.Context, v *view.View) (*engine.Overlay, error) {
	latest, _, err := s.views.Latest(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.executor.Sync(ctx, latest); err != nil {
		return nil, err
	}
	show := shown(v)
	if show == nil && v.State.SchemaVersion != latest.SchemaVersion {
		show = &engine.Overlay{State: v.State}
	}
	return show, nil
}

// shown is what the engine must show to a query that asks it for schemas and
// tables; nil if what it shows to all will do.
func shown(v *view.View) *engine.Overlay {
	if v.Plain() && v.Access.SeesAll() {
		return nil
	}
	return &engine.Overlay{State: v.State, Temporary: v.TemporaryTables()}
}

// EngineSchema is the default schema for the names that are left to the engine,
// which knows the schemas that a transaction made only if it is shown them.
func EngineSchema(v *view.View, show *engine.Overlay) string {
	name := v.Schema()
	if v.Over != nil && show == nil {
		if _, ok := v.Base.Schema(name); !ok {
			return lake.DefaultSchema
		}
	}
	return name
}

// note notes what the query reads beyond the snapshot, and what it leaves to
// the engine to resolve.
func (p *Plan) note(v *view.View, tables []planner.Resolved) {
	p.overlaid = !v.Plain() && len(p.virtual) > 0
	left := readsMirror(p.analysis) || p.analysis.Lists
	for i, ref := range p.analysis.Tables {
		if p.virtual[i] == nil {
			p.overlaid = p.overlaid || v.Overlaid(ref, tables[i])
			left = left || tables[i].Table == nil || ref.Bare && ref.Described
		}
	}
	if left {
		p.overlay, p.mirrored = p.shown, p.shown == nil
		p.defaultSchema = EngineSchema(v, p.overlay)
		p.overlaid = p.overlaid || !v.Plain()
	}
}

// resolveAll finds the tables that a plan's references name. Those of the lake's
// own functions, whose rows are given, and of the catalog become virtual.
func (s *Planner) resolveAll(ctx context.Context, run *workload.Statement, v *view.View, p *Plan, rows map[string]*Rowset) ([]planner.Resolved, error) {
	tables := make([]planner.Resolved, len(p.analysis.Tables))
	var err error
	for i, ref := range p.analysis.Tables {
		if set, ok := rows[ref.Name]; ok {
			p.virtual[i] = set
			continue
		}
		if ref.Metadata {
			if err := v.MayReadMetadata(); err != nil {
				return nil, err
			}
			if p.virtual[i], err = s.metadata(ctx, ref.Name); err != nil {
				return nil, err
			}
			continue
		}
		if ref.At != nil && slices.ContainsFunc(p.analysis.Parameters, func(pm planner.Parameter) bool {
			return pm.Span.Start >= ref.AtSpan.Start && pm.Span.End <= ref.AtSpan.End
		}) {
			ref.At = nil // its value is not known; the latest columns must do
		}
		if err := checkAt(p.analysis, ref); err != nil {
			return nil, err
		}
		if tables[i], err = s.resolve(ctx, run, v, ref); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// checkAt refuses an AT clause that reads a table: what the clause says is computed
// before the statement's tables are read.
//
// Errors: KindUnsupported.
func checkAt(a *planner.Analysis, ref planner.TableRef) error {
	if ref.At == nil {
		return nil
	}
	for _, in := range a.Tables {
		if in.Span.Start >= ref.AtSpan.Start && in.Span.End <= ref.AtSpan.End && !in.System && !in.Described {
			return lake.Errorf(lake.KindUnsupported, "AT clause of %s: reading %s there is not supported; write the number or the time itself", ref, in)
		}
	}
	return nil
}

// CheckDefinition refuses the text of a CREATE TABLE in which a closed function is called,
// before the engine binds its defaults: it shows no syntax tree of such a statement.
//
// Errors: KindForbidden; KindInvalid for text that has no tokens.
func (s *Planner) CheckDefinition(sql string) error {
	tokens, err := sqltext.Lex(sql)
	if err != nil {
		return err
	}
	for c := (sqltext.Cursor{Text: sql, Tokens: tokens}); !c.End(); c.Pos++ {
		t, _ := c.Peek(0)
		if t.Kind != sqltext.TokenWord && t.Kind != sqltext.TokenQuoted || !c.IsOp(1, "(") {
			continue
		}
		if name := sqltext.IdentName(c.Of(t)); s.executor.ClosedFunction(name) && !engine.AllowedTableFunction(name) {
			return lake.Errorf(lake.KindForbidden, "function %s is closed to clients", name)
		}
	}
	return nil
}

// CheckDefaults refuses columns whose default expressions call what clients may not call, or
// would build more than a statement may: another program may have written them.
//
// Errors: those of Processor.Plan.
func (s *Planner) CheckDefaults(ctx context.Context, columns []lake.Column) error {
	for i := range columns {
		c := &columns[i]
		if c.Default == nil || !c.DefaultIsExpression {
			continue
		}
		analysis, err := s.planner.Analyze(ctx, "SELECT (\n"+*c.Default+"\n)")
		if err == nil {
			err = s.checkFunctions(analysis)
		}
		if err == nil && (len(analysis.Tables) > 0 || len(analysis.TableFunctions) > 0) {
			err = lake.Errorf(lake.KindInvalid, "it reads tables")
		}
		if err != nil {
			return fmt.Errorf("default of column %q: %w", c.Name, err)
		}
	}
	return nil
}

// Embedded plans the query inside a statement, without looking at its filters.
//
// Errors: those of Processor.Plan.
func (s *Planner) Embedded(ctx context.Context, run *workload.Statement, v *view.View, st *sqltext.Statement) (*Plan, error) {
	analysis, err := s.planner.AnalyzeStatement(ctx, st)
	if err != nil {
		return nil, err
	}
	if err := s.checkFunctions(analysis); err != nil {
		return nil, err
	}
	for _, f := range analysis.TableFunctions {
		if !engine.AllowedTableFunction(f.Name) {
			return nil, functionRefused(f)
		}
	}
	tables := make([]planner.Resolved, len(analysis.Tables))
	for i, ref := range analysis.Tables {
		if err := checkAt(analysis, ref); err != nil {
			return nil, err
		}
		if tables[i], err = s.resolve(ctx, run, v, ref); err != nil {
			return nil, err
		}
	}
	plan, err := s.planner.Plan(ctx, planner.Request{Analysis: analysis, Tables: tables})
	if err != nil {
		return nil, err
	}
	p := &Plan{defaultSchema: EngineSchema(v, nil), shown: shown(v), analysis: analysis, plan: plan}
	p.note(v, tables)
	return p, nil
}

// describePlan plans the query and finds the schema of its result.
func (s *Planner) describePlan(ctx context.Context, run *workload.Statement, p *Plan, tables []planner.Resolved) error {
	var bound *arrow.Schema
	bind := func(ctx context.Context) (err error) {
		if bound == nil {
			bound, err = s.bindResult(ctx, run, p, tables)
		}
		return err
	}
	var err error
	p.plan, err = s.planner.Plan(ctx, planner.Request{
		Analysis: p.analysis, Tables: tables,
		NamesFunc: func(ctx context.Context) ([]string, error) {
			if err := bind(ctx); err != nil {
				return nil, err
			}
			return FieldNames(bound), nil
		},
	})
	if err != nil {
		return err
	}
	switch {
	case p.plan.Answer != nil && !p.explain:
		p.Schema = lake.ArrowSchema(p.plan.Answer.Columns)
		return nil
	case p.native() && !p.explain:
		p.Schema = nativeSchema(p.plan.Native)
		return nil
	}
	if err := bind(ctx); err != nil {
		return err
	}
	p.Schema = bound
	if p.explain {
		p.Schema = lake.ArrowSchema(explainColumns())
	}
	return nil
}

// Columns returns the columns of a table that holds the rows of a query, each once and
// nullable, as CREATE TABLE AS makes them, without field ids.
//
// Errors: KindInvalid, KindUnsupported for names and types that a table cannot have.
func (s *Planner) Columns(ctx context.Context, run *workload.Statement, p *Plan) ([]lake.Column, error) {
	if p.native() && !p.explain {
		scan := &p.plan.Native.Scan
		columns := make([]lake.Column, len(scan.Projection))
		for i, id := range scan.Projection {
			c, _ := scan.Table.Field(id)
			columns[i] = lake.Column{Name: p.plan.Native.Names[i], Type: c.Type, Children: c.Children}
		}
		return asNew(columns)
	}
	if p.explain || p.plan.Answer != nil {
		columns, err := lake.ColumnsFromArrow(p.Schema)
		if err != nil {
			return nil, err
		}
		return asNew(columns)
	}
	sql, release := s.runner.Bind(ctx, run, p)
	defer release()
	columns, err := s.executor.ColumnsOfQuery(ctx, engine.Query{SQL: sql, Schema: p.defaultSchema, Overlay: p.overlay})
	if err != nil {
		return nil, err
	}
	for i := range columns {
		columns[i].Name = p.Schema.Field(i).Name
	}
	return asNew(columns)
}

// asNew makes all columns and fields nullable and checks their names.
func asNew(columns []lake.Column) ([]lake.Column, error) {
	for i := range columns {
		columns[i].Walk(func(c *lake.Column) {
			c.Nullable = c.Name != lake.KeyName || columns[i].Type.ID != lake.TypeMap
		})
	}
	return columns, lake.CheckNames(columns)
}
