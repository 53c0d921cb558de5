package fault

import (
	"context"
	"slices"
	"sync"
	"syscall"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// CallsMaxDefault bounds the recorded calls: 65,536 of them are 4 MB.
const CallsMaxDefault = 1 << 16

// Options are the settings of a Bucket.
type Options struct {
	// BytesMax is the size of the disk: a Write that goes beyond it writes what
	// fits and fails with KindExhausted. Aborts and deletes free nothing. Zero
	// means no bound.
	BytesMax int64
	// CallsMax bounds the recorded calls; later ones are not recorded. Zero
	// means CallsMaxDefault.
	CallsMax int
	// BeforeFunc is called before each call, outside of all locks: it may wait,
	// or tell the test that the call began. An error is returned instead of
	// making the call, which is then not recorded. Nil means no wait.
	BeforeFunc func(c Call) error
}

// Bucket fails calls to another Bucket as scripted. It is safe for concurrent use.
type Bucket struct {
	inner   objstore.Bucket
	options Options

	// mu guards the fields below.
	mu      sync.Mutex
	faults  []*armed
	calls   []Call
	written int64
}

var _ objstore.Bucket = (*Bucket)(nil)

// New returns a Bucket that passes all calls to inner until faults are injected.
func New(inner objstore.Bucket, options Options) *Bucket {
	if options.CallsMax == 0 {
		options.CallsMax = CallsMaxDefault
	}
	return &Bucket{inner: inner, options: options}
}

// Inject adds faults. If several match a call, the one injected first decides,
// and all count it.
func (b *Bucket) Inject(faults ...Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range faults {
		b.faults = append(b.faults, newArmed(f))
	}
}

// Reset removes all faults and forgets the recorded calls. The disk stays as
// full as it is.
func (b *Bucket) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults, b.calls = nil, nil
}

// Calls returns the recorded calls, in order.
func (b *Bucket) Calls() []Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

// begin records a call and returns the fault that it meets, or nil.
func (b *Bucket) begin(c Call) (*Fault, error) {
	if b.options.BeforeFunc != nil {
		if err := b.options.BeforeFunc(c); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var met *Fault
	for _, a := range b.faults {
		if a.hit(c) && met == nil {
			met = &a.Fault
		}
	}
	if c.Failed = met != nil; len(b.calls) < b.options.CallsMax {
		b.calls = append(b.calls, c)
	}
	return met, nil
}

// do makes a call whose effect is all or nothing.
func (b *Bucket) do(c Call, effect func() error) error {
	f, err := b.begin(c)
	if err != nil {
		return err
	}
	if f == nil {
		return effect()
	}
	if f.After {
		if err := effect(); err != nil {
			return err
		}
	}
	return f.Err
}

// Create implements objstore.Bucket.
func (b *Bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	w := &writer{bucket: b, key: key}
	err := b.do(Call{Op: OpCreate, Key: key}, func() (err error) {
		w.inner, err = b.inner.Create(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Open implements objstore.Bucket.
func (b *Bucket) Open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	f, err := b.begin(Call{Op: OpOpen, Key: key})
	if err != nil {
		return nil, err
	}
	if f != nil {
		return nil, f.Err
	}
	r, err := b.inner.Open(ctx, key, o)
	if err != nil {
		return nil, err
	}
	return &reader{Reader: r, bucket: b, key: key}, nil
}

// Delete implements objstore.Bucket. It is a call for each key, so that of
// several some can fail.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	return objstore.DeleteEach(ctx, keys, func(key string) error {
		return b.do(Call{Op: OpDelete, Key: key}, func() error { return b.inner.Delete(ctx, key) })
	})
}

// List implements objstore.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string, fn func(objstore.Object) error) error {
	f, err := b.begin(Call{Op: OpList, Key: prefix})
	if err != nil {
		return err
	}
	if f == nil {
		return b.inner.List(ctx, prefix, fn)
	}
	var listed int
	err = b.inner.List(ctx, prefix, func(o objstore.Object) error {
		if !f.After && listed == f.Bytes {
			return f.Err
		}
		listed++
		return fn(o)
	})
	if err != nil {
		return err
	}
	return f.Err
}

// Capabilities implements objstore.Bucket.
func (b *Bucket) Capabilities() objstore.Capabilities { return b.inner.Capabilities() }

// take returns how many of n bytes fit on the disk, and uses them.
func (b *Bucket) take(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if limit := b.options.BytesMax; limit > 0 {
		n = int(min(int64(n), limit-b.written))
	}
	b.written += int64(n)
	return n
}

type writer struct {
	inner  objstore.Writer
	bucket *Bucket
	key    string
	err    error // of the first failed Write
}

func (w *writer) Write(ctx context.Context, p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.write(ctx, p)
	w.err = err
	return n, err
}

func (w *writer) write(ctx context.Context, p []byte) (int, error) {
	f, err := w.bucket.begin(Call{Op: OpWrite, Key: w.key, Bytes: len(p)})
	if err != nil {
		return 0, err
	}
	length := len(p)
	if f != nil && !f.After {
		length = min(length, f.Bytes)
	}
	fits := w.bucket.take(length)
	n := 0
	if fits > 0 || f == nil {
		if n, err = w.inner.Write(ctx, p[:fits]); err != nil {
			return n, err
		}
	}
	switch {
	case fits < length:
		return n, lake.Errorf(lake.KindExhausted, "write object %q: %w", w.key, syscall.ENOSPC)
	case f != nil:
		return n, f.Err
	}
	return n, nil
}

func (w *writer) Commit(ctx context.Context) error {
	return w.bucket.do(Call{Op: OpCommit, Key: w.key}, func() error {
		if w.err != nil {
			return w.discard(ctx)
		}
		return w.inner.Commit(ctx)
	})
}

// discard ends a writer whose Write failed.
func (w *writer) discard(ctx context.Context) error {
	if err := w.inner.Abort(ctx); err != nil {
		return err
	}
	return w.err
}

func (w *writer) Abort(ctx context.Context) error {
	return w.bucket.do(Call{Op: OpAbort, Key: w.key}, func() error { return w.inner.Abort(ctx) })
}

type reader struct {
	objstore.Reader
	bucket *Bucket
	key    string
}

func (r *reader) ReadAt(ctx context.Context, p []byte, offset int64) (int, error) {
	f, err := r.bucket.begin(Call{Op: OpReadAt, Key: r.key, Offset: offset, Bytes: len(p)})
	if err != nil {
		return 0, err
	}
	if f == nil {
		return r.Reader.ReadAt(ctx, p, offset)
	}
	if !f.After {
		p = p[:min(len(p), f.Bytes)]
	}
	n, err := r.Reader.ReadAt(ctx, p, offset)
	if err != nil {
		return n, err
	}
	return n, f.Err
}
