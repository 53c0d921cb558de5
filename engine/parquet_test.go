package engine_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// writeParquet writes a source to a file, with field ids.
func writeParquet(t *testing.T, path string, s *memSource) {
	t.Helper()
	fields := make([]arrow.Field, len(s.columns))
	for i := range s.columns {
		fields[i] = withFieldIDs(&s.columns[i])
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	schema := arrow.NewSchema(fields, nil)
	w, err := pqarrow.NewFileWriter(schema, f,
		// DuckDB's reader loses NaN if there are bounds: flightlake writes none then.
		parquet.NewWriterProperties(parquet.WithStatsFor("f32", false), parquet.WithStatsFor("f64", false)), pqarrow.NewArrowWriterProperties())
	require.NoError(t, err)
	for _, b := range s.batches {
		labelled := array.NewRecordBatch(schema, b.Columns(), b.NumRows())
		require.NoError(t, w.Write(labelled))
		labelled.Release()
	}
	require.NoError(t, w.Close())
}

func withFieldIDs(c *lake.Column) arrow.Field {
	f := c.ArrowField()
	f.Metadata = arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{strconv.FormatInt(int64(c.ID), 10)})
	if c.Type.ID == lake.TypeList {
		f.Type = arrow.ListOfField(withFieldIDs(&c.Children[0]))
	}
	return f
}

// TestBothWaysGiveTheSameAnswers runs queries over the same rows through
// read_parquet and through the table function.
func TestBothWaysGiveTheSameAnswers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := newExecutor(t, engine.Options{AllowedDirs: []string{dir}})
	all := sourceOf(t, x, everyTypeOf("0"))
	var names []string
	for _, c := range all.columns {
		if engine.CanReadParquet([]lake.Column{c}) {
			names = append(names, c.Name)
		}
	}
	require.Greater(t, len(names), 20)
	s := sourceOf(t, x, "SELECT "+strings.Join(names, ", ")+" FROM ("+everyTypeOf("5003")+")")
	s.columns, _ = lake.AssignFieldIDs(s.columns)
	path := filepath.Join(dir, "it's.parquet")
	writeParquet(t, path, s)
	ref, release := x.Register(t.Context(), s)
	defer release()
	queries := []string{
		"SELECT * FROM $t ORDER BY id", "SELECT count(*) FROM $t", "SELECT count(s), min(s), max(s) FROM $t",
		"SELECT id FROM $t WHERE f64 > 10 ORDER BY id", "SELECT id FROM $t WHERE f32 = 'nan' ORDER BY id",
		"SELECT id FROM $t WHERE f64 = 0 ORDER BY id", "SELECT i8, sum(d18), avg(f64) FILTER (isfinite(f64)) FROM $t GROUP BY ALL ORDER BY ALL",
		"SELECT count(*) FROM $t a JOIN $t b ON a.u16 = b.i16 WHERE a.date > DATE '2001-01-01'",
		"SELECT id, row_number() OVER (PARTITION BY b ORDER BY ts DESC) FROM $t ORDER BY ALL LIMIT 20",
		"SELECT e, count(*) FROM (SELECT unnest(list) AS e FROM $t) GROUP BY 1 ORDER BY ALL", "SELECT blob, uuid, json->>'a' FROM $t WHERE s LIKE 'é%' ORDER BY ALL",
		"SUMMARIZE (SELECT i32, s, ts FROM $t)",
	}
	for _, q := range queries {
		want := mustQuery(t, x, strings.ReplaceAll(q, "$t", ref))
		require.NotEmpty(t, want.rows, q)
		for _, current := range []bool{true, false} {
			files, release := x.RegisterFiles(t.Context(), []string{path}, s.columns, current)
			got := mustQuery(t, x, strings.ReplaceAll(q, "$t", files))
			release()
			require.Equal(t, want.schema.String(), got.schema.String(), q)
			require.Equal(t, want.rows, got.rows, q)
		}
	}
}

func TestFilesAreMatchedByFieldID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := newExecutor(t, engine.Options{AllowedDirs: []string{dir}})
	s := sourceOf(t, x, "SELECT 1::INTEGER AS a, 'x' AS b")
	s.columns, _ = lake.AssignFieldIDs(s.columns)
	path := filepath.Join(dir, "a.parquet")
	writeParquet(t, path, s)
	// a and b changed names, a was widened, and c was added afterwards.
	columns := []lake.Column{
		{ID: 2, Name: "a", Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true},
		{ID: 1, Name: `it's "b"`, Type: lake.Type{ID: lake.TypeInt64}, Nullable: true},
		{ID: 3, Name: "c", Type: lake.Type{ID: lake.TypeDecimal, Precision: 5, Scale: 2}, Nullable: true},
	}
	files, release := x.RegisterFiles(t.Context(), []string{path, path}, columns, false)
	defer release()
	r := mustQuery(t, x, "FROM "+files)
	require.Equal(t, "a: type=utf8, nullable it's \"b\": type=int64, nullable c: type=decimal(5, 2), nullable", fieldsText(r.schema.Fields()))
	require.Equal(t, [][]string{{"x", "1", "(null)"}, {"x", "1", "(null)"}}, r.rows)
}

func TestBrokenDataFilesAreCorruptAndTheirFolderIsNotShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := newExecutor(t, engine.Options{AllowedDirs: []string{dir}})
	s := sourceOf(t, x, "SELECT i AS a, md5(i::VARCHAR) AS b FROM range(10000) r(i)")
	s.columns, _ = lake.AssignFieldIDs(s.columns)
	good := filepath.Join(dir, "good.parquet")
	writeParquet(t, good, s)
	raw, err := os.ReadFile(good)
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"missing.parquet": nil, "text.parquet": []byte("this is no Parquet file"), "short.parquet": raw[:len(raw)/2],
		"empty.parquet": {}, "footer.parquet": append(append([]byte(nil), raw[:len(raw)-300]...), raw[len(raw)-8:]...),
	} {
		path := filepath.Join(dir, name)
		if content != nil {
			require.NoError(t, os.WriteFile(path, content, 0o600))
		}
		files, release := x.RegisterFiles(t.Context(), []string{path}, s.columns, true)
		_, err := query(t.Context(), x, engine.Query{SQL: "SELECT sum(a), max(b) FROM " + files, Rewritten: true})
		release()
		require.ErrorIs(t, err, lake.ErrCorrupt, "%s: %v", name, err)
		require.NotContains(t, err.Error(), dir)
		if name != "footer.parquet" { // DuckDB does not say which
			require.ErrorContains(t, err, name)
		}
	}
}
