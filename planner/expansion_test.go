package planner_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

func TestStatementsThatBindingWouldBlowUpAreRefused(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	expressions := func(levels int, mod string) string {
		var b strings.Builder
		b.WriteString("WITH a0 AS " + mod + " (SELECT 1 AS x)")
		for i := range levels {
			fmt.Fprintf(&b, ", a%d AS %s (SELECT * FROM a%d x JOIN a%d y USING (x))", i+1, mod, i, i)
		}
		return fmt.Sprintf("%s SELECT * FROM a%d", b.String(), levels)
	}
	aliases := func(levels int, tail string) string {
		var b strings.Builder
		b.WriteString("SELECT 1.5 AS a0")
		for i := range levels {
			fmt.Fprintf(&b, ", a%d + A%d AS a%d", i, i, i+1)
		}
		return b.String() + tail
	}
	stars := func(levels int) string {
		return strings.Repeat("SELECT *, * FROM (", levels) + "SELECT 1 AS x" + strings.Repeat(")", levels)
	}
	union := "WITH a AS NOT MATERIALIZED (FROM w" + strings.Repeat(" UNION ALL FROM w", 200) + ") FROM a" + strings.Repeat(", a", 199)
	for name, sql := range map[string]string{
		"NOT MATERIALIZED":           expressions(22, "NOT MATERIALIZED"),
		"in a subquery":              "SELECT (" + expressions(22, "NOT MATERIALIZED") + ")",
		"wide":                       union,
		"aliases":                    aliases(22, ""),
		"aliases in a subquery":      "SELECT * FROM (" + aliases(22, "") + ")",
		"aliases in a WHERE":         aliases(8, " WHERE "+strings.TrimSuffix(strings.Repeat("a8 = 1 AND ", 50), " AND ")),
		"stars":                      stars(22),
		"stars of an expression":     "WITH s AS (" + stars(22) + ") FROM s",
		"stars of a set operation":   "FROM (" + stars(22) + " UNION ALL " + stars(2) + ")",
		"as rows of an INSERT":       "INSERT INTO t " + stars(22),
		"what an EXPLAIN is about":   "EXPLAIN " + stars(22),
		"stars of joined subqueries": "SELECT *, *, * FROM (" + stars(12) + ") a, (" + stars(12) + ") b",
	} {
		_, err := p.Analyze(t.Context(), sql)
		require.ErrorIs(t, err, lake.ErrExhausted, name)
	}
	for name, sql := range map[string]string{
		"expressions are kept by themselves": expressions(22, ""),
		"MATERIALIZED":                       expressions(22, "MATERIALIZED"),
		"few levels":                         expressions(10, "NOT MATERIALIZED"),
		"few aliases":                        aliases(9, ""),
		"few stars":                          stars(10),
		"a long list":                        "SELECT 1 IN (1" + strings.Repeat(", 1", 15_000) + ") AS a, a AS b",
		"many columns":                       "SELECT 1 AS a" + strings.Repeat(", a + 1", 1000),
		"many tables":                        "FROM w" + strings.Repeat(" UNION ALL FROM w", 500),
	} {
		_, err := p.Analyze(t.Context(), sql)
		require.NoError(t, err, name)
	}
}
