package workload

import (
	"time"

	"github.com/flightlake/flightlake/lake"
)

// ticketStep is how exactly the end of a ticket's life is known: tickets that end within
// one step are kept as one, so that their number does not matter.
const ticketStep = time.Minute

// tickets holds the oldest snapshot that tickets name, by when they end. The Registry's
// mu guards it.
type tickets map[time.Time]lake.SnapshotID

// Retain notes that a ticket reads a snapshot, its oldest, and can be redeemed until a time.
func (r *Registry) Retain(id lake.SnapshotID, until time.Time) {
	if id == 0 {
		return // it has no tables
	}
	until = until.Truncate(ticketStep).Add(2 * ticketStep) // the clock of who makes the ticket is read later
	r.mu.Lock()
	defer r.mu.Unlock()
	if oldest, ok := r.tickets[until]; ok && oldest <= id {
		return
	}
	r.tickets[until] = id
	r.forgetTickets()
}

// forgetTickets drops the tickets whose time is over. The caller holds mu.
func (r *Registry) forgetTickets() {
	now := r.clock.Now()
	for until := range r.tickets {
		if until.Before(now) {
			delete(r.tickets, until)
		}
	}
}

// OldestSnapshot returns the oldest snapshot that a statement or an open ticket reads;
// ok is false if none does. The files of younger ones must stay.
func (r *Registry) OldestSnapshot() (oldest lake.SnapshotID, ok bool) {
	older := func(id lake.SnapshotID) {
		if !ok || id < oldest {
			oldest, ok = id, true
		}
	}
	r.mu.Lock()
	r.forgetTickets()
	for _, id := range r.tickets {
		older(id)
	}
	calls := r.calls(func(*Statement) bool { return true })
	r.mu.Unlock()
	for _, s := range calls {
		if id, pinned := s.pin(); pinned {
			older(id)
		}
	}
	return oldest, ok
}
