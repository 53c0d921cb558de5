package shell

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/planner/sqltext"
)

// Unknown is a count that the server did not give.
const Unknown = -1

// Result is the outcome of a statement: rows, or a count of rows affected. The
// caller Closes it.
type Result struct {
	// Schema is that of the rows; nil if the statement returns none.
	Schema *arrow.Schema
	// Affected is the number of rows that an update changed, or Unknown.
	Affected int64
	// Total is the number of rows to come as announced, or Unknown.
	Total int64

	client    *Client
	ctx       context.Context // of the streams that Next opens, whose life is that of the Result
	cancel    context.CancelFunc
	endpoints []*flight.FlightEndpoint
	reader    *flight.Reader
	closers   []func()
}

// Start runs one statement. Rows are read by Next; cancelling ctx stops the
// statement and the reading.
//
// A statement is prepared first, because that tells queries and updates apart on
// every server. One that cannot prepare is asked by the statement's first word.
func (c *Client) Start(ctx context.Context, sql string) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &Result{Affected: Unknown, Total: Unknown, client: c, ctx: ctx, cancel: cancel}
	if err := r.start(ctx, sql); err != nil {
		r.Close()
		return nil, failure(err)
	}
	return r, nil
}

func (r *Result) start(ctx context.Context, sql string) error {
	prepared, err := r.client.sql.Prepare(ctx, sql)
	if status.Code(err) == codes.Unimplemented && !saysWhy(err) {
		return r.startDirectly(ctx, sql)
	}
	if err != nil {
		return err
	}
	r.closers = append(r.closers, func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTimeout)
		defer cancel()
		_ = prepared.Close(bye) // the server forgets the handle by itself in time
	})
	update, known := prepared.IsUpdate()
	if !known {
		update = prepared.DatasetSchema() == nil || prepared.DatasetSchema().NumFields() == 0
	}
	if update {
		r.Affected, err = prepared.ExecuteUpdate(ctx)
		return err
	}
	info, err := prepared.Execute(ctx)
	if err != nil {
		return err
	}
	return r.open(info, prepared.DatasetSchema())
}

// startDirectly runs a statement on a server that cannot prepare any.
func (r *Result) startDirectly(ctx context.Context, sql string) (err error) {
	if st, e := sqltext.Classify(sql); e == nil && st.Kind != sqltext.KindQuery &&
		st.Kind != sqltext.KindExplain && st.Kind != sqltext.KindCall {
		r.Affected, err = r.client.sql.ExecuteUpdate(ctx, sql)
		return err
	}
	info, err := r.client.sql.Execute(ctx, sql)
	if err != nil {
		return err
	}
	return r.open(info, nil)
}

// open begins to read the endpoints of info. The schema is that of info, else the
// fallback, else that of the first stream.
func (r *Result) open(info *flight.FlightInfo, fallback *arrow.Schema) error {
	r.endpoints, r.Total, r.Schema = info.Endpoint, info.TotalRecords, fallback
	if len(info.Schema) > 0 {
		schema, err := flight.DeserializeSchema(info.Schema, r.client.mem)
		if err != nil {
			return fmt.Errorf("decode the result's schema: %w", err)
		}
		r.Schema = schema
	}
	if r.Schema != nil {
		return nil
	}
	if len(r.endpoints) == 0 {
		r.Schema = arrow.NewSchema(nil, nil)
		return nil
	}
	if err := r.nextEndpoint(); err != nil {
		return err
	}
	r.Schema = r.reader.Schema()
	return nil
}

func (r *Result) nextEndpoint() error {
	endpoint := r.endpoints[0]
	r.endpoints = r.endpoints[1:]
	client, err := r.client.at(endpoint.Location)
	if err != nil {
		return err
	}
	r.reader, err = client.DoGet(r.ctx, endpoint.Ticket)
	return err
}

// Next returns the next batch of rows, which is valid until the following call,
// and io.EOF at their end.
//
// Errors: a *Failure.
func (r *Result) Next() (arrow.RecordBatch, error) {
	for {
		if r.reader != nil {
			if r.reader.Next() {
				return r.reader.RecordBatch(), nil
			}
			err := r.reader.Err()
			r.reader.Release()
			r.reader = nil
			if err != nil {
				return nil, failure(err)
			}
		}
		if err := r.ctx.Err(); err != nil {
			return nil, failure(err)
		}
		if len(r.endpoints) == 0 {
			return nil, io.EOF
		}
		if err := r.nextEndpoint(); err != nil {
			return nil, failure(err)
		}
	}
}

// Close stops the statement if it still runs, and forgets it.
func (r *Result) Close() {
	// Handles are closed first: a call cannot be made on a cancelled stream's behalf.
	for _, f := range r.closers {
		f()
	}
	r.closers = nil
	r.cancel()
	if r.reader != nil {
		r.reader.Release()
		r.reader = nil
	}
}

// Describe returns the schema of a statement's rows without running it, and nil
// for an update.
func (c *Client) Describe(ctx context.Context, sql string) (*arrow.Schema, error) {
	prepared, err := c.sql.Prepare(ctx, sql)
	if err != nil {
		return nil, failure(err)
	}
	defer func() { _ = prepared.Close(ctx) }()
	if update, known := prepared.IsUpdate(); known && update {
		return nil, nil
	}
	return prepared.DatasetSchema(), nil
}

// gather reads a whole answer of the protocol's metadata.
func (c *Client) gather(ctx context.Context, info *flight.FlightInfo, visit func(arrow.RecordBatch)) error {
	r := &Result{client: c}
	r.ctx, r.cancel = context.WithCancel(ctx)
	defer r.Close()
	if err := r.open(info, nil); err != nil {
		return failure(err)
	}
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		visit(batch)
	}
}
