package session

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
)

// Limits of transactions.
const (
	// transactionIdleTimeoutDefault is after how long without a statement a
	// transaction that changed something is rolled back.
	transactionIdleTimeoutDefault = 10 * time.Minute
	// transactionsMax bounds the open transactions; one that changed nothing takes
	// about 500 bytes.
	transactionsMax = 100_000
	// transactionForgottenAfter is when one without a session is forgotten that
	// timed out, or changed nothing, and that no client ended. Those of a session
	// end with it.
	transactionForgottenAfter = 24 * time.Hour
	// tombstonesMax bounds the ended transactions of which it is known how they ended.
	tombstonesMax = 10_000
)

// transaction is what a client began, by the protocol or by SQL. Its work may be
// ended and begun anew by SQL while the protocol holds on to its id.
type transaction struct {
	id       TransactionID
	identity *auth.Identity
	session  *Session // nil: none
	sql      bool     // begun by SQL

	mu   sync.Mutex
	work *work // never nil; guarded by mu
}

// current returns the work that statements belong to now.
func (t *transaction) current() *work {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.work
}

// renew lets the next statement begin new work.
func (t *transaction) renew(w *work) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.work = w
}

// tombstone tells how a transaction ended.
type tombstone struct {
	identity *auth.Identity
	text     string // such as "was rolled back"
}

// transactions are those that are open, and how others ended. Safe for
// concurrent use.
type transactions struct {
	mu         sync.Mutex
	open       map[TransactionID]*transaction    // guarded by mu
	bySession  map[*Session]*sessionTransactions // guarded by mu
	tombstones map[TransactionID]tombstone       // guarded by mu
	order      []TransactionID                   // of tombstones, oldest first; guarded by mu
}

// sessionTransactions are those that are open in one session.
type sessionTransactions struct {
	sql      *transaction
	protocol []*transaction
}

func newTransactions() *transactions {
	return &transactions{
		open: map[TransactionID]*transaction{}, bySession: map[*Session]*sessionTransactions{},
		tombstones: map[TransactionID]tombstone{},
	}
}

// add makes a transaction findable.
//
// Errors: KindExhausted at the limit; KindState for a second one of SQL in a session.
func (r *transactions) add(t *transaction) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open) >= transactionsMax {
		return lake.Errorf(lake.KindExhausted, "%d transactions are open, which is the limit; end some", len(r.open))
	}
	if t.session != nil {
		of := r.bySession[t.session]
		switch {
		case of == nil:
			of = &sessionTransactions{}
			r.bySession[t.session] = of
		case t.sql && of.sql != nil:
			return errOpenAlready()
		}
		if t.sql {
			of.sql = t
		} else {
			of.protocol = append(of.protocol, t)
		}
	}
	r.open[t.id] = t
	return nil
}

func errOpenAlready() error {
	return lake.Errorf(lake.KindState, "a transaction is open already; end it with COMMIT or ROLLBACK before BEGIN, or use SAVEPOINT")
}

// remove forgets a transaction but for how it ended. It reports false for one
// that is not known any more.
func (r *transactions) remove(t *transaction, how string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[t.id] != t {
		return false
	}
	delete(r.open, t.id)
	if of := r.bySession[t.session]; t.session != nil && of != nil {
		if of.sql == t {
			of.sql = nil
		}
		of.protocol = slices.DeleteFunc(of.protocol, func(o *transaction) bool { return o == t })
		if of.sql == nil && len(of.protocol) == 0 {
			delete(r.bySession, t.session)
		}
	}
	if t.sql {
		return true // no client knows its id
	}
	r.tombstones[t.id] = tombstone{identity: t.identity, text: how}
	r.order = append(r.order, t.id)
	if len(r.order) > tombstonesMax {
		delete(r.tombstones, r.order[0])
		r.order = r.order[1:]
	}
	return true
}

// amend says how a transaction ended once that is known.
func (r *transactions) amend(id TransactionID, how string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.tombstones[id]; ok {
		t.text = how
		r.tombstones[id] = t
	}
}

// find returns an open transaction of a user.
//
// Errors: KindState, saying how it ended; KindNotFound if it is not known, or
// another user's.
func (r *transactions) find(id TransactionID, of *auth.Identity) (*transaction, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.open[id]; ok && t.identity.Same(of) {
		return t, nil
	}
	if t, ok := r.tombstones[id]; ok && t.identity.Same(of) {
		return nil, lake.Errorf(lake.KindState, "transaction %s has ended: it %s", id, t.text)
	}
	return nil, lake.Errorf(lake.KindNotFound, "transaction %s is not known", id)
}

// of returns the transaction that a call belongs to, nil if none. With join, a
// call without an id joins the one that the protocol began in the session, if
// exactly one is open.
//
// Errors: those of find.
func (r *transactions) of(c Caller, join bool) (*transaction, error) {
	if c.Transaction != "" {
		return r.find(c.Transaction, c.Identity)
	}
	if c.Session == nil {
		return nil, nil //nolint:nilnil // a call outside of transactions is the usual case
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.bySession[c.Session]
	switch {
	case of == nil:
		return nil, nil //nolint:nilnil // as above
	case of.sql != nil:
		return of.sql, nil
	case join && len(of.protocol) == 1:
		return of.protocol[0], nil
	}
	return nil, nil //nolint:nilnil // as above
}

// all returns the open transactions, of one session if x is not nil.
func (r *transactions) all(x *Session) []*transaction {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x == nil {
		return slices.Collect(maps.Values(r.open))
	}
	of := r.bySession[x]
	if of == nil {
		return nil
	}
	out := slices.Clone(of.protocol)
	if of.sql != nil {
		out = append(out, of.sql)
	}
	return out
}

// Begin makes a transaction; it pins no snapshot and takes no lock.
//
// Errors: KindExhausted at the limit of open transactions; KindUnauthenticated if
// the session has ended.
func (s *Service) Begin(ctx context.Context, c Caller) (TransactionID, error) {
	t := s.newTransaction(c, false)
	return t.id, s.admit(ctx, t)
}

// admit makes a transaction findable. A session that ends at the same moment
// takes it along.
func (s *Service) admit(ctx context.Context, t *transaction) error {
	if err := s.transactions.add(t); err != nil || t.session == nil {
		return err
	}
	if !t.session.enter() {
		s.rollBack(ctx, []*transaction{t})
		return errSessionEnded()
	}
	t.session.leave()
	return nil
}

func (s *Service) newTransaction(c Caller, sql bool) *transaction {
	t := &transaction{id: TransactionID(uuid.NewString()), identity: c.Identity, session: c.Session, sql: sql}
	t.work = s.newWork(c.Session)
	return t
}

// newWork returns work that has done nothing, of a transaction that x began; nil
// means no session.
func (s *Service) newWork(x *Session) *work {
	return &work{lastUse: s.Clock.Now(), session: x, ids: &s.newIDs}
}

// End commits or rolls back a transaction, which has then ended whatever the
// result. Rolling back one that has ended is no error.
//
// Errors: KindConflict, naming the other snapshot; KindState if it has ended;
// KindNotFound if it is not known; KindIndeterminate if the outcome of the
// commit is not known.
func (s *Service) End(ctx context.Context, c Caller, id TransactionID, commit bool) (Update, error) {
	t, err := s.transactions.find(id, c.Identity)
	if err != nil {
		if !commit && errors.Is(err, lake.ErrState) {
			err = nil
		}
		return Update{}, err
	}
	return s.end(ctx, t, commit)
}

// end ends a transaction for good.
func (s *Service) end(ctx context.Context, t *transaction, commit bool) (Update, error) {
	w := t.current()
	if !s.transactions.remove(t, "is being ended") {
		return Update{}, lake.Errorf(lake.KindState, "transaction %s has ended", t.id)
	}
	up, err := s.finish(ctx, w, commit)
	s.transactions.amend(t.id, w.outcome())
	return up, err
}

// finish commits or rolls back the work of a transaction.
//
// Errors: those of End. Rolling back what was rolled back is no error.
func (s *Service) finish(ctx context.Context, w *work, commit bool) (Update, error) {
	s.expire(ctx, w, s.Clock.Now())
	over, err := w.close("is being ended")
	if err != nil {
		if !commit {
			return Update{}, nil
		}
		return Update{}, err
	}
	if !commit {
		s.rolledBack(ctx, w, "was rolled back")
		return Update{}, nil
	}
	if over == nil {
		w.conclude("was committed without changes", false)
		s.discardFiles(ctx, w, nil)
		_, id, _, _ := w.seen()
		return Update{Snapshot: id}, nil
	}
	return s.publishWork(ctx, w, over)
}

// publishWork commits the net effect of a transaction as one snapshot; without
// one there is no snapshot.
func (s *Service) publishWork(ctx context.Context, w *work, over *overlay.Overlay) (Update, error) {
	up := Update{Snapshot: over.Snapshot()}
	operations, tokens := over.Operations()
	how := "was committed without changes"
	if len(operations) > 0 {
		base := over.Snapshot()
		result, err := s.Catalog.Commit(ctx, catalog.Commit{Base: &base, Operations: operations, Appends: tokens})
		switch {
		case errors.Is(err, lake.ErrIndeterminate):
			w.conclude("ended in a commit of which the outcome is not known", false)
			return Update{}, err
		case err != nil:
			s.rolledBack(ctx, w, "was rolled back because its commit failed")
			return Update{}, lake.Wrap(lake.KindOf(err), "commit the transaction", err)
		}
		up = Update{Rows: result.Rows, Snapshot: result.Snapshot.ID}
		how = "was committed as snapshot " + strconv.FormatInt(int64(up.Snapshot), 10)
	}
	w.conclude(how, false)
	s.discardFiles(ctx, w, over.Paths())
	return up, nil
}

// rolledBack restores what the work changed and removes its files.
func (s *Service) rolledBack(ctx context.Context, w *work, how string) {
	w.conclude(how, true)
	w.restoreTemporary()
	s.discardFiles(ctx, w, nil)
}

// discardFiles removes the files that the work has written and that are not
// kept, at once or when nobody reads them any more.
func (s *Service) discardFiles(ctx context.Context, w *work, kept map[string]bool) {
	s.discardLater(ctx, w.drop(kept))
}

// endSession rolls back the transactions of a session that ends, and forgets
// the views of its queries.
func (s *Service) endSession(ctx context.Context, x *Session) {
	s.rollBack(ctx, s.transactions.all(x))
	s.views.forget(x)
}

// rollBackAll rolls back all that is open, when the service closes.
func (s *Service) rollBackAll(ctx context.Context) { s.rollBack(ctx, s.transactions.all(nil)) }

func (s *Service) rollBack(ctx context.Context, all []*transaction) {
	for _, t := range all {
		if _, err := s.end(ctx, t, false); err != nil {
			s.Log.WarnContext(ctx, "roll back a transaction", slog.String("error", err.Error()))
		}
	}
}

// sweepTransactions rolls back those that changed something and were idle for too
// long. They stay known, so that their next use fails and says why, until a client
// ends them.
func (s *Service) sweepTransactions(ctx context.Context, now time.Time) {
	for _, t := range s.transactions.all(nil) {
		w := t.current()
		s.expire(ctx, w, now)
		if t.session == nil && w.idleSince(now) > transactionForgottenAfter {
			s.rollBack(ctx, []*transaction{t})
		}
	}
	s.views.sweep(now)
}

// expire rolls work back that changed something and was idle for too long.
func (s *Service) expire(ctx context.Context, w *work, now time.Time) {
	if w.timeOut(now, s.idleTimeout) {
		s.rolledBack(ctx, w, "was rolled back after it was idle for "+s.idleTimeout.String())
	}
}
