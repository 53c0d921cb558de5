package session

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// bindResult returns the schema of a query's rows. That of a PIVOT which takes
// its columns from the rows is found over the rows themselves.
func (s *Service) bindResult(ctx context.Context, p *selectPlan, tables []planner.Resolved) (*arrow.Schema, error) {
	bindFunc := func() (string, func()) { return s.bindEmpty(ctx, p, tables) }
	if !p.analysis.Exact && p.plan != nil {
		bindFunc = func() (string, func()) { return s.bindPlan(ctx, p) }
	}
	sql, release := bindFunc()
	defer release()
	d, err := s.bindQuery(ctx, p, sql)
	if err != nil {
		return nil, err
	}
	return s.ownNames(ctx, p, d.Result), nil
}

// bindQuery binds a query over stand-ins of its tables. What is wrong with it is
// said of the client's own text where the engine's mirror of the lake can bind it.
func (s *Service) bindQuery(ctx context.Context, p *selectPlan, sql string) (*engine.Description, error) {
	description, err := s.Executor.Describe(ctx, engine.Query{SQL: sql, Schema: p.defaultSchema, Overlay: p.overlay})
	if err == nil || ctx.Err() != nil || len(p.virtual) > 0 {
		return description, err
	}
	if _, ownErr := s.Executor.Describe(ctx, p.ownQuery()); ownErr != nil {
		return nil, ownErr
	}
	return nil, err
}

// ownQuery is the client's own text over what the engine shows of the lake.
func (p *selectPlan) ownQuery() engine.Query {
	return engine.Query{SQL: p.ownText(), Schema: p.ownSchema, Overlay: p.shown}
}

// ownText returns the query as the client wrote it, without AT clauses, which
// the engine's mirror does not know.
func (p *selectPlan) ownText() string {
	return p.analysis.RewriteQuery(func(_ int, ref planner.TableRef) string {
		if ref.At == nil {
			return ""
		}
		name := lake.QuoteIdent(ref.Name)
		if ref.Schema != "" {
			name = lake.QuoteIdent(ref.Schema) + "." + name
		}
		return name
	})
}

// ownNames gives columns that DuckDB named after the text of a subquery the
// names that the client's own text gives them, if the mirror can bind it.
func (s *Service) ownNames(ctx context.Context, p *selectPlan, result *arrow.Schema) *arrow.Schema {
	foreign := func(name string) bool { return strings.Contains(name, engine.ScanFunction+"(") }
	if result == nil || !slices.ContainsFunc(fieldNames(result), foreign) {
		return result
	}
	own, err := s.Executor.Describe(ctx, p.ownQuery())
	fields := slices.Clone(result.Fields())
	for i := range fields {
		switch {
		case !foreign(fields[i].Name):
		case err == nil && own.Result != nil && own.Result.NumFields() == len(fields):
			fields[i].Name = own.Result.Field(i).Name
		default:
			fields[i].Name = "column" + strconv.Itoa(i+1)
		}
	}
	return arrow.NewSchema(fields, nil)
}

// bindEmpty returns the query over empty stand-ins of its tables, for binding.
func (s *Service) bindEmpty(ctx context.Context, p *selectPlan, tables []planner.Resolved) (string, func()) {
	sources := &registered{executor: s.Executor}
	sql := p.analysis.RewriteQuery(func(i int, tr planner.TableRef) string {
		var columns []lake.Column
		switch set := p.virtual[i]; {
		case set != nil:
			columns = set.columns
		case tables[i].Table != nil:
			columns = tables[i].Table.Columns
		default:
			return ""
		}
		register := func() string { return sources.add(ctx, emptySource{columns: columns}) }
		if tr.Bare {
			return s.bare(tr, register)
		}
		return register()
	})
	return sql, sources.release
}

// bare returns what stands for a table in DESCRIBE t, which the engine's mirror
// of the lake answers best, and in SUMMARIZE t, which reads its rows.
func (s *Service) bare(ref planner.TableRef, register func() string) string {
	if ref.At == nil && ref.Described {
		return ""
	}
	return "SELECT * FROM " + register()
}

// Describe tells what a statement is and returns, without running it. A
// parameter whose type cannot be inferred has the type null.
//
// Errors: those of Plan; KindUnsupported for a statement that is not run.
func (s *Service) Describe(ctx context.Context, st Statement) (Description, error) {
	statement, err := sqltext.Classify(st.SQL)
	if err != nil {
		return Description{}, err
	}
	update, err := isUpdate(statement)
	if err != nil {
		return Description{}, err
	}
	names, _ := parameterPlaces(statement)
	if update && len(names) == 0 { // its text tells all, also of ROLLBACK in a transaction that is of no use any more
		return Description{Update: true, Params: arrow.NewSchema(nil, nil)}, nil
	}
	v, done, err := s.enter(ctx, st.Caller, st.Scope, entry{})
	if err != nil {
		return Description{}, err
	}
	defer done()
	if update {
		params, err := updateParams(v, statement, names)
		return Description{Update: true, Params: params}, err
	}
	if len(names) == 0 {
		p, err := s.selectPlan(ctx, st.SQL, v)
		if err != nil {
			return Description{}, err
		}
		return Description{Result: p.schema, Params: arrow.NewSchema(nil, nil)}, nil
	}
	return s.describeOpen(ctx, v, st.SQL)
}

// describeOpen describes a query whose parameters have no values yet.
func (s *Service) describeOpen(ctx context.Context, v *view, sql string) (Description, error) {
	if err := v.checkScope(); err != nil {
		return Description{}, err
	}
	analysis, rows, err := s.analyze(ctx, sql, v)
	if err != nil {
		return Description{}, err
	}
	shown, err := s.mirror(ctx, v)
	if err != nil {
		return Description{}, err
	}
	p := &selectPlan{analysis: analysis, defaultSchema: v.engineSchema(nil), ownSchema: v.scope.schema(""), shown: shown, virtual: map[int]*rowset{}}
	tables, err := s.resolveAll(ctx, v, p, rows)
	if err != nil {
		return Description{}, err
	}
	p.leave(v, tables)
	bound, release := s.bindEmpty(ctx, p, tables)
	defer release()
	d, err := s.bindQuery(ctx, p, bound)
	if err != nil {
		return Description{}, err
	}
	return Description{Result: s.ownNames(ctx, p, d.Result), Params: paramsSchema(analysis.Statement, d.Params)}, nil
}

// paramsSchema returns the parameters of a statement, with the types that the
// engine found out; it has not seen those of AT clauses.
func paramsSchema(st *sqltext.Statement, found []arrow.Field) *arrow.Schema {
	names, _ := parameterPlaces(st)
	fields := make([]arrow.Field, len(names))
	for i, name := range names {
		fields[i] = arrow.Field{Name: name, Type: arrow.Null, Nullable: true}
		for _, f := range found {
			if f.Name == name {
				fields[i] = f
			}
		}
	}
	return arrow.NewSchema(fields, nil)
}

// updateParams returns the parameters of an update; those of INSERT ... VALUES
// have the types of their columns.
func updateParams(v *view, st *sqltext.Statement, names []string) (*arrow.Schema, error) {
	fields := make([]arrow.Field, len(names))
	for i, name := range names {
		fields[i] = arrow.Field{Name: name, Type: arrow.Null, Nullable: true}
	}
	if len(names) == 0 || st.Kind != sqltext.KindInsert {
		return arrow.NewSchema(fields, nil), nil
	}
	columns, err := insertColumns(v, st)
	if err != nil {
		return nil, err
	}
	positions := valuesPositions(st)
	for i, name := range names {
		if position, ok := positions[name]; ok && position < len(columns) {
			fields[i].Type = columns[position].ArrowType()
			fields[i].Name = strconv.Itoa(i + 1)
		}
	}
	return arrow.NewSchema(fields, nil), nil
}
