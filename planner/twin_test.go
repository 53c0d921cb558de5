package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

// TestTwinsHaveTheColumnsOfTheirTable would plan a statement of a transaction with the
// columns that a table had before the transaction changed them.
func TestTwinsHaveTheColumnsOfTheirTable(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, table := range []lake.Table{
		{ID: 1, ColumnsBegin: 5},
		{ID: 1, ColumnsBegin: 6},
		{ID: 1, ColumnsBegin: 5, Draft: -3},
		{ID: 1, ColumnsBegin: 5, Draft: -4},
		{ID: 15, ColumnsBegin: 5},
	} {
		for i := range 2 {
			names[planner.TwinName(&table, i)] = true
		}
	}
	require.Len(t, names, 10)
	commented := lake.Table{ID: 1, Begin: 1, ColumnsBegin: 5, LayoutBegin: 9, Comment: "x"}
	require.True(t, names[planner.TwinName(&commented, 0)], "comments and partitioning make no other columns")
}
