package query

import (
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
)

// Small batches cost a client more than their rows: a table of many little
// appends would come as one message each. Batches below both limits are put
// together until they reach one of them; copying so little costs little.
const (
	coalesceRowsMin  = 2048
	coalesceBytesMin = 256 << 10
)

// Renamed gives the batches of a reader another schema, whose fields have the same
// types. It takes over the reference to reader. If the types differ, reading fails.
func Renamed(reader array.RecordReader, schema *arrow.Schema) array.RecordReader {
	own := reader.Schema()
	if own.Equal(schema) {
		return reader
	}
	same := own.NumFields() == schema.NumFields()
	for i := 0; same && i < own.NumFields(); i++ {
		same = arrow.TypeEqual(own.Field(i).Type, schema.Field(i).Type)
	}
	out := stream.Over(reader)
	out.Schema = schema
	next := out.NextFunc
	out.NextFunc = func() (arrow.RecordBatch, error) {
		if !same {
			return nil, lake.Errorf(lake.KindInternal, "the rows have the columns %s where %s were expected", own, schema)
		}
		batch, err := next()
		if err != nil {
			return nil, err
		}
		defer batch.Release()
		return array.NewRecordBatch(schema, batch.Columns(), batch.NumRows()), nil
	}
	return stream.New(out)
}

// coalesced returns a reader of the same rows that puts small batches together; one
// that is large enough passes as it is. It takes over the reference to reader.
func coalesced(reader array.RecordReader, mem memory.Allocator) array.RecordReader {
	c := coalescer{nextFunc: stream.Over(reader).NextFunc, mem: mem}
	out := stream.Over(reader)
	out.NextFunc = c.next
	out.CloseFunc = func() {
		if c.ahead != nil {
			c.ahead.Release()
		}
		reader.Release()
	}
	return stream.New(out)
}

type coalescer struct {
	nextFunc func() (arrow.RecordBatch, error)
	mem      memory.Allocator
	ahead    arrow.RecordBatch // read, not handed out yet; nil if none
}

func (c *coalescer) next() (arrow.RecordBatch, error) {
	var small []arrow.RecordBatch
	defer func() {
		for i := range small {
			small[i].Release()
		}
	}()
	var rows, bytes int64
	for rows < coalesceRowsMin && bytes < coalesceBytesMin {
		if err := c.fetch(); errors.Is(err, io.EOF) && len(small) > 0 {
			break
		} else if err != nil {
			return nil, err
		}
		size := BatchBytes(c.ahead)
		if rows > 0 && (c.ahead.NumRows() >= coalesceRowsMin || size >= coalesceBytesMin) {
			break // it stays for the next call
		}
		rows, bytes = rows+c.ahead.NumRows(), bytes+size
		small, c.ahead = append(small, c.ahead), nil
	}
	if len(small) == 1 {
		batch := small[0]
		small = nil
		return batch, nil
	}
	batch, err := lake.ConcatBatches(small[0].Schema(), small, c.mem)
	return batch, lake.Wrap(lake.KindInternal, "put batches together", err)
}

// fetch reads one batch ahead.
func (c *coalescer) fetch() (err error) {
	if c.ahead == nil {
		c.ahead, err = c.nextFunc()
	}
	return err
}

// BatchBytes returns the size of the buffers that a batch refers to, of which a
// slice uses a part.
func BatchBytes(batch arrow.RecordBatch) int64 {
	var n uint64
	for _, c := range batch.Columns() {
		n += c.Data().SizeInBytes()
	}
	return int64(n)
}
