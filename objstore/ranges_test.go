package objstore_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/objstore"
)

func TestCoalesce(t *testing.T) {
	t.Parallel()
	const gap, most = 10, 100
	tests := []struct {
		name        string
		given, want []objstore.Range
	}{
		{"none", nil, nil},
		{"unsorted, with a small and a large gap", []objstore.Range{{30, 40}, {0, 10}, {20, 25}, {51, 60}}, []objstore.Range{{0, 40}, {51, 60}}},
		{"too long together", []objstore.Range{{0, 60}, {60, 120}}, []objstore.Range{{0, 60}, {60, 120}}},
		{"as long as may be", []objstore.Range{{0, 60}, {60, 100}}, []objstore.Range{{0, 100}}},
		{"one that is too long itself", []objstore.Range{{0, 500}, {500, 501}}, []objstore.Range{{0, 500}, {500, 501}}},
		{"one inside of another that is too long", []objstore.Range{{400, 500}, {0, 500}}, []objstore.Range{{0, 500}}},
		{"equal ones", []objstore.Range{{5, 6}, {5, 6}}, []objstore.Range{{5, 6}}},
	}
	for _, test := range tests {
		require.Equal(t, test.want, objstore.Coalesce(test.given, gap, most), test.name)
	}
}

func TestCoalescedRangesHoldTheGivenOnes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		gap, most := rapid.Int64Range(0, 50).Draw(t, "gap"), rapid.Int64Range(1, 300).Draw(t, "most")
		given := rapid.SliceOf(rapid.Custom(func(t *rapid.T) objstore.Range {
			from := rapid.Int64Range(0, 1000).Draw(t, "from")
			return objstore.Range{From: from, To: from + rapid.Int64Range(0, 200).Draw(t, "bytes")}
		})).Draw(t, "ranges")
		merged := objstore.Coalesce(slices.Clone(given), gap, most)
		for _, g := range given {
			require.True(t, slices.ContainsFunc(merged, func(m objstore.Range) bool { return m.From <= g.From && g.To <= m.To }), "%v is missing", g)
		}
		for i, m := range merged {
			require.True(t, m.To-m.From <= most || slices.Contains(given, m), "%v is too long", m)
			if i > 0 {
				before := merged[i-1]
				require.True(t, before.From <= m.From && before.To < m.To, "%v after %v", m, before)
				require.True(t, m.From > before.To+gap || m.To-before.From > most, "%v and %v are apart", before, m)
			}
		}
	})
}
