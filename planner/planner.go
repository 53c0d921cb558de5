package planner

import (
	"context"

	"github.com/flightlake/flightlake/lake"
)

// Frontend is DuckDB as parser, binder and optimiser. Package engine provides it.
type Frontend interface {
	// Parse returns the syntax tree of a query, as DuckDB's json_serialize_sql
	// writes it, with byte offsets into sql.
	// Errors: KindUnsupported for a statement that DuckDB parses and cannot serialise;
	// KindInvalid for a syntax error.
	Parse(ctx context.Context, sql string) ([]byte, error)

	// Optimize returns the optimised plan of a query over twins, as
	// json_serialize_plan(optimize := true) writes it.
	// Errors: any; the statement is then read unpruned.
	Optimize(ctx context.Context, sql string, twins []lake.Twin) ([]byte, error)

	// AllowedSystemView reports whether clients may read a view of DuckDB's own;
	// schema is empty if it is not given.
	AllowedSystemView(schema, name string) bool
}

// Planner analyses and plans statements. It is safe for concurrent use if its
// Frontend is.
type Planner struct {
	frontend Frontend
}

// New returns a Planner over frontend.
func New(frontend Frontend) *Planner { return &Planner{frontend: frontend} }
