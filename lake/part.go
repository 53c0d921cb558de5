package lake

import "cmp"

// Bound is a place in the order of a table: a row group of a data file.
type Bound struct {
	File     FileID
	RowGroup int32
}

// Part is a share of a scan: the row groups from From on and before To, by file
// id and then by number. The zero From is the beginning, the zero To is the end.
type Part struct{ From, To Bound }

// Compare orders bounds by file id, then by row group.
func (b Bound) Compare(o Bound) int {
	return cmp.Or(cmp.Compare(b.File, o.File), cmp.Compare(b.RowGroup, o.RowGroup))
}

// Contains reports whether a row group belongs to the part.
func (p Part) Contains(b Bound) bool {
	return (p.From == Bound{} || b.Compare(p.From) >= 0) && (p.To == Bound{} || b.Compare(p.To) < 0)
}
