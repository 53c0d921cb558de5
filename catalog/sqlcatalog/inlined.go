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
			projection[i] = s.dialect.InlinedFunc(&table.Columns[i], storedColumn(stored, table.Columns[i].ID))
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

// storedColumn returns the column of an inlined table with a field id; nil if it has none.
func storedColumn(columns []lake.Column, id lake.FieldID) *lake.Column {
	for i := range columns {
		if columns[i].ID == id {
			return &columns[i]
		}
	}
	return nil
}
