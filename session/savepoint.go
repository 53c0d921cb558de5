package session

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// savepointsMax bounds the savepoints of a transaction that are not released.
const savepointsMax = 10_000

// savepoint is a place in a transaction to return to.
type savepoint struct {
	number    int // from 1 on, in the order of their making
	name      string
	over      *overlay.Overlay
	temporary *overlay.Overlay // of the session
}

// save makes a savepoint of what the work did so far and returns its number.
//
// Errors: KindState if the work has ended; KindExhausted.
func (w *work) save(name string) (int, error) {
	var temporary *overlay.Overlay
	if w.session != nil {
		temporary = w.session.temporary()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.how != "" {
		return 0, w.ended()
	}
	if len(w.savepoints) >= savepointsMax {
		return 0, lake.Errorf(lake.KindExhausted, "the transaction has %d savepoints, which is the limit; release some", len(w.savepoints))
	}
	w.made++
	w.savepoints = append(w.savepoints, savepoint{number: w.made, name: name, over: w.over, temporary: temporary})
	return w.made, nil
}

// endSavepoint releases the last savepoint for which match is true, and those made after it;
// or else it returns to it and keeps it, but not those made after it.
//
// Errors: KindNotFound; KindState if the work has ended.
func (w *work) endSavepoint(name string, match func(savepoint) bool, release bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.how != "" {
		return w.ended()
	}
	for i, sp := range slices.Backward(w.savepoints) {
		if !match(sp) {
			continue
		}
		if release {
			w.savepoints = w.savepoints[:i]
			return nil
		}
		w.savepoints = w.savepoints[:i+1]
		w.over = sp.over.Clipped()
		if w.temporaryChanged && w.session != nil {
			w.session.setTemporary(sp.temporary.Clipped())
		}
		return nil
	}
	return lake.Errorf(lake.KindNotFound, "savepoint %q does not exist in the transaction", name)
}

// savepointKey is the name of a savepoint to the protocol: the transaction's id
// and a number.
func savepointKey(t *transaction, number int) SavepointID {
	return SavepointID(string(t.id) + "/" + strconv.Itoa(number))
}

// Savepoint marks a place in the caller's transaction.
//
// Errors: KindState without a transaction or if it has ended; KindNotFound if it
// is not known.
func (s *Service) Savepoint(ctx context.Context, c Caller, name string) (SavepointID, error) {
	t, w, done, err := s.own(ctx, c)
	if err != nil {
		return "", err
	}
	defer done()
	number, err := w.save(name)
	if err != nil {
		return "", err
	}
	return savepointKey(t, number), nil
}

// EndSavepoint releases the savepoint and those made after it, or rolls back to it.
//
// Errors: KindNotFound if it is not known, was released, or lies after one that
// was rolled back to; KindState if the transaction has ended.
func (s *Service) EndSavepoint(ctx context.Context, c Caller, id SavepointID, release bool) error {
	of, number, ok := strings.Cut(string(id), "/")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return lake.Errorf(lake.KindNotFound, "savepoint %q is not known", string(id))
	}
	c.Transaction = TransactionID(of)
	_, w, done, err := s.own(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	return s.endSavepoint(ctx, w, string(id), func(sp savepoint) bool { return sp.number == n }, release)
}

func (s *Service) endSavepoint(ctx context.Context, w *work, name string, match func(savepoint) bool, release bool) error {
	if err := w.endSavepoint(name, match, release); err != nil {
		return err
	}
	if !release {
		s.discardFiles(ctx, w, w.reachable())
	}
	return nil
}

// own returns the transaction that the caller is in, and its work, in use until done is called.
//
// Errors: KindState without a transaction, or if it has ended; KindNotFound if
// it is not known.
func (s *Service) own(ctx context.Context, c Caller) (*transaction, *work, func(), error) {
	t, err := s.transactions.of(c, true)
	if err == nil && t == nil {
		err = lake.Errorf(lake.KindState, "no transaction is open; begin one with BEGIN")
	}
	if err != nil {
		return nil, nil, nil, err
	}
	w, done, err := s.useWork(ctx, t)
	return t, w, done, err
}

// transact runs BEGIN, COMMIT, ROLLBACK and the statements about savepoints.
//
// Errors: KindState if the transaction is not in a state for it; those of End.
func (s *Service) transact(ctx context.Context, c Caller, st *sqltext.Transaction) (Update, error) {
	switch st.Action {
	case sqltext.ActionBegin:
		return Update{}, s.beginSQL(ctx, c, st.ReadOnly)
	case sqltext.ActionCommit, sqltext.ActionRollback:
		return s.endSQL(ctx, c, st.Action == sqltext.ActionCommit)
	case sqltext.ActionSavepoint, sqltext.ActionRelease, sqltext.ActionRollbackTo:
	}
	_, w, done, err := s.own(ctx, c)
	if err != nil {
		return Update{}, err
	}
	defer done()
	if st.Action == sqltext.ActionSavepoint {
		_, err := w.save(st.Savepoint)
		return Update{}, err
	}
	match := func(sp savepoint) bool { return strings.EqualFold(sp.name, st.Savepoint) }
	return Update{}, s.endSavepoint(ctx, w, st.Savepoint, match, st.Action == sqltext.ActionRelease)
}

// beginSQL runs BEGIN. In a transaction that the protocol began and that has
// done nothing yet it has nothing to do.
func (s *Service) beginSQL(ctx context.Context, c Caller, readOnly bool) error {
	t, err := s.transactions.of(c, false)
	if err != nil {
		return err
	}
	if t == nil {
		if c.Session, err = c.Open(ctx); err != nil {
			return lake.Errorf(lake.KindOf(err), "BEGIN: %w: a client without a session uses the driver's own transactions", err)
		}
		t = s.newTransaction(c, true)
		t.work.readOnly = readOnly
		return s.admit(ctx, t)
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

// endSQL runs COMMIT and ROLLBACK. A transaction that the protocol began goes on,
// empty, because the driver goes on using it.
func (s *Service) endSQL(ctx context.Context, c Caller, commit bool) (Update, error) {
	t, err := s.transactions.of(c, true)
	if err != nil {
		return Update{}, err
	}
	if t == nil {
		return Update{}, lake.Errorf(lake.KindState, "no transaction is open; begin one with BEGIN")
	}
	if t.sql {
		return s.end(ctx, t, commit)
	}
	w := t.current()
	defer t.renew(s.newWork(t.session))
	return s.finish(ctx, w, commit)
}
