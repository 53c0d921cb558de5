package lakehouse_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

func (b *bundle) table(t *testing.T, schema, name string) *lake.Table {
	t.Helper()
	seen, err := b.State(t.Context(), session.Caller{})
	require.NoError(t, err)
	table, ok := seen.State.Table(schema, name)
	require.True(t, ok, name)
	return table
}

func TestCreateTableDeclaresKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE SCHEMA s")
	b.exec(t, "CREATE TABLE parent (a INTEGER, b VARCHAR, CONSTRAINT p PRIMARY KEY (B, a))")
	b.exec(t, "CREATE TABLE s.parent (k BIGINT PRIMARY KEY)")
	b.exec(t, `CREATE TABLE s.child (id INTEGER PRIMARY KEY DEFAULT 7, k BIGINT REFERENCES parent ON DELETE RESTRICT,
		x INTEGER, y VARCHAR, up INTEGER REFERENCES s.child (id), FOREIGN KEY (y, x) REFERENCES lake.main.parent)`)
	parent, child := b.table(t, "main", "parent"), b.table(t, "s", "child")
	require.Equal(t, []string{"b", "a"}, parent.PrimaryKey)
	require.False(t, parent.Columns[0].Nullable)
	require.Equal(t, []string{"id"}, child.PrimaryKey)
	require.Equal(t, "7", *child.Columns[0].Default, "the rest of the column is kept")
	require.Equal(t, []lake.ForeignKey{
		{Columns: []string{"k"}, Schema: "s", Table: "parent", RefColumns: []string{"k"}},
		{Columns: []string{"up"}, Schema: "s", Table: "child", RefColumns: []string{"id"}},
		{Columns: []string{"y", "x"}, Schema: "main", Table: "parent", RefColumns: []string{"b", "a"}},
	}, child.ForeignKeys)

	b.exec(t, "INSERT INTO s.parent VALUES (1), (1)")
	b.exec(t, "INSERT INTO s.child (k) VALUES (5)")
	require.Equal(t, []string{"2"}, b.rows(t, "SELECT count(*) FROM s.parent"), "keys are not enforced")
	_, err := b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO s.parent VALUES (NULL)"})
	require.ErrorIs(t, err, lake.ErrInvalid, "but a primary key is not null")

	b.exec(t, "CREATE OR REPLACE TABLE s.child (id INTEGER)")
	require.Nil(t, b.table(t, "s", "child").PrimaryKey)
}

func TestCreateTableRefusesKeysThatNameNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE other (i INTEGER)")
	for sql, want := range map[string]error{
		"CREATE TABLE t (a INTEGER, PRIMARY KEY (b))":                        lake.ErrNotFound,
		"CREATE TABLE t (a INTEGER REFERENCES nowhere (i))":                  lake.ErrNotFound,
		"CREATE TABLE t (a INTEGER REFERENCES other (j))":                    lake.ErrNotFound,
		"CREATE TABLE t (a INTEGER REFERENCES other)":                        lake.ErrInvalid,
		"CREATE TABLE t (a INTEGER REFERENCES elsewhere.main.other (i))":     lake.ErrNotFound,
		"CREATE TABLE t (a INTEGER REFERENCES other (i) ON DELETE SET NULL)": lake.ErrUnsupported,
		"CREATE TABLE t (a INTEGER PRIMARY KEY UNIQUE)":                      lake.ErrUnsupported,
		"CREATE TABLE t (a INTEGER PRIMARY KEY, CHECK (a > 0))":              lake.ErrUnsupported,
		"CREATE TABLE t (a INTEGER PRIMARY KEY, b BIT)":                      lake.ErrUnsupported,
	} {
		_, err := b.Execute(t.Context(), statement.Statement{SQL: sql})
		require.ErrorIs(t, err, want, sql)
	}
	require.Empty(t, b.objects(t))
}
