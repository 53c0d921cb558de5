package shell

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSplitScript(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []Item
	}{
		"nothing":                        {" \n-- only a comment\n", nil},
		"semicolons alone":               {";;\n;", nil},
		"last one without semicolon":     {"SELECT 1;\nSELECT 2", []Item{{Text: "SELECT 1", Line: 1}, {Text: "SELECT 2", Line: 2}}},
		"two in a line":                  {"SELECT 1; SELECT 2;", []Item{{Text: "SELECT 1", Line: 1}, {Text: "SELECT 2", Line: 1}}},
		"several lines":                  {"\n\nSELECT\n 1\n;\nFROM t;", []Item{{Text: "SELECT\n 1", Line: 3}, {Text: "FROM t", Line: 6}}},
		"in text":                        {"SELECT ';';", []Item{{Text: "SELECT ';'", Line: 1}}},
		"in text over lines":             {"SELECT 'a;\nb', 1;", []Item{{Text: "SELECT 'a;\nb', 1", Line: 1}}},
		"in a name":                      {`SELECT ";" FROM t;`, []Item{{Text: `SELECT ";" FROM t`, Line: 1}}},
		"in dollar quotes":               {"SELECT $x$ ; $$ ; $x$;", []Item{{Text: "SELECT $x$ ; $$ ; $x$", Line: 1}}},
		"in comments":                    {"SELECT 1 -- ;\n + /* ; /* ; */ */ 2;", []Item{{Text: "SELECT 1 -- ;\n + /* ; /* ; */ */ 2", Line: 1}}},
		"comment before":                 {"-- first\nSELECT 1;", []Item{{Text: "SELECT 1", Line: 2}}},
		"windows lines":                  {"SELECT 1;\r\nSELECT 2;\r\n", []Item{{Text: "SELECT 1", Line: 1}, {Text: "SELECT 2", Line: 2}}},
		"byte order mark":                {"\ufeffSELECT 1", []Item{{Text: "SELECT 1", Line: 1}}},
		"command":                        {"SELECT 1;\n  \\format json\nSELECT 2;", []Item{{Text: "SELECT 1", Line: 1}, {Text: `\format json`, Command: true, Line: 2}, {Text: "SELECT 2", Line: 3}}},
		"command with a quote":           {"\\o it's.csv\nSELECT 1;", []Item{{Text: `\o it's.csv`, Command: true, Line: 1}, {Text: "SELECT 1", Line: 2}}},
		"backslash within a statement":   {"SELECT '\n\\d\n';", []Item{{Text: "SELECT '\n\\d\n'", Line: 1}}},
		"command after a comment":        {"-- list\n\\d\n", []Item{{Text: `\d`, Command: true, Line: 2}}},
		"text that does not end":         {"SELECT 1;\nSELECT 'a;\n", []Item{{Text: "SELECT 1", Line: 1}, {Text: "SELECT 'a;", Line: 2}}},
		"statement after one in a line":  {"SELECT 1; SELECT\n2;", []Item{{Text: "SELECT 1", Line: 1}, {Text: "SELECT\n2", Line: 1}}},
		"comment after the last":         {"SELECT 1; -- done", []Item{{Text: "SELECT 1", Line: 1}}},
		"comment over lines that is odd": {"SELECT 1; /* it's\nodd; */ SELECT 2;", []Item{{Text: "SELECT 1", Line: 1}, {Text: "SELECT 2", Line: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, SplitScript(c.text))
		})
	}
}

func TestSplittingFindsEveryStatementWhereItIs(t *testing.T) {
	t.Parallel()
	pieces := []string{"SELECT 1", "SELECT ';\n'", "FROM \"a;b\"", "SELECT /* ; */\n 2", "SELECT $$;$$", "SELECT 1 -- x;\n+ 1"}
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "statements")
		var script strings.Builder
		for _, s := range want {
			script.WriteString(rapid.SampledFrom([]string{"", " ", "\n", "\n\n", "-- c;\n"}).Draw(t, "between"))
			script.WriteString(s + ";")
		}
		items := SplitScript(script.String())
		require.Len(t, items, len(want))
		lines := strings.Split(script.String(), "\n")
		for i, item := range items {
			require.Equal(t, want[i], item.Text)
			first, _, _ := strings.Cut(item.Text, "\n")
			require.Contains(t, lines[item.Line-1], first)
		}
	})
}

func TestCompleteInput(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": true, "  ": true, `\d`: true, `\o it's`: true, "-- c": true,
		"SELECT 1": false, "SELECT 1;": true, "SELECT 1; -- c": true, "SELECT ';": false, "SELECT ';'": false,
		"/* ; ": false, "SELECT $$;": false, "SELECT 1; SELECT 2": false, "SELECT 1;\n\n": true,
	} {
		require.Equal(t, want, completeInput(text), text)
	}
}
