package sqlcatalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// InlinedRows returns the rows of one table of inlined data. The table has the
// columns of an earlier schema version: they are found by field id, and what
// it does not have is the initial default.
func (c *Catalog) InlinedRows(ctx context.Context, table *lake.Table, inlined string, id lake.SnapshotID) (array.RecordReader, error) {
	const op = "read inlined rows"
	return c.stream(ctx, op, func(s *session) (array.RecordReader, error) {
		stored, err := s.inlinedColumns(ctx, table.ID, inlined)
		if err != nil {
			return nil, err
		}
		projection := make([]string, len(table.Columns))
		for i := range table.Columns {
			projection[i] = transported(&table.Columns[i], findColumn(stored, table.Columns[i].ID), "", 0)
		}
		query := `SELECT ` + strings.Join(projection, ", ") + ` FROM ` + lake.QuoteIdent(inlined) + ` WHERE ` + live + ` ORDER BY row_id`
		reader, err := s.dialect.QueryFunc(ctx, s.conn, s.dialect.rebind(query), int64(id), int64(id))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", inlined, err)
		}
		return newConformReader(reader, lake.ArrowSchema(table.Columns)), nil
	})
}

// inlinedColumns returns the columns that the table had when the table of
// inlined data was created.
func (s *session) inlinedColumns(ctx context.Context, table lake.TableID, inlined string) ([]lake.Column, error) {
	var version int64
	found, err := s.one(ctx, `SELECT schema_version FROM ducklake_inlined_data_tables WHERE table_id = ? AND table_name = ?`,
		[]any{int64(table), inlined}, &version)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, lake.Errorf(lake.KindNotFound, "table %d has no inlined data %q", table, inlined)
	}
	// The version is the lake's, which other tables raise too: the table's columns
	// are those of its own last change up to then.
	var begin int64
	found, err = s.one(ctx, `SELECT begin_snapshot FROM ducklake_schema_versions WHERE table_id = ? AND schema_version <= ?
		ORDER BY schema_version DESC LIMIT 1`, []any{int64(table), version}, &begin)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, lake.Errorf(lake.KindCorrupt, "table %d has no columns at schema version %d, of which %s is", table, version, inlined)
	}
	l := loader{s: s, at: begin, tables: map[lake.TableID]*lake.Table{table: {ID: table}}}
	if err := l.loadColumns(ctx); err != nil {
		return nil, err
	}
	return l.tables[table].Columns, nil
}

func findColumn(columns []lake.Column, id lake.FieldID) *lake.Column {
	for i := range columns {
		if columns[i].ID == id {
			return &columns[i]
		}
	}
	return nil
}

// transported returns the SQL expression that yields column from what is
// stored, in the type under which it travels. value is the expression of the
// stored value; empty means the stored column itself. depth names lambda
// parameters apart.
func transported(column, stored *lake.Column, value string, depth int) string {
	target := transportType(column)
	if stored == nil {
		if column.InitialDefault == nil || column.Type.Nested() {
			return "CAST(NULL AS " + target + ")"
		}
		return "CAST(CAST(" + lake.QuoteLiteral(*column.InitialDefault) + " AS " + column.SQLType() + ") AS " + target + ")"
	}
	if value == "" {
		value = lake.QuoteIdent(stored.Name)
	}
	if !column.Type.Nested() || column.Type.ID != stored.Type.ID {
		return "CAST(" + value + " AS " + target + ")"
	}
	parameter := fmt.Sprintf("x%d", depth)
	switch column.Type.ID {
	case lake.TypeStruct:
		fields := make([]string, len(column.Children))
		for i := range column.Children {
			child := &column.Children[i]
			old := findColumn(stored.Children, child.ID)
			inner := ""
			if old != nil {
				inner = "struct_extract(" + value + ", " + lake.QuoteLiteral(old.Name) + ")"
			}
			fields[i] = lake.QuoteIdent(child.Name) + " := " + transported(child, old, inner, depth+1)
		}
		return "CASE WHEN " + value + " IS NULL THEN NULL ELSE struct_pack(" + strings.Join(fields, ", ") + ") END"
	case lake.TypeMap:
		key := transported(&column.Children[0], &stored.Children[0], parameter+".key", depth+1)
		item := transported(&column.Children[1], &stored.Children[1], parameter+".value", depth+1)
		return "map_from_entries(list_transform(map_entries(" + value + "), lambda " + parameter +
			": struct_pack(k := " + key + ", v := " + item + ")))"
	default:
		inner := transported(&column.Children[0], &stored.Children[0], parameter, depth+1)
		return "list_transform(" + value + ", lambda " + parameter + ": " + inner + ")"
	}
}

// transportType returns the SQL type under which a column's values travel:
// text for leaves that the databases' Arrow types do not hold alike.
func transportType(c *lake.Column) string {
	var replace func(c *lake.Column) lake.Column
	replace = func(c *lake.Column) lake.Column {
		out := *c
		if travelsAsText(c.Type.ID) {
			out.Type = lake.Type{ID: lake.TypeVarchar}
		}
		out.Children = make([]lake.Column, len(c.Children))
		for i := range c.Children {
			out.Children[i] = replace(&c.Children[i])
		}
		return out
	}
	replaced := replace(c)
	return replaced.SQLType()
}

func travelsAsText(id lake.TypeID) bool {
	switch id {
	case lake.TypeInt128, lake.TypeUint128, lake.TypeUUID, lake.TypeJSON, lake.TypeTimeTZ:
		return true
	default:
		return false
	}
}
