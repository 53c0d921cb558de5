// Package clock is the one source of time, so that tests can hold it.
package clock

import (
	"context"
	"time"
)

// Clock tells the time. Implementations are safe for concurrent use.
type Clock interface {
	Now() time.Time
}

// Timer is a Clock that can be waited on. A Clock that is none is waited on in real time.
type Timer interface {
	Clock
	// After returns a channel that receives a value once d has passed, and what frees
	// the timer.
	After(d time.Duration) (passed <-chan time.Time, stop func())
}

// System is the machine's clock.
type System struct{}

// Now returns the current time.
func (System) Now() time.Time { return time.Now() }

// After returns a channel that receives a value once d has passed on the clock, and
// what frees the timer.
func After(c Clock, d time.Duration) (passed <-chan time.Time, stop func()) {
	if timer, ok := c.(Timer); ok {
		return timer.After(d)
	}
	timer := time.NewTimer(d)
	return timer.C, func() { timer.Stop() }
}

// Sleep waits until d has passed on the clock.
//
// Errors: that of ctx, if it ends before.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	passed, stop := After(c, d)
	defer stop()
	select {
	case <-passed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
