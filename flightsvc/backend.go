package flightsvc

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// Backend is what the protocol needs of the lake; package lakehouse provides it. Errors
// carry a lake.Kind.
type Backend struct {
	Sessions     Sessions
	Transactions Transactions
	Statements   Statements
}

// Sessions opens and closes sessions.
type Sessions interface {
	// Open begins a session. Errors: KindExhausted at the limit.
	Open(ctx context.Context, of *auth.Identity) (*session.Session, error)
	// Use returns an open session of the identity and counts as its use.
	// Errors: KindUnauthenticated if it is not known, has ended, or is another's.
	Use(id session.ID, of *auth.Identity) (*session.Session, error)
	// Close rolls back what is open and forgets the session. A session that has ended
	// is no error.
	Close(ctx context.Context, id session.ID)
	// SetOption sets an option of a session, or resets it if value is nil.
	// Errors: KindNotFound for an unknown name or schema; KindInvalid for the value;
	// KindForbidden for a setting of the server's; KindUnauthenticated if the session
	// has ended.
	SetOption(ctx context.Context, x *session.Session, name string, value any) error
}

// Transactions begins and ends transactions.
type Transactions interface {
	// Begin makes a transaction; it pins no snapshot and takes no lock.
	Begin(ctx context.Context, c session.Caller) (session.TransactionID, error)
	// End commits or rolls back a transaction, which has then ended whatever the result.
	// Errors: KindConflict, naming the other snapshot; KindState if it has ended.
	End(ctx context.Context, c session.Caller, id session.TransactionID, commit bool) (statement.Update, error)
	// Savepoint marks a place in the caller's transaction.
	Savepoint(ctx context.Context, c session.Caller, name string) (statement.SavepointID, error)
	// EndSavepoint releases the savepoint, or rolls back to it.
	EndSavepoint(ctx context.Context, c session.Caller, id statement.SavepointID, release bool) error
}

// Statements runs statements.
type Statements interface {
	// State returns the schemas and tables that the caller sees now: those of its
	// transaction if one is open, and only those it has a privilege on. Its
	// temporary tables are in Temporary.
	State(ctx context.Context, c session.Caller) (statement.Visible, error)
	// Describe plans a statement without running it.
	Describe(ctx context.Context, st statement.Statement) (statement.Description, error)
	// Plan pins a query to the current snapshot, and keeps what it reads for as long as a
	// ticket is good. Params holds one row or is nil. Of a statement that is an update it
	// says so, and does not run it.
	Plan(ctx context.Context, st statement.Statement) (statement.Query, error)
	// Run runs a planned query, as often as asked, at its snapshot. The query may
	// come from a ticket of another process: only Statement, with one row of
	// Params or none, Snapshot, View, Time and Part are set. Reading must end when
	// ctx does, and batches of at most 3.75 MiB are sent without being sliced again.
	Run(ctx context.Context, q statement.Query) (statement.Rows, error)
	// Retain keeps what a query reads, of which id is the oldest, until a time: its ticket
	// is good for longer.
	Retain(id lake.SnapshotID, until time.Time)
	// Execute runs an update once per row of its parameters, or once without.
	Execute(ctx context.Context, st statement.Statement) (statement.Update, error)
	// Ingest appends a stream. It reads the stream to its end unless it fails.
	Ingest(ctx context.Context, in statement.Ingest, stream array.RecordReader) (statement.Update, error)
	// Cancel ends the statement with that id, whoever's calls work for it, and keeps calls
	// for it from starting. It reports whether the statement was known.
	// Errors: KindForbidden for the statement of another user.
	Cancel(ctx context.Context, c session.Caller, id statement.ID) (bool, error)
	// Progress returns the share done of a running statement, within [0, 1], and
	// lake.Unknown if it is not known.
	Progress(id statement.ID) float64
}
