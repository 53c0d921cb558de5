package sqlcatalog

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/lake"
)

// Values of ducklake_column's default columns.
const (
	defaultLiteral    = "literal"
	defaultExpression = "expression"
	defaultNull       = "NULL"
	sqlDialect        = "duckdb" // of the format, whatever the database
)

const fileFormat = "parquet"

// rows turns what a draft changes into rows. It interprets nothing: what an operation
// means is said in the Delta.
type rows struct {
	s     *session
	batch batch
	at    int64 // the snapshot
	head  *head // after the draft; its stats are the draft's own
}

// write adds all rows of a draft. encoded are its files, in their order.
//
// Errors: those of the database.
func (r *rows) write(ctx context.Context, d *transition.Draft, encoded []encodedFile, marker string) error {
	delta := d.Delta()
	r.schemas(delta)
	r.tables(delta)
	r.settings(delta)
	if err := r.keys(delta); err != nil {
		return err
	}
	for i := range delta.Begun.Files {
		n := len(delta.Begun.Files[i].Files)
		if err := r.files(ctx, &delta.Begun.Files[i], encoded[:n]); err != nil {
			return err
		}
		encoded = encoded[n:]
	}
	snapshot := d.Result().Snapshot
	if delta.NewSchemaVersion {
		for i := range delta.Begun.Tables {
			r.batch.insert(intoSchemaVersion, r.at, snapshot.SchemaVersion, int64(delta.Begun.Tables[i].Table.ID))
		}
	}
	r.snapshot(&snapshot, marker)
	tokens := d.Tokens()
	for _, token := range slices.Sorted(maps.Keys(tokens)) {
		result := tokens[token]
		r.batch.insert(intoAppend, token, r.at, result.Rows, formatTableIDs(result.Tables), snapshot.Time)
	}
	return nil
}

func (r *rows) snapshot(s *lake.Snapshot, marker string) {
	r.batch.insert(intoSnapshot, r.at, s.Time, s.SchemaVersion, r.head.nextCatalogID, r.head.nextFileID)
	r.batch.insert(intoChanges, r.at, orNull(s.Changes), orNull(s.Author), orNull(s.Message), orNull(marker))
}

func (r *rows) schemas(d *transition.Delta) {
	for i := range d.Begun.Schemas {
		s := &d.Begun.Schemas[i]
		r.batch.insert(intoSchema, int64(s.Schema.ID), s.UUID, r.at, s.Schema.Name, s.Schema.Path, true)
	}
	for _, id := range d.Ended.Schemas {
		r.end("ducklake_schema", "schema_id", int64(id))
		r.end("ducklake_tag", "object_id", int64(id))
	}
}

// end ends the rows of an object that are live.
func (r *rows) end(table, column string, id int64) {
	r.batch.then(`UPDATE `+table+` SET end_snapshot = ? WHERE `+column+` = ? AND end_snapshot IS NULL AND begin_snapshot < ?`, r.at, id, r.at)
}

func (r *rows) tables(d *transition.Delta) {
	for i := range d.Begun.Tables {
		t := &d.Begun.Tables[i].Table
		r.batch.insert(intoTable, int64(t.ID), d.Begun.Tables[i].UUID, r.at, int64(t.SchemaID), t.Name,
			strings.TrimPrefix(t.Path, d.Begun.Tables[i].SchemaPath), true)
		r.head.stats[t.ID] = &tableStats{columns: map[lake.FieldID]*columnStats{}}
	}
	for i := range d.Begun.Columns {
		c := &d.Begun.Columns[i]
		value, kind := defaultOf(&c.Column)
		r.batch.insert(intoColumn, int64(c.Column.ID), r.at, int64(c.Table), c.Order, c.Column.Name, c.Column.Type.String(),
			textOrNull(c.Column.InitialDefault), value, c.Column.Nullable, unlessZero(int64(c.Parent)), kind, sqlDialect)
	}
	for i := range d.Begun.Partitions {
		p := &d.Begun.Partitions[i]
		r.batch.insert(intoPartition, int64(p.Spec.ID), int64(p.Table), r.at)
		for key, f := range p.Spec.Fields {
			r.batch.insert(intoPartitionKey, int64(p.Spec.ID), int64(p.Table), int64(key), int64(f.Column), formatTransform(f))
		}
	}
	for _, id := range d.Ended.Tables {
		for _, table := range []string{
			"ducklake_table", "ducklake_partition_info", "ducklake_column", "ducklake_column_tag",
			"ducklake_data_file", "ducklake_delete_file", "ducklake_sort_info",
		} {
			r.end(table, "table_id", int64(id))
		}
		r.end("ducklake_tag", "object_id", int64(id))
	}
}

// defaultOf returns a column's default and its type as the extension writes them.
func defaultOf(c *lake.Column) (value, kind string) {
	switch {
	case c.Type.Nested() && c.Default == nil:
		return defaultNull, ""
	case c.Default == nil:
		return defaultNull, defaultLiteral
	case c.DefaultIsExpression:
		return *c.Default, defaultExpression
	}
	return *c.Default, defaultLiteral
}

// settings writes comments, which the extension keeps as tags with the key comment,
// and options. A schema's comment is a tag of its id, which the extension does not read.
func (r *rows) settings(d *transition.Delta) {
	for _, c := range d.Comments {
		created := slices.ContainsFunc(d.Begun.Tables, func(t transition.TableBegun) bool { return t.Table.ID == c.Table })
		object := int64(c.Table)
		if c.Table == 0 {
			object = int64(c.Schema)
		}
		table, where, key := "ducklake_tag", "object_id = ?", []any{object}
		row := []any{object, r.at, tagComment, c.Text}
		into := intoTag
		if c.Column != 0 {
			table, where, key = "ducklake_column_tag", "table_id = ? AND column_id = ?", []any{object, int64(c.Column)}
			row, into = []any{object, int64(c.Column), r.at, tagComment, c.Text}, intoColumnTag
		}
		if !created {
			r.batch.then(`UPDATE `+table+` SET end_snapshot = ? WHERE `+where+` AND "key" = '`+tagComment+
				`' AND end_snapshot IS NULL AND begin_snapshot < ?`, slices.Concat([]any{r.at}, key, []any{r.at})...)
		}
		if c.Text != "" {
			r.batch.insert(into, row...)
		}
	}
	for _, o := range d.Options {
		row := optionRow{name: o.Name, value: o.Value}
		if o.Table != 0 {
			row.scope, row.id = scopeTable, int64(o.Table)
		}
		r.batch.setOption(row)
	}
}

// files writes files of one table, and their part of its statistics.
func (r *rows) files(ctx context.Context, begun *transition.FilesBegun, encoded []encodedFile) error {
	t := &begun.Table
	stats, err := r.tableStats(ctx, t)
	if err != nil {
		return err
	}
	for i, f := range begun.Files {
		e := &encoded[i]
		if !e.done {
			if *e, err = encodeFile(t.Partition, begun.Leaves, f); err != nil {
				return lake.Errorf(lake.KindOf(err), "file %s: %w", f.Path, err)
			}
		}
		r.file(t, f, e, stats.nextRowID)
		stats.add(begun.Leaves, f)
	}
	return nil
}

func (r *rows) file(t *lake.Table, f *lake.DataFile, e *encodedFile, rowID int64) {
	id, table := int64(f.ID), int64(t.ID)
	path := f.Path
	if !f.Absolute {
		path = strings.TrimPrefix(path, t.Path)
		r.batch.unstage([]string{f.Path})
	}
	r.batch.insert(intoFile, id, table, r.at, path, !f.Absolute, fileFormat, f.Rows, f.Bytes, unlessZero(f.FooterBytes), rowID,
		unlessZero(int64(f.PartitionID)), mappingID(f))
	for key, text := range e.partition {
		r.batch.insert(intoFilePartition, id, table, int64(key), text)
	}
	for i := range e.stats {
		s := &e.stats[i]
		r.batch.insert(intoFileStats, id, table, int64(s.field), s.bytes, s.notNull, s.nulls, s.min, s.max, s.nan)
	}
	if e.zoneMap != nil {
		r.batch.insert(intoZoneMap, id, table, e.zoneMap)
	}
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func unlessZero(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func textOrNull(text *string) any {
	if text == nil {
		return nil
	}
	return *text
}

// mappingID returns the id of the name mapping of a file, NULL for none: ids count from 0.
func mappingID(f *lake.DataFile) any {
	if f.Mapping == nil {
		return nil
	}
	return f.Mapping.ID
}
