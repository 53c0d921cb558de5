// Package stream makes array.RecordReaders of functions: one that returns the next
// batch, and one that frees what it reads from. It is the one place that counts the
// references of a reader, keeps its current batch and remembers its error.
//
// What a reader does with its rows is said by the function that it was made of, in
// the package that knows: renaming columns, counting rows, waiting for a client.
package stream

import (
	"io"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// Source is what a Reader reads.
type Source struct {
	Schema *arrow.Schema
	// NextFunc returns the next batch, whose reference is the Reader's, and io.EOF
	// itself after the last: an error that wraps it is one, such as that of a connection
	// which ended too early. It is not called again after an error.
	NextFunc func() (arrow.RecordBatch, error)
	// CloseFunc frees what the source holds; nil means nothing. It is called once, with
	// the last reference to the Reader.
	CloseFunc func()
	// ProgressFunc returns the share of the rows that was read, within [0, 1], or
	// lake.Unknown; nil means that it is never known. It is safe for concurrent use.
	ProgressFunc func() float64
}

// Reader is an array.RecordReader over a Source. Like those it is used by one
// goroutine at a time, but for Retain, Release and Progress.
type Reader struct {
	source     Source
	references atomic.Int64
	current    arrow.RecordBatch // nil before the first and after the last
	err        error             // io.EOF at the end
}

var _ array.RecordReader = (*Reader)(nil)

// New returns a Reader with one reference, which is the caller's.
func New(s Source) *Reader {
	r := &Reader{source: s}
	r.references.Store(1)
	return r
}

// Schema implements array.RecordReader.
func (r *Reader) Schema() *arrow.Schema { return r.source.Schema }

// RecordBatch implements array.RecordReader: the batch is the Reader's until Next.
func (r *Reader) RecordBatch() arrow.RecordBatch { return r.current }

// Record implements array.RecordReader.
func (r *Reader) Record() arrow.RecordBatch { return r.current }

// Next implements array.RecordReader.
func (r *Reader) Next() bool {
	r.drop()
	if r.err == nil {
		r.current, r.err = r.source.NextFunc()
	}
	return r.err == nil
}

// Err implements array.RecordReader.
func (r *Reader) Err() error {
	if r.err == io.EOF { //nolint:errorlint // what wraps io.EOF is no end: see Source
		return nil
	}
	return r.err
}

// Progress returns the share of the rows that was read, within [0, 1], or
// lake.Unknown.
func (r *Reader) Progress() float64 {
	if r.source.ProgressFunc == nil {
		return float64(lake.Unknown)
	}
	return r.source.ProgressFunc()
}

// Retain implements array.RecordReader.
func (r *Reader) Retain() { r.references.Add(1) }

// Release implements array.RecordReader.
func (r *Reader) Release() {
	if r.references.Add(-1) != 0 {
		return
	}
	r.drop()
	r.err = io.EOF
	if r.source.CloseFunc != nil {
		r.source.CloseFunc()
	}
}

func (r *Reader) drop() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

// Next returns the next batch of a reader, with a reference that is the caller's,
// and io.EOF after the last.
func Next(r array.RecordReader) (arrow.RecordBatch, error) {
	if r.Next() {
		batch := r.RecordBatch()
		batch.Retain()
		return batch, nil
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return nil, io.EOF
}

// Over returns the Source of what another reader reads. It takes over the caller's
// reference, which its CloseFunc releases.
func Over(r array.RecordReader) Source {
	return Source{
		Schema:       r.Schema(),
		NextFunc:     func() (arrow.RecordBatch, error) { return Next(r) },
		CloseFunc:    r.Release,
		ProgressFunc: ProgressFunc(r),
	}
}

// Borrowed is Over without the reference, which stays the caller's.
func Borrowed(r array.RecordReader) Source {
	s := Over(r)
	s.CloseFunc = nil
	return s
}

// ProgressFunc returns the function that reports the progress of a reader; nil if it
// has none.
func ProgressFunc(r array.RecordReader) func() float64 {
	if p, ok := r.(interface{ Progress() float64 }); ok {
		return p.Progress
	}
	return nil
}

// OneBatch returns a reader of one batch, whose reference it takes over.
func OneBatch(batch arrow.RecordBatch) *Reader {
	return New(Source{
		Schema: batch.Schema(),
		NextFunc: func() (arrow.RecordBatch, error) {
			if batch == nil {
				return nil, io.EOF
			}
			b := batch
			batch = nil
			return b, nil
		},
		CloseFunc: func() {
			if batch != nil {
				batch.Release()
				batch = nil
			}
		},
	})
}
