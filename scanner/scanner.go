// Package scanner executes an expr.Scan: it turns the Parquet files of a
// pruned read into record batches in the table's own schema, whatever the
// files' age, writer or physical types.
//
// A Scanner reads row groups in parallel with bounded read-ahead. Scan gives
// the rows in the order of the tasks; Open gives them in any order to many
// consumers. Deleted rows are left out, the residual predicate is applied, and
// columns are matched by field id, cast to the table's type, or filled with
// their initial default.
//
// It does not plan, prune by statistics, or read rows that the catalog holds
// inlined: Filtered applies a scan's residual and projection to those.
package scanner

import (
	"context"
	"runtime"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// The defaults of Options.
const (
	DefaultBatchRows = 64 << 10
	// DefaultBatchBytes lets a batch travel as one message: Go clients refuse
	// more than 4 MiB unless told otherwise.
	DefaultBatchBytes     = 7 << 19
	DefaultReadAheadBytes = 256 << 20
	// DefaultReadAheadTotalBytes lets eight scans of a server read 64 MiB ahead.
	DefaultReadAheadTotalBytes = 512 << 20
)

// Options are the limits of a Scanner. The zero value is usable.
type Options struct {
	// BatchRows is the largest number of rows in a batch; 0 means DefaultBatchRows.
	BatchRows int64
	// BatchBytes is the size above which a batch is split, rows permitting,
	// and about which batches are decoded; 0 means DefaultBatchBytes.
	BatchBytes int64
	// ReadAheadBytes bounds, for each scan, the compressed bytes being decoded
	// plus the batches that wait for their consumer. One row group is always
	// admitted. 0 means DefaultReadAheadBytes.
	ReadAheadBytes int64
	// ReadAheadTotalBytes bounds the same for all scans together, which share it
	// evenly. A scan that is alone in what it holds back waits for nobody: its first
	// row group, and the batch that its consumer waits for, are always admitted.
	// 0 means DefaultReadAheadTotalBytes.
	ReadAheadTotalBytes int64
	// Workers is the number of goroutines that decode, for each scan; 0 means
	// one per processor.
	Workers int
}

func (o Options) withDefaults() Options {
	if o.BatchRows <= 0 {
		o.BatchRows = DefaultBatchRows
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = DefaultBatchBytes
	}
	if o.ReadAheadBytes <= 0 {
		o.ReadAheadBytes = DefaultReadAheadBytes
	}
	if o.ReadAheadTotalBytes <= 0 {
		o.ReadAheadTotalBytes = DefaultReadAheadTotalBytes
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return o
}

// Scanner executes scans over one Bucket. It is safe for concurrent use.
type Scanner struct {
	bucket objstore.Bucket
	mem    memory.Allocator
	opts   Options
	pages  *Pool // what decoding needs between the file and the batch
	byName bool  // columns are matched by name even in files with field ids

	outside Outside
	footers Footers
	budget  *budget
}

// New returns a Scanner that reads from bucket and allocates batches from mem;
// a nil mem means a Pool of its own. With a Pool, the memory of a batch is used
// again as soon as its last reference is released.
func New(bucket objstore.Bucket, mem memory.Allocator, opts Options) *Scanner {
	if mem == nil {
		mem = NewPool()
	}
	opts = opts.withDefaults()
	return &Scanner{
		bucket: bucket, mem: mem, pages: NewPool(), opts: opts, outside: noOutside{}, footers: noFooters{},
		budget: &budget{scanMax: opts.ReadAheadBytes, totalMax: opts.ReadAheadTotalBytes},
	}
}

// WithAllocator returns a Scanner whose batches come from what wrapFunc makes of
// its allocator, such as one that counts, and else is s: both share their limits.
func (s *Scanner) WithAllocator(wrapFunc func(memory.Allocator) memory.Allocator) *Scanner {
	out := *s
	out.mem = wrapFunc(s.mem)
	return &out
}

// Scan streams the rows of scan in the order of its tasks, as batches in
// lake.ArrowSchema of the projected columns. The caller releases the reader,
// which frees everything at once, read or not. Files are opened while reading,
// so that most errors come from the reader.
//
// Errors: KindInvalid for a projection or residual that the table does not
// have; KindUnsupported for a residual that cannot be evaluated, an encrypted
// file, or a type that cannot be read; KindCorrupt, naming the file, for one
// that is missing, has another size than the catalog says, or does not decode;
// those of the Bucket and of ctx.
func (s *Scanner) Scan(ctx context.Context, scan *expr.Scan) (array.RecordReader, error) {
	p, err := s.start(ctx, scan, true)
	if err != nil {
		return nil, err
	}
	return newOrderedReader(p), nil
}

// Open starts scan for consumers that take its rows in any order, in parallel.
// Errors are those of Scan.
func (s *Scanner) Open(ctx context.Context, scan *expr.Scan) (*Set, error) {
	p, err := s.start(ctx, scan, false)
	if err != nil {
		return nil, err
	}
	return &Set{pipeline: p}, nil
}

func (s *Scanner) start(ctx context.Context, scan *expr.Scan, ordered bool) (*pipeline, error) {
	shape, err := newShape(scan)
	if err != nil {
		return nil, err
	}
	return newPipeline(ctx, s, scan, shape, ordered), nil
}

// shape is what every row group of a scan is read as.
type shape struct {
	// columns are the top-level columns to decode: those of the projection,
	// then those that only the residual reads.
	columns   []lake.Column
	projected int // how many of columns are produced
	// filtering holds, for each column, whether the residual reads it.
	filtering []bool
	residual  expr.Predicate // nil if there is nothing to filter
	// filter is the residual over batches of filterSchema, the filtering columns
	// in order; nil like residual.
	filter       *expr.Filter
	filterSchema *arrow.Schema
}

func newShape(scan *expr.Scan) (*shape, error) {
	sh := &shape{residual: expr.Simplify(scan.Residual)}
	if c, ok := sh.residual.(expr.Constant); ok && c.Value && !c.Null {
		sh.residual = nil
	}
	for _, id := range scan.Projection {
		c, ok := topLevel(scan.Table, id)
		if !ok || c.ID != id {
			return nil, lake.Errorf(lake.KindInvalid, "table %q has no column with field id %d", scan.Table.Name, id)
		}
		sh.columns = append(sh.columns, *c)
	}
	sh.projected = len(sh.columns)
	sh.filtering = make([]bool, sh.projected)
	for _, id := range expr.Fields(sh.residual) {
		c, ok := topLevel(scan.Table, id)
		if !ok {
			return nil, lake.Errorf(lake.KindInvalid, "table %q has no field %d to filter by", scan.Table.Name, id)
		}
		sh.markFiltering(*c)
	}
	return sh, sh.compileResidual()
}

func (sh *shape) markFiltering(c lake.Column) {
	for i := range sh.columns {
		if sh.columns[i].ID == c.ID {
			sh.filtering[i] = true
			return
		}
	}
	sh.columns = append(sh.columns, c)
	sh.filtering = append(sh.filtering, true)
}

func (sh *shape) compileResidual() error {
	if sh.residual == nil {
		return nil
	}
	var columns []lake.Column
	for i, c := range sh.columns {
		if sh.filtering[i] {
			columns = append(columns, c)
		}
	}
	sh.filterSchema = lake.ArrowSchema(columns)
	var err error
	sh.filter, err = expr.NewFilter(sh.residual, columns)
	return err
}

// topLevel returns the column that is, or holds, the field.
func topLevel(t *lake.Table, id lake.FieldID) (*lake.Column, bool) {
	for i := range t.Columns {
		found := false
		t.Columns[i].Walk(func(c *lake.Column) { found = found || c.ID == id })
		if found {
			return &t.Columns[i], true
		}
	}
	return nil, false
}
