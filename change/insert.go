package change

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// insertion is an INSERT with the rows of its parameters.
type insertion struct {
	statement *sqltext.Statement
	params    arrow.RecordBatch // nil for none
	token     string
}

// insert runs an INSERT, for each row of its parameters, as one Append.
func (s *Executor) insert(ctx context.Context, run *workload.Statement, v *view.View, in insertion) (statement.Update, error) {
	if up, ok, err := s.replayed(ctx, in.token); ok || err != nil {
		return up, err
	}
	resolve := func(_ context.Context, v *view.View) (*target, bool, error) {
		t, err := insertTarget(v, in.statement)
		return t, false, err
	}
	t, _, err := resolve(ctx, v)
	if err != nil {
		return statement.Update{}, err
	}
	request := appendRequest{token: in.token, resolveFunc: resolve}
	bound, err := s.boundRows(ctx, t, in)
	if err != nil {
		return statement.Update{}, err
	}
	if bound != nil {
		defer bound.Release()
		request.stream = bound
		up, err := s.append(ctx, run, t, request)
		if lake.KindOf(err) == lake.KindInvalid {
			err = fmt.Errorf("bind parameters: %w", err)
		}
		return up, err
	}
	rows, err := s.insertedRows(ctx, run, t, in)
	if err != nil {
		return statement.Update{}, err
	}
	defer rows.Release()
	request.stream = rows
	return s.append(ctx, run, t, request)
}

// insertedRows returns the rows that the engine makes of an INSERT. The caller releases
// the reader.
func (s *Executor) insertedRows(ctx context.Context, run *workload.Statement, t *target, in insertion) (array.RecordReader, error) {
	if !isValues(in.statement) {
		return s.insertQueries(ctx, run, t, in)
	}
	statements, err := s.boundStatements(ctx, t.view, in)
	if err != nil {
		return nil, err
	}
	return s.insertValues(ctx, run, t, statements)
}

func insertTarget(v *view.View, st *sqltext.Statement) (*target, error) {
	if err := v.CheckScope(); err != nil {
		return nil, err
	}
	name := st.Insert.Name
	if table, ok := v.TemporaryTable(name.Catalog, name.Schema, name.Name); ok {
		into, err := v.InTemporary()
		t := &target{view: into}
		return t, errors.Join(err, t.appendTo(table))
	}
	if v.NamesTemporary(name) {
		return nil, v.NoTemporary(name.Name)
	}
	schema, err := v.ObjectSchema(st.Insert.Name)
	if err != nil {
		return nil, err
	}
	table, ok := v.State.Table(schema, st.Insert.Name.Name)
	if !ok {
		return nil, lake.TableNotFound(v.State, schema, st.Insert.Name.Name)
	}
	if err := v.MayChange(auth.Insert, table); err != nil {
		return nil, err
	}
	t := &target{view: v}
	return t, t.appendTo(table)
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

// insertQueries streams the rows of INSERT ... SELECT, for one row of parameters after
// the other.
func (s *Executor) insertQueries(ctx context.Context, run *workload.Statement, t *target, in insertion) (array.RecordReader, error) {
	texts, err := query.Bind(in.statement, in.params)
	if err != nil {
		return nil, err
	}
	var current array.RecordReader // nil between two
	drop := func() {
		if current != nil {
			current.Release()
			current = nil
		}
	}
	return stream.New(stream.Source{
		Schema: lake.ArrowSchema(t.columns), CloseFunc: drop,
		NextFunc: func() (arrow.RecordBatch, error) {
			for {
				if current == nil {
					if len(texts) == 0 {
						return nil, io.EOF
					}
					st, err := sqltext.Classify(texts[0])
					if err != nil {
						return nil, err
					}
					texts = texts[1:]
					if current, err = s.insertQuery(ctx, run, t, st); err != nil {
						return nil, err
					}
				}
				if current.Next() {
					batch := current.RecordBatch()
					batch.Retain()
					return batch, nil
				}
				if err := current.Err(); err != nil {
					return nil, err
				}
				drop()
			}
		},
	}), nil
}

// insertQuery streams the rows of INSERT ... SELECT, cast to the table's
// columns; columns that are not named get their defaults.
func (s *Executor) insertQuery(ctx context.Context, run *workload.Statement, t *target, st *sqltext.Statement) (array.RecordReader, error) {
	p, err := s.Queries.SelectText(ctx, run, st.Query.Of(st.Text), t.view)
	if err != nil {
		return nil, err
	}
	t.reads = t.reads || p.Reads(t.table)
	columns, err := t.named(st.Insert.Columns)
	if err != nil {
		return nil, err
	}
	if st.Insert.ByName {
		if columns, err = t.named(query.FieldNames(p.Schema)); err != nil {
			return nil, err
		}
	}
	if len(columns) != p.Schema.NumFields() {
		return nil, lake.Errorf(lake.KindInvalid, "table %s.%s takes %d values and the query returns %d",
			t.table.Schema, t.name, len(columns), p.Schema.NumFields())
	}
	if err := s.Queries.CheckDefaults(ctx, t.columns); err != nil {
		return nil, err
	}
	reader, err := s.Queries.StartWithin(ctx, run, p, func(text string) string { return castSQL(t.columns, columns, text) })
	if err != nil {
		return nil, err
	}
	return query.Renamed(reader, lake.ArrowSchema(t.columns)), nil
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
		value := "(" + c.DefaultSQL() + ")"
		if position >= 0 {
			value = "c" + strconv.Itoa(position)
		}
		b.WriteString("CAST(" + value + " AS " + c.SQLType() + ")")
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

// insertValues has DuckDB make the rows of INSERT ... VALUES, with its casts,
// defaults and DEFAULT, in a scratch table. The statements differ in their values only.
func (s *Executor) insertValues(ctx context.Context, run *workload.Statement, t *target, statements []*sqltext.Statement) (array.RecordReader, error) {
	if err := s.Queries.CheckDefaults(ctx, t.columns); err != nil {
		return nil, err
	}
	inserts := make([]engine.InsertStatement, len(statements))
	var overlay *engine.Overlay
	var releases []func()
	release := func() {
		for _, r := range releases {
			r()
		}
	}
	for i, st := range statements {
		insert, p, r, err := s.insertStatement(ctx, run, t.view, st)
		releases = append(releases, r)
		if err != nil {
			release()
			return nil, err
		}
		inserts[i] = insert
		if p == nil {
			continue
		}
		t.reads = t.reads || p.Reads(t.table)
		if p.Overlay() != nil {
			overlay = p.Overlay()
		}
	}
	reader, err := s.Engine.InsertRows(ctx, engine.Insert{
		Table: t.name, Columns: t.columns, Statements: inserts, Schema: query.EngineSchema(t.view, overlay), Overlay: overlay,
	})
	if err != nil {
		release()
		return nil, err
	}
	out := stream.Over(reader)
	out.CloseFunc = func() {
		reader.Release()
		release()
	}
	return stream.New(out), nil
}

// insertStatement returns the INSERT with its table replaced by a name yet to be
// given, and the tables of its subqueries by their sources; p is the plan of those, nil
// without.
func (s *Executor) insertStatement(ctx context.Context, run *workload.Statement, v *view.View, st *sqltext.Statement) (insert engine.InsertStatement, p *query.Plan, release func(), err error) {
	before, after := st.Text[:st.Insert.Name.Span.Start], st.Text[st.Insert.Name.Span.End:]
	release = func() {}
	if st.Query == nil {
		insert.Query = strings.TrimLeftFunc(after, unicode.IsSpace)
		after = " "
	} else {
		if p, err = s.Queries.Embedded(ctx, run, v, st); err != nil {
			return insert, nil, release, err
		}
		insert.Query, release = s.Queries.Bind(ctx, run, p)
		after = st.Text[st.Insert.Name.Span.End:st.Query.Start]
	}
	insert.HeadFunc = func(table string) string { return before + table + after }
	return insert, p, release, nil
}
