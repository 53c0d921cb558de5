package lakehouse_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	catalogduckdb "github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/local"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// bundle is a lakehouse with the parts that tests look at.
type bundle struct {
	*lakehouse.Statements
	*lakehouse.Lakehouse
	catalog catalog.Catalog
	bucket  objstore.Bucket
	// components are those of Service, to make another one.
	components lakehouse.Components
}

// setup returns a service over an empty lake whose objects are kept in bucket;
// nil means in memory.
func setup(tb testing.TB, bucket objstore.Bucket) *bundle {
	tb.Helper()
	if bucket == nil {
		bucket = mem.New(mem.Options{})
	}
	return open(tb, bucket, "", nil)
}

// setupClock is setup with a clock of the test's own.
func setupClock(t *testing.T, c clock.Clock) *bundle {
	t.Helper()
	return openClock(t, mem.New(mem.Options{}), "", nil, c)
}

// setupLocal returns a service over an empty lake in a folder, which DuckDB
// can read by itself.
func setupLocal(t *testing.T) *bundle {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	bucket, err := local.New(dir)
	require.NoError(t, err)
	return open(t, bucket, dir, []string{dir})
}

func open(tb testing.TB, bucket objstore.Bucket, dataPath string, allowed []string) *bundle {
	tb.Helper()
	return openClock(tb, bucket, dataPath, allowed, clock.System{})
}

func openClock(tb testing.TB, bucket objstore.Bucket, dataPath string, allowed []string, c clock.Clock) *bundle {
	tb.Helper()
	return openLimited(tb, bucket, dataPath, allowed, c, lakehouse.Options{})
}

// setupLimited is setup with limits and a clock of the test's own.
func setupLimited(t *testing.T, c clock.Clock, o lakehouse.Options) *bundle {
	t.Helper()
	return openLimited(t, mem.New(mem.Options{}), "", nil, c, o)
}

func openLimited(tb testing.TB, bucket objstore.Bucket, dataPath string, allowed []string, c clock.Clock, o lakehouse.Options) *bundle {
	tb.Helper()
	if dataPath == "" {
		dataPath = "mem:"
	}
	cat, err := catalogduckdb.Open(tb.Context(), catalogduckdb.Options{DataPath: dataPath, Clock: c, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(tb, err)
	frontend, err := engine.NewFrontend(engine.FrontendOptions{})
	require.NoError(tb, err)
	executor, err := engine.NewExecutor(nil, engine.Options{AllowedDirs: allowed})
	require.NoError(tb, err)
	tb.Cleanup(func() {
		executor.Close()
		frontend.Close()
		require.NoError(tb, cat.Close())
	})
	components := lakehouse.Components{
		Catalog: cat, Bucket: bucket, Frontend: frontend, Executor: executor,
		Clock: c, Log: slog.New(slog.DiscardHandler),
	}
	return newBundle(components, o)
}

func newBundle(c lakehouse.Components, o lakehouse.Options) *bundle {
	l := lakehouse.New(c, o)
	return &bundle{Statements: l.Statements, Lakehouse: l, catalog: c.Catalog, bucket: c.Bucket, components: c}
}

// rows runs a query and returns its rows as JSON, one string each.
func (b *bundle) rows(t *testing.T, sql string) []string {
	t.Helper()
	out, err := b.query(t.Context(), statement.Statement{SQL: sql})
	require.NoError(t, err, sql)
	return out
}

func (b *bundle) query(ctx context.Context, st statement.Statement) ([]string, error) {
	q, err := b.Plan(ctx, st)
	if err != nil {
		return nil, err
	}
	running, err := b.Run(ctx, q)
	if err != nil {
		return nil, err
	}
	return drainText(running)
}

// drainText reads all rows and releases the reader.
func drainText(running statement.Rows) ([]string, error) {
	defer running.Reader.Release()
	out := []string{}
	for running.Reader.Next() {
		batch := running.Reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			cells := make([]string, 0, batch.NumCols())
			for _, column := range batch.Columns() {
				cells = append(cells, column.ValueStr(i))
			}
			out = append(out, strings.Clone(strings.Join(cells, "|"))) // a single cell is still the batch's
		}
	}
	return out, running.Reader.Err()
}

func (b *bundle) exec(t *testing.T, sql string) statement.Update {
	t.Helper()
	up, err := b.Execute(t.Context(), statement.Statement{SQL: sql})
	require.NoError(t, err, sql)
	return up
}

// numbers returns a stream of rows (i int64, s utf8) with i from first on, in
// batches of size rows.
func numbers(t *testing.T, first, rows, size int) array.RecordReader {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	var batches []arrow.RecordBatch
	for start := 0; start < rows; start += size {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := start; i < min(start+size, rows); i++ {
			b.Field(0).(*array.Int64Builder).Append(int64(first + i))
			b.Field(1).(*array.StringBuilder).Append("value of a row")
		}
		batches = append(batches, b.NewRecordBatch())
		b.Release()
	}
	reader, err := array.NewRecordReader(schema, batches)
	require.NoError(t, err)
	t.Cleanup(reader.Release)
	for _, b := range batches {
		b.Release()
	}
	return reader
}

// objects returns the keys in the bucket.
func (b *bundle) objects(t *testing.T) []string {
	t.Helper()
	return b.objectsUnder(t, "")
}

// objectsUnder returns the keys in the bucket that begin with prefix.
func (b *bundle) objectsUnder(t *testing.T, prefix string) []string {
	t.Helper()
	keys := []string{}
	require.NoError(t, b.bucket.List(t.Context(), prefix, func(o objstore.Object) error {
		keys = append(keys, o.Key)
		return nil
	}))
	return keys
}

// published returns the keys that the catalog names.
func (b *bundle) published(t *testing.T) []string {
	t.Helper()
	return b.publishedUnder(t, "")
}

// publishedUnder returns the keys that the catalog names for the tables whose
// path begins with prefix.
func (b *bundle) publishedUnder(t *testing.T, prefix string) []string {
	t.Helper()
	seen, err := b.State(t.Context(), session.Caller{})
	require.NoError(t, err)
	state, head := seen.State, seen.Snapshot
	keys := []string{}
	for i := range state.Schemas {
		for j := range state.Schemas[i].Tables {
			table := &state.Schemas[i].Tables[j]
			if !strings.HasPrefix(table.Path, prefix) {
				continue
			}
			files, err := b.catalog.Files(t.Context(), table.ID, 0, head)
			require.NoError(t, err)
			for k := range files.Files {
				keys = append(keys, files.Files[k].Path)
			}
		}
	}
	return keys
}
