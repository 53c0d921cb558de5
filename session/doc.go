// Package session holds what clients keep between their calls: a Session has
// options and temporary tables, and a Caller says on whose behalf a call runs and
// in which session and transaction. A Registry holds the open sessions.
//
// It runs no statements and knows no transactions: package txn holds those of a
// session, and package lakehouse ends what belongs to a session together with it.
package session
