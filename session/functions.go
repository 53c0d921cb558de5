package session

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

type rowsetFunc func(ctx context.Context, v *view, a arguments) (*rowset, error)

// tableFunction finds a function of the lake by name: lake.snapshots(), or by
// DuckLake's long name, ducklake_snapshots('lake').
func (s *Service) tableFunction(schema, name string) (rowsetFunc, bool) {
	short := map[string]rowsetFunc{
		"snapshots": s.snapshotRows, "current_snapshot": s.currentSnapshotRows, "table_info": s.tableInfoRows,
		"options": s.optionRows, "snapshot_files": s.snapshotFileRows, "row_groups": s.rowGroupRows,
		"scan_plan": s.scanPlanRows, "list_files": s.listFileRows,
		"statements": s.statementRows, "sessions": s.sessionRows, "settings": s.settingRows,
	}
	lower := strings.ToLower(name)
	if strings.EqualFold(schema, CatalogName) {
		f, ok := short[lower]
		return f, ok
	}
	if long, ok := strings.CutPrefix(lower, "ducklake_"); ok && schema == "" {
		f, ok := short[long]
		if !ok {
			return nil, false
		}
		return dropCatalogArgument(f), true
	}
	return nil, false
}

// dropCatalogArgument checks and removes the first argument of DuckLake's long names.
func dropCatalogArgument(f rowsetFunc) rowsetFunc {
	return func(ctx context.Context, v *view, a arguments) (*rowset, error) {
		name, err := a.text()
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(name, CatalogName) {
			return nil, lake.Errorf(lake.KindNotFound, "%s: catalog %q does not exist; the catalog is %q", a.name, name, CatalogName)
		}
		a.positional = a.positional[1:]
		return f(ctx, v, a)
	}
}

func (s *Service) snapshotRows(ctx context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(0); err != nil {
		return nil, err
	}
	all, err := s.Catalog.Snapshots(ctx)
	if err != nil {
		return nil, err
	}
	r := &rowset{columns: []lake.Column{
		column("snapshot_id", lake.TypeInt64), column("snapshot_time", lake.TypeTimestampTZ),
		column("schema_version", lake.TypeInt64),
		column("changes", lake.TypeMap, lake.Column{Name: lake.KeyName, Type: lake.Type{ID: lake.TypeVarchar}},
			column(lake.ValueName, lake.TypeList, column(lake.ElementName, lake.TypeVarchar))),
		column("author", lake.TypeVarchar), column("commit_message", lake.TypeVarchar),
		column("commit_extra_info", lake.TypeVarchar),
	}}
	for i := range all {
		sn := &all[i]
		if sn.ID > v.snapshot {
			break
		}
		row := []any{int64(sn.ID), sn.Time, sn.SchemaVersion, nil, nil, nil, nil}
		if v.access.Unrestricted() { // what changed tells about tables that others must not see
			row[3], row[4], row[5] = changeMap(sn.Changes), orNull(sn.Author), orNull(sn.Message)
		}
		r.rows = append(r.rows, row)
	}
	return r, nil
}

// changeMap groups ducklake_snapshot_changes.changes_made as DuckLake's
// snapshots() shows it: from kind of change, with the plural of DuckLake, to
// what was changed.
func changeMap(changes string) []any {
	var order []string
	values := make(map[string][]any)
	for _, change := range splitChanges(changes) {
		kind, value, _ := strings.Cut(change, ":")
		kind = changeKind(kind)
		if _, ok := values[kind]; !ok {
			order = append(order, kind)
		}
		values[kind] = append(values[kind], unquoteChange(value))
	}
	cells := make([]any, 0, 2*len(order))
	for _, kind := range order {
		cells = append(cells, kind, values[kind])
	}
	return cells
}

// changeKind returns the key under which DuckLake's snapshots() lists a change.
func changeKind(kind string) string {
	plural := map[string]string{
		"created_schema": "schemas_created", "created_table": "tables_created", "created_view": "views_created",
		"inserted_into_table": "tables_inserted_into", "deleted_from_table": "tables_deleted_from",
		"dropped_schema": "schemas_dropped", "dropped_table": "tables_dropped", "dropped_view": "views_dropped",
		"altered_table": "tables_altered", "altered_view": "views_altered",
		"inlined_insert": "inlined_insert", "inlined_delete": "inlined_delete", "compacted_table": "compacted_table",
	}
	if key, ok := plural[kind]; ok {
		return key
	}
	return kind
}

// splitChanges splits a changes_made list at the commas outside quotes.
func splitChanges(changes string) []string {
	var out []string
	start, quoted := 0, false
	for i := range len(changes) {
		switch {
		case changes[i] == '"':
			quoted = !quoted
		case changes[i] == ',' && !quoted:
			out = append(out, changes[start:i])
			start = i + 1
		}
	}
	if start < len(changes) {
		out = append(out, changes[start:])
	}
	return out
}

// unquoteChange turns "main"."t" into main.t, as DuckLake shows it.
func unquoteChange(value string) string {
	if !strings.HasPrefix(value, `"`) {
		return value
	}
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`), `"."`)
	return strings.ReplaceAll(strings.Join(parts, "."), `""`, `"`)
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (s *Service) currentSnapshotRows(_ context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(0); err != nil {
		return nil, err
	}
	return &rowset{
		columns: []lake.Column{column("id", lake.TypeInt64)},
		rows:    [][]any{{int64(v.snapshot)}},
	}, nil
}

func (s *Service) tableInfoRows(ctx context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(0); err != nil {
		return nil, err
	}
	r := &rowset{columns: []lake.Column{
		column("table_name", lake.TypeVarchar), column("schema_id", lake.TypeInt64), column("table_id", lake.TypeInt64),
		column("table_uuid", lake.TypeUUID), column("file_count", lake.TypeInt64), column("file_size_bytes", lake.TypeInt64),
		column("delete_file_count", lake.TypeInt64), column("delete_file_size_bytes", lake.TypeInt64),
	}}
	for i := range v.state.Schemas {
		for j := range v.state.Schemas[i].Tables {
			t := &v.state.Schemas[i].Tables[j]
			if v.mayInspect(t) != nil {
				continue
			}
			files, err := s.files(ctx, v, t)
			if err != nil {
				return nil, err
			}
			var bytes, deleteFiles, deleteBytes int64
			for k := range files.Files {
				bytes += files.Files[k].Bytes
				for _, d := range liveDeleteFiles(files.Files[k], v.snapshot) {
					deleteFiles++
					deleteBytes += d.Bytes
				}
			}
			r.rows = append(r.rows, []any{
				t.Name, int64(t.SchemaID), int64(t.ID), t.UUID, int64(len(files.Files)), bytes, deleteFiles, deleteBytes,
			})
		}
	}
	return r, nil
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

func (s *Service) optionRows(_ context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(0); err != nil {
		return nil, err
	}
	r := &rowset{columns: []lake.Column{
		column("option_name", lake.TypeVarchar), column("description", lake.TypeVarchar),
		column("value", lake.TypeVarchar), column("scope", lake.TypeVarchar), column("scope_entry", lake.TypeVarchar),
	}}
	add := func(options map[string]string, scope string, entry any) {
		for _, name := range sortedKeys(options) {
			if name == "data_path" && !v.access.Unrestricted() {
				continue // a folder of the server
			}
			r.rows = append(r.rows, []any{name, orNull(optionDescription(name)), options[name], scope, entry})
		}
	}
	add(v.state.Options, "GLOBAL", nil)
	for i := range v.state.Schemas {
		for j := range v.state.Schemas[i].Tables {
			t := &v.state.Schemas[i].Tables[j]
			add(t.Options, "TABLE", t.Schema+"."+t.Name)
		}
	}
	return r, nil
}

func (s *Service) listFileRows(ctx context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(1, "schema", "snapshot_version"); err != nil {
		return nil, err
	}
	name, err := a.text()
	if err != nil {
		return nil, err
	}
	if schema, ok := a.named["schema"]; ok {
		v = v.in(schema.Value)
	}
	if version, ok := a.named["snapshot_version"]; ok {
		id, err := strconv.ParseInt(version.Value, 10, 64)
		if err != nil {
			return nil, lake.Errorf(lake.KindInvalid, "%s: snapshot_version must be an integer", a.name)
		}
		if v, err = s.version(ctx, v, id); err != nil {
			return nil, err
		}
	}
	table, err := v.table(name)
	if err != nil {
		return nil, err
	}
	if err := v.mayInspect(table); err != nil {
		return nil, err
	}
	files, err := s.files(ctx, v, table)
	if err != nil {
		return nil, err
	}
	r := &rowset{columns: []lake.Column{
		column("data_file", lake.TypeVarchar), column("data_file_size_bytes", lake.TypeUint64),
		column("data_file_footer_size", lake.TypeUint64), column("data_file_encryption_key", lake.TypeBlob),
		column("delete_file", lake.TypeVarchar), column("delete_file_size_bytes", lake.TypeUint64),
		column("delete_file_footer_size", lake.TypeUint64), column("delete_file_encryption_key", lake.TypeBlob),
	}}
	for i := range files.Files {
		f := files.Files[i]
		row := []any{s.location(f.Path, f.Absolute), uint64(f.Bytes), uint64(f.FooterBytes), nil, nil, nil, nil, nil}
		for _, d := range liveDeleteFiles(f, v.snapshot) {
			row[4], row[5] = s.location(d.Path, d.Absolute), uint64(d.Bytes)
		}
		r.rows = append(r.rows, row)
	}
	return r, nil
}

// location returns where other programs find an object: a file of this
// machine, or its key.
func (s *Service) location(path string, absolute bool) string {
	if local := s.Bucket.Capabilities().LocalPathFunc; local != nil && !absolute {
		return local(path)
	}
	return path
}

// snapshotFileRows lists the files that one snapshot added: the metadata of an append.
func (s *Service) snapshotFileRows(ctx context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(1); err != nil {
		return nil, err
	}
	version, err := a.integer()
	if err != nil {
		return nil, err
	}
	v, err = s.version(ctx, v, version)
	if err != nil {
		return nil, err
	}
	r := &rowset{columns: snapshotFileColumns()}
	for i := range v.state.Schemas {
		for j := range v.state.Schemas[i].Tables {
			t := &v.state.Schemas[i].Tables[j]
			if v.mayInspect(t) != nil {
				continue
			}
			added, err := s.Catalog.Files(ctx, t.ID, v.snapshot-1, v.snapshot)
			if err != nil {
				return nil, err
			}
			for k := range added.Files {
				if f := &added.Files[k]; f.Begin == v.snapshot {
					r.rows = append(r.rows, s.snapshotFileRow(t, f, added.Partitions))
				}
			}
		}
	}
	return r, nil
}

func snapshotFileColumns() []lake.Column {
	return []lake.Column{
		column("schema_name", lake.TypeVarchar), column("table_name", lake.TypeVarchar), column("path", lake.TypeVarchar),
		column("rows", lake.TypeInt64), column("bytes", lake.TypeInt64), column("footer_bytes", lake.TypeInt64),
		column("row_groups", lake.TypeInt64),
		column("partition_values", lake.TypeMap, lake.Column{Name: lake.KeyName, Type: lake.Type{ID: lake.TypeVarchar}},
			column(lake.ValueName, lake.TypeVarchar)),
		column("column_stats", lake.TypeList, column(lake.ElementName, lake.TypeStruct, statsColumns()...)),
	}
}

// statsColumns are the fields in which lake.ColumnStats is shown; a NULL means unknown.
func statsColumns() []lake.Column {
	return []lake.Column{
		column("column_name", lake.TypeVarchar), column("field_id", lake.TypeInt64),
		column("min", lake.TypeVarchar), column("max", lake.TypeVarchar),
		column("min_exact", lake.TypeBoolean), column("max_exact", lake.TypeBoolean),
		column("value_count", lake.TypeInt64), column("null_count", lake.TypeInt64),
		column("nan_count", lake.TypeInt64), column("column_bytes", lake.TypeInt64),
	}
}

func statsCells(t *lake.Table, c *lake.ColumnStats) []any {
	name, field := fieldPath(t.Columns, c.Field)
	bound := func(v *lake.Value) any {
		if v == nil || field == nil {
			return nil
		}
		text, ok := lake.FormatStat(field.Type, *v)
		if !ok {
			return nil
		}
		return text
	}
	known := func(n int64) any {
		if n == lake.Unknown {
			return nil
		}
		return n
	}
	return []any{
		name, int64(c.Field), bound(c.Min), bound(c.Max), c.MinExact, c.MaxExact,
		known(c.ValueCount), known(c.NullCount), known(c.NaNCount), c.Bytes,
	}
}

// fieldPath returns the dotted name of a field, and the field; both zero if
// the table no longer has it.
func fieldPath(columns []lake.Column, id lake.FieldID) (string, *lake.Column) {
	for i := range columns {
		if columns[i].ID == id {
			return columns[i].Name, &columns[i]
		}
		if name, c := fieldPath(columns[i].Children, id); c != nil {
			return columns[i].Name + "." + name, c
		}
	}
	return "", nil
}

func (s *Service) snapshotFileRow(t *lake.Table, f *lake.DataFile, specs []lake.PartitionSpec) []any {
	stats := make([]any, len(f.Stats))
	for i := range f.Stats {
		stats[i] = statsCells(t, &f.Stats[i])
	}
	var groups any
	if f.RowGroups != nil {
		groups = int64(len(f.RowGroups))
	}
	return []any{
		t.Schema, t.Name, s.location(f.Path, f.Absolute), f.Rows, f.Bytes, f.FooterBytes, groups,
		partitionCells(t, f, specs), stats,
	}
}

// partitionCells shows the partition values of a file by key, such as month(ts) -> 7.
func partitionCells(t *lake.Table, f *lake.DataFile, specs []lake.PartitionSpec) []any {
	cells := []any{}
	for _, spec := range specs {
		if spec.ID != f.PartitionID || f.PartitionID == 0 {
			continue
		}
		for i, field := range spec.Fields {
			name, c := fieldPath(t.Columns, field.Column)
			if c == nil || i >= len(f.PartitionValues) {
				continue
			}
			var value any
			if v := f.PartitionValues[i]; v != nil {
				if text, ok := lake.FormatPartition(expr.TransformType(field, c.Type), *v); ok {
					value = text
				}
			}
			cells = append(cells, partitionKey(field, name), value)
		}
	}
	return cells
}

func partitionKey(f lake.PartitionField, name string) string {
	switch f.Transform {
	case lake.TransformIdentity:
		return name
	case lake.TransformBucket:
		return fmt.Sprintf("bucket(%d, %s)", f.Buckets, name)
	case lake.TransformYear, lake.TransformMonth, lake.TransformDay, lake.TransformHour:
	}
	return string(f.Transform) + "(" + name + ")"
}

func (s *Service) rowGroupRows(ctx context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(1); err != nil {
		return nil, err
	}
	name, err := a.text()
	if err != nil {
		return nil, err
	}
	table, err := v.table(name)
	if err != nil {
		return nil, err
	}
	if err := v.mayInspect(table); err != nil {
		return nil, err
	}
	files, err := s.files(ctx, v, table)
	if err != nil {
		return nil, err
	}
	r := &rowset{columns: append([]lake.Column{
		column("path", lake.TypeVarchar), column("row_group", lake.TypeInt64),
		column("rows", lake.TypeInt64), column("bytes", lake.TypeInt64),
	}, statsColumns()...)}
	for i := range files.Files {
		f := files.Files[i]
		path := s.location(f.Path, f.Absolute)
		for j := range f.RowGroups {
			g := &f.RowGroups[j]
			for k := range g.Columns {
				row := []any{path, int64(g.Index), g.Rows, g.Bytes}
				r.rows = append(r.rows, append(row, statsCells(table, &g.Columns[k])...))
			}
		}
	}
	return r, nil
}

// version moves to another snapshot.
func (s *Service) version(ctx context.Context, v *view, version int64) (*view, error) {
	id := lake.SnapshotID(version)
	past, err := s.atVersion(ctx, v, catalog.Selector{ID: &id})
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", version, err)
	}
	return past, nil
}
