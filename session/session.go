package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/scanner"
)

// shortIDBytes is how much of the hash of a session's id tells sessions apart in
// listings: among 10,000 sessions two are alike once in 5 million servers.
const shortIDBytes = 6

// unusedMin is how long a session must not have been used to give way to another.
const unusedMin = time.Minute

// Session is what a client keeps between its calls: options, temporary tables
// and the transaction that SQL began. An empty one is a few hundred bytes. Safe
// for concurrent use.
type Session struct {
	id       SessionID
	short    string // names it in listings and to KILL; not a secret
	identity *auth.Identity
	service  *Service
	began    time.Time

	// mu guards the fields below.
	mu       sync.Mutex
	used     time.Time // when its last call or statement ended
	running  int       // statements
	ended    bool
	settings settings
	tables   temporaryTables
}

// ID returns the session's name, which is a secret of its client.
func (x *Session) ID() SessionID { return x.id }

// Identity returns whose session it is; nil if authentication is off.
func (x *Session) Identity() *auth.Identity { return x.identity }

// enter counts a statement, while which the session is not idle. It reports
// whether the session is open.
func (x *Session) enter() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return false
	}
	x.running++
	return true
}

// leave ends what enter began.
func (x *Session) leave() {
	now := x.service.Clock.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.running--
	x.used = now
	x.collect()
}

// touch counts as a use.
func (x *Session) touch() {
	now := x.service.Clock.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.used = now
}

// state returns what listings show.
func (x *Session) state() (values settings, used time.Time, running int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.settings, x.used, x.running
}

// idle reports whether the session was last used before a time.
func (x *Session) idle(before time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.running == 0 && x.used.Before(before)
}

// bare returns when the session was last used, and whether nothing is kept or
// runs in it but for transactions.
func (x *Session) bare() (used time.Time, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.used, x.running == 0 && x.settings == settings{} && x.tables.over == nil && x.tables.holders == 0
}

// Ended reports whether the session has ended.
func (x *Session) Ended() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ended
}

// end marks the session as ended, and reports whether it was open.
func (x *Session) end() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	open := !x.ended
	x.ended = true
	return open
}

// sessions are those that are open.
type sessions struct {
	max  int
	idle time.Duration

	mu   sync.Mutex
	open map[SessionID]*Session // guarded by mu
}

func newSessions(o Options) *sessions {
	return &sessions{max: o.SessionsMax, idle: o.SessionIdleTimeout, open: map[SessionID]*Session{}}
}

// add makes a session known.
//
// Errors: KindExhausted at the limit.
func (r *sessions) add(x *Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open) >= r.max {
		return lake.Errorf(lake.KindExhausted, "%d sessions are open, which is the limit; close some, or wait until idle ones end", len(r.open))
	}
	r.open[x.id] = x
	return nil
}

func (r *sessions) get(id SessionID) (*Session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := r.open[id]
	return x, ok
}

func (r *sessions) remove(id SessionID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, id)
}

func (r *sessions) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// list returns the open sessions, the oldest first.
func (r *sessions) list() []*Session {
	r.mu.Lock()
	all := make([]*Session, 0, len(r.open))
	for _, x := range r.open {
		all = append(all, x)
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b *Session) int {
		if c := a.began.Compare(b.began); c != 0 {
			return c
		}
		return strings.Compare(a.short, b.short)
	})
	return all
}

// errSessionEnded is the same for sessions that never were, that have ended and
// that are another's, so that ids cannot be tried.
func errSessionEnded() error {
	return lake.Errorf(lake.KindUnauthenticated, "the session is not known or has ended; connect again")
}

// OpenSession begins a session of an identity.
//
// Errors: KindExhausted at the limit of sessions.
func (s *Service) OpenSession(ctx context.Context, id *auth.Identity) (*Session, error) {
	now := s.Clock.Now()
	x := &Session{id: SessionID(rand.Text()), identity: id, service: s, began: now, used: now}
	hash := sha256.Sum256([]byte(x.id))
	x.short = hex.EncodeToString(hash[:shortIDBytes])
	err := s.sessions.add(x)
	if errors.Is(err, lake.ErrExhausted) && s.closeUnused(ctx, now) {
		err = s.sessions.add(x)
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// closeUnused closes the session that was not used for longest among those that
// keep nothing: clients that log in for each query, and never say goodbye, leave
// many. It reports whether there was one.
func (s *Service) closeUnused(ctx context.Context, now time.Time) bool {
	var oldest *Session
	var since time.Time
	for _, x := range s.sessions.list() {
		if used, bare := x.bare(); bare && now.Sub(used) > unusedMin && (oldest == nil || used.Before(since)) &&
			len(s.transactions.all(x)) == 0 {
			oldest, since = x, used
		}
	}
	if oldest == nil {
		return false
	}
	s.closeSession(ctx, oldest, "its session gave way to another")
	return true
}

// Session returns an open session of the identity, and counts as its use.
//
// Errors: KindUnauthenticated if it is not known, has ended, or is another's.
func (s *Service) Session(id SessionID, of *auth.Identity) (*Session, error) {
	x, ok := s.sessions.get(id)
	if !ok || !x.identity.Same(of) || x.idle(s.idleSince()) {
		return nil, errSessionEnded()
	}
	x.touch()
	return x, nil
}

// idleSince returns the time since when sessions that were not used have ended.
func (s *Service) idleSince() time.Time { return s.Clock.Now().Add(-s.sessions.idle) }

// CloseSession rolls back what is open and forgets the session: its statements
// end, its temporary tables are gone. A session that has ended is no error.
func (s *Service) CloseSession(ctx context.Context, id SessionID) {
	if x, ok := s.sessions.get(id); ok {
		s.closeSession(ctx, x, "its session was closed")
	}
}

// closeSession ends a session for a reason that its statements' clients are told.
func (s *Service) closeSession(ctx context.Context, x *Session, reason string) {
	s.sessions.remove(x.id)
	if !x.end() {
		return
	}
	s.statements.KillSession(string(x.id), reason)
	s.endSession(ctx, x)
	if folder := x.dropTemporary(); folder != "" {
		s.plans.RemoveFunc(func(k planKey) bool { return k.session == x })
		s.footers.RemoveFunc(func(k scanner.FooterKey) bool { return strings.HasPrefix(k.Path, folder) })
	}
}

// sweepSessions ends the sessions that were not used for too long.
func (s *Service) sweepSessions(ctx context.Context) {
	before := s.idleSince()
	for _, x := range s.sessions.list() {
		if x.idle(before) {
			s.closeSession(ctx, x, "its session was idle for too long")
		}
	}
}
