package scanner

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/internal/stream"
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
	f := projectingFilter{schema: lake.ArrowSchema(sh.columns[:sh.projected]), mem: mem}
	if sh.residual != nil {
		if f.filter, err = expr.NewFilter(sh.residual, scan.Table.Columns); err != nil {
			r.Release()
			return nil, err
		}
	}
	for i := range sh.columns[:sh.projected] {
		for k := range scan.Table.Columns {
			if scan.Table.Columns[k].ID == sh.columns[i].ID {
				f.columns = append(f.columns, k)
			}
		}
	}
	source := stream.Over(r)
	source.Schema, source.NextFunc = f.schema, func() (arrow.RecordBatch, error) { return f.next(r) }
	return stream.New(source), nil
}

// projectingFilter filters and projects batches of all columns of a table.
type projectingFilter struct {
	schema  *arrow.Schema
	filter  *expr.Filter // nil for all rows
	columns []int        // ordinals in the table
	mem     memory.Allocator
}

// next returns what is left of the next batch of r of which a row is left.
func (f *projectingFilter) next(r array.RecordReader) (arrow.RecordBatch, error) {
	for {
		batch, err := stream.Next(r)
		if err == nil {
			batch, err = f.apply(batch)
		}
		if err != nil {
			return nil, err
		}
		if batch.NumRows() > 0 {
			return batch, nil
		}
		batch.Release()
	}
}

// apply takes over the reference of batch.
func (f *projectingFilter) apply(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	defer batch.Release()
	arrays := make([]arrow.Array, len(f.columns))
	for i, c := range f.columns {
		arrays[i] = batch.Column(c)
	}
	projected := array.NewRecordBatch(f.schema, arrays, batch.NumRows())
	if f.filter == nil {
		return projected, nil
	}
	defer projected.Release()
	rows, err := f.filter.Select(batch, nil)
	if err != nil {
		return nil, err
	}
	return expr.Take(projected, rows, f.mem)
}
