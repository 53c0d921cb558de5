package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// TableSource is a table, or the part of it that a query needs, whose rows come
// as Arrow batches. Safe for concurrent use: a query may open it several times.
type TableSource interface {
	// Columns returns the columns, in order.
	Columns() []lake.Column
	// Rows returns about how many rows there are; lake.Unknown if not known.
	Rows() int64
	// Open starts to read the columns with the given indices into Columns; none
	// if only the number of rows matters.
	Open(ctx context.Context, projection []int) (Stream, error)
}

// Stream is a running read of a TableSource.
type Stream interface {
	// Next returns the next batch, which the caller releases, or io.EOF. Its
	// columns are those of the projection, of the types of lake.ArrowSchema.
	// Safe for concurrent use; after io.EOF or another error every call fails.
	Next(ctx context.Context) (arrow.RecordBatch, error)
	// Close ends the read; no call of Next is running.
	Close()
}

// ScanFunction is the name of the table function through which sources are read.
const ScanFunction = "flightlake_scan"

// referenceBytes is the length of the random id of a source: clients, who could
// call the function, cannot guess it.
const referenceBytes = 16

// errorMark begins the text by which an error of a source travels through DuckDB.
const errorMark = "table source "

// registry holds the sources of running queries.
type registry struct {
	threads int
	mu      sync.Mutex
	sources map[string]*registration // by id; guarded by mu
}

// registration is one source that a query may name.
type registration struct {
	id      string
	ctx     context.Context // DuckDB calls back from threads of its own
	cancel  context.CancelFunc
	source  TableSource // nil for files
	columns []lake.Column
	files   string       // the text that reads the files; see RegisterFiles
	read    atomic.Int64 // rows that DuckDB has taken

	mu  sync.Mutex
	err error // the first error of the source; guarded by mu
}

// register makes the sources readable in the instance of c.
func (r *registry) register(c *connection) error {
	f := duckdb.CreateTableFunction()
	defer duckdb.DestroyTableFunction(&f)
	duckdb.TableFunctionSetName(f, ScanFunction)
	text := duckdb.CreateLogicalType(duckdb.TypeVarchar)
	defer duckdb.DestroyLogicalType(&text)
	duckdb.TableFunctionAddParameter(f, text)
	duckdb.TableFunctionSupportsProjectionPushdown(f, true)
	setCallbacks(f, r)
	if duckdb.RegisterTableFunction(c.conn, f) == duckdb.StateError {
		return lake.Errorf(lake.KindInternal, "register the table function %s", ScanFunction)
	}
	return nil
}

// Register makes a source known, and returns the SQL text that reads it, to be
// put into FROM. The text may occur several times, in queries of this executor
// that run until release is called. Cancelling ctx ends the reads, and so does
// the end of a query that names the source.
func (x *Executor) Register(ctx context.Context, source TableSource) (ref string, release func()) {
	return x.sources.add(ctx, &registration{source: source, columns: source.Columns()})
}

// add makes a registration known, as Register does.
func (r *registry) add(ctx context.Context, reg *registration) (ref string, release func()) {
	id := make([]byte, referenceBytes)
	_, _ = rand.Read(id) // never fails
	ctx, cancel := context.WithCancel(ctx)
	reg.id, reg.ctx, reg.cancel = hex.EncodeToString(id), ctx, cancel
	r.mu.Lock()
	r.sources[reg.id] = reg
	r.mu.Unlock()
	return ScanFunction + "('" + reg.id + "')", func() {
		cancel()
		r.mu.Lock()
		delete(r.sources, reg.id)
		r.mu.Unlock()
	}
}

// named returns the sources that texts name.
func (r *registry) named(texts []string) []*registration {
	var found []*registration
	for _, text := range texts {
		for {
			_, rest, ok := strings.Cut(text, ScanFunction+"('")
			if !ok {
				break
			}
			id, _, _ := strings.Cut(rest, "'")
			if reg, ok := r.find(id); ok && !slices.Contains(found, reg) {
				found = append(found, reg)
			}
			text = rest
		}
	}
	return found
}

// readsFiles reports whether a text names files that DuckDB reads by itself.
func (r *registry) readsFiles(sql string) bool {
	return slices.ContainsFunc(r.named([]string{sql}), func(reg *registration) bool { return reg.source == nil })
}

// expand puts what reads files in the place of their references.
func (r *registry) expand(sql string) string {
	for _, reg := range r.named([]string{sql}) {
		if reg.source == nil {
			sql = strings.ReplaceAll(sql, ScanFunction+"('"+reg.id+"')", reg.files)
		}
	}
	return sql
}

func (r *registry) find(id string) (*registration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reg, ok := r.sources[id]
	return reg, ok
}

// takeError returns the error of the source that a DuckDB message names; nil if
// it names none.
func (r *registry) takeError(message string) error {
	_, rest, ok := strings.Cut(message, errorMark)
	if !ok || len(rest) < 2*referenceBytes {
		return nil
	}
	reg, ok := r.find(rest[:2*referenceBytes])
	if !ok {
		return nil
	}
	return reg.failure()
}

// failure returns the first error of the source; nil if it had none.
func (reg *registration) failure() error {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return reg.err
}

// fail keeps the first error of the source, and returns the text for DuckDB.
func (reg *registration) fail(err error) string {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if reg.err == nil {
		reg.err = err
	}
	return errorMark + reg.id + ": " + err.Error()
}

// bind tells DuckDB the columns of a source.
func (r *registry) bind(info duckdb.BindInfo) error {
	value := duckdb.BindGetParameter(info, 0)
	defer duckdb.DestroyValue(&value)
	if duckdb.IsNullValue(value) {
		return lake.Errorf(lake.KindForbidden, "%s is not a function for clients", ScanFunction)
	}
	reg, ok := r.find(duckdb.GetVarchar(value))
	if !ok || reg.source == nil {
		return lake.Errorf(lake.KindForbidden, "%s is not a function for clients", ScanFunction)
	}
	for i := range reg.columns {
		logical := newLogicalType(&reg.columns[i])
		duckdb.BindAddResultColumn(info, reg.columns[i].Name, logical)
		duckdb.DestroyLogicalType(&logical)
	}
	if rows := reg.source.Rows(); rows >= 0 {
		duckdb.BindSetCardinality(info, duckdb.IdxT(rows), false)
	}
	setBindData(info, reg)
	return nil
}

// scan is one read of a source by one operator of a query.
type scan struct {
	registration *registration
	stream       Stream
	projection   []int
	writers      []columnWriter
	// targets holds the index of the output vector of each column of the projection.
	targets []int
}

// newScan opens the source of a registration for the columns that DuckDB asks
// for. Ids beyond the columns stand for the row as such, as in count(*): they
// have no value.
func (reg *registration) newScan(columns []uint64) (*scan, error) {
	s := &scan{registration: reg, projection: []int{}}
	for i, c := range columns {
		if c >= uint64(len(reg.columns)) {
			continue
		}
		w, err := newColumnWriter(&reg.columns[c])
		if err != nil {
			return nil, err
		}
		s.projection, s.writers, s.targets = append(s.projection, int(c)), append(s.writers, w), append(s.targets, i)
	}
	var err error
	if s.stream, err = reg.source.Open(reg.ctx, s.projection); err != nil {
		return nil, err
	}
	return s, nil
}

// close is called by DuckDB when the query ends.
func (s *scan) close() { s.stream.Close() }

// cursor is where one thread is in the batch that it took from a stream.
type cursor struct {
	batch arrow.RecordBatch
	row   int
}

// close is called by DuckDB when the thread is done with the scan.
func (c *cursor) close() {
	if c.batch != nil {
		c.batch.Release()
		c.batch = nil
	}
}

// fill writes the next rows of the scan to a chunk; none at the end.
func (s *scan) fill(c *cursor, chunk duckdb.DataChunk) error {
	for c.batch == nil || c.row == int(c.batch.NumRows()) {
		c.close()
		batch, err := s.stream.Next(s.registration.ctx)
		if err == io.EOF { //nolint:errorlint // what wraps io.EOF is no end
			duckdb.DataChunkSetSize(chunk, 0)
			return nil
		}
		if err != nil {
			return err
		}
		c.batch, c.row = batch, 0
		if int(batch.NumCols()) != len(s.projection) {
			return lake.Errorf(lake.KindInternal, "a table source returned %d columns instead of %d", batch.NumCols(), len(s.projection))
		}
	}
	n := min(vectorRows, int(c.batch.NumRows())-c.row)
	for i, w := range s.writers {
		v := duckdb.DataChunkGetVector(chunk, duckdb.IdxT(s.targets[i]))
		if err := w(v, c.batch.Column(i), c.row, n); err != nil {
			return fmt.Errorf("column %q: %w", s.registration.columns[s.projection[i]].Name, err)
		}
	}
	c.row += n
	s.registration.read.Add(int64(n))
	duckdb.DataChunkSetSize(chunk, duckdb.IdxT(n))
	return nil
}
