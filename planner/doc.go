// Package planner turns SQL text into a Plan: which tables a statement reads,
// which data files, row groups and columns of them, what remains to be
// evaluated on rows, and whether the lake's own scanner can do it alone.
//
// The parts, in the order in which a statement passes them: sqltext.Classify
// classifies the statement; Analyze finds its table references; Resolve
// looks them up; Rewrite replaces them in the text; Plan has the text optimised
// by DuckDB over empty twins of the tables (see Frontend), reads the filters and
// columns of every reference from DuckDB's plan, and prunes.
//
// Pruning only ever drops what is proved useless. A statement whose plan cannot
// be had, or a filter that is not understood, is read unpruned, never refused.
// The package runs nothing and does no I/O but through Frontend.
package planner
