//go:build duckdb_arrow

package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOrderedMeansTheWholeResult(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	for sql, want := range map[string]bool{
		"select a from t order by a":                                           true,
		"with c as (select 1 x) select * from t, c order by all limit 3":       true,
		"(select a from t order by a)":                                         true,
		"select a from t union all select a from u order by 1":                 true,
		"from t order by a":                                                    true,
		"pivot t on b using sum(a) order by 1":                                 true,
		"select a from t":                                                      false,
		"select a from (select a from t order by a)":                           false,
		"(select a from t order by a) union all select a from u":               false,
		"select array_agg(a order by a), sum(a) over (order by a) from t":      false,
		"pivot (select * from t order by a) on b using sum(a order by a)":      false,
		"select a as \"order\", 'order by' from t":                             false,
		"select row_number() over w from t window w as (order by a)":           false,
		"with c as (select a from t order by a) select * from c":               false,
		"select * from t where a in (select a from u order by a limit 1)":      false,
		"select * from t where a in (select a from u) order by a desc limit 1": true,
	} {
		plan, err := planOf(t, p, sql, nil, nil)
		require.NoError(t, err, sql)
		require.Equal(t, want, plan.Ordered, sql)
	}
}
