package planner

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// CopiesMax bounds what DuckDB copies while it binds a statement, because a few bytes of
// text can name it again and again: tables of common table expressions that are NOT
// MATERIALIZED, expressions that other items of a select list name by their alias, and
// columns of stars over stars. Neither its memory limit nor an interruption is looked at
// there: a copy takes about 10 KB, so that 20 levels that double took all of a machine.
//
// Like ConstantElementsMax it is an estimate from the syntax tree.
const CopiesMax = 20_000

// checkExpansion refuses a query of which binding would make too much.
//
// Errors: KindExhausted.
func checkExpansion(st *sqltext.Statement, query object) error {
	e := &expansion{inlines: inlines(st)}
	tables := e.tables(map[string]any(query), nil)
	columns := e.columns(query, nil)
	if n := max(tables, columns, e.copies); n > CopiesMax {
		return lake.Errorf(lake.KindExhausted, "binding would make about %.0f tables, columns or expressions of the statement, by NOT MATERIALIZED, "+
			"aliases of its select lists or stars over stars; it may make %d", n, CopiesMax)
	}
	return nil
}

// inlines reports whether a statement says NOT MATERIALIZED, which its tree does not tell.
func inlines(st *sqltext.Statement) bool {
	for c := (sqltext.Cursor{Text: st.Text, Tokens: st.Tokens}); !c.End(); c.Pos++ {
		if c.IsWord(0, "NOT") && c.IsWord(1, "MATERIALIZED") {
			return true
		}
	}
	return false
}

// expansion estimates what binding makes of a query.
type expansion struct {
	// inlines is set if common table expressions may be NOT MATERIALIZED: all are then
	// taken to be. The others are bound once.
	inlines bool
	copies  float64
}

// sizes are those of the common table expressions in scope, innermost first.
type sizes struct {
	name  string
	size  float64
	outer *sizes
}

// of returns the size of what a table reference names; 1 for a table.
func (s *sizes) of(table object) float64 {
	if table.text("schema_name") == "" && table.text("catalog_name") == "" {
		for ; s != nil; s = s.outer {
			if strings.EqualFold(s.name, table.text("table_name")) {
				return s.size
			}
		}
	}
	return 1
}

// tables returns the tables and SELECTs that are made of a node, and adds up the copies of
// expressions in its select lists.
func (e *expansion) tables(node any, s *sizes) float64 {
	total := 0.0
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			total += e.tables(child, s)
		}
	case map[string]any:
		o := object(node)
		for _, entry := range o.object("cte_map").objects("map") {
			size := e.tables(map[string]any(entry.object("value")), s)
			if !e.inlines {
				total, size = total+size, 1
			}
			s = &sizes{name: entry.text("key"), size: size, outer: s}
		}
		switch o.text("type") {
		case "BASE_TABLE":
			return s.of(o)
		case "SELECT_NODE":
			total++
			e.aliases(o)
		}
		for key, child := range node {
			if key != "cte_map" {
				total += e.tables(child, s)
			}
		}
	}
	return total
}

// aliases adds up the copies that the items of a select list, and the clauses behind it,
// make of items before them.
func (e *expansion) aliases(query object) {
	sizes := map[string]float64{}
	for _, item := range query.objects("select_list") {
		own, copied := expressionSize(map[string]any(item), sizes)
		e.copies += copied
		if alias := strings.ToLower(item.text("alias")); alias != "" {
			sizes[alias] = own + copied
		}
	}
	for _, clause := range []string{"where_clause", "group_expressions", "having", "qualify"} {
		_, copied := expressionSize(query[clause], sizes)
		e.copies += copied
	}
}

// expressionSize returns the number of expressions in a node, and of those that its
// aliases stand for. Subqueries are counted by themselves.
func expressionSize(node any, aliases map[string]float64) (own, copied float64) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			o, c := expressionSize(child, aliases)
			own, copied = own+o, copied+c
		}
	case map[string]any:
		switch o := object(node); o.text("class") {
		case "SUBQUERY":
			return 1, 0
		case "COLUMN_REF":
			if names := o.texts("column_names"); len(names) == 1 {
				copied = aliases[strings.ToLower(names[0])]
			}
			return 1, copied
		case "":
		default:
			own = 1
		}
		for _, child := range node {
			o, c := expressionSize(child, aliases)
			own, copied = own+o, copied+c
		}
	}
	return own, copied
}

// columns returns the columns of a query or of what stands in FROM, where a table has one.
func (e *expansion) columns(o object, s *sizes) float64 {
	for _, entry := range o.object("cte_map").objects("map") {
		size := e.columns(entry.object("value").object("query").object("node"), s)
		s = &sizes{name: entry.text("key"), size: size, outer: s}
	}
	total := 0.0
	switch o.text("type") {
	case "SELECT_NODE":
		from := e.columns(o.object("from_table"), s)
		for _, item := range o.objects("select_list") {
			if item.text("class") == "STAR" && item.text("relation_name") == "" {
				total += from
			} else {
				total++
			}
		}
	case "SUBQUERY":
		total = e.columns(o.object("subquery").object("node"), s)
	case "JOIN":
		left, right := e.columns(o.object("left"), s), e.columns(o.object("right"), s)
		if total = left + right - float64(len(o.list("using_columns"))); o.text("ref_type") == "NATURAL" {
			total = max(left, right)
		}
	case "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE":
		total = e.columns(o.object("left"), s)
		for _, child := range o.objects("children") {
			total = max(total, e.columns(child, s))
		}
	case "BASE_TABLE":
		total = s.of(o)
	default:
		total = 1
	}
	return total
}
