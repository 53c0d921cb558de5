package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"

	"github.com/flightlake/flightlake/lake"
)

// The limits of checking passwords.
const (
	// VerifyBytesMax bounds the memory of all hashes that are computed at one
	// moment: four of the usual 64 MiB.
	VerifyBytesMax = 256 << 20
	// verifyWaitersMax bounds the calls that wait for that memory.
	verifyWaitersMax = 256
	// verifiedMax is how many users' last passwords are remembered.
	verifiedMax = 4096
	// verifiedFor is how long a password that was right needs no hash again.
	verifiedFor = time.Minute
)

// Authenticator turns credentials into identities. Safe for concurrent use.
type Authenticator struct {
	store    *store
	key      [32]byte // of the HMACs; made anew by each process
	memory   *semaphore.Weighted
	waiters  atomic.Int64
	verified *lru.Cache[string, verifiedPassword]
}

// verifiedPassword remembers that a password was right, by its HMAC.
type verifiedPassword struct {
	mac   []byte
	stamp string // of the hash that it was right for
	until time.Time
}

func newAuthenticator(s *store) (*Authenticator, error) {
	cache, err := lru.New[string, verifiedPassword](verifiedMax)
	if err != nil {
		return nil, lake.Wrap(lake.KindInternal, "make cache", err)
	}
	a := &Authenticator{store: s, memory: semaphore.NewWeighted(VerifyBytesMax), verified: cache}
	_, err = rand.Read(a.key[:])
	return a, lake.Wrap(lake.KindInternal, "make key", err)
}

// errPassword is the one error for an unknown user and a wrong password.
func errPassword() error {
	return lake.Errorf(lake.KindUnauthenticated, "user or password is wrong")
}

// Password recognises a user by password. It takes about a tenth of a second and
// 64 MiB, for unknown users too, and nothing if the same was right within the last
// minute. Calls wait while others have the memory.
//
// Errors: KindUnauthenticated, with one text for an unknown user and a wrong
// password; KindExhausted if too many wait.
func (a *Authenticator) Password(ctx context.Context, user, password string) (*Identity, error) {
	r := a.store.rules()
	h := r.passwordOf(user)
	known := h != nil
	if !known {
		h = r.decoy(a.mac("decoy", user))
	}
	if h == nil || password == "" || len(password) > PasswordBytesMax {
		return nil, errPassword()
	}
	mac := a.mac(user, password)
	if known && a.remembered(user, mac, h) {
		return r.passwordIdentity(user)
	}
	if err := a.acquire(ctx, h); err != nil {
		return nil, err
	}
	defer a.memory.Release(h.bytes())
	if known && a.remembered(user, mac, h) { // another call of the user was before us
		return r.passwordIdentity(user)
	}
	if right := h.verify(password); !right || !known {
		return nil, errPassword()
	}
	a.verified.Add(user, verifiedPassword{mac: mac, stamp: stamp(h.text), until: a.store.clock.Now().Add(verifiedFor)})
	return r.passwordIdentity(user)
}

// acquire waits for the memory of one verification.
func (a *Authenticator) acquire(ctx context.Context, h *passwordHash) error {
	defer a.waiters.Add(-1)
	if a.waiters.Add(1) > verifyWaitersMax {
		return lake.Errorf(lake.KindExhausted, "%d logins wait to be checked: try again", verifyWaitersMax)
	}
	return a.memory.Acquire(ctx, h.bytes())
}

// remembered reports whether the password was right a short time ago, for the same hash.
func (a *Authenticator) remembered(user string, mac []byte, h *passwordHash) bool {
	v, ok := a.verified.Get(user)
	return ok && v.stamp == stamp(h.text) && a.store.clock.Now().Before(v.until) &&
		subtle.ConstantTimeCompare(v.mac, mac) == 1
}

// mac returns the HMAC of two texts under the process's key.
func (a *Authenticator) mac(first, second string) []byte {
	m := hmac.New(sha256.New, a.key[:])
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(first)))
	m.Write(size[:])
	m.Write([]byte(first))
	m.Write([]byte(second))
	return m.Sum(nil)
}

// stamp stands for a password's hash without giving it away.
func stamp(hash secret) string {
	sum := sha256.Sum256([]byte(hash))
	return hex.EncodeToString(sum[:16])
}

// passwordOf returns the hash of a user's password; nil for an unknown user and
// for one without password.
func (r *ruleset) passwordOf(user string) *passwordHash {
	if h := r.users[user]; h != nil {
		return h.password
	}
	return nil
}

// decoy returns somebody's hash, always the same for the same mac, so that a login of
// an unknown user takes as long as that of a known one; nil if nobody has a password.
func (r *ruleset) decoy(mac []byte) *passwordHash {
	if len(r.decoys) == 0 {
		return nil
	}
	return r.decoys[binary.BigEndian.Uint64(mac)%uint64(len(r.decoys))]
}

func (r *ruleset) passwordIdentity(user string) (*Identity, error) {
	id, ok := r.identify(user, MethodPassword)
	if !ok {
		return nil, errPassword()
	}
	return id, nil
}

// Bearer recognises a user by a JWT. Its signature must be by a key of the auth
// file, exp must be there, and exp, nbf, iss and aud must allow its use now.
//
// Errors: KindUnauthenticated saying what is not accepted.
func (a *Authenticator) Bearer(ctx context.Context, token string) (*Identity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return a.store.rules().tokenIdentity(token, a.store.clock.Now())
}

// Certificate recognises a user by a client certificate that the TLS handshake verified.
//
// Errors: KindUnauthenticated.
func (a *Authenticator) Certificate(cert *x509.Certificate) (*Identity, error) {
	return a.store.rules().certificateIdentity(cert, a.store.clock.Now())
}

// Refresh returns an identity from an earlier call as it is now: with the roles
// of the moment. Whatever lets a client go on without its credential, such as the
// token of a handshake, must ask here at every call.
//
// Errors: KindUnauthenticated if the credential has expired, the user is no more,
// or the password is another.
func (a *Authenticator) Refresh(id *Identity) (*Identity, error) {
	if id == nil {
		return nil, unauthenticated("no credentials were given")
	}
	r := a.store.rules()
	if !id.Expires.IsZero() && a.store.clock.Now().After(id.Expires) {
		return nil, unauthenticated("the credential of user %q has expired", id.User)
	}
	if id.Method == MethodBearer {
		if r.tokens == nil || len(r.holders(id)) == 0 {
			return nil, unauthenticated("user %q is not in the auth file any more", id.User)
		}
		return id, nil
	}
	now, ok := r.identify(id.User, id.Method)
	if !ok || now.Stamp != id.Stamp || id.Method == MethodCertificate && r.certificates == "" {
		return nil, unauthenticated("user %q is not in the auth file any more, or has a new password", id.User)
	}
	now.Expires = id.Expires
	return now, nil
}
