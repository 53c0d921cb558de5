package workload

import (
	"slices"
	"strings"
	"time"

	"github.com/flightlake/flightlake/lake"
)

// Running is a statement of List.
type Running struct {
	Info
	// Queued is set while it waits for its turn.
	Queued bool
	// Began is when it was asked for, and Elapsed the time since.
	Began   time.Time
	Elapsed time.Duration
	// Progress is the share done, within [0, 1], or lake.Unknown.
	Progress float64
	// Rows and Bytes are those that its present calls gave or took.
	Rows, Bytes int64
	// Memory is the bytes that its allocators hold.
	Memory int64
}

// List returns the statements that run or wait, in the order they came.
func (r *Registry) List() []Running {
	now := r.clock.Now()
	r.mu.Lock()
	list := make([]Running, 0, len(r.turns))
	calls := make([][]*Statement, 0, len(r.turns))
	for _, t := range r.turns {
		list = append(list, Running{
			Info: t.info, Queued: t.queued, Began: t.began, Elapsed: now.Sub(t.began), Memory: t.memory.Load(),
		})
		calls = append(calls, slices.Clone(t.calls))
	}
	r.mu.Unlock()
	for i := range list {
		list[i].Progress = progressOf(calls[i])
		for _, s := range calls[i] {
			list[i].Rows += s.rows.Load()
			list[i].Bytes += s.bytes.Load()
		}
	}
	slices.SortFunc(list, func(a, b Running) int {
		if c := a.Began.Compare(b.Began); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// Progress returns the share done of the statement with that id, within [0, 1],
// or lake.Unknown.
func (r *Registry) Progress(id string) float64 {
	r.mu.Lock()
	calls := r.calls(func(s *Statement) bool { return s.info.ID == id })
	r.mu.Unlock()
	return progressOf(calls)
}

// progressOf returns the mean of those that are known: the parts into which a scan
// is divided are about equal.
func progressOf(calls []*Statement) float64 {
	sum, known := 0.0, 0
	for _, s := range calls {
		if p := s.progress(); p >= 0 {
			sum += min(p, 1)
			known++
		}
	}
	if known == 0 {
		return float64(lake.Unknown)
	}
	return sum / float64(known)
}

// Stats are counters of a Registry.
type Stats struct {
	Running, Queued int64 // statements now
	MemoryBytes     int64 // that their allocators hold now
	// Started counts calls that began, Killed statements that were killed or ended
	// with their session, TimedOut those whose time was over, and Refused those that
	// got no turn.
	Started, Killed, TimedOut, Refused int64
}

// Stats returns the counters. It is cheap.
func (r *Registry) Stats() Stats {
	r.mu.Lock()
	running, queued := int64(r.running), int64(len(r.queue))
	r.mu.Unlock()
	return Stats{
		Running: running, Queued: queued, MemoryBytes: r.memory.Load(),
		Started: r.started.Load(), Killed: r.ended.Load(), TimedOut: r.timedOut.Load(), Refused: r.refused.Load(),
	}
}
