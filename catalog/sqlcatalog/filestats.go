package sqlcatalog

import (
	"context"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// loadTypeHistory reads which types the columns of the table had, dropped ones included.
func (l *fileLoader) loadTypeHistory(ctx context.Context) error {
	l.history = map[lake.FieldID][]typeSince{}
	return l.s.each(ctx, `SELECT column_id, begin_snapshot, column_type FROM ducklake_column
		WHERE table_id = ? AND begin_snapshot <= ? ORDER BY begin_snapshot`, []any{int64(l.table), l.upTo},
		func(scan func(...any) error) error {
			var (
				field lake.FieldID
				since typeSince
				name  string
			)
			if err := scan(&field, &since.begin, &name); err != nil {
				return err
			}
			typ, err := lake.ParseType(name)
			if err != nil {
				typ = lake.Type{} // of a dropped column: it has no values
			}
			since.typ = typ
			l.history[field] = append(l.history[field], since)
			return nil
		})
}

// typeAt returns the type that a column had in a snapshot.
func (l *fileLoader) typeAt(field lake.FieldID, at lake.SnapshotID) (lake.Type, bool) {
	for _, since := range slices.Backward(l.history[field]) {
		if since.begin <= at {
			return since.typ, true
		}
	}
	return lake.Type{}, false
}

// loadStats reads the statistics of the files without a zone map: those that
// other programs wrote.
func (l *fileLoader) loadStats(ctx context.Context) error {
	if !slices.Contains(l.mapped, false) {
		return nil
	}
	return l.s.scan(ctx, `SELECT data_file_id, column_id, column_size_bytes, value_count, null_count,
		min_value, max_value FROM ducklake_file_column_stats
		WHERE `+l.condition+` ORDER BY data_file_id, column_id`, l.args, func(r *batchRow) error {
		at, ok := l.index[lake.FileID(r.int64(0, 0))]
		field := lake.FieldID(r.int64(1, 0))
		leaf, isLeaf := l.leaves[field]
		if !ok || !isLeaf || l.mapped[at] {
			return nil
		}
		f := &l.files[at]
		stats := lake.ColumnStats{
			Field: field, Bytes: r.int64(2, 0),
			ValueCount: lake.Unknown, NullCount: r.int64(4, lake.Unknown),
		}
		notNull := r.int64(3, lake.Unknown)
		if stats.NullCount != lake.Unknown && notNull != lake.Unknown {
			stats.ValueCount = notNull + stats.NullCount
		}
		if l.topLevel[field] && stats.ValueCount != f.Rows {
			// The extension writes zeros for types whose statistics it does not
			// collect, and importers count in other ways.
			stats.ValueCount = lake.Unknown
			if notNull == 0 && stats.NullCount == 0 {
				stats.NullCount = lake.Unknown
			}
		}
		if leaf.Type.Float() {
			// The extension says contains_nan = false of columns that hold NaN, if their
			// first vectors do not.
			stats.NaNCount = lake.Unknown
		}
		stats.Min = l.bound(r, 5, field, leaf.Type, f.Begin)
		stats.Max = l.bound(r, 6, field, leaf.Type, f.Begin)
		f.Stats = append(f.Stats, stats)
		return nil
	})
}

// bound reads a bound, which has the type that the column had when the file was written.
func (l *fileLoader) bound(r *batchRow, column int, field lake.FieldID, now lake.Type, at lake.SnapshotID) *lake.Value {
	typ, ok := l.typeAt(field, at)
	if r.null(column) || !ok || !lake.HasStatText(typ.ID) {
		return nil
	}
	value, ok := lake.ParseStat(typ, strings.Clone(r.text(column)))
	if !ok {
		return nil
	}
	if value, ok = lake.Widen(typ, now, value); !ok {
		return nil
	}
	return &value
}
