package view

import (
	"slices"
	"strings"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

// restrictedStates are the states of the lake as callers see them who do not see
// everything. Safe for concurrent use.
type restrictedStates struct {
	cache *cache.Cache[restrictedKey, *lake.State]
}

type restrictedKey struct {
	state  *lake.State
	access string
}

func newRestrictedStates(bytesMax int64) *restrictedStates {
	return &restrictedStates{cache: cache.New(bytesMax, func(k restrictedKey, s *lake.State) int64 {
		return int64(len(k.access)) + cache.StateBytes(s)
	})}
}

// of returns the part of a state that a caller sees. The default schema is
// always there: it says nothing, and unqualified names resolve in it.
func (c *restrictedStates) of(a *auth.Access, state *lake.State) *lake.State {
	if a.SeesAll() {
		return state
	}
	key := restrictedKey{state: state, access: a.Key()}
	if known, ok := c.cache.Lookup(key); ok {
		return known
	}
	out := *state
	out.Schemas = nil
	for i := range state.Schemas {
		s := state.Schemas[i]
		if !a.Visible(s.Name, "") && !strings.EqualFold(s.Name, lake.DefaultSchema) {
			continue
		}
		s.Tables = slices.DeleteFunc(slices.Clone(s.Tables), func(t lake.Table) bool { return !a.Visible(s.Name, t.Name) })
		s.Views = slices.DeleteFunc(slices.Clone(s.Views), func(v lake.View) bool { return !a.Visible(s.Name, v.Name) })
		out.Schemas = append(out.Schemas, s)
	}
	c.cache.Put(key, &out)
	return &out
}

// restrict leaves in a view what its caller may see now. Every view passes here
// once it is made, and a kept one each time that it is used again: state is then
// the whole state again.
func (s *Views) restrict(v *View) *View {
	v.Access = s.Policy.For(v.Caller.Identity)
	v.State = s.restricted.of(v.Access, v.State)
	return v
}

// CheckScope refuses a default schema that a caller does not see who does not see
// all: the engine knows those that there are.
//
// Errors: KindNotFound.
func (v *View) CheckScope() error {
	if v.Access.SeesAll() {
		return nil
	}
	if _, ok := v.State.Schema(v.Schema()); !ok {
		return lake.SchemaNotFound(v.State, v.Schema())
	}
	return nil
}

// MayRead checks that the caller may read rows of a table, and returns the
// condition that limits them; empty if it may read all.
//
// Errors: KindForbidden.
func (v *View) MayRead(t *lake.Table) (filter string, err error) {
	if t.Origin == lake.OriginSession {
		return "", nil
	}
	if err := v.Access.Check(auth.Select, t.Schema, t.Name); err != nil {
		return "", err
	}
	return v.Access.RowFilter(t.Schema, t.Name), nil
}

// MayInspect checks that the caller may see file statistics and plans of a table,
// which reveal all of its rows: whoever may read those may.
//
// Errors: KindForbidden.
func (v *View) MayInspect(t *lake.Table) error {
	filter, err := v.MayRead(t)
	if err == nil && filter != "" {
		err = ErrFiltered(t)
	}
	return err
}

// ErrFiltered is the error for asking for facts about rows that a filter hides.
func ErrFiltered(t *lake.Table) error {
	return lake.Errorf(lake.KindForbidden,
		"a row filter limits what you may read of table %s.%s: its files, statistics and plans would tell about other rows", t.Schema, t.Name)
}

// MayChange checks a privilege on a table. Temporary tables are their session's
// own: their Origin distinguishes them from those of a schema that another writer
// named temp.
//
// Errors: KindForbidden.
func (v *View) MayChange(privilege auth.Privilege, t *lake.Table) error {
	if t.Origin == lake.OriginSession {
		return nil
	}
	return v.Access.Check(privilege, t.Schema, t.Name)
}

// MayCreate checks that the caller may create a table in a schema, in the place of
// replaced unless that is nil.
//
// Errors: KindForbidden.
func (v *View) MayCreate(schema *lake.Schema, replaced *lake.Table) error {
	if v.Into != nil {
		return nil // temporary tables are their session's own
	}
	if err := v.Access.Check(auth.Create, schema.Name, ""); err != nil || replaced == nil {
		return err
	}
	return v.MayChange(auth.Drop, replaced)
}

// MayConfigure checks that the caller may set an option: those of a table like
// dropping it, those of the lake as an admin.
//
// Errors: KindForbidden; KindNotFound for a table that the caller does not see.
func (v *View) MayConfigure(set catalog.SetOption) error {
	if set.Table != "" {
		t, ok := v.State.Table(set.Schema, set.Table)
		if !ok {
			return lake.TableNotFound(v.State, set.Schema, set.Table)
		}
		return v.MayChange(auth.Drop, t)
	}
	if v.Access.Admin() {
		return nil
	}
	return lake.Errorf(lake.KindForbidden, "user %q may not set options of the lake: role admin is needed", v.Access.User())
}

// MayReadMetadata checks that the caller may read the catalog's own tables, which
// describe all tables.
//
// Errors: KindForbidden.
func (v *View) MayReadMetadata() error {
	if v.Access.Unrestricted() {
		return nil
	}
	return lake.Errorf(lake.KindForbidden, "%s tells about all tables: user %q may not read all of them",
		planner.MetadataSchema, v.Access.User())
}
