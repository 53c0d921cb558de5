package lake

// Twin is an empty table that stands for one table reference while a statement
// is planned. Name is unique for the ColumnsID of the table and the ordinal of the
// reference, so a Twin of a given name never changes.
type Twin struct {
	Name    string
	Columns []Column
}
