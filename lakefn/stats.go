package lakefn

import (
	"fmt"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/query"
)

func snapshotFileColumns() []lake.Column {
	return []lake.Column{
		query.Column("schema_name", lake.TypeVarchar), query.Column("table_name", lake.TypeVarchar), query.Column("path", lake.TypeVarchar),
		query.Column("rows", lake.TypeInt64), query.Column("bytes", lake.TypeInt64), query.Column("footer_bytes", lake.TypeInt64),
		query.Column("row_groups", lake.TypeInt64),
		query.Column("partition_values", lake.TypeMap, lake.Column{Name: lake.KeyName, Type: lake.Type{ID: lake.TypeVarchar}},
			query.Column(lake.ValueName, lake.TypeVarchar)),
		query.Column("column_stats", lake.TypeList, query.Column(lake.ElementName, lake.TypeStruct, statsColumns()...)),
	}
}

// statsColumns are the fields in which lake.ColumnStats is shown; a NULL means unknown.
func statsColumns() []lake.Column {
	return []lake.Column{
		query.Column("column_name", lake.TypeVarchar), query.Column("field_id", lake.TypeInt64),
		query.Column("min", lake.TypeVarchar), query.Column("max", lake.TypeVarchar),
		query.Column("min_exact", lake.TypeBoolean), query.Column("max_exact", lake.TypeBoolean),
		query.Column("value_count", lake.TypeInt64), query.Column("null_count", lake.TypeInt64),
		query.Column("nan_count", lake.TypeInt64), query.Column("column_bytes", lake.TypeInt64),
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

func (s *Functions) snapshotFileRow(t *lake.Table, f *lake.DataFile, specs []lake.PartitionSpec) []any {
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
