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

// EachRowGroup calls fn for the row groups to read that the catalog knows.
func (t *ScanTask) EachRowGroup(fn func(*RowGroup)) {
	next := 0
	for i := range t.File.RowGroups {
		g := &t.File.RowGroups[i]
		if t.RowGroups == nil {
			fn(g)
		} else if next < len(t.RowGroups) && t.RowGroups[next] == g.Index {
			next++
			fn(g)
		}
	}
}
