package planner

import (
	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/internal/duckjson"
	"github.com/flightlake/flightlake/lake"
)

// get is one LOGICAL_GET of a twin.
type get struct {
	ref     int            // ordinal of the reference
	columns []lake.FieldID // top-level columns read, in the order of the table
	outputs []*lake.Column // by index of a BOUND_REF of the operator above; nil where not known
	prune   expr.Predicate // with filters that need not be applied
	exact   expr.Predicate // what the operator applies
	plain   bool           // every output is a whole top-level column
}

// shape is what matters here of an optimised plan.
type shape struct {
	root object
	gets []get
	refs map[string]int // ordinal of the reference by name of its twin
	// tables are the references' tables.
	tables []*lake.Table
}

// empty reports whether the optimiser found out that there are no rows.
func (s *shape) empty() bool {
	o := s.root
	for {
		switch o.text("type") {
		case "LOGICAL_EMPTY_RESULT":
			return true
		case "LOGICAL_PROJECTION", "LOGICAL_FILTER", "LOGICAL_ORDER_BY", "LOGICAL_TOP_N", "LOGICAL_LIMIT", "LOGICAL_DISTINCT":
		default:
			return false
		}
		children := o.objects("children")
		if len(children) != 1 {
			return false
		}
		o = children[0]
	}
}

func readShape(tree []byte, refs map[string]int, tables []*lake.Table) (*shape, error) {
	root, err := duckjson.Decode(tree)
	if err != nil {
		return nil, err
	}
	plans := object(root).objects("plans")
	if len(plans) != 1 {
		return nil, lake.Errorf(lake.KindInternal, "DuckDB made %d plans of one statement", len(plans))
	}
	s := &shape{root: plans[0], refs: refs, tables: tables}
	s.walk(s.root, nil)
	return s, nil
}

// walk collects the GETs below o; filter is o's parent if that is a FILTER.
func (s *shape) walk(o, filter object) {
	if g, ok := s.get(o); ok {
		if filter != nil {
			c := converter{columns: g.outputs, optional: true}
			terms := []expr.Predicate{g.prune}
			for _, e := range filter.objects("expressions") {
				terms = append(terms, c.expression(e))
			}
			g.prune = expr.And{Terms: terms}
		}
		s.gets = append(s.gets, g)
		return
	}
	var above object
	if o.text("type") == "LOGICAL_FILTER" {
		above = o
	}
	for _, child := range o.objects("children") {
		s.walk(child, above)
	}
}

// get reads a LOGICAL_GET of a twin.
func (s *shape) get(o object) (get, bool) {
	if o.text("type") != "LOGICAL_GET" {
		return get{}, false
	}
	ref, ok := s.refs[o.object("function_data").text("table")]
	if !ok {
		return get{}, false
	}
	g := get{ref: ref, plain: true}
	table := s.tables[ref]
	indexes := o.objects("column_indexes")
	read := make([]*lake.Column, len(indexes))
	used := make([]bool, len(table.Columns))
	for i, index := range indexes {
		read[i] = columnAt(table, index)
		if top, ok := index.index("index"); ok && top < len(used) {
			used[top] = true
		}
		g.plain = g.plain && index.text("index_type") == "FULL_READ"
	}
	for i := range table.Columns {
		if used[i] {
			g.columns = append(g.columns, table.Columns[i].ID)
		}
	}
	g.outputs = pick(read, o.list("projection_ids"))
	g.prune = tableFilters(o, table, true)
	g.exact = tableFilters(o, table, false)
	return g, true
}

// columnAt returns the column, or struct field, that a column index names; nil
// for row ids and what else is no column.
func columnAt(table *lake.Table, index object) *lake.Column {
	top, ok := index.index("index")
	if !ok || top >= len(table.Columns) {
		return nil
	}
	col := &table.Columns[top]
	if index.text("index_type") != "PUSHDOWN_EXTRACT" {
		return col
	}
	for children := index.objects("child_indexes"); len(children) > 0; {
		i, ok := children[0].index("index")
		if len(children) != 1 || !ok || col.Type.ID != lake.TypeStruct || i >= len(col.Children) {
			return nil
		}
		col = &col.Children[i]
		children = children[0].objects("child_indexes")
	}
	return col
}

// pick returns the columns that ids number, all of them if there are no ids.
func pick(columns []*lake.Column, ids []any) []*lake.Column {
	if len(ids) == 0 {
		return columns
	}
	out := make([]*lake.Column, len(ids))
	for i, id := range ids {
		if n, ok := asIndex(id); ok && n < len(columns) {
			out[i] = columns[n]
		}
	}
	return out
}

// tableFilters converts the filters inside a GET, whose keys number the columns
// of the table.
func tableFilters(o object, table *lake.Table, optional bool) expr.Predicate {
	var terms []expr.Predicate
	for _, f := range o.object("table_filters").objects("filters") {
		var col *lake.Column
		if key, ok := f.index("key"); ok && key < len(table.Columns) {
			col = &table.Columns[key]
		}
		terms = append(terms, converter{optional: optional}.filter(f.object("value"), col))
	}
	return expr.And{Terms: terms}
}
