package writer

import (
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/flightlake/flightlake/lake"
)

// parallel calls fn with i from 0 to n-1 in order, in at most workers
// goroutines, and returns the first error. worker numbers the goroutine. It
// returns when all calls have.
func parallel(workers, n int, fn func(worker, i int) error) error {
	if workers = min(workers, n); workers <= 1 {
		for i := range n {
			if err := fn(0, i); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var group errgroup.Group
	for worker := range workers {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := fn(worker, i); err != nil {
					next.Store(int64(n))
					return err
				}
			}
		})
	}
	return group.Wait()
}

// guarded calls fn, which reads arrays of a client, and turns a panic into an
// error: arrow-go does not check their offsets and indices.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = lake.Errorf(lake.KindInvalid, "malformed Arrow data: %v", p)
		}
	}()
	return fn()
}
