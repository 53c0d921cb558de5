package catalogtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

func testDeclaredKeys(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	parent, child := createTable("Parent"), createTable("child")
	parent.PrimaryKey = []string{"ID", "name"}
	parent.Options = map[string]string{"target_file_size": "7"}
	child.PrimaryKey = []string{"name"}
	child.ForeignKeys = []lake.ForeignKey{
		{Columns: []string{"Id", "name"}, Schema: "main", Table: "Parent", RefColumns: []string{"id", "name"}},
		{Columns: []string{"id"}, Schema: "MAIN", Table: "Child"},
	}
	r := commit(t, c, parent, child)
	early := createTable("early")
	early.ForeignKeys = []lake.ForeignKey{{Columns: []string{"id"}, Table: "later", RefColumns: []string{"id"}}}
	commit(t, c, early)
	first := table(t, c, "main", "early")
	require.Len(t, first.ForeignKeys, 1)
	require.Empty(t, state(t, c).ForeignKeys(first), "the other side may come later")
	commit(t, c, catalog.DropTable{ID: first.ID})
	check := func(c catalog.Catalog) {
		p, ch := table(t, c, "main", "parent"), table(t, c, "main", "child")
		require.Equal(t, []string{"id", "name"}, p.PrimaryKey, "names have the case of the columns")
		require.False(t, p.Columns[1].Nullable, "a column of the primary key is not null")
		require.Equal(t, map[string]string{"target_file_size": "7"}, p.Options, "keys are not among the options")
		require.Equal(t, []string{"name"}, ch.PrimaryKey)
		require.Equal(t, []lake.ForeignKey{
			{Columns: []string{"id", "name"}, Schema: "main", Table: "Parent", RefColumns: []string{"id", "name"}},
			{Columns: []string{"id"}, Schema: "main", Table: "child", RefColumns: []string{"name"}},
		}, ch.ForeignKeys)
		require.Equal(t, ch.ForeignKeys, state(t, c).ForeignKeys(ch))
		require.Nil(t, p.ForeignKeys)
	}
	check(c)
	c = reopened(t, l, c)
	check(c)
	checkMetadata(t, c, [][]any{
		{"flightlake_foreign_keys", `[{"columns":[1,2],"schema":"main","table":"Parent","ref_columns":["id","name"]},` +
			`{"columns":[1],"schema":"main","table":"child","ref_columns":["name"]}]`, int64(2)},
		{"flightlake_primary_key", "[1,2]", int64(1)},
		{"flightlake_primary_key", "[2]", int64(2)},
	}, `SELECT "key", "value", scope_id FROM ducklake_metadata WHERE "key" LIKE 'flightlake%' AND "scope" = 'table' AND scope_id < 3 ORDER BY 1, 3`)

	commit(t, c, catalog.DropTable{ID: r.Tables[0]})
	ch := table(t, c, "main", "child")
	require.Equal(t, ch.ForeignKeys[1:], state(t, c).ForeignKeys(ch), "a key to a table that was dropped does not hold")
	c = reopened(t, l, c)
	commit(t, c, createTable("parent"))
	ch = table(t, c, "main", "child")
	require.Len(t, state(t, c).ForeignKeys(ch), 2)
}

func testRefusedKeys(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	key := func(columns []string, name string, ref ...string) []lake.ForeignKey {
		return []lake.ForeignKey{{Columns: columns, Table: name, RefColumns: ref}}
	}
	id, both := []string{"id"}, []string{"id", "name"}
	for name, tc := range map[string]struct {
		want error
		fn   func(*catalog.CreateTable)
	}{
		"primary key of no column":      {lake.ErrNotFound, func(op *catalog.CreateTable) { op.PrimaryKey = []string{"x"} }},
		"primary key repeats a column":  {lake.ErrInvalid, func(op *catalog.CreateTable) { op.PrimaryKey = []string{"id", "ID"} }},
		"foreign key of no column":      {lake.ErrNotFound, func(op *catalog.CreateTable) { op.ForeignKeys = key([]string{"x"}, "other", "id") }},
		"foreign key to no own column":  {lake.ErrNotFound, func(op *catalog.CreateTable) { op.ForeignKeys = key(id, "t", "x") }},
		"foreign key to no primary key": {lake.ErrInvalid, func(op *catalog.CreateTable) { op.ForeignKeys = key(id, "other") }},
		"foreign key of two to one":     {lake.ErrInvalid, func(op *catalog.CreateTable) { op.ForeignKeys = key(both, "other", "id") }},
		"foreign key of no columns":     {lake.ErrInvalid, func(op *catalog.CreateTable) { op.ForeignKeys = key(nil, "other", "id") }},
		"an option that would be one":   {lake.ErrInvalid, func(op *catalog.CreateTable) { op.Options = map[string]string{"flightlake_primary_key": "[1]"} }},
	} {
		op := createTable("t")
		tc.fn(&op)
		t.Log(name)
		commitError(t, c, tc.want, op)
	}
	commitError(t, c, lake.ErrInvalid, catalog.SetOption{Schema: "main", Table: "t", Name: "Flightlake_primary_key", Value: "[1]"})
}
