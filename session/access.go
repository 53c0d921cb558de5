package session

import (
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// visibleStatesMax is how many states are remembered as single callers see them.
const visibleStatesMax = 256

// visibleStates are the states of the lake as callers see them who do not see
// everything. Safe for concurrent use.
type visibleStates struct {
	cache *lru.Cache[visibleKey, *lake.State]
}

type visibleKey struct {
	state  *lake.State
	access string
}

func newVisibleStates() (*visibleStates, error) {
	cache, err := lru.New[visibleKey, *lake.State](visibleStatesMax)
	if err != nil {
		return nil, lake.Wrap(lake.KindInternal, "make cache", err)
	}
	return &visibleStates{cache: cache}, nil
}

// of returns the part of a state that a caller sees. The default schema is
// always there: it says nothing, and unqualified names resolve in it.
func (c *visibleStates) of(a *auth.Access, state *lake.State) *lake.State {
	if a.SeesAll() {
		return state
	}
	key := visibleKey{state: state, access: a.Key()}
	if known, ok := c.cache.Get(key); ok {
		return known
	}
	out := *state
	out.Schemas = nil
	for i := range state.Schemas {
		s := state.Schemas[i]
		if !a.Visible(s.Name, "") && !strings.EqualFold(s.Name, DefaultSchema) {
			continue
		}
		s.Tables = slices.DeleteFunc(slices.Clone(s.Tables), func(t lake.Table) bool { return !a.Visible(s.Name, t.Name) })
		s.Views = slices.DeleteFunc(slices.Clone(s.Views), func(v lake.View) bool { return !a.Visible(s.Name, v.Name) })
		out.Schemas = append(out.Schemas, s)
	}
	c.cache.Add(key, &out)
	return &out
}

// restrict leaves in a view what its caller may see now. Every view passes here
// once it is made, and a kept one each time that it is used again: state is then
// the whole state again.
func (s *Service) restrict(v *view) *view {
	v.access = s.Policy.For(v.caller.Identity)
	v.state = s.visible.of(v.access, v.state)
	return v
}

// checkScope refuses a default schema that a caller does not see who does not see
// all: the engine knows those that there are.
//
// Errors: KindNotFound.
func (v *view) checkScope() error {
	if v.access.SeesAll() {
		return nil
	}
	if _, ok := v.state.Schema(v.scope.schema("")); !ok {
		return lake.SchemaNotFound(v.state, v.scope.schema(""))
	}
	return nil
}

// mayRead checks that the caller may read rows of a table, and returns the
// condition that limits them; empty if it may read all.
//
// Errors: KindForbidden.
func (v *view) mayRead(t *lake.Table) (filter string, err error) {
	if t.ID < temporaryIDs {
		return "", nil
	}
	if err := v.access.Check(auth.Select, t.Schema, t.Name); err != nil {
		return "", err
	}
	return v.access.RowFilter(t.Schema, t.Name), nil
}

// mayInspect checks that the caller may know what statistics, files and plans
// tell about the rows of a table: whoever may read all of them may.
//
// Errors: KindForbidden.
func (v *view) mayInspect(t *lake.Table) error {
	filter, err := v.mayRead(t)
	if err == nil && filter != "" {
		err = errFiltered(t)
	}
	return err
}

// errFiltered is the error for asking for facts about rows that a filter hides.
func errFiltered(t *lake.Table) error {
	return lake.Errorf(lake.KindForbidden,
		"a row filter limits what you may read of table %s.%s: its files, statistics and plans would tell about other rows", t.Schema, t.Name)
}

// mayChange checks a privilege on a table. Temporary tables are their session's
// own; their ids tell them from those of a schema that another writer named temp.
//
// Errors: KindForbidden.
func (v *view) mayChange(privilege auth.Privilege, t *lake.Table) error {
	if t.ID < temporaryIDs {
		return nil
	}
	return v.access.Check(privilege, t.Schema, t.Name)
}

// mayCreate checks that the caller may create a table in a schema, in the place of
// replaced unless that is nil.
//
// Errors: KindForbidden.
func (v *view) mayCreate(schema *lake.Schema, replaced *lake.Table) error {
	if v.into != nil {
		return nil // temporary tables are their session's own
	}
	if err := v.access.Check(auth.Create, schema.Name, ""); err != nil || replaced == nil {
		return err
	}
	return v.mayChange(auth.Drop, replaced)
}

// mayConfigure checks that the caller may set an option: those of a table like
// dropping it, those of the lake as an admin.
//
// Errors: KindForbidden; KindNotFound for a table that the caller does not see.
func (v *view) mayConfigure(set catalog.SetOption) error {
	if set.Table != "" {
		t, ok := v.state.Table(set.Schema, set.Table)
		if !ok {
			return lake.TableNotFound(v.state, set.Schema, set.Table)
		}
		return v.mayChange(auth.Drop, t)
	}
	if v.access.Admin() {
		return nil
	}
	return lake.Errorf(lake.KindForbidden, "user %q may not set options of the lake: role admin is needed", v.access.User())
}

// mayReadMetadata checks that the caller may read the catalog's own tables, which
// tell about all tables.
//
// Errors: KindForbidden.
func (v *view) mayReadMetadata() error {
	if v.access.Unrestricted() {
		return nil
	}
	return lake.Errorf(lake.KindForbidden, "%s tells about all tables: user %q may not read all of them",
		planner.MetadataSchema, v.access.User())
}

// checkInspection refuses to show how a query runs over a table of which the
// caller may read some rows only: what is pruned tells about the others.
//
// Errors: KindForbidden.
func checkInspection(tables []planner.Resolved) error {
	for i := range tables {
		if tables[i].Filter != "" {
			return errFiltered(tables[i].Table)
		}
	}
	return nil
}

// barrier keeps DuckDB from moving conditions of the client below a row filter. A
// condition that fails on a row shows values of it in its error, so no row that the
// filter hides may reach one; DuckDB moves no condition through a LIMIT.
const barrier = " LIMIT 9223372036854775807"

// guarded returns what reads reference i where text reads all rows of its table.
func (p *selectPlan) guarded(i int, text string) string {
	read := &p.plan.Reads[i]
	switch {
	case p.virtual[i] != nil || read.RowFilter == "":
		return text
	case read.Guard != nil: // the scanner has hidden the rows already
		return planner.Filtered(text, read.RowFilter)
	}
	return "(SELECT * FROM " + planner.Filtered(text, read.RowFilter) + barrier + ")"
}

// readsMirror reports whether a query calls functions that show schemas and
// tables, so that callers who do not see all of them need a mirror of their own.
func readsMirror(a *planner.Analysis) bool {
	for _, f := range a.TableFunctions {
		switch strings.ToLower(f.Name) {
		case "range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree":
		default:
			return true
		}
	}
	return slices.ContainsFunc(a.Functions, func(name string) bool { // macros over duckdb_views() and its like
		return strings.HasPrefix(name, "pg_") || name == "format_type"
	})
}

// shownTo is what the engine must show to an expression of the client: one that is
// more than a literal may ask for schemas and tables.
func (v *view) shownTo(expression string) *engine.Overlay {
	tokens, err := sqltext.Lex(expression)
	if v.access.SeesAll() || err == nil && len(tokens) == 1 {
		return nil
	}
	return v.shown()
}

// grant runs GRANT and REVOKE. They take effect at once, also in a transaction,
// and are not rolled back.
//
// Errors: KindForbidden unless the caller is an admin; KindNotFound for an object,
// user or role; those of auth.Policy.Apply.
func (s *Service) grant(v *view, g *sqltext.Grant) error {
	if s.Policy != nil && !v.access.Admin() {
		return lake.Errorf(lake.KindForbidden, "user %q may not grant or revoke: role admin is needed", v.access.User())
	}
	grant := auth.Grant{Revoke: g.Revoke, Role: g.Role, Grantees: g.Grantees}
	if g.Role != "" {
		return s.Policy.Apply(v.caller.Identity, grant)
	}
	for _, name := range g.Privileges {
		privilege := auth.Privilege(strings.ToLower(name))
		if !slices.Contains(auth.Privileges(), privilege) {
			return lake.Errorf(lake.KindInvalid, "privilege %s does not exist: there are SELECT, INSERT, UPDATE, DELETE, CREATE, DROP and ALL", name)
		}
		grant.Privileges = append(grant.Privileges, privilege)
	}
	grants := make([]auth.Grant, 0, len(g.Objects))
	for _, o := range g.Objects {
		var err error
		if grant.Schema, grant.Table, err = v.grantObject(o, g.Revoke); err != nil {
			return err
		}
		grants = append(grants, grant)
	}
	return s.Policy.Apply(v.caller.Identity, grants...)
}

// grantObject returns schema and table that GRANT names; a table is empty for a
// schema, and both are for the lake. What is gone can be named to revoke.
//
// Errors: KindNotFound.
func (v *view) grantObject(o sqltext.GrantObject, gone bool) (schema, table string, err error) {
	switch o.Kind {
	case sqltext.GrantLake:
		return "", "", checkCatalog(o.Name.Name)
	case sqltext.GrantSchema, sqltext.GrantAllTables:
		if err := checkSchema(o.Name); err != nil {
			return "", "", err
		}
		if _, ok := v.state.Schema(o.Name.Name); !ok && !gone {
			return "", "", lake.SchemaNotFound(v.state, o.Name.Name)
		}
		return o.Name.Name, "", nil
	case sqltext.GrantTable:
	}
	if schema, err = v.objectSchema(o.Name); err != nil {
		return "", "", err
	}
	if _, ok := v.state.Table(schema, o.Name.Name); !ok && !gone {
		return "", "", lake.TableNotFound(v.state, schema, o.Name.Name)
	}
	return schema, o.Name.Name, nil
}
