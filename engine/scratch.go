package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// scratch is an instance of its own in which tables are defined to see what
// DuckDB makes of them. Every definition is rolled back.
type scratch struct {
	instance *instance
	pool     *pool
}

// Limits of the scratch instance: definitions hold no rows.
const (
	scratchMemoryLimit    = "256MB"
	scratchConnectionsMax = 1 // definitions of one name would conflict
)

func newScratch() (*scratch, error) {
	in, err := openInstance(map[string]string{"threads": "1", "memory_limit": scratchMemoryLimit, "temp_directory": ""})
	if err != nil {
		return nil, err
	}
	c, err := in.connect()
	if err != nil {
		in.close()
		return nil, err
	}
	defer c.close()
	if err := c.exec("SET GLOBAL TimeZone = 'UTC'; SET GLOBAL enable_external_access = false; SET GLOBAL lock_configuration = true"); err != nil {
		in.close()
		return nil, err
	}
	return &scratch{instance: in, pool: newPool(in, scratchConnectionsMax)}, nil
}

func (s *scratch) close() {
	if s.pool.close() {
		s.instance.close()
	}
}

// TableDefinition returns the columns of `CREATE TABLE name (...)`, without
// field ids. The name must be unqualified, and what is not for DuckDB to check
// (keys, PARTITIONED BY, SORTED BY, WITH) taken off.
//
// Errors: KindInvalid for what DuckDB refuses; KindUnsupported, naming it, for
// a type or constraint that a table cannot hold.
func (x *Executor) TableDefinition(ctx context.Context, createTableSQL string) ([]lake.Column, error) {
	columns, err := with(ctx, x.scratch.pool, func(c *connection) ([]lake.Column, error) {
		if err := c.exec("BEGIN"); err != nil {
			return nil, err
		}
		columns, err := c.define(createTableSQL)
		if err == nil {
			err = x.checkDefaults(c, columns)
		}
		if rollback := c.exec("ROLLBACK"); err == nil {
			err = rollback
		}
		return columns, err
	}, func() {})
	return columns, contextError(ctx, err)
}

// runChange prepares and runs one statement, which must be of the given type.
func (c *connection) runChange(sql string, want duckdb.StatementType) error {
	if err := checkText(sql); err != nil {
		return err
	}
	var extracted duckdb.ExtractedStatements
	count := duckdb.ExtractStatements(c.conn, sql, &extracted)
	defer duckdb.DestroyExtracted(&extracted)
	if count != 1 {
		if message := duckdb.ExtractStatementsError(extracted); count == 0 && message != "" {
			return newError(message)
		}
		return severalStatements(count)
	}
	var prepared duckdb.PreparedStatement
	defer duckdb.DestroyPrepare(&prepared)
	if duckdb.PrepareExtractedStatement(c.conn, extracted, 0, &prepared) == duckdb.StateError {
		return newError(duckdb.PrepareError(prepared))
	}
	if t := duckdb.PreparedStatementType(prepared); t != want {
		return lake.Errorf(lake.KindUnsupported, "the statement is of another kind than expected")
	}
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.ExecutePrepared(prepared, &res) == duckdb.StateError {
		return newError(duckdb.ResultError(&res))
	}
	return nil
}

func (c *connection) define(createTableSQL string) ([]lake.Column, error) {
	if err := c.runChange(createTableSQL, duckdb.StatementTypeCreate); err != nil {
		return nil, err
	}
	tables, err := c.texts("SELECT table_name, sql FROM duckdb_tables() WHERE NOT internal")
	if err != nil {
		return nil, err
	}
	if len(tables) != 1 {
		return nil, lake.Errorf(lake.KindUnsupported, "the statement does not define a table")
	}
	name := lake.QuoteIdent(tables[0][0])
	if err := c.checkConstraints(name, tables[0][1]); err != nil {
		return nil, err
	}
	s, err := c.prepare("FROM " + name)
	if err != nil {
		return nil, err
	}
	defer s.close()
	rows, err := c.texts("SELECT column_name, is_nullable::VARCHAR, (column_default IS NULL)::VARCHAR, column_default FROM duckdb_columns() " +
		"WHERE NOT internal ORDER BY column_index")
	if err != nil {
		return nil, err
	}
	if len(rows) != len(s.types) {
		return nil, lake.Errorf(lake.KindInternal, "a table has %d and %d columns", len(rows), len(s.types))
	}
	columns := make([]lake.Column, len(rows))
	for i, row := range rows {
		if s.text[i] {
			return nil, lake.Errorf(lake.KindUnsupported, "column %q: a table cannot hold its type", row[0])
		}
		if unheld := s.types[i].unheld(); unheld != "" {
			return nil, lake.Errorf(lake.KindUnsupported, "column %q: a table cannot hold the type %s", row[0], unheld)
		}
		columns[i] = s.types[i].toColumn()
		columns[i].Nullable = row[1] == "true"
		if row[2] == "true" {
			continue
		}
		if err := c.setDefault(&columns[i], row[3]); err != nil {
			return nil, err
		}
	}
	return columns, nil
}

// collatedColumn returns the first column with COLLATE, as ddl writes it, or "".
// DuckDB writes defaults in parentheses and quotes a column of that name, so
// that the word stands alone only where it belongs to a column.
func collatedColumn(ddl string) string {
	const word = " COLLATE "
	depth, start := 0, 0
	for i := 0; i < len(ddl); i++ {
		switch b := ddl[i]; {
		case b == '\'' || b == '"': // a doubled quote ends and begins again
			i += 1 + max(0, strings.IndexByte(ddl[i+1:], b))
		case b == '(':
			if depth++; depth == 1 {
				start = i + 1
			}
		case b == ')':
			depth--
		case depth != 1:
		case b == ',':
			start = i + 1
		case strings.HasPrefix(ddl[i:], word):
			name, _, _ := strings.Cut(strings.TrimSpace(ddl[start:i]), " VARCHAR")
			return name
		}
	}
	return ""
}

// checkConstraints refuses what is more than NOT NULL and a type. name is quoted; ddl is
// how DuckDB writes the table.
func (c *connection) checkConstraints(name, ddl string) error {
	rows, err := c.texts("SELECT constraint_type, array_to_string(constraint_column_names, ', ') FROM duckdb_constraints() " +
		"WHERE constraint_type <> 'NOT NULL'")
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		return lake.Errorf(lake.KindUnsupported, "%s (%s): of constraints, a table holds NOT NULL and declared keys only", rows[0][0], rows[0][1])
	}
	if column := collatedColumn(ddl); column != "" {
		return lake.Errorf(lake.KindUnsupported, "column %s: a table cannot hold a collation; "+
			"write COLLATE in queries instead", column)
	}
	if !strings.Contains(strings.ToUpper(ddl), "GENERATED ALWAYS") {
		return nil
	}
	columns, err := c.texts("SELECT column_name FROM duckdb_columns() WHERE NOT internal")
	if err != nil {
		return err
	}
	for _, column := range columns {
		err := c.exec("INSERT INTO %s (%s) SELECT NULL WHERE false", name, lake.QuoteIdent(column[0]))
		if err != nil && strings.Contains(err.Error(), "generated column") {
			return lake.Errorf(lake.KindUnsupported, "column %q: a table cannot hold generated columns", column[0])
		}
	}
	return nil
}

// setDefault tells a literal from an expression, as DuckLake stores them.
func (c *connection) setDefault(column *lake.Column, expression string) error {
	class, err := c.texts(fmt.Sprintf(`SELECT coalesce(e->>'class', '') || ' ' || coalesce(e->'child'->>'class', '') || ' ' ||
		coalesce(e->>'function_name', '') || ' ' || coalesce(e->'children'->0->>'class', '')
		FROM (SELECT json_serialize_sql(%s)::JSON->'statements'->0->'node'->'select_list'->0 AS e)`, lake.QuoteLiteral("SELECT "+expression)))
	if err != nil {
		return err
	}
	switch class[0][0] {
	case "CONSTANT   ", "CAST CONSTANT  ", "FUNCTION  - CONSTANT":
	default:
		column.Default, column.DefaultIsExpression = &expression, true
		return nil
	}
	value, err := c.texts(fmt.Sprintf("SELECT CAST(v AS VARCHAR), (v IS NULL)::VARCHAR FROM (SELECT CAST((%s) AS %s) AS v)",
		expression, column.SQLType()))
	if err != nil {
		return err
	}
	if value[0][1] != "true" {
		column.Default = &value[0][0]
	}
	return nil
}

// Insert is one or more INSERTs whose rows are wanted, not stored.
type Insert struct {
	// Table is the name of the table, for error texts.
	Table      string
	Columns    []lake.Column
	Statements []InsertStatement
	// Schema is where unqualified names resolve; empty means lake.DefaultSchema.
	Schema string
	// BatchBytes and BatchRows are those of Query.
	BatchBytes, BatchRows int64
	// Overlay is that of Query.
	Overlay *Overlay
}

// InsertStatement is one INSERT.
type InsertStatement struct {
	// HeadFunc returns the text before the query, with the given text, a qualified name, in
	// the place of the table. It calls no functions.
	HeadFunc func(target string) string
	Query    string // VALUES, SELECT and the like; or DEFAULT VALUES
}

// InsertRows runs INSERTs into an empty table that nobody else sees, with the
// columns, defaults and NOT NULL given, and returns the rows of that table.
// They are held by DuckDB until the reader is released.
//
// Errors: those of Query; KindInvalid for a row that the table cannot hold.
func (x *Executor) InsertRows(ctx context.Context, in Insert) (array.RecordReader, error) {
	q := Query{
		Schema: in.Schema, Rewritten: true, BatchBytes: in.BatchBytes, BatchRows: in.BatchRows,
		Overlay: in.Overlay, target: in.Table,
	}
	target := lake.TemporarySchema + "." + lake.DefaultSchema + "." + lake.QuoteIdent(in.Table)
	q.SQL = "SELECT * FROM " + target
	for _, st := range in.Statements {
		q.inserts = append(q.inserts, st.HeadFunc(target)+st.Query)
	}
	r, err := x.open(ctx, q, func(x *Executor, c *connection) error {
		if err := x.checkDefaults(c, in.Columns); err != nil {
			return err
		}
		if err := c.exec("%s", temporaryDDL(target, in.Columns, true)); err != nil {
			return lake.Wrap(lake.KindInternal, "make the table of an INSERT", err)
		}
		for i, insert := range q.inserts {
			if err := x.checkInserted(c, in.Statements[i].Query); err != nil {
				return err
			}
			if err := c.runChange(insert, duckdb.StatementTypeInsert); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}
