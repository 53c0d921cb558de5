package sqlcatalog

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// live is the condition that a row with begin_snapshot and end_snapshot is
// part of a snapshot; its two parameters are the snapshot's id.
const live = `begin_snapshot <= ? AND (end_snapshot IS NULL OR end_snapshot > ?)`

// Values of ducklake_metadata.scope.
const (
	scopeSchema = "schema"
	scopeTable  = "table"
	tagComment  = "comment"
)

// loader builds a State from the catalog's rows at one snapshot.
type loader struct {
	s        *session
	at       int64
	dataPath string
	state    *lake.State
	schemas  map[lake.SchemaID]*lake.Schema
	tables   map[lake.TableID]*lake.Table
}

// loadState reads the schemas and tables of a snapshot.
func (c *Catalog) loadState(ctx context.Context, s *session, snapshot lake.Snapshot) (*lake.State, error) {
	l := loader{
		s: s, at: int64(snapshot.ID), dataPath: c.dataPath,
		state:   &lake.State{SchemaVersion: snapshot.SchemaVersion, Options: map[string]string{}},
		schemas: map[lake.SchemaID]*lake.Schema{}, tables: map[lake.TableID]*lake.Table{},
	}
	for _, load := range []func(context.Context) error{
		l.loadSchemas, l.loadTables, l.loadColumns, l.loadPartitions, l.loadBegins, l.loadViews, l.loadMacros, l.loadTags, l.loadOptions,
	} {
		if err := load(ctx); err != nil {
			return nil, err
		}
	}
	return l.finish(), nil
}

func (l *loader) each(ctx context.Context, query string, fn func(scan func(...any) error) error) error {
	args := make([]any, strings.Count(query, "?"))
	for i := range args {
		args[i] = l.at
	}
	return l.s.each(ctx, query, args, fn)
}

func (l *loader) loadSchemas(ctx context.Context) error {
	return l.each(ctx, `SELECT schema_id, schema_name, path, path_is_relative FROM ducklake_schema WHERE `+live,
		func(scan func(...any) error) error {
			var (
				schema   lake.Schema
				path     sql.NullString
				relative sql.NullBool
			)
			if err := scan(&schema.ID, &schema.Name, &path, &relative); err != nil {
				return err
			}
			schema.Path, _ = l.key("", path.String, relative.Bool || !path.Valid)
			l.schemas[schema.ID] = &schema
			return nil
		})
}

// key resolves a path of the catalog against the key of its parent. It is a
// key of the Bucket, or absolute if it lies elsewhere.
func (l *loader) key(parent, path string, relative bool) (key string, absolute bool) {
	return resolvePath(l.dataPath, parent, path, relative)
}

func resolvePath(dataPath, parent, path string, relative bool) (key string, absolute bool) {
	if relative {
		path = parent + path
		return path, isAbsolute(path)
	}
	if key, ok := strings.CutPrefix(path, dataPath); ok {
		return key, false
	}
	return path, true
}

func isAbsolute(path string) bool {
	return strings.HasPrefix(path, "/") || strings.Contains(path, "://")
}

func (l *loader) loadTables(ctx context.Context) error {
	uuidText := fmt.Sprintf(l.s.dialect.UUIDText, "table_uuid")
	return l.each(ctx, `SELECT table_id, `+uuidText+`, schema_id, table_name, path, path_is_relative
		FROM ducklake_table WHERE `+live, func(scan func(...any) error) error {
		var (
			t        lake.Table
			path     sql.NullString
			relative sql.NullBool
		)
		if err := scan(&t.ID, &t.UUID, &t.SchemaID, &t.Name, &path, &relative); err != nil {
			return err
		}
		schema, ok := l.schemas[t.SchemaID]
		if !ok {
			return lake.Errorf(lake.KindCorrupt, "table %d %q is in schema %d, which does not exist", t.ID, t.Name, t.SchemaID)
		}
		t.Schema = schema.Name
		t.Path, _ = l.key(schema.Path, path.String, relative.Bool || !path.Valid)
		t.Options = map[string]string{}
		l.tables[t.ID] = &t
		return nil
	})
}

// columnRow is a row of ducklake_column.
type columnRow struct {
	column lake.Column
	table  lake.TableID
	parent lake.FieldID // 0 for a top-level column
	order  int64
}

func (l *loader) loadColumns(ctx context.Context) error {
	var rows []columnRow
	err := l.each(ctx, `SELECT table_id, column_id, column_order, column_name, column_type, initial_default,
		default_value, nulls_allowed, parent_column, default_value_type FROM ducklake_column WHERE `+live,
		func(scan func(...any) error) error {
			row, err := scanColumn(scan)
			t, wanted := l.tables[row.table]
			unknown := lake.KindOf(err) == lake.KindUnsupported
			if err != nil && !unknown || !wanted {
				return err
			}
			if unknown {
				t.Fault = lake.Errorf(lake.KindUnsupported, "column %q: %w", row.column.Name, err)
			}
			rows = append(rows, row)
			return nil
		})
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b columnRow) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.order, b.order), cmp.Compare(a.column.ID, b.column.ID))
	})
	type parentKey struct {
		table lake.TableID
		field lake.FieldID
	}
	children := map[parentKey][]columnRow{}
	for _, r := range rows {
		key := parentKey{r.table, r.parent}
		children[key] = append(children[key], r)
	}
	var build func(table lake.TableID, parent lake.FieldID, depth int) ([]lake.Column, error)
	build = func(table lake.TableID, parent lake.FieldID, depth int) ([]lake.Column, error) {
		const depthMax = 100 // a column that is its own ancestor must not run forever
		if depth > depthMax {
			return nil, lake.Errorf(lake.KindCorrupt, "columns are nested more than %d deep", depthMax)
		}
		var columns []lake.Column
		for _, r := range children[parentKey{table, parent}] {
			column := r.column
			if column.Type.Nested() {
				var err error
				if column.Children, err = build(table, column.ID, depth+1); err != nil {
					return nil, err
				}
				if err := checkChildren(&column); err != nil {
					return nil, err
				}
			}
			columns = append(columns, column)
		}
		return columns, nil
	}
	for id, t := range l.tables {
		t.Columns, err = build(id, 0, 0)
		if err == nil && len(t.Columns) == 0 {
			err = lake.Errorf(lake.KindCorrupt, "it has no columns")
		}
		if t.Fault == nil {
			t.Fault = err
		}
	}
	return nil
}

// checkChildren makes sure that the readers of a nested type find its children as they expect them.
func checkChildren(c *lake.Column) error {
	want := map[lake.TypeID]int{lake.TypeList: 1, lake.TypeMap: 2}[c.Type.ID]
	if n := len(c.Children); n == 0 || (want != 0 && n != want) {
		return lake.Errorf(lake.KindCorrupt, "column %q is a %s of %d fields", c.Name, c.Type, n)
	}
	if c.Type.ID == lake.TypeMap {
		c.Children[0].Nullable = false // the extension marks keys as nullable
	}
	return nil
}

func scanColumn(scan func(...any) error) (columnRow, error) {
	var (
		r                                 columnRow
		typeName                          string
		initial, defaultValue, defaultTyp sql.NullString
		order, parent                     sql.NullInt64
		nullable                          sql.NullBool
	)
	if err := scan(&r.table, &r.column.ID, &order, &r.column.Name, &typeName, &initial, &defaultValue,
		&nullable, &parent, &defaultTyp); err != nil {
		return r, err
	}
	typ, typeErr := lake.ParseType(typeName)
	r.order, r.parent = order.Int64, lake.FieldID(parent.Int64)
	r.column.Type = typ
	// DuckDB has no nested NOT NULL, but the extension marks fields that it adds
	// or renames as such.
	r.column.Nullable = nullable.Bool || !nullable.Valid || r.parent != 0
	if initial.Valid {
		r.column.InitialDefault = &initial.String
	}
	r.column.DefaultIsExpression = defaultTyp.String == defaultExpression
	// The extension writes the text NULL for a column without a default.
	if defaultValue.Valid && (defaultValue.String != defaultNull || r.column.DefaultIsExpression) {
		r.column.Default = &defaultValue.String
	}
	return r, typeErr
}

func (l *loader) loadPartitions(ctx context.Context) error {
	specs, err := l.s.partitionSpecs(ctx, `SELECT i.table_id, i.partition_id, c.column_id, c."transform"
		FROM ducklake_partition_info i JOIN ducklake_partition_column c
		ON c.partition_id = i.partition_id AND c.table_id = i.table_id
		WHERE i.begin_snapshot <= ? AND (i.end_snapshot IS NULL OR i.end_snapshot > ?)
		ORDER BY i.table_id, i.partition_id, c.partition_key_index`, l.at, l.at)
	for _, spec := range specs {
		if t, ok := l.tables[spec.table]; ok {
			if t.Partition = &spec.PartitionSpec; t.Fault == nil {
				t.Fault = spec.fault
			}
		}
	}
	return err
}

type tableSpec struct {
	table lake.TableID
	lake.PartitionSpec
	fault error // why it cannot be used; nil if it can
}

// partitionSpecs collects rows of table, spec, column and transform, ordered by
// spec and key.
func (s *session) partitionSpecs(ctx context.Context, query string, args ...any) ([]tableSpec, error) {
	var specs []tableSpec
	err := s.each(ctx, query, args, func(scan func(...any) error) error {
		var (
			table lake.TableID
			id    lake.PartitionID
			field lake.PartitionField
			text  string
		)
		if err := scan(&table, &id, &field.Column, &text); err != nil {
			return err
		}
		var err error
		field.Transform, field.Buckets, err = parseTransform(text)
		if n := len(specs); n == 0 || specs[n-1].ID != id {
			specs = append(specs, tableSpec{table: table, PartitionSpec: lake.PartitionSpec{ID: id}})
		}
		last := &specs[len(specs)-1]
		last.Fields = append(last.Fields, field)
		if err != nil {
			last.fault = err
		}
		return nil
	})
	return specs, err
}

// parseTransform reads ducklake_partition_column.transform.
func parseTransform(text string) (lake.Transform, int32, error) {
	switch t := lake.Transform(text); t {
	case lake.TransformIdentity, lake.TransformYear, lake.TransformMonth, lake.TransformDay, lake.TransformHour:
		return t, 0, nil
	case lake.TransformBucket:
	}
	inner, ok := strings.CutPrefix(text, string(lake.TransformBucket)+"(")
	buckets, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(inner, ")")), 10, 32)
	if !ok || err != nil || buckets < 1 || !strings.HasSuffix(inner, ")") {
		return "", 0, lake.Errorf(lake.KindUnsupported, "partition transform %q is not known", text)
	}
	return lake.TransformBucket, int32(buckets), nil
}

func formatTransform(f lake.PartitionField) string {
	if f.Transform == lake.TransformBucket {
		return string(f.Transform) + "(" + strconv.Itoa(int(f.Buckets)) + ")"
	}
	return string(f.Transform)
}

// loadBegins finds the snapshots in which each table began, and in which its columns
// and its partitioning last changed: where a row of either began or ended.
func (l *loader) loadBegins(ctx context.Context) error {
	changed := func(table string) string {
		return `SELECT table_id, max(changed) FROM (SELECT table_id, begin_snapshot AS changed FROM ` + table + ` WHERE begin_snapshot <= ?
			UNION ALL SELECT table_id, end_snapshot FROM ` + table + ` WHERE end_snapshot <= ?) AS changes GROUP BY table_id`
	}
	for _, begin := range []struct {
		query   string
		setFunc func(t *lake.Table, at lake.SnapshotID)
	}{
		// A table that was renamed has several rows.
		{
			`SELECT table_id, min(begin_snapshot) FROM ducklake_table WHERE begin_snapshot <= ? GROUP BY table_id`,
			func(t *lake.Table, at lake.SnapshotID) { t.Begin = at },
		},
		{
			changed("ducklake_column"),
			func(t *lake.Table, at lake.SnapshotID) { t.ColumnsBegin, t.LayoutBegin = at, at },
		},
		{
			changed("ducklake_partition_info"),
			func(t *lake.Table, at lake.SnapshotID) { t.LayoutBegin = max(t.LayoutBegin, at) },
		},
	} {
		err := l.each(ctx, begin.query, func(scan func(...any) error) error {
			var (
				id lake.TableID
				at lake.SnapshotID
			)
			err := scan(&id, &at)
			if t, ok := l.tables[id]; ok {
				begin.setFunc(t, at)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
