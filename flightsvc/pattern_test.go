package flightsvc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNameMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"%", "t", true},
		{"", "t", false},
		{"t", "t", true},
		{"T", "t", true},
		{"t", "tt", false},
		{"tt", "t", false},
		{"t%", "table", true},
		{"%e", "table", true},
		{"%b%", "table", true},
		{"%x%", "table", false},
		{"t_ble", "table", true},
		{"_", "é", true},
		{"__", "é", false},
		{`a\_b`, "a_b", true},
		{`a\_b`, "axb", false},
		{`a\%`, "a%", true},
		{`a\%`, "abc", false},
		{`a\\b`, `a\b`, true},
		{`a\`, `a\`, true},
		{"%%", "", true},
		{"a%b%c", "aXbYbZc", true},
		{"a%b%c", "aXbYbZ", false},
		{"%ab", "aab", true},
		{"ß", "ß", true},
	} {
		require.Equal(t, c.want, nameMatches(&c.pattern, c.name), "%q like %q", c.name, c.pattern)
	}
	require.True(t, nameMatches(nil, "t"))
}

func TestPatternOfManyWildcardsIsQuick(t *testing.T) {
	t.Parallel()
	pattern := strings.Repeat("%a", 1_000) + "b"
	require.False(t, nameMatches(&pattern, strings.Repeat("a", 10_000)))
}
