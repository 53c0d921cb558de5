package sqlcatalog

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

func (l *loader) loadViews(ctx context.Context) error {
	return l.each(ctx, `SELECT view_id, schema_id, view_name, dialect, "sql", column_aliases FROM ducklake_view WHERE `+live,
		func(scan func(...any) error) error {
			var (
				view            lake.View
				schemaID        lake.SchemaID
				dialect, sqlTxt sql.NullString
				aliases         sql.NullString
			)
			if err := scan(&view.ID, &schemaID, &view.Name, &dialect, &sqlTxt, &aliases); err != nil {
				return err
			}
			view.Dialect, view.SQL, view.ColumnAliases = dialect.String, sqlTxt.String, parseQuotedList(aliases.String)
			if schema, ok := l.schemas[schemaID]; ok {
				schema.Views = append(schema.Views, view)
			}
			return nil
		})
}

func (l *loader) loadMacros(ctx context.Context) error {
	return l.each(ctx, `SELECT schema_id, macro_name FROM ducklake_macro WHERE `+live, func(scan func(...any) error) error {
		var (
			id   lake.SchemaID
			name string
		)
		err := scan(&id, &name)
		if schema, ok := l.schemas[id]; ok {
			schema.Macros = append(schema.Macros, name)
		}
		return err
	})
}

// loadTags reads the comments of schemas, tables, views and columns.
func (l *loader) loadTags(ctx context.Context) error {
	err := l.each(ctx, `SELECT object_id, "value" FROM ducklake_tag WHERE "key" = '`+tagComment+`' AND "value" IS NOT NULL AND `+live,
		func(scan func(...any) error) error {
			var (
				id   int64
				text string
			)
			err := scan(&id, &text)
			// Schemas, tables and views draw their ids from one sequence.
			if schema, ok := l.schemas[lake.SchemaID(id)]; ok {
				schema.Comment = text
			}
			if t, ok := l.tables[lake.TableID(id)]; ok {
				t.Comment = text
			}
			for _, schema := range l.schemas {
				for i := range schema.Views {
					if schema.Views[i].ID == id {
						schema.Views[i].Comment = text
					}
				}
			}
			return err
		})
	if err != nil {
		return err
	}
	return l.each(ctx, `SELECT table_id, column_id, "value" FROM ducklake_column_tag
		WHERE "key" = '`+tagComment+`' AND "value" IS NOT NULL AND `+live,
		func(scan func(...any) error) error {
			var (
				id    lake.TableID
				field lake.FieldID
				text  string
			)
			err := scan(&id, &field, &text)
			if t, ok := l.tables[id]; ok {
				if column, ok := t.Field(field); ok {
					column.Comment = text
				}
			}
			return err
		})
}

// loadOptions reads ducklake_metadata, which is not versioned: every snapshot
// has the options of now. An option of a schema becomes one of its tables,
// unless they have their own.
func (l *loader) loadOptions(ctx context.Context) error {
	type scoped struct {
		id         int64
		key, value string
	}
	var ofSchemas, ofTables []scoped
	err := l.each(ctx, `SELECT "key", "value", "scope", scope_id FROM ducklake_metadata`,
		func(scan func(...any) error) error {
			var (
				o     scoped
				scope sql.NullString
				id    sql.NullInt64
			)
			if err := scan(&o.key, &o.value, &scope, &id); err != nil {
				return err
			}
			o.id = id.Int64
			switch scope.String {
			case "":
				l.state.Options[o.key] = o.value
			case scopeSchema:
				ofSchemas = append(ofSchemas, o)
			case scopeTable:
				ofTables = append(ofTables, o)
			}
			return nil
		})
	for _, o := range ofSchemas {
		if schema, ok := l.schemas[lake.SchemaID(o.id)]; ok {
			if schema.Options == nil {
				schema.Options = map[string]string{}
			}
			schema.Options[o.key] = o.value
		}
		for _, t := range l.tables {
			if t.SchemaID == lake.SchemaID(o.id) {
				t.Options[o.key] = o.value
			}
		}
	}
	for _, o := range ofTables {
		t, ok := l.tables[lake.TableID(o.id)]
		switch {
		case !ok:
		case strings.HasPrefix(o.key, catalog.OwnOptionPrefix):
			err = errors.Join(err, readKey(t, o.key, o.value))
		default:
			t.Options[o.key] = o.value
		}
	}
	return err
}

// finish puts the parts together, sorted by name.
func (l *loader) finish() *lake.State {
	for _, t := range l.tables {
		if schema, ok := l.schemas[t.SchemaID]; ok {
			schema.Tables = append(schema.Tables, *t)
		}
	}
	for _, schema := range l.schemas {
		slices.SortFunc(schema.Tables, func(a, b lake.Table) int { return cmp.Compare(a.Name, b.Name) })
		slices.Sort(schema.Macros)
		slices.SortFunc(schema.Views, func(a, b lake.View) int { return cmp.Compare(a.Name, b.Name) })
		l.state.Schemas = append(l.state.Schemas, *schema)
	}
	slices.SortFunc(l.state.Schemas, func(a, b lake.Schema) int { return cmp.Compare(a.Name, b.Name) })
	return l.state
}

// parseQuotedList reads a list of quoted names that commas separate, as
// ducklake_view.column_aliases is.
func parseQuotedList(text string) []string {
	var names []string
	for text != "" {
		if text[0] != '"' {
			return names
		}
		var name strings.Builder
		i := 1
		for ; i < len(text); i++ {
			if text[i] != '"' {
				name.WriteByte(text[i])
				continue
			}
			if i+1 == len(text) || text[i+1] != '"' {
				break
			}
			name.WriteByte('"')
			i++
		}
		names = append(names, name.String())
		text = strings.TrimPrefix(text[min(i+1, len(text)):], ",")
	}
	return names
}
