package engine

import (
	"slices"
	"strings"
)

// tableName is a table as a statement names it; parts not given are empty.
type tableName struct{ catalog, schema, name string }

// String returns the name with its qualifiers.
func (t tableName) String() string {
	parts := slices.DeleteFunc([]string{t.catalog, t.schema, t.name}, func(part string) bool { return part == "" })
	return strings.Join(parts, ".")
}

// ofSystem reports whether the name is that of DuckDB's own, whatever the lake has.
func (t tableName) ofSystem() bool {
	return strings.EqualFold(t.catalog, "system") || strings.EqualFold(t.schema, "information_schema") || strings.EqualFold(t.schema, "pg_catalog")
}

// fileLike reports whether DuckDB may take the name of a table that does not exist for a
// file.
func (t tableName) fileLike() bool { return strings.ContainsAny(t.name, "./:\\*?[") }

// treeNames are the names that matter of a syntax tree.
type treeNames struct {
	// read are the tables whose rows it reads, without common table expressions.
	read []tableName
	// described are those of which it asks for the columns only.
	described []tableName
	// tableFunctions are called in FROM, functions anywhere else; in lower case.
	tableFunctions, functions []string
}

// scope is the names of common table expressions that hide tables, innermost first.
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

// walk collects the tables of a node and of all below it. described is set below
// DESCRIBE.
func (n *treeNames) walk(node any, s *scope, described bool) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			n.walk(child, s, described)
		}
	case map[string]any:
		s = n.ctes(node, s, described)
		switch node["type"] {
		case "RECURSIVE_CTE_NODE": // whose parts may name it
			s = &scope{name: field(node, "cte_name"), outer: s}
		case "SHOW_REF":
			described = described || node["show_type"] == "DESCRIBE"
		case "TABLE_FUNCTION":
			n.tableFunction(node, s, described)
			return
		case "BASE_TABLE":
			t := tableName{field(node, "catalog_name"), field(node, "schema_name"), field(node, "table_name")}
			switch {
			case t.within(s):
			case described:
				n.described = append(n.described, t)
			default:
				n.read = append(n.read, t)
			}
		}
		if class := node["class"]; class == "FUNCTION" || class == "WINDOW" {
			n.function(node)
		}
		n.children(node, s, described)
	}
}

func (n *treeNames) children(node map[string]any, s *scope, described bool) {
	for key, child := range node {
		if key != "cte_map" {
			n.walk(child, s, described)
		}
	}
}

// tableFunction collects a call in FROM and what it is made with.
func (n *treeNames) tableFunction(node map[string]any, s *scope, described bool) {
	for key, child := range node {
		call, ok := child.(map[string]any)
		if key != "function" || !ok {
			n.walk(child, s, described)
			continue
		}
		n.tableFunctions = append(n.tableFunctions, strings.ToLower(field(call, "function_name")))
		n.children(call, s, described)
	}
}

// function collects a call, unless it asks for a setting that is open.
func (n *treeNames) function(node map[string]any) {
	name := strings.ToLower(field(node, "function_name"))
	if name == "current_setting" && AllowedSetting(constantArgument(node)) {
		return
	}
	n.functions = append(n.functions, name)
}

// constantArgument returns the text that a function is called with; empty if its
// arguments are others.
func constantArgument(call map[string]any) string {
	arguments, _ := call["children"].([]any)
	if len(arguments) != 1 {
		return ""
	}
	argument, _ := arguments[0].(map[string]any)
	if argument["class"] != "CONSTANT" {
		return ""
	}
	value, _ := argument["value"].(map[string]any)
	return field(value, "value")
}

// ctes walks the common table expressions of a query, each of which sees the ones
// before it, and returns the scope of the query.
func (n *treeNames) ctes(node map[string]any, s *scope, described bool) *scope {
	all, _ := node["cte_map"].(map[string]any)
	entries, _ := all["map"].([]any)
	for _, e := range entries {
		if entry, ok := e.(map[string]any); ok {
			n.walk(entry["value"], s, described)
			s = &scope{name: field(entry, "key"), outer: s}
		}
	}
	return s
}

// within reports whether the name is that of a common table expression in scope. The
// table of a recursive one in the making is recurring.name.
func (t tableName) within(s *scope) bool {
	return t.catalog == "" && (t.schema == "" || strings.EqualFold(t.schema, "recurring")) && s.has(t.name)
}

func field(node map[string]any, key string) string {
	text, _ := node[key].(string)
	return text
}
