package sqltext

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/invariant/invarianttest"
)

func TestTokensAreChecked(t *testing.T) {
	t.Parallel()
	const text = "SELECT 1"
	require.NotPanics(t, func() { checkLast([]Token{{End: 6}, {Start: 7, End: 8}}, text) })
	for name, tokens := range map[string][]Token{
		"negative":      {{Start: -1, End: 1}},
		"empty":         {{Start: 1, End: 1}},
		"past the end":  {{Start: 7, End: 9}},
		"overlap":       {{End: 6}, {Start: 5, End: 8}},
		"not ascending": {{Start: 7, End: 8}, {End: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			invarianttest.RequireCheck(t, "0 <= Start < End <= len(text), and tokens ascend without overlap.",
				func() { checkLast(tokens, text) })
		})
	}
}
