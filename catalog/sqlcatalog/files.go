package sqlcatalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// fileLoader reads the files of one table that changed in (after, upTo].
type fileLoader struct {
	s           *session
	table       lake.TableID
	after, upTo int64
	dataPath    string
	tableKey    string // key prefix of the table's files

	leaves   map[lake.FieldID]lake.Column // leaves of the table at upTo
	topLevel map[lake.FieldID]bool        // the leaves that have one value per row
	history  map[lake.FieldID][]typeSince

	files []lake.DataFile
	index map[lake.FileID]int
	// condition selects the rows of the files in other tables by data_file_id.
	// The range lets the database skip what lies outside of it.
	condition string
	args      []any
	// mapped marks the files that have a zone map, by position in files.
	mapped   []bool
	mappings map[int64]*lake.NameMapping // of files
}

// typeSince is the type that a leaf has from a snapshot on.
type typeSince struct {
	begin lake.SnapshotID
	typ   lake.Type
}

// Files returns the files of a table that changed after a snapshot.
func (c *Catalog) Files(ctx context.Context, table lake.TableID, after, upTo lake.SnapshotID) (catalog.Files, error) {
	var out catalog.Files
	err := c.transaction(ctx, "read files", func(s *session) error {
		state, err := c.state(ctx, s, upTo)
		if err != nil {
			return err
		}
		t, ok := state.TableByID(table)
		if !ok {
			past, err := history{s}.Table(ctx, table)
			if err != nil {
				return err
			}
			return past.NotFound(table, upTo)
		}
		l := fileLoader{
			s: s, table: table, after: int64(after), upTo: int64(upTo), dataPath: c.dataPath, tableKey: t.Path,
			leaves: lake.LeavesOf(t.Columns), topLevel: map[lake.FieldID]bool{}, index: map[lake.FileID]int{},
			mappings: map[int64]*lake.NameMapping{},
		}
		for i := range t.Columns {
			l.topLevel[t.Columns[i].ID] = true
		}
		out, err = l.load(ctx)
		return err
	})
	return out, err
}

func (l *fileLoader) load(ctx context.Context) (catalog.Files, error) {
	deletes, err := l.s.inlinedDeleteTable(ctx, l.table)
	if err != nil {
		return catalog.Files{}, err
	}
	if err := l.loadFiles(ctx, deletes); err != nil {
		return catalog.Files{}, err
	}
	out := catalog.Files{}
	if len(l.files) > 0 {
		for _, load := range []func(context.Context) error{
			l.loadMappings, l.loadTypeHistory, l.loadZoneMaps, l.loadStats, l.loadDeleteFiles,
			func(ctx context.Context) error { return l.loadInlinedDeletes(ctx, deletes) },
		} {
			if err := load(ctx); err != nil {
				return catalog.Files{}, err
			}
		}
		if out.Partitions, err = l.loadPartitions(ctx); err != nil {
			return catalog.Files{}, err
		}
	}
	out.Files = l.files
	out.Inlined, err = l.s.inlined(ctx, l.table, l.upTo)
	return out, err
}

// inlinedDeleteTable returns the name of the table of inlined deletes, or "".
func (s *session) inlinedDeleteTable(ctx context.Context, table lake.TableID) (string, error) {
	name := fmt.Sprintf("ducklake_inlined_delete_%d", table)
	tables, err := s.tables(ctx)
	if err != nil || !slices.Contains(tables, name) {
		return "", err
	}
	return name, nil
}

func (l *fileLoader) loadFiles(ctx context.Context, inlinedDeletes string) error {
	query := `SELECT data_file_id, path, path_is_relative, record_count, file_size_bytes, footer_size, row_id_start,
		begin_snapshot, CASE WHEN end_snapshot <= ? THEN end_snapshot END, partition_id, mapping_id, partial_max,
		encryption_key IS NOT NULL, file_format
		FROM ducklake_data_file WHERE table_id = ? AND begin_snapshot <= ? AND `
	args := []any{l.upTo, int64(l.table), l.upTo}
	if l.after == 0 {
		query += `(end_snapshot IS NULL OR end_snapshot > ?)`
		args = append(args, l.upTo)
	} else {
		query += `(begin_snapshot > ? OR (end_snapshot > ? AND end_snapshot <= ?) OR
			((end_snapshot IS NULL OR end_snapshot > ?) AND data_file_id IN (
				SELECT data_file_id FROM ducklake_delete_file WHERE table_id = ? AND
				((begin_snapshot > ? AND begin_snapshot <= ?) OR (end_snapshot > ? AND end_snapshot <= ?))`
		args = append(args, l.after, l.after, l.upTo, l.upTo, int64(l.table), l.after, l.upTo, l.after, l.upTo)
		if inlinedDeletes != "" {
			query += ` UNION ALL SELECT file_id FROM ` + inlinedDeletes + ` WHERE begin_snapshot > ? AND begin_snapshot <= ?`
			args = append(args, l.after, l.upTo)
		}
		query += `)))`
	}
	err := l.s.scan(ctx, query+` ORDER BY data_file_id`, args, l.addFile)
	if err != nil || len(l.files) == 0 {
		return err
	}
	l.mapped = make([]bool, len(l.files))
	l.condition = `table_id = ? AND data_file_id BETWEEN ? AND ?`
	l.args = []any{int64(l.table), int64(l.files[0].ID), int64(l.files[len(l.files)-1].ID)}
	return nil
}

func (l *fileLoader) addFile(r *batchRow) error {
	f := lake.DataFile{
		ID: lake.FileID(r.int64(0, 0)), Table: l.table,
		Rows: r.int64(3, 0), Bytes: r.int64(4, 0), FooterBytes: r.int64(5, 0), RowIDStart: r.int64(6, 0),
		Begin: lake.SnapshotID(r.int64(7, 0)), End: lake.SnapshotID(r.int64(8, 0)),
		PartitionID: lake.PartitionID(r.int64(9, 0)), Mapping: l.mapping(r.int64(10, lake.Unknown)),
		PartialMax: lake.SnapshotID(r.int64(11, 0)), Encrypted: r.bool(12),
	}
	f.Path, f.Absolute = resolvePath(l.dataPath, l.tableKey, strings.Clone(r.text(1)), r.bool(2))
	if format := r.text(13); format != "parquet" {
		return lake.Errorf(lake.KindUnsupported, "file %d of table %d has the format %q", f.ID, l.table, format)
	}
	l.index[f.ID] = len(l.files)
	l.files = append(l.files, f)
	return nil
}

// mapping returns the mapping of an id, which loadMappings fills; nil for
// lake.Unknown. DuckLake counts ids from 0.
func (l *fileLoader) mapping(id int64) *lake.NameMapping {
	if id == lake.Unknown {
		return nil
	}
	m, ok := l.mappings[id]
	if !ok {
		m = &lake.NameMapping{ID: id}
		l.mappings[id] = m
	}
	return m
}

// loadMappings reads the mappings of the files. The parents of nested fields
// need not be known: a field id says which they are.
func (l *fileLoader) loadMappings(ctx context.Context) error {
	if len(l.mappings) == 0 {
		return nil
	}
	return l.s.scan(ctx, `SELECT m.mapping_id, m."type", n.source_name, n.target_field_id, n.is_partition
		FROM ducklake_column_mapping m JOIN ducklake_name_mapping n ON n.mapping_id = m.mapping_id
		WHERE m.table_id = ?`, []any{int64(l.table)}, func(r *batchRow) error {
		m, ok := l.mappings[r.int64(0, 0)]
		if !ok {
			return nil
		}
		if kind := r.text(1); kind != "map_by_name" {
			return lake.Errorf(lake.KindUnsupported, "files of table %d have columns that are mapped by %q", l.table, kind)
		}
		if m.Fields == nil {
			m.Fields = map[lake.FieldID]lake.MappedField{}
		}
		m.Fields[lake.FieldID(r.int64(3, 0))] = lake.MappedField{Name: strings.Clone(r.text(2)), InPath: r.bool(4)}
		return nil
	})
}

// loadZoneMaps decodes the zone maps. The first entry of one holds the
// statistics of the whole file.
func (l *fileLoader) loadZoneMaps(ctx context.Context) error {
	types := func(id lake.FieldID) (lake.Type, bool) {
		c, ok := l.leaves[id]
		return c.Type, ok
	}
	return l.s.scan(ctx, `SELECT data_file_id, zone_map FROM `+tableZoneMap+` WHERE `+l.condition, l.args,
		func(r *batchRow) error {
			at, ok := l.index[lake.FileID(r.int64(0, 0))]
			if !ok {
				return nil
			}
			f := &l.files[at]
			if err := f.DecodeZoneMap(r.bytes(1), types); err != nil {
				return lake.Errorf(lake.KindOf(err), "file %d %s: %w", f.ID, f.Path, err)
			}
			l.mapped[at] = true
			return nil
		})
}

// loadDeleteFiles adds the delete files: those live at upTo, and with after
// those that were live in a snapshot since.
func (l *fileLoader) loadDeleteFiles(ctx context.Context) error {
	ended := l.after
	if l.after == 0 {
		ended = l.upTo
	}
	args := append([]any{l.upTo}, l.args...)
	return l.s.scan(ctx, `SELECT data_file_id, begin_snapshot, CASE WHEN end_snapshot <= ? THEN end_snapshot END,
		path, path_is_relative, format, delete_count, file_size_bytes, encryption_key IS NOT NULL, partial_max
		FROM ducklake_delete_file WHERE `+l.condition+` AND begin_snapshot <= ?
		AND (end_snapshot IS NULL OR end_snapshot > ?) ORDER BY data_file_id, begin_snapshot, delete_file_id`,
		append(args, l.upTo, ended), func(r *batchRow) error {
			at, ok := l.index[lake.FileID(r.int64(0, 0))]
			if !ok {
				return nil
			}
			f := &l.files[at]
			d := lake.Delete{
				Begin: lake.SnapshotID(r.int64(1, 0)), End: lake.SnapshotID(r.int64(2, 0)),
				Format: strings.Clone(r.text(5)), Count: r.int64(6, 0), Bytes: r.int64(7, 0),
				PartialMax: lake.SnapshotID(r.int64(9, 0)),
			}
			d.Path, d.Absolute = resolvePath(l.dataPath, l.tableKey, strings.Clone(r.text(3)), r.bool(4))
			if r.bool(8) {
				return lake.Errorf(lake.KindUnsupported, "delete file %s is encrypted", d.Path)
			}
			f.Deletes = append(f.Deletes, d)
			return nil
		})
}

// loadInlinedDeletes adds the positions that are deleted without a delete file.
func (l *fileLoader) loadInlinedDeletes(ctx context.Context, table string) error {
	if table == "" {
		return nil
	}
	return l.s.scan(ctx, `SELECT file_id, begin_snapshot, row_id FROM `+table+`
		WHERE file_id BETWEEN ? AND ? AND begin_snapshot <= ? ORDER BY file_id, begin_snapshot, row_id`,
		[]any{l.args[1], l.args[2], l.upTo}, func(r *batchRow) error {
			at, ok := l.index[lake.FileID(r.int64(0, 0))]
			if !ok {
				return nil
			}
			f, begin := &l.files[at], lake.SnapshotID(r.int64(1, 0))
			n := len(f.Deletes)
			if n == 0 || f.Deletes[n-1].Path != "" || f.Deletes[n-1].Begin != begin {
				f.Deletes = append(f.Deletes, lake.Delete{Begin: begin})
				n++
			}
			d := &f.Deletes[n-1]
			d.Positions = append(d.Positions, r.int64(2, 0))
			d.Count++
			return nil
		})
}

// loadPartitions adds the partition values, and returns the specs that they follow.
func (l *fileLoader) loadPartitions(ctx context.Context) ([]lake.PartitionSpec, error) {
	if !slices.ContainsFunc(l.files, func(f lake.DataFile) bool { return f.PartitionID != 0 }) {
		return nil, nil
	}
	found, err := l.s.partitionSpecs(ctx, `SELECT table_id, partition_id, column_id, "transform"
		FROM ducklake_partition_column WHERE table_id = ? ORDER BY partition_id, partition_key_index`, int64(l.table))
	if err != nil {
		return nil, err
	}
	specs := make([]lake.PartitionSpec, len(found))
	byID := map[lake.PartitionID]*lake.PartitionSpec{}
	for i := range found {
		if found[i].fault != nil {
			return nil, found[i].fault
		}
		specs[i] = found[i].PartitionSpec
		byID[specs[i].ID] = &specs[i]
	}
	for i := range l.files {
		f := &l.files[i]
		if f.PartitionID == 0 {
			continue
		}
		spec, ok := byID[f.PartitionID]
		if !ok {
			return nil, lake.Errorf(lake.KindCorrupt, "file %d names partitioning %d, which does not exist", f.ID, f.PartitionID)
		}
		f.PartitionValues = make([]*lake.Value, len(spec.Fields))
	}
	err = l.s.scan(ctx, `SELECT data_file_id, partition_key_index, partition_value
		FROM ducklake_file_partition_value WHERE `+l.condition, l.args, func(r *batchRow) error {
		at, ok := l.index[lake.FileID(r.int64(0, 0))]
		if !ok || r.null(2) {
			return nil
		}
		return l.addPartitionValue(&l.files[at], byID, int(r.int64(1, -1)), strings.Clone(r.text(2)))
	})
	return slices.DeleteFunc(specs, func(spec lake.PartitionSpec) bool {
		return !slices.ContainsFunc(l.files, func(f lake.DataFile) bool { return f.PartitionID == spec.ID })
	}), err
}

func (l *fileLoader) addPartitionValue(f *lake.DataFile, specs map[lake.PartitionID]*lake.PartitionSpec, key int, text string) error {
	spec, ok := specs[f.PartitionID]
	if !ok {
		return nil
	}
	if key < 0 || key >= len(spec.Fields) {
		return lake.Errorf(lake.KindCorrupt, "file %d has a value for partition key %d, which does not exist", f.ID, key)
	}
	typ, known := l.partitionType(spec.Fields[key], f.Begin)
	value, ok := lake.ParsePartition(typ, text)
	if !known || !ok {
		// A nil entry would mean NULL: what cannot be read must not be pruned by.
		f.PartitionID, f.PartitionValues = 0, nil
		return nil
	}
	f.PartitionValues[key] = &value
	return nil
}

// partitionType returns the type of a partition key's values.
func (l *fileLoader) partitionType(field lake.PartitionField, at lake.SnapshotID) (lake.Type, bool) {
	if field.Transform != lake.TransformIdentity {
		return lake.Type{ID: lake.TypeInt64}, true
	}
	return l.typeAt(field.Column, at)
}

// inlined lists the tables of inlined rows that have a row at a snapshot.
func (s *session) inlined(ctx context.Context, table lake.TableID, at int64) ([]lake.Inlined, error) {
	var names []string
	err := s.each(ctx, `SELECT table_name FROM ducklake_inlined_data_tables WHERE table_id = ? ORDER BY schema_version`,
		[]any{int64(table)}, func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			names = append(names, name)
			return err
		})
	if err != nil {
		return nil, err
	}
	var out []lake.Inlined
	for _, name := range names {
		entry := lake.Inlined{Name: name}
		if _, err := s.one(ctx, `SELECT count(*) FROM `+lake.QuoteIdent(name)+` WHERE `+live,
			[]any{at, at}, &entry.Rows); err != nil {
			return nil, err
		}
		if entry.Rows > 0 {
			out = append(out, entry)
		}
	}
	return out, nil
}
