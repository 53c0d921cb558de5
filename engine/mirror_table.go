package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// newTable returns the DDL of a table of state.
func newTable(state *lake.State, schema string, t *lake.Table) table {
	name := qualified(schema, t.Name)
	out := table{
		schema:   schema,
		plain:    columnsDDL(name, t.Columns, true),
		bare:     columnsDDL(name, t.Columns, false),
		comments: commentsOf(name, t),
	}
	var keys strings.Builder
	if len(t.PrimaryKey) > 0 {
		keys.WriteString(", PRIMARY KEY (" + quotedList(t.PrimaryKey) + ")")
	}
	for _, k := range state.ForeignKeys(t) {
		if showsKey(state, schema, t, &k) {
			out.refers = true
			keys.WriteString(", FOREIGN KEY (" + quotedList(k.Columns) + ") REFERENCES " + lake.QuoteIdent(k.Table) + " (" + quotedList(k.RefColumns) + ")")
		}
	}
	out.full = strings.TrimSuffix(out.plain, ")") + keys.String() + ")"
	return out
}

// showsKey reports whether DuckDB can hold a foreign key of t: one to the primary
// key of a table in the same schema, of the same types.
func showsKey(state *lake.State, schema string, t *lake.Table, k *lake.ForeignKey) bool {
	other, ok := state.Table(k.Schema, k.Table)
	if !ok || !strings.EqualFold(k.Schema, schema) || !slices.Equal(k.RefColumns, other.PrimaryKey) {
		return false
	}
	for i := range k.Columns {
		from, okFrom := t.Column(k.Columns[i])
		to, okTo := other.Column(k.RefColumns[i])
		if !okFrom || !okTo || from.SQLType() != to.SQLType() {
			return false
		}
	}
	return true
}

func quotedList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = lake.QuoteIdent(name)
	}
	return strings.Join(quoted, ", ")
}

// dropTables drops the tables that are not wanted as they are, and with them all
// that have foreign keys: DuckDB drops no table that another refers to, so it
// goes round after round.
func (m *mirror) dropTables(ctx context.Context, c *connection, want map[string]table) error {
	var drop []string
	stale := false
	for name, t := range m.tables {
		same := want[name] == t
		stale = stale || !same
		if !same || t.refers {
			drop = append(drop, name)
		}
	}
	if !stale {
		return nil
	}
	slices.Sort(drop)
	for len(drop) > 0 {
		var err error
		before := len(drop)
		drop = slices.DeleteFunc(drop, func(name string) bool {
			dropErr := ctx.Err()
			if dropErr == nil {
				dropErr = c.exec("DROP TABLE IF EXISTS %s", name)
			}
			if dropErr != nil {
				err = dropErr
				return false
			}
			delete(m.tables, name)
			return true
		})
		if len(drop) == before {
			return err
		}
	}
	return nil
}

// createTables creates the tables that are not there: those with foreign keys
// after the ones that they refer to, round after round until nothing more can be
// created. What is left, such as tables that refer to each other, and tables
// whose keys DuckDB cannot index, are shown without keys.
func (m *mirror) createTables(ctx context.Context, c *connection, want map[string]table) error {
	var referring []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, exists := m.tables[name]
		switch t := want[name]; {
		case exists:
		case t.refers:
			referring = append(referring, name)
		default:
			if err := m.createTable(c, name, t, t.full, t.plain, t.bare); err != nil && !unusable(err) {
				return err
			}
		}
	}
	for progress := true; progress; {
		before := len(referring)
		referring = slices.DeleteFunc(referring, func(name string) bool {
			t := want[name]
			return ctx.Err() == nil && c.exec("USE %s.%s", lake.CatalogName, lake.QuoteIdent(t.schema)) == nil && m.createTable(c, name, t, t.full) == nil
		})
		progress = len(referring) < before
	}
	for _, name := range referring {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.createTable(c, name, want[name], want[name].plain, want[name].bare); err != nil && !unusable(err) {
			return err
		}
	}
	return nil
}

// unusable reports whether an object, and not the engine, is why it cannot be shown. It is
// left out then: one that another program wrote must not make all others unusable.
func unusable(err error) bool {
	switch lake.KindOf(err) {
	case lake.KindInvalid, lake.KindUnsupported, lake.KindNotFound:
		return err != nil
	default:
		return false
	}
}

// createTable creates a table by the first DDL that works.
func (m *mirror) createTable(c *connection, name string, t table, ddls ...string) (err error) {
	for _, ddl := range ddls {
		if err = c.runChange(ddl, duckdb.StatementTypeCreate); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	m.tables[name] = t
	if t.comments != "" {
		if err := c.exec("%s", t.comments); err != nil && !unusable(err) {
			return err
		}
	}
	return nil
}
