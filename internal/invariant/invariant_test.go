package invariant_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/invariant"
	"github.com/flightlake/flightlake/internal/invariant/invarianttest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	called := false
	invariant.Check("holds", func() bool { called = true; return true })
	require.Equal(t, invariant.Enabled, called)
	invarianttest.RequireCheck(t, "broken", func() {
		invariant.Check("broken", func() bool { return false })
	})
}

// stack is a type with an invariant that is dear to check.
type stack struct{ values []int64 }

// push is not inlined, so that what the check captures would have to be allocated.
//
//go:noinline
func (s *stack) push(v int64) {
	n := len(s.values)
	s.values = append(s.values, v)
	invariant.Check("values ascend", func() bool {
		n++
		return n == len(s.values) && slices.IsSorted(s.values)
	})
}

// TestDisabled pushes values that descend, which no check notices, and counts
// what the function that is given to Check costs.
func TestDisabled(t *testing.T) {
	if invariant.Enabled {
		t.Skip("checks are on")
	}
	s := stack{values: make([]int64, 0, 2000)}
	allocations := testing.AllocsPerRun(1000, func() { s.push(-int64(len(s.values))) })
	require.Zero(t, allocations)
	require.Greater(t, len(s.values), 1000)
}

func BenchmarkCheck(b *testing.B) {
	b.ReportAllocs()
	s := stack{values: make([]int64, 0, 1000)}
	for b.Loop() {
		if len(s.values) == cap(s.values) {
			s.values = s.values[:0]
		}
		s.push(int64(len(s.values)))
	}
}
