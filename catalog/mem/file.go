package mem

import (
	"cmp"
	"slices"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/lake"
)

// keep returns a file as a catalog gives it back: with the statistics that its format
// keeps, none of which is shared with the writer's.
func keep(begun *transition.FilesBegun, given *lake.DataFile) (lake.DataFile, error) {
	f := *given
	f.PartitionValues = slices.Clone(f.PartitionValues)
	for i, v := range f.PartitionValues {
		if v != nil {
			value := *v
			f.PartitionValues[i] = &value
		}
	}
	if f.RowGroups == nil {
		f.Stats = textStats(begun, given)
		return f, nil
	}
	types := func(id lake.FieldID) (lake.Type, bool) {
		c, ok := begun.Leaves[id]
		return c.Type, ok
	}
	data, err := f.EncodeZoneMap(types)
	if err != nil {
		return f, err
	}
	return f, f.DecodeZoneMap(data, types)
}

// textStats returns the statistics of a file whose row groups are not known, which the
// DuckLake format keeps as text: bounds that have one, and none of them exact.
func textStats(begun *transition.FilesBegun, f *lake.DataFile) []lake.ColumnStats {
	var out []lake.ColumnStats
	for _, s := range f.Stats {
		leaf := begun.Leaves[s.Field]
		s.Min, s.Max, s.MinExact, s.MaxExact = textBound(leaf.Type, s.Min), textBound(leaf.Type, s.Max), false, false
		if s.NullCount == lake.Unknown {
			s.ValueCount = lake.Unknown
		}
		top := slices.ContainsFunc(begun.Table.Columns, func(c lake.Column) bool { return c.ID == s.Field })
		if top && s.ValueCount != f.Rows {
			if s.ValueCount == 0 && s.NullCount == 0 {
				s.NullCount = lake.Unknown
			}
			s.ValueCount = lake.Unknown
		}
		s.NaNCount = 0
		if leaf.Type.Float() {
			s.NaNCount = lake.Unknown // what other programs say of NaN proves nothing
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b lake.ColumnStats) int { return cmp.Compare(a.Field, b.Field) })
	return out
}

func textBound(t lake.Type, v *lake.Value) *lake.Value {
	if v == nil || !lake.HasStatText(t.ID) {
		return nil
	}
	text, ok := lake.FormatStat(t, *v)
	if !ok {
		return nil
	}
	value, ok := lake.ParseStat(t, text)
	if !ok {
		return nil
	}
	return &value
}

// changed returns the files of a table that changed in (after, upTo], as
// catalog.Reader.Files has it.
func (t *files) changed(after, upTo lake.SnapshotID) catalog.Files {
	var out catalog.Files
	for _, f := range t.list {
		if f.Begin > upTo {
			continue
		}
		if f.End > upTo {
			f.End = 0
		}
		ended := f.End != 0
		if after == 0 && ended || after > 0 && f.Begin <= after && (!ended || f.End <= after) {
			continue
		}
		out.Files = append(out.Files, f)
	}
	for _, spec := range t.specs {
		if slices.ContainsFunc(out.Files, func(f lake.DataFile) bool { return f.PartitionID == spec.ID }) {
			out.Partitions = append(out.Partitions, spec)
		}
	}
	return out
}
