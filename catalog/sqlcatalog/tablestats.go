package sqlcatalog

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/flightlake/flightlake/lake"
)

// tableStats are the rows of ducklake_table_stats and ducklake_table_column_stats
// of one table. They cover all files that the table ever had.
type tableStats struct {
	stored    bool // the table has a row in ducklake_table_stats
	rows      int64
	nextRowID int64
	bytes     int64
	columns   map[lake.FieldID]*columnStats
}

// columnStats are the statistics of a leaf over all files. Readers take a
// column without bounds for one without values, so that bounds once lost make
// statistics that are wrong after the next merge of another program.
type columnStats struct {
	typ        lake.Type
	stored     bool // the row is in the database
	changed    bool
	empty      bool // no value that bounds could hold was seen
	nulls, nan sql.NullBool
	min, max   *lake.Value // nil with empty false means unknown
}

func (t *tableStats) clone() *tableStats {
	out := *t
	out.columns = make(map[lake.FieldID]*columnStats, len(t.columns))
	for id, c := range t.columns {
		column := *c
		out.columns[id] = &column
	}
	return &out
}

// tableStats returns the draft's own copy of the statistics of a table.
func (r *rows) tableStats(ctx context.Context, t *lake.Table) (*tableStats, error) {
	stats, ok := r.head.stats[t.ID]
	if ok {
		stats = stats.clone()
	} else {
		var err error
		if stats, err = r.s.loadTableStats(ctx, t); err != nil {
			return nil, err
		}
	}
	r.head.stats[t.ID] = stats
	return stats, nil
}

func (s *session) loadTableStats(ctx context.Context, t *lake.Table) (*tableStats, error) {
	stats := &tableStats{columns: map[lake.FieldID]*columnStats{}}
	id := []any{int64(t.ID)}
	var err error
	if stats.stored, err = s.one(ctx, `SELECT record_count, next_row_id, file_size_bytes FROM ducklake_table_stats WHERE table_id = ?`,
		id, &stats.rows, &stats.nextRowID, &stats.bytes); err != nil {
		return nil, err
	}
	leaves := lake.LeavesOf(t.Columns)
	err = s.each(ctx, `SELECT column_id, contains_null, contains_nan, min_value, max_value
		FROM ducklake_table_column_stats WHERE table_id = ?`, id, func(scan func(...any) error) error {
		var (
			field    lake.FieldID
			min, max sql.NullString
			c        = columnStats{stored: true}
		)
		if err := scan(&field, &c.nulls, &c.nan, &min, &max); err != nil {
			return err
		}
		leaf, ok := leaves[field]
		if !ok {
			return nil
		}
		c.typ = leaf.Type
		c.min, c.max = parseBound(c.typ, min), parseBound(c.typ, max)
		c.empty = !min.Valid && !max.Valid
		stats.columns[field] = &c
		return nil
	})
	if err != nil {
		return nil, err
	}
	return stats, s.checkEmpty(ctx, t.ID, stats)
}

func parseBound(t lake.Type, text sql.NullString) *lake.Value {
	if !text.Valid {
		return nil
	}
	v, ok := lake.ParseStat(t, text.String)
	if !ok {
		return nil
	}
	return &v
}

// checkEmpty finds out whether columns without bounds have no values, by the
// statistics of the files. Inlined rows are in no file: they count as values.
func (s *session) checkEmpty(ctx context.Context, table lake.TableID, stats *tableStats) error {
	if !slices.ContainsFunc(slices.Collect(maps.Values(stats.columns)), func(c *columnStats) bool { return c.empty }) {
		return nil
	}
	var inlined int64
	if _, err := s.one(ctx, `SELECT count(*) FROM ducklake_inlined_data_tables WHERE table_id = ?`,
		[]any{int64(table)}, &inlined); err != nil {
		return err
	}
	withValues := map[lake.FieldID]bool{}
	err := s.each(ctx, `SELECT DISTINCT column_id FROM ducklake_file_column_stats
		WHERE table_id = ? AND (value_count IS NULL OR value_count > 0)`, []any{int64(table)},
		func(scan func(...any) error) error {
			var field lake.FieldID
			err := scan(&field)
			withValues[field] = true
			return err
		})
	for field, c := range stats.columns {
		c.empty = c.empty && inlined == 0 && !withValues[field]
	}
	return err
}

// add merges the statistics of a new file.
func (t *tableStats) add(leaves map[lake.FieldID]lake.Column, f *lake.DataFile) {
	before := t.rows
	t.rows += f.Rows
	t.nextRowID += f.Rows
	t.bytes += f.Bytes
	given := make(map[lake.FieldID]*lake.ColumnStats, len(f.Stats))
	for i := range f.Stats {
		given[f.Stats[i].Field] = &f.Stats[i]
	}
	for field, leaf := range leaves {
		column, ok := t.columns[field]
		if !ok {
			column = newColumnStats(&leaf, before > 0)
			t.columns[field] = column
		}
		old := *column
		column.merge(given[field])
		column.changed = column.changed || !column.same(&old)
	}
}

// newColumnStats begins the statistics of a column. If the table has rows
// already, those are older than the column and have its initial default.
func newColumnStats(leaf *lake.Column, hasRows bool) *columnStats {
	c := &columnStats{
		typ: leaf.Type, empty: true, changed: true,
		nulls: sql.NullBool{Valid: true}, nan: sql.NullBool{Valid: leaf.Type.Float()},
	}
	switch {
	case !hasRows:
	case leaf.InitialDefault == nil:
		c.nulls.Bool = true
	default:
		c.empty = false
		c.min = parseBound(leaf.Type, sql.NullString{String: *leaf.InitialDefault, Valid: true})
		c.max = c.min
	}
	return c
}

// merge adds the values of a file; nil means that nothing is known of them.
func (c *columnStats) merge(s *lake.ColumnStats) {
	if s == nil {
		c.nulls, c.nan, c.min, c.max, c.empty = sql.NullBool{}, sql.NullBool{}, nil, nil, false
		return
	}
	c.nulls = mergeFlag(c.nulls, s.NullCount)
	if c.typ.Float() {
		c.nan = mergeFlag(c.nan, s.NaNCount)
	}
	counted := s.ValueCount != lake.Unknown && s.NullCount != lake.Unknown && s.NaNCount != lake.Unknown
	if counted && s.ValueCount-s.NullCount-s.NaNCount == 0 {
		return // nothing to bound
	}
	if c.empty {
		c.min, c.max, c.empty = s.Min, s.Max, false
		return
	}
	if s.Min == nil || (c.min != nil && lake.Compare(c.typ, *s.Min, *c.min) < 0) {
		c.min = keepUnknown(c.min, s.Min)
	}
	if s.Max == nil || (c.max != nil && lake.Compare(c.typ, *s.Max, *c.max) > 0) {
		c.max = keepUnknown(c.max, s.Max)
	}
}

// keepUnknown returns the new bound, unless the old one is unknown.
func keepUnknown(old, bound *lake.Value) *lake.Value {
	if old == nil {
		return nil
	}
	return bound
}

// mergeFlag merges whether a column contains something with a file's count of it.
func mergeFlag(flag sql.NullBool, count int64) sql.NullBool {
	switch {
	case flag.Valid && flag.Bool:
		return flag
	case count == lake.Unknown:
		return sql.NullBool{}
	case count > 0:
		return sql.NullBool{Bool: true, Valid: true}
	}
	return flag
}

func (c *columnStats) same(o *columnStats) bool {
	equal := func(a, b *lake.Value) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
	return c.nulls == o.nulls && c.nan == o.nan && equal(c.min, o.min) && equal(c.max, o.max)
}

// write adds the statistics to a batch, and marks them as stored: the batch
// and these statistics become valid together or not at all.
func (t *tableStats) write(b *batch, table lake.TableID) {
	id := int64(table)
	if t.stored {
		b.then(`UPDATE ducklake_table_stats SET record_count = ?, next_row_id = ?, file_size_bytes = ? WHERE table_id = ?`,
			t.rows, t.nextRowID, t.bytes, id)
	} else {
		b.insert(intoTableStats, id, t.rows, t.nextRowID, t.bytes)
	}
	t.stored = true
	var replaced []any
	for _, field := range slices.Sorted(maps.Keys(t.columns)) {
		c := t.columns[field]
		if !c.changed {
			continue
		}
		if c.stored {
			replaced = append(replaced, int64(field))
		}
		b.insert(intoColumnStats, id, int64(field), flagOrNull(c.nulls), flagOrNull(c.nan),
			boundText(c.typ, c.min), boundText(c.typ, c.max))
		c.stored, c.changed = true, false
	}
	if len(replaced) > 0 {
		list, args := inList(replaced)
		b.before = append(b.before, statement{
			`DELETE FROM ducklake_table_column_stats WHERE table_id = ? AND column_id IN ` + list, append([]any{id}, args...),
		})
	}
}

func flagOrNull(flag sql.NullBool) any {
	if !flag.Valid {
		return nil
	}
	return flag.Bool
}
