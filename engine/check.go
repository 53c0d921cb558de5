package engine

import (
	"path"
	"slices"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/internal/duckjson"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// verdict is what check found out about a statement that it let pass.
type verdict struct {
	parsed  bool
	unknown []string    // functions that DuckDB does not list
	read    []tableName // tables whose rows the statement reads
}

// check refuses a statement that DuckDB must not even bind: one that calls a function or
// reads a view that is closed to clients, or a file, whoever wrote the statement, and one
// whose syntax tree is not to be had. It asks this DuckDB for the tree and relies on no
// check that came before. What the verdict holds is judged by bound.
//
// Errors: KindForbidden; KindUnsupported; those of checkFirstWord.
func (x *Executor) check(c *connection, sql string) (*verdict, error) {
	if err := checkFirstWord(sql); err != nil {
		return nil, err
	}
	tree, err := c.syntaxTree(queryOf(sql))
	if err != nil || tree == nil {
		return &verdict{}, err
	}
	found := &treeNames{}
	found.walk(tree, nil, false)
	v := &verdict{parsed: true, read: found.read}
	for _, name := range found.tableFunctions {
		if name != ScanFunction && !AllowedTableFunction(name) {
			return nil, lake.Errorf(lake.KindForbidden, "table function %s is closed to clients", name)
		}
	}
	for _, name := range found.functions {
		switch {
		case AllowedFunction(name):
		case x.names.functions[name]:
			return nil, lake.Errorf(lake.KindForbidden, "function %s is closed to clients", name)
		default:
			v.unknown = append(v.unknown, name)
		}
	}
	for _, t := range found.read {
		if x.names.views[strings.ToLower(t.name)] && !allowedSystemView(t.schema, t.name) && (t.ofSystem() || !c.exists(t)) {
			return nil, lake.Errorf(lake.KindForbidden, "system view %s is closed to clients", t)
		}
	}
	for _, t := range slices.Concat(found.read, found.described) {
		if t.fileLike() && !c.exists(t) {
			return nil, lake.Errorf(lake.KindForbidden, "%q: reading files of the server is closed to clients", path.Base(t.name))
		}
	}
	return v, nil
}

// bound refuses a statement that DuckDB could bind although it could not be judged and, if
// rewritten is set, one that reads tables that have no rows here.
//
// Errors: KindForbidden; KindUnsupported.
func (v *verdict) bound(c *connection, rewritten bool) error {
	switch {
	case !v.parsed:
		return lake.Errorf(lake.KindForbidden, "the statement cannot be checked, and is not run")
	case len(v.unknown) > 0:
		return lake.Errorf(lake.KindForbidden, "function %s is closed to clients", v.unknown[0])
	case !rewritten:
		return nil
	}
	for _, t := range v.read {
		if !c.hasRows(t) {
			return lake.Errorf(lake.KindUnsupported, "reading %s in this place of a statement is not supported", t)
		}
	}
	return nil
}

// checkInserted is check for the query of an INSERT, whose rows are read.
func (x *Executor) checkInserted(c *connection, query string) error {
	if strings.EqualFold(strings.Join(strings.Fields(query), " "), "DEFAULT VALUES") {
		return nil
	}
	v, err := x.check(c, query)
	if err != nil {
		return err
	}
	if !v.parsed || len(v.unknown) > 0 {
		s, err := c.prepare(query) // which says best what is wrong with it
		if err != nil {
			return err
		}
		s.close()
	}
	return v.bound(c, true)
}

// checkDefaults refuses columns whose defaults call what clients may not call.
//
// Errors: those of check.
func (x *Executor) checkDefaults(c *connection, columns []lake.Column) error {
	for i := range columns {
		col := &columns[i]
		if col.Default == nil || !col.DefaultIsExpression {
			continue
		}
		v, err := x.check(c, "SELECT (\n"+*col.Default+"\n)")
		if err == nil {
			err = v.bound(c, true)
		}
		if err != nil {
			return lake.Wrap(lake.KindOf(err), "default of column "+col.Name, err)
		}
	}
	return nil
}

// syntaxTree returns the syntax tree of a statement, completed where it has a PIVOT that
// does not list the values of its columns; nil for text that DuckDB cannot parse.
//
// Errors: KindUnsupported for a statement whose tree DuckDB does not show.
func (c *connection) syntaxTree(sql string) (map[string]any, error) {
	tree, err := c.serialised(sql)
	if err != nil || tree["error"] == false {
		return tree, err
	}
	if kind := tree["error_type"]; kind != "not implemented" && kind != "serialization" {
		return nil, nil // it does not parse
	}
	tokens, err := sqltext.Lex(sql)
	if err != nil {
		return nil, err
	}
	if completed, ok := sqltext.CompletePivots(sql, tokens); ok {
		if tree, err = c.serialised(completed.Text); err != nil || tree["error"] == false {
			return tree, err
		}
	}
	var extracted duckdb.ExtractedStatements
	count := duckdb.ExtractStatements(c.conn, sql, &extracted)
	duckdb.DestroyExtracted(&extracted)
	if count > 1 {
		return nil, severalStatements(count)
	}
	return nil, lake.Errorf(lake.KindUnsupported, "a statement of this form cannot be checked, and is not run")
}

func severalStatements(count duckdb.IdxT) error {
	return lake.Errorf(lake.KindInvalid, "%d statements were sent as one: send them one by one", count)
}

func (c *connection) serialised(sql string) (map[string]any, error) {
	text, err := c.textOf("SELECT json_serialize_sql(CAST(? AS VARCHAR))::VARCHAR", sql)
	if err != nil {
		return nil, err
	}
	return duckjson.Decode([]byte(text))
}

// systemNames are the names, in lower case, of what DuckDB has built in.
type systemNames struct{ functions, views, settings map[string]bool }

func (c *connection) systemNames() (*systemNames, error) {
	names := &systemNames{functions: map[string]bool{"getenv": true}, views: map[string]bool{}, settings: map[string]bool{}} // DuckDB's shell has getenv
	for query, set := range map[string]map[string]bool{
		"SELECT DISTINCT lower(function_name) FROM duckdb_functions()":        names.functions,
		"SELECT DISTINCT lower(view_name) FROM duckdb_views() WHERE internal": names.views,
		"SELECT lower(name) FROM duckdb_settings()":                           names.settings,
	} {
		rows, err := c.texts(query)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			set[row[0]] = true
		}
	}
	return names, nil
}

// exists reports whether this DuckDB has a table or view of that name that is not its own.
func (c *connection) exists(t tableName) bool {
	rows, err := c.texts("SELECT table_name FROM (SELECT table_name, internal FROM duckdb_tables() UNION ALL " +
		"SELECT view_name, internal FROM duckdb_views()) WHERE NOT internal AND lower(table_name) = lower(" + lake.QuoteLiteral(t.name) + ")")
	return err == nil && len(rows) > 0
}

// showsEmpty reports whether a temporary table of an Overlay has that name.
func (c *connection) showsEmpty(name string) bool {
	return slices.ContainsFunc(c.temporary, func(t string) bool { return strings.EqualFold(t, name) })
}

// hasRows reports whether a table is one of those that the mirror does not stand in
// for: a temporary table with rows, or a view of DuckDB's own.
func (c *connection) hasRows(t tableName) bool {
	switch {
	case strings.EqualFold(t.catalog, "temp"):
		return !c.showsEmpty(t.name)
	case t.ofSystem():
		return true
	case t.catalog != "" || t.schema != "" || !allowedSystemView("", t.name):
		return false
	}
	return !c.exists(t) // a table of the lake hides DuckDB's view of that name
}
