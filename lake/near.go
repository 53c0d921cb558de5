package lake

import (
	"sort"
	"strings"
)

// nearMax is how many near names an error offers.
const nearMax = 3

// Near returns up to three of the names that are closest to name, for "did you
// mean": those within a third of its length in edits, without case.
func Near(name string, names []string) []string {
	type candidate struct {
		name  string
		edits int
	}
	limit := max(1, (len(name)+2)/3)
	var found []candidate
	for _, n := range names {
		if d := edits(strings.ToLower(name), strings.ToLower(n)); d <= limit {
			found = append(found, candidate{n, d})
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].edits < found[j].edits })
	out := make([]string, 0, nearMax)
	for _, c := range found[:min(nearMax, len(found))] {
		out = append(out, c.name)
	}
	return out
}

// edits is the Levenshtein distance of a and b in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// TableNotFound is the error for a table that state does not have; it offers
// near names.
func TableNotFound(state *State, schema, name string) error {
	if _, ok := state.Schema(schema); !ok {
		return SchemaNotFound(state, schema)
	}
	var names []string
	for i := range state.Schemas {
		for j := range state.Schemas[i].Tables {
			names = append(names, state.Schemas[i].Tables[j].Name)
		}
	}
	near := Near(name, names)
	for i := range near {
		if _, here := state.Table(schema, near[i]); !here {
			near[i] = qualified(state, near[i])
		}
	}
	return Errorf(KindNotFound, "table %s.%s does not exist%s", schema, name, didYouMean(near))
}

// SchemaNotFound is the error for a schema that state does not have.
func SchemaNotFound(state *State, name string) error {
	names := make([]string, len(state.Schemas))
	for i := range state.Schemas {
		names[i] = state.Schemas[i].Name
	}
	return Errorf(KindNotFound, "schema %q does not exist%s", name, didYouMean(Near(name, names)))
}

func qualified(state *State, table string) string {
	for i := range state.Schemas {
		if _, ok := state.Table(state.Schemas[i].Name, table); ok {
			return state.Schemas[i].Name + "." + table
		}
	}
	return table
}

func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(names, ", ") + "?"
}
