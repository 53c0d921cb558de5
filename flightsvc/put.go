package flightsvc

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/semaphore"

	"github.com/flightlake/flightlake/internal/ipcverify"
	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
)

// putSource is the receiving side of a DoPut, whose first message was read for
// its descriptor. Messages without an IPC message are skipped.
type putSource struct {
	ctx    context.Context // of the call; a stream of messages has no other way to be cancelled
	stream flight.DataStreamReader
	first  *flight.FlightData // not looked at yet; nil afterwards
	next   *flight.FlightData // checked and not handed out yet; nil if there is none
	bytes  int64              // bytes of the messages, after decompression
	verify *ipcverify.Verifier
	// budget is what decompressed messages of all streams may take, and held what of it
	// is taken for the one that was read last.
	budget *semaphore.Weighted
	held   int64
	fault  error // what ended the stream, other than io.EOF
}

// Limits of a stream that is put, beside the size of its messages.
const (
	// fieldsMax bounds the fields of a schema, nested ones included.
	fieldsMax = 100_000
	// dictionaryBytesMax bounds the dictionaries of a stream.
	dictionaryBytesMax = 64 << 20
)

// limitsOf returns the limits of a stream whose messages take at most bytesMax bytes after
// decompression.
func limitsOf(bytesMax int64) ipcverify.Limits {
	return ipcverify.Limits{DepthMax: lake.NestingMax, FieldsMax: fieldsMax, BytesMax: bytesMax, DictionaryBytesMax: min(bytesMax, dictionaryBytesMax)}
}

// hasData reports whether an IPC message follows; it may wait for one.
func (p *putSource) hasData() bool {
	if p.next == nil {
		p.next, _ = p.Recv()
	}
	return p.next != nil
}

// close gives back what the last message takes.
func (p *putSource) close() {
	if p.held > 0 {
		p.budget.Release(p.held)
		p.held = 0
	}
}

// check verifies a message before it is decoded, and takes what decompressing it takes from
// the budget. The batch of the message before must not be in use any more.
func (p *putSource) check(fd *flight.FlightData) error {
	p.close()
	size, err := p.verify.Message(fd.GetDataHeader(), fd.GetDataBody())
	switch {
	case errors.Is(err, ipcverify.ErrLimit):
		return lake.Errorf(lake.KindExhausted, "the Arrow stream: %w", err)
	case err != nil:
		return malformed(err)
	}
	p.bytes += max(size, int64(len(fd.GetDataBody())))
	if size > 0 {
		if err := p.budget.Acquire(p.ctx, size); err != nil {
			return err
		}
		p.held = size
	}
	return nil
}

// Recv returns the next message that holds an IPC message.
func (p *putSource) Recv() (*flight.FlightData, error) {
	if fd := p.next; fd != nil {
		p.next = nil
		return fd, nil
	}
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
		p.bytes += int64(len(fd.GetDataHeader()))
		if len(fd.GetDataHeader()) == 0 {
			continue
		}
		if err := p.check(fd); err != nil {
			p.fault = err
			return nil, err
		}
		return fd, nil
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
	if recover() != nil { // its text is Go's, and says nothing to a client
		*err = malformed(errors.New("what it holds contradicts itself"))
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
