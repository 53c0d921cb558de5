package txn

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

const (
	// idleTimeoutDefault is after how long without a statement a transaction that
	// changed something is rolled back.
	idleTimeoutDefault = 10 * time.Minute
	// forgottenAfter is when a transaction without a session is forgotten that timed
	// out, or changed nothing, and that no client ended. Those of a session end with it.
	forgottenAfter = 24 * time.Hour
	// rollBacksMax is how many transactions are rolled back at once when a server
	// stops: each waits for the store to delete its files.
	rollBacksMax = 16
)

// Store is what transactions need of the lake.
type Store interface {
	// Commit is catalog.Catalog.Commit.
	Commit(ctx context.Context, c catalog.Commit) (catalog.Result, error)
	// Discard removes objects that are in no snapshot, also if ctx has ended. What
	// fails is left to be cleaned up later.
	Discard(ctx context.Context, paths []string)
}

// Components are the parts of a Manager. All are required.
type Components struct {
	Store Store
	Clock clock.Clock
	Log   *slog.Logger
}

// Options are the settings of a Manager. The zero value is usable.
type Options struct {
	// IdleTimeout is after how long without a statement a transaction that changed
	// something is rolled back; 0 means 10 minutes.
	IdleTimeout time.Duration
	// AdminFunc tells administrators from other users; nil means that there are none.
	AdminFunc func(*auth.Identity) bool
}

// Manager begins and ends transactions, and finds those that calls belong to. Safe
// for concurrent use.
type Manager struct {
	Components
	idleTimeout time.Duration
	adminFunc   func(*auth.Identity) bool // nil: there are none
	registry    *registry
	ids         atomic.Int64 // the last id of a table that a transaction made
}

// NewManager returns a Manager without transactions.
func NewManager(c Components, o Options) *Manager {
	return &Manager{Components: c, idleTimeout: cmp.Or(o.IdleTimeout, idleTimeoutDefault), adminFunc: o.AdminFunc, registry: newRegistry()}
}

// Begin makes a transaction; it pins no snapshot and takes no lock.
//
// Errors: KindExhausted at the limit of open transactions; KindUnauthenticated if
// the session has ended.
func (m *Manager) Begin(ctx context.Context, c session.Caller) (session.TransactionID, error) {
	t := m.make(c, false)
	return t.id, m.admit(ctx, t)
}

// BeginSQL runs BEGIN, for which the caller needs a session. In a transaction that the
// protocol began and that has done nothing yet it has nothing to do.
//
// Errors: those of Begin; KindState if one is open already, or the client cannot
// have a session.
func (m *Manager) BeginSQL(ctx context.Context, c session.Caller, readOnly bool) error {
	t, err := m.registry.of(c, false)
	if err != nil {
		return err
	}
	if t == nil {
		if c.Session, err = c.Open(ctx); err != nil {
			return lake.Errorf(lake.KindOf(err), "BEGIN: %w: a client without a session uses the driver's own transactions", err)
		}
		t = m.make(c, true)
		t.work.readOnly = readOnly
		return m.admit(ctx, t)
	}
	w := t.current()
	if t.sql || !w.untouched() {
		return errOpenAlready()
	}
	if readOnly {
		w.setReadOnly()
	}
	return nil
}

func (m *Manager) make(c session.Caller, sql bool) *Transaction {
	t := &Transaction{id: session.TransactionID(uuid.NewString()), identity: c.Identity, session: c.Session, sql: sql}
	t.work = m.newWork(c.Session)
	return t
}

// newWork returns work that has done nothing, of a transaction that x began; nil
// means no session.
func (m *Manager) newWork(x *session.Session) *Work {
	return &Work{lastUse: m.Clock.Now(), session: x, ids: &m.ids}
}

// admit makes a transaction findable. A session that ends at the same moment
// takes it along.
func (m *Manager) admit(ctx context.Context, t *Transaction) error {
	admin := m.adminFunc != nil && m.adminFunc(t.identity)
	if err := m.registry.add(t, admin); err != nil || t.session == nil {
		return err
	}
	if err := t.session.Enter(); err != nil {
		m.rollBack(ctx, []*Transaction{t})
		return err
	}
	t.session.Leave()
	return nil
}

// Use returns the work that a call belongs to, in use until done is called; nil if the
// call is outside of transactions. With join, a call without an id joins the
// transaction that the protocol began in its session, if exactly one is open.
//
// Errors: KindState if the transaction has ended; KindNotFound if it is not known.
func (m *Manager) Use(ctx context.Context, c session.Caller, join bool) (w *Work, done func(), err error) {
	t, err := m.registry.of(c, join)
	if err != nil || t == nil {
		return nil, func() {}, err
	}
	return m.use(ctx, t)
}

// use returns the work of a transaction, in use until done is called.
//
// Errors: KindState if it has ended.
func (m *Manager) use(ctx context.Context, t *Transaction) (w *Work, done func(), err error) {
	w = t.current()
	m.expire(ctx, w, m.Clock.Now())
	if err := w.acquire(); err != nil {
		return nil, nil, err
	}
	return w, m.releaseFunc(ctx, w), nil
}

// Read counts a reader of what some work showed earlier, which may have ended since,
// until done is called.
//
// Errors: KindState if what it showed was rolled back.
func (m *Manager) Read(ctx context.Context, w *Work) (done func(), err error) {
	if err := w.acquireRead(); err != nil {
		return nil, err
	}
	return m.releaseFunc(ctx, w), nil
}

// Hold keeps the caller's transaction, if any, from being idle until done is
// called. A ticket does not name it.
func (m *Manager) Hold(ctx context.Context, c session.Caller) (done func()) {
	t, err := m.registry.of(c, true)
	if err != nil || t == nil {
		return func() {}
	}
	w := t.current()
	if w.acquire() != nil {
		return func() {}
	}
	return m.releaseFunc(ctx, w)
}

// releaseFunc returns the function that ends a use of some work; it may be called twice.
func (m *Manager) releaseFunc(ctx context.Context, w *Work) func() {
	return sync.OnceFunc(func() { m.discard(ctx, w.release(m.Clock.Now())) })
}

// own returns the transaction that the caller is in, and its work, in use until done is called.
//
// Errors: KindState without a transaction, or if it has ended; KindNotFound if
// it is not known.
func (m *Manager) own(ctx context.Context, c session.Caller) (*Transaction, *Work, func(), error) {
	t, err := m.registry.of(c, true)
	if err == nil && t == nil {
		err = errNoneOpen()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	w, done, err := m.use(ctx, t)
	return t, w, done, err
}

func errNoneOpen() error {
	return lake.Errorf(lake.KindState, "no transaction is open; begin one with BEGIN")
}

// End commits or rolls back a transaction, which has then ended whatever the
// result. Rolling back one that has ended is no error.
//
// Errors: KindConflict, naming the other snapshot; KindState if it has ended;
// KindNotFound if it is not known; KindIndeterminate if the outcome of the
// commit is not known.
func (m *Manager) End(ctx context.Context, c session.Caller, id session.TransactionID, commit bool) (statement.Update, error) {
	t, err := m.registry.find(id, c.Identity)
	if err != nil {
		if !commit && errors.Is(err, lake.ErrState) {
			err = nil
		}
		return statement.Update{}, err
	}
	return m.end(ctx, t, commit)
}

// EndSQL runs COMMIT and ROLLBACK. A transaction that the protocol began goes on,
// empty, because the driver goes on using it.
//
// Errors: those of End; KindState if no transaction is open.
func (m *Manager) EndSQL(ctx context.Context, c session.Caller, commit bool) (statement.Update, error) {
	t, err := m.registry.of(c, true)
	if err != nil {
		return statement.Update{}, err
	}
	if t == nil {
		return statement.Update{}, errNoneOpen()
	}
	if t.sql {
		return m.end(ctx, t, commit)
	}
	w := t.current()
	defer t.renew(w, m.newWork(t.session))
	return m.finish(ctx, w, commit)
}

// end ends a transaction for good.
func (m *Manager) end(ctx context.Context, t *Transaction, commit bool) (statement.Update, error) {
	if !m.registry.remove(t, "is being ended") {
		return statement.Update{}, lake.Errorf(lake.KindState, "transaction %s has ended", t.id)
	}
	w := t.end()
	up, err := m.finish(ctx, w, commit)
	m.registry.amend(t.id, w.outcome())
	return up, err
}

// finish commits or rolls back the work of a transaction.
//
// Errors: those of End. Rolling back what was rolled back is no error.
func (m *Manager) finish(ctx context.Context, w *Work, commit bool) (statement.Update, error) {
	m.expire(ctx, w, m.Clock.Now())
	over, err := w.close("is being ended")
	if err != nil {
		if !commit {
			return statement.Update{}, nil
		}
		return statement.Update{}, err
	}
	if !commit {
		m.rolledBack(ctx, w, "was rolled back")
		return statement.Update{}, nil
	}
	if over == nil {
		w.conclude("was committed without changes", false)
		m.discardFiles(ctx, w, nil)
		return statement.Update{Snapshot: w.Seen().Snapshot}, nil
	}
	return m.publish(ctx, w, over)
}

// publish commits the net effect of a transaction as one snapshot; without one there
// is no snapshot.
func (m *Manager) publish(ctx context.Context, w *Work, over *overlay.Overlay) (statement.Update, error) {
	base := over.Snapshot()
	up := statement.Update{Snapshot: base}
	operations, tokens := over.Operations()
	how := "was committed without changes"
	if len(operations) > 0 {
		result, err := m.Store.Commit(ctx, catalog.Commit{Base: &base, Operations: operations, Appends: tokens})
		switch {
		case errors.Is(err, lake.ErrIndeterminate):
			w.conclude("ended in a commit of which the outcome is not known", false)
			m.discardFiles(ctx, w, over.Paths())
			return statement.Update{}, err
		case err != nil:
			m.rolledBack(ctx, w, "was rolled back because its commit failed")
			return statement.Update{}, lake.Wrap(lake.KindOf(err), "commit the transaction", err)
		}
		up = statement.Update{Rows: result.Rows, Snapshot: result.Snapshot.ID}
		how = "was committed as snapshot " + strconv.FormatInt(int64(up.Snapshot), 10)
	}
	w.conclude(how, false)
	m.discardFiles(ctx, w, over.Paths())
	return up, nil
}

// rolledBack restores what the work changed and removes its files.
func (m *Manager) rolledBack(ctx context.Context, w *Work, how string) {
	w.conclude(how, true)
	w.restoreTemporary()
	m.discardFiles(ctx, w, nil)
}

// discardFiles removes the files that the work has written and that are not
// kept, at once or when nobody reads them any more.
func (m *Manager) discardFiles(ctx context.Context, w *Work, kept map[string]bool) {
	m.discard(ctx, w.drop(kept))
}

func (m *Manager) discard(ctx context.Context, paths []string) {
	if len(paths) > 0 {
		m.Store.Discard(ctx, paths)
	}
}

// EndSession rolls back the transactions of a session that ends.
func (m *Manager) EndSession(ctx context.Context, x *session.Session) {
	m.rollBack(ctx, m.registry.all(x))
}

// Open reports whether a session has open transactions.
func (m *Manager) Open(x *session.Session) bool { return len(m.registry.all(x)) > 0 }

// Close rolls back all that is open, several at a time.
func (m *Manager) Close(ctx context.Context) {
	slots := make(chan struct{}, rollBacksMax)
	var wg sync.WaitGroup
	for _, t := range m.registry.all(nil) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			m.rollBack(ctx, []*Transaction{t})
		})
	}
	wg.Wait()
}

func (m *Manager) rollBack(ctx context.Context, all []*Transaction) {
	for _, t := range all {
		if _, err := m.end(ctx, t, false); err != nil && !errors.Is(err, lake.ErrState) { // another call ended it
			m.Log.WarnContext(ctx, "roll back a transaction", slog.String("error", err.Error()))
		}
	}
}

// Sweep rolls back those that changed something and were idle for too long. They stay
// known, so that their next use fails and says why, until a client ends them.
func (m *Manager) Sweep(ctx context.Context) {
	now := m.Clock.Now()
	for _, t := range m.registry.all(nil) {
		w := t.current()
		m.expire(ctx, w, now)
		if t.session == nil && w.idleSince(now) > forgottenAfter {
			m.rollBack(ctx, []*Transaction{t})
		}
	}
}

// expire rolls work back that changed something and was idle for too long.
func (m *Manager) expire(ctx context.Context, w *Work, now time.Time) {
	if w.timeOut(now, m.idleTimeout) {
		m.rolledBack(ctx, w, "was rolled back after it was idle for "+m.idleTimeout.String())
	}
}

// OldestSnapshot returns the oldest snapshot that an open transaction reads; ok is
// false if none does.
func (m *Manager) OldestSnapshot() (oldest lake.SnapshotID, ok bool) {
	for _, t := range m.registry.all(nil) {
		seen := t.current().Seen()
		if seen.Pinned && (!ok || seen.Snapshot < oldest) {
			oldest, ok = seen.Snapshot, true
		}
	}
	return oldest, ok
}
