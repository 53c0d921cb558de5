package sqltext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// classified returns the statement without what says where it was found.
func classified(t *testing.T, text string) *sqltext.Statement {
	t.Helper()
	st, err := sqltext.Classify(text)
	require.NoError(t, err, text)
	if st.Use != nil {
		st.Use.Span = sqltext.Span{}
	}
	if st.Grant != nil {
		for i := range st.Grant.Objects {
			st.Grant.Objects[i].Name.Span = sqltext.Span{}
		}
	}
	return st
}

func TestClassifyTransaction(t *testing.T) {
	t.Parallel()
	type tx = sqltext.Transaction
	for text, want := range map[string]tx{
		"begin":                        {},
		"BEGIN WORK;":                  {},
		"begin transaction read only":  {ReadOnly: true},
		"START TRANSACTION READ WRITE": {},
		"start transaction isolation level repeatable read, read only": {ReadOnly: true},
		"begin isolation level read committed read write":              {},
		"commit":                               {Action: sqltext.ActionCommit},
		"COMMIT AND NO CHAIN":                  {Action: sqltext.ActionCommit},
		"end transaction":                      {Action: sqltext.ActionCommit},
		"commit work":                          {Action: sqltext.ActionCommit},
		"rollback":                             {Action: sqltext.ActionRollback},
		"abort transaction":                    {Action: sqltext.ActionRollback},
		"rollback work":                        {Action: sqltext.ActionRollback},
		"savepoint a":                          {Action: sqltext.ActionSavepoint, Savepoint: "a"},
		`savepoint "a ""b"""`:                  {Action: sqltext.ActionSavepoint, Savepoint: `a "b"`},
		"release a":                            {Action: sqltext.ActionRelease, Savepoint: "a"},
		"release savepoint B":                  {Action: sqltext.ActionRelease, Savepoint: "B"},
		"release savepoint":                    {Action: sqltext.ActionRelease, Savepoint: "savepoint"},
		"rollback to a":                        {Action: sqltext.ActionRollbackTo, Savepoint: "a"},
		"rollback transaction to savepoint":    {Action: sqltext.ActionRollbackTo, Savepoint: "savepoint"},
		"/* x */ ROLLBACK WORK TO SAVEPOINT a": {Action: sqltext.ActionRollbackTo, Savepoint: "a"},
	} {
		st := classified(t, text)
		require.Equal(t, sqltext.KindTransaction, st.Kind, text)
		require.Equal(t, want, *st.Transaction, text)
	}
}

func TestClassifySet(t *testing.T) {
	t.Parallel()
	type set = sqltext.Set
	for text, want := range map[string]set{
		"set Threads = 4":                   {Name: "threads", Value: "4"},
		"SET SESSION a TO 'it''s'":          {Name: "a", Value: "it's"},
		"set local a = -1.5":                {Name: "a", Value: "-1.5", Local: true},
		"set global a.B = on":               {Name: "a.b", Value: "on", Global: true},
		`set "a b" = "C d"`:                 {Name: "a b", Value: "C d"},
		"set session = 1":                   {Name: "session", Value: "1"},
		"set schema 'x'":                    {Name: "schema", Value: "x"},
		"set schema = x":                    {Name: "schema", Value: "x"},
		`set catalog "Lake"`:                {Name: "catalog", Value: "Lake"},
		"set search_path to main":           {Name: "search_path", Value: "main"},
		"set search_path = 'a,b'":           {Name: "search_path", Value: "a,b"},
		"set time zone 'UTC'":               {Name: "timezone", Value: "UTC"},
		"set a to default":                  {Name: "a", Reset: true},
		"set a = 'default'":                 {Name: "a", Value: "default"},
		"set variable = 1":                  {Name: "variable", Value: "1"},
		"set transaction to 'x'":            {Name: "transaction", Value: "x"},
		"reset A":                           {Name: "a", Reset: true},
		"reset session a":                   {Name: "a", Reset: true},
		"reset session":                     {Name: "session", Reset: true},
		"reset all":                         {Reset: true},
		"reset time zone":                   {Name: "timezone", Reset: true},
		"set statement_timeout = '1_000ms'": {Name: "statement_timeout", Value: "1_000ms"},
	} {
		st := classified(t, text)
		require.Equal(t, sqltext.KindSet, st.Kind, text)
		require.Equal(t, want, *st.Set, text)
	}
}

func TestClassifyUseAndKill(t *testing.T) {
	t.Parallel()
	require.Equal(t, sqltext.ObjectName{Name: "a"}, *classified(t, "use a").Use)
	require.Equal(t, sqltext.ObjectName{Schema: "A", Name: "b.c"}, *classified(t, `USE A."b.c";`).Use)
	for text, want := range map[string]sqltext.Kill{
		"kill 'x'":             {ID: "x"},
		"KILL QUERY 'x'":       {ID: "x"},
		"kill statement $$x$$": {ID: "x"},
		"kill session 'x'":     {ID: "x", Session: true},
	} {
		st := classified(t, text)
		require.Equal(t, sqltext.KindKill, st.Kind, text)
		require.Equal(t, want, *st.Kill, text)
	}
}

func TestClassifyGrant(t *testing.T) {
	t.Parallel()
	type object = sqltext.GrantObject
	table := func(schema, name string) object { return object{Name: sqltext.ObjectName{Schema: schema, Name: name}} }
	of := func(kind sqltext.GrantKind, name string) object {
		return object{Kind: kind, Name: sqltext.ObjectName{Name: name}}
	}
	for text, want := range map[string]sqltext.Grant{
		"grant select on t to bob":  {Privileges: []string{"SELECT"}, Objects: []object{table("", "t")}, Grantees: []string{"bob"}},
		"GRANT all on table t to b": {Objects: []object{table("", "t")}, Grantees: []string{"b"}},
		`grant Select, insert on table s.t, "S"."t 2" to user "Bob B", role r, c`: {
			Privileges: []string{"SELECT", "INSERT"}, Objects: []object{table("s", "t"), table("S", "t 2")}, Grantees: []string{"Bob B", "r", "c"},
		},
		"grant all privileges on schema s to user": {Objects: []object{of(sqltext.GrantSchema, "s")}, Grantees: []string{"user"}},
		"grant create on schema lake.s to b": {
			Privileges: []string{"CREATE"}, Grantees: []string{"b"},
			Objects: []object{{Kind: sqltext.GrantSchema, Name: sqltext.ObjectName{Schema: "lake", Name: "s"}}},
		},
		"grant select on all tables in schema a, b to c": {
			Privileges: []string{"SELECT"}, Objects: []object{of(sqltext.GrantAllTables, "a"), of(sqltext.GrantAllTables, "b")}, Grantees: []string{"c"},
		},
		"grant all on lake lake to c":             {Objects: []object{of(sqltext.GrantLake, "lake")}, Grantees: []string{"c"}},
		"grant all on database x to c":            {Objects: []object{of(sqltext.GrantLake, "x")}, Grantees: []string{"c"}},
		"grant select on schema to c":             {Privileges: []string{"SELECT"}, Objects: []object{table("", "schema")}, Grantees: []string{"c"}},
		"grant select on lake.t to c":             {Privileges: []string{"SELECT"}, Objects: []object{table("lake", "t")}, Grantees: []string{"c"}},
		"grant reader to bob, role x":             {Role: "reader", Grantees: []string{"bob", "x"}},
		`grant "all" to bob`:                      {Role: "all", Grantees: []string{"bob"}},
		"revoke reader from bob":                  {Revoke: true, Role: "reader", Grantees: []string{"bob"}},
		"revoke select on t from group b cascade": {Revoke: true, Privileges: []string{"SELECT"}, Objects: []object{table("", "t")}, Grantees: []string{"b"}},
	} {
		st := classified(t, text)
		require.Equal(t, sqltext.KindGrant, st.Kind, text)
		require.Equal(t, want, *st.Grant, text)
	}
}

func TestClassifyTemporaryTables(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"create temp table t (a int)", "CREATE OR REPLACE TEMPORARY TABLE t (a int)", "create local temp table if not exists temp.t (a int)",
	} {
		st := classified(t, text)
		require.Equal(t, sqltext.KindCreateTable, st.Kind, text)
		require.True(t, st.Create.Temporary, text)
		require.Equal(t, "t", st.Create.Name.Name, text)
		require.Equal(t, `CREATE TABLE "x" (a int)`, st.DefinitionSQL("x"), text)
	}
	require.False(t, classified(t, "create table t (temp int)").Create.Temporary)
	st := classified(t, "create temp table t as select 1")
	require.True(t, st.Create.Temporary)
	require.Equal(t, "select 1", st.Query.Of(st.Text))
	require.Equal(t, "CREATE TEMP VIEW", classified(t, "create temp view v as select 1").Name)
}

func TestClassifyNamesWhatIsWrongWithSessionStatements(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"begin immediate":                      `unexpected "immediate"; expected READ WRITE`,
		"begin isolation level high":           `unexpected "high"; an isolation level is`,
		"begin read only,":                     "ends too early; a comma is followed by",
		"start":                                "START is followed by TRANSACTION",
		"commit prepared":                      `unexpected "prepared"; expected the end`,
		"savepoint":                            "expected the name of a savepoint",
		"savepoint 'a'":                        "expected the name of a savepoint",
		"release":                              "expected the name of a savepoint",
		"rollback to":                          "expected the name of a savepoint",
		"rollback to savepoint a b":            `unexpected "b"`,
		"set":                                  "expected the name of a setting",
		"set x":                                `expected "=" or TO and a value`,
		"set x =":                              "the value of an option is a string",
		"set x = (1)":                          "the value of an option is a string",
		"set x = 1 2":                          `unexpected "2"`,
		"reset":                                "expected the name of a setting",
		"reset a b":                            `unexpected "b"`,
		"use":                                  "expected the name of a schema",
		"use a.b.c":                            "USE takes schema",
		"kill":                                 "KILL is followed by",
		"kill 12":                              `unexpected "12"; KILL is followed by`,
		"kill ''":                              "KILL is followed by",
		"grant":                                "expected a privilege",
		"grant select to":                      "expected the name of a user or role",
		"grant select on t":                    "expected TO and the name of a user or role",
		"grant select on t from b":             `unexpected "from"; expected TO`,
		"grant select insert on t to b":        `unexpected "insert"; expected ON`,
		"grant select on to b":                 `unexpected "b"; expected TO`,
		"grant all on lake a.b to c":           "the name of a lake has fewer parts",
		"revoke select on t to b":              `unexpected "to"; expected FROM`,
		"grnt select on t to b":                "did you mean GRANT?",
		"beginn":                               "did you mean BEGIN?",
		"grant select on all tables in s to b": `unexpected "tables"`,
	} {
		_, err := sqltext.Classify(text)
		require.ErrorIs(t, err, lake.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		"begin isolation level serializable":         "SERIALIZABLE is not supported",
		"commit and chain":                           "COMMIT AND CHAIN is not supported",
		"set search_path = a, b":                     `option "search_path" takes one value`,
		"set variable x = 1":                         "SET VARIABLE is not supported",
		"set transaction read only":                  "SET TRANSACTION is not supported",
		"set session characteristics as x":           "SET CHARACTERISTICS is not supported",
		"set role bob":                               "SET ROLE is not supported",
		"reset variable x":                           "RESET VARIABLE is not supported",
		"grant select (a) on t to b":                 "privileges on columns",
		"grant a, b to c":                            "one by one",
		"grant select on t to b with grant option":   "grants cannot be handed on",
		"revoke grant option for select on t from b": "GRANT OPTION is not supported",
	} {
		_, err := sqltext.Classify(text)
		require.ErrorIs(t, err, lake.ErrUnsupported, text)
		require.ErrorContains(t, err, want, text)
	}
}
