package flightsvc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

// Why a statement that went on without its call was ended.
var (
	errPollAbandoned = errors.New("the client did not poll for the statement any more")
	errPollCancelled = errors.New("the statement was cancelled by CancelFlightInfo")
	errPollShutdown  = errors.New("the server is shutting down")
)

// PollFlightInfoStatement is GetFlightInfoStatement for statements that take long.
func (s *Server) PollFlightInfoStatement(ctx context.Context, q flightsql.StatementQuery, desc *flight.FlightDescriptor) (*flight.PollInfo, error) {
	st, err := s.statement(ctx, q.GetQuery(), q.GetTransactionId())
	if err != nil {
		return nil, err
	}
	return s.pollFirst(ctx, st.ID, func(ctx context.Context) (*flight.FlightInfo, error) {
		return s.statementInfo(ctx, st, desc)
	})
}

// PollFlightInfoPreparedStatement is GetFlightInfoPreparedStatement for statements
// that take long.
func (s *Server) PollFlightInfoPreparedStatement(ctx context.Context, q flightsql.PreparedStatementQuery, desc *flight.FlightDescriptor) (*flight.PollInfo, error) {
	v, err := s.seals.open(q.GetPreparedStatementHandle(), purposePrepared)
	if err != nil {
		return nil, err
	}
	v.ID = newStatementID()
	return s.pollFirst(ctx, v.ID, func(ctx context.Context) (*flight.FlightInfo, error) {
		return s.preparedInfo(ctx, v, desc)
	})
}

// PollFlightInfo answers for a statement that an earlier call started.
//
// Errors: KindUnsupported for a descriptor that is no statement and no poll;
// KindNotFound for a statement that was abandoned; those of the statement.
func (s *Server) PollFlightInfo(ctx context.Context, desc *flight.FlightDescriptor) (*flight.PollInfo, error) {
	v, err := s.seals.open(desc.GetCmd(), purposePoll)
	if err != nil {
		return nil, lake.Errorf(lake.KindUnsupported,
			"PollFlightInfo takes statements, prepared statements and the descriptors that it returned itself")
	}
	p, err := s.polls.join(v.ID, callOf(ctx).identity)
	if err != nil {
		return nil, err
	}
	out, err := s.await(ctx, p)
	s.polls.leave(p, s.clock.Now())
	return out, err
}

// pollFirst starts run beside the call and answers as soon as it is done, or
// after Options.PollWait. A client that goes away before it was told how to poll
// ends the statement.
func (s *Server) pollFirst(ctx context.Context, id statement.ID, run func(context.Context) (*flight.FlightInfo, error)) (*flight.PollInfo, error) {
	c := callOf(ctx)
	rec := &heldHeaders{}
	detached := grpc.NewContextWithServerTransportStream(context.WithoutCancel(ctx), rec)
	detached, cancel := context.WithCancelCause(detached)
	p := &poll{id: id, identity: c.identity, cancel: cancel, done: make(chan struct{}), header: rec, waiting: 1}
	if err := s.polls.add(p); err != nil {
		cancel(nil)
		return nil, err
	}
	s.work.Go(func() {
		defer close(p.done)
		defer cancel(nil)
		p.info, p.err = s.runDetached(detached, c, run)
	})
	out, err := s.await(ctx, p)
	if out.GetFlightDescriptor() == nil { // nobody can ask for it again
		s.polls.remove(p)
		cancel(context.Canceled)
		return out, err
	}
	s.polls.leave(p, s.clock.Now())
	return out, err
}

// runDetached calls run, whose panics are errors, and says why it was cancelled.
func (s *Server) runDetached(ctx context.Context, c *call, run func(context.Context) (*flight.FlightInfo, error)) (info *flight.FlightInfo, err error) {
	defer s.recovered(ctx, c, "PollFlightInfo", &err)
	info, err = run(ctx)
	cause := context.Cause(ctx)
	if err != nil && cause != nil && (errors.Is(err, context.Canceled) || errors.Is(err, cause)) {
		err = fmt.Errorf("%w: %w", cause, context.Canceled) // the backend may say the one or the other
	}
	return info, err
}

// await waits for the statement, Options.PollWait at most, and says how it stands.
func (s *Server) await(ctx context.Context, p *poll) (*flight.PollInfo, error) {
	wait := time.NewTimer(s.opts.PollWait)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
	case <-wait.C:
		if !p.ended() {
			return s.unfinished(p)
		}
	}
	p.header.replay(ctx)
	if p.err != nil {
		return nil, p.err
	}
	complete := 1.0
	return &flight.PollInfo{Info: p.info, Progress: &complete}, nil
}

// unfinished describes a statement that goes on. Its FlightInfo has no endpoint
// yet; CancelFlightInfo takes it.
func (s *Server) unfinished(p *poll) (*flight.PollInfo, error) {
	meta, err := json.Marshal(infoMetadata{Statement: p.id})
	if err != nil {
		return nil, lake.Wrap(lake.KindInternal, "encode app_metadata", err)
	}
	expires := s.clock.Now().Add(s.opts.PollIdle).Truncate(time.Second)
	// The descriptor outlives the statement, which knows itself when it ended.
	v := sealed{Purpose: purposePoll, ID: p.id, Expires: s.clock.Now().Add(s.opts.TicketLifetime)}
	next := &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: s.seals.seal(v)}
	out := &flight.PollInfo{
		Info: &flight.FlightInfo{
			FlightDescriptor: next, TotalRecords: lake.Unknown, TotalBytes: lake.Unknown, AppMetadata: meta,
		},
		FlightDescriptor: next,
		ExpirationTime:   timestamppb.New(expires),
	}
	if share := s.statements.Progress(p.id); share >= 0 && share <= 1 {
		out.Progress = &share
	}
	return out, nil
}

// poll is a statement that goes on without its call.
type poll struct {
	id       statement.ID
	identity *auth.Identity
	cancel   context.CancelCauseFunc
	header   *heldHeaders

	done chan struct{} // closed when info and err are set
	info *flight.FlightInfo
	err  error

	// All below are guarded by polls.mu.
	waiting int       // calls that wait for it
	polled  time.Time // end of the last call
	told    bool      // a call has brought the outcome
}

// ended reports whether the statement is done.
func (p *poll) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// polls are the statements that go on without their calls, and the outcomes of
// those that have ended, for a client whose answer was lost. Safe for concurrent use.
type polls struct {
	mu     sync.Mutex
	limit  int
	closed bool // guarded by mu; so is byID
	byID   map[statement.ID]*poll
}

// add makes p known.
//
// Errors: KindExhausted at the limit; KindUnavailable at shutdown.
func (l *polls) add(p *poll) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return lake.Errorf(lake.KindUnavailable, "%w", errPollShutdown)
	}
	if len(l.byID) >= l.limit {
		l.forgetOutcome()
	}
	if len(l.byID) >= l.limit {
		return lake.Errorf(lake.KindExhausted, "%d statements that clients poll for are held already; try again", len(l.byID))
	}
	l.byID[p.id] = p
	return nil
}

// forgetOutcome drops the outcome that was told the longest ago, if there is one:
// it is kept only in case it got lost on the way. l.mu is held.
func (l *polls) forgetOutcome() {
	var oldest *poll
	for _, p := range l.byID {
		if p.told && p.waiting == 0 && (oldest == nil || p.polled.Before(oldest.polled)) {
			oldest = p
		}
	}
	if oldest != nil {
		delete(l.byID, oldest.id)
	}
}

func (l *polls) remove(p *poll) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byID, p.id)
}

// join returns the statement for a call of its user to wait for.
//
// Errors: KindNotFound if it is not known, or another user's.
func (l *polls) join(id statement.ID, of *auth.Identity) (*poll, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.byID[id]
	if p == nil || !p.identity.Same(of) {
		return nil, lake.Errorf(lake.KindNotFound, "statement %s is not known: it was not polled for long, or the server was restarted", id)
	}
	p.waiting++
	return p, nil
}

// leave reverses join.
func (l *polls) leave(p *poll, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.waiting--
	p.polled = now
	p.told = p.told || p.ended()
}

// cancel ends a statement. It reports false for one that is not known, or has
// ended.
//
// Errors: KindForbidden for another user's.
func (l *polls) cancel(id statement.ID, by *auth.Identity) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.byID[id]
	if p == nil || p.ended() {
		return false, nil
	}
	if !p.identity.Same(by) {
		return false, lake.Errorf(lake.KindForbidden, "statement %s is another user's", id)
	}
	p.cancel(errPollCancelled)
	return true, nil
}

// sweep ends and forgets the statements that were not polled since a time.
func (l *polls) sweep(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, p := range l.byID {
		if p.waiting == 0 && p.polled.Before(before) {
			p.cancel(errPollAbandoned)
			delete(l.byID, id)
		}
	}
}

// close ends all statements and takes no more.
func (l *polls) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, p := range l.byID {
		p.cancel(errPollShutdown)
	}
}

// heldHeaders keeps the headers of a statement that goes on without its call, for
// the call that brings the outcome.
type heldHeaders struct {
	mu     sync.Mutex
	header metadata.MD // guarded by mu
}

var _ grpc.ServerTransportStream = (*heldHeaders)(nil)

// Method returns nothing: there is no call.
func (*heldHeaders) Method() string { return "" }

// SetHeader keeps md.
func (r *heldHeaders) SetHeader(md metadata.MD) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header = metadata.Join(r.header, md)
	return nil
}

// SendHeader keeps md.
func (r *heldHeaders) SendHeader(md metadata.MD) error { return r.SetHeader(md) }

// SetTrailer keeps md, which goes out as headers.
func (r *heldHeaders) SetTrailer(md metadata.MD) error { return r.SetHeader(md) }

// replay sends what was kept as headers of a call.
func (r *heldHeaders) replay(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = grpc.SetHeader(ctx, r.header) // only fails outside an RPC
}
