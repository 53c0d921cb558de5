package engine_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

const (
	constraintsSQL = "SELECT table_name, constraint_name, constraint_type FROM information_schema.table_constraints " +
		"WHERE constraint_type <> 'CHECK' ORDER BY ALL"
	usageSQL      = "SELECT table_name, constraint_name, column_name, ordinal_position FROM information_schema.key_column_usage ORDER BY ALL"
	referencesSQL = "SELECT constraint_name, unique_constraint_name FROM information_schema.referential_constraints ORDER BY ALL"
)

func keyColumn(name string, id lake.TypeID) lake.Column {
	return lake.Column{Name: name, Type: lake.Type{ID: id}}
}

// keysState is a state in which lines refer to orders, orders to themselves, and
// some tables have keys that DuckDB cannot hold.
func keysState(version int64) *lake.State {
	orders := lake.Table{
		Schema: "main", Name: "z orders", Comment: "all of them", PrimaryKey: []string{"Id"},
		Columns:     []lake.Column{keyColumn("Id", lake.TypeInt64), keyColumn("parent", lake.TypeInt64)},
		ForeignKeys: []lake.ForeignKey{{Columns: []string{"parent"}, Schema: "main", Table: "z orders", RefColumns: []string{"Id"}}},
	}
	lines := lake.Table{
		Schema: "main", Name: "lines", Comment: "one each", PrimaryKey: []string{"n", "order_id"},
		Columns: []lake.Column{keyColumn("order_id", lake.TypeInt64), keyColumn("n", lake.TypeInt32)},
		ForeignKeys: []lake.ForeignKey{
			{Columns: []string{"order_id"}, Schema: "main", Table: "z orders", RefColumns: []string{"Id"}},
			{Columns: []string{"n"}, Schema: "main", Table: "z orders", RefColumns: []string{"Id"}}, // of another type
			{Columns: []string{"n"}, Schema: "main", Table: "dropped", RefColumns: []string{"x"}},
		},
	}
	interval := lake.Table{Schema: "main", Name: "i", PrimaryKey: []string{"x"}, Columns: []lake.Column{keyColumn("x", lake.TypeInterval)}}
	a := lake.Table{Schema: "main", Name: "a", PrimaryKey: []string{"x"}, Columns: []lake.Column{keyColumn("x", lake.TypeInt32)}}
	b := a
	b.Name = "b"
	a.ForeignKeys = []lake.ForeignKey{{Columns: []string{"x"}, Schema: "main", Table: "b", RefColumns: []string{"x"}}}
	b.ForeignKeys = []lake.ForeignKey{{Columns: []string{"x"}, Schema: "main", Table: "a", RefColumns: []string{"x"}}}
	far := a
	far.Schema, far.Name = "s", "far" // refers to a table of another schema
	return &lake.State{SchemaVersion: version, Schemas: []lake.Schema{
		{Name: "main", Tables: []lake.Table{a, b, interval, lines, orders}},
		{Name: "s", Tables: []lake.Table{far}},
	}}
}

func TestDeclaredKeysAreShown(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), keysState(1)))
	want := [][]string{
		{"far", "far_x_pkey", "PRIMARY KEY"},
		{"lines", "lines_n_order_id_pkey", "PRIMARY KEY"},
		{"lines", "lines_order_id_id_fkey", "FOREIGN KEY"},
		{"z orders", "z orders_id_pkey", "PRIMARY KEY"},
		{"z orders", "z orders_parent_id_fkey", "FOREIGN KEY"},
	}
	require.Equal(t, want, mustQuery(t, x, constraintsSQL).rows, "tables that refer to each other are shown without keys")
	require.Equal(t, [][]string{
		{"far", "far_x_pkey", "x", "1"},
		{"lines", "lines_n_order_id_pkey", "n", "1"},
		{"lines", "lines_n_order_id_pkey", "order_id", "2"},
		{"lines", "lines_order_id_id_fkey", "order_id", "1"},
		{"z orders", "z orders_id_pkey", "Id", "1"},
		{"z orders", "z orders_parent_id_fkey", "parent", "1"},
	}, mustQuery(t, x, usageSQL).rows)
	require.Equal(t, [][]string{
		{"lines_order_id_id_fkey", "z orders_id_pkey"}, {"z orders_parent_id_fkey", "z orders_id_pkey"},
	}, mustQuery(t, x, referencesSQL).rows)
	require.Len(t, mustQuery(t, x, "SELECT * FROM information_schema.tables").rows, 6)
}

func TestTablesWithKeysComeAndGo(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), keysState(1)))
	changed := keysState(2)
	orders := &changed.Schemas[0].Tables[4]
	orders.Columns = append(orders.Columns, keyColumn("extra", lake.TypeInt32))
	require.NoError(t, x.Sync(t.Context(), changed), "a table that others refer to is made anew")
	require.Len(t, mustQuery(t, x, referencesSQL).rows, 2)
	require.Len(t, mustQuery(t, x, `DESCRIBE "z orders"`).rows, 3)

	gone := keysState(3)
	gone.Schemas[0].Tables = slices.Delete(gone.Schemas[0].Tables, 4, 5)
	require.NoError(t, x.Sync(t.Context(), gone))
	require.Empty(t, mustQuery(t, x, referencesSQL).rows)
	require.Equal(t, [][]string{{"lines", "lines_n_order_id_pkey", "PRIMARY KEY"}},
		mustQuery(t, x, constraintsSQL).rows[1:])

	require.NoError(t, x.Sync(t.Context(), keysState(4)))
	require.Len(t, mustQuery(t, x, referencesSQL).rows, 2, "the key is back with the table")
	require.NoError(t, x.Sync(t.Context(), &lake.State{SchemaVersion: 5, Schemas: []lake.Schema{{Name: "main"}}}))
	require.Empty(t, mustQuery(t, x, "SELECT * FROM information_schema.tables").rows)
}
