package session

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// createTable runs CREATE TABLE and CREATE TABLE AS.
func (s *Service) createTable(ctx context.Context, v *view, token string, st *sqltext.Statement) (Update, error) {
	if st.Query != nil {
		if up, ok, err := s.replayed(ctx, token); ok || err != nil {
			return up, err
		}
	}
	t, done, err := createTarget(v, st)
	if err != nil {
		return Update{}, err
	}
	if done {
		return v.unchanged(), nil
	}
	if st.Query == nil {
		columns, err := s.Executor.TableDefinition(ctx, st.DefinitionSQL(t.name))
		if err != nil {
			return Update{}, err
		}
		if err := t.define(columns, st); err != nil {
			return Update{}, err
		}
		return s.commit(ctx, t.view, t.operations(nil)...)
	}
	return s.createTableAs(ctx, token, st, t)
}

// createTarget resolves the table to create; done is set if IF NOT EXISTS found it.
func createTarget(v *view, st *sqltext.Statement) (t *target, done bool, err error) {
	if len(st.Create.Sort) > 0 {
		return nil, false, lake.Errorf(lake.KindUnsupported, "SORTED BY is not supported")
	}
	for name, value := range st.Create.Options {
		if err := checkOption(name, value); err != nil {
			return nil, false, err
		}
	}
	name := st.Create.Name
	if v, err = v.placeOf(name, st.Create.Temporary); err != nil {
		return nil, false, err
	}
	state, err := v.tables()
	if err != nil {
		return nil, false, err
	}
	schemaName, err := v.objectSchema(name)
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
	return t, false, v.mayCreate(schema, t.table)
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
	if t.view.into != nil && len(c.ForeignKeys) > 0 {
		return lake.Errorf(lake.KindUnsupported, "temporary table %q: temporary tables declare no foreign keys", t.name)
	}
	for _, k := range c.ForeignKeys {
		key := lake.ForeignKey{Columns: k.Columns, Table: k.Table.Name, RefColumns: k.RefColumns}
		if k.Table.Schema != "" { // else in the schema of this table
			var err error
			if key.Schema, err = t.view.objectSchema(k.Table); err != nil {
				return err
			}
		}
		declared.ForeignKeys = append(declared.ForeignKeys, key)
	}
	if err := declared.ResolveKeys(t.view.state); err != nil {
		return err
	}
	t.primaryKey, t.foreignKeys = declared.PrimaryKey, declared.ForeignKeys
	return nil
}

func (s *Service) createTableAs(ctx context.Context, token string, st *sqltext.Statement, t *target) (Update, error) {
	p, err := s.selectPlan(ctx, st.Query.Of(st.Text), t.view)
	if err != nil {
		return Update{}, err
	}
	columns, err := s.resultColumns(ctx, p)
	if err != nil {
		return Update{}, err
	}
	if st.Create.Columns != nil {
		if err := renameColumns(columns, *st.Create.Columns, st); err != nil {
			return Update{}, err
		}
	}
	if err := t.define(columns, st); err != nil {
		return Update{}, err
	}
	if st.Create.NoData {
		return s.commit(ctx, t.view, t.operations(nil)...)
	}
	reader, err := s.start(ctx, p)
	if err != nil {
		return Update{}, err
	}
	stream := renamed(reader, lake.ArrowSchema(t.columns))
	defer stream.Release()
	again := func(ctx context.Context) (*target, error) {
		v, err := s.refresh(ctx, t.view)
		if err != nil {
			return nil, err
		}
		now, done, err := createTarget(v, st)
		if err != nil {
			return nil, err
		}
		if done {
			return nil, lake.Errorf(lake.KindExists, "table %s.%s already exists", t.schema.Name, t.name)
		}
		return now, now.define(columns, st)
	}
	request := appendRequest{stream: stream, token: token, againFunc: again}
	if t.replace && p.reads(t.table) {
		request.base, request.againFunc = &t.view.snapshot, nil // rows that come meanwhile must be read, or they are lost
	}
	return s.append(ctx, t, request)
}

// reads reports whether the query reads a table.
func (p *selectPlan) reads(table *lake.Table) bool {
	return slices.ContainsFunc(p.plan.Reads, func(r planner.Read) bool { return r.Table != nil && r.Table.ID == table.ID })
}

// resultColumns returns the columns of a table that holds the rows of a query,
// each once and nullable, as CREATE TABLE AS makes them.
func (s *Service) resultColumns(ctx context.Context, p *selectPlan) ([]lake.Column, error) {
	if p.native() && !p.explain {
		scan := &p.plan.Native.Scan
		columns := make([]lake.Column, len(scan.Projection))
		for i, id := range scan.Projection {
			c, _ := scan.Table.Field(id)
			columns[i] = lake.Column{Name: p.plan.Native.Names[i], Type: c.Type, Children: c.Children}
		}
		return asNew(columns)
	}
	if p.explain || p.plan.Answer != nil {
		columns, err := lake.ColumnsFromArrow(p.schema)
		if err != nil {
			return nil, err
		}
		return asNew(columns)
	}
	sql, release := s.bindPlan(ctx, p)
	defer release()
	columns, err := s.Executor.ColumnsOfQuery(ctx, engine.Query{SQL: sql, Schema: p.defaultSchema, Overlay: p.overlay})
	if err != nil {
		return nil, err
	}
	for i := range columns {
		columns[i].Name = p.schema.Field(i).Name
	}
	return asNew(columns)
}

// asNew makes all columns and fields nullable and checks their names.
func asNew(columns []lake.Column) ([]lake.Column, error) {
	for i := range columns {
		columns[i].Walk(func(c *lake.Column) {
			c.Nullable = c.Name != lake.KeyName || columns[i].Type.ID != lake.TypeMap
		})
	}
	_, err := lake.ColumnsFromArrow(lake.ArrowSchema(columns))
	return columns, err
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

var _ array.RecordReader = (*renamedReader)(nil)
