package flightsvc

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
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
	// Params or none, and Snapshot are set. Reading must end when ctx does, and
	// batches of at most 3.75 MiB are sent without being sliced again.
	Run(ctx context.Context, q session.Query) (session.Rows, error)
	// Execute runs an update once per row of its parameters, or once without.
	Execute(ctx context.Context, st session.Statement) (session.Update, error)
	// Ingest appends a stream. It reads the stream to its end unless it fails.
	Ingest(ctx context.Context, in session.Ingest, stream array.RecordReader) (session.Update, error)
	// State returns the latest schemas and tables.
	State(ctx context.Context) (*lake.State, lake.SnapshotID, error)
}
