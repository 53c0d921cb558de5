package scanner

import (
	"errors"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// Filtered returns a reader of the rows of r for which the residual of scan is
// true, projected as scan asks. The schema of r is lake.ArrowSchema of all the
// columns of scan's table, as catalog.Catalog.InlinedRows gives it. Offset and
// limit are left to the caller, who knows how many rows came before. It takes
// the reference of r, also on error.
//
// Errors: those of Scanner.Scan for projection and residual.
func Filtered(r array.RecordReader, scan *expr.Scan, mem memory.Allocator) (array.RecordReader, error) {
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	sh, err := newShape(scan)
	if err != nil {
		r.Release()
		return nil, err
	}
	out := &filteredReader{source: r, schema: lake.ArrowSchema(sh.columns[:sh.projected])}
	out.refs.Store(1)
	if sh.residual != nil {
		if out.filter, err = expr.NewFilter(sh.residual, scan.Table.Columns, mem); err != nil {
			r.Release()
			return nil, err
		}
	}
	for i := range sh.columns[:sh.projected] {
		for k := range scan.Table.Columns {
			if scan.Table.Columns[k].ID == sh.columns[i].ID {
				out.columns = append(out.columns, k)
			}
		}
	}
	return out, nil
}

// filteredReader filters and projects the batches of another reader.
type filteredReader struct {
	source  array.RecordReader
	schema  *arrow.Schema
	filter  *expr.Filter
	columns []int // ordinals in the source's schema
	refs    atomic.Int64
	current arrow.RecordBatch
	err     error
}

var _ array.RecordReader = (*filteredReader)(nil)

func (r *filteredReader) Retain() { r.refs.Add(1) }

func (r *filteredReader) Release() {
	if r.refs.Add(-1) == 0 {
		r.drop()
		r.source.Release()
	}
}

func (r *filteredReader) Schema() *arrow.Schema { return r.schema }

func (r *filteredReader) RecordBatch() arrow.RecordBatch { return r.current }

func (r *filteredReader) Record() arrow.RecordBatch { return r.current }

func (r *filteredReader) Err() error { return errors.Join(r.err, r.source.Err()) }

func (r *filteredReader) drop() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

// Next skips batches of which no row is left.
func (r *filteredReader) Next() bool {
	r.drop()
	for r.err == nil && r.source.Next() {
		batch := r.source.RecordBatch()
		batch.Retain()
		if r.filter != nil {
			kept, err := r.filter.Apply(batch)
			batch.Release()
			if err != nil {
				r.err = err
				return false
			}
			batch = kept
		}
		if batch.NumRows() > 0 {
			r.current = r.project(batch)
			batch.Release()
			return true
		}
		batch.Release()
	}
	return false
}

func (r *filteredReader) project(batch arrow.RecordBatch) arrow.RecordBatch {
	arrays := make([]arrow.Array, len(r.columns))
	for i, c := range r.columns {
		arrays[i] = batch.Column(c)
	}
	return array.NewRecordBatch(r.schema, arrays, batch.NumRows())
}
