package flightsvc

import (
	"cmp"
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/internal/stream"
)

// newRowsReader returns a reader that runs a query once for each row of params and
// gives the results one after the other, under the schema of the first. One
// execution is open at a time, and the first is opened at once; params has at least
// one row and is retained. The caller releases the reader.
func newRowsReader(ctx context.Context, params arrow.RecordBatch, openFn func(arrow.RecordBatch) (array.RecordReader, error)) (array.RecordReader, error) {
	r := &rowsReader{params: params, openFn: openFn}
	params.Retain()
	if err := r.open(); err != nil {
		r.close()
		return nil, err
	}
	r.schema = r.current.Schema()
	return stream.New(stream.Source{
		Schema:    r.schema,
		NextFunc:  func() (arrow.RecordBatch, error) { return r.next(ctx) },
		CloseFunc: r.close,
	}), nil
}

type rowsReader struct {
	params  arrow.RecordBatch
	openFn  func(row arrow.RecordBatch) (array.RecordReader, error)
	schema  *arrow.Schema
	row     int64              // of the current execution
	current array.RecordReader // nil if it could not be opened
}

// open starts the execution of r.row.
func (r *rowsReader) open() error {
	row := r.params.NewSlice(r.row, r.row+1)
	defer row.Release()
	var err error
	r.current, err = r.openFn(row)
	return err
}

// next reads the next batch of the current execution, or of the next one.
func (r *rowsReader) next(ctx context.Context) (arrow.RecordBatch, error) {
	for !r.current.Next() {
		if err := cmp.Or(r.current.Err(), ctx.Err()); err != nil {
			return nil, err
		}
		if r.row+1 == r.params.NumRows() {
			return nil, io.EOF
		}
		r.row++
		r.current.Release()
		if err := r.open(); err != nil {
			return nil, err
		}
		if !sameTypes(r.current.Schema(), r.schema) {
			return nil, errSchemaChanged()
		}
	}
	// An expression without an alias is named after its parameters, so that names
	// differ from one execution to the next.
	rec := r.current.RecordBatch()
	return array.NewRecordBatch(r.schema, rec.Columns(), rec.NumRows()), nil
}

func (r *rowsReader) close() {
	if r.current != nil {
		r.current.Release()
	}
	r.params.Release()
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
