package query

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/scanner"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// Catalog is what queries read of a catalog beyond schemas and files.
type Catalog interface {
	// InlinedRows is that of catalog.Reader.
	InlinedRows(ctx context.Context, table *lake.Table, inlined string, id lake.SnapshotID) (array.RecordReader, error)
	// Metadata is that of catalog.Reader.
	Metadata(ctx context.Context, query string) (array.RecordReader, error)
}

var _ Catalog = catalog.Reader(nil)

// Components are the parts that queries need. All are required.
type Components struct {
	Views    *view.Views
	Catalog  Catalog
	Bucket   objstore.Bucket
	Frontend planner.Frontend
	Executor *engine.Executor
	Scanner  *scanner.Scanner
	// Allocator holds the batches that are not the scanner's or the engine's.
	Allocator memory.Allocator
}

// Options are the settings of a Processor.
type Options struct {
	// PlansBytesMax bounds the planned queries that are kept between prepare,
	// GetFlightInfo and DoGet; 0 means 16 MiB: some hundred over tables of 1,000 files.
	PlansBytesMax int64
	// EndpointsMax is into how many parts a large scan is divided; 1 divides none.
	EndpointsMax int
	// EndpointBytesMin is the least that such a part holds, compressed.
	EndpointBytesMin int64
}

// Processor plans and runs queries. Safe for concurrent use.
type Processor struct {
	*Planner
	*Runner
	views   *view.Views
	options Options
}

// New returns a Processor. Functions are those of the lake; they are set once they
// exist, with SetFunctions, because some of them plan queries themselves.
func New(c Components, o Options) *Processor {
	r := &Runner{
		executor: c.Executor, scanner: c.Scanner, bucket: c.Bucket, catalog: c.Catalog, mem: c.Allocator,
		evaluator: Evaluator{executor: c.Executor},
	}
	return &Processor{Planner: newPlanner(c, r, o), Runner: r, views: c.Views, options: o}
}

// Plan plans a query, with at most one row of parameters, and pins it to what its
// transaction sees or, outside of one, to the latest snapshot.
//
// Errors: KindInvalid for SQL that does not parse or bind, with its position;
// KindNotFound, with near names, for a table or snapshot; KindForbidden for a
// function that is closed to clients; KindUnsupported; those of workload.Statement.Await.
func (s *Processor) Plan(ctx context.Context, run *workload.Statement, st statement.Statement) (statement.Query, error) {
	v, done, err := s.views.Enter(ctx, st.Caller, st.Scope, view.Entry{Pin: true})
	if err != nil {
		return statement.Query{}, err
	}
	run.OnEnd(done)
	run.Pin(v.Snapshot)
	p, err := s.Statement(ctx, run, st, v)
	if err != nil {
		return statement.Query{}, err
	}
	st.Scope = v.Scope // of the session or the default: the ticket may be redeemed without the session
	q := statement.Query{
		Statement: st, Snapshot: v.Snapshot, Oldest: run.Retain(), Time: v.Now, Schema: p.Schema, Rows: p.rows(), Bytes: lake.Unknown,
		Parts: p.plan.Parts(s.options.EndpointBytesMin, s.options.EndpointsMax), Ordered: p.plan.Ordered,
	}
	if q.Rows == 0 {
		q.Bytes = 0
	}
	if p.overlaid {
		q.View = s.views.Keep(v)
	}
	return q, nil
}

// Run starts a planned query at its snapshot. Reading the rows does the work, and
// releasing them ends run, which is then the reader's; on error it stays the caller's.
//
// Errors: those of Plan; KindNotFound if what the query saw is not kept any more;
// KindState if it was rolled back, or cannot be read in parts any more.
func (s *Processor) Run(ctx context.Context, run *workload.Statement, q statement.Query) (array.RecordReader, error) {
	v, done, err := s.views.Planned(ctx, q)
	if err != nil {
		return nil, err
	}
	run.OnEnd(done)
	run.Pin(v.Snapshot)
	p, err := s.Statement(ctx, run, q.Statement, v)
	if err == nil {
		p, err = p.within(q.Part)
	}
	if err != nil {
		return nil, err
	}
	if !p.watches {
		if err := run.Await(ctx); err != nil {
			return nil, err
		}
	}
	if v.Work != nil {
		if err := v.Work.Check(p.files()); err != nil {
			return nil, err
		}
	}
	reader, err := s.Start(ctx, run, p)
	if err != nil {
		return nil, err
	}
	return Handed(ctx, run, reader), nil
}

// Handed returns a reader of the same rows that counts them as given to a client, and
// ends run when it is released. It takes over the reference to reader, and run.
func Handed(ctx context.Context, run *workload.Statement, reader array.RecordReader) array.RecordReader {
	run.SetProgressFunc(stream.ProgressFunc(reader))
	out := stream.Over(reader)
	next := out.NextFunc
	out.NextFunc = func() (batch arrow.RecordBatch, err error) {
		run.Resume()
		if batch, err = next(); err != nil {
			return nil, Because(ctx, err)
		}
		if err := run.AddBatch(batch.NumRows(), BatchBytes(batch)); err != nil {
			batch.Release()
			return nil, err
		}
		run.Stall()
		return batch, nil
	}
	out.CloseFunc = func() {
		reader.Release()
		run.End()
	}
	return stream.New(out)
}
