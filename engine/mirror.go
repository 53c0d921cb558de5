package engine

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/flightlake/flightlake/lake"
)

// mirror is what the executor's catalog shows of the lake.
type mirror struct {
	mu      sync.Mutex
	synced  bool              // guarded by mu
	version int64             // guarded by mu; of the state that is shown
	schemas map[string]bool   // guarded by mu; by name
	tables  map[string]string // guarded by mu; DDL by qualified name
	views   map[string]string // guarded by mu; DDL by qualified name
}

// objects is what a state asks to be shown.
type objects struct {
	schemas map[string]bool
	tables  map[string]table
	views   map[string]string
}

// table is the DDL of an empty table; bare leaves out the defaults.
type table struct{ full, bare string }

// Sync shows the schemas, tables and views of a state of the lake to the
// queries that start afterwards. It costs nothing if the schema version is the
// one that is shown. A view that does not bind, and defaults that do not, are left out.
func (x *Executor) Sync(ctx context.Context, state *lake.State) error {
	m := &x.mirror
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.synced && m.version == state.SchemaVersion {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.apply(x.syncing, objectsOf(state)); err != nil {
		m.synced = false
		return lake.Wrap(lake.KindInternal, "mirror the catalog", err)
	}
	m.synced, m.version = true, state.SchemaVersion
	return nil
}

func objectsOf(state *lake.State) objects {
	o := objects{schemas: map[string]bool{}, tables: map[string]table{}, views: map[string]string{}}
	for i := range state.Schemas {
		s := &state.Schemas[i]
		o.schemas[s.Name] = true
		for j := range s.Tables {
			name := qualified(s.Name, s.Tables[j].Name)
			comments := commentsOf(name, &s.Tables[j])
			o.tables[name] = table{
				full: columnsDDL(name, s.Tables[j].Columns, true) + comments,
				bare: columnsDDL(name, s.Tables[j].Columns, false) + comments,
			}
		}
		for j := range s.Views {
			o.views[qualified(s.Name, s.Views[j].Name)] = viewDDL(s.Name, &s.Views[j])
		}
	}
	return o
}

func qualified(schema, name string) string {
	return CatalogName + "." + lake.QuoteIdent(schema) + "." + lake.QuoteIdent(name)
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
			b.WriteString(" DEFAULT (" + defaultSQL(c) + ")")
		}
	}
	b.WriteByte(')')
	return b.String()
}

// defaultSQL returns the default of a column as an SQL expression.
func defaultSQL(c *lake.Column) string {
	switch {
	case c.DefaultIsExpression:
		return *c.Default
	case c.Type.ID == lake.TypeVarchar:
		return lake.QuoteLiteral(*c.Default)
	}
	return "CAST(" + lake.QuoteLiteral(*c.Default) + " AS " + c.SQLType() + ")"
}

func commentsOf(name string, t *lake.Table) string {
	var b strings.Builder
	if t.Comment != "" {
		b.WriteString("; COMMENT ON TABLE " + name + " IS " + lake.QuoteLiteral(t.Comment))
	}
	for i := range t.Columns {
		if t.Columns[i].Comment != "" {
			b.WriteString("; COMMENT ON COLUMN " + name + "." + lake.QuoteIdent(t.Columns[i].Name) + " IS " +
				lake.QuoteLiteral(t.Columns[i].Comment))
		}
	}
	return b.String()
}

func viewDDL(schema string, v *lake.View) string {
	name := qualified(schema, v.Name)
	aliases := ""
	if len(v.ColumnAliases) > 0 {
		quoted := make([]string, len(v.ColumnAliases))
		for i, a := range v.ColumnAliases {
			quoted[i] = lake.QuoteIdent(a)
		}
		aliases = " (" + strings.Join(quoted, ", ") + ")"
	}
	ddl := "USE " + CatalogName + "." + lake.QuoteIdent(schema) + "; CREATE VIEW " + name + aliases + " AS " + v.SQL
	if v.Comment != "" {
		ddl += "; COMMENT ON VIEW " + name + " IS " + lake.QuoteLiteral(v.Comment)
	}
	return ddl
}

// apply makes the difference. The caller holds mu. If it fails half-way, the
// maps still say what exists.
func (m *mirror) apply(c *connection, want objects) error {
	if m.schemas == nil {
		m.schemas, m.tables, m.views = map[string]bool{DefaultSchema: true}, map[string]string{}, map[string]string{}
	}
	for name := range m.views { // a view must be bound anew when its tables change
		if err := c.exec("DROP VIEW IF EXISTS %s", name); err != nil {
			return err
		}
		delete(m.views, name)
	}
	for name, ddl := range m.tables {
		if want.tables[name].full == ddl {
			continue
		}
		if err := c.exec("DROP TABLE IF EXISTS %s", name); err != nil {
			return err
		}
		delete(m.tables, name)
	}
	for name := range m.schemas {
		if want.schemas[name] || name == DefaultSchema {
			continue
		}
		if err := c.exec("DROP SCHEMA IF EXISTS %s.%s CASCADE", CatalogName, lake.QuoteIdent(name)); err != nil {
			return err
		}
		delete(m.schemas, name)
	}
	return m.create(c, want)
}

func (m *mirror) create(c *connection, want objects) error {
	for _, name := range slices.Sorted(maps.Keys(want.schemas)) {
		if m.schemas[name] {
			continue
		}
		if err := c.exec("CREATE SCHEMA IF NOT EXISTS %s.%s", CatalogName, lake.QuoteIdent(name)); err != nil {
			return err
		}
		m.schemas[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(want.tables)) {
		if _, ok := m.tables[name]; ok {
			continue
		}
		if c.exec("%s", want.tables[name].full) != nil {
			if err := c.exec("DROP TABLE IF EXISTS %s; %s", name, want.tables[name].bare); err != nil {
				return err
			}
		}
		m.tables[name] = want.tables[name].full
	}
	m.createViews(c, want.views)
	return nil
}

// createViews creates views in an order that suits those that read others:
// round after round until nothing more binds.
func (m *mirror) createViews(c *connection, views map[string]string) {
	for progress := true; progress; {
		progress = false
		for _, name := range slices.Sorted(maps.Keys(views)) {
			if _, ok := m.views[name]; !ok && c.exec("%s", views[name]) == nil {
				m.views[name] = views[name]
				progress = true
			}
		}
	}
}
