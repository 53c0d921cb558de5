package sqlcatalog

import (
	"context"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

const fileFormat = "parquet"

// addFiles plans an Append.
func (p *plan) addFiles(ctx context.Context, op catalog.AddFiles) error {
	t, ok := tableByID(p.head.state, op.Table)
	if !ok {
		return p.missingTable(ctx, op.Table)
	}
	if t.Begin != op.Begin {
		return lake.Errorf(lake.KindConflict, "table %q.%q was changed by snapshot %d", t.Schema, t.Name, t.Begin)
	}
	return p.addFilesTo(ctx, t, op.Files)
}

// missingTable says why a table is not live. Errors: KindConflict, naming the
// table and the snapshot that dropped it; KindNotFound if it never was.
func (p *plan) missingTable(ctx context.Context, id lake.TableID) error {
	dropped, ok := p.dropped[id]
	if ok && dropped.at == p.id {
		return lake.Errorf(lake.KindInvalid, "table %s is changed and dropped by one commit", dropped.name)
	}
	if !ok {
		var err error
		if dropped.name, dropped.at, err = p.s.lastName(ctx, id); err != nil {
			return err
		}
	}
	return lake.Errorf(lake.KindConflict, "table %s was dropped or replaced by snapshot %d", dropped.name, dropped.at)
}

// lastName returns the quoted name that a table has or last had, and the
// snapshot that dropped it, 0 if none did. Errors: KindNotFound if it never was.
func (s *session) lastName(ctx context.Context, id lake.TableID) (string, lake.SnapshotID, error) {
	var (
		schema, table string
		dropped       lake.SnapshotID
	)
	found, err := s.one(ctx, `SELECT s.schema_name, t.table_name, coalesce(t.end_snapshot, 0)
		FROM ducklake_table t JOIN ducklake_schema s ON s.schema_id = t.schema_id WHERE t.table_id = ?
		ORDER BY t.begin_snapshot DESC, s.begin_snapshot DESC LIMIT 1`, []any{int64(id)}, &schema, &table, &dropped)
	if err == nil && !found {
		err = lake.Errorf(lake.KindNotFound, "no table has the id %d", id)
	}
	return quoteName(schema) + "." + quoteName(table), dropped, err
}

// addFilesTo adds files to a table of the plan's state.
func (p *plan) addFilesTo(ctx context.Context, t *lake.Table, files []lake.DataFile) error {
	if len(files) == 0 {
		return nil
	}
	stats, err := p.tableStats(ctx, t)
	if err != nil {
		return err
	}
	leaves := leavesOf(t.Columns)
	for i := range files {
		if err := p.addFile(t, leaves, stats, &files[i]); err != nil {
			return lake.Errorf(lake.KindOf(err), "file %s: %w", files[i].Path, err)
		}
	}
	p.touched[t.ID] = true
	if change := "inserted_into_table:" + idText(t.ID); !slices.Contains(p.changes, change) {
		p.changes = append(p.changes, change)
	}
	return nil
}

func (p *plan) addFile(t *lake.Table, leaves map[lake.FieldID]lake.Column, stats *tableStats, f *lake.DataFile) error {
	path, relative := f.Path, false
	if !f.Absolute {
		if path, relative = strings.CutPrefix(f.Path, t.Path); !relative || path == "" {
			return lake.Errorf(lake.KindInvalid, "it is not in the folder of table %q.%q, %s", t.Schema, t.Name, t.Path)
		}
		p.paths = append(p.paths, f.Path)
	}
	if f.Rows < 0 || f.Bytes < 0 {
		return lake.Errorf(lake.KindInvalid, "%d rows and %d bytes", f.Rows, f.Bytes)
	}
	id := p.head.nextFileID
	p.head.nextFileID++
	partition, err := p.partition(t, leaves, id, f)
	if err != nil {
		return err
	}
	p.batch.insert("ducklake_data_file", id, int64(t.ID), int64(p.id), nil, nil, path, relative, fileFormat,
		f.Rows, f.Bytes, unlessZero(f.FooterBytes), stats.nextRowID, partition, nil, unlessZero(f.MappingID), nil)
	if err := p.addFileStats(t, leaves, id, f); err != nil {
		return err
	}
	if f.RowGroups != nil {
		if err := p.addZoneMap(t, leaves, id, f); err != nil {
			return err
		}
	}
	stats.add(leaves, f)
	p.result.Rows += f.Rows
	return nil
}

// partition adds the partition values and returns the id of their spec, or nil.
func (p *plan) partition(t *lake.Table, leaves map[lake.FieldID]lake.Column, id int64, f *lake.DataFile) (any, error) {
	if len(f.PartitionValues) == 0 {
		return nil, nil // NULL is the id of no spec
	}
	if t.Partition == nil || len(f.PartitionValues) != len(t.Partition.Fields) ||
		(f.PartitionID != 0 && f.PartitionID != t.Partition.ID) {
		return nil, lake.Errorf(lake.KindInvalid, "its partition values are not those of table %q.%q", t.Schema, t.Name)
	}
	for i, v := range f.PartitionValues {
		var text any
		if v != nil {
			field := t.Partition.Fields[i]
			typ := lake.Type{ID: lake.TypeInt64}
			if field.Transform == lake.TransformIdentity {
				typ = leaves[field.Column].Type
			}
			formatted, ok := lake.FormatPartition(typ, *v)
			if !ok {
				return nil, lake.Errorf(lake.KindInvalid, "partition value %d has no text as %s", i, typ)
			}
			text = formatted
		}
		p.batch.insert("ducklake_file_partition_value", id, int64(t.ID), int64(i), text)
	}
	return int64(t.Partition.ID), nil
}

// addFileStats writes the statistics of a file as other programs read them.
// The bounds need not be values that occur (ducklake_file_column_stats.md).
func (p *plan) addFileStats(t *lake.Table, leaves map[lake.FieldID]lake.Column, id int64, f *lake.DataFile) error {
	for i := range f.Stats {
		s := &f.Stats[i]
		leaf, ok := leaves[s.Field]
		if !ok {
			return lake.Errorf(lake.KindInvalid, "it has statistics of field %d, which is no leaf of table %q.%q", s.Field, t.Schema, t.Name)
		}
		var notNull, nulls, containsNaN any
		if s.NullCount != lake.Unknown {
			nulls = s.NullCount
			if s.ValueCount != lake.Unknown {
				notNull = s.ValueCount - s.NullCount
			}
		}
		if leaf.Type.Float() && s.NaNCount != lake.Unknown {
			containsNaN = s.NaNCount > 0
		}
		p.batch.insert("ducklake_file_column_stats", id, int64(t.ID), int64(s.Field), s.Bytes, notNull, nulls,
			boundText(leaf.Type, s.Min), boundText(leaf.Type, s.Max), containsNaN, nil)
	}
	return nil
}

// boundText returns the text of a bound, or nil if it has none.
func boundText(t lake.Type, v *lake.Value) any {
	if v == nil || !hasStatText(t.ID) {
		return nil
	}
	text, ok := lake.FormatStat(t, *v)
	if !ok {
		return nil
	}
	return text
}

// addZoneMap writes the row groups, after an entry for the whole file.
func (p *plan) addZoneMap(t *lake.Table, leaves map[lake.FieldID]lake.Column, id int64, f *lake.DataFile) error {
	var rows int64
	groups := make([]lake.RowGroup, 0, len(f.RowGroups)+1)
	groups = append(groups, lake.RowGroup{Index: fileEntry, Rows: f.Rows, Bytes: f.Bytes, Columns: f.Stats})
	for _, g := range f.RowGroups {
		rows += g.Rows
		groups = append(groups, g)
	}
	if rows != f.Rows {
		return lake.Errorf(lake.KindInvalid, "its row groups have %d rows, the file %d", rows, f.Rows)
	}
	data, err := lake.EncodeZoneMap(groups, func(id lake.FieldID) (lake.Type, bool) {
		c, ok := leaves[id]
		return c.Type, ok
	})
	if err != nil {
		return err
	}
	p.batch.insert(tableZoneMap, id, int64(t.ID), data)
	return nil
}
