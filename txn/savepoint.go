package txn

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

const (
	// savepointsMax bounds the savepoints of a transaction that are not released.
	savepointsMax = 10_000
	// savepointBytesMax bounds the name of a savepoint.
	savepointBytesMax = 256
)

// savepoint is a place in a transaction to return to.
type savepoint struct {
	number    int // from 1 on, in the order of their making
	name      string
	over      *overlay.Overlay
	temporary *overlay.Overlay // of the session
}

// save makes a savepoint of what the work did so far and returns its number.
//
// Errors: KindInvalid for a name that is too long; KindState if the work has ended;
// KindExhausted.
func (w *Work) save(name string) (int, error) {
	if len(name) > savepointBytesMax {
		return 0, lake.Errorf(lake.KindInvalid, "the name of a savepoint has %d bytes; %d are possible", len(name), savepointBytesMax)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var temporary *overlay.Overlay
	if w.session != nil {
		temporary = w.session.Temporary()
	}
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
func (w *Work) endSavepoint(name string, match func(savepoint) bool, release bool) error {
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
			w.session.SetTemporary(sp.temporary.Clipped())
		}
		return nil
	}
	return lake.Errorf(lake.KindNotFound, "savepoint %q does not exist in the transaction", name)
}

// Savepoint marks a place in the caller's transaction.
//
// Errors: KindState without a transaction or if it has ended; KindNotFound if it
// is not known; KindInvalid for a name of more than 256 bytes; KindExhausted at the limit of savepoints.
func (m *Manager) Savepoint(ctx context.Context, c session.Caller, name string) (statement.SavepointID, error) {
	t, w, done, err := m.own(ctx, c)
	if err != nil {
		return "", err
	}
	defer done()
	number, err := w.save(name)
	if err != nil {
		return "", err
	}
	return statement.SavepointID(string(t.id) + "/" + strconv.Itoa(number)), nil
}

// EndSavepoint releases the savepoint that Savepoint named and those made after it,
// or rolls back to it.
//
// Errors: KindNotFound if it is not known, was released, or lies after one that
// was rolled back to; KindState if the transaction has ended.
func (m *Manager) EndSavepoint(ctx context.Context, c session.Caller, id statement.SavepointID, release bool) error {
	of, number, ok := strings.Cut(string(id), "/")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return lake.Errorf(lake.KindNotFound, "savepoint %q is not known", string(id))
	}
	c.Transaction = session.TransactionID(of)
	return m.endSavepoint(ctx, c, string(id), func(sp savepoint) bool { return sp.number == n }, release)
}

// EndNamed is EndSavepoint for the last savepoint of the caller's transaction that has
// a name, compared without case.
func (m *Manager) EndNamed(ctx context.Context, c session.Caller, name string, release bool) error {
	return m.endSavepoint(ctx, c, name, func(sp savepoint) bool { return strings.EqualFold(sp.name, name) }, release)
}

func (m *Manager) endSavepoint(ctx context.Context, c session.Caller, name string, match func(savepoint) bool, release bool) error {
	_, w, done, err := m.own(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	if err := w.endSavepoint(name, match, release); err != nil {
		return err
	}
	if !release {
		m.discard(ctx, w.dropUnreachable())
	}
	return nil
}
