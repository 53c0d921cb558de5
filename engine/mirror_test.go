package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

func mirrorState() *lake.State {
	five, broken := "5", "no_such_function()"
	return &lake.State{SchemaVersion: 1, Schemas: []lake.Schema{
		{Name: "main", Tables: []lake.Table{{Name: "t", Comment: "it's t", Columns: []lake.Column{
			{Name: "a", Type: lake.Type{ID: lake.TypeInt32}, Default: &five, Comment: "the a"},
			{Name: "b", Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true, Default: &broken, DefaultIsExpression: true},
		}}}, Views: []lake.View{
			{Name: "av", SQL: "SELECT * FROM bv"},
			{Name: "bv", SQL: "SELECT a AS x FROM t"},
			{Name: "broken", SQL: "FROM nowhere"},
			{Name: "two", SQL: "SELECT 1; CREATE TABLE lake.main.smuggled (a INTEGER)"},
		}},
		{Name: `s"2`, Tables: []lake.Table{{Name: "u.v", Columns: []lake.Column{{Name: "🦆", Type: lake.Type{ID: lake.TypeJSON}, Nullable: true}}}}},
	}}
}

func TestSyncShowsTheLakeAndNothingElse(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	require.Equal(t, [][]string{
		{"lake", "main", "av", "VIEW"},
		{"lake", "main", "bv", "VIEW"},
		{"lake", "main", "t", "BASE TABLE"},
		{"lake", `s"2`, "u.v", "BASE TABLE"},
	},
		mustQuery(t, x, "SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables ORDER BY ALL").rows)
	require.Equal(t, [][]string{{"lake"}}, mustQuery(t, x, "SHOW DATABASES").rows)
	require.Equal(t, [][]string{{"lake"}, {"system"}, {"temp"}},
		mustQuery(t, x, "SELECT DISTINCT catalog_name FROM information_schema.schemata ORDER BY ALL").rows)
	require.Equal(t, [][]string{{"a", "the a"}, {"b", "(null)"}},
		mustQuery(t, x, "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 't'").rows)
	r := mustQuery(t, x, "DESCRIBE t")
	require.Equal(t, []string{"a", "INTEGER", "NO"}, r.rows[0][:3])
	require.Equal(t, [][]string{{"it's t"}}, mustQuery(t, x, "SELECT comment FROM duckdb_tables() WHERE table_name = 't'").rows)
	r, err := query(t.Context(), x, engine.Query{SQL: `DESCRIBE "u.v"`, Schema: `s"2`})
	require.NoError(t, err)
	require.Equal(t, []string{"🦆", "JSON", "YES"}, r.rows[0][:3])
	require.NotEmpty(t, mustQuery(t, x, "SHOW TABLES").rows)
	require.NotEmpty(t, mustQuery(t, x, "SUMMARIZE t").rows)
	_, err = query(t.Context(), x, engine.Query{SQL: "SELECT 1", Schema: "nowhere"})
	require.ErrorIs(t, err, lake.ErrNotFound)
}

func TestTablesOfTheMirrorAreNotReadInPlaceOfTheLake(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	for _, sql := range []string{
		"FROM t ORDER BY a DESC", "SELECT (SELECT max(a) FROM lake.main.t)", "FROM bv", "SUMMARIZE t", `FROM lake."s""2"."u.v"`,
		"EXPLAIN ANALYZE FROM t", "SELECT * FROM (PIVOT t ON b IN ('x') USING sum(a))", "FROM ONLY t",
		// Words that ask for columns elsewhere open nothing.
		"SELECT max(a) FROM t WHERE 'show' <> ''", "SELECT a AS describe FROM t", "SELECT 1 AS desc, * FROM t -- SHOW",
		"SELECT * FROM (DESCRIBE t) d, lake.main.T x", "SELECT (SELECT count(*) FROM t) FROM (DESCRIBE SELECT 1)",
		"SELECT * FROM (DESCRIBE bv), bv", "SELECT * FROM (PIVOT t ON b IN ('show') USING sum(a))", "FROM (SUMMARIZE t), (DESCRIBE t)",
		`SELECT * FROM (DESCRIBE t), "lake"."s""2"."u.v"`, "EXPLAIN SELECT * FROM t, (DESCRIBE t)",
		// A name is hidden by an expression of that name only where that is in scope.
		"SELECT * FROM t, (WITH t AS (SELECT 1) FROM t), (DESCRIBE bv)", "WITH t AS (SELECT * FROM t) FROM t, (DESCRIBE lake.main.t)",
		"WITH t AS (SELECT 1) FROM lake.main.t, (DESCRIBE bv)",
		"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r, t WHERE n < 3) FROM r, (DESCRIBE t)",
		// DuckDB does not tell the tables of these.
		"UNPIVOT t ON a", "SELECT count(*) FROM (UNPIVOT t ON COLUMNS(*)::VARCHAR)", "WITH x AS (FROM t) FROM (UNPIVOT x ON a)",
		"PIVOT t ON b USING sum(a) GROUP BY a", "SELECT (SELECT count(*) FROM t) FROM (PIVOT (SELECT 1 i, 'x' k) ON k USING sum(i))",
	} {
		_, err := query(t.Context(), x, engine.Query{SQL: sql, Rewritten: true})
		require.ErrorIs(t, err, lake.ErrUnsupported, sql)
	}
	for _, sql := range []string{
		"WITH t AS (SELECT 1) FROM t", "DESCRIBE t", "SHOW TABLES", "FROM information_schema.tables", "FROM duckdb_tables()",
		"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) FROM r", "FROM (VALUES (1)) t",
		"DESC t", "SHOW t", "DESCRIBE SELECT a FROM t", "SELECT * FROM (DESCRIBE t) d", `DESCRIBE "s""2"."u.v"`, "SHOW ALL TABLES",
		"SELECT 'show' FROM (DESCRIBE bv), (DESCRIBE t)", "FROM (SHOW TABLES)", "EXPLAIN DESCRIBE t", "EXPLAIN (DESCRIBE t)",
		"WITH t AS (SELECT 1) FROM t, (DESCRIBE bv)", "WITH x AS (SELECT 1 a, 2 b) FROM (UNPIVOT x ON a, b), (DESCRIBE t)",
		"FROM (UNPIVOT information_schema.schemata ON catalog_name)", "FROM (UNPIVOT duckdb_tables ON table_name)",
	} {
		_, err := query(t.Context(), x, engine.Query{SQL: sql, Rewritten: true})
		require.NoError(t, err, sql)
	}
}

func TestAPivotOfOwnRowsRuns(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	for _, sql := range []string{
		"PIVOT (SELECT 1 i, 'x' k) ON k USING sum(i)", "FROM (PIVOT (SELECT 1 i, 'x' k) ON k || 'y' USING sum(i) GROUP BY i ORDER BY 1)",
		"WITH t AS (SELECT 1 i, 'x' k) PIVOT t ON k",
	} {
		_, err := query(t.Context(), x, engine.Query{SQL: sql, Rewritten: true})
		require.NoError(t, err, sql)
	}
}

func TestUnpivotOfAViewThatATableHides(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	state := mirrorState()
	state.Schemas[0].Tables = append(state.Schemas[0].Tables, lake.Table{
		ID: 99, Schema: "main", Name: "Pg_Class", Columns: []lake.Column{{ID: 1, Name: "relname", Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true}},
	})
	q := engine.Query{SQL: "FROM (UNPIVOT pg_class ON relname)", Rewritten: true}
	_, err := query(t.Context(), x, q)
	require.NoError(t, err)
	require.NoError(t, x.Sync(t.Context(), state))
	_, err = query(t.Context(), x, q)
	require.ErrorIs(t, err, lake.ErrUnsupported)
}

func TestAnOlderStateIsNotShownInPlaceOfANewerOne(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	newer, older := mirrorState(), mirrorState()
	newer.SchemaVersion, older.SchemaVersion = 6, 5
	older.Schemas = nil
	require.NoError(t, x.Sync(t.Context(), newer))
	before := mustQuery(t, x, "SELECT table_name FROM information_schema.tables ORDER BY ALL").rows
	require.NotEmpty(t, before)
	require.NoError(t, x.Sync(t.Context(), older)) // by a statement that began before the newer was committed
	require.Equal(t, before, mustQuery(t, x, "SELECT table_name FROM information_schema.tables ORDER BY ALL").rows)
}

func TestSyncGoesOnWhenItsCallerHasGivenUp(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	large := &lake.State{SchemaVersion: 1, Schemas: []lake.Schema{{ID: 1, Name: "main"}}}
	for i := range 3000 {
		large.Schemas[0].Tables = append(large.Schemas[0].Tables, lake.Table{
			ID: lake.TableID(i + 1), Schema: "main", Name: fmt.Sprintf("t%d", i),
			Columns: []lake.Column{{ID: 1, Name: "a", Type: lake.Type{ID: lake.TypeInt32}, Nullable: true}},
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, x.Sync(ctx, large), context.DeadlineExceeded)
	require.NoError(t, x.Sync(t.Context(), large))
	require.Equal(t, [][]string{{"3000"}}, mustQuery(t, x, "SELECT count(*) FROM duckdb_tables() WHERE NOT internal").rows)
}

func TestSyncAppliesTheDifference(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	state := mirrorState()
	state.SchemaVersion = 2
	state.Schemas = state.Schemas[:1]
	state.Schemas[0].Tables[0].Columns[0].Type.ID = lake.TypeInt64
	require.NoError(t, x.Sync(t.Context(), state))
	require.Equal(t, [][]string{{"av", "x", "BIGINT"}, {"bv", "x", "BIGINT"}, {"t", "a", "BIGINT"}, {"t", "b", "VARCHAR"}},
		mustQuery(t, x, "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_catalog = 'lake' ORDER BY ALL").rows)
	require.NoError(t, x.Sync(t.Context(), &lake.State{SchemaVersion: 3}))
	require.Empty(t, mustQuery(t, x, "SELECT table_name FROM information_schema.tables").rows)
}

func TestDescribeTellsResultAndParameters(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	d, err := x.Describe(t.Context(), engine.Query{SQL: "SELECT a, upper(?) || b AS c FROM t WHERE a = ?"})
	require.NoError(t, err)
	require.Equal(t, "a: type=int32, nullable c: type=utf8, nullable", fieldsText(d.Result.Fields()))
	require.Equal(t, "1: type=utf8, nullable 2: type=int32, nullable", fieldsText(d.Params))
	d, err = x.Describe(t.Context(), engine.Query{SQL: "SELECT a FROM t WHERE ? IS NULL"})
	require.NoError(t, err)
	require.Nil(t, d.Result, "not known yet")
	require.Equal(t, "1: type=null, nullable", fieldsText(d.Params))
	d, err = x.Describe(t.Context(), engine.Query{SQL: "SELECT a FROM t WHERE a = $2 AND DATE '2024-01-01' > $1"})
	require.NoError(t, err)
	require.Equal(t, "1: type=date32, nullable 2: type=int32, nullable", fieldsText(d.Params))
	d, err = x.Describe(t.Context(), engine.Query{SQL: "SELECT $day::DATE, $n::BIGINT, $day::DATE"})
	require.NoError(t, err)
	require.Equal(t, "day: type=date32, nullable n: type=int64, nullable", fieldsText(d.Params))
	for sql, kind := range map[string]engine.StatementKind{
		"SELECT 1": engine.KindSelect, "VALUES (1)": engine.KindSelect, "FROM t": engine.KindSelect, "(SELECT 1)": engine.KindSelect,
		"EXPLAIN SELECT 1": engine.KindExplain, "EXPLAIN ANALYZE FROM t": engine.KindExplain, "EXPLAIN (FORMAT json) FROM t": engine.KindExplain,
		"DESCRIBE t": engine.KindSelect, "DESCRIBE SELECT 1": engine.KindSelect, "SHOW TABLES": engine.KindSelect, "SHOW ALL TABLES": engine.KindSelect,
		"SUMMARIZE t": engine.KindSelect, "PIVOT t ON b IN ('x') USING sum(a)": engine.KindSelect,
		"UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b": engine.KindSelect, "/* a /* b */ */ -- c\n WITH x AS (FROM t) FROM x;": engine.KindSelect,
		"CALL range(3)": engine.KindCall, "TABLE t": engine.KindSelect,
	} {
		d, err := x.Describe(t.Context(), engine.Query{SQL: sql})
		require.NoError(t, err, sql)
		require.Equal(t, kind, d.Kind, sql)
		r, err := query(t.Context(), x, engine.Query{SQL: sql})
		require.NoError(t, err, sql)
		require.Equal(t, d.Result.String(), r.schema.String(), sql)
	}
}

func fieldsText(fields []arrow.Field) string {
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = f.String()
	}
	return strings.Join(texts, " ")
}
