package lakehouse_test

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	catalogduckdb "github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/statement"
)

// optionOfSchema sets an option of a schema as other programs do, in a catalog that
// nobody has open.
func optionOfSchema(t *testing.T, path, name, value string) {
	t.Helper()
	db, err := sql.Open("duckdb", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO ducklake_metadata("key", "value", "scope", scope_id)
		SELECT ?, ?, 'schema', schema_id FROM ducklake_schema WHERE schema_name = 's'`, name, value)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// TestNewTablesHaveTheOptionsOfTheirSchema would write one row group where the schema's
// option says that one has 10 rows.
func TestNewTablesHaveTheOptionsOfTheirSchema(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	path := filepath.Join(t.TempDir(), "catalog.ducklake")
	o := catalogduckdb.Options{Path: path, DataPath: "mem:", Clock: clock.System{}, Logger: slog.New(slog.DiscardHandler)}
	c, err := catalogduckdb.Open(t.Context(), o)
	require.NoError(t, err)
	_, err = c.Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{catalog.CreateSchema{Name: "s"}}})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	optionOfSchema(t, path, "row_group_rows", "10")
	c, err = catalogduckdb.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	b.components.Catalog = c
	b = b.next()

	const rows = "SELECT i FROM range(25) r(i)"
	groups := func(table string) []string {
		return b.rows(t, "SELECT count(*) FROM lake.row_groups('s."+table+"')")
	}
	b.exec(t, "CREATE TABLE s.as_query AS "+rows)
	require.Equal(t, []string{"3"}, groups("as_query"))
	in := statement.Ingest{Schema: "s", Table: "ingested", IfMissing: statement.MissingCreate}
	_, err = b.Ingest(t.Context(), in, numbers(t, 0, 25, 25))
	require.NoError(t, err)
	require.Equal(t, []string{"6"}, groups("ingested"), "three of each column")
	tx := b.begin(t)
	tx.do("CREATE TABLE s.t (i BIGINT)", "INSERT INTO s.t "+rows, "CREATE TABLE s.own (i BIGINT) WITH (row_group_rows = 5)", "INSERT INTO s.own "+rows)
	tx.commit()
	require.Equal(t, []string{"3"}, groups("t"))
	require.Equal(t, []string{"5"}, groups("own"), "its own option counts")
}
