package flightsvc

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/session"
)

// Backend is what the protocol needs of the lake; *session.Service provides it.
// Errors carry a lake.Kind.
type Backend interface {
	// Describe plans a statement without running it.
	Describe(ctx context.Context, st session.Statement) (session.Description, error)
	// Plan pins a query to the current snapshot. Params holds one row or is nil.
	Plan(ctx context.Context, st session.Statement) (session.Query, error)
	// Run runs a planned query, as often as asked, at its snapshot. The query may
	// come from a ticket of another process: only Statement, with one row of
	// Params or none, Snapshot, View, Time and Part are set. Reading must end when
	// ctx does, and batches of at most 3.75 MiB are sent without being sliced again.
	Run(ctx context.Context, q session.Query) (session.Rows, error)
	// Execute runs an update once per row of its parameters, or once without.
	Execute(ctx context.Context, st session.Statement) (session.Update, error)
	// Ingest appends a stream. It reads the stream to its end unless it fails.
	Ingest(ctx context.Context, in session.Ingest, stream array.RecordReader) (session.Update, error)
	// State returns the schemas and tables that the caller sees now: those of its
	// transaction if one is open, and only those it has a privilege on. Its
	// temporary tables are in Temporary.
	State(ctx context.Context, c session.Caller) (session.Visible, error)

	// OpenSession begins a session. Errors: KindExhausted at the limit.
	OpenSession(ctx context.Context, id *auth.Identity) (*session.Session, error)
	// Session returns an open session of the identity and counts as its use.
	// Errors: KindUnauthenticated if it is not known, has ended, or is another's.
	Session(id session.SessionID, of *auth.Identity) (*session.Session, error)
	// CloseSession rolls back what is open and forgets the session. A session that
	// has ended is no error.
	CloseSession(ctx context.Context, id session.SessionID)

	// Begin makes a transaction; it pins no snapshot and takes no lock.
	Begin(ctx context.Context, c session.Caller) (session.TransactionID, error)
	// End commits or rolls back a transaction, which has then ended whatever the result.
	// Errors: KindConflict, naming the other snapshot; KindState if it has ended.
	End(ctx context.Context, c session.Caller, id session.TransactionID, commit bool) (session.Update, error)
	// Savepoint marks a place in the caller's transaction.
	Savepoint(ctx context.Context, c session.Caller, name string) (session.SavepointID, error)
	// EndSavepoint releases the savepoint, or rolls back to it.
	EndSavepoint(ctx context.Context, c session.Caller, id session.SavepointID, release bool) error

	// Cancel ends the statement with that id, whoever's calls work for it, and keeps calls
	// for it from starting. It reports whether the statement was known.
	// Errors: KindForbidden for the statement of another user.
	Cancel(ctx context.Context, c session.Caller, id session.StatementID) (bool, error)
	// Progress returns the share done of a running statement, within [0, 1], and
	// lake.Unknown if it is not known.
	Progress(id session.StatementID) float64
}
