package shell

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/flightlake/flightlake/planner/sqltext"
)

// SchemaName names a schema.
type SchemaName struct{ Catalog, Schema string }

// Table is a table as the server's metadata says it.
type Table struct {
	Catalog, Schema, Name string
	Kind                  string        // such as TABLE or VIEW
	Columns               *arrow.Schema // nil unless asked for
}

// Schemas returns all schemas.
func (c *Client) Schemas(ctx context.Context) ([]SchemaName, error) {
	info, err := c.sql.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{})
	if err != nil {
		return nil, failure(err)
	}
	var names []SchemaName
	err = c.gather(ctx, info, func(b arrow.RecordBatch) {
		for i := range int(b.NumRows()) {
			names = append(names, SchemaName{Catalog: textAt(b, 0, i), Schema: textAt(b, 1, i)})
		}
	})
	return names, err
}

// Tables returns the tables whose names are like pattern, all if it is empty.
func (c *Client) Tables(ctx context.Context, pattern string, columns bool) ([]Table, error) {
	opts := &flightsql.GetTablesOpts{IncludeSchema: columns}
	if schema, table := splitName(pattern); pattern != "" {
		opts.TableNameFilterPattern = &table
		if schema != "" {
			opts.DbSchemaFilterPattern = &schema
		}
	}
	info, err := c.sql.GetTables(ctx, opts)
	if err != nil {
		return nil, failure(err)
	}
	var tables []Table
	var decodeErr error
	err = c.gather(ctx, info, func(b arrow.RecordBatch) {
		for i := range int(b.NumRows()) {
			t := Table{Catalog: textAt(b, 0, i), Schema: textAt(b, 1, i), Name: textAt(b, 2, i), Kind: textAt(b, 3, i)}
			if raw, ok := b.Column(int(b.NumCols()) - 1).(*array.Binary); ok && columns {
				schema, err := flight.DeserializeSchema(raw.Value(i), c.mem)
				if err != nil {
					decodeErr = fmt.Errorf("decode the schema of table %s: %w", t.Name, err)
				}
				t.Columns = schema
			}
			tables = append(tables, t)
		}
	})
	if err == nil {
		err = failure(decodeErr)
	}
	slices.SortStableFunc(tables, func(a, b Table) int {
		return strings.Compare(a.Schema+"\x00"+a.Name, b.Schema+"\x00"+b.Name)
	})
	return tables, err
}

// textAt returns a cell of a metadata answer, empty for NULL or if there is no
// such column.
func textAt(b arrow.RecordBatch, column, row int) string {
	if column >= int(b.NumCols()) || isNull(b.Column(column), row) {
		return ""
	}
	// The text outlives the batch that it is in.
	return strings.Clone(Text(b.Column(column), row))
}

// ServerName returns the name and the version of the server, empty if it does not
// tell.
//
// Errors: a *Failure if it cannot be reached or lets nobody in.
func (c *Client) ServerName(ctx context.Context) (string, error) {
	info, err := c.sql.GetSqlInfo(ctx, []flightsql.SqlInfo{flightsql.SqlInfoFlightSqlServerName, flightsql.SqlInfoFlightSqlServerVersion})
	if err == nil {
		var parts []string
		err = c.gather(ctx, info, func(b arrow.RecordBatch) {
			for i := range int(b.NumRows()) {
				parts = append(parts, textAt(b, 1, i))
			}
		})
		if err == nil {
			return strings.Join(parts, " "), nil
		}
	}
	if err = failure(err); ExitCode(err) == ExitStatement {
		return "", nil // it is there, and has no SqlInfo
	}
	return "", err
}

// splitName takes [SCHEMA.]NAME apart, which may be quoted.
func splitName(name string) (schema, table string) {
	tokens, err := sqltext.Lex(name)
	if err != nil {
		return "", name
	}
	var parts []string
	var b strings.Builder
	for _, t := range tokens {
		text := name[t.Start:t.End]
		if t.Kind == sqltext.TokenOp && text == "." {
			parts = append(parts, b.String())
			b.Reset()
			continue
		}
		b.WriteString(sqltext.IdentName(text))
	}
	parts = append(parts, b.String())
	if len(parts) == 1 {
		return "", parts[0]
	}
	return parts[len(parts)-2], parts[len(parts)-1]
}
