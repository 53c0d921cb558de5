package expr

import (
	"github.com/flightlake/flightlake/lake"
)

// StatsSource holds what is known of the rows of a file, a row group or a
// partition. An implementation may know less than is true, never more.
type StatsSource interface {
	// RowCount returns the number of rows, lake.Unknown if not known. Deleted
	// rows may be counted.
	RowCount() int64
	// ColumnStats returns what is known of a leaf; false means nothing.
	ColumnStats(id lake.FieldID) (*lake.ColumnStats, bool)
}

// equality is a StatsSource that can disprove an equality beyond what bounds
// prove, such as a bucket number.
type equality interface {
	canEqual(id lake.FieldID, t lake.Type, v lake.Value) bool
}

// fileStats and rowGroupStats adapt the values of package lake, whose row
// count is a field.
type (
	fileStats     struct{ f *lake.DataFile }
	rowGroupStats struct{ g *lake.RowGroup }
)

// FileStats returns the file-level statistics of f.
func FileStats(f *lake.DataFile) StatsSource { return fileStats{f} }

// RowGroupStats returns the statistics of g.
func RowGroupStats(g *lake.RowGroup) StatsSource { return rowGroupStats{g} }

func (s fileStats) RowCount() int64 { return s.f.Rows }

func (s fileStats) ColumnStats(id lake.FieldID) (*lake.ColumnStats, bool) { return s.f.ColumnStats(id) }

func (s rowGroupStats) RowCount() int64 { return s.g.Rows }

func (s rowGroupStats) ColumnStats(id lake.FieldID) (*lake.ColumnStats, bool) {
	return s.g.ColumnStats(id)
}

// Overlay is Base with the statistics of some leaves replaced, for columns
// that are known not to be in the file: see ConstantStats.
type Overlay struct {
	Base    StatsSource
	Columns []lake.ColumnStats
}

// RowCount returns Base's.
func (o *Overlay) RowCount() int64 { return o.Base.RowCount() }

// ColumnStats returns the replacement of a leaf if there is one, else Base's.
func (o *Overlay) ColumnStats(id lake.FieldID) (*lake.ColumnStats, bool) {
	for i := range o.Columns {
		if o.Columns[i].Field == id {
			return &o.Columns[i], true
		}
	}
	return o.Base.ColumnStats(id)
}

func (o *Overlay) canEqual(id lake.FieldID, t lake.Type, v lake.Value) bool {
	for i := range o.Columns {
		if o.Columns[i].Field == id {
			return true
		}
	}
	e, ok := o.Base.(equality)
	return !ok || e.canEqual(id, t, v)
}

// ConstantStats returns the exact statistics of a column that holds the same
// value in all rows, such as the initial default of a column that is younger
// than the file; nil means NULL.
func ConstantStats(id lake.FieldID, t lake.Type, v *lake.Value, rows int64) lake.ColumnStats {
	s := lake.ColumnStats{Field: id, ValueCount: rows}
	switch {
	case v == nil:
		s.NullCount = rows
	case isNaN(t, *v):
		s.NaNCount = rows
	default:
		s.Min, s.Max, s.MinExact, s.MaxExact = v, v, true, true
	}
	return s
}

// rowStats returns the statistics of a leaf that has one value per row. Those
// of a leaf inside lists are not of the rows: their count differs.
func rowStats(s StatsSource, id lake.FieldID) (*lake.ColumnStats, bool) {
	stats, ok := s.ColumnStats(id)
	if !ok {
		return nil, false
	}
	rows := s.RowCount()
	if stats.ValueCount >= 0 && rows >= 0 && stats.ValueCount != rows {
		return nil, false
	}
	return stats, true
}

// allNull reports whether every row is proved to be NULL. An unknown count
// proves nothing, and neither do missing bounds.
func allNull(stats *lake.ColumnStats, rows int64) bool {
	return rows >= 0 && stats.NullCount == rows
}

// domainOf returns the values that the column may hold, compared as type t.
func domainOf(s StatsSource, id lake.FieldID, t lake.Type) domain {
	d := domain{typ: t, null: true, nan: t.Float(), plain: true}
	if e, ok := s.(equality); ok && compared(t) {
		d.equalFunc = func(v lake.Value) bool { return e.canEqual(id, t, v) }
	}
	stats, ok := rowStats(s, id)
	if !ok {
		return d
	}
	rows := s.RowCount()
	d.null = stats.NullCount != 0
	if allNull(stats, rows) {
		d.nan, d.plain = false, false
		return d
	}
	if stats.NaNCount == 0 {
		d.nan = false
	}
	if t.Float() && rows >= 0 && stats.NaNCount > 0 && stats.NullCount >= 0 &&
		stats.NaNCount+stats.NullCount == rows {
		d.plain = false
		return d
	}
	if compared(t) {
		d.setBounds(stats)
	}
	return d
}

// setBounds takes the bounds of stats that can be trusted: a NaN bounds
// nothing, and contradictory bounds are no bounds.
func (d *domain) setBounds(stats *lake.ColumnStats) {
	lo, hi := stats.Min, stats.Max
	if lo != nil && isNaN(d.typ, *lo) {
		lo = nil
	}
	if hi != nil && isNaN(d.typ, *hi) {
		hi = nil
	}
	if lo != nil && hi != nil {
		switch c := lake.Compare(d.typ, *lo, *hi); {
		case c > 0:
			return
		case c == 0:
			// Equal bounds of a text that are not exact may be two equal
			// prefixes, of which the upper bounds nothing.
			d.singleton = !truncatable(d.typ) || stats.MinExact && stats.MaxExact
			if !d.singleton {
				hi = nil
			}
		}
	}
	d.min, d.max = lo, hi
}

// compared reports whether values of type t are compared here as DuckDB
// compares them. It orders times with a zone by their offset too, which files
// and catalogs do not keep: those are left to it.
func compared(t lake.Type) bool { return ordered(t) && t.ID != lake.TypeTimeTZ }

// ordered reports whether type t has values with an order.
func ordered(t lake.Type) bool {
	switch t.ID {
	case lake.TypeInvalid, lake.TypeInterval, lake.TypeVariant, lake.TypeGeometry,
		lake.TypeList, lake.TypeStruct, lake.TypeMap:
		return false
	default:
		return true
	}
}

func truncatable(t lake.Type) bool {
	return t.ID == lake.TypeVarchar || t.ID == lake.TypeBlob || t.ID == lake.TypeJSON
}
