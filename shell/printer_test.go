package shell

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// printed writes batches in a format.
func printed(t *testing.T, format Format, style Style, batches ...arrow.RecordBatch) []byte {
	t.Helper()
	var b bytes.Buffer
	p := NewPrinter(format, &b, style)
	require.NoError(t, p.Begin(batches[0].Schema()))
	for _, batch := range batches {
		require.NoError(t, p.Write(batch))
	}
	require.NoError(t, p.End())
	return b.Bytes()
}

func TestTextOfEveryType(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	batch := everyType(t, mem)
	defer batch.Release()
	var b strings.Builder
	for i, c := range batch.Columns() {
		require.True(t, isNull(c, 1), batch.ColumnName(i))
		text, object := nullText, string(appendJSON(nil, c, 0))
		if !isNull(c, 0) {
			text = Text(c, 0)
		}
		require.True(t, json.Valid([]byte(object)), object)
		require.Equal(t, "null", string(appendJSON(nil, c, 1)))
		fmt.Fprintf(&b, "%s: %s\n  %s\n", batch.ColumnName(i), strings.ReplaceAll(text, "\n", "⏎"), object)
	}
	golden(t, "types.txt", []byte(b.String()))
}

// A slice of a batch has arrays with an offset, in which it is easy to read the
// wrong row.
func TestASliceIsWrittenAsTheRowsThatItHas(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	batch := everyType(t, mem)
	defer batch.Release()
	tail := batch.NewSlice(1, 2)
	defer tail.Release()
	for i, c := range tail.Columns() {
		require.Equal(t, "null", string(appendJSON(nil, c, 0)), batch.ColumnName(i))
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "text, or | not", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "again", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	}, nil)
	unique := record(t, mem, schema, `[{"id": 1, "text, or | not": "x|\"y\",\n\u001b[31m"}, {"id": -20, "text, or | not": ""},
		{"id": 300, "text, or | not": "幅広 e\u0301", "again": 0.5}, {"id": 4}]`)
	t.Cleanup(unique.Release)
	fields := schema.Fields()
	fields[2].Name = "id"
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), unique.Columns(), unique.NumRows())
	t.Cleanup(batch.Release) // after the parallel parts
	dash := "-"
	for _, c := range []struct {
		name   string
		format Format
		style  Style
	}{
		{"table.txt", FormatTable, Style{}},
		{"table_cut.txt", FormatTable, Style{MaxRows: 2, Width: 24, Null: &dash}},
		{"table_bare.txt", FormatTable, Style{NoHeader: true}},
		{"markdown.md", FormatMarkdown, Style{}},
		{"plain.csv", FormatCSV, Style{}},
		{"null.csv", FormatCSV, Style{Null: &dash, NoHeader: true}},
		{"lines.json", FormatJSON, Style{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			golden(t, c.name, printed(t, c.format, c.style, batch))
		})
	}
}

func TestAnyTextSurvivesCSVAndJSON(t *testing.T) {
	t.Parallel()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "b", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	rapid.Check(t, func(rt *rapid.T) {
		// encoding/csv takes \r\n within quotes for \n.
		text := rapid.StringMatching(`[a-z,"'\n ;\\é]{0,8}`)
		rows := rapid.SliceOfN(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b"}), text, 1, 2), 1, 5).Draw(rt, "rows")
		source, err := json.Marshal(rows)
		require.NoError(rt, err)
		batch := record(t, memory.DefaultAllocator, schema, string(source))
		defer batch.Release()
		null := "<null>"
		got, err := csv.NewReader(bytes.NewReader(printed(t, FormatCSV, Style{Null: &null}, batch))).ReadAll()
		require.NoError(rt, err)
		decoder := json.NewDecoder(bytes.NewReader(printed(t, FormatJSON, Style{}, batch)))
		for i, row := range rows {
			var object map[string]*string
			require.NoError(rt, decoder.Decode(&object))
			for k, name := range []string{"a", "b"} {
				if want, ok := row[name]; ok {
					require.Equal(rt, want, got[i+1][k])
					require.Equal(rt, want, *object[name])
				} else {
					require.Equal(rt, null, got[i+1][k])
					require.Nil(rt, object[name])
				}
			}
		}
	})
}

func TestParquetHoldsRowsOfAllBatches(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	schema := arrow.NewSchema([]arrow.Field{{Name: "i", Type: arrow.PrimitiveTypes.Int64, Metadata: arrow.MetadataFrom(
		map[string]string{"ARROW:FLIGHT:SQL:TYPE_NAME": "BIGINT", "mine": "kept"})}}, nil)
	batch := record(t, mem, schema, `[{"i": 1}, {"i": 2}]`)
	defer batch.Release()
	data := printed(t, FormatParquet, Style{}, batch, batch)
	reader, err := file.NewParquetReader(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, int64(4), reader.NumRows())
	arrowReader, err := pqarrow.NewFileReader(reader, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	require.NoError(t, err)
	got, err := arrowReader.Schema()
	require.NoError(t, err)
	require.False(t, got.Field(0).Nullable)
	require.Negative(t, got.Field(0).Metadata.FindKey("ARROW:FLIGHT:SQL:TYPE_NAME"))
	kept, _ := got.Field(0).Metadata.GetValue("mine")
	require.Equal(t, "kept", kept)
}

func TestATypeThatParquetLacksIsAnError(t *testing.T) {
	t.Parallel()
	schema := arrow.NewSchema([]arrow.Field{{Name: "i", Type: arrow.FixedWidthTypes.MonthDayNanoInterval}}, nil)
	require.Error(t, NewPrinter(FormatParquet, io.Discard, Style{}).Begin(schema))
}

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Format{"CSV": FormatCSV, "jsonl": FormatJSON, "md": FormatMarkdown, "table": FormatTable} {
		got, err := ParseFormat(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := ParseFormat("xml")
	require.Equal(t, ExitUsage, ExitCode(err))
}
