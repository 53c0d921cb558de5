package lakehouse_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

// TestTheEnginesEmptyTablesAreNeverRead reads tables in places where no source stands for
// them: the rows must be the right ones, or the statement refused.
func TestTheEnginesEmptyTablesAreNeverRead(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, sql := range []string{
		"CREATE TABLE t (a INT, b INT)", "INSERT INTO t VALUES (1, 2)", "CREATE TABLE u (c INT)", "INSERT INTO u VALUES (5)",
		"INSERT INTO t VALUES (3, 4)",
	} {
		b.exec(t, sql)
	}
	for _, sql := range []string{
		"SELECT * FROM t AT (VERSION => (SELECT 2 + count(*) FROM u))",
		"SELECT * FROM t AT (VERSION => (SELECT 2 + count(*) FROM u)) WHERE 'show' <> ''",
		"SELECT * FROM t AT (VERSION => (SELECT 2 + count(*) FROM u WHERE 'show' <> ''))",
		"SELECT * FROM t AT (VERSION => (SELECT 2 + count(*) FROM u)) -- describe",
		"SELECT * FROM t AT (VERSION => (SELECT 2 + count(*) /* DESCRIBE */ FROM u AS shows))",
		"SELECT * FROM t AT (VERSION => (SELECT 2 + count(*) FROM (DESCRIBE u), u))",
		"SELECT * FROM t AT (TIMESTAMP => (SELECT max(now()) FROM u, (SHOW TABLES)))",
		"SELECT * FROM t AT (VERSION => (SELECT 2 + count(*) FROM (UNPIVOT u ON c)))",
		"SELECT * FROM t AT (VERSION => (SELECT count(*) FROM (PIVOT u ON c USING sum(c) GROUP BY c)))",
		"SELECT * FROM t AT (VERSION => (SELECT max(snapshot_id) FROM lake.snapshots()))",
		"INSERT INTO u VALUES ((SELECT count(*) FROM t AT (VERSION => (SELECT 2 + count(*) FROM u WHERE 'show' <> ''))))",
	} {
		run := b.query
		if strings.HasPrefix(sql, "INSERT") {
			run = func(ctx context.Context, st statement.Statement) ([]string, error) {
				_, err := b.Execute(ctx, st)
				return nil, err
			}
		}
		_, err := run(t.Context(), statement.Statement{SQL: sql})
		require.ErrorIs(t, err, lake.ErrUnsupported, sql)
	}
	for sql, want := range map[string][]string{
		"SELECT count(*) FROM t AT (VERSION => (SELECT 1 + count(*) FROM (DESCRIBE u)))": {"1"},
		"PIVOT t ON a USING sum(b)":                                                            {"2|4"},
		"PIVOT ONLY t ON a USING sum(b)":                                                       {"2|4"},
		"SELECT (SELECT count(*) FROM ONLY u) FROM (PIVOT t ON a USING sum(b))":                {"1"},
		"SELECT (SELECT count(*) FROM u) FROM (PIVOT t ON a USING sum(b)) p JOIN t ON true, u": {"1", "1"},
		"SELECT (SELECT count(*) FROM u WHERE 'show' <> '') FROM (PIVOT t ON a USING sum(b))":  {"1"},
		"SELECT count(*) FROM (UNPIVOT ONLY t ON a, b)":                                        {"4"},
		"SELECT (SELECT count(*) FROM u), count(*) FROM t, (DESCRIBE u)":                       {"1|2"},
		"WITH x AS (FROM t) SELECT count(*) FROM (UNPIVOT x ON a, b)":                          {"4"},
	} {
		require.Equal(t, want, b.rows(t, sql), sql)
	}
}

func TestTableFunctionsAreRefusedWhateverTheirArguments(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE u (c INT)")
	for _, sql := range []string{
		"FROM histogram('u', c)", "FROM histogram(u, 1 = 1)", "FROM test_vector_types(1 = 1, true = true)", "FROM s: duckdb_settings()",
	} {
		_, err := b.query(t.Context(), statement.Statement{SQL: sql})
		require.ErrorIs(t, err, lake.ErrForbidden, sql)
	}
	require.Equal(t, []string{"true"}, b.rows(t, "SELECT * FROM unnest([1 = 1]) AS x(v)"))
}

// TestListsOfTablesShowWhatTheCallerMaySee has SHOW and DESCRIBE stand in places where
// they are not the statement's first word.
func TestListsOfTablesShowWhatTheCallerMaySee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tom := w.as(t, "tom") // may see sales.orders alone
	for _, sql := range []string{
		"SELECT name FROM (SHOW ALL TABLES)", "SELECT name FROM (DESCRIBE)", "SELECT min(name) FROM (SHOW ALL TABLES) AS x HAVING count(*) = 1",
		"SELECT max(name) FROM (SHOW TABLES FROM sales) x", "SELECT (SELECT string_agg(name) FROM (SHOW ALL TABLES))",
		"SELECT list(name)[1] FROM (SHOW ALL TABLES) HAVING count(*) = 1",
	} {
		require.Equal(t, []string{"orders"}, tom.rows(t, sql), sql)
	}
	require.Equal(t, []string{"1"}, tom.rows(t, "SELECT count(*) FROM (DESCRIBE)"))
	require.Len(t, tom.rows(t, "DESCRIBE"), 1)
	require.ErrorIs(t, tom.queryError(t, "SELECT name FROM (SHOW TABLES FROM vault)"), lake.ErrInvalid)
	require.Len(t, w.as(t, "root").rows(t, "SELECT name FROM (SHOW ALL TABLES)"), 3)
}
