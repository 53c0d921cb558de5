package workload

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/lake"
)

// Statement is one call that works for a statement and has its turn. It is safe
// for concurrent use.
type Statement struct {
	registry      *Registry
	info          Info
	turn          *turn
	cancelFunc    context.CancelCauseFunc
	stopTimerFunc func() bool // nil without time-out

	rows, bytes atomic.Int64
	// stalled is when the call began to wait for its client; nil while it works.
	stalled atomic.Pointer[time.Time]

	// mu guards the fields below. The function is called with it held, so that it
	// does not run after End.
	mu           sync.Mutex
	cause        error // why the call was ended; nil while it was not
	ended        bool
	progressFunc func() float64
}

// ID returns the name of the statement that the call works for.
func (s *Statement) ID() string { return s.info.ID }

// AddBatch counts rows that were given to the client or taken from it.
//
// Errors: those of Check.
func (s *Statement) AddBatch(rows, bytes int64) error {
	s.rows.Add(rows)
	s.bytes.Add(bytes)
	return s.Check()
}

// Stall notes that the call does nothing until its client takes what it has, when
// Resume is called. A statement all of whose calls stall may lose its turn.
func (s *Statement) Stall() {
	now := s.registry.clock.Now()
	s.stalled.Store(&now)
}

// Resume notes that the call works again.
func (s *Statement) Resume() {
	s.stalled.Store(nil)
	if s.turn.yielded.Load() {
		s.registry.resume(s.turn)
	}
}

// Check returns why the call must end, if it must. Allocators cannot refuse, so
// that whoever reads or writes batches checks between two of them.
//
// Errors: the cause of the context that Start returned; KindExhausted if the
// statement holds more memory than it may, or most of what all may hold.
func (s *Statement) Check() error {
	s.mu.Lock()
	cause := s.cause
	s.mu.Unlock()
	if cause != nil {
		return cause
	}
	return s.registry.checkMemory(s)
}

// SetProgressFunc sets what tells the share of the work that is done, within
// [0, 1], or lake.Unknown. It is not called after End.
func (s *Statement) SetProgressFunc(f func() float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progressFunc = f
}

// End gives the turn back. It ends the context that Start returned. A second
// call does nothing.
func (s *Statement) End() {
	s.mu.Lock()
	ended := s.ended
	s.ended, s.progressFunc = true, nil
	s.mu.Unlock()
	if ended {
		return
	}
	if s.stopTimerFunc != nil {
		s.stopTimerFunc()
	}
	s.cancelFunc(nil)
	s.registry.leave(s)
}

// stop ends the call's context, and reports whether this was the first reason to.
func (s *Statement) stop(cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.cause != nil {
		return false
	}
	s.cause = cause
	s.cancelFunc(cause)
	return true
}

// progress returns what the progress function says.
func (s *Statement) progress() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.progressFunc == nil {
		return float64(lake.Unknown)
	}
	return s.progressFunc()
}
