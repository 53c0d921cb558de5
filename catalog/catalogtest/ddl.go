package catalogtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

func testFreshCatalog(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	s := latest(t, c)
	require.Equal(t, lake.Snapshot{ID: 0, Time: epoch(), Changes: `created_schema:"main"`}, s)
	st := state(t, c)
	require.Len(t, st.Schemas, 1)
	require.Equal(t, lake.Schema{Name: "main", Path: "main/"}, st.Schemas[0])
	require.Equal(t, "1.0", st.Options["version"])
	all, err := c.Snapshots(t.Context())
	require.NoError(t, err)
	require.Equal(t, []lake.Snapshot{s}, all)
	staged, err := c.Staged(t.Context())
	require.NoError(t, err)
	require.Empty(t, staged)

	_, err = c.Snapshot(t.Context(), catalog.Selector{ID: pointer(lake.SnapshotID(1))})
	require.ErrorIs(t, err, lake.ErrNotFound)
	_, err = c.State(t.Context(), 1)
	require.ErrorIs(t, err, lake.ErrNotFound)
	_, err = c.Files(t.Context(), 9, 0, 0)
	require.ErrorIs(t, err, lake.ErrNotFound)
	_, err = c.Outcome(t.Context(), "never")
	require.ErrorIs(t, err, lake.ErrNotFound)
	_, err = c.InlinedRows(t.Context(), &lake.Table{ID: 9}, "ducklake_metadata", 0)
	require.ErrorIs(t, err, lake.ErrNotFound, "only tables of inlined data are read")
	commitError(t, c, lake.ErrInvalid)
}

func testSchemaLifeCycle(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	r := commit(t, c, catalog.CreateSchema{Name: "sales"})
	require.EqualValues(t, 1, r.Snapshot.ID)
	require.EqualValues(t, 1, r.Snapshot.SchemaVersion)
	require.Equal(t, `created_schema:"sales"`, r.Snapshot.Changes)
	sc, ok := state(t, c).Schema("SALES")
	require.True(t, ok, "names are compared without case")
	require.Equal(t, "sales/", sc.Path)

	commitError(t, c, lake.ErrExists, catalog.CreateSchema{Name: "Sales"})
	commitError(t, c, lake.ErrInvalid, catalog.CreateSchema{})
	commitError(t, c, lake.ErrNotFound, catalog.DropSchema{Name: "none"})
	create := createTable("t")
	create.Schema, create.Path = "sales", "sales/t/"
	commit(t, c, create)
	commitError(t, c, lake.ErrState, catalog.DropSchema{Name: "sales"})
	commit(t, c, catalog.DropTable{ID: table(t, c, "sales", "t").ID})
	r = commit(t, c, catalog.DropSchema{Name: "sales"})
	require.Equal(t, `dropped_schema:1`, r.Snapshot.Changes)
	_, ok = state(t, c).Schema("sales")
	require.False(t, ok)
	_, ok = stateAt(t, c, 1).Schema("sales")
	require.True(t, ok, "it is in the snapshot where it was")
	commit(t, c, catalog.CreateSchema{Name: "sales"})
	sc, ok = state(t, c).Schema("sales")
	require.True(t, ok)
	require.NotEqual(t, lake.SchemaID(1), sc.ID, "ids are not used again")
}

func testTableLifeCycle(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	create := createTable("t")
	create.Comment = "a table"
	create.Options = map[string]string{"target_file_size": "1000"}
	create.Columns[0].Comment = "a column"
	create.Columns[1].Default = pointer("it's")
	create.Columns[1].InitialDefault = pointer("it's")
	r := commit(t, c, create)
	require.Equal(t, `created_table:"main"."t"`, r.Snapshot.Changes)
	require.Len(t, r.Tables, 1)
	got := table(t, c, "main", "t")
	require.Equal(t, r.Tables[0], got.ID)
	require.NotEmpty(t, got.UUID)
	require.Equal(t, &lake.Table{
		ID: got.ID, UUID: got.UUID, SchemaID: 0, Schema: "main", Name: "t", Path: "main/t/", Comment: "a table",
		Columns: create.Columns, Options: map[string]string{"target_file_size": "1000"}, Begin: r.Snapshot.ID,
		ColumnsBegin: r.Snapshot.ID, LayoutBegin: r.Snapshot.ID,
	}, got)

	commitError(t, c, lake.ErrExists, createTable("T"))
	commitError(t, c, lake.ErrNotFound, catalog.DropTable{ID: got.ID + 100})
	commitError(t, c, lake.ErrConflict, catalog.DropTable{ID: got.ID, Layout: got.LayoutBegin + 1})
	r = commit(t, c, catalog.DropTable{ID: got.ID, Layout: got.LayoutBegin})
	require.Equal(t, "dropped_table:1", r.Snapshot.Changes)
	_, ok := state(t, c).Table("main", "t")
	require.False(t, ok)
	_, err := c.Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{catalog.DropTable{ID: got.ID}}})
	require.ErrorIs(t, err, lake.ErrConflict, "a name may have another table by now")
	require.ErrorContains(t, err, fmt.Sprintf(`table "main"."t" was dropped or replaced by snapshot %d`, r.Snapshot.ID))
	_, err = c.Files(t.Context(), got.ID, 0, r.Snapshot.ID)
	require.ErrorIs(t, err, lake.ErrNotFound)
	require.ErrorContains(t, err, `table "main"."t" does not exist in snapshot`)
}

func testRefusedTables(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	for name, change := range map[string]struct {
		want error
		fn   func(*catalog.CreateTable)
	}{
		"no such schema":      {lake.ErrNotFound, func(op *catalog.CreateTable) { op.Schema = "none" }},
		"no name":             {lake.ErrInvalid, func(op *catalog.CreateTable) { op.Name = "" }},
		"no columns":          {lake.ErrInvalid, func(op *catalog.CreateTable) { op.Columns = nil }},
		"column without id":   {lake.ErrInvalid, func(op *catalog.CreateTable) { op.Columns[1].ID = 0 }},
		"column ids repeat":   {lake.ErrInvalid, func(op *catalog.CreateTable) { op.Columns[1].ID = 1 }},
		"column without type": {lake.ErrInvalid, func(op *catalog.CreateTable) { op.Columns[1].Type = lake.Type{} }},
		"path elsewhere":      {lake.ErrInvalid, func(op *catalog.CreateTable) { op.Path = "other/t/" }},
		"path of the schema":  {lake.ErrInvalid, func(op *catalog.CreateTable) { op.Path = "main/" }},
		"path is no folder":   {lake.ErrInvalid, func(op *catalog.CreateTable) { op.Path = "main/t" }},
		"reserved option": {lake.ErrInvalid, func(op *catalog.CreateTable) {
			op.Options = map[string]string{"version": "2"}
		}},
		"partitioned by nothing it has": {lake.ErrInvalid, func(op *catalog.CreateTable) {
			op.Partition = &lake.PartitionSpec{Fields: []lake.PartitionField{{Column: 7, Transform: lake.TransformIdentity}}}
		}},
	} {
		op := createTable("t")
		change.fn(&op)
		t.Log(name)
		commitError(t, c, change.want, op)
	}
	require.Empty(t, state(t, c).Schemas[0].Tables)
}

func testUnusualNames(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	names := []string{
		`with "quotes"`, `comma, "and" quote`, "dots.and/slashes", "emoji 🦆", "new\nline", "it's", "?", "$1",
		strings.Repeat("long", 250), "SELECT", " ", "..",
	}
	for i, name := range names {
		commit(t, c, catalog.CreateSchema{Name: name})
		sc, ok := state(t, c).Schema(name)
		require.True(t, ok, name)
		require.Regexp(t, `^[A-Za-z0-9_-]+/$`, sc.Path)
		columns, _ := lake.AssignFieldIDs([]lake.Column{{Name: name, Type: lake.Type{ID: lake.TypeInt32}, Comment: name}})
		commit(t, c, catalog.CreateTable{Schema: name, Name: name, Columns: columns, Path: sc.Path + "t/", Comment: name})
		require.Equal(t, name, table(t, c, name, name).Columns[0].Name)
		require.Len(t, state(t, c).Schemas, i+2)
	}
	before := state(t, c)
	require.NoError(t, c.Close())
	require.Equal(t, before, state(t, open(t, l, newClock())))
}

// everyType returns columns of every type that a table can hold.
func everyType() []lake.Column {
	var columns []lake.Column
	for id := lake.TypeBoolean; id <= lake.TypeJSON; id++ {
		typ := lake.Type{ID: id}
		if id == lake.TypeDecimal {
			typ.Precision, typ.Scale = 38, 10
		}
		columns = append(columns, lake.Column{Name: "c_" + typ.String(), Type: typ, Nullable: true})
	}
	element := lake.Column{Name: lake.ElementName, Type: lake.Type{ID: lake.TypeUUID}, Nullable: true}
	list := lake.Column{Name: "l", Type: lake.Type{ID: lake.TypeList}, Nullable: true, Children: []lake.Column{element}}
	columns = append(columns, list,
		lake.Column{Name: "m", Type: lake.Type{ID: lake.TypeMap}, Nullable: true, Children: []lake.Column{
			{Name: lake.KeyName, Type: lake.Type{ID: lake.TypeVarchar}},
			{Name: lake.ValueName, Type: lake.Type{ID: lake.TypeStruct}, Nullable: true, Children: []lake.Column{
				{Name: `a "field"`, Type: lake.Type{ID: lake.TypeInt8}}, list,
			}},
		}})
	out, _ := lake.AssignFieldIDs(columns)
	return out
}

func testColumnsOfEveryType(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	create := createTable("t")
	create.Columns = everyType()
	create.Columns[0].Default, create.Columns[0].DefaultIsExpression = pointer("random() > 0.5"), true
	create.Columns[len(create.Columns)-3].Default = pointer("NULL")
	commit(t, c, create)
	create.Columns[len(create.Columns)-1].Children[1].Children[0].Nullable = true // there is no nested NOT NULL
	text := &create.Columns[len(create.Columns)-3]
	text.Default, text.DefaultIsExpression = pointer("'NULL'"), true // the text NULL is told apart from no default
	require.Equal(t, create.Columns, table(t, c, "main", "t").Columns)
	require.NoError(t, c.Close())
	require.Equal(t, create.Columns, table(t, open(t, l, newClock()), "main", "t").Columns)
}

func testComments(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"))
	begin := table(t, c, "main", "t").LayoutBegin
	r := commit(t, c, catalog.SetComment{Schema: "main", Table: "t", Text: "first"},
		catalog.SetComment{Schema: "main", Table: "t", Column: 2, Text: "column"},
		catalog.SetComment{Schema: "main", Text: "schema"})
	require.Equal(t, "altered_table:1", r.Snapshot.Changes)
	commit(t, c, catalog.SetComment{Schema: "main", Table: "t", Text: "second"},
		catalog.SetComment{Schema: "main", Table: "t", Text: "third"})
	check := func(c catalog.Catalog) {
		got := table(t, c, "main", "t")
		require.Equal(t, "third", got.Comment)
		require.Equal(t, "column", got.Columns[1].Comment)
		require.Equal(t, begin, got.LayoutBegin, "a comment does not conflict with appends")
		sc, _ := state(t, c).Schema("main")
		require.Equal(t, "schema", sc.Comment)
		old, _ := stateAt(t, c, r.Snapshot.ID).Table("main", "t")
		require.Equal(t, "first", old.Comment)
	}
	check(c)
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	check(c)
	commit(t, c, catalog.SetComment{Schema: "main", Table: "t"}, catalog.SetComment{Schema: "main"},
		catalog.SetComment{Schema: "main", Table: "t", Column: 2})
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	require.Empty(t, table(t, c, "main", "t").Comment)
	require.Empty(t, table(t, c, "main", "t").Columns[1].Comment)
	commitError(t, c, lake.ErrNotFound, catalog.SetComment{Schema: "none", Text: "x"})
	commitError(t, c, lake.ErrNotFound, catalog.SetComment{Schema: "main", Table: "none", Text: "x"})
	commitError(t, c, lake.ErrNotFound, catalog.SetComment{Schema: "main", Table: "t", Column: 99, Text: "x"})
}

func testOptions(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"), createTable("u"))
	commit(t, c, catalog.SetOption{Name: "parquet_compression", Value: "zstd"},
		catalog.SetOption{Schema: "main", Table: "t", Name: "parquet_compression", Value: "snappy"},
		catalog.SetOption{Schema: "main", Table: "t", Name: "parquet_compression", Value: "lz4"})
	commit(t, c, catalog.SetOption{Name: "parquet_compression", Value: "gzip"})
	check := func(c catalog.Catalog) {
		st := state(t, c)
		require.Equal(t, "gzip", st.Options["parquet_compression"])
		value, ok := st.Option(table(t, c, "main", "t"), "parquet_compression")
		require.True(t, ok)
		require.Equal(t, "lz4", value)
		value, _ = st.Option(table(t, c, "main", "u"), "parquet_compression")
		require.Equal(t, "gzip", value)
	}
	check(c)
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	check(c)
	commitError(t, c, lake.ErrInvalid, catalog.SetOption{Name: "data_path", Value: "/elsewhere/"})
	commitError(t, c, lake.ErrInvalid, catalog.SetOption{Value: "x"})
	commitError(t, c, lake.ErrNotFound, catalog.SetOption{Schema: "main", Table: "none", Name: "x", Value: "y"})
}

func testDropAndCreateAgain(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	create := createTable("t")
	create.Files = []lake.DataFile{dataFile("main/t/1.parquet", 0, 10)}
	first := commit(t, c, create)
	commit(t, c, catalog.DropTable{ID: first.Tables[0]})
	second := commit(t, c, createTable("t"))
	require.NotEqual(t, first.Tables[0], second.Tables[0])
	require.Empty(t, liveFiles(t, c, second.Tables[0]))
	require.Len(t, filesAt(t, c, first.Tables[0], 0, first.Snapshot.ID).Files, 1)
	_, err := c.Files(t.Context(), first.Tables[0], 0, second.Snapshot.ID)
	require.ErrorIs(t, err, lake.ErrNotFound)
}

func testReplaceInOneCommit(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	create := createTable("t")
	create.Files = []lake.DataFile{dataFile("main/t/1.parquet", 0, 10)}
	first := commit(t, c, create)
	create.Files = []lake.DataFile{dataFile("main/t/2.parquet", 0, 20)}
	r := commit(t, c, catalog.DropTable{ID: first.Tables[0]}, create)
	require.Equal(t, `dropped_table:1,created_table:"main"."t",inserted_into_table:2`, r.Snapshot.Changes)
	require.Equal(t, []lake.TableID{1, 2}, r.Tables)
	require.EqualValues(t, 20, r.Rows)
	require.Equal(t, lake.TableID(2), table(t, c, "main", "t").ID)
	commitError(t, c, lake.ErrExists, create, catalog.DropTable{ID: 2})
}

func testCreateTableWithFiles(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	create := createTable("t")
	create.Files = []lake.DataFile{dataFile("main/t/1.parquet", 0, 10), dataFile("main/t/2.parquet", 10, 5)}
	r := commit(t, c, create)
	require.Equal(t, `created_table:"main"."t",inserted_into_table:1`, r.Snapshot.Changes)
	require.EqualValues(t, 15, r.Rows)
	files := liveFiles(t, c, r.Tables[0])
	require.Len(t, files, 2)
	require.Equal(t, []int64{0, 10}, []int64{files[0].RowIDStart, files[1].RowIDStart})
}

func testStateIsTheSameAfterReopen(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, catalog.CreateSchema{Name: "b"}, catalog.CreateSchema{Name: "a"})
	create := createTable("p")
	create.Partition = &lake.PartitionSpec{Fields: []lake.PartitionField{
		{Column: 2, Transform: lake.TransformIdentity}, {Column: 1, Transform: lake.TransformBucket, Buckets: 16},
	}}
	commit(t, c, create, createTable("q"), createTable("o"))
	commit(t, c, catalog.DropTable{ID: table(t, c, "main", "q").ID})
	var states []*lake.State
	for id := range latest(t, c).ID + 1 {
		states = append(states, stateAt(t, c, id))
	}
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	for id, want := range states {
		require.Equal(t, want, stateAt(t, c, lake.SnapshotID(id)), "snapshot %d", id)
	}
}

func testResultTables(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"))
	r := commit(t, c, catalog.CreateSchema{Name: "s"}, createTable("u"),
		catalog.SetOption{Name: "x", Value: "y"}, catalog.SetComment{Schema: "main", Table: "t", Text: "z"})
	require.Equal(t, []lake.TableID{0, 3, 0, 1}, r.Tables)
}
