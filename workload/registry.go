package workload

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

// Defaults of Options.
const (
	runningMaxDefault   = 64
	queuedMaxDefault    = 1024
	queueTimeoutDefault = 60 * time.Second
	// stallTimeout is how long a statement may wait for its client to take rows
	// before its turn is given to another: longer than a client that reads takes for a
	// batch. It is the interval of looking for one, too.
	stallTimeout       = 100 * time.Millisecond
	memoryBytesDefault = 1 << 30
	// memoryTotalDefault is what runningMaxDefault scans read ahead, 64 MiB each.
	memoryTotalDefault = 4 << 30
)

// Options are the limits of a Registry. The zero value is usable.
type Options struct {
	// RunningMax is the number of statements that run at once; 0 means 64.
	RunningMax int
	// QueuedMax is the number of statements that wait for a turn; 0 means 1,024.
	QueuedMax int
	// QueueTimeout is how long a statement waits for a turn; 0 means one minute.
	QueueTimeout time.Duration
	// MemoryBytesMax bounds the memory of one statement; 0 means 1 GiB.
	MemoryBytesMax int64
	// MemoryTotalMax bounds the memory of all statements; 0 means 4 GiB. When it is
	// exceeded, the statement that holds most is ended.
	MemoryTotalMax int64
	// TicketLifetime is how long tickets may be redeemed. An earlier process may have made
	// some: for that long after its start OldestSnapshot takes every snapshot for read. 0
	// means that there are none.
	TicketLifetime time.Duration
}

func (o Options) withDefaults() Options {
	o.RunningMax = cmp.Or(o.RunningMax, runningMaxDefault)
	o.QueuedMax = cmp.Or(o.QueuedMax, queuedMaxDefault)
	o.QueueTimeout = cmp.Or(o.QueueTimeout, queueTimeoutDefault)
	o.MemoryBytesMax = cmp.Or(o.MemoryBytesMax, memoryBytesDefault)
	o.MemoryTotalMax = cmp.Or(o.MemoryTotalMax, memoryTotalDefault)
	return o
}

// Info says what a statement is.
type Info struct {
	// ID names the statement. Calls with the same ID and User share its turn.
	ID   string
	User string
	// Session ties the statement to a session, for KillSession; empty means none.
	Session string
	SQL     string
	Kind    string // "query", "update" or "ingest"
	// Timeout ends the statement that long after Begin, waiting included; 0 means
	// that it may run for ever.
	Timeout time.Duration
}

// key names a turn.
type key struct{ id, user string }

// turn is one statement and the calls that work for it.
type turn struct {
	info    Info // of the first call
	began   time.Time
	granted chan struct{} // closed when its calls may run
	memory  atomic.Int64  // bytes that its allocators hold
	yielded atomic.Bool   // its turn was taken; changed with Registry.mu held

	queued  bool         // it waits for its turn; guarded by Registry.mu
	running bool         // it has its turn; guarded by Registry.mu
	asked   bool         // a call has asked for the turn; guarded by Registry.mu
	calls   []*Statement // guarded by Registry.mu
}

// Registry holds the statements that clients wait for. It is safe for concurrent use
// and starts no goroutines of its own but timers.
//
// A statement is planned before it has its turn, holds it from Await to its End, and may
// lose it meanwhile while its client takes no rows: takeBack and resume. mu is held for
// book-keeping only.
type Registry struct {
	clock   clock.Clock
	options Options
	memory  atomic.Int64 // bytes that all allocators hold

	// mu guards the fields below.
	mu      sync.Mutex
	turns   map[key]*turn
	queue   []*turn // those that wait, in the order they came
	running int     // turns that run
	killed  killed
	tickets tickets
	closed  bool

	started, ended, timedOut, refused atomic.Int64 // counters of Stats
}

// New returns a Registry without statements.
func New(c clock.Clock, o Options) *Registry {
	r := &Registry{
		clock: c, options: o.withDefaults(), turns: map[key]*turn{},
		killed: killed{}, tickets: tickets{},
	}
	if o.TicketLifetime > 0 {
		r.tickets[c.Now().Add(o.TicketLifetime)] = 0 // older than all
	}
	return r
}

// Begin makes a statement known: it is listed, and can be killed and timed out. It has
// no turn yet; Await waits for that. The context that Begin returns ends with ctx, with
// the Statement, when the statement is killed and when its time is over; context.Cause
// then says which. The caller Ends the Statement.
//
// Errors: KindUnavailable after Close; one that is context.Canceled if the statement
// was killed before.
func (r *Registry) Begin(ctx context.Context, info Info) (context.Context, *Statement, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &Statement{registry: r, info: info, cancelFunc: cancel}
	if err := r.enter(s); err != nil {
		cancel(err)
		return ctx, nil, err
	}
	if info.Timeout > 0 {
		timer := time.AfterFunc(info.Timeout, func() {
			if s.stop(timedOut(info)) {
				r.timedOut.Add(1)
			}
		})
		s.stopTimerFunc = timer.Stop
	}
	return ctx, s, nil
}

// enter makes a call known.
func (r *Registry) enter(s *Statement) error {
	now := r.clock.Now()
	k := key{id: s.info.ID, user: s.info.User}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return lake.Errorf(lake.KindUnavailable, "the server is shutting down")
	}
	if r.killed.has(k, now) {
		return killedBefore(s.info)
	}
	t, ok := r.turns[k]
	if !ok {
		t = &turn{info: s.info, began: now, granted: make(chan struct{})}
		r.turns[k] = t
	}
	s.turn = t
	t.calls = append(t.calls, s)
	r.started.Add(1)
	return nil
}

// ask puts a statement into the queue, or gives it a turn if one is free. A second
// call for it does nothing.
//
// Errors: KindExhausted if too many wait.
func (r *Registry) ask(t *turn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.asked {
		return nil
	}
	if len(r.queue) >= r.options.QueuedMax {
		r.refused.Add(1)
		return lake.Errorf(lake.KindExhausted, "%d statements run and %d wait for their turn, which is the limit; try again later",
			r.running, len(r.queue))
	}
	t.asked, t.queued = true, true
	r.queue = append(r.queue, t)
	r.grant()
	return nil
}

// grant gives free turns to those that wait. The caller holds mu.
func (r *Registry) grant() {
	for r.running < r.options.RunningMax && len(r.queue) > 0 {
		t := r.queue[0]
		r.queue = slices.Delete(r.queue, 0, 1)
		t.queued, t.running = false, true
		r.running++
		close(t.granted)
	}
}

// wait returns when the statement has its turn.
func (r *Registry) wait(ctx context.Context, s *Statement) error {
	if err := r.ask(s.turn); err != nil {
		return err
	}
	select {
	case <-s.turn.granted:
		return context.Cause(ctx)
	default:
	}
	r.takeBack()
	timer := time.NewTimer(r.options.QueueTimeout)
	defer timer.Stop()
	look := time.NewTicker(stallTimeout)
	defer look.Stop()
	for {
		select {
		case <-s.turn.granted:
			return context.Cause(ctx)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
			r.takeBack()
		case <-timer.C:
			return r.waitedTooLong(s)
		}
	}
}

func (r *Registry) waitedTooLong(s *Statement) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !s.turn.queued {
		return nil
	}
	r.refused.Add(1)
	return lake.Errorf(lake.KindExhausted, "the statement waited %s for its turn while %d others ran; try again later, or see lake.statements()",
		r.options.QueueTimeout, r.running)
}

// takeBack takes the turns of statements whose clients do not read, so that a
// few of them cannot keep all others waiting. They hold memory and do no work.
func (r *Registry) takeBack() {
	before := r.clock.Now().Add(-stallTimeout)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.turns {
		stalled := func(s *Statement) bool {
			since := s.stalled.Load()
			return since != nil && !since.After(before)
		}
		works := func() bool { return slices.ContainsFunc(t.calls, func(s *Statement) bool { return !stalled(s) }) }
		if !t.running || len(t.calls) == 0 || works() {
			continue
		}
		t.yielded.Store(true)
		if works() { // it resumed at this moment, perhaps before it could see that
			t.yielded.Store(false)
			continue
		}
		t.running = false
		r.running--
	}
	r.grant()
}

// resume lets a statement go on whose turn was taken: at once, because waiting
// could never end where one client reads two results in turn. One that has ended
// meanwhile would never give the turn back. For a while more
// than RunningMax may run then.
func (r *Registry) resume(t *turn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(t.calls) > 0 && t.yielded.CompareAndSwap(true, false) {
		t.running = true
		r.running++
	}
}

// remove removes a call; with the last one its statement's turn is over.
func (r *Registry) remove(s *Statement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := s.turn
	t.calls = slices.DeleteFunc(t.calls, func(other *Statement) bool { return other == s })
	if len(t.calls) > 0 {
		return
	}
	delete(r.turns, key{id: s.info.ID, user: s.info.User})
	if t.running {
		r.running--
		r.grant()
		return
	}
	r.queue = slices.DeleteFunc(r.queue, func(other *turn) bool { return other == t })
}

// Close ends all statements and refuses new ones. It does not wait for their
// callers, who End them.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	calls := r.calls(func(*Statement) bool { return true })
	r.mu.Unlock()
	for _, s := range calls {
		s.stop(lake.Errorf(lake.KindUnavailable, "the server is shutting down"))
	}
}

// calls returns those that match. The caller holds mu.
func (r *Registry) calls(match func(*Statement) bool) []*Statement {
	var found []*Statement
	for _, t := range r.turns {
		for _, s := range t.calls {
			if match(s) {
				found = append(found, s)
			}
		}
	}
	return found
}
