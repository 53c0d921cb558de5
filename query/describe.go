package query

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
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// Describe returns what a query returns, without running it. A parameter whose type
// cannot be inferred has the type null.
//
// Errors: those of Processor.Plan.
func (s *Planner) Describe(ctx context.Context, run *workload.Statement, st statement.Statement, v *view.View) (statement.Description, error) {
	parsed, err := st.Classify()
	if err != nil {
		return statement.Description{}, err
	}
	if len(ParametersOf(parsed).Names) > 0 {
		return s.describeOpen(ctx, run, v, parsed)
	}
	p, err := s.Select(ctx, run, parsed, v)
	if err != nil {
		return statement.Description{}, err
	}
	return statement.Description{Result: p.Schema, Params: arrow.NewSchema(nil, nil)}, nil
}

// bindResult returns the schema of a query's rows. That of a PIVOT which takes
// its columns from the rows is found over the rows themselves.
func (s *Planner) bindResult(ctx context.Context, run *workload.Statement, p *Plan, tables []planner.Resolved) (*arrow.Schema, error) {
	var sql string
	var release func()
	if !p.analysis.Exact && p.plan != nil {
		sql, release = s.runner.Bind(ctx, run, p)
	} else {
		sql, release = s.bindEmpty(ctx, p, tables)
	}
	defer release()
	d, err := s.bindQuery(ctx, p, sql)
	if err != nil {
		return nil, err
	}
	return s.ownNames(ctx, p, d.Result), nil
}

// bindQuery binds a query over stand-ins of its tables. What is wrong with it is
// said of the client's own text where the engine's mirror of the lake can bind it.
func (s *Planner) bindQuery(ctx context.Context, p *Plan, sql string) (*engine.Description, error) {
	description, err := s.executor.Describe(ctx, engine.Query{SQL: sql, Schema: p.defaultSchema, Overlay: p.overlay})
	if err == nil || ctx.Err() != nil || len(p.virtual) > 0 {
		return description, err
	}
	if _, ownErr := s.executor.Describe(ctx, p.ownQuery()); ownErr != nil {
		return nil, ownErr
	}
	return nil, err
}

// ownQuery is the client's own text over what the engine shows of the lake.
func (p *Plan) ownQuery() engine.Query {
	return engine.Query{SQL: p.ownText(), Schema: p.ownSchema, Overlay: p.shown}
}

// ownText returns the query as the client wrote it, without AT clauses, which
// the engine's mirror does not know.
func (p *Plan) ownText() string {
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
func (s *Planner) ownNames(ctx context.Context, p *Plan, result *arrow.Schema) *arrow.Schema {
	foreign := func(name string) bool { return strings.Contains(name, engine.ScanFunction+"(") }
	if result == nil || !slices.ContainsFunc(FieldNames(result), foreign) {
		return result
	}
	own, err := s.executor.Describe(ctx, p.ownQuery())
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
func (s *Planner) bindEmpty(ctx context.Context, p *Plan, tables []planner.Resolved) (string, func()) {
	sources := &registered{executor: s.executor}
	sql := p.analysis.RewriteQuery(func(i int, tr planner.TableRef) string {
		var columns []lake.Column
		switch set := p.virtual[i]; {
		case set != nil:
			columns = set.Columns
		case tables[i].Table != nil:
			columns = tables[i].Table.Columns
		default:
			return ""
		}
		register := func() string { return sources.add(ctx, emptySource{columns: columns}) }
		if tr.Bare {
			return bare(tr, register)
		}
		return register()
	})
	return sql, sources.release
}

// bare returns what stands for a table in DESCRIBE t, which the engine's mirror
// of the lake answers best, and in SUMMARIZE t, which reads its rows.
func bare(ref planner.TableRef, register func() string) string {
	if ref.At == nil && ref.Described {
		return ""
	}
	return "SELECT * FROM " + register()
}

// describeOpen describes a query whose parameters have no values yet.
func (s *Planner) describeOpen(ctx context.Context, run *workload.Statement, v *view.View, st *sqltext.Statement) (statement.Description, error) {
	if err := v.CheckScope(); err != nil {
		return statement.Description{}, err
	}
	analysis, calls, err := s.analyze(ctx, run, st, v)
	if err != nil {
		return statement.Description{}, err
	}
	if err := run.Await(ctx); err != nil {
		return statement.Description{}, err
	}
	show, err := s.mirror(ctx, v)
	if err != nil {
		return statement.Description{}, err
	}
	p := &Plan{analysis: analysis, defaultSchema: EngineSchema(v, nil), ownSchema: v.Schema(), shown: show, virtual: map[int]*Rowset{}}
	tables, err := s.resolveAll(ctx, run, v, p, calls.rows)
	if err != nil {
		return statement.Description{}, err
	}
	p.note(v, tables)
	bound, release := s.bindEmpty(ctx, p, tables)
	defer release()
	d, err := s.bindQuery(ctx, p, bound)
	if err != nil {
		return statement.Description{}, err
	}
	return statement.Description{Result: s.ownNames(ctx, p, d.Result), Params: paramsSchema(analysis.Statement, d.Params)}, nil
}

// paramsSchema returns the parameters of a statement, with the types that the
// engine found out; it has not seen those of AT clauses.
func paramsSchema(st *sqltext.Statement, found []arrow.Field) *arrow.Schema {
	names := ParametersOf(st).Names
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
