// Package engine embeds DuckDB, twice and both times in memory: as the SQL
// front-end that parses, binds and optimises statements against empty tables
// (Frontend), and as the executor of every statement that is more than a scan
// (Executor).
//
// The executor holds no rows. Tables reach it as SQL text to put into FROM:
// either a TableSource of Arrow batches (Executor.Register) or read_parquet over
// local files (RegisterFiles). Besides, it mirrors the schemas, tables and views of
// the lake with empty tables, so that information_schema, DESCRIBE and SHOW
// answer (Executor.Sync).
//
// Clients' SQL is closed in: files, network, environment, extensions, settings
// and everything that writes are out of reach (see policy.go).
//
// It does not rewrite statements, choose files, or know the catalog: package
// session puts the pieces together. Besides catalog/duckdb this is the only
// package that uses cgo.
package engine
