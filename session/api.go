package session

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
)

// SessionID names a session: 128 random bits as text.
type SessionID string //nolint:revive // the protocol's word: beside TransactionID and StatementID it does not stutter

// TransactionID names a transaction that the protocol began.
type TransactionID string

// SavepointID names a savepoint that the protocol made.
type SavepointID string

// StatementID names a statement that runs, in listings and to KILL: a UUID.
type StatementID string

// ViewID names what a query of a transaction, or one over temporary tables,
// sees beyond its snapshot. It is kept until its session or its time ends.
type ViewID string

// Caller is on whose behalf a call runs. The zero value is an anonymous client
// without a session.
type Caller struct {
	// Identity is who calls; nil means that authentication is off.
	Identity *auth.Identity
	// Session keeps options, temporary tables and SQL transactions; nil means that
	// the client has none yet.
	Session *Session
	// OpenFunc opens a session for a client that has none, and tells the client its
	// name. Open calls it; nil means that the client cannot have one.
	OpenFunc func(ctx context.Context) (*Session, error)
	// Transaction is that of the protocol; empty means the one that SQL began in
	// the session, if any, else that the statement commits by itself.
	Transaction TransactionID
}

// Open returns the caller's session for a statement that keeps something, such
// as SET, BEGIN or CREATE TEMP TABLE. A client that has none gets one.
//
// Errors: KindState if the client cannot have one; those of Service.OpenSession.
func (c *Caller) Open(ctx context.Context) (*Session, error) {
	if c.Session != nil {
		return c.Session, nil
	}
	if c.OpenFunc == nil {
		return nil, lake.Errorf(lake.KindState, "the statement needs a session, and the client has none")
	}
	x, err := c.OpenFunc(ctx)
	if err != nil {
		return nil, err
	}
	c.Session = x
	return x, nil
}

// Scope is where a client's unqualified names resolve.
type Scope struct {
	Schema string // default schema; empty means "main"
}

// Statement is SQL text with the parameters of one execution.
type Statement struct {
	SQL    string
	Scope  Scope
	Caller Caller
	// ID names the statement while it runs; empty means that one is made.
	ID StatementID
	// Params holds one row per execution and one column per parameter, in
	// order; nil means none. Borrowed.
	Params arrow.RecordBatch
	// Token is the append token of INSERT and CREATE TABLE AS; empty means none.
	// Other statements do not look at it.
	Token string
}

// Description is what preparing a statement tells a client.
type Description struct {
	// Update is set for statements that return no rows: DDL and DML.
	Update bool
	// Result is the schema of the rows of a query; nil for an update.
	Result *arrow.Schema
	// Params has one field per parameter; of type null where the type is not known.
	Params *arrow.Schema
}

// Query is a planned query, pinned to a snapshot. Statement, Snapshot, View,
// Time and Part are all that Run needs: a ticket holds them.
type Query struct {
	// Statement.ID ties the endpoints of one query together.
	Statement Statement
	Snapshot  lake.SnapshotID
	View      ViewID    // empty: the snapshot alone
	Time      time.Time // what now() is in every endpoint
	Part      Part      // zero: all rows
	Schema    *arrow.Schema
	// Rows and Bytes are exact if known before running, else lake.Unknown.
	Rows  int64
	Bytes int64
	// Parts divides a large scan into disjoint shares, in the order of the table;
	// nil means that it is not divided.
	Parts []Part
	// Ordered is set if the statement says ORDER BY.
	Ordered bool
}

type (
	// Bound is that of the lake.
	Bound = lake.Bound
	// Part is that of the lake.
	Part = lake.Part
)

// Rows is a running query. The caller releases Reader.
type Rows struct {
	Reader   array.RecordReader
	Snapshot lake.SnapshotID
}

// Update is the outcome of a statement that changes the lake.
type Update struct {
	Rows     int64 // rows added or changed; 0 for DDL
	Snapshot lake.SnapshotID
	Replayed bool // an earlier append with the same token was answered
}

// IfMissing says what an ingest does when its table does not exist.
type IfMissing uint8

// IfExists says what an ingest does when its table exists.
type IfExists uint8

// The choices of CommandStatementIngest's table_definition_options.
const (
	MissingFails  IfMissing = iota // KindNotFound
	MissingCreate                  // create the table with the stream's schema
)

// The choices for a table that exists.
const (
	ExistsFails   IfExists = iota // KindExists
	ExistsAppend                  // append; the stream's schema must fit
	ExistsReplace                 // replace the table, in one snapshot
)

// Ingest is the bulk load of one Arrow stream into one table.
type Ingest struct {
	Schema    string // empty means Scope.Schema
	Table     string
	Temporary bool
	Scope     Scope
	Caller    Caller
	ID        StatementID
	IfMissing IfMissing
	IfExists  IfExists
	Token     string            // append token; empty means none
	Options   map[string]string // of the call, such as "row_group_rows"
}

// Visible is what a caller sees of the lake.
type Visible struct {
	State    *lake.State
	Snapshot lake.SnapshotID
	// Temporary are the session's temporary tables, sorted by name.
	Temporary []lake.Table
}
