package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// Query is one statement to run.
type Query struct {
	// SQL is a query; its parameters are already replaced by literals (Literal).
	SQL string
	// Schema is where unqualified names resolve; empty means lake.DefaultSchema.
	Schema string
	// Rewritten says that SQL is not what the client wrote but has sources in the
	// place of its tables. Errors then leave out the excerpt, and a table that is
	// still there is refused: the mirror has no rows.
	Rewritten bool
	// BatchBytes bounds the bytes of a batch, except for one of a single row;
	// 0 means 4 MiB.
	BatchBytes int64
	// BatchRows bounds its rows; 0 means 65,536.
	BatchRows int64
	// Overlay is what the query sees of schemas and tables; nil means the mirror.
	Overlay *Overlay

	target  string   // the temporary table of InsertRows; empty if none
	inserts []string // the statements of InsertRows
}

// Defaults of Query.
const (
	batchBytesDefault = 4 << 20
	batchRowsDefault  = 65536
)

// Reader is the stream of a query's rows. It is not safe for concurrent use, but
// for Progress.
type Reader interface {
	array.RecordReader
	// Progress returns which share of its input the query has read, within
	// [0, 1], or lake.Unknown. It does not fall, and is not 1 before the end.
	Progress() float64
}

// Query binds a statement and returns its rows as a stream that is computed as
// it is read. The reader is bound to ctx and holds a connection and the sources
// that the statement names until it is released. When ctx ends, or the reader is
// released, the work stops and the reads of those sources are cancelled.
//
// Errors, here and from the reader's Err: KindInvalid, KindNotFound (a table or
// schema), KindUnsupported, KindForbidden, KindExhausted (memory), KindCorrupt
// (a data file), the error of a TableSource, or of ctx.
func (x *Executor) Query(ctx context.Context, q Query) (Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := x.open(ctx, q, nil)
	if err != nil {
		return nil, err
	}
	if q.Overlay != nil {
		r.spool()
	}
	return r, nil
}

// open starts a query, after first unless that is nil.
func (x *Executor) open(ctx context.Context, q Query, first func(*Executor, *connection) error) (*resultReader, error) {
	return onConnection(ctx, x, q, func(x *Executor, c *connection) (*resultReader, error) {
		return x.start(ctx, c, q, first)
	}, func(x *Executor, c *connection, r *resultReader, late bool) {
		switch {
		case r == nil:
			x.finish(c)
		case late:
			r.Release()
		}
	})
}

// finish ends the read-only transaction of a query and gives the connection
// back, and after it the executor of a query with an Overlay.
func (x *Executor) finish(c *connection) {
	if x.home != nil {
		c.schema = "" // the next query may have no such schema
		defer x.home.put(x)
	}
	c.temporary = nil
	if err := c.exec("ROLLBACK"); err != nil {
		var e *SQLError
		if !errors.As(err, &e) || !strings.Contains(e.Message, "no transaction is active") {
			x.pool.discard(c)
			return
		}
	}
	x.pool.put(c)
}

// start begins a read-only transaction, in which temporary tables can be
// written, runs first if not nil, and then the query.
func (x *Executor) start(ctx context.Context, c *connection, q Query, first func(*Executor, *connection) error) (*resultReader, error) {
	if q.BatchBytes == 0 {
		q.BatchBytes = batchBytesDefault
	}
	if q.BatchRows == 0 {
		q.BatchRows = batchRowsDefault
	}
	sources := x.sources.named(append(q.inserts, q.SQL))
	own, cancel := context.WithCancel(ctx)
	idle := watch(own, c, sources...)
	stop := func() {
		idle()
		cancel()
	}
	s, err := x.begin(c, q, first)
	if err != nil {
		stop()
		return nil, err
	}
	r := &resultReader{
		executor: x, ctx: ctx, query: q, first: first, sources: sources, connection: c, cancel: cancel, stop: stop, statement: s,
		batch: newBatchReader(s.types, x.mem, q.BatchRows, q.BatchBytes),
	}
	r.progress.watch(c, sources)
	r.references.Store(1)
	return r, nil
}

// begin begins the transaction of a query, runs first in it if not nil, and prepares the query.
func (x *Executor) begin(c *connection, q Query, first func(*Executor, *connection) error) (*statement, error) {
	if err := c.beginReading(q.Overlay, q.target); err != nil {
		return nil, err
	}
	if first != nil {
		if err := first(x, c); err != nil {
			return nil, err
		}
	}
	v, err := x.check(c, q.SQL)
	if err != nil {
		return nil, err
	}
	q.SQL = x.sources.expand(q.SQL)
	s, err := c.prepareToRun(q)
	if err != nil {
		return nil, err
	}
	if err := v.bound(c, q.Rewritten); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// prepareToRun prepares a query so that every column has an Arrow type.
func (c *connection) prepareToRun(q Query) (*statement, error) {
	s, err := c.prepare(q.SQL)
	if err != nil {
		return nil, err
	}
	if cast, ok := s.castsToText(q.SQL); ok {
		s.close()
		if s, err = c.prepare(cast); err != nil {
			return nil, err
		}
	}
	if n := duckdb.NParams(s.prepared); n > 0 {
		s.close()
		return nil, lake.Errorf(lake.KindInvalid, "the statement has %d parameters without values", n)
	}
	return s, nil
}

// queryError makes an error of a query fit for the client.
func (x *Executor) queryError(ctx context.Context, q Query, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var e *SQLError
	if !errors.As(err, &e) {
		return err
	}
	if cause := x.sources.takeError(e.Message); cause != nil {
		return cause
	}
	clean := *e
	if q.Rewritten || ownText(q.SQL) {
		clean.Excerpt = ""
	}
	for _, dir := range x.hidden {
		clean.Message = strings.ReplaceAll(clean.Message, strings.TrimSuffix(dir, "/")+"/", "")
		clean.Excerpt = strings.ReplaceAll(clean.Excerpt, strings.TrimSuffix(dir, "/")+"/", "")
	}
	clean.hideFiles()
	kind := lake.KindOf(err)
	if !x.sources.readsFiles(q.SQL) {
		return &lake.Error{Kind: kind, Err: &clean}
	}
	if (kind == lake.KindInvalid || kind == lake.KindInternal) && fileError(e.Message) || e.Type == "IO Error" && missingFile(e.Message) {
		kind = lake.KindCorrupt
	}
	return &lake.Error{Kind: kind, Err: &clean}
}

// fileError tells DuckDB's complaints about the bytes of a Parquet file, which
// it calls invalid input, from those about a statement.
func fileError(message string) bool {
	lower := strings.ToLower(message)
	for _, mark := range []string{"file", "footer", "corrupt", "magic bytes"} {
		if strings.Contains(lower, "parquet") && strings.Contains(lower, mark) {
			return true
		}
	}
	for _, mark := range []string{"tprotocolexception", "decompress", "out of buffer", "dictionary page", "data page"} {
		if strings.Contains(lower, mark) {
			return true
		}
	}
	return false
}

func missingFile(message string) bool {
	return strings.Contains(message, "No files found") || strings.Contains(message, "No such file") ||
		strings.Contains(message, "Could not read") || strings.Contains(message, "reached end of file")
}

// resultReader is the stream of a query's batches.
type resultReader struct {
	executor   *Executor
	ctx        context.Context // a record reader has no other way to be cancelled
	query      Query
	first      func(*Executor, *connection) error // runs before the query; nil for nothing
	sources    []*registration                    // that the query names
	connection *connection
	cancel     context.CancelFunc // ends the work
	stop       func()             // after which the connection is not interrupted
	statement  *statement
	result     *duckdb.Result // nil until the first rows are asked for
	batch      *batchReader
	progress   progress
	references atomic.Int64
	current    arrow.RecordBatch
	err        error
	ended      bool
	release    sync.Once
	disconnect sync.Once
}

var _ Reader = (*resultReader)(nil)

func (r *resultReader) Schema() *arrow.Schema          { return r.batch.schema }
func (r *resultReader) RecordBatch() arrow.RecordBatch { return r.current }
func (r *resultReader) Record() arrow.RecordBatch      { return r.current }
func (r *resultReader) Err() error                     { return r.err }
func (r *resultReader) Retain()                        { r.references.Add(1) }
func (r *resultReader) Progress() float64              { return r.progress.share() }

func (r *resultReader) Release() {
	if r.references.Add(-1) == 0 {
		r.release.Do(r.close)
	}
}

func (r *resultReader) close() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
	r.batch.release()
	r.disconnect.Do(r.finish)
	r.ended = true
}

// finish gives the connection back.
func (r *resultReader) finish() {
	r.progress.end(r.err == nil && r.ended)
	// Destroying the result of a query that still runs waits for its tasks.
	r.cancel()
	if r.result != nil {
		duckdb.DestroyResult(r.result)
	}
	r.statement.close()
	r.stop()
	r.executor.finish(r.connection)
}

// spoolBatchesMax bounds the batches that are read ahead of a query with an
// Overlay; what the lake's catalog shows of itself is seldom more than one.
const spoolBatchesMax = 2

// spool reads a small result to its end and gives the connection back, so that
// a client that does not read on holds no executor of queries with an Overlay.
func (r *resultReader) spool() {
	for !r.ended && len(r.batch.full) < spoolBatchesMax {
		r.advance()
	}
	if r.ended {
		r.disconnect.Do(r.finish)
	}
}

func (r *resultReader) Next() bool {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
	for {
		if batch := r.batch.take(r.ended); batch != nil {
			r.current = batch
			return true
		}
		if r.ended {
			return false
		}
		r.advance()
	}
}

// advance reads one more chunk. If it cannot be had the stream ends with an error.
func (r *resultReader) advance() {
	if err := r.fetch(); err != nil {
		r.err, r.ended = r.executor.queryError(r.ctx, r.query, r.reasonOf(err)), true
		r.batch.release()
	}
}

// fetch reads one more chunk of the result.
func (r *resultReader) fetch() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.result == nil {
		if err := r.execute(); err != nil {
			return err
		}
	}
	chunk := duckdb.FetchChunk(*r.result)
	if chunk.Ptr == nil {
		r.ended = true
		if message := duckdb.ResultError(r.result); message != "" {
			return newError(message)
		}
		r.progress.end(true)
		return nil
	}
	defer duckdb.DestroyDataChunk(&chunk)
	return r.batch.read(chunk)
}

// execute starts the query and waits for its first rows: for all of its work, if
// that ends in a sort or an aggregation.
func (r *resultReader) execute() error {
	var pending duckdb.PendingResult
	defer duckdb.DestroyPending(&pending)
	if duckdb.PendingPreparedStreaming(r.statement.prepared, &pending) == duckdb.StateError {
		return newError(duckdb.PendingError(pending))
	}
	r.result = &duckdb.Result{}
	if duckdb.ExecutePending(pending, r.result) == duckdb.StateError {
		return newError(duckdb.ResultError(r.result))
	}
	return nil
}

// batchReader gathers the chunks of a result into batches.
type batchReader struct {
	schema   *arrow.Schema
	columns  []columnReader
	rowsMax  int64
	bytesMax int64
	rows     int64
	bytes    int64
	full     []arrow.RecordBatch
}

func newBatchReader(types []valueType, mem memory.Allocator, rowsMax, bytesMax int64) *batchReader {
	b := &batchReader{rowsMax: rowsMax, bytesMax: bytesMax}
	fields := make([]arrow.Field, len(types))
	for i := range types {
		fields[i] = types[i].field()
		b.columns = append(b.columns, newColumnReader(&types[i], mem))
	}
	b.schema = arrow.NewSchema(fields, nil)
	return b
}

func (b *batchReader) read(chunk duckdb.DataChunk) error {
	vectors := make([]vector, len(b.columns))
	for i := range vectors {
		vectors[i] = newVector(duckdb.DataChunkGetVector(chunk, duckdb.IdxT(i)))
	}
	return b.readRows(vectors, 0, int(duckdb.DataChunkGetSize(chunk)))
}

// readRows adds rows [from, to), halving them until they fit into a batch.
func (b *batchReader) readRows(vectors []vector, from, to int) error {
	if from == to {
		return nil
	}
	var size int64
	for i, c := range b.columns {
		size += c.bytes(&vectors[i], from, to)
	}
	n := int64(to - from)
	if b.rows > 0 && (b.bytes+size > b.bytesMax || b.rows+n > b.rowsMax) {
		b.flush()
	}
	if n > 1 && (size > b.bytesMax || n > b.rowsMax) {
		middle := (from + to) / 2
		if err := b.readRows(vectors, from, middle); err != nil {
			return err
		}
		return b.readRows(vectors, middle, to)
	}
	for i, c := range b.columns {
		if err := c.read(&vectors[i], from, to); err != nil {
			return err
		}
	}
	b.rows, b.bytes = b.rows+n, b.bytes+size
	return nil
}

func (b *batchReader) flush() {
	columns := make([]arrow.Array, len(b.columns))
	for i, c := range b.columns {
		data := c.finish()
		columns[i] = array.MakeFromData(data)
		data.Release()
	}
	b.full = append(b.full, array.NewRecordBatch(b.schema, columns, b.rows))
	for _, c := range columns {
		c.Release()
	}
	b.rows, b.bytes = 0, 0
}

// take returns a full batch, or at the end the last one; nil if there is none.
func (b *batchReader) take(end bool) arrow.RecordBatch {
	if end && b.rows > 0 {
		b.flush()
	}
	if len(b.full) == 0 {
		return nil
	}
	batch := b.full[0]
	b.full = b.full[1:]
	return batch
}

func (b *batchReader) release() {
	for _, c := range b.columns {
		c.release()
	}
	for _, batch := range b.full {
		batch.Release()
	}
	b.full, b.rows, b.bytes = nil, 0, 0
}
