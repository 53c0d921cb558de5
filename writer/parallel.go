package writer

import (
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/flightlake/flightlake/lake"
)

// parallel calls fn with 0 to n-1 in order of the numbers, in at most workers
// goroutines, and returns the first error. It returns when all calls have.
func parallel(workers, n int, fn func(i int) error) error {
	if workers = min(workers, n); workers <= 1 {
		for i := range n {
			if err := fn(i); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := fn(i); err != nil {
					next.Store(int64(n))
					return err
				}
			}
		})
	}
	return group.Wait()
}

// guarded calls fn and turns a panic into an error: arrow-go does not check the
// offsets and indices of the arrays that a client sends.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = lake.Errorf(lake.KindInvalid, "malformed Arrow data: %v", p)
		}
	}()
	return fn()
}
