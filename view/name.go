package view

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// checkWritable refuses the name of the schema that shows the catalog's own
// tables, where a statement would change it.
func checkWritable(schema string) error {
	if strings.EqualFold(schema, planner.MetadataSchema) {
		return lake.Errorf(lake.KindForbidden, "%s: the catalog's own tables can be read, not written", planner.MetadataSchema)
	}
	return nil
}

// CheckSchema refuses the name of a schema to change that is in another catalog
// or shows the catalog's own tables.
//
// Errors: KindForbidden; KindNotFound.
func CheckSchema(name sqltext.ObjectName) error {
	if err := checkWritable(name.Name); err != nil {
		return err
	}
	return CheckCatalog(name.Schema)
}

// CheckCatalog refuses a qualifier that is not the lake's catalog; empty is.
//
// Errors: KindForbidden for the catalog's own tables; KindNotFound.
func CheckCatalog(name string) error {
	if err := checkWritable(name); err != nil {
		return err
	}
	if name == "" || strings.EqualFold(name, lake.CatalogName) {
		return nil
	}
	return lake.Errorf(lake.KindNotFound, "catalog %q does not exist; the catalog is %q", name, lake.CatalogName)
}

// ObjectSchema returns the schema in which the table lies that a name says. A
// two-part name lake.t names the catalog, unless there is a schema of that name.
//
// Errors: those of CheckSchema.
func (v *View) ObjectSchema(name sqltext.ObjectName) (string, error) {
	if v.Into != nil {
		return lake.TemporarySchema, nil
	}
	if err := CheckCatalog(name.Catalog); err != nil {
		return "", err
	}
	if err := checkWritable(name.Schema); err != nil {
		return "", err
	}
	if name.Catalog == "" && strings.EqualFold(name.Schema, lake.CatalogName) {
		if _, ok := v.State.Schema(name.Schema); !ok {
			return v.Schema(), nil
		}
	}
	return v.Scope.In(name.Schema), nil
}

// InTemporary returns the view of a statement that changes temporary tables. It
// finds and makes tables among them only.
//
// Errors: KindState without a session, or in a transaction of another one: its
// end could not know whose tables to bring back.
func (v *View) InTemporary() (*View, error) {
	if v.Caller.Session == nil {
		return nil, lake.Errorf(lake.KindState, "temporary tables need a session, and the client has none")
	}
	if v.Work != nil && v.Work.Session() != v.Caller.Session {
		return nil, lake.Errorf(lake.KindState, "temporary tables of a session cannot be changed in a transaction that another session began")
	}
	into := *v
	into.Into = v.Caller.Session
	return &into, nil
}

// Tables returns the schemas and tables among which a statement makes its own.
//
// Errors: KindUnauthenticated if the session has ended.
func (v *View) Tables() (*lake.State, error) {
	switch {
	case v.Into == nil:
		return v.State, nil
	case v.Temporary != nil:
		return v.Temporary.State(), nil
	}
	none, err := v.Into.NoTemporary()
	if err != nil {
		return nil, err
	}
	return none.State(), nil
}

// NamesTemporary reports whether a name says that its table is temporary: temp.t,
// unless the lake has a schema of that name, or temp.main.t.
func (v *View) NamesTemporary(name sqltext.ObjectName) bool {
	if name.Catalog != "" {
		return strings.EqualFold(name.Catalog, lake.TemporarySchema) && strings.EqualFold(name.Schema, lake.DefaultSchema)
	}
	if !strings.EqualFold(name.Schema, lake.TemporarySchema) {
		return false
	}
	_, ok := v.State.Schema(name.Schema)
	return !ok
}

// PlaceOf returns the view in which a statement makes the table of a name, which
// was called temporary or not.
//
// Errors: KindInvalid for a temporary table in a schema of the lake; KindState
// without a session.
func (v *View) PlaceOf(name sqltext.ObjectName, temporary bool) (*View, error) {
	named := v.NamesTemporary(name) || temporary && name.Catalog == "" && strings.EqualFold(name.Schema, lake.TemporarySchema)
	if temporary && name.Schema != "" && !named {
		return nil, lake.Errorf(lake.KindInvalid, "%s: a temporary table lies in no schema of the lake; write its name without one", name.String())
	}
	if !temporary && !named {
		return v, nil
	}
	return v.InTemporary()
}

// NoTemporary is the error for a temporary table that does not exist.
func (v *View) NoTemporary(name string) error {
	var state lake.State
	if v.Temporary != nil {
		state = *v.Temporary.State()
	} else {
		state.Schemas = []lake.Schema{{Name: lake.TemporarySchema}}
	}
	return lake.TableNotFound(&state, lake.TemporarySchema, name)
}
