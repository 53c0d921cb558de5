//go:build duckdb_arrow

package planner_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

func TestViewsOfSettingsAreClosedHoweverTheyAreNamed(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	resolve := func(sql string) error {
		a, err := p.Analyze(context.Background(), sql)
		require.NoError(t, err, sql)
		_, err = resolveAll(t, a, nil)
		return err
	}
	for _, sql := range []string{
		"from pg_settings", "FROM PG_Settings", "select name from pg_catalog.pg_settings s", "from system.pg_catalog.pg_settings",
		"from main.duckdb_logs", "from duckdb_logs", "from temp.pg_catalog.pg_settings", "from pg_prepared_statements",
		"select (select count(*) from pg_settings)", "with c as (from pg_settings) from t, c", "describe pg_settings", "table pg_settings",
		"pivot pg_settings on name using count(*)", "pivot (from system.main.pg_settings) on name using count(*)",
		"pivot (from main.duckdb_logs) on type using count(*)", "from lake.main.t, pg_catalog.pg_settings",
	} {
		require.ErrorIs(t, resolve(sql), lake.ErrForbidden, sql)
	}
	require.ErrorIs(t, resolve("from system.pg_settings"), lake.ErrNotFound)
	require.ErrorIs(t, resolve("from duckdb_settings"), lake.ErrNotFound)
	for _, sql := range []string{
		"from information_schema.tables", "from system.information_schema.columns", "from duckdb_tables", "from main.duckdb_columns",
		"from pg_catalog.pg_class c join pg_namespace n on n.oid = c.relnamespace", "from sqlite_master", "from pragma_database_list",
		"from pg_collation", "select * from duckdb_tables() where not internal", "pivot duckdb_tables on schema_name using count(*)",
		"with pg_settings as (select 1) from pg_settings",
	} {
		require.NoError(t, resolve(sql), sql)
	}
}
