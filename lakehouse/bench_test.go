package lakehouse_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/statement"
)

// BenchmarkPlan plans what GetFlightInfo plans: a constant, whose plan is kept, and a
// lookup with another key each time, whose is not.
func BenchmarkPlan(b *testing.B) {
	l := setup(b, nil)
	for _, sql := range []string{
		"CREATE TABLE t AS SELECT i AS k, i % 100 AS a, 'text ' || i AS s FROM range(100000) r(i)",
		"INSERT INTO t SELECT i + 100000, i % 100, 'text ' || i FROM range(100000) r(i)",
	} {
		_, err := l.Execute(b.Context(), statement.Statement{SQL: sql})
		require.NoError(b, err)
	}
	for name, text := range map[string]func(i int) string{
		"constant": func(int) string { return "SELECT 1" },
		"lookup":   func(i int) string { return fmt.Sprintf("SELECT a, s FROM t WHERE k = %d", i) },
	} {
		b.Run("query="+name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				q, err := l.Plan(b.Context(), statement.Statement{SQL: text(i)})
				if err != nil || q.Schema == nil {
					b.Fatal(err)
				}
			}
		})
	}
}
