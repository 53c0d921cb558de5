// Package flightsvc serves the lake over Arrow Flight SQL. It translates the
// protocol's commands to calls of a [Backend] and back: tickets, prepared
// statement handles, metadata listings, bulk ingest and error status.
//
// The main types are [Server], which owns the gRPC server, and [Backend], what
// it needs of the lake. Tickets and handles are complete in themselves and
// authenticated, so the server keeps nothing between two calls: a ticket can be
// redeemed any number of times, by any connection, until its snapshot expires.
//
// The package knows no SQL, no storage and no configuration files. It and
// package httpsvc are the only ones that know network protocols.
package flightsvc
