// Package workload knows the statements that run: it gives them their turn,
// ends them when they are killed or take too long, and counts what they use.
//
// A Registry holds them. Start waits for a turn and returns a Statement, which
// its caller Ends. All calls that work for one statement, such as those that read
// the endpoints of one query, share one turn: a client opens them all and reads
// them in order, so that a turn each could never end.
//
// It knows neither SQL nor sessions nor privileges; package session asks it for
// a turn and decides who may see and kill what.
package workload
