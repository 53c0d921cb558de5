package session

import (
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
)

// Small batches cost a client more than their rows: a table of many little
// appends would come as one message each. Batches below both limits are put
// together until they reach one of them; copying so little costs little.
const (
	coalesceRowsMin  = 2048
	coalesceBytesMin = 256 << 10
)

// coalescedReader puts small batches of a reader together. A batch that is
// large enough passes as it is.
type coalescedReader struct {
	array.RecordReader
	mem        memory.Allocator
	references atomic.Int64
	current    arrow.RecordBatch
	next       arrow.RecordBatch // read ahead, not handed out yet; nil if none
	err        error
}

// coalesced takes over the caller's reference to reader.
func coalesced(reader array.RecordReader, mem memory.Allocator) array.RecordReader {
	r := &coalescedReader{RecordReader: reader, mem: mem}
	r.references.Store(1)
	return r
}

var _ array.RecordReader = (*coalescedReader)(nil)

// Err implements array.RecordReader.
func (r *coalescedReader) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.RecordReader.Err()
}

// RecordBatch implements array.RecordReader.
func (r *coalescedReader) RecordBatch() arrow.RecordBatch { return r.current }

// Record implements array.RecordReader.
func (r *coalescedReader) Record() arrow.RecordBatch { return r.current }

// Retain implements array.RecordReader.
func (r *coalescedReader) Retain() { r.references.Add(1) }

// Release implements array.RecordReader.
func (r *coalescedReader) Release() {
	if r.references.Add(-1) == 0 {
		release(&r.current)
		release(&r.next)
		r.RecordReader.Release()
	}
}

// Next implements array.RecordReader.
func (r *coalescedReader) Next() bool {
	release(&r.current)
	if r.err != nil {
		return false
	}
	var small []arrow.RecordBatch
	defer func() {
		for i := range small {
			small[i].Release()
		}
	}()
	var rows, bytes int64
	for rows < coalesceRowsMin && bytes < coalesceBytesMin && r.fetch() {
		size := batchBytes(r.next)
		if rows > 0 && (r.next.NumRows() >= coalesceRowsMin || size >= coalesceBytesMin) {
			break // it stays for the next call
		}
		rows, bytes = rows+r.next.NumRows(), bytes+size
		small, r.next = append(small, r.next), nil
	}
	if len(small) == 0 || r.Err() != nil {
		return false
	}
	if len(small) == 1 {
		r.current, small = small[0], nil
		return true
	}
	batch, err := lake.ConcatBatches(small[0].Schema(), small, r.mem)
	if err != nil {
		r.err = lake.Wrap(lake.KindInternal, "put batches together", err)
		return false
	}
	r.current = batch
	return true
}

// fetch reads one batch ahead and reports whether there is one.
func (r *coalescedReader) fetch() bool {
	if r.next == nil && r.RecordReader.Next() {
		r.next = r.RecordReader.RecordBatch()
		r.next.Retain()
	}
	return r.next != nil
}

// batchBytes returns the size of the buffers that a batch refers to, of which a
// slice uses a part.
func batchBytes(batch arrow.RecordBatch) int64 {
	var n uint64
	for _, c := range batch.Columns() {
		n += c.Data().SizeInBytes()
	}
	return int64(n)
}

// release gives a batch back and forgets it.
func release(batch *arrow.RecordBatch) {
	if *batch != nil {
		(*batch).Release()
		*batch = nil
	}
}
