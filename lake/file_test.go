package lake_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/invariant/invarianttest"
	"github.com/flightlake/flightlake/lake"
)

func TestCheckInvariants(t *testing.T) {
	t.Parallel()
	groups := []lake.RowGroup{{Rows: 3}, {Rows: 4}}
	for _, f := range []lake.DataFile{
		{},
		{Begin: 5, Rows: 7},
		{Begin: 5, End: 6, Rows: 7, RowGroups: groups},
		{Begin: 5, RowGroups: []lake.RowGroup{}},
	} {
		require.NotPanics(t, f.CheckInvariants)
	}
	ended := lake.DataFile{Begin: 5, End: 5}
	invarianttest.RequireCheck(t, "Begin < End whenever End is not zero.", ended.CheckInvariants)
	short := lake.DataFile{Begin: 5, Rows: 8, RowGroups: groups}
	invarianttest.RequireCheck(t,
		"the sum of RowGroups[i].Rows is Rows whenever RowGroups is not nil.", short.CheckInvariants)
}
