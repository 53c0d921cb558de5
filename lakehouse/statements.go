package lakehouse

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/change"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// What lake.statements() calls the kinds of statements.
const (
	kindQuery  = "query"
	kindUpdate = "update"
	kindIngest = "ingest"
)

// Statements runs statements. Each has one life, a workload.Statement: it begins here
// before anything is planned, and ends here or, for a query, when its rows are released.
type Statements struct {
	sessions *Sessions
	running  *workload.Registry
	views    *view.Views
	queries  *query.Processor
	changes  *change.Executor
	policy   *auth.Policy
}

// State returns the schemas and tables that a caller sees now.
//
// Errors: KindState, KindNotFound for its transaction.
func (s *Statements) State(ctx context.Context, c session.Caller) (statement.Visible, error) {
	v, err := s.views.Look(ctx, c, session.Scope{})
	if err != nil {
		return statement.Visible{}, err
	}
	return v.Visible(), nil
}

// begin begins the life of a statement. The context that it returns ends when the
// statement is killed and when its time is over; query.Because returns why.
//
// Errors: those of workload.Registry.Begin; KindUnauthenticated if the session
// has ended.
func (s *Statements) begin(ctx context.Context, c session.Caller, info workload.Info) (context.Context, *workload.Statement, error) {
	if info.ID == "" {
		info.ID = uuid.NewString()
	}
	info.User = c.Identity.Name()
	info.Timeout = s.sessions.registry.Timeout(session.Settings{})
	x := c.Session
	if x != nil {
		info.Session = string(x.ID())
		info.Timeout = x.Timeout()
		if err := x.Enter(); err != nil {
			return ctx, nil, err
		}
	}
	ctx, run, err := s.running.Begin(ctx, info)
	if x != nil {
		if err != nil {
			x.Leave()
		} else {
			run.OnEnd(x.Leave)
		}
	}
	return ctx, run, err
}

// Describe returns the kind of a statement and what it returns, without running it. A
// parameter whose type cannot be inferred has the type null.
//
// Errors: those of Plan; KindUnsupported for a statement that is not run.
func (s *Statements) Describe(ctx context.Context, st statement.Statement) (statement.Description, error) {
	parsed, err := st.Classify()
	if err != nil {
		return statement.Description{}, err
	}
	update, err := change.IsUpdate(parsed)
	if err != nil {
		return statement.Description{}, err
	}
	if update && len(query.ParametersOf(parsed).Names) == 0 { // its text tells all, also of ROLLBACK in a transaction that is of no use any more
		return statement.Description{Update: true, Params: arrow.NewSchema(nil, nil)}, nil
	}
	ctx, run, err := s.begin(ctx, st.Caller, workload.Info{ID: string(st.ID), SQL: st.SQL, Kind: kindQuery})
	if err != nil {
		return statement.Description{}, err
	}
	defer run.End()
	d, err := s.describe(ctx, run, st, update)
	return d, query.Because(ctx, err)
}

func (s *Statements) describe(ctx context.Context, run *workload.Statement, st statement.Statement, update bool) (statement.Description, error) {
	v, done, err := s.views.Enter(ctx, st.Caller, st.Scope, view.Entry{})
	if err != nil {
		return statement.Description{}, err
	}
	run.OnEnd(done)
	run.Pin(v.Snapshot)
	if !update {
		return s.queries.Describe(ctx, run, st, v)
	}
	parsed, err := st.Classify()
	if err != nil {
		return statement.Description{}, err
	}
	params, err := change.UpdateParams(v, parsed)
	return statement.Description{Update: true, Params: params}, err
}

// Plan plans a query, with at most one row of parameters, and pins it to what its
// transaction sees or, outside of one, to the latest snapshot. Of a statement that
// returns no rows it says so, and does not run it.
//
// Errors: those of query.Processor.Plan.
func (s *Statements) Plan(ctx context.Context, st statement.Statement) (statement.Query, error) {
	parsed, err := st.Classify()
	if err != nil {
		return statement.Query{}, err
	}
	if update, err := change.IsUpdate(parsed); update || err != nil {
		return statement.Query{Update: update, Statement: st}, err
	}
	ctx, run, err := s.begin(ctx, st.Caller, workload.Info{ID: string(st.ID), SQL: st.SQL, Kind: kindQuery})
	if err != nil {
		return statement.Query{}, err
	}
	defer run.End()
	q, err := s.queries.Plan(ctx, run, st)
	return q, query.Because(ctx, err)
}

// Run starts a planned query at its snapshot. Reading the rows does the work.
//
// Errors: those of query.Processor.Run.
func (s *Statements) Run(ctx context.Context, q statement.Query) (statement.Rows, error) {
	ctx, run, err := s.begin(ctx, q.Statement.Caller, workload.Info{ID: string(q.Statement.ID), SQL: q.Statement.SQL, Kind: kindQuery})
	if err != nil {
		return statement.Rows{}, err
	}
	handed := false // to the reader, which ends the statement
	defer func() {
		if !handed { // also after a panic
			run.End()
		}
	}()
	reader, err := s.queries.Run(ctx, run, q)
	if err != nil {
		return statement.Rows{}, query.Because(ctx, err)
	}
	handed = true
	return statement.Rows{Reader: reader, Snapshot: q.Snapshot}, nil
}

// Retain keeps what a planned query reads, of which id is the oldest, until a time: its
// ticket can be redeemed for longer.
func (s *Statements) Retain(id lake.SnapshotID, until time.Time) { s.running.Retain(id, until) }

// Execute runs a statement that changes the lake, or a session, once for each row of its
// parameters, or once without.
//
// Errors: KindInvalid if the statement is a query or malformed; those of
// change.Executor.Execute.
func (s *Statements) Execute(ctx context.Context, st statement.Statement) (statement.Update, error) {
	parsed, err := st.Classify()
	if err != nil {
		return statement.Update{}, err
	}
	switch parsed.Kind {
	case sqltext.KindTransaction, sqltext.KindUse, sqltext.KindSet, sqltext.KindKill:
		return s.control(ctx, st)
	case sqltext.KindQuery, sqltext.KindExplain:
		return statement.Update{}, lake.Errorf(lake.KindInvalid, "the statement is a query and changes nothing; fetch its rows instead")
	default:
	}
	if change.NeedsSession(parsed) {
		if _, err := st.Caller.Open(ctx); err != nil {
			return statement.Update{}, err
		}
	}
	ctx, run, err := s.begin(ctx, st.Caller, workload.Info{ID: string(st.ID), SQL: st.SQL, Kind: kindUpdate})
	if err != nil {
		return statement.Update{}, err
	}
	defer run.End()
	up, err := s.changes.Execute(ctx, run, st)
	return up, query.Because(ctx, err)
}

// Ingest appends one stream of record batches to a table as one Snapshot, or changes
// nothing. rows stays the caller's.
//
// Errors: those of change.Executor.Ingest.
func (s *Statements) Ingest(ctx context.Context, in statement.Ingest, rows array.RecordReader) (statement.Update, error) {
	if in.Temporary {
		if _, err := in.Caller.Open(ctx); err != nil {
			return statement.Update{}, err
		}
	}
	ctx, run, err := s.begin(ctx, in.Caller, workload.Info{ID: string(in.ID), SQL: change.IngestText(&in), Kind: kindIngest})
	if err != nil {
		return statement.Update{}, err
	}
	defer run.End()
	up, err := s.changes.Ingest(ctx, run, in, rows)
	return up, query.Because(ctx, err)
}

// Cancel ends the statement with that id and keeps calls for it from starting. It
// reports whether it was running.
//
// Errors: KindForbidden for the statement of another user.
func (s *Statements) Cancel(_ context.Context, c session.Caller, id statement.ID) (bool, error) {
	return s.running.Kill(string(id), workload.Killer{User: c.Identity.Name(), All: s.policy.Admin(c.Identity)})
}

// Progress returns the share done of a running statement, within [0, 1], and
// lake.Unknown if it is not known.
func (s *Statements) Progress(id statement.ID) float64 { return s.running.Progress(string(id)) }
