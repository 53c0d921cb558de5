package lakehouse_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummarizeAndTableStandWhereAQueryMay(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE u (i BIGINT)")
	b.exec(t, "INSERT INTO u VALUES (1), (2), (3)")
	require.Equal(t, []string{"i|3|3"}, b.rows(t, "SELECT column_name, max, count FROM (SUMMARIZE u)"))
	require.Equal(t, []string{"i|3"}, b.rows(t, "SELECT column_name, count FROM (SUMMARIZE TABLE u)"))
	require.Equal(t, []string{"i|BIGINT"}, b.rows(t, "SELECT column_name, column_type FROM (DESCRIBE TABLE u)"))
	require.Equal(t, []string{"3", "2"}, b.rows(t, "TABLE u ORDER BY i DESC LIMIT 2"))
	require.Equal(t, []string{"i|3|BIGINT"},
		b.rows(t, "SELECT s.column_name, s.max, d.column_type FROM (SUMMARIZE u) s JOIN (DESCRIBE u) d USING (column_name)"))
	for _, row := range b.rows(t, "EXPLAIN DESCRIBE u") {
		require.NotContains(t, row, "scan main.u")
	}
}
