package session

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/internal/clock"
)

// unusedMin is how long a session must not have been used to give way to another.
const unusedMin = time.Minute

// Defaults of Options.
const (
	sessionsMaxDefault    = 10_000
	idleTimeoutDefault    = 8 * time.Hour
	temporaryBytesDefault = 256 << 20
)

// Options are the limits of a Registry and its sessions. The zero value is usable.
type Options struct {
	// SessionsMax is the number of open sessions, beyond which those give way that
	// keep nothing; 0 means 10,000. See auth.Shares for how many of them one user may open.
	SessionsMax int
	// AdminFunc tells administrators from other users; nil means that there are none.
	AdminFunc func(*auth.Identity) bool
	// IdleTimeout is how long a session may be unused; 0 means 8 hours.
	IdleTimeout time.Duration
	// TemporaryBytesMax bounds the files of the temporary tables of one session;
	// 0 means 256 MiB.
	TemporaryBytesMax int64
	// StatementTimeout ends statements that take longer, unless their session sets
	// another; 0 means never.
	StatementTimeout time.Duration
}

func (o Options) withDefaults() Options {
	o.SessionsMax = cmp.Or(o.SessionsMax, sessionsMaxDefault)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, idleTimeoutDefault)
	o.TemporaryBytesMax = cmp.Or(o.TemporaryBytesMax, temporaryBytesDefault)
	return o
}

// Registry holds the open sessions. Safe for concurrent use.
//
// A session is found by its id, which is all that its client knows. mu is held for
// look-ups only: what ends together with a session is ended by the caller of Remove
// after it, without mu, because that takes a while.
type Registry struct {
	clock   clock.Clock
	options Options
	files   *TemporaryFiles
	// temporaryIDs is the last id of a temporary table.
	temporaryIDs atomic.Int64

	mu     sync.Mutex
	open   map[ID]*Session // guarded by mu
	shares *auth.Shares    // of what is open; guarded by mu
}

// NewRegistry returns a Registry without sessions.
func NewRegistry(c clock.Clock, o Options) *Registry {
	r := &Registry{clock: c, options: o.withDefaults(), files: newTemporaryFiles(), open: map[ID]*Session{}}
	r.shares = auth.NewShares("sessions are open", r.options.SessionsMax)
	r.temporaryIDs.Store(temporaryIDs)
	return r
}

// Open begins a session of an identity.
//
// Errors: KindExhausted at the limit of sessions, or the user's share of it.
func (r *Registry) Open(of *auth.Identity) (*Session, error) {
	x := newSession(r, of)
	admin := r.options.AdminFunc != nil && r.options.AdminFunc(of)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.shares.Take(of, admin); err != nil {
		return nil, err
	}
	r.open[x.id] = x
	return x, nil
}

// Use returns an open session of the identity, and counts as its use.
//
// Errors: KindUnauthenticated if it is not known, has ended, or is another's.
func (r *Registry) Use(id ID, of *auth.Identity) (*Session, error) {
	x, ok := r.Get(id)
	if !ok || !x.identity.Same(of) || x.idle(r.idleSince()) {
		return nil, errEnded()
	}
	x.touch()
	return x, nil
}

// Get returns an open session.
func (r *Registry) Get(id ID) (*Session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := r.open[id]
	return x, ok
}

// Remove forgets a session, in which nothing begins from then on, and reports
// whether it was open: what belongs to it is then the caller's to end.
func (r *Registry) Remove(x *Session) bool {
	r.mu.Lock()
	if _, ok := r.open[x.id]; ok {
		delete(r.open, x.id)
		r.shares.Give(x.identity)
	}
	r.mu.Unlock()
	return x.end()
}

// Unused returns the session that was not used for longest among those that keep
// nothing and that match accepts: clients that log in for each query, and never say
// goodbye, leave many. It is nil if there is none.
func (r *Registry) Unused(match func(*Session) bool) *Session {
	now := r.clock.Now()
	var oldest *Session
	var since time.Time
	for _, x := range r.List() {
		if used, bare := x.bare(); bare && now.Sub(used) > unusedMin && (oldest == nil || used.Before(since)) && match(x) {
			oldest, since = x, used
		}
	}
	return oldest
}

// Idle returns the sessions that were not used for too long.
func (r *Registry) Idle() []*Session {
	before := r.idleSince()
	return slices.DeleteFunc(r.List(), func(x *Session) bool { return !x.idle(before) })
}

// idleSince returns the time since when sessions that were not used have ended.
func (r *Registry) idleSince() time.Time { return r.clock.Now().Add(-r.options.IdleTimeout) }

// Count returns the number of open sessions.
func (r *Registry) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// List returns the open sessions, the oldest first.
func (r *Registry) List() []*Session {
	r.mu.Lock()
	all := make([]*Session, 0, len(r.open))
	for _, x := range r.open {
		all = append(all, x)
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b *Session) int {
		return cmp.Or(a.began.Compare(b.began), strings.Compare(a.short, b.short))
	})
	return all
}

// Files returns the files of the temporary tables of all sessions.
func (r *Registry) Files() *TemporaryFiles { return r.files }
