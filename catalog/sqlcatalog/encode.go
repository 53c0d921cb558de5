package sqlcatalog

import (
	"context"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// encodedFile is what is stored of a file besides its own row. To make it is the
// expensive part of an append, so callers do it before they enter the committer.
type encodedFile struct {
	done      bool
	partition []any // texts of the partition values; nil is NULL
	stats     []encodedStats
	zoneMap   []byte // nil for a file whose row groups are not known
}

// encodedStats is a row of ducklake_file_column_stats; nil is NULL.
type encodedStats struct {
	field                         lake.FieldID
	bytes                         int64
	notNull, nulls, min, max, nan any
}

// encode encodes the files of a commit, one after the other. Entries that are not
// done are of files for which it cannot be known yet what their table looks like, or
// which are not sound: the committer encodes those, or says what is wrong.
func (c *Catalog) encode(ctx context.Context, commit *catalog.Commit) []encodedFile {
	var out []encodedFile
	for _, op := range commit.Operations {
		switch op := op.(type) {
		case catalog.CreateTable:
			out = append(out, encodeFiles(&lake.Table{Columns: op.Columns, Partition: op.Partition}, op.Files)...)
		case catalog.AddFiles:
			out = append(out, encodeFiles(c.tableOf(ctx, &op), op.Files)...)
		}
	}
	return out
}

// tableOf returns the table that files were written for, nil if it is not known.
func (c *Catalog) tableOf(ctx context.Context, op *catalog.AddFiles) *lake.Table {
	for _, stateFunc := range []func() (*lake.State, error){
		func() (*lake.State, error) { return c.newest.Load(), nil },
		func() (*lake.State, error) {
			head, err := c.Snapshot(ctx, catalog.Selector{})
			if err != nil {
				return nil, err
			}
			return c.State(ctx, head.ID)
		},
	} {
		state, err := stateFunc()
		if err != nil || state == nil {
			continue
		}
		if t, ok := state.TableByID(op.Table); ok && t.LayoutBegin == op.Layout {
			return t
		}
	}
	return nil
}

// encodeFiles encodes what it can; t may be nil.
func encodeFiles(t *lake.Table, files []lake.DataFile) []encodedFile {
	out := make([]encodedFile, len(files))
	if t == nil || len(files) == 0 {
		return out
	}
	leaves := lake.LeavesOf(t.Columns)
	for i := range files {
		if e, err := encodeFile(t.Partition, leaves, &files[i]); err == nil {
			out[i] = e
		}
	}
	return out
}

// encodeFile encodes one file.
//
// Errors: KindInvalid for partition values and statistics that are not the table's.
func encodeFile(spec *lake.PartitionSpec, leaves map[lake.FieldID]lake.Column, f *lake.DataFile) (encodedFile, error) {
	e := encodedFile{done: true}
	if n := len(f.PartitionValues); n > 0 && (spec == nil || n != len(spec.Fields)) {
		return e, lake.Errorf(lake.KindInvalid, "%d partition values are not those of its table", n)
	}
	for i, v := range f.PartitionValues {
		if v == nil {
			e.partition = append(e.partition, nil)
			continue
		}
		typ := spec.Fields[i].ValueType(leaves)
		text, ok := lake.FormatPartition(typ, *v)
		if !ok {
			return e, lake.Errorf(lake.KindInvalid, "partition value %d has no text as %s", i, typ)
		}
		e.partition = append(e.partition, text)
	}
	e.stats = make([]encodedStats, 0, len(f.Stats))
	for i := range f.Stats {
		leaf, ok := leaves[f.Stats[i].Field]
		if !ok {
			return e, lake.Errorf(lake.KindInvalid, "it has statistics of field %d, which is no leaf of its table", f.Stats[i].Field)
		}
		e.stats = append(e.stats, encodeStats(leaf.Type, &f.Stats[i]))
	}
	if f.RowGroups == nil {
		return e, nil
	}
	var err error
	e.zoneMap, err = f.EncodeZoneMap(func(id lake.FieldID) (lake.Type, bool) {
		c, ok := leaves[id]
		return c.Type, ok
	})
	return e, err
}

// encodeStats returns the statistics of a file as other programs read them.
// The bounds need not be values that occur (ducklake_file_column_stats.md).
func encodeStats(t lake.Type, s *lake.ColumnStats) encodedStats {
	e := encodedStats{field: s.Field, bytes: s.Bytes, min: boundText(t, s.Min), max: boundText(t, s.Max)}
	if s.NullCount != lake.Unknown {
		e.nulls = s.NullCount
		if s.ValueCount != lake.Unknown {
			e.notNull = s.ValueCount - s.NullCount
		}
	}
	if t.Float() && s.NaNCount != lake.Unknown {
		e.nan = s.NaNCount > 0
	}
	return e
}

// boundText returns the text of a bound, or nil if it has none.
func boundText(t lake.Type, v *lake.Value) any {
	if v == nil || !lake.HasStatText(t.ID) {
		return nil
	}
	text, ok := lake.FormatStat(t, *v)
	if !ok {
		return nil
	}
	return text
}
