// Package mem is the object store driver that holds objects in memory: for
// tests, and for lakes that need not outlive their process.
//
// Like the stores across a network it decides at Commit which of several
// writers of one key wins.
package mem

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// Options are the settings of a Bucket.
type Options struct {
	// BytesMax bounds the bytes of all objects, uncommitted ones included.
	// Zero means no bound.
	BytesMax int64
	// Clock tells when objects are committed. Nil means clock.System.
	Clock clock.Clock
}

// object is a committed object. Its data is never modified.
type object struct {
	data     []byte
	modified time.Time
}

// Bucket holds objects in memory. It is safe for concurrent use.
type Bucket struct {
	options Options

	// mu guards the fields below.
	mu      sync.RWMutex
	objects map[string]object
	used    int64 // bytes of objects and of open writers
}

var _ objstore.Bucket = (*Bucket)(nil)

// New returns an empty Bucket.
func New(options Options) *Bucket {
	if options.Clock == nil {
		options.Clock = clock.System{}
	}
	return &Bucket{options: options, objects: map[string]object{}}
}

// Create implements objstore.Bucket.
func (b *Bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if _, ok := b.objects[key]; ok {
		return nil, errExists(key)
	}
	return &writer{bucket: b, key: key}, nil
}

// Open implements objstore.Bucket.
func (b *Bucket) Open(ctx context.Context, key string, _ objstore.OpenOptions) (objstore.Reader, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	o, ok := b.objects[key]
	if !ok {
		return nil, lake.Errorf(lake.KindNotFound, "open object %q: no such object", key)
	}
	return &reader{key: key, data: o.data}, nil
}

// Delete implements objstore.Bucket.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	return objstore.DeleteEach(ctx, keys, func(key string) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.used -= int64(len(b.objects[key].data))
		delete(b.objects, key)
		return nil
	})
}

// List implements objstore.Bucket. It lists the objects of one moment.
func (b *Bucket) List(ctx context.Context, prefix string, fn func(objstore.Object) error) error {
	if err := objstore.ValidatePrefix(prefix); err != nil {
		return err
	}
	for _, o := range b.matching(prefix) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(o); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// matching returns the objects whose key begins with prefix, sorted.
func (b *Bucket) matching(prefix string) []objstore.Object {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var objects []objstore.Object
	for key, o := range b.objects {
		if strings.HasPrefix(key, prefix) {
			objects = append(objects, objstore.Object{Key: key, Bytes: int64(len(o.data)), Modified: o.modified})
		}
	}
	slices.SortFunc(objects, func(x, y objstore.Object) int { return strings.Compare(x.Key, y.Key) })
	return objects
}

// Bytes returns the bytes of all objects, uncommitted ones included.
func (b *Bucket) Bytes() int64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.used
}

// DeleteFunc deletes the objects for whose keys gone is true, at once.
func (b *Bucket) DeleteFunc(gone func(key string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, o := range b.objects {
		if gone(key) {
			b.used -= int64(len(o.data))
			delete(b.objects, key)
		}
	}
}

// Capabilities implements objstore.Bucket.
func (b *Bucket) Capabilities() objstore.Capabilities { return objstore.Capabilities{} }

// reserve accounts for n more bytes. It returns KindExhausted if they do not fit.
func (b *Bucket) reserve(key string, n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if limit := b.options.BytesMax; limit > 0 && n > limit-b.used {
		return lake.Errorf(lake.KindExhausted, "write object %q: the store's %d bytes are in use", key, limit)
	}
	b.used += n
	return nil
}

// release undoes reserve.
func (b *Bucket) release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}

// commit makes data the object of key. It returns KindExists if there is one.
func (b *Bucket) commit(key string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.objects[key]; ok {
		return errExists(key)
	}
	b.objects[key] = object{data: data, modified: b.options.Clock.Now()}
	return nil
}

func errExists(key string) error {
	return lake.Errorf(lake.KindExists, "create object %q: it exists", key)
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return objstore.ValidateKey(key)
}

// writer is one object being written.
type writer struct {
	bucket   *Bucket
	key      string
	data     []byte
	err      error // of the first failed Write
	finished bool
}

func (w *writer) Write(ctx context.Context, p []byte) (int, error) {
	if w.finished {
		return 0, errFinished(w.key)
	}
	if w.err == nil {
		w.err = ctx.Err()
	}
	if w.err != nil {
		return 0, w.err
	}
	if err := w.bucket.reserve(w.key, int64(len(p))); err != nil {
		w.err = err
		return 0, err
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

func (w *writer) Commit(ctx context.Context) error {
	if w.finished {
		return errFinished(w.key)
	}
	err := w.err
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = w.bucket.commit(w.key, w.data)
	}
	if err != nil {
		w.discard()
		return err
	}
	w.finished, w.data = true, nil
	return nil
}

func (w *writer) Abort(context.Context) error {
	if !w.finished {
		w.discard()
	}
	return nil
}

func (w *writer) discard() {
	w.bucket.release(int64(len(w.data)))
	w.finished, w.data = true, nil
}

func errFinished(key string) error {
	return lake.Errorf(lake.KindState, "write object %q: it was committed or aborted", key)
}

// reader reads the bytes of one object, which outlive its deletion.
type reader struct {
	key    string
	data   []byte
	closed atomic.Bool
}

func (r *reader) ReadAt(ctx context.Context, p []byte, offset int64) (int, error) {
	switch err := ctx.Err(); {
	case err != nil:
		return 0, err
	case r.closed.Load():
		return 0, lake.Errorf(lake.KindState, "read object %q: its reader is closed", r.key)
	case offset < 0:
		return 0, lake.Errorf(lake.KindInvalid, "read object %q: offset %d is negative", r.key, offset)
	case len(p) == 0:
		return 0, nil
	case offset >= int64(len(r.data)):
		return 0, io.EOF
	}
	n := copy(p, r.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *reader) Size() int64 { return int64(len(r.data)) }

func (r *reader) Close() error {
	r.closed.Store(true)
	return nil
}
