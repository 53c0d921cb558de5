package lake

// ScanTask is one DataFile, or some of its row groups, to be read.
type ScanTask struct {
	File *DataFile
	// RowGroups lists the row groups to read, ascending; nil means all.
	RowGroups []int32
	// Rows is the number of rows in those row groups before deletes and filters.
	Rows int64
	// Bytes is the number of compressed bytes in them.
	Bytes int64
}
