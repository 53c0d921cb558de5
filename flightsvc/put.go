package flightsvc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
)

// putSource is the receiving side of a DoPut, whose first message was read for
// its descriptor. Messages without an IPC message are skipped.
type putSource struct {
	stream flight.DataStreamReader
	first  *flight.FlightData // not handed out yet; nil afterwards
	bytes  int64              // bytes received
	fault  error              // what ended the stream, other than io.EOF
}

// hasData reports whether an IPC message follows; it may wait for one.
func (p *putSource) hasData() bool {
	if p.first == nil {
		p.first, _ = p.Recv()
	}
	return p.first != nil
}

// Recv returns the next message that holds an IPC message.
func (p *putSource) Recv() (*flight.FlightData, error) {
	for {
		fd := p.first
		p.first = nil
		if fd == nil {
			var err error
			if fd, err = p.stream.Recv(); err != nil {
				if !errors.Is(err, io.EOF) {
					p.fault = err
				}
				return nil, err
			}
		}
		p.bytes += int64(len(fd.GetDataBody()) + len(fd.GetDataHeader()))
		if len(fd.GetDataHeader()) > 0 {
			return fd, nil
		}
	}
}

// putReader reads the batches of a DoPut. It trusts nothing: what arrow-go
// panics on, and offsets that point nowhere, end it with an error.
type putReader struct {
	refs atomic.Int64
	ctx  context.Context //nolint:containedctx // a RecordReader has no other way
	src  *putSource
	rd   *flight.Reader
	err  error
	done bool
}

var _ array.RecordReader = (*putReader)(nil)

// newPutReader reads the schema of the stream. The caller releases the reader.
//
// Errors: KindInvalid if there is no schema or it is malformed.
func newPutReader(ctx context.Context, src *putSource, mem memory.Allocator) (r *putReader, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, malformed(fmt.Errorf("%v", p))
		}
	}()
	rd, err := flight.NewRecordReader(src, ipc.WithAllocator(mem))
	if err != nil {
		return nil, readError(ctx, src, err)
	}
	r = &putReader{ctx: ctx, src: src, rd: rd}
	r.refs.Store(1)
	return r, nil
}

// Retain adds a reference.
func (r *putReader) Retain() { r.refs.Add(1) }

// Release gives a reference back.
func (r *putReader) Release() {
	if r.refs.Add(-1) == 0 {
		r.rd.Release()
	}
}

// Schema returns the schema of the stream.
func (r *putReader) Schema() *arrow.Schema { return r.rd.Schema() }

// RecordBatch returns the current batch; it is valid until Next.
func (r *putReader) RecordBatch() arrow.RecordBatch { return r.rd.RecordBatch() }

// Record is the old name of RecordBatch.
func (r *putReader) Record() arrow.RecordBatch { return r.rd.RecordBatch() }

// Err returns what ended the stream early.
//
// Errors: KindInvalid for malformed data; the context's error if the client went away.
func (r *putReader) Err() error { return r.err }

// Next reads the next batch.
func (r *putReader) Next() (ok bool) {
	if r.done {
		return false
	}
	defer func() {
		if p := recover(); p != nil {
			r.err = malformed(fmt.Errorf("%v", p))
		}
		if r.err != nil {
			ok = false
		}
		r.done = !ok
	}()
	if !r.rd.Next() {
		if err := r.rd.Err(); err != nil || r.src.fault != nil {
			r.err = readError(r.ctx, r.src, err)
		}
		return false
	}
	if err := validate(r.rd.RecordBatch()); err != nil {
		r.err = malformed(err)
	}
	return true
}

// readError says why a stream could not be read: the client went away, or sent
// something malformed.
func readError(ctx context.Context, src *putSource, err error) error {
	if src.fault != nil {
		if cerr := ctx.Err(); cerr != nil {
			return cerr
		}
		return src.fault
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it ends before its schema")
	}
	return malformed(err)
}

func malformed(err error) error {
	return lake.Errorf(lake.KindInvalid, "the Arrow stream is malformed: %w", err)
}
