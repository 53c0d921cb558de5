package planner

import (
	"strings"

	"github.com/flightlake/flightlake/expr"
)

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// describe renders an expression of DuckDB's plan for people to read. It is
// not SQL that could be run.
func describe(o object) string {
	switch o.text("expression_class") {
	case "BOUND_REF":
		return o.text("alias")
	case "BOUND_CONSTANT":
		c, ok := decodeConstant(o.object("value"))
		switch {
		case ok && c.null:
			return "NULL"
		case ok:
			return expr.SQLLiteral(c.typ, c.value)
		}
		return "..."
	case "BOUND_PARAMETER":
		return "$" + o.text("identifier")
	case "BOUND_COMPARISON":
		if op, ok := comparisonOp(o.text("type")); ok {
			return describe(o.object("left")) + " " + op.String() + " " + describe(o.object("right"))
		}
		return describe(o.object("left")) + " " + phrase(o.text("type"), "COMPARE_") + " " + describe(o.object("right"))
	case "BOUND_CAST":
		return "CAST(" + describe(o.object("child")) + " AS " + o.object("return_type").text("id") + ")"
	case "BOUND_CONJUNCTION":
		return describeAll(o.objects("children"), " "+phrase(o.text("type"), "CONJUNCTION_")+" ")
	case "BOUND_BETWEEN":
		return describe(o.object("input")) + " BETWEEN " + describe(o.object("lower")) + " AND " + describe(o.object("upper"))
	case "BOUND_FUNCTION":
		children := o.objects("children")
		if o.flag("is_operator") && len(children) == 2 {
			return describe(children[0]) + " " + o.text("name") + " " + describe(children[1])
		}
		return o.text("name") + "(" + describeAll(children, ", ") + ")"
	case "BOUND_OPERATOR":
		return phrase(o.text("type"), "OPERATOR_") + "(" + describeAll(o.objects("children"), ", ") + ")"
	}
	return phrase(o.text("type"), "")
}

func describeAll(list []object, separator string) string {
	texts := make([]string, len(list))
	for i, o := range list {
		texts[i] = describe(o)
	}
	return strings.Join(texts, separator)
}

// phrase turns DuckDB's name of an operator into words.
func phrase(name, prefix string) string {
	return strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", " ")
}
