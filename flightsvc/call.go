package flightsvc

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

// The names of flightlake's own headers and trailers.
const (
	requestIDHeader   = "flightlake-request-id"
	snapshotHeader    = "flightlake-snapshot"
	errorKindTrailer  = "flightlake-error-kind"
	appendTokenHeader = "flightlake-append-token"
)

// appendTokenBytesMax is the longest append token that is taken.
const appendTokenBytesMax = 256

type callKey struct{}

// call is what the interceptors keep of one RPC.
type call struct {
	requestID string
	header    metadata.MD // of the request
	conn      *connection
	server    *Server // nil outside an RPC
	// identity is who calls; nil without authentication.
	identity *auth.Identity

	mu      sync.Mutex
	session *session.Session // guarded by mu; nil if the client has none
}

// callOf returns the call of a handler's context.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

// first returns the first value of a request header, or "".
func (c *call) first(name string) string {
	if v := c.header.Get(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// currentSession returns the session that the call found or opened; nil if none.
func (c *call) currentSession() *session.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// caller says on whose behalf the call runs, outside of transactions of the
// protocol. Its session is opened when something must be kept.
func (c *call) caller() session.Caller {
	out := session.Caller{Identity: c.identity, Session: c.currentSession()}
	if c.server != nil {
		out.OpenFunc = func(ctx context.Context) (*session.Session, error) { return c.server.gate.openSession(ctx, c) }
	}
	return out
}

// option returns the value of a session option that is text; empty if the client
// has no session or the option is not set.
func (c *call) option(name string) string {
	x := c.currentSession()
	if x == nil {
		return ""
	}
	text, _ := x.Options()[name].(string)
	return text
}

// scope returns where the names of the call resolve: in the schema that a header
// names, else in that of the session. The header is "schema", or "database" as
// drivers with a two-part hierarchy call it (unless it names the catalog).
func (c *call) scope() session.Scope {
	if s := c.first("schema"); s != "" {
		return session.Scope{Schema: s}
	}
	if db := c.first("database"); db != "" && !strings.EqualFold(db, lake.CatalogName) {
		return session.Scope{Schema: db}
	}
	return session.Scope{Schema: c.option(schemaOption)}
}

// checkCatalog refuses a call whose header names a catalog that does not exist.
//
// Errors: KindNotFound.
func (c *call) checkCatalog() error {
	if name := c.first("catalog"); name != "" {
		return checkCatalog(name)
	}
	return nil
}

func checkCatalog(name string) error {
	if strings.EqualFold(name, lake.CatalogName) {
		return nil
	}
	return lake.Errorf(lake.KindNotFound, "there is no catalog %q; the only one is %q", name, lake.CatalogName)
}

// java reports whether the caller is a Java client.
func (c *call) java() bool { return strings.Contains(c.first("user-agent"), "grpc-java") }

// readsOneEndpoint reports whether the caller is a JavaScript client: those that
// there are fetch the first endpoint of a result and take it for the whole.
func (c *call) readsOneEndpoint() bool {
	return strings.Contains(c.first("user-agent"), "grpc-node-js")
}

// appendToken returns the idempotency token of the call, empty if none.
//
// Errors: KindInvalid for a token that is too long.
func (c *call) appendToken() (string, error) {
	token := c.first(appendTokenHeader)
	if len(token) > appendTokenBytesMax {
		return "", lake.Errorf(lake.KindInvalid, "header %s has %d bytes; at most %d are taken",
			appendTokenHeader, len(token), appendTokenBytesMax)
	}
	return token, nil
}

// announce tells the client something: as a header, or as a trailer once the
// headers went out.
func announce(ctx context.Context, name, value string) {
	md := metadata.Pairs(name, value)
	if err := grpc.SetHeader(ctx, md); err != nil {
		_ = grpc.SetTrailer(ctx, md) // only fails outside an RPC
	}
}

// announceSnapshot tells the client which snapshot the call read or wrote. What
// did neither, such as SET, has none.
func announceSnapshot(ctx context.Context, id lake.SnapshotID) {
	if id != 0 {
		announce(ctx, snapshotHeader, strconv.FormatInt(int64(id), 10))
	}
}

// begin starts a call: it gives it an id and announces it.
func (s *Server) begin(ctx context.Context) (context.Context, *call) {
	c := &call{requestID: uuid.NewString(), conn: connectionOf(ctx), server: s}
	c.header, _ = metadata.FromIncomingContext(ctx)
	ctx = context.WithValue(ctx, callKey{}, c)
	_ = grpc.SetHeader(ctx, metadata.Pairs(requestIDHeader, c.requestID)) // only fails outside an RPC
	return ctx, c
}

// finish turns the error of a handler into its status, with the trailers.
func (s *Server) finish(ctx context.Context, c *call, method string, err error) error {
	if err == nil {
		return nil
	}
	st, kind := statusOf(err, c.requestID)
	trailer := metadata.Pairs(errorKindTrailer, kind)
	if kind == lake.KindUnauthenticated.String() {
		trailer.Set(challengeTrailer, challenge)
	}
	_ = grpc.SetTrailer(ctx, trailer)
	s.log.DebugContext(ctx, "call failed", slog.String("method", method), slog.String("request_id", c.requestID),
		slog.String("kind", kind), slog.Any("error", err))
	return st.Err()
}

// recovered turns a panic into an error of KindInternal and logs its stack.
// It must be deferred.
func (s *Server) recovered(ctx context.Context, c *call, method string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	s.log.ErrorContext(ctx, "handler panicked", slog.String("method", method),
		slog.String("request_id", c.requestID), slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	*err = lake.Errorf(lake.KindInternal, "internal error; the server's log has request %s", c.requestID)
}

func (s *Server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, c := s.begin(ss.Context())
	err := func() (err error) {
		defer s.recovered(ctx, c, info.FullMethod, &err)
		if err := s.gate.admit(ctx, c, info.FullMethod); err != nil {
			return err
		}
		return next(srv, &callStream{ServerStream: ss, ctx: ctx})
	}()
	return s.finish(ctx, c, info.FullMethod, err)
}

// callStream is a stream whose context knows its call.
type callStream struct {
	grpc.ServerStream
	ctx context.Context // gRPC streams carry their context
}

// Context returns the context of the call.
func (s *callStream) Context() context.Context { return s.ctx }
