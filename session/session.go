package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
)

// shortIDBytes is how much of the hash of a session's id tells sessions apart in
// listings: among 10,000 sessions two are alike once in 5 million servers.
const shortIDBytes = 6

// Session is what a client keeps between its calls: options, temporary tables
// and the transaction that SQL began. An empty one is a few hundred bytes. Safe
// for concurrent use.
type Session struct {
	id       ID
	short    string // names it in listings and to KILL; not a secret
	identity *auth.Identity
	registry *Registry
	began    time.Time

	// mu guards the fields below.
	mu       sync.Mutex
	used     time.Time // when its last call or statement ended
	running  int       // statements
	ended    bool
	settings Settings
	tables   temporaryTables
}

func newSession(r *Registry, of *auth.Identity) *Session {
	now := r.clock.Now()
	x := &Session{id: ID(rand.Text()), identity: of, registry: r, began: now, used: now}
	hash := sha256.Sum256([]byte(x.id))
	x.short = hex.EncodeToString(hash[:shortIDBytes])
	return x
}

// ID returns the session's name, which is a secret of its client.
func (x *Session) ID() ID { return x.id }

// ShortID returns what names the session in listings and to KILL: 12 hexadecimal
// digits, which are no secret.
func (x *Session) ShortID() string { return x.short }

// Identity returns whose session it is; nil if authentication is off.
func (x *Session) Identity() *auth.Identity { return x.identity }

// Enter counts a statement, while which the session is not idle. The caller calls
// Leave when it has ended.
//
// Errors: KindUnauthenticated if the session has ended.
func (x *Session) Enter() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return errEnded()
	}
	x.running++
	return nil
}

// Leave ends what Enter began.
func (x *Session) Leave() {
	now := x.registry.clock.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.running--
	x.used = now
	x.collect()
}

// Info is what listings show of a session.
type Info struct {
	ShortID        string
	User           string
	Settings       Settings
	Began, Used    time.Time
	Statements     int64 // that run
	TemporaryBytes int64
}

// Info returns what listings show.
func (x *Session) Info() Info {
	bytes := x.temporaryBytes()
	x.mu.Lock()
	defer x.mu.Unlock()
	return Info{
		ShortID: x.short, User: x.identity.Name(), Settings: x.settings, Began: x.began, Used: x.used,
		Statements: int64(x.running), TemporaryBytes: bytes,
	}
}

// Ended reports whether the session has ended.
func (x *Session) Ended() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ended
}

// touch counts as a use.
func (x *Session) touch() {
	now := x.registry.clock.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.used = now
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
	return x.used, x.running == 0 && x.settings == Settings{} && x.tables.over == nil && x.tables.holders == 0
}

// end marks the session as ended, and reports whether it was open.
func (x *Session) end() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	open := !x.ended
	x.ended = true
	return open
}

// errEnded is the same for sessions that never were, that have ended and that are
// another's, so that ids cannot be tried.
func errEnded() error {
	return lake.Errorf(lake.KindUnauthenticated, "the session is not known or has ended; connect again")
}
