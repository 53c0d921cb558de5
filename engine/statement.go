package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// statement is a prepared query of a client and the types of its columns.
type statement struct {
	prepared duckdb.PreparedStatement
	kind     StatementKind
	names    []string
	types    []valueType
	// text is set if the columns of those types must be cast to VARCHAR first.
	text []bool
}

// prepare parses and binds one query. The caller began a transaction, which it
// rolls back.
//
// Errors: those of checkFirstWord and checkType; KindInvalid for several
// statements; DuckDB's.
func (c *connection) prepare(sql string) (*statement, error) {
	if err := checkText(sql); err != nil {
		return nil, err
	}
	if err := checkFirstWord(sql); err != nil {
		return nil, err
	}
	var extracted duckdb.ExtractedStatements
	count := duckdb.ExtractStatements(c.conn, sql, &extracted)
	defer duckdb.DestroyExtracted(&extracted)
	if count == 0 {
		if message := duckdb.ExtractStatementsError(extracted); message != "" {
			return nil, newError(message)
		}
		return nil, lake.Errorf(lake.KindInvalid, "the statement is empty")
	}
	// DuckDB turns a PIVOT without a list of values into statements that make an
	// ENUM of the values first. No client's text begins with a CREATE.
	if count > 1 && leadingWords(sql)[0] == "EXPLAIN" {
		return nil, lake.Errorf(lake.KindUnsupported, "EXPLAIN of several statements, or of a PIVOT that does not list the values "+
			"of its columns, as in ON column IN ('a', 'b')")
	}
	for i := range count - 1 {
		if err := c.makePivotType(extracted, i, count); err != nil {
			return nil, err
		}
	}
	s := &statement{}
	if duckdb.PrepareExtractedStatement(c.conn, extracted, count-1, &s.prepared) == duckdb.StateError {
		defer duckdb.DestroyPrepare(&s.prepared)
		return nil, newError(duckdb.PrepareError(s.prepared))
	}
	var err error
	if s.kind, err = checkType(duckdb.PreparedStatementType(s.prepared)); err != nil {
		s.close()
		return nil, err
	}
	s.describe()
	return s, nil
}

// makePivotType runs one of the first statements of a PIVOT. What it makes is
// temporary, and ends with the transaction.
//
// Errors: KindInvalid if it is another statement: the client sent several.
func (c *connection) makePivotType(extracted duckdb.ExtractedStatements, i, count duckdb.IdxT) error {
	var prepared duckdb.PreparedStatement
	defer duckdb.DestroyPrepare(&prepared)
	if duckdb.PrepareExtractedStatement(c.conn, extracted, i, &prepared) == duckdb.StateError {
		return newError(duckdb.PrepareError(prepared))
	}
	switch duckdb.PreparedStatementType(prepared) {
	case duckdb.StatementTypeCreate:
	default:
		return lake.Errorf(lake.KindInvalid, "%d statements were sent as one: send them one by one", count)
	}
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.ExecutePrepared(prepared, &res) == duckdb.StateError {
		return newError(duckdb.ResultError(&res))
	}
	return nil
}

// checkTables refuses a query that reads a table of the mirror: it would find
// no rows. Where it asks for the columns of a table it may name it.
//
// Errors: KindUnsupported.
func (c *connection) checkTables(sql string) error {
	mirrored := c.mirroredTables(sql)
	if len(mirrored) == 0 {
		return nil
	}
	described, err := c.describedTables(sql)
	if err != nil {
		return err
	}
	for _, name := range mirrored {
		if !described(name) {
			return lake.Errorf(lake.KindUnsupported, "reading %s in this place of a statement is not supported", name)
		}
	}
	return nil
}

// mirroredTables returns the tables without rows that a query names, as DuckDB writes
// them with their catalog and schema.
func (c *connection) mirroredTables(sql string) []string {
	names := duckdb.GetTableNames(c.conn, sql, true)
	defer duckdb.DestroyValue(&names)
	var out []string
	for i := range duckdb.GetListSize(names) {
		child := duckdb.GetListChild(names, i)
		name := duckdb.GetVarchar(child)
		duckdb.DestroyValue(&child)
		if !strings.HasPrefix(name, `"temp".`) || c.showsEmpty(name) {
			out = append(out, name)
		}
	}
	return out
}

// describedTables returns what reports whether a table, named as mirroredTables does, is
// named only below DESCRIBE, and so only for its columns. Of a statement whose syntax tree
// DuckDB does not give it reports no table: what is not understood is refused.
func (c *connection) describedTables(sql string) (func(name string) bool, error) {
	text, err := c.textOf("SELECT json_serialize_sql(CAST(? AS VARCHAR))::VARCHAR", explained(sql))
	if err != nil {
		return nil, err
	}
	var tree any
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&tree); err != nil {
		return func(string) bool { return false }, nil //nolint:nilerr // DuckDB writes some trees that are no JSON
	}
	if root, ok := tree.(map[string]any); !ok || root["error"] != false {
		return func(string) bool { return false }, nil
	}
	read, described := map[string]bool{}, map[string]bool{}
	collectTables(tree, false, read, described)
	return func(name string) bool {
		last := strings.ToLower(lastName(name))
		return described[last] && !read[last]
	}, nil
}

// collectTables collects the names of the tables of a syntax tree, in lower case: those
// below DESCRIBE, and all others.
func collectTables(node any, below bool, read, described map[string]bool) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			collectTables(child, below, read, described)
		}
	case map[string]any:
		name, _ := n["table_name"].(string)
		switch n["type"] {
		case "SHOW_REF":
			below = n["show_type"] == "DESCRIBE" || n["show_type"] == "SHOW_FROM" || n["show_type"] == "SHOW_UNQUALIFIED"
		case "BASE_TABLE":
			if below {
				described[strings.ToLower(name)] = true
			} else {
				read[strings.ToLower(name)] = true
			}
		}
		for _, child := range n {
			collectTables(child, below, read, described)
		}
	}
}

// lastName returns the last of the quoted names that dots separate.
func lastName(name string) string {
	if !strings.HasSuffix(name, `"`) {
		return name[strings.LastIndexByte(name, '.')+1:]
	}
	for i := len(name) - 2; i >= 0; i-- {
		if name[i] != '"' {
			continue
		}
		if i > 0 && name[i-1] == '"' {
			i--
			continue
		}
		return strings.ReplaceAll(name[i+1:len(name)-1], `""`, `"`)
	}
	return name
}

// showsEmpty reports whether a qualified name is of a temporary table of an Overlay.
func (c *connection) showsEmpty(name string) bool {
	for _, t := range c.temporary {
		for _, part := range []string{t, lake.QuoteIdent(t)} {
			if n := len(name) - len(part) - 1; n > 0 && name[n] == '.' && strings.EqualFold(name[n+1:], part) {
				return true
			}
		}
	}
	return false
}

func (s *statement) close() { duckdb.DestroyPrepare(&s.prepared) }

// describe reads the names and types of the result.
func (s *statement) describe() {
	n := duckdb.PreparedStatementColumnCount(s.prepared)
	for i := range n {
		name := duckdb.PreparedStatementColumnName(s.prepared, i)
		logical := duckdb.PreparedStatementColumnLogicalType(s.prepared, i)
		t, ok := newValueType(name, logical)
		duckdb.DestroyLogicalType(&logical)
		if !ok {
			t = textType(name)
		}
		s.names, s.types, s.text = append(s.names, name), append(s.types, t), append(s.text, !ok)
	}
}

// textType is what stands for a type that can only be shown as text.
func textType(name string) valueType {
	logical := duckdb.CreateLogicalType(duckdb.TypeVarchar)
	defer duckdb.DestroyLogicalType(&logical)
	t, _ := newValueType(name, logical)
	return t
}

// castsToText returns the statement around sql that casts the columns that
// Arrow cannot hold; ok is false if there is no need or no way to.
func (s *statement) castsToText(sql string) (cast string, ok bool) {
	exprs := make([]string, len(s.names))
	for i, name := range s.names {
		exprs[i] = fmt.Sprintf("#%d", i+1)
		if s.text[i] {
			exprs[i] = fmt.Sprintf("CAST(#%d AS VARCHAR)", i+1)
			ok = true
		}
		exprs[i] += " AS " + lake.QuoteIdent(name)
	}
	if !ok || s.kind != KindSelect {
		return "", false
	}
	return "SELECT " + strings.Join(exprs, ", ") + " FROM (\n" + strings.TrimRight(skipBlank(sql), "; \t\r\n") + "\n)", true
}
