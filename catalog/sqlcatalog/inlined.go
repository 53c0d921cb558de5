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
	if err := checkTransported(table); err != nil {
		return nil, err
	}
	return c.stream(ctx, op, func(s *session) (array.RecordReader, error) {
		stored, err := s.inlinedColumns(ctx, table, inlined)
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
func (s *session) inlinedColumns(ctx context.Context, table *lake.Table, inlined string) ([]lake.Column, error) {
	var version int64
	found, err := s.one(ctx, `SELECT schema_version FROM ducklake_inlined_data_tables WHERE table_id = ? AND table_name = ?`,
		[]any{int64(table.ID), inlined}, &version)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, lake.Errorf(lake.KindNotFound, "table %q.%q has no inlined data %q", table.Schema, table.Name, inlined)
	}
	// The version is the lake's, which other tables raise too: the table's columns
	// are those of its own last change up to then.
	var begin int64
	found, err = s.one(ctx, `SELECT begin_snapshot FROM ducklake_schema_versions WHERE table_id = ? AND schema_version <= ?
		ORDER BY schema_version DESC LIMIT 1`, []any{int64(table.ID), version}, &begin)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, lake.Errorf(lake.KindCorrupt, "table %q.%q has no columns at schema version %d, of which %s is",
			table.Schema, table.Name, version, inlined)
	}
	l := loader{s: s, at: begin, tables: map[lake.TableID]*lake.Table{table.ID: {ID: table.ID, Schema: table.Schema, Name: table.Name}}}
	if err := l.loadColumns(ctx); err != nil {
		return nil, err
	}
	return l.tables[table.ID].Columns, nil
}

// checkTransported refuses columns that the databases do not hand over as
// Arrow. Errors: KindUnsupported, naming the column.
func checkTransported(table *lake.Table) error {
	var err error
	for i := range table.Columns {
		column := &table.Columns[i]
		column.Walk(func(c *lake.Column) {
			if err == nil && (c.Type.ID == lake.TypeVariant || c.Type.ID == lake.TypeGeometry) {
				err = lake.Errorf(lake.KindUnsupported, "inlined rows of table %q.%q cannot be read: column %q holds %s",
					table.Schema, table.Name, column.Name, c.SQLType())
			}
		})
	}
	return err
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
