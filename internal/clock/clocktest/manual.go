// Package clocktest has a clock that a test moves.
package clocktest

import (
	"sync"
	"time"

	"github.com/flightlake/flightlake/internal/clock"
)

// Manual is a clock that stands still until it is advanced. It is safe for
// concurrent use.
type Manual struct {
	mu     sync.Mutex
	now    time.Time             // guarded by mu
	timers map[*timer]struct{}   // that have not passed; guarded by mu
	waits  map[chan struct{}]int // of WaitForTimers, with the number waited for; guarded by mu
}

type timer struct {
	at     time.Time
	passed chan time.Time
}

var _ clock.Timer = (*Manual)(nil)

// NewManual returns a clock that shows the given time.
func NewManual(now time.Time) *Manual {
	return &Manual{now: now, timers: map[*timer]struct{}{}, waits: map[chan struct{}]int{}}
}

// Now returns the time that the clock shows.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// After implements clock.Timer.
func (m *Manual) After(d time.Duration) (passed <-chan time.Time, stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &timer{at: m.now.Add(d), passed: make(chan time.Time, 1)}
	m.timers[t] = struct{}{}
	for wait, n := range m.waits {
		if len(m.timers) >= n {
			close(wait)
			delete(m.waits, wait)
		}
	}
	return t.passed, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.timers, t)
	}
}

// Advance moves the clock on, or back, and lets timers pass.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
	for t := range m.timers {
		if !t.at.After(m.now) {
			t.passed <- m.now
			delete(m.timers, t)
		}
	}
}

// WaitForTimers returns once at least n timers wait to pass.
func (m *Manual) WaitForTimers(n int) {
	m.mu.Lock()
	if len(m.timers) >= n {
		m.mu.Unlock()
		return
	}
	wait := make(chan struct{})
	m.waits[wait] = n
	m.mu.Unlock()
	<-wait
}
