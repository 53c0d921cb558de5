// Package meter decorates an object store with counters of its requests and
// bytes. Tests use them to prove what was not read; the server exports them
// as metrics.
//
// What reaches a file by Capabilities.LocalPathFunc is not counted.
package meter

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/flightlake/flightlake/objstore"
)

// Stats are the requests since the Bucket was made. Each is counted when it
// ends, so that one that is under way is in none of the fields.
type Stats struct {
	Create, Write, Commit, Abort, Open, ReadAt, Delete, List Requests

	BytesWritten  int64 // taken by Write, committed or not
	BytesRead     int64 // returned by ReadAt
	ObjectsListed int64
}

// Requests counts the calls of one operation.
type Requests struct {
	Calls  int64
	Errors int64 // calls that returned an error; io.EOF of ReadAt is none
}

// Sub returns what happened between the earlier Stats and s.
func (s Stats) Sub(earlier Stats) Stats {
	return Stats{
		Create:        s.Create.sub(earlier.Create),
		Write:         s.Write.sub(earlier.Write),
		Commit:        s.Commit.sub(earlier.Commit),
		Abort:         s.Abort.sub(earlier.Abort),
		Open:          s.Open.sub(earlier.Open),
		ReadAt:        s.ReadAt.sub(earlier.ReadAt),
		Delete:        s.Delete.sub(earlier.Delete),
		List:          s.List.sub(earlier.List),
		BytesWritten:  s.BytesWritten - earlier.BytesWritten,
		BytesRead:     s.BytesRead - earlier.BytesRead,
		ObjectsListed: s.ObjectsListed - earlier.ObjectsListed,
	}
}

func (r Requests) sub(earlier Requests) Requests {
	return Requests{Calls: r.Calls - earlier.Calls, Errors: r.Errors - earlier.Errors}
}

// Bucket counts the requests to another Bucket. It is safe for concurrent use.
type Bucket struct {
	inner objstore.Bucket

	create, write, commit, abort, open, readAt, remove, list counter
	bytesWritten, bytesRead, objectsListed                   atomic.Int64
}

var _ objstore.Bucket = (*Bucket)(nil)

// New returns a Bucket that counts the requests to inner.
func New(inner objstore.Bucket) *Bucket { return &Bucket{inner: inner} }

// Snapshot returns the counters. Each is exact, but requests that run
// meanwhile may be in some of them and not in others.
func (b *Bucket) Snapshot() Stats {
	return Stats{
		Create:        b.create.requests(),
		Write:         b.write.requests(),
		Commit:        b.commit.requests(),
		Abort:         b.abort.requests(),
		Open:          b.open.requests(),
		ReadAt:        b.readAt.requests(),
		Delete:        b.remove.requests(),
		List:          b.list.requests(),
		BytesWritten:  b.bytesWritten.Load(),
		BytesRead:     b.bytesRead.Load(),
		ObjectsListed: b.objectsListed.Load(),
	}
}

// Create implements objstore.Bucket.
func (b *Bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	w, err := b.inner.Create(ctx, key)
	b.create.count(err)
	if err != nil {
		return nil, err
	}
	return &writer{inner: w, bucket: b}, nil
}

// Open implements objstore.Bucket.
func (b *Bucket) Open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	r, err := b.inner.Open(ctx, key, o)
	b.open.count(err)
	if err != nil {
		return nil, err
	}
	return &reader{Reader: r, bucket: b}, nil
}

// Delete implements objstore.Bucket.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	err := b.inner.Delete(ctx, keys...)
	b.remove.count(err)
	return err
}

// List implements objstore.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string, fn func(objstore.Object) error) error {
	err := b.inner.List(ctx, prefix, func(o objstore.Object) error {
		b.objectsListed.Add(1)
		return fn(o)
	})
	b.list.count(err)
	return err
}

// Capabilities implements objstore.Bucket.
func (b *Bucket) Capabilities() objstore.Capabilities { return b.inner.Capabilities() }

type writer struct {
	inner  objstore.Writer
	bucket *Bucket
}

func (w *writer) Write(ctx context.Context, p []byte) (int, error) {
	n, err := w.inner.Write(ctx, p)
	w.bucket.write.count(err)
	w.bucket.bytesWritten.Add(int64(n))
	return n, err
}

func (w *writer) Commit(ctx context.Context) error {
	err := w.inner.Commit(ctx)
	w.bucket.commit.count(err)
	return err
}

func (w *writer) Abort(ctx context.Context) error {
	err := w.inner.Abort(ctx)
	w.bucket.abort.count(err)
	return err
}

type reader struct {
	objstore.Reader
	bucket *Bucket
}

func (r *reader) ReadAt(ctx context.Context, p []byte, offset int64) (int, error) {
	n, err := r.Reader.ReadAt(ctx, p, offset)
	if errors.Is(err, io.EOF) {
		r.bucket.readAt.count(nil)
	} else {
		r.bucket.readAt.count(err)
	}
	r.bucket.bytesRead.Add(int64(n))
	return n, err
}

// counter is Requests under construction.
type counter struct{ calls, errors atomic.Int64 }

func (c *counter) count(err error) {
	c.calls.Add(1)
	if err != nil {
		c.errors.Add(1)
	}
}

func (c *counter) requests() Requests {
	return Requests{Calls: c.calls.Load(), Errors: c.errors.Load()}
}
