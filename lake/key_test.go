package lake_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

func keyed(schema, name string, columns ...string) lake.Table {
	t := lake.Table{Schema: schema, Name: name}
	for _, c := range columns {
		t.Columns = append(t.Columns, lake.Column{Name: c, Type: lake.Type{ID: lake.TypeInt32}, Nullable: true})
	}
	return t
}

func TestResolveKeys(t *testing.T) {
	t.Parallel()
	parent := keyed("S", "Parent", "A", "B")
	parent.PrimaryKey = []string{"B"}
	state := &lake.State{Schemas: []lake.Schema{{Name: "S", Tables: []lake.Table{parent, keyed("S", "plain", "x")}}}}
	child := keyed("S", "child", "Id", "p")
	child.PrimaryKey = []string{"ID"}
	declared := []lake.ForeignKey{
		{Columns: []string{"P"}, Table: "parent"},
		{Columns: []string{"p"}, Schema: "s", Table: "PARENT", RefColumns: []string{"a"}},
		{Columns: []string{"p"}, Table: "CHILD"},
	}
	child.ForeignKeys = declared
	require.NoError(t, child.ResolveKeys(state))
	require.Equal(t, []string{"Id"}, child.PrimaryKey)
	require.False(t, child.Columns[0].Nullable)
	require.True(t, child.Columns[1].Nullable)
	require.Equal(t, []lake.ForeignKey{
		{Columns: []string{"p"}, Schema: "S", Table: "Parent", RefColumns: []string{"B"}},
		{Columns: []string{"p"}, Schema: "S", Table: "Parent", RefColumns: []string{"A"}},
		{Columns: []string{"p"}, Schema: "S", Table: "child", RefColumns: []string{"Id"}},
	}, child.ForeignKeys)
	require.Equal(t, "P", declared[0].Columns[0], "what was declared is not modified")
	resolved := child.ForeignKeys
	require.NoError(t, child.ResolveKeys(nil))
	require.Equal(t, resolved, child.ForeignKeys, "what is resolved stays")

	for name, tc := range map[string]struct {
		key  lake.ForeignKey
		want error
	}{
		"no such table":            {lake.ForeignKey{Columns: []string{"p"}, Table: "none", RefColumns: []string{"x"}}, lake.ErrNotFound},
		"no such schema":           {lake.ForeignKey{Columns: []string{"p"}, Schema: "T", Table: "parent"}, lake.ErrNotFound},
		"no such column":           {lake.ForeignKey{Columns: []string{"q"}, Table: "parent"}, lake.ErrNotFound},
		"no such column there":     {lake.ForeignKey{Columns: []string{"p"}, Table: "parent", RefColumns: []string{"x"}}, lake.ErrNotFound},
		"no primary key there":     {lake.ForeignKey{Columns: []string{"p"}, Table: "plain"}, lake.ErrInvalid},
		"a column that repeats":    {lake.ForeignKey{Columns: []string{"p", "P"}, Table: "parent", RefColumns: []string{"A", "B"}}, lake.ErrInvalid},
		"two columns for one":      {lake.ForeignKey{Columns: []string{"p", "id"}, Table: "parent"}, lake.ErrInvalid},
		"no columns on both sides": {lake.ForeignKey{Table: "parent"}, lake.ErrInvalid},
	} {
		bad := keyed("S", "child", "id", "p")
		bad.ForeignKeys = []lake.ForeignKey{tc.key}
		require.ErrorIs(t, bad.ResolveKeys(state), tc.want, name)
	}
}

func TestPrimaryKeysAreOfTypesThatDuckDBTakes(t *testing.T) {
	t.Parallel()
	for id := lake.TypeBoolean; id <= lake.TypeMap; id++ {
		typ := lake.Type{ID: id, Precision: 10, Scale: 2}
		table := lake.Table{Schema: "s", Name: "t", Columns: []lake.Column{{Name: "a", Type: typ}}, PrimaryKey: []string{"a"}}
		if typ.Nested() {
			table.Columns[0].Children = make([]lake.Column, 2)
		}
		err := table.ResolveKeys(nil)
		switch id {
		case lake.TypeInterval, lake.TypeVariant, lake.TypeList, lake.TypeStruct, lake.TypeMap:
			require.ErrorIs(t, err, lake.ErrInvalid, typ)
			require.ErrorContains(t, err, `column "a"`)
		default:
			require.NoError(t, err, typ)
		}
	}
}

func TestForeignKeysHoldWhileTheOtherSideExists(t *testing.T) {
	t.Parallel()
	child := keyed("s", "child", "p")
	child.ForeignKeys = []lake.ForeignKey{
		{Columns: []string{"p"}, Schema: "s", Table: "parent", RefColumns: []string{"a"}},
		{Columns: []string{"p"}, Schema: "s", Table: "parent", RefColumns: []string{"gone"}},
		{Columns: []string{"p"}, Schema: "s", Table: "gone", RefColumns: []string{"a"}},
	}
	state := &lake.State{Schemas: []lake.Schema{{Name: "s", Tables: []lake.Table{child, keyed("s", "parent", "a")}}}}
	require.Equal(t, child.ForeignKeys[:1], state.ForeignKeys(&child))
}
