package change

import (
	"slices"
	"strings"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/view"
)

// grant runs GRANT and REVOKE. They take effect at once, also in a transaction,
// and are not rolled back.
//
// Errors: KindForbidden unless the caller is an admin; KindNotFound for an object,
// user or role; those of auth.Policy.Apply.
func (s *Executor) grant(v *view.View, g *sqltext.Grant) error {
	if s.Policy != nil && !v.Access.Admin() {
		return lake.Errorf(lake.KindForbidden, "user %q may not grant or revoke: role admin is needed", v.Access.User())
	}
	grant := auth.Grant{Revoke: g.Revoke, Role: g.Role, Grantees: g.Grantees}
	if g.Role != "" {
		return s.Policy.Apply(v.Caller.Identity, grant)
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
		if grant.Schema, grant.Table, err = grantObject(v, o, g.Revoke); err != nil {
			return err
		}
		grants = append(grants, grant)
	}
	return s.Policy.Apply(v.Caller.Identity, grants...)
}

// grantObject returns schema and table that GRANT names; a table is empty for a
// schema, and both are for the lake. What is gone can be named to revoke.
//
// Errors: KindNotFound.
func grantObject(v *view.View, o sqltext.GrantObject, gone bool) (schema, table string, err error) {
	switch o.Kind {
	case sqltext.GrantLake:
		return "", "", view.CheckCatalog(o.Name.Name)
	case sqltext.GrantSchema, sqltext.GrantAllTables:
		if err := view.CheckSchema(o.Name); err != nil {
			return "", "", err
		}
		if _, ok := v.State.Schema(o.Name.Name); !ok && !gone {
			return "", "", lake.SchemaNotFound(v.State, o.Name.Name)
		}
		return o.Name.Name, "", nil
	case sqltext.GrantTable:
	}
	if schema, err = v.ObjectSchema(o.Name); err != nil {
		return "", "", err
	}
	if _, ok := v.State.Table(schema, o.Name.Name); !ok && !gone {
		return "", "", lake.TableNotFound(v.State, schema, o.Name.Name)
	}
	return schema, o.Name.Name, nil
}
