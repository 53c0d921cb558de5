//go:build duckdb_arrow

package planner_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

// manyOf returns first, then n copies of format with their number, separated.
func manyOf(first, format, separator string, n int, last string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(format, i)
	}
	return first + strings.Join(parts, separator) + last
}

// BenchmarkLongText analyses and rewrites statements of n items on one line.
// Four times the items must take about four times as long.
func BenchmarkLongText(b *testing.B) {
	p := newPlanner(b)
	for _, n := range []int{1_000, 4_000, 16_000} {
		for _, tt := range []struct{ name, sql string }{
			{"values", manyOf("insert into t values ", "(%d, 'é', ?, 1.5, null)", ", ", n, "")},
			{"columns", manyOf("select ", "a + %d as b", ", ", n, " from t")},
			{"qualified", manyOf("select ", "main.t.a + %d", ", ", n, " from main.t")},
			{"tables", manyOf("", "select a from main.t where main.t.a = %d", " union all ", n/16, "")},
		} {
			b.Run(fmt.Sprintf("%s/items=%d", tt.name, n), func(b *testing.B) {
				for b.Loop() {
					a, err := p.Analyze(context.Background(), tt.sql)
					require.NoError(b, err)
					rewritten := a.Rewrite(func(int, planner.TableRef) string { return lake.QuoteIdent("twin") })
					require.Greater(b, len(rewritten), n)
				}
			})
		}
	}
}
