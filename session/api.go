package session

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// Scope is where a client's unqualified names resolve.
type Scope struct {
	Schema string // default schema; empty means "main"
}

// Statement is SQL text with the parameters of one execution.
type Statement struct {
	SQL   string
	Scope Scope
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

// Query is a planned query, pinned to a snapshot.
type Query struct {
	Statement Statement
	Snapshot  lake.SnapshotID
	Schema    *arrow.Schema
	// Rows and Bytes are exact if known before running, else lake.Unknown.
	Rows  int64
	Bytes int64
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
	Scope     Scope
	IfMissing IfMissing
	IfExists  IfExists
	Token     string            // append token; empty means none
	Options   map[string]string // of the call, such as "row_group_rows"
}
