package lakehouse_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

// TestNoWordMakesTheMirrorAnswer asks in places where tables are not replaced by their
// rows: what the engine shows of the lake has none, and must not be taken for them.
func TestNoWordMakesTheMirrorAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, sql := range []string{
		"CREATE TABLE t AS SELECT 1 AS a", "INSERT INTO t VALUES (2)", "CREATE TABLE u AS SELECT 1 AS b",
		"INSERT INTO t VALUES (3)",
	} {
		b.exec(t, sql)
	}
	for _, sql := range []string{
		"SELECT * FROM t AT (VERSION => (SELECT 3 + count(*) FROM u))",
		"SELECT * FROM t AT (VERSION => (SELECT 3 + count(*) FROM u)) WHERE 'show' <> ''",
		"SELECT * FROM t AT (VERSION => (SELECT 3 + count(*) FROM u WHERE 'show' <> ''))",
		"SELECT * FROM t AT (VERSION => (SELECT 3 + count(*) /* DESCRIBE */ FROM u AS shows))",
		"SELECT * FROM t AT (VERSION => (SELECT 3 + count(*) FROM (DESCRIBE u), u))",
		"SELECT * FROM t AT (TIMESTAMP => (SELECT max(now()) FROM u, (SHOW TABLES)))",
	} {
		_, err := b.query(t.Context(), statement.Statement{SQL: sql})
		require.ErrorIs(t, err, lake.ErrUnsupported, sql)
	}
	require.Equal(t, []string{"1"}, b.rows(t, "SELECT * FROM t AT (VERSION => (SELECT count(*) FROM (DESCRIBE u)))"))
}
