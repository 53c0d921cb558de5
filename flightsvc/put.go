package flightsvc

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/internal/stream"
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

// newPutReader reads the schema of a DoPut and returns a reader of its batches, which
// the caller releases. It trusts nothing: what arrow-go panics on, and offsets that
// point nowhere, end it with an error.
//
// Errors, also of the reader: KindInvalid for malformed data, or none; the context's
// error if the client went away.
func newPutReader(ctx context.Context, src *putSource, mem memory.Allocator) (r array.RecordReader, err error) {
	defer recoverMalformed(&err)
	rd, err := flight.NewRecordReader(src, ipc.WithAllocator(mem))
	if err != nil {
		return nil, readError(ctx, src, err)
	}
	source := stream.Over(rd)
	source.NextFunc = func() (arrow.RecordBatch, error) { return nextPut(ctx, src, rd) }
	return stream.New(source), nil
}

// nextPut reads the next batch of rd, which reads src.
func nextPut(ctx context.Context, src *putSource, rd *flight.Reader) (batch arrow.RecordBatch, err error) {
	defer recoverMalformed(&err)
	if !rd.Next() {
		if err := rd.Err(); err != nil || src.fault != nil {
			return nil, readError(ctx, src, err)
		}
		return nil, io.EOF
	}
	if err := validate(rd.RecordBatch()); err != nil {
		return nil, malformed(err)
	}
	batch = rd.RecordBatch()
	batch.Retain()
	return batch, nil
}

// recoverMalformed turns a panic of arrow-go into an error.
func recoverMalformed(err *error) {
	if p := recover(); p != nil {
		*err = malformed(fmt.Errorf("%v", p))
	}
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
