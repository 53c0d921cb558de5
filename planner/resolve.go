package planner

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Resolve returns the table that a reference names in state; unqualified names
// are of defaultSchema ("" means main). It returns nil for a reference that is
// to be left alone: a view of DuckDB's own.
//
// Errors: KindNotFound, proposing near names; KindUnsupported for a view; KindForbidden
// for a name written as a string, which DuckDB would read as a file, and for a
// view of DuckDB's own that is not on the list of those that are open.
func Resolve(state *lake.State, defaultSchema string, ref TableRef) (*lake.Table, error) {
	if t, ok := find(state, defaultSchema, ref); ok {
		return t, nil
	}
	if name, ok := findView(state, defaultSchema, ref); ok {
		return nil, lake.Errorf(lake.KindUnsupported, "view %q: reading views is not supported", name)
	}
	switch {
	case ref.closed:
		return nil, lake.Errorf(lake.KindForbidden, "system view %q is closed to clients", ref.String())
	case ref.System || ref.Metadata:
		return nil, nil // no table is an answer: the reference is not one of the lake
	case ref.Quoted:
		return nil, lake.Errorf(lake.KindForbidden, "%s: reading files of the server is closed to clients", lake.QuoteLiteral(ref.Name))
	case ref.Catalog != "" && !strings.EqualFold(ref.Catalog, lake.CatalogName):
		return nil, lake.Errorf(lake.KindNotFound, "catalog %q does not exist; the only catalog is %q", ref.Catalog, lake.CatalogName)
	}
	return nil, lake.Errorf(lake.KindNotFound, "table %q does not exist%s", ref.String(), lake.DidYouMean(lake.NearTables(state, defaultSchema, ref.Schema, ref.Name)))
}

func find(state *lake.State, defaultSchema string, ref TableRef) (*lake.Table, bool) {
	if defaultSchema == "" {
		defaultSchema = lake.DefaultSchema
	}
	if ref.Catalog != "" && !strings.EqualFold(ref.Catalog, lake.CatalogName) {
		return nil, false
	}
	schema := ref.Schema
	if schema == "" {
		schema = defaultSchema
	}
	if t, ok := state.Table(schema, ref.Name); ok {
		return t, true
	}
	if ref.Catalog == "" && strings.EqualFold(ref.Schema, lake.CatalogName) { // catalog.table
		return state.Table(defaultSchema, ref.Name)
	}
	if ref.Schema == "" && !strings.EqualFold(defaultSchema, lake.DefaultSchema) {
		return state.Table(lake.DefaultSchema, ref.Name)
	}
	return nil, false
}

// findView returns the name of the view that a reference names.
func findView(state *lake.State, defaultSchema string, ref TableRef) (string, bool) {
	schema := ref.Schema
	if schema == "" || ref.Catalog == "" && strings.EqualFold(schema, lake.CatalogName) {
		schema = defaultSchema
	}
	if schema == "" {
		schema = lake.DefaultSchema
	}
	s, ok := state.Schema(schema)
	if !ok {
		return "", false
	}
	for i := range s.Views {
		if strings.EqualFold(s.Views[i].Name, ref.Name) {
			return s.Name + "." + s.Views[i].Name, true
		}
	}
	return "", false
}
