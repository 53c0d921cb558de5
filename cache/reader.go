package cache

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// errStale says that a Reader was opened before a delete and must not fill the cache.
var errStale = errors.New("opened before a delete")

// reader reads one object, its end from the cache.
type reader struct {
	bucket *Bucket
	key    string
	size   int64
	epoch  uint64 // of the key, before the object was opened

	tail   atomic.Pointer[tail] // nil until it is needed
	footer atomic.Pointer[tail] // nil unless a read asked for it
	closed atomic.Bool

	mu    sync.Mutex      // guards inner
	inner objstore.Reader // nil until it is needed
}

// Size implements objstore.Reader.
func (r *reader) Size() int64 { return r.size }

// Close implements objstore.Reader.
func (r *reader) Close() error {
	r.closed.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inner == nil {
		return nil
	}
	return r.inner.Close()
}

// ReadAt implements objstore.Reader.
func (r *reader) ReadAt(ctx context.Context, p []byte, offset int64) (int, error) {
	switch err := ctx.Err(); {
	case err != nil:
		return 0, err
	case r.closed.Load():
		return 0, errClosed(r.key)
	case offset < 0:
		return 0, lake.Errorf(lake.KindInvalid, "read object %q: offset %d is negative", r.key, offset)
	case len(p) == 0:
		return 0, nil
	case offset >= r.size:
		return 0, io.EOF
	}
	t, err := r.cached(ctx, offset, offset+int64(len(p)))
	if err != nil {
		return 0, err
	}
	if t == nil {
		inner, err := r.open(ctx)
		if err != nil {
			return 0, err
		}
		return inner.ReadAt(ctx, p, offset)
	}
	n := copy(p, t.data[offset-t.offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// cached returns bytes from the cache that hold [offset, end) as far as the
// object does, loading them if they belong there, or nil if they do not.
func (r *reader) cached(ctx context.Context, offset, end int64) (*tail, error) {
	tailOffset := max(r.size-r.bucket.tailBytes, 0)
	switch {
	case offset >= tailOffset:
		return r.load(ctx, &r.tail, false, tailOffset)
	case end >= r.size-trailerBytes && r.size-offset <= FooterBytesMax:
		return r.load(ctx, &r.footer, true, offset)
	}
	return nil, nil
}

// load returns the end of the object from offset on, or nil if what is cached
// begins later. It keeps the end in slot for as long as the Reader lives.
func (r *reader) load(ctx context.Context, slot *atomic.Pointer[tail], footer bool, offset int64) (*tail, error) {
	t := slot.Load()
	if t == nil {
		var err error
		if t, err = r.fetch(ctx, footer, offset); err != nil {
			return nil, err
		}
		slot.Store(t)
	}
	if t.offset > offset {
		return nil, nil
	}
	return t, nil
}

// fetch gets the end of the object through the cache, or past it if the Reader
// is stale.
func (r *reader) fetch(ctx context.Context, footer bool, offset int64) (*tail, error) {
	key := tailKey{object: r.key, footer: footer}
	t, err := r.bucket.tails.Get(ctx, key, func(ctx context.Context) (*tail, error) {
		// A delete that comes after this line finds the load and forgets it.
		if r.stale() {
			return nil, errStale
		}
		return r.read(ctx, offset)
	})
	if errors.Is(err, errStale) || err == nil && (r.stale() || t.size != r.size) {
		return r.read(ctx, offset)
	}
	return t, err
}

// stale reports whether a delete moved the epoch of the key since the Reader
// was opened. Deletes remove the object, then move the epoch, then drop the
// cached end: an end is either cached before it is dropped or by a Reader that
// sees the epoch moved.
func (r *reader) stale() bool {
	return r.bucket.epoch(r.key).Load() != r.epoch
}

// read reads the end of the object from offset on.
func (r *reader) read(ctx context.Context, offset int64) (*tail, error) {
	inner, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	t := &tail{size: r.size, offset: offset, data: make([]byte, r.size-offset)}
	n, err := inner.ReadAt(ctx, t.data, offset)
	if n == len(t.data) {
		return t, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return nil, lake.Errorf(lake.KindCorrupt, "read object %q: %d bytes at %d are missing of %d",
			r.key, len(t.data)-n, offset+int64(n), r.size)
	}
	return nil, err
}

// open returns the Reader of the store.
func (r *reader) open(ctx context.Context) (objstore.Reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed.Load():
		return nil, errClosed(r.key)
	case r.inner != nil:
		return r.inner, nil
	}
	inner, err := r.bucket.inner.Open(ctx, r.key, objstore.OpenOptions{Bytes: r.size})
	if err != nil {
		return nil, err
	}
	if inner.Size() != r.size {
		err := lake.Errorf(lake.KindCorrupt, "open object %q: it has %d bytes and had %d", r.key, inner.Size(), r.size)
		return nil, errors.Join(err, inner.Close())
	}
	r.inner = inner
	return inner, nil
}

func errClosed(key string) error {
	return lake.Errorf(lake.KindState, "read object %q: its reader is closed", key)
}
