package expr

import (
	"slices"

	"github.com/flightlake/flightlake/lake"
)

// Outcome is the set of results that a Predicate may have on the rows of a
// file or row group. It is never too small: a result that is absent from the
// set is proved not to occur. The empty set means that there are no rows.
type Outcome uint8

// The members of an Outcome.
const (
	CanTrue Outcome = 1 << iota
	CanFalse
	CanNull

	// AnyOutcome is the answer when nothing is known.
	AnyOutcome = CanTrue | CanFalse | CanNull
)

// CanMatch reports whether p may be true for a row. If it is false the rows
// can be skipped. A nil p matches every row.
func CanMatch(p Predicate, s StatsSource) bool {
	return p == nil && s.RowCount() != 0 || p != nil && Evaluate(p, s)&CanTrue != 0
}

// AllMatch reports whether p is proved true for every row, so that it need not
// be evaluated on them. It stays true for any subset of the rows, so deletes
// do not disturb it. A nil p matches every row.
func AllMatch(p Predicate, s StatsSource) bool {
	return p == nil || Evaluate(p, s)&^CanTrue == 0
}

// Evaluate returns the results that p may have on the rows that s describes.
func Evaluate(p Predicate, s StatsSource) Outcome {
	if s.RowCount() == 0 {
		return 0
	}
	switch p := p.(type) {
	case And:
		return fold(p.Terms, s, CanTrue, Outcome.and)
	case Or:
		return fold(p.Terms, s, CanFalse, Outcome.or)
	case Not:
		return Evaluate(p.Term, s).not()
	case Compare:
		return domainOf(s, p.Field, p.Type).compare(p.Op, p.Value)
	case In:
		return domainOf(s, p.Field, p.Type).in(p.Values)
	case IsNull:
		return isNullOutcome(s, p.Field)
	case Constant:
		return constantOutcome(p)
	}
	return AnyOutcome // Opaque
}

func fold(terms []Predicate, s StatsSource, empty Outcome, join func(a, b Outcome) Outcome) Outcome {
	out := empty
	for _, t := range terms {
		out = join(out, Evaluate(t, s))
	}
	return out
}

func constantOutcome(c Constant) Outcome {
	switch {
	case c.Null:
		return CanNull
	case c.Value:
		return CanTrue
	}
	return CanFalse
}

// and is Kleene's AND of every pair of members.
func (o Outcome) and(other Outcome) Outcome {
	var out Outcome
	both := o | other
	if o&other&CanTrue != 0 {
		out |= CanTrue
	}
	out |= both & CanFalse
	if o&CanNull != 0 && other&(CanNull|CanTrue) != 0 || other&CanNull != 0 && o&(CanNull|CanTrue) != 0 {
		out |= CanNull
	}
	return out
}

func (o Outcome) or(other Outcome) Outcome { return o.not().and(other.not()).not() }

func (o Outcome) not() Outcome {
	out := o & CanNull
	if o&CanTrue != 0 {
		out |= CanFalse
	}
	if o&CanFalse != 0 {
		out |= CanTrue
	}
	return out
}

func isNullOutcome(s StatsSource, field lake.FieldID) Outcome {
	var out Outcome
	stats, ok := rowStats(s, field)
	if !ok {
		return CanTrue | CanFalse
	}
	if stats.NullCount != 0 {
		out |= CanTrue
	}
	if !allNull(stats, s.RowCount()) {
		out |= CanFalse
	}
	return out
}

// domain says which values a column may hold in some rows.
type domain struct {
	typ       lake.Type
	null      bool // NULL may occur
	nan       bool // NaN may occur
	plain     bool // a value that is neither may occur, within the bounds
	min, max  *lake.Value
	singleton bool                  // min equals max and every plain value is equal to them
	equalFunc func(lake.Value) bool // false proves that no row equals the value; nil means unknown
}

// compare returns the outcomes of <column> op c.
func (d domain) compare(op Op, c lake.Value) Outcome {
	var out Outcome
	if d.null {
		out |= CanNull
	}
	less, equal, greater := d.orders(c)
	if less {
		out |= truth(op == OpLess || op == OpLessEqual || op == OpNotEqual)
	}
	if equal {
		out |= truth(op == OpEqual || op == OpLessEqual || op == OpGreaterEqual)
	}
	if greater {
		out |= truth(op == OpGreater || op == OpGreaterEqual || op == OpNotEqual)
	}
	return out
}

func truth(b bool) Outcome {
	if b {
		return CanTrue
	}
	return CanFalse
}

// orders reports whether a row may hold a value less than, equal to, or
// greater than c.
func (d domain) orders(c lake.Value) (less, equal, greater bool) {
	if d.plain {
		less = d.min == nil || lake.Compare(d.typ, *d.min, c) < 0
		greater = d.max == nil || lake.Compare(d.typ, *d.max, c) > 0
		equal = d.within(c)
		if equal && d.singleton {
			less, greater = false, false
		}
	}
	if d.nan {
		if isNaN(d.typ, c) {
			equal = true
		} else {
			greater = true
		}
	}
	return less, equal && (d.equalFunc == nil || d.equalFunc(c)), greater
}

// within reports whether c, which may be NaN, lies within the bounds of the
// plain values.
func (d domain) within(c lake.Value) bool {
	return !isNaN(d.typ, c) &&
		(d.min == nil || lake.Compare(d.typ, *d.min, c) <= 0) &&
		(d.max == nil || lake.Compare(d.typ, *d.max, c) >= 0)
}

// in returns the outcomes of <column> IN (values); values are sorted.
func (d domain) in(values []lake.Value) Outcome {
	if len(values) == 0 {
		return CanFalse
	}
	var out Outcome
	if d.null {
		out |= CanNull
	}
	if d.plain {
		start := 0
		if d.min != nil {
			start, _ = slices.BinarySearchFunc(values, *d.min, func(a, b lake.Value) int { return lake.Compare(d.typ, a, b) })
		}
		found := false
		for _, v := range values[start:] {
			if !d.within(v) {
				break // values are sorted: no later one is within the bounds either
			}
			if d.equalFunc == nil || d.equalFunc(v) {
				found = true
				break
			}
		}
		if found {
			out |= CanTrue
		}
		if !found || !d.singleton {
			out |= CanFalse
		}
	}
	if d.nan {
		out |= truth(isNaN(d.typ, values[len(values)-1])) // NaN sorts last
	}
	return out
}

func isNaN(t lake.Type, v lake.Value) bool { return t.Float() && v.Float != v.Float }
