package workload

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/lake"
)

// Statement is one call that works for a statement, from its text to its last row: it
// owns the statement's place in listings, deadline, turn, memory, pinned snapshot and
// whatever OnEnd is told of. It is safe for concurrent use.
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
	endFuncs     []func()        // what End gives back, in the order it was taken
	pinned       bool            // snapshot is set
	snapshot     lake.SnapshotID // the oldest that the statement reads
}

// ID returns the name of the statement that the call works for.
func (s *Statement) ID() string { return s.info.ID }

// Await waits for the turn of the statement, which it has until it ends. A second call,
// or that of another call for the same statement, returns once it has it.
//
// Errors: KindExhausted if too many statements wait or the wait was too long; one that
// is context.Canceled or context.DeadlineExceeded if the statement is killed or ran out
// of time; that of ctx.
func (s *Statement) Await(ctx context.Context) error { return s.registry.wait(ctx, s) }

// OnEnd has End call f, before what was told earlier and before the turn is given back;
// at once if the call has ended. f must not wait for the statement.
func (s *Statement) OnEnd(f func()) {
	s.mu.Lock()
	if !s.ended {
		s.endFuncs = append(s.endFuncs, f)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	f()
}

// Pin notes a snapshot that the statement reads until it ends; of several, the oldest
// counts.
func (s *Statement) Pin(id lake.SnapshotID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pinned || id < s.snapshot {
		s.pinned, s.snapshot = true, id
	}
}

// Retain has what the statement has pinned stay pinned after its end, for as long as a
// ticket made of it can be redeemed, and returns the snapshot.
func (s *Statement) Retain() lake.SnapshotID {
	id, pinned := s.pin()
	if pinned && s.registry.options.TicketLifetime > 0 {
		s.registry.Retain(id, s.registry.clock.Now().Add(s.registry.options.TicketLifetime))
	}
	return id
}

// pin returns the oldest snapshot that the statement reads.
func (s *Statement) pin() (lake.SnapshotID, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot, s.pinned
}

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
// Errors: the cause of the context that Begin returned; KindExhausted if the
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

// SetProgressFunc sets the function that returns the share of the work that is done,
// within [0, 1], or lake.Unknown. It is not called after End.
func (s *Statement) SetProgressFunc(f func() float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progressFunc = f
}

// End gives everything back: what OnEnd was told of, then the turn. It ends the context
// that Begin returned. A second call does nothing.
func (s *Statement) End() {
	s.mu.Lock()
	ended, endFuncs := s.ended, s.endFuncs
	s.ended, s.progressFunc, s.endFuncs = true, nil, nil
	s.mu.Unlock()
	if ended {
		return
	}
	if s.stopTimerFunc != nil {
		s.stopTimerFunc()
	}
	s.cancelFunc(nil)
	for _, f := range slices.Backward(endFuncs) {
		f()
	}
	s.registry.remove(s)
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
