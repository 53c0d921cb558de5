package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// calls are the calls of the lake's table functions in a query.
type calls struct {
	rows    map[string]*Rowset // by the name that stands in the place of the call
	watches bool               // all of them do
}

// analyze reads a statement, checks the functions it calls, and replaces calls
// of the lake's own table functions by names.
func (s *Planner) analyze(ctx context.Context, run *workload.Statement, st *sqltext.Statement, v *view.View) (*planner.Analysis, *calls, error) {
	var analysis *planner.Analysis
	var err error
	if st.Kind == sqltext.KindCall {
		analysis, err = s.planner.Analyze(ctx, "FROM "+st.Text[st.Call.Name.Span.Start:]) // which is what a CALL returns
	} else {
		analysis, err = s.planner.AnalyzeStatement(ctx, st)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := s.checkFunctions(analysis); err != nil {
		return nil, nil, err
	}
	found := &calls{rows: map[string]*Rowset{}, watches: true}
	var b strings.Builder
	end := 0
	text := analysis.Statement.Text
	for i, f := range analysis.TableFunctions {
		function, ok := s.functions.Function(f.Schema, f.Name)
		if !ok {
			if !engine.AllowedTableFunction(f.Name) {
				return nil, nil, functionRefused(f)
			}
			continue
		}
		set, err := function.CallFunc(ctx, Call{Name: f.Name, Args: f.Args, View: v, Run: run})
		if err != nil {
			return nil, nil, err
		}
		name := fmt.Sprintf("%s call %d", f.Name, i+1)
		found.rows[name] = set
		found.watches = found.watches && function.Watches
		b.WriteString(text[end:f.Span.Start])
		b.WriteString(lake.QuoteIdent(name))
		if f.Alias == "" {
			b.WriteString(" AS " + lake.QuoteIdent(f.Name))
		}
		end = f.Span.End
	}
	if len(found.rows) > 0 {
		b.WriteString(text[end:])
		if analysis, err = s.planner.Analyze(ctx, b.String()); err != nil {
			return nil, nil, err
		}
	}
	analysis.Pin(v.Now)
	return analysis, found, nil
}

// mayWatch reports whether a statement names a function that watches.
func (s *Planner) mayWatch(st *sqltext.Statement) bool {
	return slices.ContainsFunc(st.Tokens, func(t sqltext.Token) bool {
		if t.Kind != sqltext.TokenWord && t.Kind != sqltext.TokenQuoted {
			return false
		}
		name := sqltext.IdentName(st.Text[t.Start:t.End])
		long, _ := s.functions.Function("", name)
		short, _ := s.functions.Function(lake.CatalogName, name)
		return long.Watches || short.Watches
	})
}

// watch reports whether a query reads one function that watches, and does no work to
// speak of with its rows: one look at why others wait must not wait itself. Whatever may
// multiply rows or run for long, another source, a subquery, WITH or a function, does wait.
func (c *calls) watch(a *planner.Analysis) bool {
	if len(c.rows) != 1 || !c.watches || !a.Exact || len(a.Tables) != 1 || len(a.TableFunctions) > 0 {
		return false
	}
	selects := 0
	for _, t := range a.Statement.Tokens {
		switch strings.ToUpper(a.Statement.Text[t.Start:t.End]) {
		case "SELECT":
			selects++
		case "WITH", "UNION", "EXCEPT", "INTERSECT", "VALUES", "PIVOT", "UNPIVOT", "EXPLAIN":
			return false
		}
	}
	cheap := func(name string) bool {
		switch name {
		case "count", "count_star", "min", "max", "sum", "avg", "lower", "upper", "coalesce":
			return true
		}
		return false
	}
	return selects <= 1 && !slices.ContainsFunc(a.Functions, func(name string) bool { return !cheap(name) })
}

// checkFunctions refuses functions that reach out of the lake, and settings of
// the engine but those that tools ask for.
func (s *Planner) checkFunctions(a *planner.Analysis) error {
	closed := func(name string) bool { return !engine.AllowedSetting(name) }
	harmless := len(a.Settings) > 0 && !slices.ContainsFunc(a.Settings, closed)
	for _, name := range a.Functions {
		if s.executor.ClosedFunction(name) && !(harmless && name == "current_setting") {
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
	if strings.EqualFold(f.Schema, lake.CatalogName) || strings.HasPrefix(strings.ToLower(f.Name), "ducklake_") {
		return lake.Errorf(lake.KindUnsupported, "table function %s is not supported", name)
	}
	return lake.Errorf(lake.KindForbidden, "table function %s is closed to clients", name)
}

// readsMirror reports whether a query calls functions that show schemas and
// tables, so that callers who do not see all of them need a mirror of their own.
func readsMirror(a *planner.Analysis) bool {
	for _, f := range a.TableFunctions {
		switch strings.ToLower(f.Name) {
		case "range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree":
		default:
			return true
		}
	}
	return slices.ContainsFunc(a.Functions, func(name string) bool { // macros over duckdb_views() and its like
		return strings.HasPrefix(name, "pg_") || name == "format_type"
	})
}

// resolve finds the table that a reference names, at the snapshot that its AT clause
// names.
func (s *Planner) resolve(ctx context.Context, run *workload.Statement, v *view.View, ref planner.TableRef) (planner.Resolved, error) {
	at := v
	if ref.At != nil {
		var err error
		if at, err = s.travel(ctx, run, v, ref.At); err != nil {
			return planner.Resolved{}, err
		}
	}
	return s.views.Resolve(ctx, v, at, ref)
}

// travel moves to the snapshot that an AT clause names, and pins it.
func (s *Planner) travel(ctx context.Context, run *workload.Statement, from *view.View, clause *planner.At) (*view.View, error) {
	typ := "BIGINT"
	if clause.Timestamp {
		typ = "TIMESTAMP WITH TIME ZONE"
	}
	value, err := s.evaluator.Value(ctx, engine.Query{SQL: clause.Expression, Overlay: shownTo(from, clause.Expression)}, typ)
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
	past, err := s.views.At(ctx, from, sel)
	if err != nil {
		return nil, fmt.Errorf("AT clause: %w", err)
	}
	run.Pin(past.Snapshot)
	return past, nil
}

// shownTo is what the engine must show to an expression of the client: one that is
// more than a literal may ask for schemas and tables.
func shownTo(v *view.View, expression string) *engine.Overlay {
	tokens, err := sqltext.Lex(expression)
	if v.Access.SeesAll() || err == nil && len(tokens) == 1 {
		return nil
	}
	return shown(v)
}

// checkInspection refuses to show how a query runs over a table of which the
// caller may read some rows only: what is pruned reveals others.
//
// Errors: KindForbidden.
func checkInspection(tables []planner.Resolved) error {
	for i := range tables {
		if tables[i].Filter != "" {
			return view.ErrFiltered(tables[i].Table)
		}
	}
	return nil
}

// metadata returns one of the catalog's own tables. The database that holds them has
// others, such as views of its settings, which are not for clients.
//
// Errors: KindNotFound for a table that the catalog does not have.
func (s *Planner) metadata(ctx context.Context, name string) (*Rowset, error) {
	missing := lake.Errorf(lake.KindNotFound, "table %q does not exist in %s", name, planner.MetadataSchema)
	if lower := strings.ToLower(name); !strings.HasPrefix(lower, "ducklake_") && !strings.HasPrefix(lower, "flightlake_") {
		return nil, missing
	}
	all := "SELECT * FROM " + lake.QuoteIdent(name)
	reader, err := s.catalog.Metadata(ctx, all+" LIMIT 0")
	if lake.KindOf(err) == lake.KindInvalid {
		return nil, missing // nothing else can be wrong with such a query
	}
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	columns, err := lake.ColumnsFromArrow(reader.Schema())
	if err != nil {
		return nil, err
	}
	return &Rowset{Columns: columns, OpenFunc: func(ctx context.Context, _ memory.Allocator) (array.RecordReader, error) {
		return s.catalog.Metadata(ctx, all)
	}}, nil
}
