package writer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/local"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/writer"
)

// fixture is a Bucket to write to.
type fixture struct {
	folder string
	bucket objstore.Bucket
	mu     sync.Mutex
	staged []string
}

func setup(t *testing.T) *fixture {
	t.Helper()
	return &fixture{bucket: mem.New(mem.Options{})}
}

// setupFolder returns a fixture whose files other programs can read.
func setupFolder(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{folder: t.TempDir()}
	bucket, err := local.New(f.folder)
	require.NoError(t, err)
	f.bucket = bucket
	return f
}

func (f *fixture) stage(_ context.Context, keys []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.staged = append(f.staged, keys...)
	return nil
}

func (f *fixture) path(file lake.DataFile) string { return filepath.Join(f.folder, file.Path) }

// write writes batches of one schema to columns.
func (f *fixture) write(t *testing.T, spec writer.Spec, batches []arrow.RecordBatch) (writer.Result, error) {
	t.Helper()
	return f.writeLimited(t, spec, batches, writer.Limits{})
}

func (f *fixture) writeLimited(t *testing.T, spec writer.Spec, batches []arrow.RecordBatch, limits writer.Limits) (writer.Result, error) {
	t.Helper()
	reader, err := array.NewRecordReader(batches[0].Schema(), batches)
	require.NoError(t, err)
	defer reader.Release()
	spec.KeyPrefix = "main/t/"
	return writer.New(f.bucket, f.stage, writer.Settings{Limits: limits}).Write(t.Context(), spec, reader)
}

// must writes batches, which succeeds, and returns the only file.
func (f *fixture) must(t *testing.T, columns []lake.Column, batches ...arrow.RecordBatch) lake.DataFile {
	t.Helper()
	result, err := f.write(t, writer.Spec{Columns: columns}, batches)
	require.NoError(t, err)
	require.Len(t, result.Files, 1)
	return result.Files[0]
}

// bytes returns the content of a file.
func (f *fixture) bytes(t *testing.T, data lake.DataFile) []byte {
	t.Helper()
	r, err := f.bucket.Open(t.Context(), data.Path, objstore.OpenOptions{})
	require.NoError(t, err)
	defer r.Close()
	content := make([]byte, r.Size())
	_, err = r.ReadAt(t.Context(), content, 0)
	require.NoError(t, err)
	return content
}

// open opens a file with arrow-go.
func (f *fixture) open(t *testing.T, data lake.DataFile) *file.Reader {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(f.bytes(t, data)))
	require.NoError(t, err)
	return r
}

// read returns all rows of a file with arrow-go.
func (f *fixture) read(t *testing.T, data lake.DataFile) arrow.Table {
	t.Helper()
	r, err := pqarrow.NewFileReader(f.open(t, data), pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	require.NoError(t, err)
	table, err := r.ReadTable(t.Context())
	require.NoError(t, err)
	return table
}

// number gives columns field ids and makes the types of a test short.
func number(columns ...lake.Column) []lake.Column {
	numbered, _ := lake.AssignFieldIDs(columns)
	return numbered
}

func column(t *testing.T, name, typeName string) lake.Column {
	t.Helper()
	parsed, err := lake.ParseType(typeName)
	require.NoError(t, err)
	return lake.Column{Name: name, Type: parsed, Nullable: true}
}

// batch parses a JSON array of rows.
func batch(t *testing.T, schema *arrow.Schema, rows string) arrow.RecordBatch {
	t.Helper()
	b, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	require.NoError(t, err)
	return b
}

// python returns the interpreter that has DuckDB, or skips the test.
func python(t *testing.T) string {
	t.Helper()
	path := os.Getenv("FLIGHTLAKE_TEST_PYTHON")
	if path == "" {
		t.Skip("FLIGHTLAKE_TEST_PYTHON is not set")
	}
	return path
}

// runPython runs a script of testdata and decodes the JSON that it prints.
func runPython(t *testing.T, into any, script string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python(t), append([]string{filepath.Join("testdata", script)}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.NoError(t, json.Unmarshal(out, into), string(out))
}
