package planner

import (
	"time"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// secondsPerDay is that of a day without leap second, as DuckDB counts.
const secondsPerDay = 24 * 60 * 60

// converter turns filters and expressions of DuckDB's plan into Predicates over
// the columns that BOUND_REFs number. What it does not understand is Opaque.
type converter struct {
	// columns are the columns that a BOUND_REF names by its index; nil where
	// there is none that the lake knows.
	columns []*lake.Column
	// optional says whether filters that DuckDB need not apply are included:
	// they are implied by others, and good for pruning only.
	optional bool
}

func opaque(o object) expr.Predicate { return expr.Opaque{Text: describe(o)} }

// filter converts a table filter on column col.
func (c converter) filter(o object, col *lake.Column) expr.Predicate {
	switch o.text("filter_type") {
	case "CONSTANT_COMPARISON":
		value, ok := decodeConstant(o.object("constant"))
		if p, ok2 := comparison(o.text("comparison_type"), col, value); ok && ok2 {
			return p
		}
	case "IS_NULL":
		if col != nil {
			return expr.IsNull{Field: col.ID}
		}
	case "IS_NOT_NULL":
		if col != nil {
			return expr.Not{Term: expr.IsNull{Field: col.ID}}
		}
	case "CONJUNCTION_AND":
		return expr.And{Terms: c.filters(o, col)}
	case "CONJUNCTION_OR":
		return expr.Or{Terms: c.filters(o, col)}
	case "IN_FILTER":
		if p, ok := in(col, o.objects("values")); ok {
			return p
		}
	case "STRUCT_EXTRACT":
		if child := structChild(col, o.text("child_name"), o); child != nil {
			return c.filter(o.object("child_filter"), child)
		}
	case "OPTIONAL_FILTER":
		if !c.optional {
			return expr.Constant{Value: true}
		}
		if child := o.object("child_filter"); child != nil {
			return c.filter(child, col)
		}
		return expr.Constant{Value: true}
	case "EXPRESSION_FILTER":
		inner := converter{columns: []*lake.Column{col}, optional: c.optional}
		return inner.expression(o.object("expr"))
	case "DYNAMIC_FILTER", "BLOOM_FILTER":
		return expr.Constant{Value: true} // set while the query runs; implied by a join or TOP N
	}
	return expr.Opaque{Text: o.text("filter_type")}
}

func (c converter) filters(o object, col *lake.Column) []expr.Predicate {
	children := o.objects("child_filters")
	terms := make([]expr.Predicate, len(children))
	for i, child := range children {
		terms[i] = c.filter(child, col)
	}
	return terms
}

func structChild(col *lake.Column, name string, o object) *lake.Column {
	if col == nil || col.Type.ID != lake.TypeStruct {
		return nil
	}
	i, ok := o.index("child_idx")
	if !ok || i >= len(col.Children) || name != "" && !equalFold(col.Children[i].Name, name) {
		return nil
	}
	return &col.Children[i]
}

// comparison is column <op> constant.
func comparison(op string, col *lake.Column, value constant) (expr.Predicate, bool) {
	if col == nil || col.Type.Nested() {
		return nil, false
	}
	switch op {
	case "COMPARE_DISTINCT_FROM":
		p, ok := comparison("COMPARE_NOT_DISTINCT_FROM", col, value)
		return expr.Not{Term: p}, ok
	case "COMPARE_NOT_DISTINCT_FROM":
		if value.null {
			return expr.IsNull{Field: col.ID}, true
		}
		p, ok := comparison("COMPARE_EQUAL", col, value)
		return expr.And{Terms: []expr.Predicate{expr.Not{Term: expr.IsNull{Field: col.ID}}, p}}, ok
	}
	o, ok := comparisonOp(op)
	if !ok {
		return nil, false
	}
	if value.null {
		return expr.Constant{Null: true}, true
	}
	if !fits(col.Type, value.typ) {
		return nil, false
	}
	return expr.Compare{Field: col.ID, Type: col.Type, Op: o, Value: value.value}, true
}

func comparisonOp(op string) (expr.Op, bool) {
	switch op {
	case "COMPARE_EQUAL":
		return expr.OpEqual, true
	case "COMPARE_NOTEQUAL":
		return expr.OpNotEqual, true
	case "COMPARE_LESSTHAN":
		return expr.OpLess, true
	case "COMPARE_LESSTHANOREQUALTO":
		return expr.OpLessEqual, true
	case "COMPARE_GREATERTHAN":
		return expr.OpGreater, true
	case "COMPARE_GREATERTHANOREQUALTO":
		return expr.OpGreaterEqual, true
	}
	return 0, false
}

// flipped returns the comparison with its sides exchanged.
func flipped(op string) string {
	switch op {
	case "COMPARE_LESSTHAN":
		return "COMPARE_GREATERTHAN"
	case "COMPARE_LESSTHANOREQUALTO":
		return "COMPARE_GREATERTHANOREQUALTO"
	case "COMPARE_GREATERTHAN":
		return "COMPARE_LESSTHAN"
	case "COMPARE_GREATERTHANOREQUALTO":
		return "COMPARE_LESSTHANOREQUALTO"
	}
	return op
}

// in is column IN (values); a NULL among them makes it NULL where it is not true.
func in(col *lake.Column, values []object) (expr.Predicate, bool) {
	if col == nil || col.Type.Nested() {
		return nil, false
	}
	p := expr.In{Field: col.ID, Type: col.Type}
	null := false
	for _, v := range values {
		c, ok := decodeConstant(v)
		switch {
		case !ok:
			return nil, false
		case c.null:
			null = true
		case !fits(col.Type, c.typ):
			return nil, false
		default:
			p.Values = append(p.Values, c.value)
		}
	}
	p.Values = sortValues(col.Type, p.Values)
	if null {
		return expr.Or{Terms: []expr.Predicate{p, expr.Constant{Null: true}}}, true
	}
	return p, true
}

// expression converts a boolean expression.
func (c converter) expression(o object) expr.Predicate {
	p, ok := c.understood(o)
	if !ok {
		return opaque(o)
	}
	return p
}

func (c converter) understood(o object) (expr.Predicate, bool) {
	switch o.text("expression_class") {
	case "BOUND_COMPARISON":
		return c.comparison(o)
	case "BOUND_CONJUNCTION":
		children := o.objects("children")
		terms := make([]expr.Predicate, len(children))
		for i, child := range children {
			terms[i] = c.expression(child)
		}
		switch o.text("type") {
		case "CONJUNCTION_AND":
			return expr.And{Terms: terms}, true
		case "CONJUNCTION_OR":
			return expr.Or{Terms: terms}, true
		}
	case "BOUND_OPERATOR":
		return c.operator(o)
	case "BOUND_BETWEEN":
		return c.between(o)
	case "BOUND_CONSTANT":
		value, ok := decodeConstant(o.object("value"))
		if ok && (value.null || value.typ.ID == lake.TypeBoolean) {
			return expr.Constant{Value: value.value.Int != 0, Null: value.null}, true
		}
	case "BOUND_REF":
		if col := c.column(o); col != nil && col.Type.ID == lake.TypeBoolean {
			return expr.Compare{Field: col.ID, Type: col.Type, Op: expr.OpEqual, Value: lake.Value{Int: 1}}, true
		}
	case "BOUND_FUNCTION":
		return c.function(o)
	}
	return nil, false
}

func (c converter) comparison(o object) (expr.Predicate, bool) {
	op, left, right := o.text("type"), o.object("left"), o.object("right")
	if left.text("expression_class") == "BOUND_CONSTANT" {
		op, left, right = flipped(op), right, left
	}
	if right.text("expression_class") != "BOUND_CONSTANT" {
		return nil, false
	}
	value, ok := decodeConstant(right.object("value"))
	if !ok {
		return nil, false
	}
	if col := c.column(left); col != nil {
		return comparison(op, col, value)
	}
	return c.year(op, left, value)
}

// year is year(column) = constant, as a range. It is FALSE for an infinite date
// where DuckDB has NULL, so it is good for pruning only: a predicate that is
// true stays true if FALSE takes the place of a NULL in it.
func (c converter) year(op string, o object, value constant) (expr.Predicate, bool) {
	children := o.objects("children")
	if !c.optional || op != "COMPARE_EQUAL" || o.text("name") != "year" || len(children) != 1 ||
		value.null || value.typ.ID != lake.TypeInt64 || value.value.Int < 1 || value.value.Int > 9998 {
		return nil, false
	}
	col := c.column(children[0])
	if col == nil || col.Type.ID != lake.TypeDate && col.Type.ID != lake.TypeTimestamp {
		return nil, false
	}
	start := func(year int64) lake.Value {
		at := time.Date(int(year), time.January, 1, 0, 0, 0, 0, time.UTC)
		if col.Type.ID == lake.TypeDate {
			return lake.Value{Int: at.Unix() / secondsPerDay}
		}
		return lake.Value{Int: at.UnixMicro()}
	}
	return expr.And{Terms: []expr.Predicate{
		expr.Compare{Field: col.ID, Type: col.Type, Op: expr.OpGreaterEqual, Value: start(value.value.Int)},
		expr.Compare{Field: col.ID, Type: col.Type, Op: expr.OpLess, Value: start(value.value.Int + 1)},
	}}, true
}

func (c converter) between(o object) (expr.Predicate, bool) {
	col := c.column(o.object("input"))
	lower, ok1 := decodeConstant(o.object("lower").object("value"))
	upper, ok2 := decodeConstant(o.object("upper").object("value"))
	if col == nil || !ok1 || !ok2 {
		return nil, false
	}
	from, to := "COMPARE_GREATERTHAN", "COMPARE_LESSTHAN"
	if o.flag("lower_inclusive") {
		from = "COMPARE_GREATERTHANOREQUALTO"
	}
	if o.flag("upper_inclusive") {
		to = "COMPARE_LESSTHANOREQUALTO"
	}
	p1, ok1 := comparison(from, col, lower)
	p2, ok2 := comparison(to, col, upper)
	return expr.And{Terms: []expr.Predicate{p1, p2}}, ok1 && ok2
}

func (c converter) operator(o object) (expr.Predicate, bool) {
	children := o.objects("children")
	if len(children) == 0 {
		return nil, false
	}
	col := c.column(children[0])
	switch o.text("type") {
	case "OPERATOR_NOT":
		return expr.Not{Term: c.expression(children[0])}, true
	case "OPERATOR_IS_NULL":
		if col != nil {
			return expr.IsNull{Field: col.ID}, true
		}
	case "OPERATOR_IS_NOT_NULL":
		if col != nil {
			return expr.Not{Term: expr.IsNull{Field: col.ID}}, true
		}
	case "COMPARE_IN", "COMPARE_NOT_IN":
		values := make([]object, 0, len(children))
		for _, child := range children[1:] {
			values = append(values, child.object("value"))
		}
		p, ok := in(col, values)
		if ok && o.text("type") == "COMPARE_NOT_IN" {
			p = expr.Not{Term: p}
		}
		return p, ok
	}
	return nil, false
}

// function converts the tests for a prefix, which are ranges of bytes.
func (c converter) function(o object) (expr.Predicate, bool) {
	children := o.objects("children")
	switch o.text("name") {
	case "starts_with", "prefix", "^@":
	default:
		return nil, false
	}
	if len(children) != 2 || children[1].text("expression_class") != "BOUND_CONSTANT" {
		return nil, false
	}
	col := c.column(children[0])
	prefix, ok := decodeConstant(children[1].object("value"))
	if col == nil || col.Type.ID != lake.TypeVarchar || !ok || prefix.null || prefix.typ.ID != lake.TypeVarchar {
		return nil, false
	}
	next, ok := successor(prefix.value.Bytes)
	if !ok {
		return nil, false
	}
	return expr.And{Terms: []expr.Predicate{
		expr.Compare{Field: col.ID, Type: col.Type, Op: expr.OpGreaterEqual, Value: prefix.value},
		expr.Compare{Field: col.ID, Type: col.Type, Op: expr.OpLess, Value: lake.Value{Bytes: next}},
	}}, true
}

// column returns the column, or struct field, that an expression is.
func (c converter) column(o object) *lake.Column {
	switch o.text("expression_class") {
	case "BOUND_REF":
		if i, ok := o.index("index"); ok && i < len(c.columns) {
			return c.columns[i]
		}
	case "BOUND_FUNCTION":
		children := o.objects("children")
		if o.text("name") != "struct_extract" || len(children) != 2 {
			return nil
		}
		col := c.column(children[0])
		key, ok := decodeConstant(children[1].object("value"))
		if col == nil || !ok || key.null || key.typ.ID != lake.TypeVarchar || col.Type.ID != lake.TypeStruct {
			return nil
		}
		for i := range col.Children {
			if equalFold(col.Children[i].Name, key.value.Bytes) {
				return &col.Children[i]
			}
		}
	}
	return nil
}
