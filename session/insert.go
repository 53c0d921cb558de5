package session

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// insert runs INSERT statements that differ in their parameters only, as one Append.
func (s *Service) insert(ctx context.Context, v *view, token string, statements []*sqltext.Statement) (Update, error) {
	if up, ok, err := s.replayed(ctx, token); ok || err != nil {
		return up, err
	}
	first := statements[0]
	again := func(ctx context.Context) (*target, error) {
		now, err := s.refresh(ctx, v)
		if err != nil {
			return nil, err
		}
		return insertTarget(now, first)
	}
	t, err := insertTarget(v, first)
	if err != nil {
		return Update{}, err
	}
	parts := make([]func() (array.RecordReader, error), 0, len(statements))
	schema := lake.ArrowSchema(t.columns)
	if first.Query == nil || isValues(first) {
		parts = append(parts, func() (array.RecordReader, error) {
			return s.insertValues(ctx, t, statements)
		})
	} else {
		for _, st := range statements {
			parts = append(parts, func() (array.RecordReader, error) {
				return s.insertQuery(ctx, t, st)
			})
		}
	}
	stream := newChain(schema, parts)
	defer stream.Release()
	return s.append(ctx, t, appendRequest{stream: stream, token: token, againFunc: again})
}

func insertTarget(v *view, st *sqltext.Statement) (*target, error) {
	if err := v.checkScope(); err != nil {
		return nil, err
	}
	name := st.Insert.Name
	if table, ok := v.temporaryTable(name.Catalog, name.Schema, name.Name); ok {
		into, err := v.inTemporary()
		t := &target{view: into}
		t.appendTo(table)
		return t, err
	}
	if v.namesTemporary(name) {
		return nil, v.noTemporary(name.Name)
	}
	schema, err := v.objectSchema(st.Insert.Name)
	if err != nil {
		return nil, err
	}
	table, ok := v.state.Table(schema, st.Insert.Name.Name)
	if !ok {
		return nil, lake.TableNotFound(v.state, schema, st.Insert.Name.Name)
	}
	if err := v.mayChange(auth.Insert, table); err != nil {
		return nil, err
	}
	t := &target{view: v}
	t.appendTo(table)
	return t, nil
}

// insertColumns returns the columns that the values of an INSERT go to, in order.
func insertColumns(v *view, st *sqltext.Statement) ([]lake.Column, error) {
	t, err := insertTarget(v, st)
	if err != nil {
		return nil, err
	}
	return t.named(st.Insert.Columns)
}

// named returns the target's columns with the given names; all if names is nil.
func (t *target) named(names []string) ([]lake.Column, error) {
	if names == nil {
		return t.columns, nil
	}
	columns := make([]lake.Column, len(names))
	for i, name := range names {
		c, ok := t.table.Column(name)
		if !ok {
			return nil, lake.Errorf(lake.KindInvalid, "table %s.%s has no column %q", t.table.Schema, t.name, name)
		}
		if slices.ContainsFunc(columns[:i], func(o lake.Column) bool { return o.ID == c.ID }) {
			return nil, lake.Errorf(lake.KindInvalid, "column %q is named twice", name)
		}
		columns[i] = *c
	}
	return columns, nil
}

// isValues reports whether the rows of an INSERT are written out in it.
func isValues(st *sqltext.Statement) bool {
	return st.Query == nil || strings.EqualFold(firstWord(st.Query.Of(st.Text)), "VALUES")
}

func firstWord(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return (r|0x20 < 'a' || r|0x20 > 'z') })
	if end < 0 {
		return text
	}
	return text[:end]
}

// insertValues has DuckDB make the rows of INSERT ... VALUES, with its casts,
// defaults and DEFAULT, in a scratch table.
func (s *Service) insertValues(ctx context.Context, t *target, statements []*sqltext.Statement) (array.RecordReader, error) {
	texts := make([]func(string) string, len(statements))
	var overlay *engine.Overlay
	var releases []func()
	release := func() {
		for _, r := range releases {
			r()
		}
	}
	for i, st := range statements {
		text, p, r, err := s.insertText(ctx, t.view, st)
		releases = append(releases, r)
		if err != nil {
			release()
			return nil, err
		}
		if texts[i] = text; p != nil && p.overlay != nil {
			overlay = p.overlay
		}
	}
	reader, err := s.Executor.InsertRows(ctx, engine.Insert{
		Table: t.name, Columns: t.columns, SQLFuncs: texts, Schema: t.view.engineSchema(overlay), Overlay: overlay,
	})
	if err != nil {
		release()
		return nil, err
	}
	return onRelease(reader, release), nil
}

// insertText returns the INSERT with its table replaced by a name yet to be
// given, and the tables of its subqueries by their sources; p is the plan of those, nil
// without.
func (s *Service) insertText(ctx context.Context, v *view, st *sqltext.Statement) (text func(table string) string, p *selectPlan, release func(), err error) {
	head, tail := st.Text[:st.Insert.Name.Span.Start], st.Text[st.Insert.Name.Span.End:]
	nothing := func() {}
	if st.Query == nil {
		return func(table string) string { return head + table + tail }, nil, nothing, nil
	}
	analysis, err := s.planner.AnalyzeStatement(ctx, st)
	if err != nil {
		return nil, nil, nothing, err
	}
	if err := checkFunctions(analysis); err != nil {
		return nil, nil, nothing, err
	}
	for _, f := range analysis.TableFunctions {
		if !engine.AllowedTableFunction(f.Name) {
			return nil, nil, nothing, functionRefused(f)
		}
	}
	if p, err = s.unpruned(ctx, analysis, v); err != nil {
		return nil, nil, nothing, err
	}
	query, release := s.bindPlan(ctx, p)
	between := st.Text[st.Insert.Name.Span.End:st.Query.Start]
	return func(table string) string { return head + table + between + query }, p, release, nil
}

// unpruned plans the query of a statement without looking at its filters.
func (s *Service) unpruned(ctx context.Context, analysis *planner.Analysis, v *view) (*selectPlan, error) {
	tables := make([]planner.Resolved, len(analysis.Tables))
	for i, ref := range analysis.Tables {
		var err error
		if tables[i], err = s.resolve(ctx, v, ref); err != nil {
			return nil, err
		}
	}
	plan, err := s.planner.Plan(ctx, planner.Request{Analysis: analysis, Tables: tables})
	if err != nil {
		return nil, err
	}
	p := &selectPlan{defaultSchema: v.engineSchema(nil), shown: v.shown(), analysis: analysis, plan: plan}
	p.leave(v, tables)
	return p, nil
}

// insertQuery streams the rows of INSERT ... SELECT, cast to the table's
// columns; columns that are not named get their defaults.
func (s *Service) insertQuery(ctx context.Context, t *target, st *sqltext.Statement) (array.RecordReader, error) {
	p, err := s.selectPlan(ctx, st.Query.Of(st.Text), t.view)
	if err != nil {
		return nil, err
	}
	columns, err := t.named(st.Insert.Columns)
	if err != nil {
		return nil, err
	}
	if st.Insert.ByName {
		if columns, err = t.named(fieldNames(p.schema)); err != nil {
			return nil, err
		}
	}
	if len(columns) != p.schema.NumFields() {
		return nil, lake.Errorf(lake.KindInvalid, "table %s.%s takes %d values and the query returns %d",
			t.table.Schema, t.name, len(columns), p.schema.NumFields())
	}
	wrap := func(replace func(int, planner.TableRef) string) string {
		return castSQL(t.columns, columns, p.analysis.RewriteQuery(replace))
	}
	reader, err := s.startEngine(ctx, p, wrap)
	if err != nil {
		return nil, err
	}
	return renamed(reader, lake.ArrowSchema(t.columns)), nil
}

func fieldNames(schema *arrow.Schema) []string {
	names := make([]string, schema.NumFields())
	for i := range names {
		names[i] = schema.Field(i).Name
	}
	return names
}

// castSQL returns a query of all columns of a table, whose values for some of
// them, given, are the columns of query, in that order.
func castSQL(all, given []lake.Column, query string) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		c := &all[i]
		position := slices.IndexFunc(given, func(g lake.Column) bool { return g.ID == c.ID })
		switch {
		case position >= 0:
			b.WriteString("CAST(c" + strconv.Itoa(position) + " AS " + c.SQLType() + ")")
		case c.Default == nil:
			b.WriteString("CAST(NULL AS " + c.SQLType() + ")")
		case c.DefaultIsExpression:
			b.WriteString("CAST((" + *c.Default + ") AS " + c.SQLType() + ")")
		default:
			b.WriteString("CAST(" + lake.QuoteLiteral(*c.Default) + " AS " + c.SQLType() + ")")
		}
		b.WriteString(" AS " + lake.QuoteIdent(c.Name))
	}
	b.WriteString(" FROM (" + query + "\n) AS q(")
	for i := range given {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("c" + strconv.Itoa(i))
	}
	b.WriteString(")")
	return b.String()
}

// bindPlan returns the query of a plan over its registered sources.
func (s *Service) bindPlan(ctx context.Context, p *selectPlan) (string, func()) {
	sources := &registered{executor: s.Executor}
	sql := p.analysis.RewriteQuery(func(i int, _ planner.TableRef) string {
		source := s.source(ctx, p, i)
		if source == nil {
			return ""
		}
		return p.guarded(i, sources.add(ctx, source))
	})
	return sql, sources.release
}

// valuesPositions returns, by parameter, its position in a row of VALUES, for
// those that stand alone there.
func valuesPositions(st *sqltext.Statement) map[string]int {
	positions := map[string]int{}
	if !isValues(st) {
		return positions
	}
	names, places := parameterPlaces(st)
	depth, position := 0, 0
	previous := ""
	for i, t := range st.Tokens {
		text := st.Text[t.Start:t.End]
		switch {
		case st.Query == nil || t.Start < st.Query.Start:
			continue
		case text == "(" || text == "[" || text == "{":
			if depth++; depth == 1 {
				position = 0
			}
		case text == ")" || text == "]" || text == "}":
			depth--
		case text == "," && depth == 1:
			position++
		case t.Kind == sqltext.TokenParam && depth == 1 && (previous == "(" || previous == ",") && endsValue(st, i+1):
			j, _ := slices.BinarySearchFunc(places, t.Start, func(p place, start int) int { return p.span.Start - start })
			positions[names[places[j].column]] = position
		}
		previous = text
	}
	return positions
}

func endsValue(st *sqltext.Statement, i int) bool {
	if i >= len(st.Tokens) {
		return false
	}
	text := st.Text[st.Tokens[i].Start:st.Tokens[i].End]
	return text == "," || text == ")"
}
