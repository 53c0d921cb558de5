package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/lake"
)

const (
	// abandonAfter is how long a call may go on after its context has ended. DuckDB looks
	// at interruptions while it runs a statement, and at few while it binds and optimises one.
	abandonAfter = 500 * time.Millisecond
	// abandonedMax bounds the calls of a pool's connections that go on although nobody
	// waits for them. Each may keep a processor busy, and memory.
	abandonedMax = 8
	// abandonedWait is how long a pool that closes waits for them.
	abandonedWait = 10 * time.Second
)

// abandoned counts the calls that go on although nobody waits for them.
type abandoned struct {
	count atomic.Int64
	calls sync.WaitGroup
}

// check refuses new work while too many calls were abandoned.
//
// Errors: KindExhausted.
func (a *abandoned) check() error {
	if n := a.count.Load(); n >= abandonedMax {
		return lake.Errorf(lake.KindExhausted, "%d statements that were cancelled are still being planned, which is the limit; try again later", n)
	}
	return nil
}

// wait waits for the calls, for a while; it reports false if some go on.
func (a *abandoned) wait() bool {
	done := make(chan struct{})
	go func() {
		a.calls.Wait()
		close(done)
	}()
	timer := time.NewTimer(abandonedWait)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// outcome is what a call returned.
type outcome[T any] struct {
	value T
	err   error
}

// call runs f, which uses the connection c, and returns what it does. When ctx ends, c
// is interrupted, and if DuckDB does not take notice soon, f is abandoned: call
// returns the error of ctx, and late gets the outcome once f has ended, in the goroutine
// of f. Until then c is not the caller's, and interrupted all the time: what f does next
// may be a statement that takes notice.
func call[T any](ctx context.Context, a *abandoned, c *connection, f func() (T, error), late func(T, error)) (value T, err error, wasAbandoned bool) {
	if ctx.Done() == nil {
		value, err = f()
		return value, err, false
	}
	var gone atomic.Bool // set by whoever gives up first: the caller, or f by ending
	done := make(chan outcome[T], 1)
	ended, quiet := make(chan struct{}), make(chan struct{}) // of an abandoned f; of its interruptions
	a.calls.Go(func() {
		value, err := f()
		if gone.CompareAndSwap(false, true) {
			done <- outcome[T]{value, err}
			return
		}
		close(ended)
		<-quiet
		late(value, err)
		a.count.Add(-1)
	})
	select {
	case o := <-done:
		return o.value, o.err, false
	case <-ctx.Done():
	}
	timer := time.NewTimer(abandonAfter)
	defer timer.Stop()
	tick := time.NewTicker(interruptInterval)
	defer tick.Stop()
	for {
		c.interrupt()
		select {
		case o := <-done:
			return o.value, o.err, false
		case <-tick.C:
		case <-timer.C:
			a.count.Add(1)
			if gone.CompareAndSwap(false, true) {
				a.calls.Go(func() {
					defer close(quiet)
					c.interruptUntil(ended)
				})
				return value, ctx.Err(), true
			}
			a.count.Add(-1)
			o := <-done // it has ended at this moment
			return o.value, o.err, false
		}
	}
}
