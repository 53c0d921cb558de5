//go:build duckdb_arrow

package planner_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

// BenchmarkPointLookup analyses and plans a query of one row over 10,000 files
// of ten row groups, of which statistics leave one.
func BenchmarkPointLookup(b *testing.B) {
	p := newPlanner(b)
	n := numbers()
	const files, groups = 10_000, 10
	list := make([]lake.DataFile, files)
	for i := range list {
		base := int64(i) * 1000
		list[i] = lake.DataFile{ID: lake.FileID(i + 1), Rows: 1000, Begin: 1, Stats: []lake.ColumnStats{intStats(1, base, base+999, 1000, 0)}}
		for g := range int64(groups) {
			list[i].RowGroups = append(list[i].RowGroups, lake.RowGroup{
				Index: int32(g), Rows: 100, Columns: []lake.ColumnStats{intStats(1, base+100*g, base+100*g+99, 100, 0)},
			})
		}
	}
	v := version(nil, list...)
	b.Run("analyze", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := p.Analyze(context.Background(), "select a, f from n where a = 5000123")
			require.NoError(b, err)
		}
	})
	a, err := p.Analyze(context.Background(), "select a, f from n where a = 5000123")
	require.NoError(b, err)
	b.Run("plan/files=10000/groups=10", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			plan, err := p.Plan(context.Background(), planner.Request{
				Analysis: a, Tables: []planner.Resolved{{Table: &n, Snapshot: 3, Files: v}},
			})
			require.NoError(b, err)
			require.Len(b, plan.Native.Scan.Tasks, 1)
		}
	})
	b.Run("prune/files=10000/groups=10", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			got := planner.Prune(&n, v, compareA(0, 5000123))
			require.Len(b, got.Tasks, 1)
		}
	})
}
