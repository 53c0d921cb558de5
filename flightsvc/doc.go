// Package flightsvc serves the lake over Arrow Flight SQL. It translates the
// protocol's commands to calls of a [Backend] and back: tickets, prepared
// statement handles, transactions, metadata listings, bulk ingest and error status.
//
// The main types are [Server], which owns the gRPC server, [Backend], what it
// needs of the lake, and [Authenticator], what it needs to know its users. A Server
// is composed of statementServer, sessionServer and metadataServer, which answer
// the commands, and of gate, which finds out who calls and in which session.
//
// Tickets and handles are complete in themselves and authenticated, so that the
// server keeps nothing for them: a ticket can be redeemed any number of times, by
// any connection, until it expires. What is kept is which connections use which
// session, so that sessions end with their clients, and the statements that a
// client polls for, which go on without a call.
//
// The package knows no SQL, no storage and no configuration files. It and
// package httpsvc are the only ones that know network protocols.
package flightsvc
