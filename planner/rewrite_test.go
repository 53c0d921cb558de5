//go:build duckdb_arrow

package planner_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/planner"
)

func TestStatementsWithoutAQueryAreRewrittenToThemselves(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	for _, sql := range []string{"CALL lake.snapshots()", "DROP TABLE t", "CREATE TABLE t (a INTEGER)", "INSERT INTO t DEFAULT VALUES"} {
		a, err := p.Analyze(context.Background(), sql)
		require.NoError(t, err, sql)
		replace := func(int, planner.TableRef) string { return "x" }
		require.Equal(t, sql, a.Rewrite(replace))
		require.Empty(t, a.RewriteQuery(replace))
		require.Empty(t, a.TwinSQL(nil))
	}
}
