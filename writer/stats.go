package writer

import (
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// mergeStats returns the statistics of a file from those of its row groups.
func mergeStats(schema *pqenc.Schema, groups []lake.RowGroup) []lake.ColumnStats {
	merged := make([]lake.ColumnStats, len(schema.Leaves))
	for i := range merged {
		t := schema.Leaves[i].Type
		all := make([]*lake.ColumnStats, len(groups))
		for g := range groups {
			all[g] = &groups[g].Columns[i]
		}
		m := &merged[i]
		m.Field = schema.Leaves[i].Field
		for _, s := range all {
			m.ValueCount += s.ValueCount
			m.NullCount += s.NullCount
			m.NaNCount += s.NaNCount
			m.Bytes += s.Bytes
		}
		m.Min, m.MinExact = mergeBound(all, func(s *lake.ColumnStats) (*lake.Value, bool) { return s.Min, s.MinExact },
			func(a, b lake.Value) bool { return lake.Compare(t, a, b) < 0 })
		m.Max, m.MaxExact = mergeBound(all, func(s *lake.ColumnStats) (*lake.Value, bool) { return s.Max, s.MaxExact },
			func(a, b lake.Value) bool { return lake.Compare(t, a, b) > 0 })
	}
	return merged
}

// mergeBound returns the outermost bound; nil if one is unknown, or there is no
// value that has one. Of equal bounds an inexact one wins, for it may stand for
// a value further out, or for a zero of unknown sign.
func mergeBound(all []*lake.ColumnStats, bound func(*lake.ColumnStats) (*lake.Value, bool),
	outside func(a, b lake.Value) bool,
) (*lake.Value, bool) {
	var best *lake.Value
	exact := false
	for _, s := range all {
		v, isExact := bound(s)
		if v == nil {
			if s.ValueCount > s.NullCount+s.NaNCount {
				return nil, false
			}
			continue
		}
		switch {
		case best == nil || outside(*v, *best):
			best, exact = v, isExact
		case !outside(*best, *v):
			exact = exact && isExact
		}
	}
	if best == nil {
		return nil, false
	}
	value := *best
	return &value, exact
}
