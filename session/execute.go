package session

import (
	"context"
	"strings"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/workload"
)

// Execute runs a statement that changes the lake, once for each row of its
// parameters, or once without. An INSERT is one Append however many rows of
// parameters it has.
//
// Errors: KindInvalid if the statement is a query or malformed; KindUnsupported,
// naming it, for a statement that is not implemented; those of its kind.
func (s *Service) Execute(ctx context.Context, st Statement) (Update, error) {
	texts, err := bindAll(st)
	if err != nil {
		return Update{}, err
	}
	statements := make([]*sqltext.Statement, len(texts))
	for i, text := range texts {
		if statements[i], err = sqltext.Classify(text); err != nil {
			return Update{}, err
		}
	}
	if len(statements) == 0 {
		return Update{}, nil
	}
	switch statements[0].Kind {
	case sqltext.KindTransaction:
		return s.transact(ctx, st.Caller, statements[0].Transaction)
	case sqltext.KindQuery, sqltext.KindExplain:
		return Update{}, lake.Errorf(lake.KindInvalid, "the statement is a query and changes nothing; fetch its rows instead")
	case sqltext.KindUse, sqltext.KindSet, sqltext.KindKill:
		return Update{}, s.control(ctx, st.Caller, statements)
	default:
	}
	if create := statements[0].Create; create != nil && saysTemporary(create) {
		if _, err := st.Caller.Open(ctx); err != nil {
			return Update{}, err
		}
	}
	ctx, c, err := s.begin(ctx, st.Caller, workload.Info{ID: string(st.ID), SQL: st.SQL, Kind: kindUpdate})
	if err != nil {
		return Update{}, err
	}
	defer c.end()
	up, err := s.executeAll(ctx, st, statements)
	return up, because(ctx, err)
}

// executeAll runs a statement once for each row of its parameters.
func (s *Service) executeAll(ctx context.Context, st Statement, statements []*sqltext.Statement) (Update, error) {
	v, done, err := s.enter(ctx, st.Caller, st.Scope, entry{pin: true, write: true})
	if err != nil {
		return Update{}, err
	}
	defer done()
	st.Token = st.Caller.ownToken(st.Token)
	if statements[0].Kind == sqltext.KindInsert {
		if statements, err = s.convertValues(ctx, v, st, statements); err != nil {
			return Update{}, err
		}
		return s.insert(ctx, v, st.Token, statements)
	}
	var total Update
	for _, statement := range statements {
		up, err := s.executeAgain(ctx, v, st.Token, statement)
		if err != nil {
			return Update{}, err
		}
		total.Rows += up.Rows
		total.Snapshot = up.Snapshot
	}
	return total, nil
}

// isUpdate reports whether a statement changes the lake.
//
// Errors: KindUnsupported, naming the statement, for one that is not implemented.
func isUpdate(st *sqltext.Statement) (bool, error) {
	switch st.Kind {
	case sqltext.KindQuery, sqltext.KindExplain:
		return false, nil
	case sqltext.KindCall:
		return strings.EqualFold(st.Call.Name.Name, "set_option") || strings.EqualFold(st.Call.Name.Name, "ducklake_set_option"), nil
	case sqltext.KindCreateSchema, sqltext.KindDropSchema, sqltext.KindCreateTable, sqltext.KindDropTable,
		sqltext.KindInsert, sqltext.KindComment, sqltext.KindTransaction, sqltext.KindGrant,
		sqltext.KindUse, sqltext.KindSet, sqltext.KindKill:
		return true, nil
	case sqltext.KindOther:
	}
	return false, refused(st)
}

// refused is the error for a statement that is known and not run.
func refused(st *sqltext.Statement) error {
	word, _, _ := strings.Cut(st.Name, " ")
	switch word {
	case "ATTACH", "DETACH", "COPY", "EXPORT", "IMPORT", "INSTALL", "LOAD", "FORCE", "PRAGMA":
		return lake.Errorf(lake.KindForbidden, "%s is closed to clients: it reaches the server's own files, network or settings", st.Name)
	}
	return lake.Errorf(lake.KindUnsupported, "%s is not supported", st.Name)
}

// executeAgain runs a statement, and runs it again against the new state if a
// concurrent Commit changed what it had resolved, such as whether a table
// exists: the last answer is then true of one snapshot.
func (s *Service) executeAgain(ctx context.Context, v *view, token string, st *sqltext.Statement) (Update, error) {
	for attempt := 1; ; attempt++ {
		var err error
		if v, err = s.refresh(ctx, v); err != nil {
			return Update{}, err
		}
		up, err := s.execute(ctx, v, token, st)
		if err == nil || attempt == appendAttempts || ctx.Err() != nil || !lostRace(err, st) {
			return up, err
		}
	}
}

// lostRace reports whether a statement may succeed, or fail with a better
// reason, when it is resolved again.
func lostRace(err error, st *sqltext.Statement) bool {
	switch lake.KindOf(err) {
	case lake.KindConflict:
		return true
	case lake.KindExists:
		return st.Create != nil && (st.Create.IfNotExists || st.Create.OrReplace)
	case lake.KindNotFound:
		return st.Drop != nil && st.Drop.IfExists || st.Create != nil && st.Create.OrReplace
	default:
		return false
	}
}

// execute runs one statement other than INSERT in a view. token is that of
// CREATE TABLE AS.
func (s *Service) execute(ctx context.Context, v *view, token string, st *sqltext.Statement) (Update, error) {
	switch st.Kind {
	case sqltext.KindCreateSchema:
		return s.createSchema(ctx, v, st)
	case sqltext.KindDropSchema:
		return s.dropSchemas(ctx, v, st)
	case sqltext.KindCreateTable:
		return s.createTable(ctx, v, token, st)
	case sqltext.KindDropTable:
		return s.dropTables(ctx, v, st)
	case sqltext.KindComment:
		return s.comment(ctx, v, st)
	case sqltext.KindCall:
		return s.setOption(ctx, v, st)
	case sqltext.KindGrant:
		return v.unchanged(), s.grant(v, st.Grant)
	default:
		return Update{}, refused(st)
	}
}

// commit publishes operations that add no rows.
func (s *Service) commit(ctx context.Context, v *view, operations ...catalog.Operation) (Update, error) {
	result, err := s.change(ctx, v, catalog.Commit{Operations: operations})
	if err != nil {
		return Update{}, err
	}
	return Update{Snapshot: result.Snapshot.ID}, nil
}

// change does what a statement changes: as one snapshot, or, in a transaction,
// for those that follow in it.
func (s *Service) change(ctx context.Context, v *view, c catalog.Commit) (catalog.Result, error) {
	switch {
	case v.into != nil:
		return s.changeTemporary(v, c)
	case v.work != nil:
		return v.work.apply(c)
	}
	return s.Catalog.Commit(ctx, c)
}

// unchanged is the outcome of a statement that found nothing to do.
func (v *view) unchanged() Update { return Update{Snapshot: v.snapshot} }

// checkWritable refuses the name of the schema that shows the catalog's own
// tables, where a statement would change it.
func checkWritable(schema string) error {
	if strings.EqualFold(schema, planner.MetadataSchema) {
		return lake.Errorf(lake.KindForbidden, "%s: the catalog's own tables can be read, not written", planner.MetadataSchema)
	}
	return nil
}

// checkSchema refuses the name of a schema to change that is in another catalog
// or shows the catalog's own tables.
func checkSchema(name sqltext.ObjectName) error {
	if err := checkWritable(name.Name); err != nil {
		return err
	}
	return checkCatalog(name.Schema)
}

// checkCatalog refuses a qualifier that is not the lake's catalog.
func checkCatalog(name string) error {
	if err := checkWritable(name); err != nil {
		return err
	}
	if name == "" || strings.EqualFold(name, CatalogName) {
		return nil
	}
	return lake.Errorf(lake.KindNotFound, "catalog %q does not exist; the catalog is %q", name, CatalogName)
}

// objectSchema returns the schema in which a table's name lies. A two-part name
// lake.t names the catalog, unless there is a schema of that name.
func (v *view) objectSchema(name sqltext.ObjectName) (string, error) {
	if v.into != nil {
		return temporarySchema, nil
	}
	if err := checkCatalog(name.Catalog); err != nil {
		return "", err
	}
	if err := checkWritable(name.Schema); err != nil {
		return "", err
	}
	if name.Catalog == "" && strings.EqualFold(name.Schema, CatalogName) {
		if _, ok := v.state.Schema(name.Schema); !ok {
			return v.scope.schema(""), nil
		}
	}
	return v.scope.schema(name.Schema), nil
}

func (s *Service) createSchema(ctx context.Context, v *view, st *sqltext.Statement) (Update, error) {
	name := st.Create.Name
	if err := checkSchema(name); err != nil {
		return Update{}, err
	}
	_, exists := v.state.Schema(name.Name)
	if exists && st.Create.IfNotExists {
		return v.unchanged(), nil
	}
	if err := v.access.Check(auth.Create, "", ""); err != nil {
		return Update{}, err
	}
	if !exists || !st.Create.OrReplace {
		return s.commit(ctx, v, catalog.CreateSchema{Name: name.Name})
	}
	if err := v.access.Check(auth.Drop, name.Name, ""); err != nil {
		return Update{}, err
	}
	return s.commit(ctx, v, catalog.DropSchema{Name: name.Name}, catalog.CreateSchema{Name: name.Name})
}

func (s *Service) dropSchemas(ctx context.Context, v *view, st *sqltext.Statement) (Update, error) {
	var operations []catalog.Operation
	for _, name := range st.Drop.Names {
		if err := checkSchema(name); err != nil {
			return Update{}, err
		}
		schema, ok := v.state.Schema(name.Name)
		if !ok && st.Drop.IfExists {
			continue
		}
		if !ok {
			return Update{}, lake.SchemaNotFound(v.state, name.Name)
		}
		if err := v.access.Check(auth.Drop, schema.Name, ""); err != nil {
			return Update{}, err
		}
		if strings.EqualFold(schema.Name, DefaultSchema) {
			return Update{}, lake.Errorf(lake.KindState, "schema %q is the default schema and cannot be dropped", schema.Name)
		}
		if st.Drop.Cascade {
			for i := range schema.Tables {
				operations = append(operations, catalog.DropTable{ID: schema.Tables[i].ID})
			}
		}
		operations = append(operations, catalog.DropSchema{Name: schema.Name})
	}
	if len(operations) == 0 {
		return v.unchanged(), nil
	}
	return s.commit(ctx, v, operations...)
}

func (s *Service) dropTables(ctx context.Context, v *view, st *sqltext.Statement) (Update, error) {
	var operations, temporary []catalog.Operation
	for _, name := range st.Drop.Names {
		if table, ok := v.temporaryTable(name.Catalog, name.Schema, name.Name); ok {
			temporary = append(temporary, catalog.DropTable{ID: table.ID})
			continue
		}
		if v.namesTemporary(name) {
			if !st.Drop.IfExists {
				return Update{}, v.noTemporary(name.Name)
			}
			continue
		}
		schema, err := v.objectSchema(name)
		if err != nil {
			return Update{}, err
		}
		table, ok := v.state.Table(schema, name.Name)
		if ok {
			err = v.mayChange(auth.Drop, table)
		}
		switch {
		case err != nil:
			return Update{}, err
		case ok:
			operations = append(operations, catalog.DropTable{ID: table.ID})
		case !st.Drop.IfExists:
			return Update{}, lake.TableNotFound(v.state, schema, name.Name)
		}
	}
	into := v
	if len(temporary) > 0 {
		var err error
		if into, err = v.inTemporary(); err != nil {
			return Update{}, err
		}
	}
	up := v.unchanged()
	if len(operations) > 0 {
		var err error
		if up, err = s.commit(ctx, v, operations...); err != nil {
			return Update{}, err
		}
	}
	if len(temporary) == 0 {
		return up, nil
	}
	_, err := s.changeTemporary(into, catalog.Commit{Operations: temporary})
	return up, err
}

func (s *Service) comment(ctx context.Context, v *view, st *sqltext.Statement) (Update, error) {
	c := st.Comment
	if c.OnSchema {
		if err := checkSchema(c.Name); err != nil {
			return Update{}, err
		}
		if _, ok := v.state.Schema(c.Name.Name); !ok {
			return Update{}, lake.SchemaNotFound(v.state, c.Name.Name)
		}
		if err := v.access.Check(auth.Drop, c.Name.Name, ""); err != nil {
			return Update{}, err
		}
		return s.commit(ctx, v, catalog.SetComment{Schema: c.Name.Name, Text: c.Text})
	}
	schema, err := v.objectSchema(c.Name)
	if err != nil {
		return Update{}, err
	}
	table, ok := v.state.Table(schema, c.Name.Name)
	if !ok {
		return Update{}, lake.TableNotFound(v.state, schema, c.Name.Name)
	}
	if err := v.mayChange(auth.Drop, table); err != nil {
		return Update{}, err
	}
	set := catalog.SetComment{Schema: table.Schema, Table: table.Name, Text: c.Text}
	if c.Column != "" {
		column, ok := table.Column(c.Column)
		if !ok {
			return Update{}, lake.Errorf(lake.KindNotFound, "table %s.%s has no column %q", table.Schema, table.Name, c.Column)
		}
		set.Column = column.ID
	}
	return s.commit(ctx, v, set)
}
