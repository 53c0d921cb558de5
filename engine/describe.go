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
	return bind(ctx, x, q, func(s *statement) (*Description, error) {
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
	})
}

// bind prepares a statement on a connection of its own and returns what read finds in it.
// It ends soon after ctx does, whatever DuckDB does then.
func bind[T any](ctx context.Context, x *Executor, q Query, read func(*statement) (T, error)) (T, error) {
	return onConnection(ctx, x, q, func(x *Executor, c *connection) (T, error) {
		var none T
		if err := c.beginReading(q.Overlay, ""); err != nil {
			return none, err
		}
		v, err := x.check(c, q.SQL)
		if err != nil {
			return none, err
		}
		s, err := c.prepare(q.SQL)
		if err != nil {
			return none, err
		}
		defer s.close()
		if err := v.bound(c, q.Rewritten); err != nil {
			return none, err
		}
		return read(s)
	}, func(x *Executor, c *connection, _ T, _ bool) { x.finish(c) })
}

// onConnection runs f on a connection for a query, and returns what it does or, soon after
// ctx has ended, its error: DuckDB may go on then. finish is told of what f returned, late if
// nobody waits for that any more, and gives the connection back. An error of f is made fit
// for the client.
func onConnection[T any](ctx context.Context, x *Executor, q Query, f func(*Executor, *connection) (T, error), finish func(x *Executor, c *connection, value T, late bool)) (T, error) {
	x, c, err := x.takeFor(ctx, q.Schema, q.Overlay)
	if err != nil {
		var none T
		return none, err
	}
	value, err, lost := call(ctx, &x.pool.abandoned, c, func() (T, error) { return f(x, c) }, func(value T, _ error) {
		finish(x, c, value, true)
	})
	if lost {
		return value, err
	}
	finish(x, c, value, false)
	if err != nil {
		err = x.queryError(ctx, q, err)
	}
	return value, err
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
	return bind(ctx, x, q, func(s *statement) ([]lake.Column, error) {
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
	})
}
