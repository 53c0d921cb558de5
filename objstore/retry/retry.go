// Package retry decorates an object store so that requests which may be
// repeated without harm are repeated when the store does not answer: Open,
// ReadAt, Delete and List. Writes are not: whether a commit took effect is
// not known after an error, and the writer decides. The server counts what is
// repeated among its metrics.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// Defaults of Options. Four attempts wait 0.7 s at most in total.
const (
	AttemptsMaxDefault = 4
	DelayDefault       = 100 * time.Millisecond
	DelayMaxDefault    = 2 * time.Second
)

// Options are the settings of a Bucket.
type Options struct {
	// AttemptsMax bounds how often a request is sent. Zero means AttemptsMaxDefault.
	AttemptsMax int
	// Delay bounds the wait after the first attempt; it doubles with each
	// attempt. Zero means DelayDefault.
	Delay time.Duration
	// DelayMax bounds every wait. Zero means DelayMaxDefault.
	DelayMax time.Duration
	// SleepFunc waits for d or until ctx ends, whose error it returns. Nil means Sleep.
	SleepFunc func(ctx context.Context, d time.Duration) error
	// RandomFunc returns a number in [0, 1) and is safe for concurrent use. A
	// wait lasts between a half and the whole of its bound. Nil means rand.Float64.
	RandomFunc func() float64
}

// Stats are how often requests were repeated since the Bucket was made.
type Stats struct{ Open, ReadAt, Delete, List int64 }

// Bucket repeats requests to another Bucket. It is safe for concurrent use.
type Bucket struct {
	inner   objstore.Bucket
	options Options

	open, readAt, remove, list atomic.Int64 // repeated requests
}

var _ objstore.Bucket = (*Bucket)(nil)

// New returns a Bucket that repeats requests to inner.
func New(inner objstore.Bucket, options Options) *Bucket {
	if options.AttemptsMax == 0 {
		options.AttemptsMax = AttemptsMaxDefault
	}
	if options.Delay == 0 {
		options.Delay = DelayDefault
	}
	if options.DelayMax == 0 {
		options.DelayMax = DelayMaxDefault
	}
	if options.SleepFunc == nil {
		options.SleepFunc = Sleep
	}
	if options.RandomFunc == nil {
		options.RandomFunc = rand.Float64
	}
	return &Bucket{inner: inner, options: options}
}

// Stats returns the counters.
func (b *Bucket) Stats() Stats {
	return Stats{Open: b.open.Load(), ReadAt: b.readAt.Load(), Delete: b.remove.Load(), List: b.list.Load()}
}

// Sleep waits for d or until ctx ends, and returns the error of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Create implements objstore.Bucket. It is not repeated.
func (b *Bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	return b.inner.Create(ctx, key)
}

// Open implements objstore.Bucket.
func (b *Bucket) Open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	var inner objstore.Reader
	err := b.do(ctx, &b.open, func() (err error) {
		inner, err = b.inner.Open(ctx, key, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &reader{Reader: inner, bucket: b}, nil
}

// Delete implements objstore.Bucket. Only the keys are repeated to which the
// store gave no answer.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	var failed []objstore.KeyError // for good
	err := b.do(ctx, &b.remove, func() error {
		err := b.inner.Delete(ctx, keys...)
		var some *objstore.DeleteError
		if !errors.As(err, &some) {
			return err
		}
		var again []objstore.KeyError
		keys = nil
		for _, f := range some.Failed {
			if errors.Is(f.Err, lake.ErrUnavailable) {
				again, keys = append(again, f), append(keys, f.Key)
			} else {
				failed = append(failed, f)
			}
		}
		return objstore.NewDeleteError(again)
	})
	if len(failed) == 0 {
		return err
	}
	return objstore.NewDeleteError(append(failed, objstore.FailedKeys(keys, err)...))
}

// List implements objstore.Bucket. fn sees each object once, also if the
// listing broke off and was repeated; an error of fn is not repeated.
func (b *Bucket) List(ctx context.Context, prefix string, fn func(objstore.Object) error) error {
	var last string // the last key that fn saw; no key is empty
	var fnErr error
	err := b.do(ctx, &b.list, func() error {
		err := b.inner.List(ctx, prefix, func(o objstore.Object) error {
			if o.Key <= last {
				return nil
			}
			last = o.Key
			fnErr = fn(o)
			return fnErr
		})
		if fnErr != nil {
			return nil //nolint:nilerr // fnErr is returned below: it must not be repeated, whatever its Kind
		}
		return err
	})
	if fnErr != nil {
		return fnErr
	}
	return err
}

// Capabilities implements objstore.Bucket.
func (b *Bucket) Capabilities() objstore.Capabilities { return b.inner.Capabilities() }

type reader struct {
	objstore.Reader
	bucket *Bucket
}

// ReadAt implements objstore.Reader. What an attempt read is not read again.
func (r *reader) ReadAt(ctx context.Context, p []byte, offset int64) (int, error) {
	var done int
	err := r.bucket.do(ctx, &r.bucket.readAt, func() error {
		n, err := r.Reader.ReadAt(ctx, p[done:], offset+int64(done))
		done += n
		return err
	})
	return done, err
}

// do calls attempt until it succeeds, fails with another Kind than
// KindUnavailable, or was called often enough. It counts the calls after the first.
func (b *Bucket) do(ctx context.Context, retries *atomic.Int64, attempt func() error) error {
	bound := min(b.options.Delay, b.options.DelayMax)
	for i := 1; ; i++ {
		err := attempt()
		if i >= b.options.AttemptsMax || !errors.Is(err, lake.ErrUnavailable) {
			return err
		}
		wait := bound/2 + time.Duration(b.options.RandomFunc()*float64(bound/2))
		if sleepErr := b.options.SleepFunc(ctx, wait); sleepErr != nil {
			return errors.Join(sleepErr, err)
		}
		retries.Add(1)
		bound = min(2*bound, b.options.DelayMax)
	}
}
