package lake

import (
	"cmp"
	"slices"
)

// TableVersion is what a table consists of at one snapshot. It is shared:
// nobody modifies it or what it refers to.
type TableVersion struct {
	Table    TableID
	Snapshot SnapshotID
	// Files are those live at Snapshot, ascending by ID, with the Deletes that
	// are live at it.
	Files      []*DataFile
	Inlined    []Inlined
	Partitions []PartitionSpec // ascending by ID; files may name each of them
}

// Partition returns the PartitionSpec with the given id.
func (v *TableVersion) Partition(id PartitionID) (*PartitionSpec, bool) {
	i, ok := slices.BinarySearchFunc(v.Partitions, id, ComparePartition)
	if !ok {
		return nil, false
	}
	return &v.Partitions[i], true
}

// ComparePartition compares the id of a spec with another, for searches in lists
// that ascend by it.
func ComparePartition(spec PartitionSpec, id PartitionID) int { return cmp.Compare(spec.ID, id) }
