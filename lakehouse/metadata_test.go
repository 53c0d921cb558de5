package lakehouse_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

func TestTheCatalogsOwnTablesAreReadAndNotWritten(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	require.NotEmpty(t, b.rows(t, "SELECT snapshot_id FROM __ducklake_metadata_lake.ducklake_snapshot"))
	for _, name := range []string{"nope", "ducklake_nope", "pg_settings", "duckdb_logs", "sqlite_master"} {
		_, err := b.Plan(t.Context(), statement.Statement{SQL: "FROM __ducklake_metadata_lake." + name})
		require.ErrorIs(t, err, lake.ErrNotFound, name)
		require.ErrorContains(t, err, name)
	}
	before := b.rows(t, "SELECT max(snapshot_id) FROM __ducklake_metadata_lake.ducklake_snapshot")
	for _, sql := range []string{
		"CREATE SCHEMA __ducklake_metadata_lake", "CREATE SCHEMA lake.__DuckLake_metadata_lake", "DROP SCHEMA IF EXISTS __ducklake_metadata_lake",
		"CREATE TABLE __ducklake_metadata_lake.x (i BIGINT)", "CREATE TABLE __ducklake_metadata_lake.main.x AS SELECT 1 AS a",
		"DROP TABLE __ducklake_metadata_lake.ducklake_snapshot", "DROP TABLE IF EXISTS lake.__ducklake_metadata_lake.x",
		"INSERT INTO __ducklake_metadata_lake.ducklake_snapshot VALUES (1)",
		"COMMENT ON TABLE __ducklake_metadata_lake.ducklake_snapshot IS 'x'", "COMMENT ON SCHEMA __ducklake_metadata_lake IS 'x'",
	} {
		_, err := b.Execute(t.Context(), statement.Statement{SQL: sql})
		require.ErrorIs(t, err, lake.ErrForbidden, sql)
		require.ErrorContains(t, err, "can be read, not written", sql)
	}
	require.Equal(t, before, b.rows(t, "SELECT max(snapshot_id) FROM __ducklake_metadata_lake.ducklake_snapshot"))
}

// TestQueriesAboutTablesSeeTheirSnapshot asks the engine for tables after others
// were made and dropped: in a transaction that has changed nothing itself, and with
// a query that was planned before.
func TestQueriesAboutTablesSeeTheirSnapshot(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE a (i INT)")
	const tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
	for _, sql := range []string{tables, "SHOW TABLES", "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'"} {
		inside := b.begin(t)
		require.Equal(t, []string{"a"}, inside.read(sql), sql)
		q, err := b.Plan(t.Context(), statement.Statement{SQL: sql})
		require.NoError(t, err)
		b.exec(t, "CREATE TABLE b (i INT)")
		b.exec(t, "DROP TABLE a")
		require.Equal(t, []string{"b"}, b.rows(t, sql), sql)
		require.Equal(t, []string{"a"}, inside.read(sql), sql)
		require.Equal(t, []string{"1"}, inside.read("SELECT count(*) FROM ("+tables+")"), "a plan made later")
		rows, err := b.Run(t.Context(), q)
		require.NoError(t, err)
		got, err := drainText(rows)
		require.NoError(t, err)
		require.Equal(t, []string{"a"}, got, "of the snapshot that was planned")
		inside.commit()
		b.exec(t, "CREATE TABLE a (i INT)")
		b.exec(t, "DROP TABLE b")
	}
}
