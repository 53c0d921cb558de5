package flightsvc

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
)

// batchBytesMax is the largest body of one message. Go clients refuse messages
// beyond 4 MiB unless told otherwise, ADBC beyond 16 MiB; the rest is for the
// header, which takes 48 bytes for each column or so.
const batchBytesMax = 4<<20 - 256<<10

// dataStream is the sending side of a DoGet.
type dataStream interface {
	flight.DataStreamWriter
	SendMsg(m any) error
	Context() context.Context
}

// sendRows sends the schema and then the batches of rows, which it does not
// release. It returns as soon as the client goes away.
func sendRows(stream dataStream, schema *arrow.Schema, rows array.RecordReader, mem memory.Allocator) error {
	w := newBatchWriter(stream, schema, mem)
	if err := w.start(); err != nil {
		return err
	}
	for rows.Next() {
		if err := w.write(rows.RecordBatch()); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := stream.Context().Err(); err != nil {
		return err
	}
	return w.close()
}

// batchWriter writes one Flight stream. It is not safe for concurrent use.
type batchWriter struct {
	stream dataStream
	schema *arrow.Schema
	mem    memory.Allocator
	msg    outgoing
	// plain writes schemas with dictionaries, which need messages of their own;
	// nil for all others.
	plain *flight.Writer
}

func newBatchWriter(stream dataStream, schema *arrow.Schema, mem memory.Allocator) *batchWriter {
	w := &batchWriter{stream: stream, schema: schema, mem: mem}
	if hasDictionary(schema.Fields()) {
		w.plain = flight.NewRecordWriter(stream, ipc.WithSchema(schema), ipc.WithAllocator(mem))
	}
	return w
}

// start sends the schema, so that the client can begin before the first rows.
func (w *batchWriter) start() error {
	if w.plain != nil {
		return nil // flight.Writer sends it with the first batch, or when closed
	}
	payload := ipc.GetSchemaPayload(w.schema, w.mem)
	defer payload.Release()
	if err := w.msg.load(&payload); err != nil {
		return err
	}
	return w.stream.SendMsg(&w.msg)
}

// write sends rec, in parts if it is large.
func (w *batchWriter) write(rec arrow.RecordBatch) error {
	if int(rec.NumCols()) != w.schema.NumFields() {
		return lake.Errorf(lake.KindInternal, "a batch has %d columns, its stream %d", rec.NumCols(), w.schema.NumFields())
	}
	if w.plain != nil {
		return w.writePlain(rec)
	}
	payload, err := ipc.GetRecordBatchPayload(rec, ipc.WithAllocator(w.mem))
	if err != nil {
		return lake.Wrap(lake.KindInternal, "encode record batch", err)
	}
	defer payload.Release()
	if err := w.msg.load(&payload); err != nil {
		return err
	}
	if w.msg.size > batchBytesMax && rec.NumRows() > 1 {
		return w.writeParts(rec, w.msg.size)
	}
	return w.stream.SendMsg(&w.msg)
}

// writeParts sends rec, which takes size bytes, in slices of equal row counts.
// A slice that is still too large is sliced again by write.
func (w *batchWriter) writeParts(rec arrow.RecordBatch, size int) error {
	parts := int64(size/batchBytesMax + 1)
	rows := max((rec.NumRows()+parts-1)/parts, 1)
	for from := int64(0); from < rec.NumRows(); from += rows {
		part := rec.NewSlice(from, min(from+rows, rec.NumRows()))
		err := w.write(part)
		part.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *batchWriter) writePlain(rec arrow.RecordBatch) error {
	same := array.NewRecordBatch(w.schema, rec.Columns(), rec.NumRows()) // its fields may lack the metadata
	defer same.Release()
	return w.plain.Write(same)
}

// close ends the stream. Without dictionaries there is nothing to send.
func (w *batchWriter) close() error {
	if w.plain == nil {
		return nil
	}
	return w.plain.Close()
}

func hasDictionary(fields []arrow.Field) bool {
	for _, f := range fields {
		t := f.Type
		if ext, ok := t.(arrow.ExtensionType); ok {
			t = ext.StorageType()
		}
		if t.ID() == arrow.DICTIONARY {
			return true
		}
		if nested, ok := t.(arrow.NestedType); ok && hasDictionary(nested.Fields()) {
			return true
		}
	}
	return false
}

// oneBatch returns a reader of a single batch, of which it takes the reference.
func oneBatch(rec arrow.RecordBatch) (array.RecordReader, error) {
	defer rec.Release()
	return array.NewRecordReader(rec.Schema(), []arrow.RecordBatch{rec})
}

// chunks streams a single batch, of which it takes the reference, to the loop of
// arrow-go that serves metadata.
func chunks(rec arrow.RecordBatch) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	ch := make(chan flight.StreamChunk, 1)
	ch <- flight.StreamChunk{Data: rec}
	close(ch)
	return rec.Schema(), ch, nil
}
