package txn

import (
	"iter"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
	"github.com/flightlake/flightlake/session"
)

// Work is what a transaction sees and did between its beginning and its end. Its
// statements may run at the same time. It takes no memory to speak of, and no
// snapshot, until the first of them.
type Work struct {
	session *session.Session // nil: none
	ids     *atomic.Int64    // of new tables, see overlay.Options

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
	removed          map[string]bool // keys of those that it gave up; guarded by mu
	pendingDeletes   []string        // of those, what is deleted after the last reader; guarded by mu
	users            int             // statements and readers at work; guarded by mu
	lastUse          time.Time       // guarded by mu
	how              string          // how it ended, such as "was rolled back"; empty while it is open; guarded by mu
	undone           bool            // it was rolled back; guarded by mu
}

// acquire counts a statement that belongs to the work, until release.
//
// Errors: KindState if it has ended.
func (w *Work) acquire() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.how != "" {
		return w.ended()
	}
	w.users++
	return nil
}

// ended is the error for using what has ended. The caller holds mu.
func (w *Work) ended() error {
	return lake.Errorf(lake.KindState, "the transaction %s", w.how)
}

// acquireRead counts a reader of a view of the work, which may have ended since,
// until release.
//
// Errors: KindState if what the view shows was rolled back.
func (w *Work) acquireRead() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.undone {
		return lake.Errorf(lake.KindState, "what the query reads is gone: the transaction %s", w.how)
	}
	w.users++
	return nil
}

// Check refuses to read files which the work gave up before its reader was counted.
// files yields their keys with the tables that they belong to.
//
// Errors: KindState.
func (w *Work) Check(files iter.Seq2[string, *lake.Table]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.removed) == 0 {
		return nil
	}
	for path, table := range files {
		if w.removed[path] {
			return lake.Errorf(lake.KindState, "what the query reads of table %q is gone: the transaction dropped it or returned to a savepoint",
				table.Name)
		}
	}
	return nil
}

// release ends what acquire or acquireRead counted. It returns the files that nobody
// reads any more, which the caller discards.
func (w *Work) release(now time.Time) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users--
	w.lastUse = now
	if w.users > 0 {
		return nil
	}
	deletes := w.pendingDeletes
	w.pendingDeletes = nil
	return deletes
}

// Pin fixes the snapshot that the work sees, unless that is done.
func (w *Work) Pin(state *lake.State, id lake.SnapshotID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.pinned {
		w.pinned, w.base, w.snapshot = true, state, id
	}
}

// Seen is what some work sees.
type Seen struct {
	Pinned   bool // else the fields below are zero
	Snapshot lake.SnapshotID
	Base     *lake.State      // of the snapshot
	Over     *overlay.Overlay // what the work changed; nil if nothing
}

// Seen returns what the work sees now.
func (w *Work) Seen() Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Seen{Pinned: w.pinned, Snapshot: w.snapshot, Base: w.base, Over: w.over}
}

// Session returns the session in which the work's transaction began; nil if none.
func (w *Work) Session() *session.Session { return w.session }

// untouched reports whether the work has done nothing yet.
func (w *Work) untouched() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.pinned && len(w.savepoints) == 0 && !w.temporaryChanged && w.how == ""
}

// setReadOnly makes the work refuse changes.
func (w *Work) setReadOnly() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readOnly = true
}

// Writable refuses changes in work that is read-only.
//
// Errors: KindState.
func (w *Work) Writable() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mayWrite()
}

func (w *Work) mayWrite() error {
	if w.readOnly {
		return lake.Errorf(lake.KindState, "the transaction is read-only and refuses changes")
	}
	return nil
}

// mayChange is Writable for work that must not have ended. The caller holds mu.
func (w *Work) mayChange() error {
	if err := w.mayWrite(); err != nil || w.how == "" {
		return err
	}
	return w.ended()
}

// Swap is a change of a session's temporary tables.
type Swap struct{ Before, After *overlay.Overlay }

// Apply changes what the following statements see: the lake as c says, and the
// temporary tables of the session as swap does, unless it is nil. It is atomic: if it
// fails, nothing has changed. done is false, and nothing has changed, if the temporary
// tables are not those of swap.Before any more.
//
// Errors: those of overlay.Overlay.Apply; KindState if the work has ended or is
// read-only; KindUnauthenticated if the session has ended.
func (w *Work) Apply(c catalog.Commit, swap *Swap) (result catalog.Result, done bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.mayChange(); err != nil {
		return catalog.Result{}, false, err
	}
	next := w.over
	if len(c.Operations) > 0 {
		if next == nil {
			next = overlay.New(w.base, w.snapshot, overlay.Options{IDs: w.ids, Origin: lake.OriginTransaction})
		}
		if next, result, err = next.Apply(c); err != nil || result.Replayed {
			return result, true, err
		}
	}
	if swap != nil {
		if done, err := w.swapTemporary(*swap); !done || err != nil {
			return catalog.Result{}, done, err
		}
	}
	w.over = next
	w.written = append(w.written, pathsOf(c)...)
	return result, true, nil
}

// pathsOf returns the keys of the files that a commit adds.
func pathsOf(c catalog.Commit) []string {
	var out []string
	add := func(files []lake.DataFile) {
		for i := range files {
			out = append(out, files[i].Path)
		}
	}
	for _, op := range c.Operations {
		switch op := op.(type) {
		case catalog.CreateTable:
			add(op.Files)
		case catalog.AddFiles:
			add(op.Files)
		}
	}
	return out
}

// swapTemporary replaces the session's temporary tables as session.Session.SwapTemporary
// does, and remembers those of before the first change. The caller holds mu, and has
// made sure that the work has not ended: nothing would take the change back.
func (w *Work) swapTemporary(s Swap) (bool, error) {
	done, err := w.session.SwapTemporary(w, s.Before, s.After)
	if done && !w.temporaryChanged {
		w.temporary, w.temporaryChanged = s.Before, true
		w.session.HoldTemporary()
	}
	return done, err
}

// restoreTemporary gives the session the temporary tables that it had when the
// work began.
func (w *Work) restoreTemporary() {
	w.mu.Lock()
	before, changed := w.temporary, w.temporaryChanged
	w.temporary, w.temporaryChanged = nil, false
	w.mu.Unlock()
	if changed && w.session != nil {
		w.session.SetTemporary(before.Clipped())
		w.session.ReleaseTemporary()
	}
}

// close ends the work and returns what it changed, nil if nothing.
//
// Errors: KindState if it has ended.
func (w *Work) close(how string) (*overlay.Overlay, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.how != "" {
		return nil, w.ended()
	}
	w.how = how
	return w.over, nil
}

// conclude says how the work ended.
func (w *Work) conclude(how string, undone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.how, w.undone = how, undone
	if !undone && w.temporaryChanged {
		w.temporary, w.temporaryChanged = nil, false
		w.session.ReleaseTemporary()
	}
}

// outcome returns how the work ended.
func (w *Work) outcome() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.how
}

// drop gives up the files that are not kept. It returns those that can be
// discarded now; release returns the others.
func (w *Work) drop(kept map[string]bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropAllBut(kept)
}

// dropUnreachable is drop for the files that the work shows no more, now or after it has
// returned to a savepoint. Statements may add files at the same time.
func (w *Work) dropUnreachable() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropAllBut(w.reachable())
}

// dropAllBut is drop for a caller that holds mu.
func (w *Work) dropAllBut(kept map[string]bool) []string {
	var still, removed []string
	for _, path := range w.written {
		if kept[path] {
			still = append(still, path)
		} else {
			removed = append(removed, path)
		}
	}
	w.written = still
	if len(removed) > 0 && w.removed == nil {
		w.removed = make(map[string]bool, len(removed))
	}
	for _, path := range removed {
		w.removed[path] = true
	}
	if w.users > 0 {
		w.pendingDeletes = append(w.pendingDeletes, removed...)
		return nil
	}
	return removed
}

// idleSince returns for how long nothing used the work; 0 if something does.
func (w *Work) idleSince(now time.Time) time.Duration {
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
func (w *Work) timeOut(now time.Time, limit time.Duration) bool {
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
// after it has returned to a savepoint. The caller holds mu.
func (w *Work) reachable() map[string]bool {
	out := w.over.Paths()
	for i := range w.savepoints {
		maps.Copy(out, w.savepoints[i].over.Paths())
	}
	return out
}
