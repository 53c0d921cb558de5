// Package duckdb keeps the catalog in a DuckDB file. It opens the file, locks
// it against other servers and tells who holds it, and leaves the rest to
// package sqlcatalog.
//
// It does not run statements of clients, except SELECTs over the catalog's own
// tables that reach neither files nor the network.
package duckdb
