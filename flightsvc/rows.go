package flightsvc

import (
	"context"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// rowsReader runs a query once for each row of its parameters and returns the
// results one after the other. One execution is open at a time.
type rowsReader struct {
	refs    atomic.Int64
	ctx     context.Context //nolint:containedctx // a RecordReader has no other way
	params  arrow.RecordBatch
	openFn  func(row arrow.RecordBatch) (array.RecordReader, error)
	schema  *arrow.Schema
	row     int64 // of the current execution
	current array.RecordReader
	batch   arrow.RecordBatch // of current, under schema
	err     error
}

var _ array.RecordReader = (*rowsReader)(nil)

// newRowsReader starts the first of the executions, of which there is at least
// one. The caller releases the reader; params is retained.
func newRowsReader(ctx context.Context, params arrow.RecordBatch, openFn func(arrow.RecordBatch) (array.RecordReader, error)) (*rowsReader, error) {
	r := &rowsReader{ctx: ctx, params: params, openFn: openFn}
	r.refs.Store(1)
	params.Retain()
	if err := r.start(); err != nil {
		r.Release()
		return nil, err
	}
	r.schema = r.current.Schema()
	return r, nil
}

// start opens the execution of r.row.
func (r *rowsReader) start() error {
	row := r.params.NewSlice(r.row, r.row+1)
	defer row.Release()
	rd, err := r.openFn(row)
	if err != nil {
		return err
	}
	r.current = rd
	return nil
}

// Next reads the next batch of the current execution, or of the next one.
func (r *rowsReader) Next() bool {
	for r.err == nil && r.current != nil {
		if r.current.Next() {
			r.take(r.current.RecordBatch())
			return true
		}
		if r.err = r.current.Err(); r.err != nil {
			break
		}
		if r.err = r.ctx.Err(); r.err != nil || r.row+1 == r.params.NumRows() {
			break
		}
		r.row++
		r.current.Release()
		r.current = nil
		if r.err = r.start(); r.err != nil {
			break
		}
		if !sameTypes(r.current.Schema(), r.schema) {
			r.err = errSchemaChanged()
		}
	}
	return false
}

// take makes rec the current batch. An expression without an alias is named
// after its parameters, so that names differ from one execution to the next.
func (r *rowsReader) take(rec arrow.RecordBatch) {
	r.drop()
	r.batch = array.NewRecordBatch(r.schema, rec.Columns(), rec.NumRows())
}

func (r *rowsReader) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

// sameTypes compares the columns of two schemas by type alone.
func sameTypes(a, b *arrow.Schema) bool {
	if a.NumFields() != b.NumFields() {
		return false
	}
	for i := range a.NumFields() {
		if !arrow.TypeEqual(a.Field(i).Type, b.Field(i).Type) {
			return false
		}
	}
	return true
}

// Retain adds a reference.
func (r *rowsReader) Retain() { r.refs.Add(1) }

// Release gives a reference back.
func (r *rowsReader) Release() {
	if r.refs.Add(-1) != 0 {
		return
	}
	r.drop()
	if r.current != nil {
		r.current.Release()
	}
	r.params.Release()
}

// Schema returns the schema of every execution.
func (r *rowsReader) Schema() *arrow.Schema { return r.schema }

// RecordBatch returns the current batch; it is valid until Next.
func (r *rowsReader) RecordBatch() arrow.RecordBatch { return r.batch }

// Record is the old name of RecordBatch.
func (r *rowsReader) Record() arrow.RecordBatch { return r.batch }

// Err returns what ended the executions early.
func (r *rowsReader) Err() error { return r.err }
