// Package change runs the statements that change the lake, and ingests: it resolves what
// they change in a view, has rows written to files, and publishes the outcome, as one
// commit or as part of the caller's transaction, in which case package txn keeps it.
//
// The queries inside such statements are package query's. What an operation means is said
// by package catalog/transition alone; this package only asks for operations.
package change
