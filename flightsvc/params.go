package flightsvc

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/internal/ipcverify"
	"github.com/flightlake/flightlake/lake"
)

// Limits of parameters.
const (
	// boundBytesMax is the most that a bind may hold. Bound rows travel within
	// the handle and the ticket, which clients send back in full; messages of
	// their side are limited to 16 MiB.
	boundBytesMax = 4 << 20
	// updateParamsBytesMax is the most that one prepared update may bind.
	updateParamsBytesMax = 256 << 20
)

// readParams reads all rows of a parameter stream into one batch, which the
// caller releases. It is nil when the stream has no column, or is absent.
//
// Errors: KindInvalid for a malformed stream; KindExhausted beyond bytesMax.
func readParams(ctx context.Context, src *putSource, mem memory.Allocator, bytesMax int64) (arrow.RecordBatch, error) {
	src.verify = ipcverify.New(limitsOf(bytesMax))
	if !src.hasData() {
		if errors.Is(src.fault, lake.ErrExhausted) || errors.Is(src.fault, lake.ErrInvalid) {
			return nil, src.fault
		}
		return nil, ctx.Err()
	}
	rd, err := newPutReader(ctx, src, mem)
	if err != nil {
		return nil, err
	}
	defer rd.Release()
	var batches []arrow.RecordBatch
	defer func() {
		for _, b := range batches {
			b.Release()
		}
	}()
	for rd.Next() {
		if src.bytes > bytesMax {
			return nil, lake.Errorf(lake.KindExhausted,
				"the parameters take more than %d bytes; bulk ingest has no such limit", bytesMax)
		}
		rec := rd.RecordBatch()
		rec.Retain()
		batches = append(batches, rec)
	}
	if err := rd.Err(); err != nil {
		return nil, err
	}
	if rd.Schema().NumFields() == 0 {
		return nil, nil // no parameters
	}
	return concatBatches(rd.Schema(), batches, mem)
}

// concatBatches returns one batch with the rows of all.
func concatBatches(schema *arrow.Schema, batches []arrow.RecordBatch, mem memory.Allocator) (arrow.RecordBatch, error) {
	switch len(batches) {
	case 0:
		b := array.NewRecordBuilder(mem, schema)
		defer b.Release()
		return b.NewRecordBatch(), nil
	case 1:
		batches[0].Retain()
		return batches[0], nil
	}
	rec, err := lake.ConcatBatches(schema, batches, mem)
	return rec, lake.Wrap(lake.KindInvalid, "join parameter rows", err)
}

// encodeParams returns rec as an IPC stream, nil for nil.
//
// Errors: KindExhausted beyond boundBytesMax.
func encodeParams(rec arrow.RecordBatch, mem memory.Allocator) ([]byte, error) {
	if rec == nil {
		return nil, nil
	}
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(rec.Schema()), ipc.WithAllocator(mem))
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		return nil, lake.Wrap(lake.KindInvalid, "encode parameters", err)
	}
	if buf.Len() > boundBytesMax {
		return nil, lake.Errorf(lake.KindExhausted, "the bound parameters take %d bytes; at most %d can be bound to a query",
			buf.Len(), boundBytesMax)
	}
	return buf.Bytes(), nil
}

// decodeParams reverses encodeParams. The caller releases the batch, which is
// nil for no bytes.
func decodeParams(b []byte, mem memory.Allocator) (arrow.RecordBatch, error) {
	if len(b) == 0 {
		return nil, nil // no parameters
	}
	rd, err := ipc.NewReader(bytes.NewReader(b), ipc.WithAllocator(mem))
	if err != nil {
		return nil, lake.Wrap(lake.KindInvalid, "decode parameters", err)
	}
	defer rd.Release()
	rec, err := rd.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("there is no batch")
		}
		return nil, lake.Wrap(lake.KindInvalid, "decode parameters", err)
	}
	rec.Retain()
	return rec, nil
}
