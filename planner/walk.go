package planner

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

func itoa(i int) string { return strconv.Itoa(i) }

// scope is the names of common table expressions that shadow tables, innermost
// first.
type scope struct {
	name  string
	outer *scope
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if strings.EqualFold(s.name, name) {
			return true
		}
	}
	return false
}

// walker collects what a syntax tree names.
type walker struct {
	analysis  *Analysis
	tokens    tokenIndex
	completed *sqltext.Completed // whose tree it is; nil if it is that of the statement
	err       error
	// selects counts the SELECT nodes met; within is the number of the one that
	// is being visited, 0 outside of all.
	selects, within int
	described       bool // below DESCRIBE or SHOW
	oversize        oversize
}

// walk visits v and all below it. inSelect is set inside a select list, where
// an expression's text names a column of the result.
func (w *walker) walk(v any, s *scope, inSelect bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			w.walk(e, s, inSelect)
		}
	case map[string]any:
		w.node(v, s, inSelect)
	}
}

func (w *walker) node(o object, s *scope, inSelect bool) {
	switch o.text("type") {
	case "SELECT_NODE":
		s = w.ctes(o, s)
		outer := w.within
		w.selects++
		w.within = w.selects
		defer func() { w.within = outer }()
	case "SET_OPERATION_NODE":
		s = w.ctes(o, s)
	case "RECURSIVE_CTE_NODE", "CTE_NODE":
		s = w.ctes(o, s)
		if name := o.text("cte_name"); name != "" {
			s = &scope{name: name, outer: s}
		}
	case "BASE_TABLE":
		w.table(o, s)
		w.walk(o["at_clause"], s, false)
		return
	case "TABLE_FUNCTION":
		w.tableFunction(o)
	case "SHOW_REF":
		w.analysis.Lists = w.analysis.Lists || o["query"] == nil
		outer := w.described
		w.described = outer || o.text("show_type") != "SUMMARY"
		defer func() { w.described = outer }()
	}
	switch o.text("class") {
	case "FUNCTION", "WINDOW":
		w.function(o, inSelect)
		if err := w.oversize.add(o); err != nil && w.err == nil {
			w.err = err
		}
	case "COLUMN_REF":
		w.column(o, inSelect)
	}
	for key, child := range o {
		switch key {
		case "cte_map":
		case "function": // of a TABLE_FUNCTION: its rows stream
			w.callInFrom(asObject(child), s, inSelect)
		case "select_list":
			w.walk(child, s, true)
		default:
			w.walk(child, s, inSelect)
		}
	}
}

// ctes visits the common table expressions of a query, each of which sees the
// ones before it, and returns the scope of the query.
func (w *walker) ctes(o object, s *scope) *scope {
	for _, entry := range o.object("cte_map").objects("map") {
		w.walk(map[string]any(entry.object("value")), s, false)
		w.analysis.names[strings.ToLower(entry.text("key"))] = true
		s = &scope{name: entry.text("key"), outer: s}
	}
	return s
}

func (w *walker) table(o object, s *scope) {
	ref := TableRef{
		Catalog: o.text("catalog_name"), Schema: o.text("schema_name"), Name: o.text("table_name"),
		Alias: o.text("alias"), ColumnAliases: o.texts("column_name_alias"), within: w.within,
		Described: w.described,
	}
	if ref.Alias != "" {
		w.analysis.names[strings.ToLower(ref.Alias)] = true
	}
	unqualified := ref.Schema == "" || strings.EqualFold(ref.Schema, "recurring")
	if unqualified && ref.Catalog == "" && s.has(ref.Name) {
		return
	}
	c, ok := w.cursor(o)
	if !ok {
		w.fail("table", ref.String())
		return
	}
	if !placeTable(c, &ref) || (ref.At != nil) != (o["at_clause"] != nil) {
		w.fail("table", ref.String())
		return
	}
	ref.classify()
	w.analysis.Tables = append(w.analysis.Tables, ref)
}

// fail reports a table or a function whose place in the text was not found. It can be
// neither replaced nor checked, so the statement cannot run.
func (w *walker) fail(what, name string) {
	if w.err == nil {
		w.err = lake.Errorf(lake.KindUnsupported, "the place of %s %q in the statement was not found", what, name)
	}
}

// cursor returns a cursor at the node's place in the text.
func (w *walker) cursor(o object) (*sqltext.Cursor, bool) {
	offset, ok := o.index("query_location")
	if !ok {
		return nil, false
	}
	if w.completed != nil {
		offset = w.completed.Offset(offset)
	}
	i, ok := w.tokens.at(offset)
	if !ok {
		return nil, false
	}
	return &sqltext.Cursor{Text: w.analysis.Statement.Text, Tokens: w.tokens, Pos: i}, true
}

// callInFrom visits what a call of a table function, which tableFunction notes, is made with.
func (w *walker) callInFrom(o object, s *scope, inSelect bool) {
	for _, child := range o {
		w.walk(child, s, inSelect)
	}
}

func (w *walker) tableFunction(o object) {
	f := o.object("function")
	tf := TableFunction{Schema: f.text("schema"), Name: f.text("function_name"), Alias: o.text("alias")}
	c, ok := w.cursor(o)
	if !ok {
		w.fail("function", tf.Name)
		return
	}
	tf.Span.Start = c.Offset()
	for !c.End() && !c.IsOp(0, "(") {
		c.Pos++
	}
	args, err := sqltext.Arguments(c)
	if err != nil {
		w.fail("function", tf.Name)
		return
	}
	tf.Args, tf.Span.End = args, c.PrevEnd()
	w.analysis.TableFunctions = append(w.analysis.TableFunctions, tf)
}

func (w *walker) function(o object, inSelect bool) {
	name := strings.ToLower(o.text("function_name"))
	if !strings.ContainsFunc(name, unicode.IsLetter) { // an operator
		return
	}
	w.analysis.Functions = append(w.analysis.Functions, name)
	if name == "current_setting" {
		w.analysis.Settings = append(w.analysis.Settings, settingName(o))
	}
	if kind, ok := unstableKind(name, len(o.list("children"))); ok {
		u := unstable{name: name, kind: kind, inSelect: inSelect}
		if c, ok := w.cursor(o); ok && c.IsOp(1, "(") && c.IsOp(2, ")") {
			c.Pos += 3
			u.span, u.placed = sqltext.Span{Start: c.Tokens[c.Pos-3].Start, End: c.PrevEnd()}, true
		}
		w.analysis.unstable = append(w.analysis.unstable, u)
	}
}

// settingName returns the constant that current_setting is called with, in lower
// case; empty if it is none.
func settingName(call object) string {
	arguments := call.objects("children")
	if len(arguments) != 1 || arguments[0].text("class") != "CONSTANT" {
		return ""
	}
	return strings.ToLower(arguments[0].object("value").text("value"))
}

// column finds current_date and its like, which are parsed as columns.
func (w *walker) column(o object, inSelect bool) {
	names := o.texts("column_names")
	if len(names) != 1 {
		return
	}
	name := strings.ToLower(names[0])
	kind, ok := unstableKind(name, 0)
	if !ok || !strings.HasPrefix(name, "current_") && !strings.HasPrefix(name, "local") {
		return
	}
	u := unstable{name: name, kind: kind, inSelect: inSelect}
	if c, ok := w.cursor(o); ok && strings.EqualFold(c.Of(c.Tokens[c.Pos]), name) {
		// A column of that name would be quoted, or would shadow: see Pin.
		u.span, u.placed = sqltext.Span{Start: c.Offset(), End: c.Tokens[c.Pos].End}, true
	}
	w.analysis.unstable = append(w.analysis.unstable, u)
}
