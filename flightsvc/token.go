package flightsvc

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

// tokenPrefix tells session tokens from JWTs and other servers' tokens. A client
// that sends one means this server, or an earlier run of it.
const tokenPrefix = "flightlake."

// token is the content of a bearer token and of a cookie: it names a session
// and says whose it is. Its body is
//
//	session, user, issued varint, expires varint (both s since 1970)
type token struct {
	Session session.ID
	User    string // empty if authentication is off
	Issued  time.Time
	Expires time.Time
}

// sealToken returns t as text that headers and cookies can hold.
func (s sealer) sealToken(t token) string {
	b := append(make([]byte, 0, 160), sealVersion, byte(purposeSession))
	b = appendText(b, string(t.Session))
	b = appendText(b, t.User)
	b = appendInts(b, unixOf(t.Issued, time.Second), unixOf(t.Expires, time.Second))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(s.sign(b))
}

// openToken reverses sealToken.
//
// Errors: KindUnauthenticated for what this server's key did not seal, and for a
// token that has expired.
func (s sealer) openToken(text string, now time.Time) (token, error) {
	var t token
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, tokenPrefix))
	if err != nil {
		return t, errToken("is malformed")
	}
	p, body, err := s.verify(b)
	if err != nil || p != purposeSession {
		return t, errToken("was not made by this server, or by an earlier run of it with another key")
	}
	d := decoder{rest: body}
	t = token{Session: session.ID(d.bytes()), User: string(d.bytes())}
	t.Issued, t.Expires = timeOf(d.varint(), time.Second), timeOf(d.varint(), time.Second)
	switch {
	case d.bad || len(d.rest) > 0:
		return token{}, errToken("is malformed")
	case !now.Before(t.Expires):
		return token{}, errToken("has expired")
	}
	return t, nil
}

func errToken(why string) error {
	return lake.Errorf(lake.KindUnauthenticated, "the session token %s; connect again", why)
}

// stale reports whether more than half of the token's life is gone, so that it
// is time for the next.
func (t *token) stale(now time.Time) bool {
	return now.After(t.Issued.Add(t.Expires.Sub(t.Issued) / 2))
}
