package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// planKey identifies a planned query: its text with parameters bound, and the
// view that it reads.
type planKey struct {
	sql        string
	schema     string
	snapshot   lake.SnapshotID
	over, temp *overlay.Overlay
	session    *Session // whose temporary tables temp are; nil if there are none
	access     string   // Key of what the caller may do
}

// selectPlan is a query that is ready to run, as often as asked.
type selectPlan struct {
	// defaultSchema is where the engine resolves the names that are left to it, and
	// ownSchema those of the client's own text.
	defaultSchema, ownSchema string
	// overlaid is set if the query reads what the snapshot alone does not tell.
	overlaid bool
	// shown is what the engine shows instead of the latest schemas to the client's
	// own text; overlay is shown if the engine must show it to run the query.
	shown, overlay *engine.Overlay
	// mirrored is set if the engine tells the query, from what it shows to all, of
	// schemas and tables; they are those of schemaVersion.
	mirrored      bool
	schemaVersion int64
	analysis      *planner.Analysis
	plan          *planner.Plan
	// virtual holds, by reference, the rows of the lake's own functions and tables.
	virtual map[int]*rowset
	schema  *arrow.Schema
	// explain is set for EXPLAIN; analyze for EXPLAIN ANALYZE.
	explain, analyze bool
}

// selectPlan plans one query without parameters, or finds its plan.
func (s *Service) selectPlan(ctx context.Context, sql string, v *view) (*selectPlan, error) {
	key := planKey{sql: sql, schema: v.scope.schema(""), snapshot: v.snapshot, over: v.over, temp: v.temp, access: v.access.Key()}
	if v.temp != nil {
		key.session = v.caller.Session
	}
	var own *selectPlan // nil if another call made the plan
	p, err := s.plans.Get(ctx, key, func(ctx context.Context) (_ *selectPlan, err error) {
		own, err = s.newSelectPlan(ctx, sql, v)
		return own, err
	})
	if err != nil {
		return nil, err
	}
	stale := false
	if p.mirrored {
		latest, _, err := s.latest(ctx)
		if err != nil {
			return nil, err
		}
		stale = latest.SchemaVersion != p.schemaVersion
	}
	if stale || len(p.virtual) > 0 || p.analysis.TimeDependent() {
		s.plans.Remove(key)
		if stale || p != own { // what another call sees and when, such as its session's settings
			return s.newSelectPlan(ctx, sql, v)
		}
	}
	return p, nil
}

// planBytes estimates the memory of a plan: its text and a task or a reason for
// each file.
func planBytes(key planKey, p *selectPlan) int64 {
	const fixed, perFile = 4096, 128
	n := int64(fixed + 8*len(key.sql))
	for i := range p.plan.Reads {
		n += int64(perFile * (len(p.plan.Reads[i].Tasks) + len(p.plan.Reads[i].Skipped)))
	}
	return n
}

// mirror shows the engine the latest schemas. It returns what a statement must be
// shown in their place, nil if they are what it sees.
func (s *Service) mirror(ctx context.Context, v *view) (*engine.Overlay, error) {
	latest, _, err := s.latest(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Executor.Sync(ctx, latest); err != nil {
		return nil, err
	}
	shown := v.shown()
	if shown == nil && v.state.SchemaVersion != latest.SchemaVersion {
		shown = &engine.Overlay{State: v.state}
	}
	return shown, nil
}

func (s *Service) newSelectPlan(ctx context.Context, sql string, v *view) (*selectPlan, error) {
	if err := v.checkScope(); err != nil {
		return nil, err
	}
	analysis, rows, err := s.analyze(ctx, sql, v)
	if err != nil {
		return nil, err
	}
	if update, err := isUpdate(analysis.Statement); err != nil || update {
		if err == nil {
			err = lake.Errorf(lake.KindInvalid, "%s is not a query", analysis.Statement.Name)
		}
		return nil, err
	}
	shown, err := s.mirror(ctx, v)
	if err != nil {
		return nil, err
	}
	p := &selectPlan{
		defaultSchema: v.engineSchema(nil), ownSchema: v.scope.schema(""), shown: shown, analysis: analysis, virtual: map[int]*rowset{},
		schemaVersion: v.state.SchemaVersion,
		explain:       analysis.Statement.Kind == sqltext.KindExplain, analyze: analysis.Statement.Analyze,
	}
	tables, err := s.resolveAll(ctx, v, p, rows)
	if err != nil {
		return nil, err
	}
	if p.explain {
		if err := checkInspection(tables); err != nil {
			return nil, err
		}
	}
	p.leave(v, tables)
	if err := s.describePlan(ctx, p, tables); err != nil {
		return nil, err
	}
	return p, nil
}

// leave notes what the query reads beyond the snapshot, and what it leaves to
// the engine to resolve.
func (p *selectPlan) leave(v *view, tables []planner.Resolved) {
	p.overlaid = !v.plain() && len(p.virtual) > 0
	left := readsMirror(p.analysis) || p.analysis.Statement.Name == "SHOW"
	for i, ref := range p.analysis.Tables {
		if p.virtual[i] == nil {
			p.overlaid = p.overlaid || v.overlaid(ref, tables[i])
			left = left || tables[i].Table == nil || ref.Bare && ref.Described
		}
	}
	if left {
		p.overlay, p.mirrored = p.shown, p.shown == nil
		p.defaultSchema = v.engineSchema(p.overlay)
		p.overlaid = p.overlaid || !v.plain()
	}
}

// resolveAll finds the tables that a plan's references name. Those of the lake's
// own functions, whose rows are given, and of the catalog become virtual.
func (s *Service) resolveAll(ctx context.Context, v *view, p *selectPlan, rows map[string]*rowset) ([]planner.Resolved, error) {
	tables := make([]planner.Resolved, len(p.analysis.Tables))
	var err error
	for i, ref := range p.analysis.Tables {
		if set, ok := rows[ref.Name]; ok {
			p.virtual[i] = set
			continue
		}
		if ref.Metadata {
			if err := v.mayReadMetadata(); err != nil {
				return nil, err
			}
			if p.virtual[i], err = s.metadataRows(ctx, ref.Name); err != nil {
				return nil, err
			}
			continue
		}
		if ref.At != nil && slices.ContainsFunc(p.analysis.Parameters, func(pm planner.Parameter) bool {
			return pm.Span.Start >= ref.AtSpan.Start && pm.Span.End <= ref.AtSpan.End
		}) {
			ref.At = nil // its value is not known; the latest columns must do
		}
		if tables[i], err = s.resolve(ctx, v, ref); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// analyze reads a statement, checks the functions it calls, and replaces calls
// of the lake's own table functions by names, whose rows it returns.
func (s *Service) analyze(ctx context.Context, sql string, v *view) (*planner.Analysis, map[string]*rowset, error) {
	analysis, err := s.planner.Analyze(ctx, sql)
	if err == nil && analysis.Statement.Kind == sqltext.KindCall {
		st := analysis.Statement
		analysis, err = s.planner.Analyze(ctx, "FROM "+st.Text[st.Call.Name.Span.Start:]) // which is what a CALL returns
	}
	if err != nil {
		return nil, nil, err
	}
	if err := checkFunctions(analysis); err != nil {
		return nil, nil, err
	}
	rows := map[string]*rowset{}
	var b strings.Builder
	end := 0
	text := analysis.Statement.Text
	for i, f := range analysis.TableFunctions {
		run, ok := s.tableFunction(f.Schema, f.Name)
		if !ok {
			if !engine.AllowedTableFunction(f.Name) {
				return nil, nil, functionRefused(f)
			}
			continue
		}
		set, err := run(ctx, v, constants(f.Name, f.Args))
		if err != nil {
			return nil, nil, err
		}
		name := fmt.Sprintf("%s call %d", f.Name, i+1)
		rows[name] = set
		b.WriteString(text[end:f.Span.Start])
		b.WriteString(lake.QuoteIdent(name))
		if f.Alias == "" {
			b.WriteString(" AS " + lake.QuoteIdent(f.Name))
		}
		end = f.Span.End
	}
	if len(rows) > 0 {
		b.WriteString(text[end:])
		if analysis, err = s.planner.Analyze(ctx, b.String()); err != nil {
			return nil, nil, err
		}
	}
	analysis.Pin(v.now)
	return analysis, rows, nil
}

// checkFunctions refuses functions that reach out of the lake, and settings of
// the engine but those that tools ask for.
func checkFunctions(a *planner.Analysis) error {
	closed := func(name string) bool { return !engine.AllowedSetting(name) }
	harmless := len(a.Settings) > 0 && !slices.ContainsFunc(a.Settings, closed)
	for _, name := range a.Functions {
		if engine.DeniedFunction(name) && !(harmless && name == "current_setting") {
			return lake.Errorf(lake.KindForbidden, "function %s is closed to clients", name)
		}
	}
	return nil
}

func functionRefused(f planner.TableFunction) error {
	name := f.Name
	if f.Schema != "" {
		name = f.Schema + "." + name
	}
	if strings.EqualFold(f.Schema, CatalogName) || strings.HasPrefix(strings.ToLower(f.Name), "ducklake_") {
		return lake.Errorf(lake.KindUnsupported, "table function %s is not supported", name)
	}
	return lake.Errorf(lake.KindForbidden, "table function %s is closed to clients", name)
}

// travel moves to the snapshot that an AT clause names.
func (s *Service) travel(ctx context.Context, from *view, clause *planner.At) (*view, error) {
	typ := "BIGINT"
	if clause.Timestamp {
		typ = "TIMESTAMP WITH TIME ZONE"
	}
	value, err := s.evaluate(ctx, engine.Query{SQL: clause.Expression, Overlay: from.shownTo(clause.Expression)}, typ)
	if err != nil {
		return nil, fmt.Errorf("AT clause: %w", err)
	}
	var sel catalog.Selector
	switch v := value.(type) {
	case *array.Int64:
		id := lake.SnapshotID(v.Value(0))
		sel.ID = &id
	case *array.Timestamp:
		t := v.Value(0).ToTime(arrow.Microsecond)
		sel.Time = &t
	}
	past, err := s.atVersion(ctx, from, sel)
	if err != nil {
		return nil, fmt.Errorf("AT clause: %w", err)
	}
	return past, nil
}

// evaluate returns the value of a constant SQL expression as an array of one
// row, not NULL, on Go's heap.
func (s *Service) evaluate(ctx context.Context, q engine.Query, typ string) (arrow.Array, error) {
	expression := q.SQL
	q.SQL, q.Rewritten = "SELECT CAST(("+expression+") AS "+typ+")", true
	reader, err := s.Executor.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	if !reader.Next() {
		return nil, lake.Wrap(lake.KindInvalid, "evaluate "+expression, reader.Err())
	}
	value := reader.RecordBatch().Column(0)
	if value.IsNull(0) {
		return nil, lake.Errorf(lake.KindInvalid, "%s is NULL", expression)
	}
	return array.MakeFromData(value.Data()), nil
}

// describePlan plans the query and finds the schema of its result.
func (s *Service) describePlan(ctx context.Context, p *selectPlan, tables []planner.Resolved) error {
	var bound *arrow.Schema
	bind := func(ctx context.Context) (err error) {
		if bound == nil {
			bound, err = s.bindResult(ctx, p, tables)
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
			return fieldNames(bound), nil
		},
	})
	if err != nil {
		return err
	}
	switch {
	case p.plan.Answer != nil && !p.explain:
		p.schema = lake.ArrowSchema(p.plan.Answer.Columns)
		return nil
	case p.native() && !p.explain:
		p.schema = nativeSchema(p.plan.Native)
		return nil
	}
	if err := bind(ctx); err != nil {
		return err
	}
	p.schema = bound
	if p.explain {
		p.schema = lake.ArrowSchema(explainColumns())
	}
	return nil
}

// native reports whether the scanner alone runs the query. Rows that the
// catalog holds inlined go through the engine.
func (p *selectPlan) native() bool {
	return p.plan.Native != nil && len(p.plan.Native.Scan.InlinedTables) == 0
}

// nativeSchema is the schema of a native scan: the table's columns under the
// names of the result.
func nativeSchema(n *planner.Native) *arrow.Schema {
	fields := make([]arrow.Field, len(n.Names))
	for i, id := range n.Scan.Projection {
		c, _ := n.Scan.Table.Field(id)
		fields[i] = c.ArrowField()
		fields[i].Name = n.Names[i]
	}
	return arrow.NewSchema(fields, nil)
}

// rows returns the exact number of rows of the result, if the catalog tells.
func (p *selectPlan) rows() int64 {
	switch {
	case p.explain:
		return lake.Unknown
	case p.plan.Answer != nil:
		return 1
	case slices.ContainsFunc(p.plan.Reads, func(r planner.Read) bool { return r.RowFilter != "" }):
		return lake.Unknown // that nothing is hidden in the files is not told either
	case p.plan.Empty:
		return 0
	case !p.native() || p.plan.Native.Scan.Residual != nil:
		return lake.Unknown
	}
	scan := &p.plan.Native.Scan
	var rows int64
	for i := range scan.Tasks {
		if len(scan.Tasks[i].File.Deletes) > 0 || scan.Tasks[i].File.PartialMax != 0 {
			return lake.Unknown
		}
		rows += scan.Tasks[i].Rows
	}
	rows = max(0, rows-scan.Offset)
	if scan.Limit != lake.Unknown {
		rows = min(rows, scan.Limit)
	}
	return rows
}
