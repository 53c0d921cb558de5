package session

import (
	"context"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
)

// ID names a session: 128 random bits as text.
type ID string

// TransactionID names a transaction that the protocol began.
type TransactionID string

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
// Errors: KindState if the client cannot have one; KindExhausted at the limit of
// sessions.
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
	Schema string // default schema; empty means lake.DefaultSchema
}

// In returns the schema of a name: its own, else the scope's.
func (sc Scope) In(schema string) string {
	switch {
	case schema != "":
		return schema
	case sc.Schema != "":
		return sc.Schema
	}
	return lake.DefaultSchema
}
