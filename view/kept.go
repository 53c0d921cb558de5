package view

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// Limits of the views that are kept for the tickets of queries.
const (
	// viewLifetime is how long a ticket can be redeemed that reads what a
	// transaction did or temporary tables.
	viewLifetime = time.Hour
	// keptViewsMax bounds the views; the oldest gives way.
	keptViewsMax = 10_000
)

// keptViews are the views of queries that read more than a snapshot. Safe for
// concurrent use.
type keptViews struct {
	lifetime time.Duration

	mu    sync.Mutex
	byID  map[statement.ViewID]keptView // guarded by mu
	order []statement.ViewID            // oldest first; some may be forgotten; guarded by mu
}

type keptView struct {
	view    *View
	expires time.Time
}

func newKeptViews(lifetime time.Duration) *keptViews {
	return &keptViews{lifetime: lifetime, byID: map[statement.ViewID]keptView{}}
}

// keep makes a view findable and returns its name.
func (k *keptViews) keep(v *View, now time.Time) statement.ViewID {
	id := statement.ViewID(uuid.NewString())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID[id] = keptView{view: v, expires: now.Add(k.lifetime)}
	k.order = append(k.order, id)
	for len(k.order) > keptViewsMax {
		delete(k.byID, k.order[0])
		k.order = k.order[1:]
	}
	return id
}

// find returns a view of a user.
//
// Errors: KindNotFound if it is not known, its time or its session has ended, or
// it is another user's.
func (k *keptViews) find(id statement.ViewID, of *auth.Identity, now time.Time) (*View, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	kept, ok := k.byID[id]
	if !ok || now.After(kept.expires) || !kept.view.Caller.Identity.Same(of) {
		return nil, lake.Errorf(lake.KindNotFound,
			"what the query read in its transaction or session is not kept any more; run it again")
	}
	return kept.view, nil
}

// forget drops the views of a session.
func (k *keptViews) forget(x *session.Session) {
	k.drop(func(v keptView) bool { return v.view.Caller.Session == x })
}

// sweep drops the views whose time has ended.
func (k *keptViews) sweep(now time.Time) {
	k.drop(func(v keptView) bool { return now.After(v.expires) })
}

func (k *keptViews) drop(which func(keptView) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	kept := k.order[:0]
	for _, id := range k.order {
		v, ok := k.byID[id]
		if ok && which(v) {
			delete(k.byID, id)
			ok = false
		}
		if ok {
			kept = append(kept, id)
		}
	}
	k.order = kept
}
