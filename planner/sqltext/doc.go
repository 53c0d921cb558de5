// Package sqltext reads SQL as text: it splits it into the tokens of DuckDB's
// dialect and classifies the statement that it holds. Statements that DuckDB
// itself cannot say in the way the lake needs them (CREATE TABLE with
// PARTITIONED BY, SORTED BY and WITH, DROP, INSERT, COMMENT, CALL) and those
// about sessions (transactions, SET, USE, KILL, GRANT) are taken apart here; the columns, queries and expressions inside them are handed on
// as text, for DuckDB to bind.
//
// It does not resolve names and does not parse expressions. All offsets are
// byte offsets into the text given.
package sqltext
