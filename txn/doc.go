// Package txn holds transactions: what each sees and did between its beginning and
// its end (Work), which are open (Manager), savepoints, and how one ends, as a single
// commit of its net effect or without a trace.
//
// It runs no statements and resolves no names: package view shows what a transaction
// sees. It reaches the lake through Store alone.
package txn
