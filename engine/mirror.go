package engine

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// mirror is what the executor's catalog shows of the lake. Those who find there what
// they need do not wait for those who change it.
type mirror struct {
	// next is one more than the schema version that is shown; 0 if that is not known.
	next atomic.Int64
	// changing has a place for the one who changes the fields below.
	changing chan struct{}
	schemas  map[string]bool  // by name
	tables   map[string]table // as they were wanted, by qualified name
	views    map[string]bool  // by qualified name
}

// enter waits for the right to change what is shown. The caller calls leave, unless
// enter fails.
func (m *mirror) enter(ctx context.Context) error {
	select {
	case m.changing <- struct{}{}:
		if err := ctx.Err(); err != nil {
			m.leave()
			return err
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *mirror) leave() { <-m.changing }

// objects is what a state asks to be shown.
type objects struct {
	schemas map[string]bool
	tables  map[string]table
	views   map[string]view
}

// table is the DDL of an empty table: full has its keys, plain leaves them out,
// and bare the defaults too.
type table struct {
	schema, full, plain, bare, comments string
	refers                              bool // full has foreign keys
}

// view is the DDL of a view, which binds in its schema.
type view struct{ schema, ddl, comment string }

// Sync shows the schemas, tables and views of a state of the lake to the
// queries that start afterwards. It costs nothing if that schema version, or a later one, is
// shown. A view that does not bind, and defaults that do not, are left out.
func (x *Executor) Sync(ctx context.Context, state *lake.State) error {
	m := &x.mirror
	if m.next.Load() > state.SchemaVersion {
		return ctx.Err()
	}
	if err := m.enter(ctx); err != nil {
		return err
	}
	// It is not interrupted, which would pass for a view that does not bind: a caller
	// that gives up leaves it to those who wait.
	done, whole := make(chan error, 1), context.WithoutCancel(ctx)
	x.pool.abandoned.calls.Go(func() {
		defer m.leave()
		done <- x.advance(whole, state)
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// advance shows a state, unless a later one is shown. The caller has entered the mirror.
func (x *Executor) advance(ctx context.Context, state *lake.State) error {
	m := &x.mirror
	if m.next.Load() > state.SchemaVersion {
		return nil
	}
	m.next.Store(0) // until all is shown
	if err := m.apply(ctx, x.syncing, objectsOf(state)); err != nil {
		return lake.Wrap(lake.KindInternal, "mirror the catalog", err)
	}
	m.next.Store(state.SchemaVersion + 1)
	return nil
}

// show shows a state that no version tells from others. When ctx ends, part of it is shown.
func (m *mirror) show(ctx context.Context, c *connection, state *lake.State) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.leave()
	err := m.apply(ctx, c, objectsOf(state))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return lake.Wrap(lake.KindInternal, "mirror the catalog", err)
}

func objectsOf(state *lake.State) objects {
	o := objects{schemas: map[string]bool{}, tables: map[string]table{}, views: map[string]view{}}
	for i := range state.Schemas {
		s := &state.Schemas[i]
		o.schemas[s.Name] = true
		for j := range s.Tables {
			o.tables[qualified(s.Name, s.Tables[j].Name)] = newTable(state, s.Name, &s.Tables[j])
		}
		for j := range s.Views {
			o.views[qualified(s.Name, s.Views[j].Name)] = newView(s.Name, &s.Views[j])
		}
	}
	return o
}

func qualified(schema, name string) string {
	return lake.CatalogName + "." + lake.QuoteIdent(schema) + "." + lake.QuoteIdent(name)
}

// columnsDDL returns CREATE TABLE with NOT NULL and, if asked for, defaults.
func columnsDDL(name string, columns []lake.Column, defaults bool) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + name + " (")
	for i := range columns {
		c := &columns[i]
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(lake.QuoteIdent(c.Name) + " " + c.SQLType())
		if !c.Nullable {
			b.WriteString(" NOT NULL")
		}
		if defaults && c.Default != nil {
			b.WriteString(" DEFAULT (" + c.DefaultSQL() + ")")
		}
	}
	b.WriteByte(')')
	return b.String()
}

func commentsOf(name string, t *lake.Table) string {
	var statements []string
	if t.Comment != "" {
		statements = append(statements, "COMMENT ON TABLE "+name+" IS "+lake.QuoteLiteral(t.Comment))
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Comment != "" {
			statements = append(statements, "COMMENT ON COLUMN "+name+"."+lake.QuoteIdent(c.Name)+" IS "+lake.QuoteLiteral(c.Comment))
		}
	}
	return strings.Join(statements, "; ")
}

func newView(schema string, v *lake.View) view {
	name := qualified(schema, v.Name)
	aliases := ""
	if len(v.ColumnAliases) > 0 {
		quoted := make([]string, len(v.ColumnAliases))
		for i, a := range v.ColumnAliases {
			quoted[i] = lake.QuoteIdent(a)
		}
		aliases = " (" + strings.Join(quoted, ", ") + ")"
	}
	out := view{schema: schema, ddl: "CREATE VIEW " + name + aliases + " AS " + v.SQL}
	if v.Comment != "" {
		out.comment = "COMMENT ON VIEW " + name + " IS " + lake.QuoteLiteral(v.Comment)
	}
	return out
}

// apply makes the difference. The caller has entered. If it fails half-way, or ctx ends,
// the maps still say what exists. It looks at ctx between statements and interrupts none:
// an interruption would pass for a view that does not bind.
func (m *mirror) apply(ctx context.Context, c *connection, want objects) error {
	if m.schemas == nil {
		m.schemas, m.tables, m.views = map[string]bool{lake.DefaultSchema: true}, map[string]table{}, map[string]bool{}
	}
	for name := range m.views { // a view must be bound anew when its tables change
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.exec("DROP VIEW IF EXISTS %s", name); err != nil {
			return err
		}
		delete(m.views, name)
	}
	if err := m.dropTables(ctx, c, want.tables); err != nil {
		return err
	}
	for name := range m.schemas {
		if want.schemas[name] || name == lake.DefaultSchema {
			continue
		}
		if err := c.exec("DROP SCHEMA IF EXISTS %s.%s CASCADE", lake.CatalogName, lake.QuoteIdent(name)); err != nil {
			return err
		}
		delete(m.schemas, name)
	}
	return m.create(ctx, c, want)
}

func (m *mirror) create(ctx context.Context, c *connection, want objects) error {
	for _, name := range slices.Sorted(maps.Keys(want.schemas)) {
		if m.schemas[name] {
			continue
		}
		if err := c.exec("CREATE SCHEMA IF NOT EXISTS %s.%s", lake.CatalogName, lake.QuoteIdent(name)); unusable(err) {
			continue
		} else if err != nil {
			return err
		}
		m.schemas[name] = true
	}
	if err := m.createTables(ctx, c, want.tables); err != nil {
		return err
	}
	return m.createViews(ctx, c, want.views)
}

// createViews creates views in an order that suits those that read others:
// round after round until nothing more binds.
//
// Errors: that of ctx.
func (m *mirror) createViews(ctx context.Context, c *connection, views map[string]view) error {
	for progress := true; progress; {
		progress = false
		for _, name := range slices.Sorted(maps.Keys(views)) {
			if err := ctx.Err(); err != nil {
				return err
			}
			v := views[name]
			if m.views[name] || c.exec("USE %s.%s", lake.CatalogName, lake.QuoteIdent(v.schema)) != nil ||
				c.runChange(v.ddl, duckdb.StatementTypeCreate) != nil {
				continue
			}
			m.views[name], progress = true, true
			if v.comment != "" {
				_ = c.exec("%s", v.comment) // a view without its comment is better than none
			}
		}
	}
	return nil
}
