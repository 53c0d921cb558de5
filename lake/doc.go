// Package lake holds the values that every other package speaks of: types and
// columns, snapshots and tables, data files and their statistics, scan tasks,
// and the one error type that crosses packages.
//
// It does no I/O, starts no goroutine and knows no SQL, catalog, store or
// protocol. Its values are plain data; once shared they are not modified.
package lake
