package planner

import (
	"slices"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// nearNamesMax bounds the names that an error proposes.
const nearNamesMax = 3

// Resolve returns the table that a reference names in state; unqualified names
// are of defaultSchema ("" means main). It returns nil for a reference that is
// to be left alone: a view of DuckDB's own.
//
// Errors: KindNotFound, proposing near names; KindUnsupported for a view; KindForbidden for a name written as a
// string, which DuckDB would read as a file.
func Resolve(state *lake.State, defaultSchema string, ref TableRef) (*lake.Table, error) {
	if t, ok := find(state, defaultSchema, ref); ok {
		return t, nil
	}
	if name, ok := findView(state, defaultSchema, ref); ok {
		return nil, lake.Errorf(lake.KindUnsupported, "view %q: reading views is not supported", name)
	}
	switch {
	case ref.System || ref.Metadata, ref.candidate && !ref.fileLike():
		return nil, nil //nolint:nilnil // no table is an answer: the reference is not one of the lake
	case ref.Quoted:
		return nil, lake.Errorf(lake.KindForbidden, "%s: reading files of the server is closed to clients", lake.QuoteLiteral(ref.Name))
	case ref.Catalog != "" && !strings.EqualFold(ref.Catalog, CatalogName):
		return nil, lake.Errorf(lake.KindNotFound, "catalog %q does not exist; the only catalog is %q", ref.Catalog, CatalogName)
	}
	return nil, lake.Errorf(lake.KindNotFound, "table %q does not exist%s", ref.String(), nearHint(state, defaultSchema, ref))
}

// fileLike reports whether DuckDB may take the name of a table that does not
// exist for a file.
func (r TableRef) fileLike() bool { return r.Quoted || strings.ContainsAny(r.Name, "./:\\") }

func find(state *lake.State, defaultSchema string, ref TableRef) (*lake.Table, bool) {
	if defaultSchema == "" {
		defaultSchema = DefaultSchema
	}
	if ref.Catalog != "" && !strings.EqualFold(ref.Catalog, CatalogName) {
		return nil, false
	}
	schema := ref.Schema
	if schema == "" {
		schema = defaultSchema
	}
	if t, ok := state.Table(schema, ref.Name); ok {
		return t, true
	}
	if ref.Catalog == "" && strings.EqualFold(ref.Schema, CatalogName) { // catalog.table
		return state.Table(defaultSchema, ref.Name)
	}
	if ref.Schema == "" && !strings.EqualFold(defaultSchema, DefaultSchema) {
		return state.Table(DefaultSchema, ref.Name)
	}
	return nil, false
}

// findView returns the name of the view that a reference names.
func findView(state *lake.State, defaultSchema string, ref TableRef) (string, bool) {
	schema := ref.Schema
	if schema == "" || ref.Catalog == "" && strings.EqualFold(schema, CatalogName) {
		schema = defaultSchema
	}
	if schema == "" {
		schema = DefaultSchema
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

// nearHint proposes names that were perhaps meant.
func nearHint(state *lake.State, defaultSchema string, ref TableRef) string {
	near := NearTables(state, defaultSchema, ref.Schema, ref.Name)
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, ", ") + "?"
}

// NearTables returns up to three tables and views whose names resemble the given
// one, nearest first: the same name in another schema, then by edit distance.
func NearTables(state *lake.State, defaultSchema, schema, name string) []string {
	if defaultSchema == "" {
		defaultSchema = DefaultSchema
	}
	if schema == "" {
		schema = defaultSchema
	}
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	add := func(s *lake.Schema, table string) {
		d := sqltext.EditDistance(strings.ToLower(name), strings.ToLower(table))
		if d > min(3, (len(name)+1)/3) {
			return
		}
		shown := `"` + s.Name + "." + table + `"`
		if strings.EqualFold(s.Name, defaultSchema) {
			shown = `"` + table + `"`
		}
		found = append(found, candidate{shown, 2*d + min(1, sqltext.EditDistance(strings.ToLower(schema), strings.ToLower(s.Name)))})
	}
	for i := range state.Schemas {
		for j := range state.Schemas[i].Tables {
			add(&state.Schemas[i], state.Schemas[i].Tables[j].Name)
		}
		for j := range state.Schemas[i].Views {
			add(&state.Schemas[i], state.Schemas[i].Views[j].Name)
		}
	}
	slices.SortStableFunc(found, func(x, y candidate) int { return x.distance - y.distance })
	var names []string
	for _, c := range found[:min(len(found), nearNamesMax)] {
		names = append(names, c.name)
	}
	return names
}
