package engine_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/attack"
	"github.com/flightlake/flightlake/lake"
)

// TestTheExecutorRefusesWhatIsClosed walks all functions of this DuckDB: the executor alone,
// whatever was checked before, runs those on the lists only.
func TestTheExecutorRefusesWhatIsClosed(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), &lake.State{Schemas: []lake.Schema{{Name: "main", Tables: []lake.Table{integers("main", "t", "i"), integers("main", "u", "i")}}}}))
	try := func(sql string) {
		t.Helper()
		for _, rewritten := range []bool{false, true} {
			_, err := query(t.Context(), x, engine.Query{SQL: sql, Rewritten: rewritten})
			require.True(t, attack.Refused(err), "%q: %v: %v", sql, lake.KindOf(err), err)
			_, err = x.Describe(t.Context(), engine.Query{SQL: sql, Rewritten: rewritten})
			require.True(t, attack.Refused(err), "described: %q: %v", sql, err)
		}
	}
	rows, err := x.Texts("SELECT DISTINCT function_name FROM duckdb_functions() ORDER BY 1")
	require.NoError(t, err)
	closed := 0
	for _, row := range rows {
		name := row[0]
		if engine.AllowedFunction(name) || engine.AllowedTableFunction(name) || name == engine.ScanFunction {
			continue
		}
		closed++
		for sql := range attack.Queries(`"` + name + `"`) {
			try(sql)
			if testing.Short() {
				break
			}
		}
	}
	require.Greater(t, closed, 100)
	for sql := range attack.Spelt("read_text", "'/etc/hostname'") {
		_, err := query(t.Context(), x, engine.Query{SQL: sql})
		require.Error(t, err, "%q", sql) // a blank that is none for DuckDB is part of an unknown name
	}
	for _, name := range []string{"/etc/hostname", "x.parquet", "s3://x/y", "*"} {
		for _, sql := range []string{"FROM '$f'", `FROM "$f"`, "DESCRIBE '$f'", "PIVOT '$f' ON i", "FROM (SUMMARIZE '$f')", "WITH x AS (FROM '$f') FROM x"} {
			try(strings.ReplaceAll(sql, "$f", name))
		}
	}
	columns := []lake.Column{{ID: 1, Name: "a", Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true, DefaultIsExpression: true}}
	for _, expression := range []string{"getvariable('x')", "current_setting('threads')", "(SELECT content FROM read_text('/etc/hostname'))", "1) + (getvariable('x')"} {
		columns[0].Default = &expression
		_, err := x.InsertRows(context.WithoutCancel(t.Context()), engine.Insert{Table: "x", Columns: columns, Statements: insertOf(" VALUES (DEFAULT)")})
		require.True(t, attack.Refused(err), "%s: %v", expression, err)
	}
	for _, rows := range []string{" VALUES (getvariable('x'))", " SELECT content FROM read_text('/etc/hostname')", " VALUES ((SELECT current_query()))"} {
		columns[0].Default = nil
		_, err := x.InsertRows(t.Context(), engine.Insert{Table: "x", Columns: columns, Statements: insertOf(rows)})
		require.True(t, attack.Refused(err), "%s: %v", rows, err)
	}
}
