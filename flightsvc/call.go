package flightsvc

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

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

// catalogName is the one catalog of a server.
const catalogName = "lake"

// defaultSchema is the schema of a Scope that names none.
const defaultSchema = "main"

type callKey struct{}

// call is what the interceptors keep of one RPC.
type call struct {
	requestID string
	header    metadata.MD // of the request
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

// scope returns where the names of the call resolve. The protocol has no field
// for it, so it comes as a header: "schema", or "database" as drivers with a
// two-part hierarchy call it (unless it names the catalog).
func (c *call) scope() session.Scope {
	if s := c.first("schema"); s != "" {
		return session.Scope{Schema: s}
	}
	if db := c.first("database"); db != "" && !strings.EqualFold(db, catalogName) {
		return session.Scope{Schema: db}
	}
	return session.Scope{}
}

// java reports whether the caller is a Java client.
func (c *call) java() bool { return strings.Contains(c.first("user-agent"), "grpc-java") }

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

// announceSnapshot tells the client which snapshot the call read or wrote: as a
// header, or as a trailer once the headers went out.
func announceSnapshot(ctx context.Context, id lake.SnapshotID) {
	md := metadata.Pairs(snapshotHeader, strconv.FormatInt(int64(id), 10))
	if err := grpc.SetHeader(ctx, md); err != nil {
		_ = grpc.SetTrailer(ctx, md) // only fails outside an RPC
	}
}

// begin starts a call: it gives it an id and announces it.
func begin(ctx context.Context) (context.Context, *call) {
	c := &call{requestID: uuid.NewString()}
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
	_ = grpc.SetTrailer(ctx, metadata.Pairs(errorKindTrailer, kind))
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

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, c := begin(ctx)
	resp, err := func() (resp any, err error) {
		defer s.recovered(ctx, c, info.FullMethod, &err)
		return next(ctx, req)
	}()
	if err = s.finish(ctx, c, info.FullMethod, err); err != nil {
		return nil, err
	}
	return resp, nil
}

func (s *Server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, c := begin(ss.Context())
	err := func() (err error) {
		defer s.recovered(ctx, c, info.FullMethod, &err)
		return next(srv, &callStream{ServerStream: ss, ctx: ctx})
	}()
	return s.finish(ctx, c, info.FullMethod, err)
}

// callStream is a stream whose context knows its call.
type callStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // gRPC streams carry their context
}

// Context returns the context of the call.
func (s *callStream) Context() context.Context { return s.ctx }
