package sqlcatalog

import (
	"context"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// stream runs a query in a read-only transaction that ends when the returned
// reader is released.
func (c *Catalog) stream(ctx context.Context, op string, open func(*session) (array.RecordReader, error)) (array.RecordReader, error) {
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return nil, c.dialect.wrap(op, c.unavailable(err))
	}
	s := &session{conn: conn, dialect: &c.dialect}
	if err := s.exec(ctx, c.dialect.BeginRead); err != nil {
		_ = conn.Close()
		return nil, c.dialect.wrap(op, err)
	}
	reader, err := open(s)
	if err != nil {
		s.end(ctx)
		return nil, c.dialect.wrap(op, err)
	}
	owned := &ownedReader{source: reader, session: s, ctx: context.WithoutCancel(ctx), op: op}
	owned.refs.Store(1)
	return owned, nil
}

// end ends a read-only transaction and gives the connection back.
func (s *session) end(ctx context.Context) {
	if err := s.exec(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		s.discard()
	}
	_ = s.conn.Close()
}

// ownedReader ends the transaction of its rows when it is released.
type ownedReader struct {
	source  array.RecordReader
	session *session
	ctx     context.Context // Release has no parameter for it
	op      string
	refs    atomic.Int64
}

// Retain adds a reference.
func (r *ownedReader) Retain() { r.refs.Add(1) }

// Release drops a reference, and with the last one ends the transaction.
func (r *ownedReader) Release() {
	if r.refs.Add(-1) != 0 {
		return
	}
	r.source.Release()
	r.session.end(r.ctx)
}

func (r *ownedReader) Schema() *arrow.Schema          { return r.source.Schema() }
func (r *ownedReader) Next() bool                     { return r.source.Next() }
func (r *ownedReader) Record() arrow.RecordBatch      { return r.source.RecordBatch() }
func (r *ownedReader) RecordBatch() arrow.RecordBatch { return r.source.RecordBatch() }
func (r *ownedReader) Err() error                     { return r.session.dialect.wrap(r.op, r.source.Err()) }

// Metadata runs one SELECT over the catalog's own tables.
func (c *Catalog) Metadata(ctx context.Context, query string) (array.RecordReader, error) {
	const op = "read metadata"
	return c.stream(ctx, op, func(s *session) (array.RecordReader, error) {
		if err := s.dialect.CheckSelectFunc(ctx, s.conn, query); err != nil {
			return nil, err
		}
		reader, err := s.dialect.QueryFunc(ctx, s.conn, query)
		if err != nil && s.dialect.kind(err) == lake.KindInternal {
			err = lake.Errorf(lake.KindInvalid, "%w", err)
		}
		return reader, err
	})
}
