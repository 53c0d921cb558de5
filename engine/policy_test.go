package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

func TestStatementsThatAreNoQueriesAreRefusedByName(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	tests := []struct {
		sql  string
		kind error
	}{
		{"ATTACH ':memory:' AS z", lake.ErrForbidden},
		{"DETACH lake", lake.ErrForbidden},
		{"COPY t TO '/tmp/x.csv'", lake.ErrForbidden},
		{"COPY t FROM '/etc/passwd'", lake.ErrForbidden},
		{"EXPORT DATABASE '/tmp/x'", lake.ErrForbidden},
		{"IMPORT DATABASE '/tmp/x'", lake.ErrForbidden},
		{"INSTALL httpfs", lake.ErrForbidden},
		{"FORCE INSTALL httpfs", lake.ErrForbidden},
		{"LOAD icu", lake.ErrForbidden},
		{"SET threads = 1", lake.ErrForbidden},
		{"SET VARIABLE a = 1", lake.ErrForbidden},
		{"RESET threads", lake.ErrForbidden},
		{"PRAGMA version", lake.ErrForbidden},
		{"PRAGMA import_database('/tmp/x')", lake.ErrForbidden},
		{"USE system", lake.ErrForbidden},
		{"CHECKPOINT", lake.ErrForbidden},
		{"FORCE CHECKPOINT", lake.ErrForbidden},
		{"VACUUM", lake.ErrForbidden},
		{"PREPARE p AS SELECT 1", lake.ErrUnsupported},
		{"EXECUTE p", lake.ErrUnsupported},
		{"CREATE SECRET (TYPE s3)", lake.ErrUnsupported},
		{"CREATE TABLE x (a INTEGER)", lake.ErrUnsupported},
		{"CREATE TEMP TABLE x (a INTEGER)", lake.ErrUnsupported},
		{"INSERT INTO t VALUES (1, 'x')", lake.ErrUnsupported},
		{"DROP TABLE t", lake.ErrUnsupported},
		{"BEGIN", lake.ErrUnsupported},
		{"/* x */ -- y\n ; SET threads = 1", lake.ErrForbidden},
		{"EXPLAIN ANALYZE INSERT INTO t VALUES (1, 'x')", lake.ErrUnsupported},
		{"EXPLAIN (ANALYZE, FORMAT json) INSERT INTO t VALUES (1, 'x')", lake.ErrUnsupported},
		{"EXPLAIN (FORMAT text, ANALYZE) COPY t TO '/tmp/x.csv'", lake.ErrForbidden},
		{"EXPLAIN ANALYZE ATTACH ':memory:' AS z", lake.ErrForbidden},
		{"WITH c AS (SELECT 1 AS a, 'x' AS b) INSERT INTO t SELECT * FROM c", nil},
		{"EXPLAIN ANALYZE WITH c AS (SELECT 1 AS a, 'x' AS b) INSERT INTO t SELECT * FROM c", nil},
		{"SELECT 1; SELECT 2", lake.ErrInvalid},
		{"SELECT 1; DROP TABLE t", lake.ErrInvalid},
		{"\u3000CREATE TEMP TABLE x AS SELECT 1; SELECT * FROM x", lake.ErrInvalid}, // a blank to DuckDB
		{"", lake.ErrInvalid},
		{"-- nothing", lake.ErrInvalid},
		{"SELECT 1\x00", lake.ErrInvalid},
		{"SELEC 1", lake.ErrInvalid},
		{"SELECT ?", lake.ErrInvalid},
		{"EXPLAIN PIVOT t ON b USING sum(a)", lake.ErrUnsupported},
		{"PIVOT t ON b USING sum(a); DROP TABLE t", lake.ErrInvalid},
		{"PIVOT t ON b USING sum(a); CREATE TABLE x (a INTEGER)", lake.ErrInvalid},
	}
	for _, tt := range tests {
		_, err := query(t.Context(), x, engine.Query{SQL: tt.sql})
		require.Error(t, err, tt.sql)
		if tt.kind != nil {
			require.ErrorIs(t, err, tt.kind, tt.sql)
		}
		if word, _, _ := strings.Cut(tt.sql, " "); errors.Is(tt.kind, lake.ErrForbidden) && !strings.HasPrefix(word, "E") && !strings.HasPrefix(word, "/") {
			require.ErrorContains(t, err, word)
		}
	}
	require.Equal(t, [][]string{{"0"}}, mustQuery(t, x, "SELECT count(*) FROM t").rows, "nothing was written")
}

func TestFilesAndEnvironmentAreOutOfReach(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.csv"), []byte("a\n1\n"), 0o600))
	t.Setenv("FLIGHTLAKE_TEST_SECRET", "hidden")
	x := newExecutor(t, engine.Options{AllowedDirs: []string{t.TempDir()}})
	for _, sql := range []string{
		"SELECT * FROM '" + dir + "/x.csv'", "SELECT * FROM read_csv('" + dir + "/x.csv')", "SELECT * FROM read_text('/etc/passwd')",
		"SELECT * FROM read_blob('/etc/passwd')", "SELECT * FROM glob('/etc/*')", "SELECT * FROM sniff_csv('" + dir + "/x.csv')",
		"SELECT getenv('FLIGHTLAKE_TEST_SECRET')", "SELECT * FROM read_csv('https://example.org/x.csv')",
		"SELECT * FROM read_duckdb('" + dir + "/x.db')",
	} {
		_, err := query(t.Context(), x, engine.Query{SQL: sql})
		require.Error(t, err, sql)
	}
}

// TestEveryTableFunctionIsJudged lists the table functions of this DuckDB that
// clients may call: one that a later DuckDB adds stays closed.
func TestEveryTableFunctionIsJudged(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	rows := mustQuery(t, x, "SELECT DISTINCT function_name FROM duckdb_functions() "+
		"WHERE function_type IN ('table', 'table_macro', 'pragma') ORDER BY 1").rows
	var allowed []string
	for _, row := range rows {
		if engine.AllowedTableFunction(row[0]) {
			allowed = append(allowed, row[0])
		}
	}
	require.Equal(t, []string{
		"duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_functions", "duckdb_indexes",
		"duckdb_keywords", "duckdb_schemas", "duckdb_sequences", "duckdb_tables", "duckdb_types", "duckdb_views",
		"generate_series", "icu_calendar_names", "json_each", "json_tree",
		"pg_timezone_names", "pragma_collations", "pragma_show", "pragma_table_info", "pragma_version", "range", "repeat",
		"repeat_row", "summary", "unnest",
	}, allowed)
	for _, name := range []string{"getenv", "GETENV", "current_setting", "write_log", "json_serialize_plan", "read_text"} {
		require.False(t, engine.AllowedFunction(name), name)
	}
	require.True(t, engine.AllowedSetting("TimeZone"))
	require.False(t, engine.AllowedSetting("threads"))
	for _, name := range []string{"sum", "now", "repeat", "json_extract", "current_schema", "uuid"} {
		require.True(t, engine.AllowedFunction(name), name)
	}
}

// TestEverySystemViewIsJudged lists the views of this DuckDB that clients may
// not read.
func TestEverySystemViewIsJudged(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	frontend := &engine.Frontend{}
	var closed []string
	for _, row := range mustQuery(t, x, "SELECT schema_name, view_name FROM duckdb_views() WHERE internal ORDER BY ALL").rows {
		require.Equal(t, frontend.AllowedSystemView(row[0], row[1]), frontend.AllowedSystemView(row[0], strings.ToUpper(row[1])))
		if !frontend.AllowedSystemView(row[0], row[1]) {
			closed = append(closed, row[1])
		}
	}
	require.Equal(t, []string{"duckdb_logs", "pg_prepared_statements", "pg_settings"}, closed)
	require.False(t, frontend.AllowedSystemView("pg_catalog", "pg_of_the_future"))
}
