package expr

import (
	"slices"

	"github.com/flightlake/flightlake/lake"
)

// Simplify returns a Predicate with the same result on every row: nested And
// and Or are flattened, constants folded, and NOT pushed to where it can be
// absorbed. A nil p stays nil.
func Simplify(p Predicate) Predicate {
	switch p := p.(type) {
	case And:
		return simplifyTerms(p.Terms, true)
	case Or:
		return simplifyTerms(p.Terms, false)
	case Not:
		return simplifyNot(p.Term)
	case In:
		switch len(p.Values) {
		case 0:
			return Constant{}
		case 1:
			return Compare{Field: p.Field, Type: p.Type, Op: OpEqual, Value: p.Values[0]}
		}
	}
	return p
}

// simplifyTerms joins terms by AND or OR. TRUE is neutral for AND and FALSE
// decides it; for OR it is the other way round. NULL is neither.
func simplifyTerms(terms []Predicate, conjunction bool) Predicate {
	var out []Predicate
	for _, t := range terms {
		t = Simplify(t)
		if c, ok := t.(Constant); ok && !c.Null {
			if c.Value != conjunction {
				return c
			}
			continue
		}
		if and, ok := t.(And); ok && conjunction {
			out = append(out, and.Terms...)
		} else if or, ok := t.(Or); ok && !conjunction {
			out = append(out, or.Terms...)
		} else {
			out = append(out, t)
		}
	}
	switch {
	case len(out) == 0:
		return Constant{Value: conjunction}
	case len(out) == 1:
		return out[0]
	case conjunction:
		return And{Terms: out}
	}
	return Or{Terms: out}
}

func simplifyNot(term Predicate) Predicate {
	switch t := term.(type) {
	case Not:
		return Simplify(t.Term)
	case And:
		return simplifyTerms(negated(t.Terms), false)
	case Or:
		return simplifyTerms(negated(t.Terms), true)
	case Compare:
		t.Op = t.Op.negated()
		return t
	case Constant:
		if !t.Null {
			t.Value = !t.Value
		}
		return t
	case In:
		if s := Simplify(t); s != nil {
			if _, still := s.(In); !still {
				return simplifyNot(s)
			}
		}
	}
	return Not{Term: term}
}

func negated(terms []Predicate) []Predicate {
	out := make([]Predicate, len(terms))
	for i, t := range terms {
		out[i] = Not{Term: t}
	}
	return out
}

// negated returns the operator of NOT (a op b); the order of values is total,
// NaN included, so that there always is one.
func (o Op) negated() Op {
	switch o {
	case OpEqual:
		return OpNotEqual
	case OpNotEqual:
		return OpEqual
	case OpLess:
		return OpGreaterEqual
	case OpLessEqual:
		return OpGreater
	case OpGreater:
		return OpLessEqual
	case OpGreaterEqual:
		return OpLess
	}
	return o
}

// Fields returns the fields that p reads, ascending, each once.
func Fields(p Predicate) []lake.FieldID {
	var out []lake.FieldID
	walk(p, func(p Predicate) {
		switch p := p.(type) {
		case Compare:
			out = append(out, p.Field)
		case In:
			out = append(out, p.Field)
		case IsNull:
			out = append(out, p.Field)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// Evaluable reports whether p can be evaluated on batches: it holds no Opaque
// and compares only types whose values are compared as DuckDB does, which
// leaves out timetz. A nil p is.
func Evaluable(p Predicate) bool {
	ok := true
	walk(p, func(p Predicate) {
		switch p := p.(type) {
		case Compare:
			ok = ok && compared(p.Type)
		case In:
			ok = ok && compared(p.Type)
		case Opaque:
			ok = false
		}
	})
	return ok
}

func walk(p Predicate, fn func(Predicate)) {
	if p == nil {
		return
	}
	fn(p)
	switch p := p.(type) {
	case And:
		for _, t := range p.Terms {
			walk(t, fn)
		}
	case Or:
		for _, t := range p.Terms {
			walk(t, fn)
		}
	case Not:
		walk(p.Term, fn)
	}
}

// MaskRepeated returns p with every term over a field inside a list or map
// replaced by an Opaque: such a term is about elements, not rows, so that the
// statistics of the leaf neither prove nor disprove it.
func MaskRepeated(p Predicate, columns []lake.Column) Predicate {
	repeated := make(map[lake.FieldID]bool)
	for i := range columns {
		markRepeated(&columns[i], false, repeated)
	}
	return maskFields(p, repeated)
}

func markRepeated(c *lake.Column, inside bool, out map[lake.FieldID]bool) {
	if inside {
		out[c.ID] = true
	}
	inside = inside || c.Type.ID == lake.TypeList || c.Type.ID == lake.TypeMap
	for i := range c.Children {
		markRepeated(&c.Children[i], inside, out)
	}
}

func maskFields(p Predicate, masked map[lake.FieldID]bool) Predicate {
	switch p := p.(type) {
	case And:
		return And{Terms: maskAll(p.Terms, masked)}
	case Or:
		return Or{Terms: maskAll(p.Terms, masked)}
	case Not:
		return Not{Term: maskFields(p.Term, masked)}
	case Compare, In, IsNull:
		if slices.ContainsFunc(Fields(p), func(id lake.FieldID) bool { return masked[id] }) {
			return Opaque{Text: Format(p, nil)}
		}
	}
	return p
}

func maskAll(terms []Predicate, masked map[lake.FieldID]bool) []Predicate {
	out := make([]Predicate, len(terms))
	for i, t := range terms {
		out[i] = maskFields(t, masked)
	}
	return out
}
