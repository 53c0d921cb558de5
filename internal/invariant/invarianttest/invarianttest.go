// Package invarianttest tests the checks of invariants.
package invarianttest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/invariant"
)

// RequireCheck requires that broken, which breaks the invariant with the given
// text, panics with that text where checks are on, and passes where they are off.
func RequireCheck(t *testing.T, text string, broken func()) {
	t.Helper()
	if !invariant.Enabled {
		require.NotPanics(t, broken)
		return
	}
	require.PanicsWithValue(t, "broken invariant: "+text, broken)
}
