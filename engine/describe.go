package engine

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// Description is what preparing a statement tells.
type Description struct {
	Kind StatementKind
	// Result is the schema of the rows; nil if DuckDB cannot tell it before the
	// parameters whose type is null have values: put literals in their place
	// and describe again.
	Result *arrow.Schema
	// Params has a field per parameter, in the order in which values are given:
	// $1, $2 or the ?s by number, $name by first occurrence. The field's name is
	// the number or the name; its type is null if DuckDB could not tell.
	Params []arrow.Field
}

// Describe binds a query against the mirror of the lake, or what its Overlay
// shows, without running it.
//
// Errors: those of Query.
func (x *Executor) Describe(ctx context.Context, q Query) (*Description, error) {
	s, done, err := x.bind(ctx, q)
	if err != nil {
		return nil, err
	}
	defer done()
	d := &Description{Kind: s.kind, Params: s.params()}
	if s.unknown() {
		return d, nil
	}
	fields := make([]arrow.Field, len(s.types))
	for i := range s.types {
		fields[i] = s.types[i].field()
	}
	d.Result = arrow.NewSchema(fields, nil)
	return d, nil
}

// bind prepares a statement on a connection of its own; the caller calls done.
func (x *Executor) bind(ctx context.Context, q Query) (s *statement, done func(), err error) {
	x, c, err := x.takeFor(ctx, q.Schema, q.Overlay)
	if err != nil {
		return nil, nil, err
	}
	stop := watch(ctx, c)
	if err = c.beginReading(q.Overlay, ""); err == nil {
		s, err = c.prepare(q.SQL)
	}
	if err != nil {
		stop()
		x.finish(c)
		return nil, nil, x.queryError(ctx, q, err)
	}
	return s, func() {
		s.close()
		stop()
		x.finish(c)
	}, nil
}

// unknown reports whether DuckDB puts off binding the statement until its
// parameters have types: it then claims one column of this name.
func (s *statement) unknown() bool {
	return duckdb.NParams(s.prepared) > 0 && len(s.names) == 1 && s.names[0] == "unknown" && s.types[0].id == duckdb.TypeVarchar
}

func (s *statement) params() []arrow.Field {
	n := duckdb.NParams(s.prepared)
	params := make([]arrow.Field, n)
	for i := range n {
		f := arrow.Field{Name: duckdb.ParameterName(s.prepared, i+1), Type: arrow.Null, Nullable: true}
		logical := duckdb.ParamLogicalType(s.prepared, i+1)
		if logical.Ptr != nil {
			if id := duckdb.GetTypeId(logical); id != duckdb.TypeInvalid && id != duckdb.TypeAny && id != duckdb.TypeSQLNull {
				if t, ok := newValueType(f.Name, logical); ok {
					f.Type = t.arrow
				}
			}
			duckdb.DestroyLogicalType(&logical)
		}
		params[i] = f
	}
	return params
}

// ColumnsOfQuery returns the columns of a table made from the rows of a query,
// without field ids.
//
// Errors: those of Describe; KindUnsupported for a type that a table cannot hold.
func (x *Executor) ColumnsOfQuery(ctx context.Context, q Query) ([]lake.Column, error) {
	s, done, err := x.bind(ctx, q)
	if err != nil {
		return nil, err
	}
	defer done()
	columns := make([]lake.Column, len(s.types))
	for i := range s.types {
		if s.text[i] {
			return nil, lake.Errorf(lake.KindUnsupported, "column %q: a table cannot hold its type: cast it to VARCHAR", s.names[i])
		}
		if name := s.types[i].unheld(); name != "" {
			return nil, lake.Errorf(lake.KindUnsupported, "column %q: a table cannot hold the type %s", s.names[i], name)
		}
		columns[i] = s.types[i].toColumn()
	}
	return columns, nil
}
