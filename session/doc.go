// Package session is where the parts meet: it runs what a client asks for, a
// statement, an append or the description of either. A Service pins each
// statement to one snapshot, has the planner prune it, runs it in the scanner
// or in the engine, and publishes what writes produced as one Commit.
//
// It knows neither gRPC nor SQL's grammar nor any driver: package planner reads
// SQL, package engine runs it, package catalog stores what was published.
package session
