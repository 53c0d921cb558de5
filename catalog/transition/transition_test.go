package transition_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/lake"
)

// newEnv returns an Env at a snapshot whose ids begin with 1.
func newEnv(at lake.SnapshotID) transition.Env {
	next, file := int64(0), lake.FileID(0)
	return transition.Env{
		At:             at,
		NextIDFunc:     func() int64 { next++; return next },
		NextFileIDFunc: func() lake.FileID { file++; return file },
		UUIDFunc:       func() uuid.UUID { return uuid.UUID{1} },
	}
}

func create(name string) catalog.CreateTable {
	columns, _ := lake.AssignFieldIDs([]lake.Column{
		{Name: "i", Type: lake.Type{ID: lake.TypeInt64}, Comment: "of i"},
		{Name: "l", Type: lake.Type{ID: lake.TypeList}, Children: []lake.Column{{Name: lake.ElementName, Type: lake.Type{ID: lake.TypeVarchar}}}},
	})
	return catalog.CreateTable{Schema: "main", Name: name, Columns: columns, Path: "main/" + name + "/"}
}

// lakeOf returns the state of a lake with tables of these names.
func lakeOf(t *testing.T, names ...string) *lake.State {
	t.Helper()
	state := &lake.State{Schemas: []lake.Schema{{ID: 100, Name: "main", Path: "main/", Options: map[string]string{"o": "schema's", "p": "schema's"}}}}
	env := newEnv(5)
	for _, name := range names {
		step, err := transition.Apply(state, create(name), env)
		require.NoError(t, err)
		state = step.State
	}
	return state
}

func TestDeltaOfANewTable(t *testing.T) {
	t.Parallel()
	before := lakeOf(t)
	op := create("t")
	op.Comment, op.Options, op.PrimaryKey = "of t", map[string]string{"o": "own"}, []string{"I"}
	op.Partition = &lake.PartitionSpec{Fields: []lake.PartitionField{{Column: 1, Transform: lake.TransformIdentity}}}
	op.Files = []lake.DataFile{{Path: "main/t/1", Rows: 3, Bytes: 1, PartitionValues: []*lake.Value{{Int: 1}}}}
	step, err := transition.Apply(before, op, newEnv(7))
	require.NoError(t, err)
	require.Empty(t, before.Schemas[0].Tables, "the state before is as it was")
	table, ok := step.State.TableByID(step.Table)
	require.True(t, ok)
	require.Equal(t, map[string]string{"o": "own", "p": "schema's"}, table.Options)
	require.Equal(t, []lake.SnapshotID{7, 7, 7}, []lake.SnapshotID{table.Begin, table.ColumnsBegin, table.LayoutBegin})
	require.EqualValues(t, 3, step.Rows)

	d := step.Delta
	require.True(t, d.NewSchemaVersion)
	require.Equal(t, `[created_table:"main"."t" inserted_into_table:1]`, fmt.Sprint(d.Entries))
	require.Equal(t, *table, d.Begun.Tables[0].Table)
	require.Equal(t, "main/", d.Begun.Tables[0].SchemaPath)
	var columns []string
	for _, c := range d.Begun.Columns {
		columns = append(columns, fmt.Sprint(c.Column.Name, " of ", c.Parent, " at ", c.Order))
	}
	require.Equal(t, []string{"i of 0 at 1", "l of 0 at 2", "element of 2 at 3"}, columns)
	require.Equal(t, []transition.PartitionBegun{{Table: 1, Spec: lake.PartitionSpec{ID: 2, Fields: op.Partition.Fields}}}, d.Begun.Partitions)
	require.Equal(t, []transition.Comment{{Schema: 100, Table: 1, Text: "of t"}, {Schema: 100, Table: 1, Column: 1, Text: "of i"}}, d.Comments)
	require.Equal(t, []transition.Option{{Table: 1, Name: "o", Value: "own"}}, d.Options, "what it inherits is not its own")
	require.Equal(t, []string{"i"}, d.Keys[0].PrimaryKey)
	f := d.Begun.Files[0].Files[0]
	require.Equal(t, []int64{1, 1, 7, 2}, []int64{int64(f.ID), int64(f.Table), int64(f.Begin), int64(f.PartitionID)})
	require.Zero(t, op.Files[0].ID, "what the caller gave is as it was")
}

func TestStatesShareWhatDoesNotChange(t *testing.T) {
	t.Parallel()
	before := lakeOf(t, "t", "u")
	table, _ := before.Table("main", "t")
	for name, op := range map[string]catalog.Operation{
		"comment":        catalog.SetComment{Schema: "main", Table: "t", Text: "x"},
		"column comment": catalog.SetComment{Schema: "main", Table: "t", Column: 1, Text: "x"},
		"schema comment": catalog.SetComment{Schema: "main", Text: "x"},
		"option":         catalog.SetOption{Schema: "main", Table: "t", Name: "o", Value: "x"},
		"lake's option":  catalog.SetOption{Name: "o", Value: "x"},
		"drop":           catalog.DropTable{ID: table.ID},
		"create":         create("v"),
		"schema":         catalog.CreateSchema{Name: "a"},
	} {
		step, err := transition.Apply(before, op, newEnv(9))
		require.NoError(t, err, name)
		require.NotSame(t, before, step.State, name)
		require.True(t, step.Delta.NewSchemaVersion, name)
		require.Equal(t, lakeOf(t, "t", "u"), before, name)
	}
	step, err := transition.Apply(before, catalog.AddFiles{Table: table.ID, Layout: 5, Files: []lake.DataFile{{Path: "main/t/1"}}}, newEnv(9))
	require.NoError(t, err)
	require.Same(t, before, step.State)
	require.False(t, step.Delta.NewSchemaVersion)
}

func TestFailuresNameThePrecondition(t *testing.T) {
	t.Parallel()
	state := lakeOf(t, "t")
	state.Schemas = append(state.Schemas, lake.Schema{ID: 101, Name: "macros", Macros: []string{"m"}})
	state.Schemas[0].Views = []lake.View{{Name: "v"}}
	for name, tc := range map[string]struct {
		op   catalog.Operation
		kind lake.Kind
		want transition.PreconditionKind
	}{
		"view":           {create("V"), lake.KindExists, transition.NameFree},
		"macros":         {catalog.DropSchema{Name: "macros"}, lake.KindState, transition.SchemaEmpty},
		"files of none":  {catalog.AddFiles{Table: 77}, lake.KindNotFound, transition.TableLive},
		"another layout": {catalog.AddFiles{Table: 1, Layout: 4}, lake.KindConflict, transition.LayoutUnchanged},
	} {
		_, err := transition.Apply(state, tc.op, newEnv(9))
		var failed *transition.Failed
		require.ErrorAs(t, err, &failed, name)
		require.Equal(t, tc.want, failed.Precondition.Kind, name)
		require.Equal(t, tc.kind, lake.KindOf(err), name)
	}
}

func TestDraftsOfATransactionAreMarked(t *testing.T) {
	t.Parallel()
	env := newEnv(5)
	env.Origin = lake.OriginTransaction
	step, err := transition.Apply(lakeOf(t), create("t"), env)
	require.NoError(t, err)
	table, _ := step.State.Table("main", "t")
	require.NotZero(t, table.Draft)
	committed, _ := lakeOf(t, "t").Table("main", "t")
	require.Equal(t, committed.ColumnsBegin, table.ColumnsBegin)
	require.NotEqual(t, committed.ColumnsID(), table.ColumnsID(), "their columns may differ, although they began in one snapshot")
}

func TestCommitOfManyTablesCopiesTheirListOnce(t *testing.T) {
	t.Parallel()
	state := lakeOf(t, "t")
	d, err := transition.Commit(t.Context(), transition.Parent{State: state, Now: time.Unix(0, 1)}, &catalog.Commit{
		Operations: []catalog.Operation{create("a"), create("b"), catalog.SetComment{Schema: "main", Table: "b", Text: "x"}},
	}, newEnv(0), transition.NewLog(nil))
	require.NoError(t, err)
	require.Equal(t, lakeOf(t, "t"), state)
	require.Len(t, d.State().Schemas[0].Tables, 3)
	require.Equal(t, []string{"a", "b", "t"}, []string{
		d.State().Schemas[0].Tables[0].Name, d.State().Schemas[0].Tables[1].Name, d.State().Schemas[0].Tables[2].Name,
	})
	require.EqualValues(t, 1, d.State().SchemaVersion)
	require.Equal(t, `created_table:"main"."a",created_table:"main"."b"`, d.Result().Snapshot.Changes)
}
