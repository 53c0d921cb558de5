package duckdb_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

// pythonVariable names a Python that has duckdb and duckdb-extension-ducklake.
const pythonVariable = "FLIGHTLAKE_TEST_PYTHON"

// extension runs testdata/interop.py on a catalog that nobody has open.
func extension(t *testing.T, path, mode string) map[string][][]any {
	t.Helper()
	python := os.Getenv(pythonVariable)
	if python == "" {
		t.Skip(pythonVariable + " names no Python with duckdb and duckdb-extension-ducklake")
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "interop.py"), path, mode)
	cmd.Stderr = &testWriter{t}
	out, err := cmd.Output()
	require.NoError(t, err)
	answer := map[string][][]any{}
	require.NoError(t, json.Unmarshal(out, &answer))
	return answer
}

type testWriter struct{ t *testing.T }

func (w *testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}

func openAt(t *testing.T, path string) *duckdb.Catalog {
	t.Helper()
	c, err := duckdb.Open(t.Context(), duckdb.Options{
		Path: path, DataPath: filepath.Dir(path) + "/data/", Clock: clock.System{},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func newPath(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "data"), 0o755))
	return filepath.Join(folder, "catalog.ducklake")
}

func publish(t *testing.T, c catalog.Catalog, ops ...catalog.Operation) catalog.Result {
	t.Helper()
	r, err := c.Commit(t.Context(), catalog.Commit{Operations: ops, Author: "me"})
	require.NoError(t, err)
	return r
}

func partitioned() catalog.CreateTable {
	columns, _ := lake.AssignFieldIDs([]lake.Column{
		{Name: "id", Type: lake.Type{ID: lake.TypeInt32}, Nullable: true, Comment: "a column"},
		{Name: "r", Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true},
		{Name: "ts", Type: lake.Type{ID: lake.TypeTimestamp}, Nullable: true},
	})
	return catalog.CreateTable{
		Schema: "main", Name: "p", Columns: columns, Path: "main/p/", Comment: "a table",
		Options: map[string]string{"target_file_size": "1000000"},
		Partition: &lake.PartitionSpec{Fields: []lake.PartitionField{
			{Column: 2, Transform: lake.TransformIdentity},
			{Column: 3, Transform: lake.TransformMonth},
			{Column: 1, Transform: lake.TransformBucket, Buckets: 4},
		}},
	}
}

func TestExtensionReadsOurCatalog(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	publish(t, c, catalog.CreateSchema{Name: `s "1", x`}, catalog.SetComment{Schema: "main", Text: "main's"})
	publish(t, c, partitioned())
	text := lake.Column{Name: "t", Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true}
	literal, expression := "it's", "now()"
	columns, _ := lake.AssignFieldIDs([]lake.Column{
		{Name: `a "b"`, Type: lake.Type{ID: lake.TypeInt32}, Default: &expression, DefaultIsExpression: true},
		{Name: "n", Type: lake.Type{ID: lake.TypeStruct}, Nullable: true, Children: []lake.Column{
			{Name: "l", Type: lake.Type{ID: lake.TypeList}, Nullable: true, Children: []lake.Column{
				{Name: lake.ElementName, Type: lake.Type{ID: lake.TypeDecimal, Precision: 5, Scale: 2}, Nullable: true},
			}}, text,
		}},
		{Name: "d", Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true, Default: &literal, InitialDefault: &literal},
	})
	schema, ok := currentState(t, c).Schema(`s "1", x`)
	require.True(t, ok)
	publish(t, c, catalog.CreateTable{Schema: schema.Name, Name: "odd. name", Columns: columns, Path: schema.Path + "t/"})
	publish(t, c, catalog.SetOption{Name: "target_file_size", Value: "2000000"})
	publish(t, c, catalog.SetComment{Schema: "main", Table: "p", Column: 1, Text: "changed"})
	require.NoError(t, c.Close())

	seen := extension(t, path, "look")
	require.Equal(t, [][]any{{"main"}, {`s "1", x`}}, seen["schemas"])
	require.Equal(t, [][]any{{"odd. name", nil}, {"p", "a table"}}, seen["comments"])
	require.Equal(t, [][]any{
		{"main", "p", "id", "INTEGER", true, "NULL", "changed"},
		{"main", "p", "r", "VARCHAR", true, "NULL", nil},
		{"main", "p", "ts", "TIMESTAMP", true, "NULL", nil},
		{`s "1", x`, "odd. name", `a "b"`, "INTEGER", false, "now()", nil},
		{`s "1", x`, "odd. name", "n", "STRUCT(l DECIMAL(5,2)[], t VARCHAR)", true, nil, nil},
		{`s "1", x`, "odd. name", "d", "VARCHAR", true, "'it''s'", nil},
	}, seen["columns"])
	require.Equal(t, [][]any{{"target_file_size", "2000000", "GLOBAL"}, {"target_file_size", "1000000", "TABLE"}}, seen["options"])
	require.Len(t, seen["snapshots"], 6)
	require.Equal(t, "me", seen["snapshots"][1][3])
}

// TestExtensionReadsATransaction has everything in one commit that one may do.
func TestExtensionReadsATransaction(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	columns, _ := lake.AssignFieldIDs([]lake.Column{
		{Name: "i", Type: lake.Type{ID: lake.TypeInt64}, Nullable: true}, {Name: "k", Type: lake.Type{ID: lake.TypeInt64}, Nullable: true},
	})
	in := func(schema, folder, name string) catalog.CreateTable {
		return catalog.CreateTable{Schema: schema, Name: name, Columns: columns, Path: folder + name + "/"}
	}
	publish(t, c, catalog.CreateSchema{Name: "s"}, in("s", "s/", "old"), in("main", "main/", "t"), in("main", "main/", "kept"))
	old, _ := currentState(t, c).Table("s", "old")
	replaced, _ := currentState(t, c).Table("main", "t")
	create := in("main", "main/", "t")
	create.PrimaryKey = []string{"k"}
	create.ForeignKeys = []lake.ForeignKey{{Columns: []string{"i"}, Table: "t"}}
	publish(t, c, catalog.DropTable{ID: old.ID}, catalog.DropTable{ID: replaced.ID}, catalog.DropSchema{Name: "s"},
		catalog.CreateSchema{Name: "s", Path: "other/"}, in("s", "other/", "fresh"), create,
		catalog.SetComment{Schema: "s", Table: "fresh", Text: "of fresh"}, catalog.SetComment{Schema: "main", Table: "kept", Text: "kept"},
		catalog.SetOption{Schema: "main", Table: "t", Name: "target_file_size", Value: "9"})
	require.NoError(t, c.Close())

	seen := extension(t, path, "look")
	require.Equal(t, [][]any{{"main"}, {"s"}}, seen["schemas"])
	require.Equal(t, [][]any{{"fresh", "of fresh"}, {"kept", "kept"}, {"t", nil}}, seen["comments"])
	require.Equal(t, [][]any{
		{"main", "kept", "i", "BIGINT", true, "NULL", nil},
		{"main", "kept", "k", "BIGINT", true, "NULL", nil},
		{"main", "t", "i", "BIGINT", true, "NULL", nil},
		{"main", "t", "k", "BIGINT", false, "NULL", nil},
		{"s", "fresh", "i", "BIGINT", true, "NULL", nil},
		{"s", "fresh", "k", "BIGINT", true, "NULL", nil},
	}, seen["columns"])
	require.Equal(t, [][]any{{"target_file_size", "9", "TABLE"}}, seen["options"])
	require.Equal(t, "{schemas_created=[s], schemas_dropped=[1], tables_created=[s.fresh, main.t], "+
		"tables_dropped=[2, 3], tables_altered=[4]}", seen["snapshots"][2][2])

	extension(t, path, "append")
	c = openAt(t, path)
	state := currentState(t, c)
	head, err := c.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	for name, schema := range map[string]string{"fresh": "s", "t": "main"} {
		table, ok := state.Table(schema, name)
		require.True(t, ok)
		files, err := c.Files(t.Context(), table.ID, 0, head.ID)
		require.NoError(t, err)
		require.Len(t, files.Files, 1, name)
		require.FileExists(t, filepath.Join(filepath.Dir(path), "data", files.Files[0].Path))
	}
	table, _ := state.Table("main", "t")
	require.Nil(t, table.PrimaryKey, "its column was dropped")
	require.Equal(t, []lake.ForeignKey{{Columns: []string{"j"}, Schema: "main", Table: "t", RefColumns: []string{"k"}}}, table.ForeignKeys,
		"a renamed column stays in its key")
	require.Empty(t, state.ForeignKeys(table), "the column on the other side was dropped")
	before, err := c.State(t.Context(), 2)
	require.NoError(t, err)
	table, _ = before.Table("main", "t")
	require.Equal(t, []string{"k"}, table.PrimaryKey, "it is there in the past")
	require.Len(t, before.ForeignKeys(table), 1)
}

func currentState(t *testing.T, c catalog.Catalog) *lake.State {
	t.Helper()
	head, err := c.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	state, err := c.State(t.Context(), head.ID)
	require.NoError(t, err)
	return state
}

func filesOf(t *testing.T, c catalog.Catalog, name string) (*lake.Table, catalog.Files) {
	t.Helper()
	head, err := c.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	table, ok := currentState(t, c).Table("main", name)
	require.True(t, ok, name)
	files, err := c.Files(t.Context(), table.ID, 0, head.ID)
	require.NoError(t, err)
	return table, files
}

// inlinedText returns the inlined rows of a table, each as text.
func inlinedText(t *testing.T, c catalog.Catalog, name string) [][]string {
	t.Helper()
	head, err := c.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	table, files := filesOf(t, c, name)
	var rows [][]string
	for _, inlined := range files.Inlined {
		reader, err := c.InlinedRows(t.Context(), table, inlined.Name, head.ID)
		require.NoError(t, err)
		require.True(t, reader.Schema().Equal(lake.ArrowSchema(table.Columns)))
		for reader.Next() {
			rows = append(rows, texts(reader.RecordBatch())...)
		}
		require.NoError(t, reader.Err())
		reader.Release()
	}
	return rows
}

func texts(batch arrow.RecordBatch) [][]string {
	rows := make([][]string, batch.NumRows())
	for i := range rows {
		for _, column := range batch.Columns() {
			rows[i] = append(rows[i], strings.Clone(column.ValueStr(i))) // text is the batch's
		}
	}
	return rows
}

func TestWeReadWhatTheExtensionWrites(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	publish(t, c, partitioned())
	require.NoError(t, c.Close())
	extension(t, path, "write")
	c = openAt(t, path)

	table, files := filesOf(t, c, "p")
	require.NotEmpty(t, files.Files)
	require.Equal(t, []lake.PartitionSpec{*table.Partition}, files.Partitions)
	var rows int64
	for _, f := range files.Files {
		rows += f.Rows
		require.Len(t, f.PartitionValues, 3)
		require.Nil(t, f.RowGroups, "the extension writes no zone maps")
		require.Len(t, f.Stats, 3)
		require.Equal(t, f.Rows, f.Stats[0].ValueCount)
		require.FileExists(t, filepath.Join(filepath.Dir(path), "data", f.Path))
	}
	require.EqualValues(t, 60, rows)

	_, files = filesOf(t, c, "big")
	require.Len(t, files.Files, 1)
	deletes := files.Files[0].Deletes
	require.Len(t, deletes, 2)
	require.EqualValues(t, 50, deletes[0].Count)
	require.Equal(t, "parquet", deletes[0].Format)
	require.Equal(t, []int64{1}, deletes[1].Positions)
	require.Equal(t, [][]string{
		{"1", "one", `{"x":10,"y":null}`, "7"}, {"3", "three", `{"x":30,"y":"y"}`, "8"},
	}, inlinedText(t, c, "ev"))
	table, files = filesOf(t, c, "va")
	require.Len(t, files.Inlined, 1)
	_, err := c.InlinedRows(t.Context(), table, files.Inlined[0].Name, 1<<30)
	require.ErrorIs(t, err, lake.ErrUnsupported)
	require.ErrorContains(t, err, `column "x" holds VARIANT`)
	state := currentState(t, c)
	schema, _ := state.Schema("main")
	require.Len(t, schema.Views, 1)
	require.Equal(t, []string{"q", "r,s"}, schema.Views[0].ColumnAliases)
	ev, _ := state.Table("main", "ev")
	require.Equal(t, "of the extension", ev.Comment)
	require.Equal(t, [][]string{everyInlined(), noValues()}, inlinedText(t, c, "e"))
}

func TestNestedFieldsThatTheExtensionAddsAreNullable(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	required := func(name string, id lake.TypeID, children ...lake.Column) lake.Column {
		return lake.Column{Name: name, Type: lake.Type{ID: id}, Children: children}
	}
	columns, _ := lake.AssignFieldIDs([]lake.Column{
		required("s", lake.TypeStruct, required("x", lake.TypeInt32)),
		required("m", lake.TypeMap, required(lake.KeyName, lake.TypeInt32), required(lake.ValueName, lake.TypeInt32)),
	})
	publish(t, c, partitioned(), catalog.CreateTable{Schema: "main", Name: "ours", Columns: columns, Path: "main/ours/"})
	created, _ := currentState(t, c).Table("main", "ours")
	require.NoError(t, c.Close())
	extension(t, path, "write")
	c = openAt(t, path)

	reloaded, _ := currentState(t, c).Table("main", "ours")
	require.Equal(t, created.Columns, reloaded.Columns)
	ev, _ := currentState(t, c).Table("main", "ev")
	nested, _ := currentState(t, c).Table("main", "nested")
	for _, table := range []*lake.Table{created, ev, nested} {
		for i := range table.Columns {
			table.Columns[i].Walk(func(parent *lake.Column) {
				for k, child := range parent.Children {
					require.Equal(t, parent.Type.ID != lake.TypeMap || k > 0, child.Nullable, "%s.%s.%s", table.Name, parent.Name, child.Name)
				}
			})
		}
	}
}

// noValues is a row of table e without a value.
func noValues() []string {
	out := make([]string, len(everyInlined()))
	for i := range out {
		out[i] = "(null)"
	}
	out[20] = "null" // as Arrow's JSON array prints it
	return out
}

// everyInlined is the row of every type that testdata/interop.py writes.
func everyInlined() []string {
	return []string{
		"true", "-128", "-5", "7", "18446744073709551615", "NaN", "-Inf", "-0.5", "-0043-03-15", "23:59:59.500000",
		"23:00:00.000000", // 01:00:00+02
		"327403382400000000", "2020-01-01T00:00:00", "2020-01-01T00:00:00.1", "2020-01-01T00:00:00.123456789",
		"2019-12-31T22:00:00Z", `{"months":1,"days":2,"nanoseconds":0}`, "é'x", "AP8=",
		"550e8400-e29b-41d4-a716-446655440000", `{"a":1}`, `["550e8400-e29b-41d4-a716-446655440000",null]`,
		`{"a":1,"b c":["x",null]}`, `[{"key":"k","value":{"x":"-1"}}]`,
	}
}

func TestExtensionsCatalogIsAdopted(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	extension(t, path, "create")
	c := openAt(t, path)
	table, files := filesOf(t, c, "made_by_extension")
	require.Len(t, files.Files, 1)
	require.EqualValues(t, 20, files.Files[0].Rows)
	columns, _ := lake.AssignFieldIDs([]lake.Column{{Name: "i", Type: lake.Type{ID: lake.TypeInt64}, Nullable: true}})
	publish(t, c, catalog.CreateTable{Schema: "main", Name: "ours", Columns: columns, Path: "main/ours/"},
		catalog.SetComment{Schema: "main", Table: table.Name, Text: "adopted"})
	require.NoError(t, c.Close())
	require.Equal(t, [][]any{{"made_by_extension", "adopted"}, {"ours", nil}}, extension(t, path, "look")["comments"])
	c = openAt(t, path)
	_, files = filesOf(t, c, "made_by_extension")
	require.Len(t, files.Files, 1)
}

func TestFilesThatTheExtensionAddedAreMapped(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	extension(t, path, "create")
	extension(t, path, "add_files")
	_, files := filesOf(t, openAt(t, path), "added")
	require.Len(t, files.Files, 2)
	for i, f := range files.Files {
		require.Equal(t, fmt.Sprintf("%s/outside/r=x/%d.parquet", filepath.Dir(path), i+1), f.Path)
		require.True(t, f.Absolute)
		require.Equal(t, map[lake.FieldID]lake.MappedField{
			1: {Name: "i"}, 2: {Name: "S"}, 3: {Name: "a"}, 4: {Name: "b"}, 5: {Name: "r", InPath: true},
		}, f.Mapping.Fields)
	}
}
