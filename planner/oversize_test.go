//go:build duckdb_arrow

package planner_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

func TestCallsThatBuildTooMuchFromConstantsAreRefused(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	for _, sql := range []string{
		"select repeat('x', 4000000000)", "select range(1000000000)", "select len(range(60000000))",
		"select generate_series(-5, 100000000)", "select RANGE(0, 1e8::bigint, 2)", "select range(0, -100000000, -1)",
		"select repeat(repeat('x', 100000), 100000)", "select repeat('0123456789', 2000000)",
		"select lpad('x', 4000000000, 'y')", "select rpad('x', 2000 * 1000000, 'y')", "select list_resize([1], 1000000000)",
		"select bitstring('0', 2000000000)", "select repeat([1], 1 << 30)", "select repeat('x', '4000000000'::bigint)",
		"select list_transform(range(1000000), x -> range(1000000))", "select [range(10000) for x in range(10000)]",
		"select replace(repeat('x', 1000000), 'x', repeat('y', 1000000))", "select printf('%1000000000d', 1)", "select format('{:>1000000000}', b) from t",
		"select repeat('x', 6000000), repeat('y', 6000000)", "select a from t where b = repeat('x', 4000000000.0)",
		"from unnest(range(1000000000))", "with c as (select repeat('x', 4000000000) as r) from c", "explain select repeat(b, 4000000000) from t",
		"from range(len(repeat('x', 4000000000)))", "insert into u values (1, repeat('x', 4000000000))",
		"create table v as select range(1000000000) as r", "select (select max(len(repeat('x', 20000000))))",
	} {
		_, err := p.Analyze(context.Background(), sql)
		require.ErrorIs(t, err, lake.ErrExhausted, sql)
		require.ErrorContains(t, err, "10000000", sql)
	}
	for _, sql := range []string{
		"from range(1000000000)", "select range from range(0, 1000000000, 1)", "select count(*) from generate_series(1, 4000000000) g",
		"from repeat('x', 4000000000)", "select repeat('x', 1000000)", "select range(1000)", "select range(1, 9000000000, 0)", "select repeat(b, a) from t", "select range(a) from t",
		"select repeat('x', -4000000000)", "select range(5, 1000000000, 1000000)", "select repeat('x', 4.0)",
		"select generate_series(timestamp '2020-01-01', timestamp '2021-01-01', interval 1 day)",
		"select list_transform(range(1000), x -> x + 1000000000)", "select format('{} 99999999', a) || 'x' from t where a = 4000000000",
		"select lpad(b, 10, '0'), 4000000000 * a from t",
	} {
		_, err := p.Analyze(context.Background(), sql)
		require.NoError(t, err, sql)
	}
}
