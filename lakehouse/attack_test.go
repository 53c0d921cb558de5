package lakehouse_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/attack"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

// wasRefused is attack.Refused, for definitions too: DuckDB itself refuses queries in defaults.
func wasRefused(err error) bool {
	return attack.Refused(err) || errors.Is(err, lake.ErrInvalid) && strings.Contains(err.Error(), "cannot contain subqueries")
}

// TestClientsCallNothingThatIsClosed walks all functions of this DuckDB in every position
// and spelling, as one who may do everything and as one with few rights.
func TestClientsCallNothingThatIsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.inSession(t, "root")
	root.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	root.exec(t, "CREATE TABLE u AS SELECT 1 AS i")
	try := func(a *actor, sql string) {
		t.Helper()
		_, err := a.query(t.Context(), a.statement(sql))
		require.True(t, wasRefused(err), "%q: %v: %v", sql, lake.KindOf(err), err)
		_, err = a.Describe(t.Context(), a.statement(sql))
		require.True(t, wasRefused(err), "described: %q: %v: %v", sql, lake.KindOf(err), err)
	}
	names := root.rows(t, "SELECT DISTINCT function_name FROM duckdb_functions() ORDER BY 1")
	closed := 0
	for _, name := range names {
		if engine.AllowedFunction(name) || engine.AllowedTableFunction(name) || name == engine.ScanFunction {
			continue
		}
		closed++
		for sql := range attack.Queries(`"` + name + `"`) {
			try(root, sql)
			if testing.Short() {
				break
			}
		}
		call := `"` + name + `"('x')`
		try(root, "SELECT * FROM lake.scan_plan('FROM "+strings.ReplaceAll(call, "'", "''")+"')")
		for sql := range attack.Changes(`"` + name + `"`) {
			_, err := root.Execute(t.Context(), root.statement(sql))
			require.True(t, wasRefused(err), "%q: %v: %v", sql, lake.KindOf(err), err)
		}
	}
	require.Greater(t, closed, 100)
	eve := w.as(t, "eve")
	for _, name := range []string{"parquet_scan", "enable_logging"} {
		for sql := range attack.Spelt(name, "'/etc/hostname'") {
			for _, a := range []*actor{eve, root} {
				_, err := a.query(t.Context(), a.statement(sql))
				require.Error(t, err, "%q", sql) // a blank that is none for DuckDB is part of an unknown name
			}
		}
	}
	require.Equal(t, []string{"1"}, root.rows(t, "FROM t"), "nothing was inserted")
	_, err := root.query(t.Context(), statement.Statement{SQL: "FROM x", Caller: root.caller})
	require.ErrorIs(t, err, lake.ErrNotFound, "nothing was created")
}
