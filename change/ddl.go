package change

import (
	"context"
	"strings"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
)

func (s *Executor) createSchema(ctx context.Context, v *view.View, st *sqltext.Statement) (statement.Update, error) {
	name := st.Create.Name
	if err := view.CheckSchema(name); err != nil {
		return statement.Update{}, err
	}
	_, exists := v.State.Schema(name.Name)
	if exists && st.Create.IfNotExists {
		return v.Unchanged(), nil
	}
	if err := v.Access.Check(auth.Create, "", ""); err != nil {
		return statement.Update{}, err
	}
	if !exists || !st.Create.OrReplace {
		return s.commit(ctx, v, catalog.CreateSchema{Name: name.Name})
	}
	if err := v.Access.Check(auth.Drop, name.Name, ""); err != nil {
		return statement.Update{}, err
	}
	return s.commit(ctx, v, catalog.DropSchema{Name: name.Name}, catalog.CreateSchema{Name: name.Name})
}

func (s *Executor) dropSchemas(ctx context.Context, v *view.View, st *sqltext.Statement) (statement.Update, error) {
	var operations []catalog.Operation
	for _, name := range st.Drop.Names {
		if err := view.CheckSchema(name); err != nil {
			return statement.Update{}, err
		}
		schema, ok := v.State.Schema(name.Name)
		if !ok && st.Drop.IfExists {
			continue
		}
		if !ok {
			return statement.Update{}, lake.SchemaNotFound(v.State, name.Name)
		}
		if err := v.Access.Check(auth.Drop, schema.Name, ""); err != nil {
			return statement.Update{}, err
		}
		if strings.EqualFold(schema.Name, lake.DefaultSchema) {
			return statement.Update{}, lake.Errorf(lake.KindState, "schema %q is the default schema and cannot be dropped", schema.Name)
		}
		if st.Drop.Cascade {
			for i := range schema.Tables {
				operations = append(operations, catalog.DropTable{ID: schema.Tables[i].ID})
			}
		}
		operations = append(operations, catalog.DropSchema{Name: schema.Name})
	}
	if len(operations) == 0 {
		return v.Unchanged(), nil
	}
	return s.commit(ctx, v, operations...)
}

func (s *Executor) dropTables(ctx context.Context, v *view.View, st *sqltext.Statement) (statement.Update, error) {
	var operations, temporary []catalog.Operation
	for _, name := range st.Drop.Names {
		if table, ok := v.TemporaryTable(name.Catalog, name.Schema, name.Name); ok {
			temporary = append(temporary, catalog.DropTable{ID: table.ID})
			continue
		}
		if v.NamesTemporary(name) {
			if !st.Drop.IfExists {
				return statement.Update{}, v.NoTemporary(name.Name)
			}
			continue
		}
		schema, err := v.ObjectSchema(name)
		if err != nil {
			return statement.Update{}, err
		}
		table, ok := v.State.Table(schema, name.Name)
		if ok {
			err = v.MayChange(auth.Drop, table)
		}
		switch {
		case err != nil:
			return statement.Update{}, err
		case ok:
			operations = append(operations, catalog.DropTable{ID: table.ID})
		case !st.Drop.IfExists:
			return statement.Update{}, lake.TableNotFound(v.State, schema, name.Name)
		}
	}
	lakeCommit, temporaryCommit := catalog.Commit{Operations: operations}, catalog.Commit{Operations: temporary}
	switch {
	case len(temporary) > 0:
		into, err := v.InTemporary()
		if err != nil {
			return statement.Update{}, err
		}
		result, err := s.publishTemporary(ctx, into, lakeCommit, temporaryCommit)
		return statement.Update{Snapshot: result.Snapshot.ID}, err
	case len(operations) > 0:
		return s.commit(ctx, v, operations...)
	}
	return v.Unchanged(), nil
}

func (s *Executor) comment(ctx context.Context, v *view.View, st *sqltext.Statement) (statement.Update, error) {
	c := st.Comment
	if c.OnSchema {
		if err := view.CheckSchema(c.Name); err != nil {
			return statement.Update{}, err
		}
		if _, ok := v.State.Schema(c.Name.Name); !ok {
			return statement.Update{}, lake.SchemaNotFound(v.State, c.Name.Name)
		}
		if err := v.Access.Check(auth.Drop, c.Name.Name, ""); err != nil {
			return statement.Update{}, err
		}
		return s.commit(ctx, v, catalog.SetComment{Schema: c.Name.Name, Text: c.Text})
	}
	schema, err := v.ObjectSchema(c.Name)
	if err != nil {
		return statement.Update{}, err
	}
	table, ok := v.State.Table(schema, c.Name.Name)
	if !ok {
		return statement.Update{}, lake.TableNotFound(v.State, schema, c.Name.Name)
	}
	if err := v.MayChange(auth.Drop, table); err != nil {
		return statement.Update{}, err
	}
	set := catalog.SetComment{Schema: table.Schema, Table: table.Name, Text: c.Text}
	if c.Column != "" {
		column, ok := table.Column(c.Column)
		if !ok {
			return statement.Update{}, lake.Errorf(lake.KindNotFound, "table %s.%s has no column %q", table.Schema, table.Name, c.Column)
		}
		set.Column = column.ID
	}
	return s.commit(ctx, v, set)
}
