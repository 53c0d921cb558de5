package sqltext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

func TestClassifyReadsDeclaredKeysAndTakesThemOff(t *testing.T) {
	t.Parallel()
	type key = sqltext.ForeignKey
	to := func(schema, name string) sqltext.ObjectName { return sqltext.ObjectName{Schema: schema, Name: name} }
	for name, tc := range map[string]struct {
		text    string
		primary []string
		foreign []key
		rest    string
	}{
		"none":               {"(a int, b varchar default 'primary key')", nil, nil, "(a int, b varchar default 'primary key')"},
		"of a column":        {"(a int primary key, b int)", []string{"a"}, nil, "(a int , b int)"},
		"with a name":        {`("A b" int CONSTRAINT "x y" PRIMARY KEY NOT NULL DEFAULT (1 + 2))`, []string{"A b"}, nil, `("A b" int  NOT NULL DEFAULT (1 + 2))`},
		"of the table":       {"(a int, b decimal(4, 2), primary key (b, a))", []string{"b", "a"}, nil, "(a int, b decimal(4, 2))"},
		"of the table first": {"(constraint p primary key (a), a int)", []string{"a"}, nil, "(a int)"},
		"behind a comment":   {"(a int -- the key\n primary key, b int /* ( */)", []string{"a"}, nil, "(a int -- the key\n , b int)"},
		"a reference":        {"(a int references t (x) on delete no action on update restrict, b int)", nil, []key{{[]string{"a"}, to("", "t"), []string{"x"}}}, "(a int , b int)"},
		"both on a column":   {`(a int primary key references "S".t, b int)`, []string{"a"}, []key{{[]string{"a"}, to("S", "t"), nil}}, "(a int  , b int)"},
		"two foreign keys": {
			"(a int, b int, constraint f foreign key (a, b) references t (x, y), foreign key (b) references s.u)", nil,
			[]key{{[]string{"a", "b"}, to("", "t"), []string{"x", "y"}}, {[]string{"b"}, to("s", "u"), nil}},
			"(a int, b int)",
		},
		"other constraints stay": {"(a int unique, constraint c check (a > 0), primary key (a))", []string{"a"}, nil, "(a int unique, constraint c check (a > 0))"},
		"fields of a struct":     {`(a struct("primary" int, b int[]), b int primary key)`, []string{"b"}, nil, `(a struct("primary" int, b int[]), b int )`},
	} {
		st, err := sqltext.Classify("create table t " + tc.text)
		require.NoError(t, err, name)
		require.Equal(t, tc.primary, st.Create.PrimaryKey, name)
		for i := range st.Create.ForeignKeys {
			st.Create.ForeignKeys[i].Table.Span = sqltext.Span{}
		}
		require.Equal(t, tc.foreign, st.Create.ForeignKeys, name)
		require.Equal(t, `CREATE TABLE "x" `+tc.rest, st.DefinitionSQL("x"), name)
	}
}

func TestClassifyNamesWhatIsWrongWithKeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"(a int primary key, primary key (a))":   "column 36: the primary key was given before",
		"(primary key (a))":                      "a table needs a column",
		"(a int, primary key)":                   `expected "("`,
		"(a int, primary key ())":                "expected the name of a column",
		"(a int, primary key (a) deferrable)":    `unexpected "deferrable"; expected "," or ")"`,
		"(a int, foreign key (a))":               "REFERENCES and a table",
		"(a int, foreign key a references t)":    `expected "("`,
		"(a int references)":                     "expected the name of a table",
		"(a int references t on drop cascade)":   "expected DELETE or UPDATE",
		"(a int references t on delete nothing)": "expected NO ACTION or RESTRICT",
		"(a int references a.b.c.d)":             "at most three parts",
	} {
		_, err := sqltext.Classify("create table t " + text)
		require.ErrorIs(t, err, lake.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		"(a int references t on delete cascade)":                       "ON DELETE CASCADE at line 1, column 36 is not supported: keys are declared and not enforced",
		"(a int, foreign key (a) references t (b) on update set null)": "ON UPDATE SET NULL",
	} {
		_, err := sqltext.Classify("create table t " + text)
		require.ErrorIs(t, err, lake.ErrUnsupported, text)
		require.ErrorContains(t, err, want, text)
	}
}
