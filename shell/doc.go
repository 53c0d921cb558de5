// Package shell is the SQL shell: a client of any Arrow Flight SQL server that
// runs statements and writes their results as tables, CSV, JSON, Markdown or
// Parquet, from scripts or from a terminal.
//
// A Client speaks the protocol. A Runner runs statements over it and writes
// results through a Printer. Script and Terminal feed a Runner with statements
// and backslash commands.
//
// It knows nothing of flightlake's server: what it needs to know about schemas
// and tables it asks by the protocol. Only the progress of a statement is asked in
// flightlake's SQL, once of a server that has no such table.
package shell
