package engine

import (
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
	// ENUM of the values first. A client's text could begin with a CREATE of its own
	// only if its first word was not understood.
	if first := leadingWords(sql)[0]; count > 1 && !isQueryWord(first) {
		return nil, severalStatements(count)
	} else if count > 1 && first == "EXPLAIN" {
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
		return severalStatements(count)
	}
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.ExecutePrepared(prepared, &res) == duckdb.StateError {
		return newError(duckdb.ResultError(&res))
	}
	return nil
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
