package session

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
)

// work is what a transaction sees and did between its beginning and its end. Its
// statements may run at the same time. It takes no memory to speak of, and no
// snapshot, until the first of them.
type work struct {
	session *Session      // nil: none
	ids     *atomic.Int64 // of new tables, see newOverlay

	mu       sync.Mutex
	readOnly bool             // guarded by mu
	pinned   bool             // guarded by mu; set once: snapshot and base do not change then
	snapshot lake.SnapshotID  // guarded by mu until pinned
	base     *lake.State      // guarded by mu until pinned
	over     *overlay.Overlay // nil: nothing was changed; guarded by mu
	// savepoints are those that are not released, oldest first; guarded by mu.
	savepoints []savepoint
	made       int // savepoints made, for their ids; guarded by mu
	// temporary are the session's temporary tables before the first change that
	// the work made to them, if temporaryChanged; guarded by mu.
	temporary        *overlay.Overlay
	temporaryChanged bool
	written          []string        // keys of the files that it wrote and still has; guarded by mu
	gone             map[string]bool // keys of those that were removed, or will be; guarded by mu
	doomed           []string        // of those, what waits for the last reader; guarded by mu
	users            int             // statements and readers at work; guarded by mu
	lastUse          time.Time       // guarded by mu
	how              string          // how it ended, such as "was rolled back"; empty while it is open; guarded by mu
	undone           bool            // it was rolled back; guarded by mu
}

// enter counts a statement that belongs to the work.
//
// Errors: KindState if it has ended.
func (w *work) enter() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.how != "" {
		return w.ended()
	}
	w.users++
	return nil
}

// ended is the error for using what has ended. The caller holds mu.
func (w *work) ended() error {
	return lake.Errorf(lake.KindState, "the transaction %s", w.how)
}

// read counts a reader of a view of the work, which may have ended since.
//
// Errors: KindState if what the view shows was rolled back.
func (w *work) read() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.undone {
		return lake.Errorf(lake.KindState, "what the query reads is gone: the transaction %s", w.how)
	}
	w.users++
	return nil
}

// check refuses a plan that reads files which the work gave up before its reader
// was counted.
//
// Errors: KindState.
func (w *work) check(p *selectPlan) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range p.plan.Reads {
		for _, task := range p.plan.Reads[i].Tasks {
			if w.gone[task.File.Path] {
				return lake.Errorf(lake.KindState, "what the query reads of table %q is gone: the transaction dropped it or returned to a savepoint",
					p.plan.Reads[i].Table.Name)
			}
		}
	}
	return nil
}

// leave ends what enter or read counted. It returns the files that nobody reads
// any more, which the caller discards.
func (w *work) leave(now time.Time) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users--
	w.lastUse = now
	if w.users > 0 {
		return nil
	}
	doomed := w.doomed
	w.doomed = nil
	return doomed
}

// pin fixes the snapshot that the work sees, unless that is done.
func (w *work) pin(state *lake.State, id lake.SnapshotID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.pinned {
		w.pinned, w.base, w.snapshot = true, state, id
	}
}

// seen returns what the work sees now; ok is false if it pinned no snapshot.
func (w *work) seen() (base *lake.State, id lake.SnapshotID, over *overlay.Overlay, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.base, w.snapshot, w.over, w.pinned
}

// untouched reports whether the work has done nothing yet.
func (w *work) untouched() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.pinned && len(w.savepoints) == 0 && !w.temporaryChanged && w.how == ""
}

// setReadOnly makes the work refuse changes.
func (w *work) setReadOnly() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readOnly = true
}

// writable refuses changes in work that is read-only.
func (w *work) writable() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readOnly {
		return lake.Errorf(lake.KindState, "the transaction is read-only and refuses changes")
	}
	return nil
}

// apply changes what the following statements see. It is atomic: if it fails,
// nothing has changed.
//
// Errors: those of overlay.Overlay.Apply; KindState if the work has ended or is read-only.
func (w *work) apply(c catalog.Commit) (catalog.Result, error) {
	if err := w.writable(); err != nil {
		return catalog.Result{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.how != "" {
		return catalog.Result{}, w.ended()
	}
	over := w.over
	if over == nil {
		over = overlay.New(w.base, w.snapshot, w.ids)
	}
	next, result, err := over.Apply(c)
	if err != nil || result.Replayed {
		return result, err
	}
	w.over = next
	for _, op := range c.Operations {
		switch op := op.(type) {
		case catalog.CreateTable:
			w.written = append(w.written, paths(op.Files)...)
		case catalog.AddFiles:
			w.written = append(w.written, paths(op.Files)...)
		}
	}
	return result, nil
}

// swapTemporary replaces the session's temporary tables as Session.swapTemporary
// does, and remembers those of before the first change.
//
// Errors: KindState if the work has ended: nothing would take the change back;
// KindUnauthenticated if the session has ended.
func (w *work) swapTemporary(before, after *overlay.Overlay) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.how != "" {
		return false, w.ended()
	}
	done, err := w.session.swapTemporary(before, after)
	if done && !w.temporaryChanged {
		w.temporary, w.temporaryChanged = before, true
		w.session.holdTemporary()
	}
	return done, err
}

// restoreTemporary gives the session the temporary tables that it had when the
// work began.
func (w *work) restoreTemporary() {
	w.mu.Lock()
	before, changed := w.temporary, w.temporaryChanged
	w.temporary, w.temporaryChanged = nil, false
	w.mu.Unlock()
	if changed && w.session != nil {
		w.session.setTemporary(before.Clipped())
		w.session.releaseTemporary()
	}
}

// close ends the work and returns what it changed, nil if nothing.
//
// Errors: KindState if it has ended.
func (w *work) close(how string) (*overlay.Overlay, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.how != "" {
		return nil, w.ended()
	}
	w.how = how
	return w.over, nil
}

// conclude says how the work ended.
func (w *work) conclude(how string, undone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.how, w.undone = how, undone
	if !undone && w.temporaryChanged {
		w.temporary, w.temporaryChanged = nil, false
		w.session.releaseTemporary()
	}
}

// outcome returns how the work ended.
func (w *work) outcome() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.how
}

// drop gives up the files that are not kept. It returns those that can be
// discarded now; leave returns the others.
func (w *work) drop(kept map[string]bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var still, gone []string
	for _, path := range w.written {
		if kept[path] {
			still = append(still, path)
		} else {
			gone = append(gone, path)
		}
	}
	w.written = still
	if len(gone) > 0 && w.gone == nil {
		w.gone = make(map[string]bool, len(gone))
	}
	for _, path := range gone {
		w.gone[path] = true
	}
	if w.users > 0 {
		w.doomed = append(w.doomed, gone...)
		return nil
	}
	return gone
}

// idleSince returns for how long nothing used the work; 0 if something does.
func (w *work) idleSince(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users > 0 {
		return 0
	}
	return now.Sub(w.lastUse)
}

// timeOut closes work that changed something and was idle for longer than limit.
// It reports whether it did. What only read holds nothing but the number of its
// snapshot, and goes on.
func (w *work) timeOut(now time.Time, limit time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed := w.over != nil || w.temporaryChanged
	if w.how != "" || w.users > 0 || !changed || now.Sub(w.lastUse) <= limit {
		return false
	}
	w.how = "is being rolled back"
	return true
}

// reachable returns the keys of the files that the work may still show: now, or
// after it has returned to a savepoint.
func (w *work) reachable() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.over.Paths()
	for i := range w.savepoints {
		maps.Copy(out, w.savepoints[i].over.Paths())
	}
	return out
}
