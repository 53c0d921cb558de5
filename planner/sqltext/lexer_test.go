package sqltext_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

func words(t *testing.T, text string) string {
	t.Helper()
	tokens, err := sqltext.Lex(text)
	require.NoError(t, err)
	kinds := [...]string{"w", "q", "s", "n", "p", "o"}
	var b strings.Builder
	for i, tok := range tokens {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(kinds[tok.Kind] + ":" + text[tok.Start:tok.End])
	}
	return b.String()
}

func TestLex(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"a comment that nests":                     {"a /* x /* y */ ; */ b -- c;\n d", "w:a w:b w:d"},
		"a doubled quote does not end a string":    {"'it''s' \"a\"\"b\"", "s:'it''s' q:\"a\"\"b\""},
		"a backslash escapes only in E strings":    {`'a\' E'a\'' x`, `s:'a\' s:E'a\'' w:x`},
		"a prefix is part of a word otherwise":     {"date'2020' e 'x'", "w:date s:'2020' w:e s:'x'"},
		"dollar quoting hides quotes and parens":   {"$$a';($b$$ $t$ $$ $t$ $1 $n", "s:$$a';($b$$ s:$t$ $$ $t$ p:$1 p:$n"},
		"a dollar inside a word is not a string":   {"a$b$c", "w:a$b$c"},
		"numbers":                                  {"1 1_000 1.5e-3 .5 0x1F 1e 1..2", "n:1 n:1_000 n:1.5e-3 n:.5 n:0x1F n:1 w:e n:1 o:. n:.2"},
		"operators that begin like comments":       {"a-b / c->>'d' => :: x", "w:a o:- w:b o:/ w:c o:->> s:'d' o:=> o::: w:x"},
		"a comment needs no space":                 {"a--b\nc/*d*/e", "w:a w:c w:e"},
		"a no-break space separates words":         {"select\u00a0a\u3000b", "w:select w:a w:b"},
		"letters of any script belong to a word":   {"größe 😀", "w:größe w:😀"},
		"parameters":                               {"?, ?2 $x", "p:? o:, p:?2 p:$x"},
		"a carriage return ends a line comment":    {"a --b\rc", "w:a w:c"},
		"a unicode string and a quoted unicode id": {"U&'x' U&\"y\"", "s:U&'x' q:U&\"y\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, words(t, c.text))
		})
	}
}

func TestLexNamesWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"select 'a":   "line 1, column 8: this string does not end",
		"a\n  \"b":    "line 2, column 3: this quoted identifier does not end",
		"ü /* /* */":  "line 1, column 3: this comment does not end",
		"$x$ $$":      "line 1, column 1: this string does not end with $x$",
		"select \xff": "not valid UTF-8",
		"E'\\'":       "this string does not end",
		"select '''":  "this string does not end",
		"/*/":         "this comment does not end",
	} {
		_, err := sqltext.Lex(text)
		require.ErrorIs(t, err, lake.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestStringValue(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		"'it''s'":             "it's",
		`E'a\n\x41\u00fc\'''`: "a\nAü''",
		"$$a'b$$":             "a'b",
		"$t$x$t$":             "x",
		"''":                  "",
	} {
		got, ok := sqltext.StringValue(token)
		require.True(t, ok, token)
		require.Equal(t, want, got, token)
	}
	_, ok := sqltext.StringValue("X'00'")
	require.False(t, ok)
}

func FuzzLexCoversTheText(f *testing.F) {
	for _, s := range []string{
		"select 'a' from \"b\" -- c\n", "E'\\'", "$a$ b $a$", "/*/**/*/1.5e+3", "U&\"x", "a\u00a0b", "?1::int",
		"create temp table t (a int primary key, b x(1) constraint c references s.t (a) on delete no action, foreign key (a) references t)",
		"grant select, insert on table s.t, u to role r, b", "revoke all on all tables in schema s from u cascade", "grant r to u",
		"begin isolation level read committed, read only", "rollback work to savepoint s", "set local time zone 'x'", "reset all",
		"set session a.b to -1", "kill session 'x'", "use a.b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := sqltext.Lex(text)
		if err != nil {
			return
		}
		end := 0
		for _, tok := range tokens {
			require.GreaterOrEqual(t, tok.Start, end)
			require.Greater(t, tok.End, tok.Start)
			require.LessOrEqual(t, tok.End, len(text))
			between := text[end:tok.Start]
			again, err := sqltext.Lex(between)
			require.NoError(t, err)
			require.Empty(t, again, "what lies between tokens is blank")
			end = tok.End
		}
		_, _ = sqltext.Classify(text)
	})
}
