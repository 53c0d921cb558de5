package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

func TestTableDefinitionReadsTypesNullabilityAndDefaults(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	columns, err := x.TableDefinition(t.Context(), `CREATE TABLE "my t" (
		a INTEGER NOT NULL DEFAULT 5, b VARCHAR DEFAULT 'it''s', c DECIMAL(10,2) DEFAULT -1.5, d TIMESTAMPTZ DEFAULT now(),
		e BOOLEAN DEFAULT true, f STRUCT(x INTEGER, "y z" VARCHAR[]), g MAP(VARCHAR, JSON), h DATE DEFAULT '2024-01-01',
		i VARCHAR DEFAULT NULL, j HUGEINT, k DOUBLE DEFAULT 1 + 1, l UUID DEFAULT uuid(), m VARCHAR DEFAULT 'GENERATED ALWAYS')`)
	require.NoError(t, err)
	text := func(s string) *string { return &s }
	type want struct {
		name, sqlType string
		nullable      bool
		value         *string
		expression    bool
	}
	wants := []want{
		{"a", "INTEGER", false, text("5"), false},
		{"b", "VARCHAR", true, text("it's"), false},
		{"c", "DECIMAL(10,2)", true, text("-1.50"), false},
		{"d", "TIMESTAMP WITH TIME ZONE", true, text("now()"), true},
		{"e", "BOOLEAN", true, text("true"), false},
		{"f", `STRUCT("x" INTEGER, "y z" VARCHAR[])`, true, nil, false},
		{"g", "MAP(VARCHAR, JSON)", true, nil, false},
		{"h", "DATE", true, text("2024-01-01"), false},
		{"i", "VARCHAR", true, nil, false},
		{"j", "HUGEINT", true, nil, false},
		{"k", "DOUBLE", true, text("(1 + 1)"), true},
		{"l", "UUID", true, text("uuid()"), true},
		{"m", "VARCHAR", true, text("GENERATED ALWAYS"), false},
	}
	require.Len(t, columns, len(wants))
	for i, w := range wants {
		c := columns[i]
		got := want{c.Name, c.SQLType(), c.Nullable, c.Default, c.DefaultIsExpression}
		require.Equal(t, w, got)
	}
	// Nothing is left behind: the same name works again.
	_, err = x.TableDefinition(t.Context(), `CREATE TABLE "my t" (a INTEGER)`)
	require.NoError(t, err)
}

func TestTableDefinitionRefusesByNameWhatATableCannotHold(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	tests := []struct{ sql, want string }{
		{"CREATE TABLE t (a ENUM('x', 'y'))", "ENUM"},
		{"CREATE TABLE t (a BIT)", "BIT"},
		{"CREATE TABLE t (a INTEGER[3])", "ARRAY"},
		{"CREATE TABLE t (a STRUCT(x BIT)[])", "BIT"},
		{"CREATE TABLE t (a UNION(x INTEGER, y VARCHAR))", `column "a"`},
		{"CREATE TABLE t (a INTEGER PRIMARY KEY)", "PRIMARY KEY"},
		{"CREATE TABLE t (a INTEGER UNIQUE)", "UNIQUE"},
		{"CREATE TABLE t (a INTEGER, CHECK (a > 0))", "CHECK"},
		{"CREATE TABLE t (a INTEGER, b INTEGER GENERATED ALWAYS AS (a + 1))", "generated"},
		{"CREATE TABLE t (a INTEGER, \"b c\" VARCHAR COLLATE nocase)", `"b c": a table cannot hold a collation`},
		{"CREATE TABLE t (d DECIMAL(4, 1), e VARCHAR NOT NULL COLLATE C DEFAULT 'it''s')", "column e: a table cannot hold a collation"},
		{"CREATE VIEW v AS SELECT 1", "does not define a table"},
		{"DROP TABLE t", ""},
	}
	for _, tt := range tests {
		_, err := x.TableDefinition(t.Context(), tt.sql)
		require.Error(t, err, tt.sql)
		require.ErrorContains(t, err, tt.want)
		if tt.want != "" {
			require.ErrorIs(t, err, lake.ErrUnsupported, tt.sql)
		}
	}
	_, err := x.TableDefinition(t.Context(), "CREATE TABLE t (a INTEGER,, b INTEGER)")
	require.ErrorIs(t, err, lake.ErrInvalid)
	_, err = x.TableDefinition(t.Context(), `CREATE TABLE t ("collate" INTEGER, " COLLATE " VARCHAR DEFAULT ' COLLATE x', b VARCHAR DEFAULT ('a' COLLATE nocase))`)
	require.NoError(t, err, "the word is no clause of a column")
}

func insertColumns(t *testing.T, x *engine.Executor) []lake.Column {
	t.Helper()
	columns, err := x.TableDefinition(t.Context(), "CREATE TABLE t (a INTEGER NOT NULL, b VARCHAR DEFAULT 'd' || 1, c DATE DEFAULT '2024-01-01', j JSON)")
	require.NoError(t, err)
	return columns
}

// insertOf returns an INSERT with what follows the table.
func insertOf(tail string) []engine.InsertStatement {
	query := len(tail)
	for _, word := range []string{"VALUES", "SELECT", "FROM"} {
		if i := strings.Index(tail, word); i >= 0 {
			query = min(query, i)
		}
	}
	return []engine.InsertStatement{{
		HeadFunc: func(target string) string { return "INSERT INTO " + target + tail[:query] }, Query: tail[query:],
	}}
}

func TestInsertRowsGivesWhatATableWouldHold(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{ConnectionsMax: 1})
	in := engine.Insert{Table: "my t", Columns: insertColumns(t, x)}
	for _, tt := range []struct {
		tail string
		want [][]string
	}{
		{" VALUES (1, 'x', '2020-01-01', '{}'), ('2', DEFAULT, DEFAULT, NULL)", [][]string{
			{"1", "x", "2020-01-01", "{}"}, {"2", "d1", "2024-01-01", "null"},
		}},
		{" (c, a) VALUES (NULL, 3)", [][]string{{"3", "d1", "(null)", "null"}}},
		{" BY NAME SELECT 'q' AS b, 4 AS a", [][]string{{"4", "q", "2024-01-01", "null"}}},
	} {
		in.Statements = insertOf(tt.tail)
		r, err := x.InsertRows(t.Context(), in)
		require.NoError(t, err, tt.tail)
		var got [][]string
		for r.Next() {
			for row := range int(r.RecordBatch().NumRows()) {
				var values []string
				for _, column := range r.RecordBatch().Columns() {
					values = append(values, column.ValueStr(row))
				}
				got = append(got, values)
			}
		}
		require.NoError(t, r.Err())
		r.Release()
		require.Equal(t, tt.want, got)
	}
}

func TestInsertRowsErrorsNameTheTable(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	in := engine.Insert{Table: "my t", Columns: insertColumns(t, x)}
	for _, tt := range []struct{ tail, want string }{
		{" VALUES (NULL, 'x', NULL, NULL)", "NOT NULL constraint failed: my t.a"},
		{" VALUES ('x', 'x', NULL, NULL)", "Could not convert string 'x' to INT32"},
		{" VALUES (1)", "table my t has 4 columns"},
		{" (zz) VALUES (1)", `does not have a column with name "zz"`},
		{" VALUES (1, 2, 3, 4); SELECT 1", "2 statements"},
	} {
		in.Statements = insertOf(tt.tail)
		_, err := x.InsertRows(t.Context(), in)
		require.ErrorIs(t, err, lake.ErrInvalid, tt.tail)
		require.ErrorContains(t, err, tt.want)
	}
}
