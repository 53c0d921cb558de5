package duckdb_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// TestTableThatOthersChangedTellsWhen has other programs add a column, partition and
// rename a table, in one snapshot each.
func TestTableThatOthersChangedTellsWhen(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	columns, _ := lake.AssignFieldIDs([]lake.Column{{Name: "i", Type: lake.Type{ID: lake.TypeInt64}}})
	publish(t, c, catalog.CreateTable{Schema: "main", Name: "t", Columns: columns, Path: "main/t/"})
	require.NoError(t, c.Close())
	snapshot := func(query string) {
		execOn(t, path, `INSERT INTO ducklake_snapshot SELECT max(snapshot_id) + 1, max(snapshot_time), max(schema_version) + 1, 10, 10 FROM ducklake_snapshot; `+query)
	}
	snapshot(`INSERT INTO ducklake_column(column_id, begin_snapshot, table_id, column_order, column_name, column_type, nulls_allowed) VALUES (2, 2, 1, 2, 'new', 'int32', true)`)
	snapshot(`INSERT INTO ducklake_partition_info VALUES (5, 1, 3, NULL); INSERT INTO ducklake_partition_column VALUES (5, 1, 0, 1, 'identity')`)
	snapshot(`UPDATE ducklake_table SET end_snapshot = 4; INSERT INTO ducklake_table SELECT table_id, table_uuid, 4, NULL, schema_id, 'renamed', path, true FROM ducklake_table`)
	c = openAt(t, path)
	table, ok := currentState(t, c).Table("main", "renamed")
	require.True(t, ok)
	require.Equal(t, []lake.SnapshotID{1, 2, 3}, []lake.SnapshotID{table.Begin, table.ColumnsBegin, table.LayoutBegin})
	_, err := c.Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{catalog.AddFiles{Table: table.ID, Layout: 2}}})
	require.ErrorIs(t, err, lake.ErrConflict)
	require.ErrorContains(t, err, `table "main"."renamed" was changed by snapshot 3`)
	publish(t, c, catalog.AddFiles{Table: table.ID, Layout: 3})
}

func TestSchemaWithMacrosIsNotDropped(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	publish(t, c, catalog.CreateSchema{Name: "s"})
	require.NoError(t, c.Close())
	execOn(t, path, `INSERT INTO ducklake_macro SELECT schema_id, 7, 'm', 1, NULL FROM ducklake_schema WHERE schema_name = 's'`)
	c = openAt(t, path)
	schema, ok := currentState(t, c).Schema("s")
	require.True(t, ok)
	require.Equal(t, []string{"m"}, schema.Macros)
	_, err := c.Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{catalog.DropSchema{Name: "s"}}})
	require.ErrorIs(t, err, lake.ErrState)
	require.ErrorContains(t, err, `schema "s" has 1 macros`)
}
