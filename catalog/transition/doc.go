// Package transition is the one interpreter of changes: it turns a state of the lake
// and a catalog.Operation into the next state and a Delta, which is what there is to
// persist, or into a Failed that names the precondition which does not hold.
//
// Apply interprets one operation. A Draft applies those of one commit, with the rules
// that hold among them, and Commit judges them by what other commits did since the
// snapshot that they were planned on, which a History tells. Every driver of a
// catalog and the overlay of a transaction go through here; a driver only turns a
// Delta into its own form, and interprets no operation.
//
// States are immutable values. A step copies the list of schemas, and of the schema
// that changes its list of tables; all else is shared with the state before, and
// adding files shares the whole state.
//
// # How a change is written down
//
// A Delta lists, by kind of thing, what begins to be and what ends, and besides these
// what is set. A thing that changes ends and begins again under its id, as in the
// DuckLake format: an operation to come needs another kind of thing at most, and no
// other shape.
//
//	operation to come              in the Delta
//	ADD COLUMN                     Begun.Columns (also of a nested field: Parent)
//	DROP COLUMN                    Ended.Columns
//	RENAME, widen, set a default   Ended.Columns and Begun.Columns of the same field id
//	move a field in a nested type  the same, with another Parent or Order
//	SET PARTITIONED BY, SORTED BY  Ended.Partitions and Begun.Partitions; the same for sort keys
//	RENAME TABLE                   Ended.Tables and Begun.Tables of the same id, kept apart from a
//	                               drop by the id being in both
//	add, drop a key                Keys
//	DELETE, UPDATE, MERGE          Begun.Deletes of positions in files, beside Begun.Files
//	compaction                     Ended.Files and Begun.Files; their Begin stays what it was
//	inlined rows                   Begun.Rows and Ended.Rows of a table
//	views and macros               Begun.Views, Ended.Views, Begun.Macros, Ended.Macros
//	expire snapshots               no state changes: Ended.Snapshots, and the files that no
//	                               snapshot has any more, for deletion
//
// What changes the columns of a table sets its ColumnsBegin and LayoutBegin, what
// changes its partitioning the LayoutBegin only, and for tables that are not committed both set
// its Draft: so nothing that was prepared for the columns of before is taken for
// theirs.
//
// It does no I/O but through a History, and knows no database.
package transition
