package txn

import (
	"maps"
	"slices"
	"sync"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

// Limits of transactions.
const (
	// transactionsMax bounds the open transactions; one that changed nothing takes
	// about 500 bytes.
	transactionsMax = 100_000
	// tombstonesMax bounds the ended transactions of which it is known how they ended.
	tombstonesMax = 10_000
)

// Transaction is what a client began, by the protocol or by SQL. Its work may be
// ended and begun anew by SQL while the protocol holds on to its id.
type Transaction struct {
	id       session.TransactionID
	identity *auth.Identity
	session  *session.Session // nil: none
	sql      bool             // begun by SQL

	mu    sync.Mutex
	work  *Work // never nil; guarded by mu
	ended bool  // no work follows; guarded by mu
}

// current returns the work that statements belong to now.
func (t *Transaction) current() *Work {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.work
}

// renew lets the next statement begin new work after some that is over, unless the
// transaction has ended or another call did so: nobody would end the work that is lost.
func (t *Transaction) renew(over, next *Work) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && t.work == over {
		t.work = next
	}
}

// end returns the last work of the transaction.
func (t *Transaction) end() *Work {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	return t.work
}

// tombstone says how a transaction ended.
type tombstone struct {
	identity *auth.Identity
	text     string // such as "was rolled back"
}

// registry holds the transactions that are open, and how others ended, so that a
// client that is late learns what became of its own. Safe for concurrent use: mu is
// held for look-ups only, never while a transaction ends.
type registry struct {
	mu         sync.Mutex
	shares     *auth.Shares                              // of what is open; guarded by mu
	open       map[session.TransactionID]*Transaction    // guarded by mu
	bySession  map[*session.Session]*sessionTransactions // guarded by mu
	tombstones map[session.TransactionID]tombstone       // guarded by mu
	order      []session.TransactionID                   // of tombstones, oldest first; guarded by mu
}

// sessionTransactions are those that are open in one session.
type sessionTransactions struct {
	sql      *Transaction
	protocol []*Transaction
}

func newRegistry() *registry {
	return &registry{
		shares: auth.NewShares("transactions are open", transactionsMax),
		open:   map[session.TransactionID]*Transaction{}, bySession: map[*session.Session]*sessionTransactions{},
		tombstones: map[session.TransactionID]tombstone{},
	}
}

// add makes a transaction findable.
//
// Errors: KindExhausted at the limit, or the user's share of it; KindState for a second one of SQL in a session.
func (r *registry) add(t *Transaction, admin bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if of := r.bySession[t.session]; t.session != nil && of != nil && t.sql && of.sql != nil {
		return errOpenAlready()
	}
	if err := r.shares.Take(t.identity, admin); err != nil {
		return err
	}
	if t.session != nil {
		of := r.bySession[t.session]
		if of == nil {
			of = &sessionTransactions{}
			r.bySession[t.session] = of
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
func (r *registry) remove(t *Transaction, how string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[t.id] != t {
		return false
	}
	delete(r.open, t.id)
	r.shares.Give(t.identity)
	if of := r.bySession[t.session]; t.session != nil && of != nil {
		if of.sql == t {
			of.sql = nil
		}
		of.protocol = slices.DeleteFunc(of.protocol, func(o *Transaction) bool { return o == t })
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
func (r *registry) amend(id session.TransactionID, how string) {
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
func (r *registry) find(id session.TransactionID, of *auth.Identity) (*Transaction, error) {
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
func (r *registry) of(c session.Caller, join bool) (*Transaction, error) {
	if c.Transaction != "" {
		return r.find(c.Transaction, c.Identity)
	}
	if c.Session == nil {
		return nil, nil // a call outside of transactions is the usual case
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.bySession[c.Session]
	switch {
	case of == nil:
		return nil, nil
	case of.sql != nil:
		return of.sql, nil
	case join && len(of.protocol) == 1:
		return of.protocol[0], nil
	}
	return nil, nil
}

// all returns the open transactions, of one session if x is not nil.
func (r *registry) all(x *session.Session) []*Transaction {
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
