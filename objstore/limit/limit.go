// Package limit decorates an object store with a bound on the requests that run
// at once: a store across a network refuses more, and every request to a slow
// one holds a connection and its buffers. Requests beyond the bound wait.
package limit

import (
	"context"
	"sync/atomic"

	"github.com/flightlake/flightlake/objstore"
)

// RequestsMaxDefault bounds the requests that run at once: 256 of 128 KiB over a
// network that answers in 50 ms move 640 MiB/s, and a disk has no longer queue.
const RequestsMaxDefault = 256

// Options are the settings of a Bucket.
type Options struct {
	// RequestsMax bounds the requests that run at once. Zero means RequestsMaxDefault.
	RequestsMax int
}

// Stats are the requests of one moment.
type Stats struct {
	Running int64
	Waiting int64 // for one that runs to end
}

// Bucket bounds the requests to another Bucket. It is safe for concurrent use. A
// call whose context ends while it waits is passed on at once: the store refuses
// it without a request, or discards what it was to finish.
type Bucket struct {
	inner   objstore.Bucket
	turns   chan struct{} // holds one element for each request that runs
	waiting atomic.Int64
}

var _ objstore.Bucket = (*Bucket)(nil)

// New returns a Bucket that bounds the requests to inner.
func New(inner objstore.Bucket, options Options) *Bucket {
	if options.RequestsMax == 0 {
		options.RequestsMax = RequestsMaxDefault
	}
	return &Bucket{inner: inner, turns: make(chan struct{}, options.RequestsMax)}
}

// Stats returns the requests that run and wait now.
func (b *Bucket) Stats() Stats {
	return Stats{Running: int64(len(b.turns)), Waiting: b.waiting.Load()}
}

// enter waits until the caller may make a request, or ctx ends. It returns what
// ends the request.
func (b *Bucket) enter(ctx context.Context) (leave func()) {
	select {
	case b.turns <- struct{}{}:
		return b.leave
	default:
	}
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	select {
	case b.turns <- struct{}{}:
		return b.leave
	case <-ctx.Done():
		return func() {}
	}
}

func (b *Bucket) leave() { <-b.turns }

// Create implements objstore.Bucket.
func (b *Bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	defer b.enter(ctx)()
	w, err := b.inner.Create(ctx, key)
	if err != nil {
		return nil, err
	}
	return &writer{inner: w, bucket: b}, nil
}

// Open implements objstore.Bucket.
func (b *Bucket) Open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	defer b.enter(ctx)()
	r, err := b.inner.Open(ctx, key, o)
	if err != nil {
		return nil, err
	}
	return &reader{Reader: r, bucket: b}, nil
}

// Delete implements objstore.Bucket.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	defer b.enter(ctx)()
	return b.inner.Delete(ctx, keys...)
}

// List implements objstore.Bucket. It is no request while fn runs, which may
// make requests of its own.
func (b *Bucket) List(ctx context.Context, prefix string, fn func(objstore.Object) error) error {
	leave := b.enter(ctx)
	defer func() { leave() }()
	return b.inner.List(ctx, prefix, func(o objstore.Object) error {
		leave()
		defer func() { leave = b.enter(ctx) }()
		return fn(o)
	})
}

// Capabilities implements objstore.Bucket.
func (b *Bucket) Capabilities() objstore.Capabilities { return b.inner.Capabilities() }

type writer struct {
	inner  objstore.Writer
	bucket *Bucket
}

func (w *writer) Write(ctx context.Context, p []byte) (int, error) {
	defer w.bucket.enter(ctx)()
	return w.inner.Write(ctx, p)
}

func (w *writer) Commit(ctx context.Context) error {
	defer w.bucket.enter(ctx)()
	return w.inner.Commit(ctx)
}

func (w *writer) Abort(ctx context.Context) error {
	defer w.bucket.enter(ctx)()
	return w.inner.Abort(ctx)
}

type reader struct {
	objstore.Reader
	bucket *Bucket
}

func (r *reader) ReadAt(ctx context.Context, p []byte, offset int64) (int, error) {
	defer r.bucket.enter(ctx)()
	return r.Reader.ReadAt(ctx, p, offset)
}
