package shell

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	// receiveBytesMax is the largest message that is taken. A server that does not
	// slice its batches may send large ones.
	receiveBytesMax = 1 << 30
	// goodbyeTimeout bounds the closing of the session.
	goodbyeTimeout = 2 * time.Second
	// reuseConnection is the location that means "where you asked".
	reuseConnection = "arrow-flight-reuse-connection"
)

// Target says which server to speak to, and as whom.
type Target struct {
	// URI is grpc://HOST:PORT (also grpc+tcp://), grpc+tls://HOST:PORT or
	// grpc+unix:///PATH.
	URI string
	// TLS is used for grpc+tls; nil means the system's authorities.
	TLS *tls.Config
	// User and Password are exchanged for a token by a handshake; without a User
	// none is made.
	User, Password string
	// Token is sent as a bearer token with every call.
	Token string
	// Headers are sent with every call, such as "database".
	Headers map[string]string
}

// Client is one session with a Flight SQL server: one connection, its cookies
// and its token. It is safe for concurrent use.
type Client struct {
	target Target
	sql    *flightsql.Client
	auth   *authorization
	jar    flight.ClientMiddleware
	mem    memory.Allocator

	silent atomic.Bool // the server has no list of statements

	mu sync.Mutex
	// elsewhere are the clients of endpoints at other places, by URI. mu guards it.
	elsewhere map[string]*flightsql.Client
}

// authorization adds the authorization header, and those of the user, to every
// call.
type authorization struct {
	mu      sync.Mutex
	value   string // mu guards it
	headers map[string]string
}

var (
	_ flight.CustomClientMiddleware  = (*authorization)(nil)
	_ flight.ClientHeadersMiddleware = (*authorization)(nil)
)

// StartCall implements flight.CustomClientMiddleware.
func (a *authorization) StartCall(ctx context.Context) context.Context {
	a.mu.Lock()
	value := a.value
	a.mu.Unlock()
	var pairs []string
	for name, v := range a.headers {
		pairs = append(pairs, name, v)
	}
	if value != "" {
		pairs = append(pairs, "authorization", value)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// HeadersReceived implements flight.ClientHeadersMiddleware: a server may send the
// next token before the present one expires.
func (a *authorization) HeadersReceived(_ context.Context, md metadata.MD) {
	for _, value := range md.Get("authorization") {
		if strings.HasPrefix(value, "Bearer ") {
			a.set(value)
		}
	}
}

func (a *authorization) set(value string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.value = value
}

// Dial connects and logs in. Without a user nothing is sent before the first
// statement. Results are allocated from mem.
//
// Errors: a *Failure.
func Dial(ctx context.Context, target Target, mem memory.Allocator) (*Client, error) {
	c := &Client{
		target: target, mem: mem,
		auth:      &authorization{headers: target.Headers},
		jar:       flight.NewClientCookieMiddleware(),
		elsewhere: map[string]*flightsql.Client{},
	}
	if target.Token != "" {
		c.auth.set("Bearer " + target.Token)
	}
	sql, err := c.dial(target.URI)
	if err != nil {
		return nil, err
	}
	c.sql = sql
	if target.User != "" {
		if err := c.login(ctx); err != nil {
			return nil, errors.Join(failure(err), sql.Close())
		}
	}
	return c, nil
}

// dial makes a client of a URI, without connecting.
func (c *Client) dial(uri string) (*flightsql.Client, error) {
	address, encrypted, err := parseURI(uri)
	if err != nil {
		return nil, &Failure{Exit: ExitUsage, Message: err.Error()}
	}
	creds := insecure.NewCredentials()
	if encrypted {
		creds = credentials.NewTLS(c.target.TLS)
	}
	auth := flight.CreateClientMiddleware(c.auth)
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(receiveBytesMax)),
		grpc.WithChainUnaryInterceptor(c.jar.Unary, auth.Unary),
		grpc.WithChainStreamInterceptor(c.jar.Stream, auth.Stream),
	)
	if err != nil {
		return nil, &Failure{Exit: ExitConnect, Message: fmt.Sprintf("connect to %s: %s", uri, err)}
	}
	return &flightsql.Client{Client: flight.NewClientFromConn(conn, nil), Alloc: c.mem}, nil
}

// parseURI returns what gRPC dials, and whether with TLS.
func parseURI(uri string) (address string, encrypted bool, err error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", false, fmt.Errorf("uri %q: %w", uri, err)
	}
	switch u.Scheme {
	case "grpc+unix":
		return "unix:" + u.Path, false, nil
	case "grpc", "grpc+tcp":
	case "grpc+tls", "grpcs":
		encrypted = true
	case "flightsql":
		encrypted = u.Query().Get("transport") != "tcp"
	default:
		return "", false, fmt.Errorf("uri %q: scheme %q is none of grpc, grpc+tls, grpc+unix", uri, u.Scheme)
	}
	if u.Port() == "" || u.Hostname() == "" {
		return "", false, fmt.Errorf("uri %q has no HOST:PORT", uri)
	}
	return "passthrough:///" + net.JoinHostPort(u.Hostname(), u.Port()), encrypted, nil
}

// login exchanges user and password for a bearer token. A server that has no
// handshake is sent the password with every call instead.
func (c *Client) login(ctx context.Context) error {
	ctx, err := c.sql.Client.AuthenticateBasicToken(ctx, c.target.User, c.target.Password)
	if status.Code(err) == codes.Unimplemented {
		pair := c.target.User + ":" + c.target.Password
		c.auth.set("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
		return nil
	}
	if err != nil {
		return err
	}
	if md, ok := metadata.FromOutgoingContext(ctx); ok {
		if values := md.Get("authorization"); len(values) > 0 {
			c.auth.set(values[len(values)-1])
		}
	}
	return nil
}

// Close ends the session, as far as the server knows one, and the connection.
func (c *Client) Close(ctx context.Context) error {
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTimeout)
	defer cancel()
	// Servers without sessions refuse the call, which changes nothing for us.
	_, _ = c.sql.CloseSession(bye, &flight.CloseSessionRequest{})
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := []error{c.sql.Close()}
	for _, other := range c.elsewhere {
		errs = append(errs, other.Close())
	}
	return errors.Join(errs...)
}

// at returns the client with which an endpoint is read.
func (c *Client) at(locations []*flight.Location) (*flightsql.Client, error) {
	for _, l := range locations {
		if l.Uri == "" || l.Uri == c.target.URI || strings.HasPrefix(l.Uri, reuseConnection) {
			return c.sql, nil
		}
	}
	if len(locations) == 0 {
		return c.sql, nil
	}
	uri := locations[0].Uri
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.elsewhere[uri]; other != nil {
		return other, nil
	}
	other, err := c.dial(uri)
	if err == nil {
		c.elsewhere[uri] = other
	}
	return other, err
}
