// Package view shows what one statement sees: a View is a snapshot, with what the
// caller's transaction and session have on top of it, restricted to what the caller
// may see. It is the one place where names become tables, and where privileges on
// them are asked for.
//
// It reads schemas and file lists through caches, but no rows, and runs nothing.
// Package txn changes what a View shows; packages query, change and lakefn use it.
package view
