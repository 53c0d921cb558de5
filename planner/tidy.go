package planner

import (
	"reflect"
	"slices"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// tidy simplifies p and undoes what DuckDB's optimiser makes of it: an OR of
// equalities of one column becomes IN, and repeated terms are dropped. The
// result is the same on every row.
func tidy(p expr.Predicate) expr.Predicate { return compact(expr.Simplify(p)) }

func compact(p expr.Predicate) expr.Predicate {
	switch p := p.(type) {
	case expr.And:
		return rejoin(compactAll(p.Terms), func(terms []expr.Predicate) expr.Predicate { return expr.And{Terms: terms} })
	case expr.Or:
		return rejoin(joinEqualities(compactAll(p.Terms)), func(terms []expr.Predicate) expr.Predicate { return expr.Or{Terms: terms} })
	}
	return p
}

// compactAll compacts terms and drops repeated ones.
func compactAll(terms []expr.Predicate) []expr.Predicate {
	out := make([]expr.Predicate, 0, len(terms))
	for _, t := range terms {
		t = compact(t)
		if !slices.ContainsFunc(out, func(o expr.Predicate) bool { return reflect.DeepEqual(o, t) }) {
			out = append(out, t)
		}
	}
	return out
}

func rejoin(terms []expr.Predicate, join func([]expr.Predicate) expr.Predicate) expr.Predicate {
	if len(terms) == 1 {
		return terms[0]
	}
	return join(terms)
}

// joinEqualities puts the equalities of an OR that are about the same column
// into one IN, in the place of the first.
func joinEqualities(terms []expr.Predicate) []expr.Predicate {
	var out []expr.Predicate
	place := make(map[lake.FieldID]int)
	for _, t := range terms {
		in, ok := equality(t)
		if !ok {
			out = append(out, t)
			continue
		}
		i, found := place[in.Field]
		if !found {
			place[in.Field] = len(out)
			out = append(out, in)
			continue
		}
		if first, ok := out[i].(expr.In); ok {
			first.Values = append(slices.Clone(first.Values), in.Values...)
			out[i] = first
		}
	}
	for i, t := range out {
		in, ok := t.(expr.In)
		if !ok {
			continue
		}
		in.Values = sortValues(in.Type, in.Values)
		out[i] = expr.Simplify(in)
	}
	return out
}

func equality(p expr.Predicate) (expr.In, bool) {
	switch p := p.(type) {
	case expr.In:
		return p, true
	case expr.Compare:
		return expr.In{Field: p.Field, Type: p.Type, Values: []lake.Value{p.Value}}, p.Op == expr.OpEqual
	}
	return expr.In{}, false
}

// sortValues sorts values in place and drops repeated ones.
func sortValues(t lake.Type, values []lake.Value) []lake.Value {
	compare := func(a, b lake.Value) int { return lake.Compare(t, a, b) }
	slices.SortFunc(values, compare)
	return slices.CompactFunc(values, func(a, b lake.Value) bool { return compare(a, b) == 0 })
}
