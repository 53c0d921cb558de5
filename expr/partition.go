package expr

import (
	"math"

	"github.com/flightlake/flightlake/lake"
)

// Partition is a StatsSource of what the partition values of a file prove about
// its rows: an identity value is the value of every row, a year (with month,
// day and hour) bounds them, and every transform disproves equalities.
type Partition struct {
	rows   int64
	fields []partitionFact
	stats  []lake.ColumnStats
}

// partitionFact says that the transform of every row's value, NULLs aside, is value.
type partitionFact struct {
	field lake.PartitionField
	value lake.Value
}

// NewPartition returns the facts of a file with the given number of rows,
// written with spec. typeFunc gives the type of a source column; fields of
// which it knows none are ignored.
func NewPartition(spec *lake.PartitionSpec, values []*lake.Value, rows int64,
	typeFunc func(lake.FieldID) (lake.Type, bool),
) *Partition {
	p := &Partition{rows: rows}
	if spec == nil {
		return p
	}
	calendars := make(map[lake.FieldID]*calendar)
	for i, f := range spec.Fields {
		t, ok := typeFunc(f.Column)
		if !ok || i >= len(values) {
			continue
		}
		if values[i] == nil {
			p.addNull(f)
			continue
		}
		v := *values[i]
		switch f.Transform {
		case lake.TransformIdentity:
			p.stats = append(p.stats, identityStats(f.Column, t, v, rows))
			continue
		case lake.TransformYear, lake.TransformMonth, lake.TransformDay, lake.TransformHour:
			if calendars[f.Column] == nil {
				calendars[f.Column] = &calendar{typ: t}
			}
			calendars[f.Column].set(f.Transform, v.Int)
		case lake.TransformBucket:
		default:
			continue
		}
		p.fields = append(p.fields, partitionFact{f, v})
	}
	p.addCalendars(spec, calendars)
	return p
}

// addNull records a NULL partition value. Only identity and bucket keep NULL
// for NULL: the parts of an infinite date are NULL too.
func (p *Partition) addNull(f lake.PartitionField) {
	if f.Transform == lake.TransformIdentity || f.Transform == lake.TransformBucket {
		p.stats = append(p.stats, ConstantStats(f.Column, lake.Type{}, nil, p.rows))
	}
}

func identityStats(id lake.FieldID, t lake.Type, v lake.Value, rows int64) lake.ColumnStats {
	return ConstantStats(id, t, &v, rows)
}

// addCalendars turns years, with what refines them, into bounds.
func (p *Partition) addCalendars(spec *lake.PartitionSpec, calendars map[lake.FieldID]*calendar) {
	for _, f := range spec.Fields {
		c := calendars[f.Column]
		if c == nil {
			continue
		}
		delete(calendars, f.Column)
		if _, known := p.ColumnStats(f.Column); known {
			continue // an identity says more
		}
		s := lake.ColumnStats{Field: f.Column, ValueCount: p.rows} // no NULL, no NaN
		s.Min, s.Max = c.bounds()
		p.stats = append(p.stats, s)
	}
}

// RowCount returns the rows of the file.
func (p *Partition) RowCount() int64 { return p.rows }

// ColumnStats returns what the partition values prove about a source column.
func (p *Partition) ColumnStats(id lake.FieldID) (*lake.ColumnStats, bool) {
	for i := range p.stats {
		if p.stats[i].Field == id {
			return &p.stats[i], true
		}
	}
	return nil, false
}

// canEqual reports whether v may occur in the column: every transform of it
// must be the partition's.
func (p *Partition) canEqual(id lake.FieldID, t lake.Type, v lake.Value) bool {
	for _, f := range p.fields {
		if f.field.Column != id || isNaN(t, v) {
			continue // NaNs are equal, and their bits, which are hashed, may differ
		}
		if t.ID == lake.TypeTimestampTZ && f.field.Transform != lake.TransformBucket {
			continue // the parts may be those of another time zone
		}
		got, ok := ApplyTransform(f.field, t, v)
		if ok && lake.Compare(TransformType(f.field, t), got, f.value) != 0 {
			return false
		}
	}
	return true
}

// calendar collects the calendar parts of one column.
type calendar struct {
	typ                    lake.Type
	year, month, day, hour *int64
}

func (c *calendar) set(t lake.Transform, part int64) {
	switch t {
	case lake.TransformYear:
		c.year = &part
	case lake.TransformMonth:
		c.month = &part
	case lake.TransformDay:
		c.day = &part
	case lake.TransformHour:
		c.hour = &part
	case lake.TransformIdentity, lake.TransformBucket:
	}
}

// bounds returns the first and last moment of the calendar's period; nil where
// it is unknown or does not fit the type. A month without a year, and so on
// down, bounds nothing.
func (c *calendar) bounds() (first, last *lake.Value) {
	if c.year == nil || *c.year < -yearCountMax || *c.year > yearCountMax {
		return nil, nil
	}
	from, to := lake.DaysFromCivil(*c.year, 1, 1), lake.DaysFromCivil(*c.year+1, 1, 1)
	fromNanos, toNanos := int64(0), int64(0)
	if c.month != nil && *c.month >= 1 && *c.month <= 12 {
		from = lake.DaysFromCivil(*c.year, *c.month, 1)
		to = lake.DaysFromCivil(*c.year+*c.month/12, *c.month%12+1, 1)
		if c.day != nil && *c.day >= 1 && *c.day <= to-from {
			from += *c.day - 1
			to = from + 1
			if c.hour != nil && *c.hour >= 0 && *c.hour < 24 && c.typ.ID != lake.TypeDate {
				to = from
				fromNanos, toNanos = *c.hour*nanosPerHour, (*c.hour+1)*nanosPerHour
			}
		}
	}
	if c.typ.ID == lake.TypeTimestampTZ {
		// DuckDB takes the parts in its session's time zone, which no file tells.
		from, to = from-1, to+1
	}
	if v, ok := valueAt(c.typ, from, fromNanos); ok {
		if c.typ.ID == lake.TypeTimestampNS && v.Int <= 0 && v.Int > -math.MaxInt64+nanosPerMicro {
			// Less than a microsecond before the period is cut to its first moment.
			v.Int -= nanosPerMicro - 1
		}
		first = &v
	}
	if v, ok := valueAt(c.typ, to, toNanos); ok {
		v.Int--
		last = &v
	}
	return first, last
}
