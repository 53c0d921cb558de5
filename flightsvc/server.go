package flightsvc

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// Defaults and fixed limits of the server.
const (
	// DefaultMaxRecvBytes is the largest message taken. ADBC clients send up to
	// what their user sets; the batch is held in memory once.
	DefaultMaxRecvBytes = 256 << 20
	// receivedMessagesMax is how many of the largest messages may be decompressed at a time;
	// others wait.
	receivedMessagesMax = 4
	// DefaultDrainTimeout is how long running calls may go on at shutdown.
	DefaultDrainTimeout = 10 * time.Second

	// DefaultTicketLifetime is how long tickets are good.
	DefaultTicketLifetime = time.Hour
	// DefaultTokenLifetime is how long session tokens and cookies are good. Half of
	// it before, their client gets the next.
	DefaultTokenLifetime = 24 * time.Hour
	// DefaultSessionLinger is how long a session that its client can name outlives
	// its last connection.
	DefaultSessionLinger = 30 * time.Minute
	// DefaultPollWait is how long PollFlightInfo waits for a statement.
	DefaultPollWait = time.Second
	// DefaultPollIdle is how long a statement goes on that no client polls for.
	DefaultPollIdle = 2 * time.Minute
	// DefaultPollStatementsMax is how many statements may go on without their call,
	// or wait to be asked for their outcome.
	DefaultPollStatementsMax = 256
	// DefaultConcurrentStreamsMax is how many calls one connection may have open.
	// A proxy may bring all its clients on one.
	DefaultConcurrentStreamsMax = 4096

	// DefaultHeaderBytesMax lets 64 KiB of a client's headers pass: HTTP/2 counts 32
	// bytes more for each, and those of gRPC come on top.
	DefaultHeaderBytesMax = 96 << 10
	// DefaultKeepaliveInterval is after how long a silent connection is pinged: proxies
	// close those that are silent for a minute or more.
	DefaultKeepaliveInterval = 30 * time.Second
	// DefaultKeepaliveTimeout is how long the answer to a ping may take.
	DefaultKeepaliveTimeout = 20 * time.Second
	// DefaultPingIntervalMin is how often clients may ping: those that do more often are
	// taken for an attack.
	DefaultPingIntervalMin = time.Second

	// The windows let a client have this much of an ingest under way; see
	// docs of Options.WindowBytes.
	defaultWindowBytes = 8 << 20
	// Large writes save system calls in an export; the buffer is lent to a
	// connection while it writes. The read buffer stays with an idle connection.
	writeBufferBytes = 256 << 10
	readBufferBytes  = 64 << 10

	keyBytes = 32

	// sweepInterval is how often sessions and statements that nobody asks for are
	// looked for.
	sweepInterval = 5 * time.Second
)

// Options are the settings of a Server. The zero value is usable.
type Options struct {
	// MaxRecvBytes is the largest gRPC message taken, also after decompression; 0 means
	// DefaultMaxRecvBytes.
	MaxRecvBytes int
	// WindowBytes is the HTTP/2 window of a connection and of each stream: what a
	// client may send ahead of the reader. 0 means 8 MiB.
	WindowBytes int32
	// DrainTimeout is how long running calls may go on after Serve's context
	// ends; 0 means DefaultDrainTimeout.
	DrainTimeout time.Duration
	// TLS encrypts connections; nil means plain text.
	TLS *tls.Config
	// Auth recognises users; nil means that authentication is off and everybody
	// anonymous.
	Auth Authenticator
	// Key authenticates tickets, handles and tokens. Servers with the same key take
	// each other's. Empty means a random key for this process.
	Key []byte
	// TicketLifetime is how long tickets are good; 0 means DefaultTicketLifetime.
	TicketLifetime time.Duration
	// TokenLifetime is how long session tokens and cookies are good; 0 means
	// DefaultTokenLifetime.
	TokenLifetime time.Duration
	// SessionLinger is how long a session that its client can name outlives its last
	// connection; 0 means DefaultSessionLinger.
	SessionLinger time.Duration
	// TransactionTimeout is how long the backend lets a transaction be idle, for
	// SqlInfo; 0 means forever.
	TransactionTimeout time.Duration
	// PollWait is how long PollFlightInfo waits for a statement before it says how to
	// ask again; 0 means DefaultPollWait.
	PollWait time.Duration
	// PollIdle is how long a statement goes on that no client polls for; 0 means
	// DefaultPollIdle.
	PollIdle time.Duration
	// PollStatementsMax is how many statements may go on without their call, or wait
	// to be asked for their outcome; 0 means DefaultPollStatementsMax.
	PollStatementsMax int
	// ConcurrentStreamsMax is how many calls one connection may have open; more wait
	// in the client. 0 means DefaultConcurrentStreamsMax.
	ConcurrentStreamsMax uint32
	// HeaderBytesMax bounds the headers of a call as HTTP/2 counts them; 0 means
	// DefaultHeaderBytesMax.
	HeaderBytesMax uint32
	// KeepaliveInterval is after how long a silent connection is pinged, and
	// KeepaliveTimeout how long the answer may take before it is closed; 0 means
	// DefaultKeepaliveInterval and DefaultKeepaliveTimeout.
	KeepaliveInterval, KeepaliveTimeout time.Duration
	// PingIntervalMin is how often clients may ping; 0 means DefaultPingIntervalMin.
	PingIntervalMin time.Duration
	// ConnectionIdle closes connections without a call for so long; 0 means never.
	ConnectionIdle time.Duration
	// Clock tells the time; nil means the machine's.
	Clock clock.Clock
	// Version is what SqlInfo reports as the server's; empty means "dev".
	Version string
	// Logger receives failures; nil means none.
	Logger *slog.Logger
	// Allocator holds metadata and parameters; nil means Go memory.
	Allocator memory.Allocator
}

// Server is a Flight SQL server over a Backend. It is safe for concurrent use.
type Server struct {
	*statementServer
	*sessionServer
	*metadataServer
	noSubstrait
	unimplemented

	gate  *gate
	opts  Options
	log   *slog.Logger
	clock clock.Clock
	mem   memory.Allocator
	seals sealer
	// The following are of the parts that have them, too.
	statements Statements
	leases     *leases

	polls polls
	work  sync.WaitGroup // what goes on beside calls
	// received is what the compressed messages that are being read may take together.
	received *semaphore.Weighted
	// strangers has a place for each message that is read for them at a time.
	strangers chan struct{}
}

// unimplemented has the rest of the protocol. It is one level further down than the
// parts of a Server, whose methods hide its own.
type unimplemented struct{ flightsql.BaseServer }

var _ flightsql.Server = (*Server)(nil)

// withDefaults returns o with its zero fields set.
func (o Options) withDefaults() Options {
	o.MaxRecvBytes = cmp.Or(o.MaxRecvBytes, DefaultMaxRecvBytes)
	o.WindowBytes = cmp.Or(o.WindowBytes, defaultWindowBytes)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, DefaultDrainTimeout)
	o.TicketLifetime = cmp.Or(o.TicketLifetime, DefaultTicketLifetime)
	o.TokenLifetime = cmp.Or(o.TokenLifetime, DefaultTokenLifetime)
	o.SessionLinger = cmp.Or(o.SessionLinger, DefaultSessionLinger)
	o.PollWait = cmp.Or(o.PollWait, DefaultPollWait)
	o.PollIdle = cmp.Or(o.PollIdle, DefaultPollIdle)
	o.PollStatementsMax = cmp.Or(o.PollStatementsMax, DefaultPollStatementsMax)
	o.ConcurrentStreamsMax = cmp.Or(o.ConcurrentStreamsMax, DefaultConcurrentStreamsMax)
	o.HeaderBytesMax = cmp.Or(o.HeaderBytesMax, DefaultHeaderBytesMax)
	o.KeepaliveInterval = cmp.Or(o.KeepaliveInterval, DefaultKeepaliveInterval)
	o.KeepaliveTimeout = cmp.Or(o.KeepaliveTimeout, DefaultKeepaliveTimeout)
	o.PingIntervalMin = cmp.Or(o.PingIntervalMin, DefaultPingIntervalMin)
	o.Version = cmp.Or(o.Version, "dev")
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if len(o.Key) == 0 {
		o.Key = make([]byte, keyBytes)
		_, _ = rand.Read(o.Key) // never fails: crypto/rand aborts the program instead
	}
	return o
}

// New returns a server over backend. It panics if the system has no randomness.
func New(backend Backend, opts Options) *Server {
	opts = opts.withDefaults()
	seals, open := sealer{key: opts.Key}, &leases{open: map[session.ID]*lease{}}
	return &Server{
		statementServer: &statementServer{
			statements: backend.Statements, leases: open, seals: seals, clock: opts.Clock, ticketLifetime: opts.TicketLifetime, mem: opts.Allocator,
		},
		sessionServer: &sessionServer{sessions: backend.Sessions, transactions: backend.Transactions, leases: open},
		metadataServer: &metadataServer{
			statements: backend.Statements, mem: opts.Allocator,
			info: sqlInfos(serverFacts{version: opts.Version, transactionTimeout: opts.TransactionTimeout}),
		},
		gate: &gate{
			sessions: backend.Sessions, auth: opts.Auth, leases: open, seals: seals, clock: opts.Clock, tokenLifetime: opts.TokenLifetime,
		},
		opts: opts, log: opts.Logger, clock: opts.Clock, mem: opts.Allocator, seals: seals,
		statements: backend.Statements, leases: open,
		polls:     polls{byID: map[statement.ID]*poll{}, limit: opts.PollStatementsMax},
		received:  semaphore.NewWeighted(receivedMessagesMax * int64(opts.MaxRecvBytes)),
		strangers: make(chan struct{}, strangerMessagesMax),
	}
}

// Register adds the Flight service to a gRPC server, which should be made with
// ServerOptions.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(streamed(&pb.FlightService_ServiceDesc), newService(s))
}

// ServerOptions returns the gRPC options that the service needs.
func (s *Server) ServerOptions() []grpc.ServerOption {
	opts := []grpc.ServerOption{
		grpc.ChainStreamInterceptor(s.stream),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(s.opts.MaxRecvBytes),
		grpc.MaxSendMsgSize(messageBytesLimit),
		grpc.MaxHeaderListSize(s.opts.HeaderBytesMax),
		grpc.StaticStreamWindowSize(s.opts.WindowBytes),
		grpc.StaticConnWindowSize(2 * s.opts.WindowBytes),
		grpc.WriteBufferSize(writeBufferBytes),
		grpc.ReadBufferSize(readBufferBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: s.opts.KeepaliveInterval, Timeout: s.opts.KeepaliveTimeout, MaxConnectionIdle: s.opts.ConnectionIdle,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: s.opts.PingIntervalMin, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(s.opts.ConcurrentStreamsMax),
		grpc.StatsHandler(connections{s}),
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
	g.RegisterService(streamed(&healthgrpc.Health_ServiceDesc), health.NewServer())
	sweeping, stopSweeping := context.WithCancel(ctx)
	s.work.Go(func() { s.sweepAlways(sweeping) })
	defer s.work.Wait() // after the connections have ended
	defer s.polls.close()
	defer stopSweeping()
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

// sweepAlways sweeps until ctx ends.
func (s *Server) sweepAlways(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.sweep(ctx)
		}
	}
}

// sweep ends the sessions whose last connection has been gone for
// Options.SessionLinger, and the statements that nobody polls for.
func (s *Server) sweep(ctx context.Context) {
	now := s.clock.Now()
	s.polls.sweep(now.Add(-s.opts.PollIdle))
	s.closeSessions(ctx, s.leases.idle(now.Add(-s.opts.SessionLinger)))
}
