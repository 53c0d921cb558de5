package flightsvc

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

// Authenticator turns credentials into an identity. Safe for concurrent use.
//
// Errors of all: KindUnauthenticated, without the credentials in the text.
type Authenticator interface {
	Password(ctx context.Context, user, password string) (*auth.Identity, error)
	// Bearer takes a JWT.
	Bearer(ctx context.Context, token string) (*auth.Identity, error)
	// Certificate takes the leaf certificate of a client, which TLS has verified.
	Certificate(leaf *x509.Certificate) (*auth.Identity, error)
	// Refresh returns an identity from an earlier call as it is now, and refuses one
	// whose credential has expired or was taken away.
	Refresh(id *auth.Identity) (*auth.Identity, error)
}

// Headers and trailers of authentication.
const (
	authorizationHeader = "authorization"
	// plainTokenHeader carries the token of clients whose handshake took it from the
	// payload (C++ and Python ClientAuthHandler).
	plainTokenHeader = "auth-token-bin"
	cookieHeader     = "cookie"
	setCookieHeader  = "set-cookie"
	cookieName       = "flightlake-session"
	challengeTrailer = "www-authenticate"
	challenge        = `Basic realm="flightlake", Bearer realm="flightlake"`
)

// errNoCredentials says what a client must send.
var errNoCredentials = lake.Errorf(lake.KindUnauthenticated,
	"credentials are needed: a user name and password, a bearer token in the header %q, or a client certificate", authorizationHeader)

// gate finds out who calls and in which session.
type gate struct {
	sessions      Sessions
	auth          Authenticator // nil: everybody is anonymous
	leases        *leases
	seals         sealer
	clock         clock.Clock
	tokenLifetime time.Duration
}

// admit finds out who calls and which session is theirs. A handshake does that
// itself, and other services than Flight need neither.
//
// Errors: KindUnauthenticated.
func (g *gate) admit(ctx context.Context, c *call, method string) error {
	service := "/" + pb.FlightService_ServiceDesc.ServiceName + "/"
	if !strings.HasPrefix(method, service) || method == service+"Handshake" {
		return nil
	}
	if text := c.sessionToken(); text != "" {
		return g.resume(ctx, c, text, g.offerToken)
	}
	id, err := g.authenticate(ctx, c)
	cookie := c.cookie()
	if err != nil && (cookie == "" || !errors.Is(err, errNoCredentials)) {
		return err
	}
	c.identity = id
	if cookie != "" {
		return g.resumeCookie(ctx, c, cookie, err == nil && g.auth != nil)
	}
	return g.resumeConnection(ctx, c)
}

// authenticate returns the identity of a call's own credentials; nil if
// authentication is off, whatever they are: drivers send empty and odd ones.
//
// Errors: KindUnauthenticated; errNoCredentials if there are none.
func (g *gate) authenticate(ctx context.Context, c *call) (*auth.Identity, error) {
	if g.auth == nil {
		return nil, nil // anonymous
	}
	for _, value := range c.header.Get(authorizationHeader) {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
		rest = strings.TrimSpace(rest)
		switch {
		case scheme == "":
			continue
		case strings.EqualFold(scheme, "Bearer") && rest != "":
			return g.auth.Bearer(ctx, rest)
		case strings.EqualFold(scheme, "Basic"):
			user, password, ok := parseBasic(rest)
			if !ok {
				return nil, lake.Errorf(lake.KindUnauthenticated, "the header %q holds malformed Basic credentials", authorizationHeader)
			}
			return g.auth.Password(ctx, user, password)
		}
		return nil, lake.Errorf(lake.KindUnauthenticated, "the header %q has neither Basic nor Bearer credentials", authorizationHeader)
	}
	if leaf := clientCertificate(ctx); leaf != nil {
		return g.auth.Certificate(leaf)
	}
	return nil, errNoCredentials
}

// parseBasic decodes user and password. Some drivers leave the padding out.
func parseBasic(text string) (user, password string, ok bool) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(b), ":")
}

// clientCertificate returns the verified certificate of the peer; nil if none.
func clientCertificate(ctx context.Context) *x509.Certificate {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 || len(info.State.VerifiedChains[0]) == 0 {
		return nil
	}
	return info.State.VerifiedChains[0][0]
}

// sessionToken returns the token of ours that the call carries, or "".
func (c *call) sessionToken() string {
	for _, value := range c.header.Get(authorizationHeader) {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
		if rest = strings.TrimSpace(rest); strings.EqualFold(scheme, "Bearer") && strings.HasPrefix(rest, tokenPrefix) {
			return rest
		}
	}
	if plain := c.first(plainTokenHeader); strings.HasPrefix(plain, tokenPrefix) {
		return plain
	}
	return ""
}

// cookie returns the session cookie of the call, or "".
func (c *call) cookie() string {
	r := http.Request{Header: http.Header{"Cookie": c.header.Get(cookieHeader)}}
	if found, err := r.Cookie(cookieName); err == nil {
		return found.Value
	}
	return ""
}

// resume continues the session that a token or cookie names, as the user whose
// it is. offer sends the client the next token when it is time.
//
// Errors: KindUnauthenticated.
func (g *gate) resume(ctx context.Context, c *call, text string, offer func(context.Context, token)) error {
	t, err := g.seals.openToken(text, g.clock.Now())
	if err != nil {
		return err
	}
	x, err := g.sessions.Use(t.Session, t.identity())
	if err != nil {
		g.leases.forget(t.Session)
		return err
	}
	id := x.Identity()
	if g.auth != nil {
		if id, err = g.auth.Refresh(id); err != nil {
			return err
		}
	}
	c.identity, c.session = id, x
	g.leases.use(c.conn, x)
	if t.stale(g.clock.Now()) {
		offer(ctx, g.newToken(x))
	}
	return nil
}

// identity returns the user of a token; Identity.Same looks at nothing else.
func (t *token) identity() *auth.Identity {
	if t.User == "" {
		return nil
	}
	return &auth.Identity{User: t.User}
}

// resumeCookie is resume for a cookie. With credentials beside it, the session
// must be that user's. A cookie that is no good is taken back, so that the
// client's next call is without.
func (g *gate) resumeCookie(ctx context.Context, c *call, text string, credentials bool) error {
	of := c.identity
	err := g.resume(ctx, c, text, g.offerCookie)
	if err == nil && credentials && !of.Same(c.identity) {
		err = lake.Errorf(lake.KindUnauthenticated, "the session is another user's")
	}
	if err != nil {
		withdrawCookie(ctx)
		return err
	}
	if credentials {
		c.identity = of // its roles are newer
	}
	return nil
}

// resumeConnection continues the session that an earlier call opened on the
// connection, if any. It offers the cookie again: a driver that did not read the
// call that opened the session to its end has not seen it, and would lose the
// session with the connection. If the session has ended the client is told once.
//
// Errors: KindUnauthenticated.
func (g *gate) resumeConnection(ctx context.Context, c *call) error {
	id, ok := g.leases.own(c.conn, c.identity)
	if !ok {
		return nil
	}
	x, err := g.sessions.Use(id, c.identity)
	if err != nil {
		g.leases.forget(id)
		return err
	}
	c.session = x
	g.offerCookie(ctx, g.newToken(x))
	return nil
}

// openSession opens a session for a call that has none and offers a cookie. Calls
// of one connection that do so at once share it.
//
// Errors: those of Backend.OpenSession.
func (g *gate) openSession(ctx context.Context, c *call) (*session.Session, error) {
	c.conn.opening.Lock()
	defer c.conn.opening.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		return c.session, nil
	}
	if id, ok := g.leases.own(c.conn, c.identity); ok {
		if x, err := g.sessions.Use(id, c.identity); err == nil {
			c.session = x
			return x, nil
		}
		g.leases.forget(id)
	}
	x, err := g.sessions.Open(ctx, c.identity)
	if err != nil {
		return nil, err
	}
	if !g.leases.adopt(c.conn, x, false) {
		g.sessions.Close(context.WithoutCancel(ctx), x.ID())
		return nil, context.Canceled // its connection is gone
	}
	c.session = x
	g.offerCookie(ctx, g.newToken(x))
	return x, nil
}

// newToken returns a token for the session, good for Options.TokenLifetime and no
// longer than the credentials that it stands for.
func (g *gate) newToken(x *session.Session) token {
	t := token{Session: x.ID(), Issued: g.clock.Now(), Expires: g.clock.Now().Add(g.tokenLifetime)}
	if id := x.Identity(); id != nil {
		t.User = id.User
		if !id.Expires.IsZero() && id.Expires.Before(t.Expires) {
			t.Expires = id.Expires
		}
	}
	return t
}

func (g *gate) offerToken(ctx context.Context, t token) {
	announce(ctx, authorizationHeader, "Bearer "+g.seals.sealToken(t))
}

func (g *gate) offerCookie(ctx context.Context, t token) {
	announce(ctx, setCookieHeader, cookieName+"="+g.seals.sealToken(t)+"; Path=/; HttpOnly")
}

// withdrawCookie takes the cookie back.
func withdrawCookie(ctx context.Context) {
	announce(ctx, setCookieHeader, cookieName+"=; Path=/; HttpOnly; Max-Age=0")
}
