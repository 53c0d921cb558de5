package lake

import (
	"slices"
	"strings"
)

// nearNamesMax bounds the names that an error proposes.
const nearNamesMax = 3

// NearTables returns up to three tables and views whose names resemble the given
// one, nearest first: the same name in another schema, then by edit distance.
func NearTables(state *State, defaultSchema, schema, name string) []string {
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
	add := func(s *Schema, table string) {
		d := EditDistance(strings.ToLower(name), strings.ToLower(table))
		if d > min(3, (len(name)+1)/3) {
			return
		}
		shown := `"` + s.Name + "." + table + `"`
		if strings.EqualFold(s.Name, defaultSchema) {
			shown = `"` + table + `"`
		}
		found = append(found, candidate{shown, 2*d + min(1, EditDistance(strings.ToLower(schema), strings.ToLower(s.Name)))})
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

// TableNotFound is the error for a table that state does not have; it proposes
// near names.
func TableNotFound(state *State, schema, name string) error {
	if _, ok := state.Schema(schema); !ok {
		return SchemaNotFound(state, schema)
	}
	return Errorf(KindNotFound, "table %q does not exist%s", schema+"."+name, DidYouMean(NearTables(state, schema, schema, name)))
}

// SchemaNotFound is the error for a schema that state does not have; it
// proposes a near name.
func SchemaNotFound(state *State, name string) error {
	var near []string
	for i := range state.Schemas {
		if s := state.Schemas[i].Name; EditDistance(strings.ToLower(name), strings.ToLower(s)) <= max(1, len(name)/3) {
			near = append(near, `"`+s+`"`)
		}
	}
	return Errorf(KindNotFound, "schema %q does not exist%s", name, DidYouMean(near[:min(len(near), nearNamesMax)]))
}

// DidYouMean returns the end of an error text that proposes names; empty if
// there are none.
func DidYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(names, ", ") + "?"
}

// EditDistance returns the Levenshtein distance of two strings, in bytes.
func EditDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
