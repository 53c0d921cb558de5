package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/scanner"
	"github.com/flightlake/flightlake/workload"
)

// What lake.statements() calls the kinds of statements.
const (
	kindQuery  = "query"
	kindUpdate = "update"
	kindIngest = "ingest"
)

// sweepInterval is how often Maintain looks for what was idle for too long.
const sweepInterval = 10 * time.Second

// Maintain ends sessions that are idle for too long and renews the leases of files
// that are being written, until ctx ends. The server runs it once, in a goroutine of
// its own.
func (s *Service) Maintain(ctx context.Context) {
	var leases sync.WaitGroup
	defer leases.Wait()
	leases.Go(func() { s.leases.Run(ctx) })
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.Sweep(ctx)
		}
	}
}

// Sweep ends what is idle for too long at this time of the clock.
func (s *Service) Sweep(ctx context.Context) {
	s.sweepSessions(ctx)
	s.sweepTransactions(ctx, s.Clock.Now())
}

// Close ends all statements and sessions. Rows that were handed out stay their
// readers' to release.
func (s *Service) Close(ctx context.Context) {
	s.statements.Close()
	for _, x := range s.sessions.list() {
		s.closeSession(ctx, x, "the server is shutting down")
	}
	s.rollBackAll(ctx)
}

// Cancel ends the statement with that id and keeps calls for it from starting. It
// reports whether it was running.
//
// Errors: KindForbidden for the statement of another user.
func (s *Service) Cancel(_ context.Context, c Caller, id StatementID) (bool, error) {
	return s.statements.Kill(string(id), workload.Killer{User: c.Identity.Name(), All: s.Policy.Admin(c.Identity)})
}

// Progress returns the share done of a running statement, within [0, 1], and
// lake.Unknown if it is not known.
func (s *Service) Progress(id StatementID) float64 { return s.statements.Progress(string(id)) }

// call is a call that has its statement's turn.
type call struct {
	*workload.Statement
	session *Session // nil without
	ended   atomic.Bool
}

// begin waits for the turn of a statement. The context that it returns ends when
// the statement is killed or its time is over; because tells why. The caller
// ends the call.
//
// Errors: those of workload.Registry.Start; KindUnauthenticated if the session
// has ended.
func (s *Service) begin(ctx context.Context, c Caller, info workload.Info) (context.Context, *call, error) {
	if info.ID == "" {
		info.ID = uuid.NewString()
	}
	info.User = c.Identity.Name()
	info.Timeout = s.statementTimeout
	running := &call{session: c.Session}
	if x := c.Session; x != nil {
		info.Session = string(x.id)
		info.Timeout = s.timeout(x.values())
		if !x.enter() {
			return ctx, nil, errSessionEnded()
		}
	}
	ctx, st, err := s.statements.Start(context.WithValue(ctx, callKey{}, running), info)
	if err != nil {
		if running.session != nil {
			running.session.leave()
		}
		return ctx, nil, err
	}
	running.Statement = st
	return ctx, running, nil
}

// callKey is the key of the call in the context that begin returns.
type callKey struct{}

// callOf returns the call that a context belongs to; nil outside of one.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// scannerOf returns a scanner whose batches are counted for the call of ctx.
func (s *Service) scannerOf(ctx context.Context) *scanner.Scanner {
	c := callOf(ctx)
	if c == nil {
		return s.scanner
	}
	return s.scanner.WithAllocator(func(mem memory.Allocator) memory.Allocator { return c.Allocator(mem) })
}

// progressOf returns what tells the progress of a reader; nil if nothing does.
func progressOf(reader array.RecordReader) func() float64 {
	for {
		switch r := reader.(type) {
		case interface{ Progress() float64 }:
			return r.Progress
		case *renamedReader:
			reader = r.RecordReader
		case *releasingReader:
			reader = r.RecordReader
		case *blamingReader:
			reader = r.RecordReader
		case *coalescedReader:
			reader = r.RecordReader
		default:
			return nil
		}
	}
}

// end gives the turn back. A second call does nothing.
func (c *call) end() {
	if !c.ended.CompareAndSwap(false, true) {
		return
	}
	c.End()
	if c.session != nil {
		c.session.leave()
	}
}

// because returns why a statement failed: that it was killed, where err says only
// that its context ended.
func because(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, lake.ErrIndeterminate) {
		return err
	}
	cause := context.Cause(ctx)
	if cause == nil || cause == ctx.Err() { //nolint:errorlint // the very error: nobody gave a cause
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return cause
	}
	return err
}

// control runs statements that are about sessions and other statements. They do
// little, or free what others wait for, so that they need no turn.
func (s *Service) control(ctx context.Context, c Caller, statements []*sqltext.Statement) error {
	for _, st := range statements {
		var err error
		switch st.Kind {
		case sqltext.KindUse:
			err = s.use(ctx, c, st.Use)
		case sqltext.KindSet:
			err = s.setSetting(ctx, c, st.Set)
		default:
			err = s.kill(ctx, c, st.Kill)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isPrompt reports whether a plan reads no table: with lake.statements() one
// looks why others wait.
func (p *selectPlan) isPrompt() bool {
	for i := range p.plan.Reads {
		if p.plan.Reads[i].Table != nil {
			return false
		}
	}
	return len(p.virtual) > 0
}

// trackedReader counts the rows of a call, and ends it when it is released.
type trackedReader struct {
	array.RecordReader
	call       *call
	becauseFn  func(error) error
	references atomic.Int64
	err        error
}

// tracked takes over the caller's reference to reader, and the call.
func tracked(ctx context.Context, reader array.RecordReader, c *call) array.RecordReader {
	r := &trackedReader{RecordReader: reader, call: c, becauseFn: func(err error) error { return because(ctx, err) }}
	r.references.Store(1)
	c.SetProgressFunc(progressOf(reader))
	return r
}

// Next implements array.RecordReader.
func (r *trackedReader) Next() bool {
	r.call.Resume()
	if r.err != nil || !r.RecordReader.Next() {
		return false
	}
	batch := r.RecordBatch()
	if r.err = r.call.AddBatch(batch.NumRows(), batchBytes(batch)); r.err != nil {
		return false
	}
	r.call.Stall()
	return true
}

// Err implements array.RecordReader.
func (r *trackedReader) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.becauseFn(r.RecordReader.Err())
}

// Retain implements array.RecordReader.
func (r *trackedReader) Retain() { r.references.Add(1) }

// Release implements array.RecordReader.
func (r *trackedReader) Release() {
	if r.references.Add(-1) == 0 {
		r.RecordReader.Release()
		r.call.end()
	}
}

// countedReader counts the rows that a call writes.
type countedReader struct {
	array.RecordReader
	call *call
	err  error
}

// counted returns a reader of the same rows, which stays the caller's, that counts
// them for the call of ctx.
func counted(ctx context.Context, reader array.RecordReader) array.RecordReader {
	c := callOf(ctx)
	if c == nil {
		return reader
	}
	c.SetProgressFunc(progressOf(reader))
	return &countedReader{RecordReader: reader, call: c}
}

// Next implements array.RecordReader.
func (r *countedReader) Next() bool {
	if r.err != nil || !r.RecordReader.Next() {
		return false
	}
	batch := r.RecordBatch()
	r.err = r.call.AddBatch(batch.NumRows(), batchBytes(batch))
	return r.err == nil
}

// Err implements array.RecordReader.
func (r *countedReader) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.RecordReader.Err()
}

// kill runs KILL.
//
// Errors: KindNotFound if nothing of that name runs; KindForbidden if it is
// another user's.
func (s *Service) kill(ctx context.Context, c Caller, k *sqltext.Kill) error {
	if !k.Session {
		known, err := s.Cancel(ctx, c, StatementID(k.ID))
		if err == nil && !known {
			err = lake.Errorf(lake.KindNotFound, "statement %q does not run; lake.statements() lists those that do", k.ID)
		}
		return err
	}
	for _, x := range s.sessions.list() {
		if x.short != strings.ToLower(k.ID) {
			continue
		}
		if !s.mayWatch(c, x.identity.Name()) {
			return lake.Errorf(lake.KindForbidden, "session %s is another user's", x.short)
		}
		s.closeSession(ctx, x, "its session was killed by "+c.Identity.Name())
		return nil
	}
	return lake.Errorf(lake.KindNotFound, "session %q does not exist; lake.sessions() lists those that do", k.ID)
}

// mayWatch reports whether a caller may see and kill what a user does.
func (s *Service) mayWatch(c Caller, user string) bool {
	return user == c.Identity.Name() || s.Policy.Admin(c.Identity)
}

// statementRows answers lake.statements().
func (s *Service) statementRows(_ context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(0); err != nil {
		return nil, err
	}
	r := &rowset{columns: []lake.Column{
		column("id", lake.TypeVarchar), column("session", lake.TypeVarchar), column("user", lake.TypeVarchar),
		column("kind", lake.TypeVarchar), column("sql", lake.TypeVarchar), column("state", lake.TypeVarchar),
		column("started", lake.TypeTimestampTZ), column("elapsed_ms", lake.TypeInt64), column("progress", lake.TypeFloat64),
		column("rows", lake.TypeInt64), column("bytes", lake.TypeInt64), column("memory_bytes", lake.TypeInt64),
	}}
	for _, st := range s.statements.List() {
		if !s.mayWatch(v.caller, st.User) {
			continue
		}
		state := "running"
		if st.Queued {
			state = "queued"
		}
		var progress, session, memory any
		if st.Progress >= 0 {
			progress = st.Progress
		}
		if st.Memory > 0 || st.Kind != kindIngest { // the transport and the writer hold what an ingest sends
			memory = st.Memory
		}
		if x, ok := s.sessions.get(SessionID(st.Session)); ok {
			session = x.short
		}
		r.rows = append(r.rows, []any{
			st.ID, session, st.User, st.Kind, st.SQL, state, st.Began, st.Elapsed.Milliseconds(), progress,
			st.Rows, st.Bytes, memory,
		})
	}
	return r, nil
}

// sessionRows answers lake.sessions().
func (s *Service) sessionRows(_ context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(0); err != nil {
		return nil, err
	}
	r := &rowset{columns: []lake.Column{
		column("id", lake.TypeVarchar), column("user", lake.TypeVarchar), column("application_name", lake.TypeVarchar),
		column("schema", lake.TypeVarchar), column("started", lake.TypeTimestampTZ), column("last_used", lake.TypeTimestampTZ),
		column("statements", lake.TypeInt64), column("temporary_bytes", lake.TypeInt64), column("current", lake.TypeBoolean),
	}}
	for _, x := range s.sessions.list() {
		if !s.mayWatch(v.caller, x.identity.Name()) {
			continue
		}
		values, used, running := x.state()
		r.rows = append(r.rows, []any{
			x.short, x.identity.Name(), orNull(values.application), Scope{Schema: values.schema}.schema(""), x.began, used,
			int64(running), x.temporaryBytes(), x == v.caller.Session,
		})
	}
	return r, nil
}

// clientReader reads the stream of an ingest. While its client sends nothing, the
// statement stalls.
type clientReader struct {
	array.RecordReader
	call *call
}

// Next implements array.RecordReader.
func (r clientReader) Next() bool {
	r.call.Stall()
	defer r.call.Resume()
	return r.RecordReader.Next()
}

// text describes the ingest as lake.statements() shows it.
func (in *Ingest) text() string {
	name := lake.QuoteIdent(in.Table)
	if in.Schema != "" {
		name = lake.QuoteIdent(in.Schema) + "." + name
	}
	return "INGEST INTO " + name
}
