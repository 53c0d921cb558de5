package flightsvc

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Defaults and fixed limits of the server.
const (
	// DefaultMaxRecvBytes is the largest message taken. ADBC clients send up to
	// what their user sets; the batch is held in memory once.
	DefaultMaxRecvBytes = 256 << 20
	// DefaultDrainTimeout is how long running calls may go on at shutdown.
	DefaultDrainTimeout = 10 * time.Second

	headerListBytesMax = 64 << 10
	// The windows let a client have this much of an ingest under way; see
	// docs of Options.WindowBytes.
	defaultWindowBytes = 8 << 20
	// Large writes save system calls in an export; the buffer is lent to a
	// connection while it writes. The read buffer stays with an idle connection.
	writeBufferBytes = 256 << 10
	readBufferBytes  = 64 << 10

	keepaliveIdle    = 60 * time.Second
	keepaliveTimeout = 20 * time.Second
	pingIntervalMin  = 5 * time.Second
	keyBytes         = 32
)

// Options are the settings of a Server. The zero value is usable.
type Options struct {
	// MaxRecvBytes is the largest gRPC message taken; 0 means DefaultMaxRecvBytes.
	MaxRecvBytes int
	// WindowBytes is the HTTP/2 window of a connection and of each stream: what a
	// client may send ahead of the reader. 0 means 8 MiB.
	WindowBytes int32
	// DrainTimeout is how long running calls may go on after Serve's context
	// ends; 0 means DefaultDrainTimeout.
	DrainTimeout time.Duration
	// TLS encrypts connections; nil means plain text.
	TLS *tls.Config
	// Key authenticates tickets and handles. Servers with the same key take each
	// other's. Empty means a random key for this process.
	Key []byte
	// Version is what SqlInfo reports as the server's; empty means "dev".
	Version string
	// Logger receives failures; nil means none.
	Logger *slog.Logger
	// Allocator holds metadata and parameters; nil means Go memory.
	Allocator memory.Allocator
}

// Server is a Flight SQL server over a Backend. It is safe for concurrent use.
type Server struct {
	flightsql.BaseServer
	backend Backend
	opts    Options
	log     *slog.Logger
	mem     memory.Allocator
	seals   sealer
	info    []sqlInfo
}

var _ flightsql.Server = (*Server)(nil)

// New returns a server over backend. It panics if the system has no randomness.
func New(backend Backend, opts Options) *Server {
	if opts.MaxRecvBytes == 0 {
		opts.MaxRecvBytes = DefaultMaxRecvBytes
	}
	if opts.WindowBytes == 0 {
		opts.WindowBytes = defaultWindowBytes
	}
	if opts.DrainTimeout == 0 {
		opts.DrainTimeout = DefaultDrainTimeout
	}
	if opts.Version == "" {
		opts.Version = "dev"
	}
	s := &Server{backend: backend, opts: opts, log: opts.Logger, mem: opts.Allocator}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.mem == nil {
		s.mem = memory.DefaultAllocator
	}
	s.seals.key = opts.Key
	if len(s.seals.key) == 0 {
		s.seals.key = make([]byte, keyBytes)
		_, _ = rand.Read(s.seals.key) // never fails: crypto/rand aborts the program instead
	}
	s.info = sqlInfos(serverFacts{version: opts.Version})
	return s
}

// Register adds the Flight service to a gRPC server, which should be made with
// ServerOptions.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	pb.RegisterFlightServiceServer(r, newService(s))
}

// ServerOptions returns the gRPC options that the service needs.
func (s *Server) ServerOptions() []grpc.ServerOption {
	opts := []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(s.opts.MaxRecvBytes),
		grpc.MaxSendMsgSize(messageBytesLimit),
		grpc.MaxHeaderListSize(headerListBytesMax),
		grpc.StaticStreamWindowSize(s.opts.WindowBytes),
		grpc.StaticConnWindowSize(2 * s.opts.WindowBytes),
		grpc.WriteBufferSize(writeBufferBytes),
		grpc.ReadBufferSize(readBufferBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveIdle, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingIntervalMin, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
	if s.opts.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(s.opts.TLS)))
	}
	return opts
}

// Serve answers calls on lis until ctx ends, then lets running calls finish for
// DrainTimeout at most and cancels the rest. It closes lis, waits for all
// handlers, and returns nil after an orderly end.
func (s *Server) Serve(ctx context.Context, lis net.Listener) error {
	g := grpc.NewServer(s.ServerOptions()...)
	s.Register(g)
	stopped := make(chan struct{})
	served := make(chan error, 1)
	go func() { served <- g.Serve(lis) }()
	select {
	case err := <-served:
		g.Stop()
		return fmt.Errorf("serve flight on %s: %w", lis.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.DrainTimeout)
	defer cancel()
	go func() {
		defer close(stopped)
		g.GracefulStop()
	}()
	select {
	case <-stopped:
	case <-drain.Done():
		g.Stop()
		<-stopped
	}
	if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve flight on %s: %w", lis.Addr(), err)
	}
	return nil
}
