package cache

import (
	"context"
	"hash/maphash"
	"sync/atomic"
	"unsafe"

	"github.com/flightlake/flightlake/objstore"
)

// Defaults and limits of Bucket, in bytes.
const (
	// BucketBytesMaxDefault is the default budget: the ends of 2,000 objects.
	BucketBytesMaxDefault = 128 << 20
	// TailBytesDefault is the default length of an end: the footer of a file
	// of 25 row groups and 16 columns, at 160 bytes per column chunk.
	TailBytesDefault = 64 << 10
	// FooterBytesMax bounds a footer that is longer than the end and kept nevertheless.
	FooterBytesMax = 8 << 20
	// trailerBytes is how far from the end of the object the read of a footer
	// may stop. Formats that are read from the end, as Parquet is, close with a
	// few bytes that hold the footer's length: a reader fetches these first,
	// then the footer before them.
	trailerBytes = 8
)

// epochs is the number of delete counters, a power of two; keys are hashed to them.
const epochs = 64

// BucketOptions are the settings of a Bucket.
type BucketOptions struct {
	// BytesMax is the budget. Zero means BucketBytesMaxDefault; a negative
	// number keeps nothing.
	BytesMax int64
	// TailBytes is the length of the end that is kept of each object. Zero
	// means TailBytesDefault.
	TailBytes int64
}

// Bucket decorates an object store: it keeps the ends of the objects that were
// read near the end, and of longer footers all. Opening such an object again
// and reading its footer is no request. It is safe for concurrent use.
//
// An object that is deleted through another Bucket may still open here; what
// is not cached of it is then not found by ReadAt.
type Bucket struct {
	inner     objstore.Bucket
	tailBytes int64
	tails     *Cache[tailKey, *tail]
	seed      maphash.Seed
	// deletes counts the objects deleted or forgotten. A Reader that was opened
	// before the counter of its key moved caches nothing, so that the end of a
	// deleted object cannot come back.
	deletes [epochs]atomic.Uint64
}

var _ objstore.Bucket = (*Bucket)(nil)

// tailKey names the end of an object, or its longer footer.
type tailKey struct {
	object string
	footer bool
}

// tail is the last bytes of an object, without trailing bytes of a footer.
type tail struct {
	size   int64 // of the object
	offset int64 // where data begins
	data   []byte
}

// NewBucket returns a Bucket that caches ends of the objects of inner.
func NewBucket(inner objstore.Bucket, options BucketOptions) *Bucket {
	if options.TailBytes == 0 {
		options.TailBytes = TailBytesDefault
	}
	return &Bucket{
		inner:     inner,
		tailBytes: options.TailBytes,
		seed:      maphash.MakeSeed(),
		tails: New(budget(options.BytesMax, BucketBytesMaxDefault), func(k tailKey, t *tail) int64 {
			return int64(unsafe.Sizeof(*t)) + int64(len(k.object)) + int64(cap(t.data))
		}),
	}
}

// Create implements objstore.Bucket.
func (b *Bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	return b.inner.Create(ctx, key)
}

// Open implements objstore.Bucket. It is no request if the end is cached; the
// object is then opened by the first read of something else.
func (b *Bucket) Open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &reader{bucket: b, key: key, epoch: b.epoch(key).Load()}
	if t, ok := b.tails.Lookup(tailKey{object: key}); ok {
		r.size = t.size
		r.tail.Store(t)
		return r, nil
	}
	inner, err := b.inner.Open(ctx, key, o)
	if err != nil {
		return nil, err
	}
	r.inner, r.size = inner, inner.Size()
	return r, nil
}

// Delete implements objstore.Bucket.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	err := b.inner.Delete(ctx, keys...)
	for _, key := range keys {
		b.Forget(key) // whatever err is: the object may be gone
	}
	return err
}

// Forget drops what is kept of an object, for a caller that could not make
// sense of it: the store may have it right by the next read.
func (b *Bucket) Forget(key string) {
	// The order matters, see stale.
	b.epoch(key).Add(1)
	b.tails.Remove(tailKey{object: key})
	b.tails.Remove(tailKey{object: key, footer: true})
}

// List implements objstore.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string, fn func(objstore.Object) error) error {
	return b.inner.List(ctx, prefix, fn)
}

// Capabilities implements objstore.Bucket.
func (b *Bucket) Capabilities() objstore.Capabilities { return b.inner.Capabilities() }

// Stats returns the counters. Each Open of a cached object is a hit, and each
// read of an end that is not cached a miss.
func (b *Bucket) Stats() Stats { return b.tails.Stats() }

func (b *Bucket) epoch(key string) *atomic.Uint64 {
	return &b.deletes[maphash.String(b.seed, key)%epochs]
}
