package lakefn

import (
	"context"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/view"
)

func (s *Functions) tableInfo(_ context.Context, c query.Call) (*query.Rowset, error) {
	if err := none(c); err != nil {
		return nil, err
	}
	v := c.View
	return &query.Rowset{Columns: []lake.Column{
		query.Column("table_name", lake.TypeVarchar), query.Column("schema_id", lake.TypeInt64), query.Column("table_id", lake.TypeInt64),
		query.Column("table_uuid", lake.TypeUUID), query.Column("file_count", lake.TypeInt64), query.Column("file_size_bytes", lake.TypeInt64),
		query.Column("delete_file_count", lake.TypeInt64), query.Column("delete_file_size_bytes", lake.TypeInt64),
	}, Rows: rows(func(ctx context.Context, yield func(...any) bool) error {
		for t := range tablesOf(v) {
			files, err := s.Views.Files(ctx, v, t)
			if err != nil {
				return err
			}
			var bytes, deleteFiles, deleteBytes int64
			for _, f := range files.Files {
				bytes += f.Bytes
				for _, d := range liveDeleteFiles(f, v.Snapshot) {
					deleteFiles++
					deleteBytes += d.Bytes
				}
			}
			if !yield(t.Name, int64(t.SchemaID), int64(t.ID), t.UUID, int64(len(files.Files)), bytes, deleteFiles, deleteBytes) {
				break
			}
		}
		return nil
	})}, nil
}

// liveDeleteFiles returns the delete files of f at a snapshot, without inlined positions.
func liveDeleteFiles(f *lake.DataFile, id lake.SnapshotID) []lake.Delete {
	var out []lake.Delete
	for _, d := range f.Deletes {
		if d.Path != "" && d.Begin <= id && (d.End == 0 || id < d.End) {
			out = append(out, d)
		}
	}
	return out
}

// inspected returns the table that the first argument names, of which the caller may see
// files.
func inspected(v *view.View, a query.Arguments) (*lake.Table, error) {
	name, err := a.Text()
	if err != nil {
		return nil, err
	}
	table, err := v.Table(name)
	if err != nil {
		return nil, err
	}
	return table, v.MayInspect(table)
}

func (s *Functions) listFiles(ctx context.Context, c query.Call) (*query.Rowset, error) {
	a := query.Constants(c.Name, c.Args)
	if err := a.AtMost(1, "schema", "snapshot_version"); err != nil {
		return nil, err
	}
	v := c.View
	if schema, ok := a.Named["schema"]; ok {
		v = v.In(schema.Value)
	}
	if version, ok := a.Named["snapshot_version"]; ok {
		id, err := strconv.ParseInt(version.Value, 10, 64)
		if err != nil {
			return nil, lake.Errorf(lake.KindInvalid, "%s: snapshot_version must be an integer", c.Name)
		}
		if v, err = s.version(ctx, c.Run, v, id); err != nil {
			return nil, err
		}
	}
	table, err := inspected(v, a)
	if err != nil {
		return nil, err
	}
	return &query.Rowset{Columns: []lake.Column{
		query.Column("data_file", lake.TypeVarchar), query.Column("data_file_size_bytes", lake.TypeUint64),
		query.Column("data_file_footer_size", lake.TypeUint64), query.Column("data_file_encryption_key", lake.TypeBlob),
		query.Column("delete_file", lake.TypeVarchar), query.Column("delete_file_size_bytes", lake.TypeUint64),
		query.Column("delete_file_footer_size", lake.TypeUint64), query.Column("delete_file_encryption_key", lake.TypeBlob),
	}, Rows: rows(func(ctx context.Context, yield func(...any) bool) error {
		files, err := s.Views.Files(ctx, v, table)
		if err != nil {
			return err
		}
		for _, f := range files.Files {
			row := []any{s.location(f.Path, f.Absolute), uint64(f.Bytes), uint64(f.FooterBytes), nil, nil, nil, nil, nil}
			for _, d := range liveDeleteFiles(f, v.Snapshot) {
				row[4], row[5] = s.location(d.Path, d.Absolute), uint64(d.Bytes)
			}
			if !yield(row...) {
				break
			}
		}
		return nil
	})}, nil
}

// snapshotFiles lists the files that one snapshot added: the metadata of an append.
func (s *Functions) snapshotFiles(ctx context.Context, c query.Call) (*query.Rowset, error) {
	a := query.Constants(c.Name, c.Args)
	if err := a.AtMost(1); err != nil {
		return nil, err
	}
	version, err := a.Integer()
	if err != nil {
		return nil, err
	}
	v, err := s.version(ctx, c.Run, c.View, version)
	if err != nil {
		return nil, err
	}
	return &query.Rowset{Columns: snapshotFileColumns(), Rows: rows(func(ctx context.Context, yield func(...any) bool) error {
		for t := range tablesOf(v) {
			added, err := s.Catalog.Files(ctx, t.ID, v.Snapshot-1, v.Snapshot)
			if err != nil {
				return err
			}
			for k := range added.Files {
				if f := &added.Files[k]; f.Begin == v.Snapshot && !yield(s.snapshotFileRow(t, f, added.Partitions)...) {
					return nil
				}
			}
		}
		return nil
	})}, nil
}

func (s *Functions) rowGroups(_ context.Context, c query.Call) (*query.Rowset, error) {
	a := query.Constants(c.Name, c.Args)
	if err := a.AtMost(1); err != nil {
		return nil, err
	}
	v := c.View
	table, err := inspected(v, a)
	if err != nil {
		return nil, err
	}
	return &query.Rowset{Columns: append([]lake.Column{
		query.Column("path", lake.TypeVarchar), query.Column("row_group", lake.TypeInt64),
		query.Column("rows", lake.TypeInt64), query.Column("bytes", lake.TypeInt64),
	}, statsColumns()...), Rows: rows(func(ctx context.Context, yield func(...any) bool) error {
		files, err := s.Views.Files(ctx, v, table)
		if err != nil {
			return err
		}
		for _, f := range files.Files {
			path := s.location(f.Path, f.Absolute)
			for j := range f.RowGroups {
				g := &f.RowGroups[j]
				for k := range g.Columns {
					row := []any{path, int64(g.Index), g.Rows, g.Bytes}
					if !yield(append(row, statsCells(table, &g.Columns[k])...)...) {
						return nil
					}
				}
			}
		}
		return nil
	})}, nil
}

// scanPlan answers lake.scan_plan('SELECT ...').
func (s *Functions) scanPlan(ctx context.Context, c query.Call) (*query.Rowset, error) {
	a := query.Constants(c.Name, c.Args)
	if err := a.AtMost(1); err != nil {
		return nil, err
	}
	sql, err := a.Text()
	if err != nil {
		return nil, err
	}
	p, err := s.Queries.SelectText(ctx, c.Run, sql, c.View)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	if err := p.MayInspect(); err != nil {
		return nil, err
	}
	columns, err := lake.ColumnsFromArrow(planner.ScanPlanSchema())
	if err != nil {
		return nil, err
	}
	return &query.Rowset{Columns: columns, OpenFunc: func(_ context.Context, mem memory.Allocator) (array.RecordReader, error) {
		return stream.OneBatch(p.ScanPlan(mem, func(f *lake.DataFile) string { return s.location(f.Path, f.Absolute) })), nil
	}}, nil
}
