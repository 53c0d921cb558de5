// Package sqlcatalog implements catalog.Catalog over database/sql in the
// DuckLake 1.0 format. What differs between databases is in Dialect; a driver
// package opens the database, locks it and calls Open.
//
// All writes go through one committer goroutine, which publishes everything
// that waits in one transaction of the database, each Commit with a snapshot
// of its own. Reads run in read-only transactions of pooled connections.
//
// It does not open objects of the lake, and knows no driver.
package sqlcatalog
