package scanner

import (
	"context"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/internal/stream"
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

// newOrderedReader makes an array.RecordReader of an ordered pipeline, which it closes.
func newOrderedReader(p *pipeline) array.RecordReader {
	p.mu.Lock()
	units := len(p.units)
	p.mu.Unlock()
	return stream.New(stream.Source{
		Schema: p.schema,
		// Once is enough of a wait: the pipeline ends with its own context.
		NextFunc:     func() (arrow.RecordBatch, error) { return p.pop(p.ctx) },
		CloseFunc:    p.close,
		ProgressFunc: func() float64 { return p.progress(units) },
	})
}

// progress returns the share of the row groups whose rows were handed out or found
// not to match, within [0, 1], of a scan that began with so many units.
func (p *pipeline) progress(units int) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := 0
	for _, u := range p.units {
		if !u.done || len(u.queue) > 0 {
			left++
		}
	}
	// A file whose row groups were not known counts as one at first.
	total := max(units, left)
	if total == 0 {
		return 1
	}
	return 1 - float64(left)/float64(total)
}
