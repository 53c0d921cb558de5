package scanner

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// positionColumn is the column of a delete file with the positions of deleted
// rows in their data file, from 0.
const positionColumn = "pos"

// loadDeletes returns the sorted positions of the rows that are deleted at the
// scan's snapshot.
func (f *file) loadDeletes(ctx context.Context) ([]int64, error) {
	var out []int64
	for i := range f.task.File.Deletes {
		d := &f.task.File.Deletes[i]
		if d.Begin > f.scan.Snapshot || d.End != 0 && d.End <= f.scan.Snapshot {
			continue
		}
		if d.Path == "" {
			out = append(out, d.Positions...)
			continue
		}
		positions, err := f.readDeletes(ctx, d)
		if err != nil {
			return nil, lake.Wrap(lake.KindCorrupt, "delete file "+d.Path, err)
		}
		out = append(out, positions...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// readDeletes reads a delete file through a scan of its own. In one that was
// merged from several snapshots only the rows up to the scan's count.
func (f *file) readDeletes(ctx context.Context, d *lake.Delete) ([]int64, error) {
	if d.Format != "" && d.Format != "parquet" {
		return nil, lake.Errorf(lake.KindUnsupported, "deletes in the format %q cannot be read", d.Format)
	}
	columns := []lake.Column{
		{ID: 1, Name: positionColumn, Type: lake.Type{ID: lake.TypeInt64}, Nullable: true},
		{ID: 2, Name: snapshotColumn, Type: lake.Type{ID: lake.TypeInt64}, Nullable: true},
	}
	scan := &expr.Scan{
		Table: &lake.Table{Name: f.scan.Table.Name, Columns: columns}, Snapshot: f.scan.Snapshot,
		Projection: []lake.FieldID{1, 2}, Limit: lake.Unknown,
		Tasks: []lake.ScanTask{{File: &lake.DataFile{
			Path: d.Path, Absolute: d.Absolute, Bytes: d.Bytes, Rows: lake.Unknown,
		}, Bytes: d.Bytes}},
	}
	one := *f.scanner
	one.byName = true
	one.opts.Workers = 1
	r, err := one.Scan(ctx, scan)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	var out []int64
	for r.Next() {
		positions := r.RecordBatch().Column(0).(*array.Int64) // the scan's schema
		snapshots := r.RecordBatch().Column(1).(*array.Int64) // the scan's schema
		for i := range positions.Len() {
			if positions.IsNull(i) {
				return nil, lake.Errorf(lake.KindCorrupt, "row %d has no position", i)
			}
			if snapshots.IsNull(i) || lake.SnapshotID(snapshots.Value(i)) <= f.scan.Snapshot {
				out = append(out, positions.Value(i))
			}
		}
	}
	return out, r.Err()
}
