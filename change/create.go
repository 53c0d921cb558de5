package change

import (
	"context"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// createTable runs CREATE TABLE and CREATE TABLE AS.
func (s *Executor) createTable(ctx context.Context, run *workload.Statement, v *view.View, token string, st *sqltext.Statement) (statement.Update, error) {
	if st.Query != nil {
		if up, ok, err := s.replayed(ctx, token); ok || err != nil {
			return up, err
		}
	}
	t, done, err := createTarget(v, st)
	if err != nil {
		return statement.Update{}, err
	}
	if done {
		return v.Unchanged(), nil
	}
	if st.Query == nil {
		definition := st.DefinitionSQL(t.name)
		if err := s.Queries.CheckDefinition(definition); err != nil {
			return statement.Update{}, err
		}
		columns, err := s.Engine.TableDefinition(ctx, definition)
		if err != nil {
			return statement.Update{}, err
		}
		if err := s.Queries.CheckDefaults(ctx, columns); err != nil {
			return statement.Update{}, err
		}
		if err := t.define(columns, st); err != nil {
			return statement.Update{}, err
		}
		return s.commit(ctx, t.view, t.operations(nil)...)
	}
	return s.createTableAs(ctx, run, token, st, t)
}

// createTarget resolves the table to create; done is set if IF NOT EXISTS found it.
func createTarget(v *view.View, st *sqltext.Statement) (t *target, done bool, err error) {
	if len(st.Create.Sort) > 0 {
		return nil, false, lake.Errorf(lake.KindUnsupported, "SORTED BY is not supported")
	}
	for name, value := range st.Create.Options {
		if err := checkOption(name, value); err != nil {
			return nil, false, err
		}
	}
	name := st.Create.Name
	if v, err = v.PlaceOf(name, st.Create.Temporary); err != nil {
		return nil, false, err
	}
	state, err := v.Tables()
	if err != nil {
		return nil, false, err
	}
	schemaName, err := v.ObjectSchema(name)
	if err != nil {
		return nil, false, err
	}
	schema, ok := state.Schema(schemaName)
	if !ok {
		return nil, false, lake.SchemaNotFound(state, schemaName)
	}
	t = &target{view: v, schema: schema, name: name.Name, options: st.Create.Options}
	table, exists := state.Table(schema.Name, name.Name)
	switch {
	case exists && st.Create.IfNotExists:
		return nil, true, nil
	case exists && !st.Create.OrReplace:
		return nil, false, lake.Errorf(lake.KindExists, "table %s.%s already exists", schema.Name, table.Name)
	case exists:
		t.table, t.replace = table, true
	}
	return t, false, v.MayCreate(schema, t.table)
}

// define gives the target its columns, declared keys and partitioning.
func (t *target) define(columns []lake.Column, st *sqltext.Statement) error {
	t.create(columns)
	if err := t.declareKeys(st.Create); err != nil {
		return err
	}
	if len(st.Create.Partition) == 0 {
		return nil
	}
	fields, err := sqltext.ResolvePartition(st.Create.Partition, t.columns)
	if err != nil {
		return err
	}
	t.spec = &lake.PartitionSpec{Fields: fields}
	return nil
}

// declareKeys resolves the keys, and makes the columns of the primary key not
// nullable.
func (t *target) declareKeys(c *sqltext.Create) error {
	declared := lake.Table{Schema: t.schema.Name, Name: t.name, Columns: t.columns, PrimaryKey: c.PrimaryKey}
	if t.view.Into != nil && len(c.ForeignKeys) > 0 {
		return lake.Errorf(lake.KindUnsupported, "temporary table %q: temporary tables declare no foreign keys", t.name)
	}
	for _, k := range c.ForeignKeys {
		key := lake.ForeignKey{Columns: k.Columns, Table: k.Table.Name, RefColumns: k.RefColumns}
		if k.Table.Schema != "" { // else in the schema of this table
			var err error
			if key.Schema, err = t.view.ObjectSchema(k.Table); err != nil {
				return err
			}
		}
		declared.ForeignKeys = append(declared.ForeignKeys, key)
	}
	if err := declared.ResolveKeys(t.view.State); err != nil {
		return err
	}
	t.primaryKey, t.foreignKeys = declared.PrimaryKey, declared.ForeignKeys
	return nil
}

func (s *Executor) createTableAs(ctx context.Context, run *workload.Statement, token string, st *sqltext.Statement, t *target) (statement.Update, error) {
	p, err := s.Queries.SelectText(ctx, run, st.Query.Of(st.Text), t.view)
	if err != nil {
		return statement.Update{}, err
	}
	columns, err := s.Queries.Columns(ctx, run, p)
	if err != nil {
		return statement.Update{}, err
	}
	if st.Create.Columns != nil {
		if err := renameColumns(columns, *st.Create.Columns, st); err != nil {
			return statement.Update{}, err
		}
	}
	if err := t.define(columns, st); err != nil {
		return statement.Update{}, err
	}
	if st.Create.NoData {
		return s.commit(ctx, t.view, t.operations(nil)...)
	}
	reader, err := s.Queries.Start(ctx, run, p)
	if err != nil {
		return statement.Update{}, err
	}
	rows := query.Renamed(reader, lake.ArrowSchema(t.columns))
	defer rows.Release()
	resolve := func(_ context.Context, v *view.View) (*target, bool, error) {
		now, done, err := createTarget(v, st)
		if err == nil && !done {
			err = now.define(columns, st)
		}
		return now, done, err
	}
	request := appendRequest{stream: rows, token: token, resolveFunc: resolve}
	if t.replace && p.Reads(t.table) {
		request.base, request.resolveFunc = &t.view.Snapshot, nil // rows that come meanwhile must be read, or they are lost
	}
	return s.append(ctx, run, t, request)
}

// renameColumns gives the columns the names of CREATE TABLE t (a, b) AS.
func renameColumns(columns []lake.Column, list sqltext.Span, st *sqltext.Statement) error {
	c := &sqltext.Cursor{Text: st.Text, Tokens: st.Tokens}
	for c.Offset() < list.Start {
		c.Pos++
	}
	if err := c.Expect("("); err != nil {
		return err
	}
	for i := 0; ; i++ {
		name, err := c.Ident("column")
		if err != nil {
			return err
		}
		if i >= len(columns) {
			return lake.Errorf(lake.KindInvalid, "the column list names more columns than the query returns, %d", len(columns))
		}
		columns[i].Name = name
		if c.Op(",") {
			continue
		}
		if c.IsOp(0, ")") {
			return nil
		}
		return c.Unexpected("CREATE TABLE AS takes the names of columns without types")
	}
}
