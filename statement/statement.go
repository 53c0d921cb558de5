// Package statement holds the values that pass between a protocol and the lake: what
// a client asks for (Statement, Ingest) and what it is told (Description, Query,
// Rows, Update, Visible). Package lakehouse runs them.
package statement

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/session"
)

// ID names a statement that runs, in listings and to KILL: a UUID.
type ID string

// ViewID names what a query of a transaction, or one over temporary tables,
// sees beyond its snapshot. It is kept until its session or its time ends.
type ViewID string

// SavepointID names a savepoint that the protocol made.
type SavepointID string

// Statement is SQL text with the parameters of one execution.
type Statement struct {
	SQL    string
	Scope  session.Scope
	Caller session.Caller
	// ID names the statement while it runs; empty means that one is made.
	ID ID
	// Params holds one row per execution and one column per parameter, in
	// order; nil means none. Borrowed.
	Params arrow.RecordBatch
	// Token is the append token of INSERT and CREATE TABLE AS; empty means none.
	// Other statements do not look at it.
	Token string

	classified *sqltext.Statement // SQL; nil until Classify
}

// Classify returns what the SQL text says, which is found out once: copies of a
// classified statement know it too. Those who change SQL make a new Statement.
//
// Errors: those of sqltext.Classify.
func (s *Statement) Classify() (*sqltext.Statement, error) {
	if s.classified == nil {
		classified, err := sqltext.Classify(s.SQL)
		if err != nil {
			return nil, err
		}
		s.classified = classified
	}
	return s.classified, nil
}

// Description is what a client learns by preparing a statement.
type Description struct {
	// Update is set for statements that return no rows: DDL and DML.
	Update bool
	// Result is the schema of the rows of a query; nil for an update.
	Result *arrow.Schema
	// Params has one field per parameter; of type null where the type is not known.
	Params *arrow.Schema
}

// Query is a planned query, pinned to a snapshot. Statement, Snapshot, View,
// Time and Part are all that running it needs: a ticket holds them.
type Query struct {
	// Update is set, and all else zero but Statement, if the statement returns no
	// rows: it was planned as a query and is none. Nothing has run.
	Update bool
	// Statement.ID ties the endpoints of one query together.
	Statement Statement
	Snapshot  lake.SnapshotID
	// Oldest is the oldest snapshot that the query reads, with AT or a function: it is
	// kept for as long as a ticket can be redeemed. It is not needed for running.
	Oldest lake.SnapshotID
	View   ViewID    // empty: the snapshot alone
	Time   time.Time // what now() is in every endpoint
	Part   lake.Part // zero: all rows
	Schema *arrow.Schema
	// Rows and Bytes are exact if known before running, else lake.Unknown.
	Rows  int64
	Bytes int64
	// Parts divides a large scan into disjoint shares, in the order of the table;
	// nil means that it is not divided.
	Parts []lake.Part
	// Ordered is set if the statement says ORDER BY.
	Ordered bool
}

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
	Scope     session.Scope
	Caller    session.Caller
	ID        ID
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
