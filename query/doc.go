// Package query plans and runs queries: a Planner turns text and a view into a Plan,
// and a Runner runs that in the scanner, in the engine or from the catalog alone. A
// Processor is both, with what tickets need.
//
// All of a query happens in the life of its workload.Statement: its text is analysed, then
// it waits for its turn, then its tables are resolved and bound, then its rows are read;
// what it takes it gives back when that ends.
//
// Statements that change the lake are not its own: package change uses it for the queries
// in them. The lake's table functions reach it as Functions, which package lakefn provides.
package query
