// Package expr holds the Predicate, which is both a pruner and a filter: it is
// evaluated on statistics, where the answer is which outcomes are possible,
// and on record batches, where the answer is exact. It also holds Scan, the
// description of a pruned read of one table.
//
// It does not parse SQL (package planner makes Predicates from DuckDB's plans)
// and reads no files.
package expr

import (
	"github.com/flightlake/flightlake/lake"
)

// Op is a comparison operator.
type Op uint8

// The comparison operators, with SQL's meaning on NULL (the result is NULL),
// and DuckDB's on floats: NaN = NaN, NaN is the greatest value, -0 = +0.
const (
	OpEqual Op = iota
	OpNotEqual
	OpLess
	OpLessEqual
	OpGreater
	OpGreaterEqual
)

// Predicate is a boolean expression over the leaf columns of one table. The
// concrete types are And, Or, Not, Compare, In, IsNull, Constant and Opaque;
// there are no others. Predicates are immutable.
type Predicate interface{ predicate() }

// And is true if all terms are. An empty And is true.
type And struct{ Terms []Predicate }

// Or is true if one term is. An empty Or is false.
type Or struct{ Terms []Predicate }

// Not is SQL's NOT: NULL stays NULL.
type Not struct{ Term Predicate }

// Compare is column <op> value.
type Compare struct {
	Field lake.FieldID
	Type  lake.Type
	Op    Op
	Value lake.Value
}

// In is column IN (values). Values holds no NULL and is sorted by lake.Compare.
type In struct {
	Field  lake.FieldID
	Type   lake.Type
	Values []lake.Value
}

// IsNull is column IS NULL. Its Not is IS NOT NULL. It never yields NULL. Field
// is a leaf, or a nested column of which no statistics are known.
type IsNull struct{ Field lake.FieldID }

// Constant is TRUE, FALSE or NULL.
type Constant struct {
	Value bool
	Null  bool
}

// Opaque stands for an expression that is not understood: on statistics every
// outcome is possible, on batches it cannot be evaluated. Text is its SQL, for
// EXPLAIN.
type Opaque struct{ Text string }

func (And) predicate()      {}
func (Or) predicate()       {}
func (Not) predicate()      {}
func (Compare) predicate()  {}
func (In) predicate()       {}
func (IsNull) predicate()   {}
func (Constant) predicate() {}
func (Opaque) predicate()   {}
