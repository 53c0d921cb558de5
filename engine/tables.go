package engine

import (
	"encoding/json"
	"slices"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// checkTables refuses a statement that reads a table of the mirror, or an empty
// temporary table of an Overlay: it would find no rows. Below DESCRIBE a statement
// may name them, since it asks for their columns. What cannot be understood is
// refused.
//
// Errors: KindUnsupported.
func (c *connection) checkTables(sql string) error {
	sql = explained(sql)
	if c.namesNone(sql) {
		return nil
	}
	tree, err := c.syntaxTree(sql)
	if err != nil {
		return err
	}
	if tree == nil {
		return notReadable("tables")
	}
	found := &tableNames{}
	found.walk(tree, nil, false)
	for _, name := range found.functions { // others may be macros that read tables
		if name != ScanFunction && name != parquetFunction && !AllowedTableFunction(name) {
			return notReadable(name)
		}
	}
	for _, t := range found.read {
		if ok, err := c.hasRows(t); err != nil || !ok {
			if err == nil {
				err = notReadable(t.String())
			}
			return err
		}
	}
	return nil
}

func notReadable(what string) error {
	return lake.Errorf(lake.KindUnsupported, "reading %s in this place of a statement is not supported", what)
}

// namesNone reports whether a statement names no table without rows for sure. DuckDB
// tells the tables of most statements, without those that are common table expressions
// or views of its own; of UNPIVOT, several statements and parameters it does not.
func (c *connection) namesNone(sql string) bool {
	list := duckdb.GetTableNames(c.conn, sql, true)
	if list.Ptr == nil {
		return false
	}
	defer duckdb.DestroyValue(&list)
	for i := range duckdb.GetListSize(list) {
		child := duckdb.GetListChild(list, i)
		name := duckdb.GetVarchar(child)
		duckdb.DestroyValue(&child)
		if len(c.temporary) > 0 || !strings.HasPrefix(name, `"temp".`) {
			return false
		}
	}
	return true
}

// showsEmpty reports whether a temporary table of an Overlay has that name.
func (c *connection) showsEmpty(name string) bool {
	return slices.ContainsFunc(c.temporary, func(t string) bool { return strings.EqualFold(t, name) })
}

// hasRows reports whether a table is one of those that the mirror does not stand in
// for: a temporary table with rows, or a view of DuckDB's own.
func (c *connection) hasRows(t tableName) (bool, error) {
	switch {
	case strings.EqualFold(t.catalog, "temp"):
		return !c.showsEmpty(t.name), nil
	case strings.EqualFold(t.catalog, "system"), strings.EqualFold(t.schema, "information_schema"), strings.EqualFold(t.schema, "pg_catalog"):
		return true, nil
	case t.catalog != "" || t.schema != "" || !allowedSystemView("", t.name):
		return false, nil
	}
	// A table of the lake hides DuckDB's view of that name.
	tables, err := c.texts("SELECT table_name FROM duckdb_tables() WHERE NOT internal AND lower(table_name) = lower(" + lake.QuoteLiteral(t.name) + ")")
	return len(tables) == 0, err
}

// syntaxTree returns the syntax tree of a statement; nil if DuckDB does not give it.
func (c *connection) syntaxTree(sql string) (any, error) {
	text, err := c.textOf("SELECT json_serialize_sql(CAST(? AS VARCHAR))::VARCHAR", sql)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	switch err := json.Unmarshal([]byte(text), &tree); {
	case err != nil: // DuckDB writes NaN bare, which is no JSON
		return nil, nil //nolint:nilerr // a tree that cannot be read is as good as none
	case tree["error"] != false: // DDL and the like
		return nil, nil
	}
	return tree, nil
}

// tableName is a table as a statement names it; parts not given are empty.
type tableName struct{ catalog, schema, name string }

// String returns the name with its qualifiers.
func (t tableName) String() string {
	parts := slices.DeleteFunc([]string{t.catalog, t.schema, t.name}, func(part string) bool { return part == "" })
	return strings.Join(parts, ".")
}

// tableNames are the tables whose rows a syntax tree reads, without common table
// expressions and those of which it asks for the columns only.
type tableNames struct {
	read      []tableName
	functions []string // that it calls in FROM, in lower case
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
func (n *tableNames) walk(node any, s *scope, described bool) {
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
			function, _ := node["function"].(map[string]any)
			n.functions = append(n.functions, strings.ToLower(field(function, "function_name")))
		case "BASE_TABLE":
			t := tableName{field(node, "catalog_name"), field(node, "schema_name"), field(node, "table_name")}
			if !described && !t.within(s) {
				n.read = append(n.read, t)
			}
		}
		for key, child := range node {
			if key != "cte_map" {
				n.walk(child, s, described)
			}
		}
	}
}

// ctes walks the common table expressions of a query, each of which sees the ones
// before it, and returns the scope of the query.
func (n *tableNames) ctes(node map[string]any, s *scope, described bool) *scope {
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
