//go:build duckdb_arrow

package planner_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
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

func TestEveryReferenceTellsItsOwnCommand(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	type want struct {
		command   string
		described bool
	}
	for sql, wants := range map[string][]want{
		"select * from (summarize t), (desc u)":            {{"SUMMARIZE", false}, {"DESCRIBE", true}},
		"describe table t":                                 {{"DESCRIBE", true}},
		"show t":                                           {{"SHOW", true}},
		"describe select * from t":                         {{"", true}},
		"summarize select * from t":                        {{"", false}},
		"table t":                                          {{"", false}},
		"from t, (describe from (from u)), s2.t":           {{"", false}, {"", true}, {"", false}},
		"pivot (describe t) on column_name using count(*)": {{"DESCRIBE", true}},
	} {
		a, err := p.Analyze(context.Background(), sql)
		require.NoError(t, err, sql)
		require.Len(t, a.Tables, len(wants), sql)
		for i, w := range wants {
			got := want{a.Tables[i].Command, a.Tables[i].Described}
			require.Equal(t, w, got, sql)
			require.Equal(t, w.command != "", a.Tables[i].Bare)
		}
	}
}

func TestTablesThatAreDescribedAreNotRead(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	files := map[string]*lake.TableVersion{"t": version(nil, lake.DataFile{ID: 1, Rows: 10, Begin: 1})}
	for sql, tasks := range map[string]int{
		"explain describe t": 0, "explain describe select * from t": 0, "explain select * from (describe t)": 0,
		"explain summarize t": 1, "explain table t": 1,
	} {
		plan, err := planOf(t, p, sql, nil, files)
		require.NoError(t, err, sql)
		require.Len(t, plan.Reads[0].Tasks, tasks, sql)
		require.Equal(t, tasks > 0, strings.Contains(strings.Join(plan.Explain(), "\n"), "scan main.t"), sql)
	}
}
