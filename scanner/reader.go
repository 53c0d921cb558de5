package scanner

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Set is a running scan whose batches many consumers take, each once, in no
// particular order. It is safe for concurrent use.
type Set struct {
	pipeline *pipeline
	once     sync.Once
}

// Schema returns the schema of the batches.
func (s *Set) Schema() *arrow.Schema { return s.pipeline.schema }

// Next returns the next batch, which the caller releases; io.EOF, to every
// caller, when there are no more. After an error every call returns it. It
// waits for a batch, for ctx, or for the context that the Set was opened with.
func (s *Set) Next(ctx context.Context) (arrow.RecordBatch, error) { return s.pipeline.pop(ctx) }

// Close ends the scan, waits for its goroutines and frees what was not taken.
// Next returns io.EOF from then on. Close may be called again.
func (s *Set) Close() { s.once.Do(s.pipeline.close) }

// orderedReader makes an array.RecordReader of an ordered pipeline.
type orderedReader struct {
	pipeline *pipeline
	refs     atomic.Int64
	units    int // of the scan
	current  arrow.RecordBatch
	err      error
}

var _ array.RecordReader = (*orderedReader)(nil)

func newOrderedReader(p *pipeline) *orderedReader {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &orderedReader{pipeline: p, units: len(p.units)}
	r.refs.Store(1)
	return r
}

func (r *orderedReader) Retain() { r.refs.Add(1) }

func (r *orderedReader) Release() {
	if r.refs.Add(-1) == 0 {
		r.drop()
		r.pipeline.close()
	}
}

func (r *orderedReader) Schema() *arrow.Schema { return r.pipeline.schema }

func (r *orderedReader) Next() bool {
	r.drop()
	if r.err != nil {
		return false
	}
	// Once is enough of a wait: the pipeline ends with its own context.
	batch, err := r.pipeline.pop(r.pipeline.ctx)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			r.err = err
		}
		return false
	}
	r.current = batch
	return true
}

func (r *orderedReader) RecordBatch() arrow.RecordBatch { return r.current }

func (r *orderedReader) Record() arrow.RecordBatch { return r.current }

func (r *orderedReader) Err() error { return r.err }

func (r *orderedReader) drop() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}
