package sqlcatalog

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// batchRow reads the columns of one row of an Arrow batch by position. Text and
// bytes are copies.
type batchRow struct {
	batch arrow.RecordBatch
	row   int
	err   error
}

func (r *batchRow) null(column int) bool { return r.batch.Column(column).IsNull(r.row) }

// int64 returns an integer, and otherwise if it is NULL.
func (r *batchRow) int64(column int, otherwise int64) int64 {
	if r.null(column) {
		return otherwise
	}
	switch a := r.batch.Column(column).(type) {
	case *array.Int64:
		return a.Value(r.row)
	case *array.Int32:
		return int64(a.Value(r.row))
	default:
		r.mismatch(column, "an integer")
		return otherwise
	}
}

func (r *batchRow) bool(column int) bool {
	if r.null(column) {
		return false
	}
	if a, ok := r.batch.Column(column).(*array.Boolean); ok {
		return a.Value(r.row)
	}
	r.mismatch(column, "a boolean")
	return false
}

// text borrows the text from the batch.
func (r *batchRow) text(column int) string {
	if r.null(column) {
		return ""
	}
	if a, ok := r.batch.Column(column).(*array.String); ok {
		return a.Value(r.row)
	}
	r.mismatch(column, "text")
	return ""
}

// bytes borrows the bytes from the batch.
func (r *batchRow) bytes(column int) []byte {
	if r.null(column) {
		return nil
	}
	if a, ok := r.batch.Column(column).(*array.Binary); ok {
		return a.Value(r.row)
	}
	r.mismatch(column, "bytes")
	return nil
}

func (r *batchRow) mismatch(column int, want string) {
	if r.err == nil {
		r.err = lake.Errorf(lake.KindCorrupt, "column %s of the catalog is %s, not %s",
			r.batch.ColumnName(column), r.batch.Column(column).DataType(), want)
	}
}

// scan runs a query and calls fn for every row. What fn borrows is valid until it returns.
func (s *session) scan(ctx context.Context, query string, args []any, fn func(*batchRow) error) error {
	reader, err := s.dialect.QueryFunc(ctx, s.conn, s.dialect.rebind(query), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", firstWords(query), err)
	}
	defer reader.Release()
	for reader.Next() {
		r := batchRow{batch: reader.RecordBatch()}
		for r.row = range int(r.batch.NumRows()) {
			if err := fn(&r); err != nil {
				return err
			}
			if r.err != nil {
				return r.err
			}
		}
	}
	return reader.Err()
}
