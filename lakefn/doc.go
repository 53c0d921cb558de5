// Package lakefn holds the lake's own table functions, such as lake.snapshots() and
// lake.row_groups('t'), which also have DuckLake's long names. Functions finds them for
// package query.
//
// They show and change nothing. What calls with effects do, such as lake.set_option, is
// package change's.
package lakefn
