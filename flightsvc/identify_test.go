package flightsvc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
)

// users knows ann and bob, whose passwords are their names, "jwt-ann", and
// certificates by their common name.
type users struct {
	mu      sync.Mutex
	revoked bool      // guarded by mu
	expires time.Time // of the JWT
}

func unknownUser() error { return lake.Errorf(lake.KindUnauthenticated, "user or password is wrong") }

func (u *users) Password(_ context.Context, user, password string) (*auth.Identity, error) {
	if user != password || user != "ann" && user != "bob" {
		return nil, unknownUser()
	}
	return &auth.Identity{User: user, Roles: []string{"reader"}, Method: auth.MethodPassword}, nil
}

func (u *users) Bearer(_ context.Context, token string) (*auth.Identity, error) {
	user, ok := strings.CutPrefix(token, "jwt-")
	if !ok {
		return nil, unknownUser()
	}
	return &auth.Identity{User: user, Method: auth.MethodBearer, Expires: u.expires}, nil
}

func (u *users) Certificate(leaf *x509.Certificate) (*auth.Identity, error) {
	return &auth.Identity{User: leaf.Subject.CommonName, Method: auth.MethodCertificate}, nil
}

func (u *users) Refresh(id *auth.Identity) (*auth.Identity, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.revoked {
		return nil, lake.Errorf(lake.KindUnauthenticated, "user %q has a new password", id.User)
	}
	next := *id
	next.Roles = []string{"writer"}
	return &next, nil
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// with returns a context that sends headers, given as name, value, ...
func with(t *testing.T, pairs ...string) context.Context {
	t.Helper()
	return metadata.AppendToOutgoingContext(t.Context(), pairs...)
}

// keep runs a statement that needs a session, and returns the session's id.
func (h *harness) keep(t *testing.T, ctx context.Context, c *flightsql.Client) string {
	t.Helper()
	_, err := c.Execute(ctx, "KEEP", h.calls()...)
	require.NoError(t, err)
	caller := h.fake.lastCaller()
	x, err := caller.Open(ctx)
	require.NoError(t, err)
	return string(x.ID())
}

func (h *harness) run(ctx context.Context) error {
	_, err := h.Execute(ctx, "UPDATE t", h.calls()...)
	return err
}

func TestEveryCallNeedsCredentials(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	err := h.run(t.Context())
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	require.ErrorContains(t, err, `bearer token in the header "authorization"`)
	require.Contains(t, h.trail.Get(challengeTrailer)[0], "Basic")
	require.Equal(t, []string{"unauthenticated"}, h.trail.Get(errorKindTrailer))
	_, err = h.GetCatalogs(t.Context())
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	_, err = h.DoGet(t.Context(), &flight.Ticket{})
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	require.Empty(t, h.fake.executed)
}

func TestCredentialsOnTheCall(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	for _, c := range []struct {
		name, header, user string
	}{
		{"Basic", basic("ann", "ann"), "ann"},
		{"Basic without padding, as arrow-go sends", strings.TrimRight(basic("bob", "bob"), "="), "bob"},
		{"scheme in lower case", "basic" + strings.TrimPrefix(basic("ann", "ann"), "Basic"), "ann"},
		{"wrong password", basic("ann", "bob"), ""},
		{"malformed Basic", "Basic !!", ""},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte("ann")), ""},
		{"JWT", "Bearer jwt-eve", "eve"},
		{"bad JWT", "Bearer x", ""},
		{"another scheme", "Negotiate abc", ""},
		{"empty", "", ""},
		{"empty bearer", "Bearer ", ""},
	} {
		err := h.run(with(t, authorizationHeader, c.header))
		if c.user == "" {
			require.Equal(t, codes.Unauthenticated, status.Code(err), c.name)
			continue
		}
		require.NoError(t, err, c.name)
		caller := h.fake.lastCaller()
		require.Equal(t, c.user, caller.Identity.User, c.name)
		require.Nil(t, caller.Session, c.name)
	}
}

// handshake returns the token of a header-style handshake.
func handshake(t *testing.T, c *flightsql.Client, user, password string) string {
	t.Helper()
	ctx, err := c.Client.AuthenticateBasicToken(t.Context(), user, password)
	require.NoError(t, err)
	md, _ := metadata.FromOutgoingContext(ctx)
	require.Len(t, md.Get(authorizationHeader), 1)
	return md.Get(authorizationHeader)[0]
}

func TestHandshakeOpensASessionThatTheTokenNames(t *testing.T) {
	t.Parallel()
	for _, opts := range []Options{{}, {Auth: &users{}}} {
		h := setup(t, opts)
		token := handshake(t, h.Client, "ann", "ann")
		ctx := with(t, authorizationHeader, token)
		first := h.keep(t, ctx, h.Client)
		require.Empty(t, h.header.Get(setCookieHeader), "the token is enough")
		require.Empty(t, h.header.Get(authorizationHeader), "drivers take any such header for their next token")
		other := h.connect(t)
		require.Equal(t, first, h.keep(t, ctx, other), "on any connection")
		require.NotEqual(t, token, handshake(t, other, "ann", "ann"), "each handshake has its session")
		require.NoError(t, other.Close())
		if opts.Auth != nil {
			require.Equal(t, []string{"writer"}, h.fake.lastCaller().Identity.Roles, "roles are those of the moment")
			_, err := h.Client.Client.AuthenticateBasicToken(t.Context(), "ann", "wrong")
			require.Equal(t, codes.Unauthenticated, status.Code(err))
		}
	}
}

// handshakeWith does a handshake with headers and payloads and returns the
// answers and what came in header and trailer.
func (h *harness) handshakeWith(t *testing.T, ctx context.Context, payloads ...[]byte) ([]*flight.HandshakeResponse, string, error) {
	t.Helper()
	var header, trailer metadata.MD
	stream, err := h.Client.Client.Handshake(ctx, grpc.Header(&header), grpc.Trailer(&trailer))
	require.NoError(t, err)
	for _, p := range payloads {
		if stream.Send(&flight.HandshakeRequest{ProtocolVersion: 1, Payload: p}) != nil {
			break // refused already
		}
	}
	require.NoError(t, stream.CloseSend())
	var answers []*flight.HandshakeResponse
	for {
		a, err := stream.Recv()
		if err != nil {
			if err == io.EOF { //nolint:errorlint // as gRPC returns it
				require.Equal(t, header.Get(authorizationHeader), trailer.Get(authorizationHeader))
				return answers, strings.Join(header.Get(authorizationHeader), " "), nil
			}
			return answers, "", err
		}
		answers = append(answers, a)
	}
}

func TestHandshakeByBearer(t *testing.T) { // as JDBC does with token=
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	_, token, err := h.handshakeWith(t, with(t, authorizationHeader, "Bearer jwt-eve"))
	require.NoError(t, err)
	require.NoError(t, h.run(with(t, authorizationHeader, token)))
	require.Equal(t, "eve", h.fake.lastCaller().Identity.User)
	_, next, err := h.handshakeWith(t, with(t, authorizationHeader, token))
	require.NoError(t, err)
	require.NotEqual(t, token, next)
	_, _, err = h.handshakeWith(t, with(t, authorizationHeader, "Bearer x"))
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	_, _, err = h.handshakeWith(t, t.Context())
	require.Equal(t, codes.Unauthenticated, status.Code(err))
}

func TestHandshakeByPayload(t *testing.T) { // as ClientAuthHandler of C++ and Python does
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	good, err := proto.Marshal(&pb.BasicAuth{Username: "bob", Password: "bob"})
	require.NoError(t, err)
	answers, _, err := h.handshakeWith(t, t.Context(), good, []byte("more"))
	require.NoError(t, err)
	require.Len(t, answers, 2)
	require.Empty(t, answers[1].GetPayload())
	require.NoError(t, h.run(with(t, plainTokenHeader, string(answers[0].GetPayload()))))
	require.Equal(t, "bob", h.fake.lastCaller().Identity.User)
	bad, err := proto.Marshal(&pb.BasicAuth{Username: "bob", Password: "x"})
	require.NoError(t, err)
	for _, payload := range [][]byte{bad, []byte("\xff"), {}} {
		_, _, err = h.handshakeWith(t, t.Context(), payload)
		require.Equal(t, codes.Unauthenticated, status.Code(err))
	}
}

func TestTokenOfASessionThatHasEndedIsRefusedAndNeverANewSession(t *testing.T) {
	t.Parallel()
	for _, opts := range []Options{{}, {Auth: &users{}}} {
		h := setup(t, opts)
		ctx := with(t, authorizationHeader, handshake(t, h.Client, "ann", "ann"))
		_, err := h.CloseSession(ctx, &flight.CloseSessionRequest{})
		require.NoError(t, err)
		for range 2 {
			require.Equal(t, codes.Unauthenticated, status.Code(h.run(ctx)))
		}
	}
}

func TestForgedAndExpiredTokensAreRefused(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Key: []byte("key")})
	good := handshake(t, h.Client, "", "")
	require.NoError(t, h.run(with(t, authorizationHeader, good)))
	ticket := tokenPrefix + base64.RawURLEncoding.EncodeToString(sealer{key: []byte("key")}.seal(sealed{Purpose: purposeQuery}))
	for name, bad := range map[string]string{
		"changed": good[:len(good)-1] + map[bool]string{true: "B", false: "A"}[strings.HasSuffix(good, "A")],
		"cut":     good[:len(good)-8],
		"another server's": "Bearer " + sealer{key: []byte("other")}.sealToken(token{
			Session: "x", Issued: h.clock.Now(), Expires: h.clock.Now().Add(time.Hour),
		}),
		"not base64":   "Bearer " + tokenPrefix + "!",
		"a ticket":     "Bearer " + ticket,
		"unknown":      "Bearer " + h.server.seals.sealToken(token{Session: "x", Expires: h.clock.Now().Add(time.Hour)}),
		"of ann, whom": "Bearer " + h.server.seals.sealToken(token{Session: "x", User: "ann", Expires: h.clock.Now().Add(time.Hour)}),
	} {
		require.Equal(t, codes.Unauthenticated, status.Code(h.run(with(t, authorizationHeader, bad))), name)
	}
	h.move(t, DefaultTokenLifetime)
	err := h.run(with(t, authorizationHeader, good))
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	require.ErrorContains(t, err, "has expired")
}

func TestTokenIsRenewedOnceHalfIsGone(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{TokenLifetime: 40 * time.Minute, SessionLinger: time.Hour})
	first := handshake(t, h.Client, "ann", "x")
	h.move(t, 19*time.Minute)
	require.NoError(t, h.run(with(t, authorizationHeader, first)))
	require.Empty(t, h.header.Get(authorizationHeader))
	h.move(t, 2*time.Minute)
	require.NoError(t, h.run(with(t, authorizationHeader, first)))
	require.Len(t, h.header.Get(authorizationHeader), 1)
	next := h.header.Get(authorizationHeader)[0]
	h.move(t, 25*time.Minute)
	require.Error(t, h.run(with(t, authorizationHeader, first)))
	require.NoError(t, h.run(with(t, authorizationHeader, next)))
}

func TestTokenDoesNotOutliveItsCredential(t *testing.T) {
	t.Parallel()
	u := &users{}
	h := setup(t, Options{Auth: u})
	u.expires = h.clock.Now().Add(10 * time.Minute)
	_, token, err := h.handshakeWith(t, with(t, authorizationHeader, "Bearer jwt-eve"))
	require.NoError(t, err)
	require.NoError(t, h.run(with(t, authorizationHeader, token)))
	h.move(t, 10*time.Minute)
	require.Equal(t, codes.Unauthenticated, status.Code(h.run(with(t, authorizationHeader, token))))
}

func TestRevokedUserIsRefusedInTheMiddleOfASession(t *testing.T) {
	t.Parallel()
	u := &users{}
	h := setup(t, Options{Auth: u})
	ctx := with(t, authorizationHeader, handshake(t, h.Client, "ann", "ann"))
	require.NoError(t, h.run(ctx))
	u.mu.Lock()
	u.revoked = true
	u.mu.Unlock()
	require.Equal(t, codes.Unauthenticated, status.Code(h.run(ctx)))
}

// offered returns the cookie that the last call set, as a client sends it back.
func (h *harness) offered(t *testing.T) string {
	t.Helper()
	set := h.header.Get(setCookieHeader)
	require.Len(t, set, 1)
	require.Contains(t, set[0], "HttpOnly")
	require.Contains(t, set[0], "Path=/")
	pair, _, _ := strings.Cut(set[0], ";")
	return pair
}

func TestCookieIsOfferedWhenSomethingIsKeptAndFindsTheSession(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	require.NoError(t, h.run(t.Context()))
	require.Empty(t, h.header.Get(setCookieHeader), "nothing is kept")
	first := h.keep(t, t.Context(), h.Client)
	h.offered(t)
	require.Equal(t, first, h.keep(t, t.Context(), h.Client), "the connection finds it too")
	cookie := h.offered(t) // again: the driver may not have looked at the first
	other := h.connect(t)
	require.Equal(t, first, h.keep(t, with(t, cookieHeader, "a=b; "+cookie+"; c=d"), other))
	require.Empty(t, h.header.Get(setCookieHeader))
	require.NotEqual(t, first, h.keep(t, t.Context(), other), "another client behind the same proxy")
	require.NoError(t, other.Close())
}

func TestCookieOfASessionThatItsClientClosesIsTakenBack(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.keep(t, t.Context(), h.Client)
	_, err := h.CloseSession(t.Context(), &flight.CloseSessionRequest{}, h.calls()...)
	require.NoError(t, err)
	set := h.header.Get(setCookieHeader)
	require.Contains(t, set[len(set)-1], "Max-Age=0", "the last one counts")
}

func TestStaleCookieIsTakenBack(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.keep(t, t.Context(), h.Client)
	ctx := with(t, cookieHeader, h.offered(t))
	_, err := h.CloseSession(ctx, &flight.CloseSessionRequest{}, h.calls()...)
	require.NoError(t, err)
	require.Contains(t, h.header.Get(setCookieHeader)[0], "Max-Age=0")
	require.Equal(t, codes.Unauthenticated, status.Code(h.run(ctx)))
	require.Contains(t, h.header.Get(setCookieHeader)[0], "Max-Age=0")
	require.NoError(t, h.run(with(t, cookieHeader, "other=x")), "other cookies are no matter")
}

func TestCookieOfAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	ann := with(t, authorizationHeader, basic("ann", "ann"))
	h.keep(t, ann, h.Client)
	cookie := h.offered(t)
	err := h.run(with(t, authorizationHeader, basic("bob", "bob"), cookieHeader, cookie))
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	require.NoError(t, h.run(with(t, authorizationHeader, basic("ann", "ann"), cookieHeader, cookie)))
	require.NoError(t, h.run(with(t, cookieHeader, cookie)), "some drivers lose their header on the way to a prepared statement")
	require.Equal(t, "ann", h.fake.lastCaller().Identity.User)
	err = h.run(with(t, authorizationHeader, basic("ann", "wrong"), cookieHeader, cookie))
	require.Equal(t, codes.Unauthenticated, status.Code(err), "a cookie does not heal a wrong password")
}

// certificate returns a certificate of a name, signed by itself, and its pool.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

func TestClientCertificateIsAnIdentity(t *testing.T) {
	t.Parallel()
	serverCert, serverPool := certificate(t, "localhost")
	clientCert, clientPool := certificate(t, "eve")
	h := setup(t, Options{Auth: &users{}, TLS: &tls.Config{
		Certificates: []tls.Certificate{serverCert}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clientPool,
		MinVersion: tls.VersionTLS12,
	}})
	for _, c := range []struct {
		name         string
		certificates []tls.Certificate
		header, user string
	}{
		{"certificate", []tls.Certificate{clientCert}, "", "eve"},
		{"the header goes first", []tls.Certificate{clientCert}, basic("ann", "ann"), "ann"},
		{"a wrong password is not healed", []tls.Certificate{clientCert}, basic("ann", "x"), ""},
		{"none", nil, "", ""},
	} {
		creds := credentials.NewTLS(&tls.Config{
			RootCAs: serverPool, ServerName: "localhost", Certificates: c.certificates, MinVersion: tls.VersionTLS12,
		})
		client, err := flightsql.NewClient(h.addr, nil, nil, grpc.WithTransportCredentials(creds))
		require.NoError(t, err)
		_, err = client.Execute(with(t, authorizationHeader, c.header), "UPDATE t")
		if c.user == "" {
			require.Equal(t, codes.Unauthenticated, status.Code(err), c.name)
		} else {
			require.NoError(t, err, c.name)
			require.Equal(t, c.user, h.fake.lastCaller().Identity.User, c.name)
		}
		require.NoError(t, client.Close())
	}
}

func TestUsersOfOneConnectionHaveTheirOwnSessions(t *testing.T) { // behind a proxy
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	ann, bob := with(t, authorizationHeader, basic("ann", "ann")), with(t, authorizationHeader, basic("bob", "bob"))
	first := h.keep(t, ann, h.Client)
	require.NotEqual(t, first, h.keep(t, bob, h.Client))
	require.Equal(t, first, h.keep(t, ann, h.Client))
}
