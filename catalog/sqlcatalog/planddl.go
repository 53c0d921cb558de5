package sqlcatalog

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// Values of ducklake_column's default columns.
const (
	defaultLiteral    = "literal"
	defaultExpression = "expression"
	defaultNull       = "NULL"
	sqlDialect        = "duckdb"
)

func (p *plan) nextCatalogID() int64 {
	id := p.head.nextCatalogID
	p.head.nextCatalogID++
	return id
}

func (p *plan) createSchema(ctx context.Context, op catalog.CreateSchema) error {
	if op.Name == "" {
		return lake.Errorf(lake.KindInvalid, "a schema needs a name")
	}
	if existing, ok := p.head.state.Schema(op.Name); ok {
		return p.sinceBase(ctx, existing.Name, "", lake.Errorf(lake.KindExists, "schema %q exists", existing.Name))
	}
	id := uuid.New()
	if op.Path == "" {
		op.Path = catalog.SchemaPath(op.Name, id.String())
	}
	if !isFolder(op.Path) {
		return lake.Errorf(lake.KindInvalid, "path %q of schema %q is no folder", op.Path, op.Name)
	}
	state := p.state()
	schema := lake.Schema{ID: lake.SchemaID(p.nextCatalogID()), Name: op.Name, Path: op.Path}
	p.createdSchema[schema.ID] = true
	p.names[nameOf(schema.Name, "")] = p.id
	p.batch.insert("ducklake_schema", int64(schema.ID), id, int64(p.id), nil, schema.Name, schema.Path, true)
	p.changes = append(p.changes, "created_schema:"+quoteName(schema.Name))
	state.Schemas = append(state.Schemas, schema)
	slices.SortFunc(state.Schemas, func(a, b lake.Schema) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// isFolder reports whether a path is relative, ends with "/", and names a folder
// in one way only.
func isFolder(path string) bool {
	folder, ok := strings.CutSuffix(path, "/")
	if !ok || strings.Contains(path, "://") {
		return false
	}
	for part := range strings.SplitSeq(folder, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

func (p *plan) dropSchema(ctx context.Context, op catalog.DropSchema) error {
	schema, _, err := p.find(ctx, op.Name, "")
	if err != nil {
		return err
	}
	if len(schema.Tables)+len(schema.Views) > 0 {
		return p.schemaInUse(ctx, schema)
	}
	id := schema.ID
	if p.createdSchema[id] {
		return lake.Errorf(lake.KindInvalid, "schema %q is created and dropped by one commit", schema.Name)
	}
	var macros int64
	if _, err := p.s.one(ctx, `SELECT count(*) FROM ducklake_macro WHERE schema_id = ? AND end_snapshot IS NULL`,
		[]any{int64(id)}, &macros); err != nil {
		return err
	}
	if macros > 0 {
		return lake.Errorf(lake.KindState, "schema %q has %d macros", schema.Name, macros)
	}
	state := p.state()
	state.Schemas = slices.DeleteFunc(state.Schemas, func(s lake.Schema) bool { return s.ID == id })
	p.names[nameOf(op.Name, "")] = p.id
	p.endRows("ducklake_schema", "schema_id", int64(id))
	p.endRows("ducklake_tag", "object_id", int64(id))
	p.changes = append(p.changes, "dropped_schema:"+idText(id))
	return nil
}

// endRows ends the rows of an object that are live.
func (p *plan) endRows(table, column string, id int64) {
	p.batch.then(`UPDATE `+table+` SET end_snapshot = ? WHERE `+column+` = ? AND end_snapshot IS NULL AND begin_snapshot < ?`,
		int64(p.id), id, int64(p.id))
}

func (p *plan) createTable(ctx context.Context, op catalog.CreateTable) (lake.TableID, error) {
	schema, _, err := p.find(ctx, op.Schema, "")
	if err != nil {
		return 0, err
	}
	if err := checkNewTable(schema, &op); err != nil {
		return 0, p.sinceBase(ctx, schema.Name, op.Name, err)
	}
	state := p.state()
	schema, _ = state.Schema(op.Schema)
	id := uuid.New()
	t := lake.Table{
		ID: lake.TableID(p.nextCatalogID()), UUID: id.String(), SchemaID: schema.ID, Schema: schema.Name,
		Name: op.Name, Path: op.Path, Comment: op.Comment, Columns: storedColumns(op.Columns),
		Options: map[string]string{}, Begin: p.id, PrimaryKey: op.PrimaryKey, ForeignKeys: op.ForeignKeys,
	}
	if err := t.ResolveKeys(nil); err != nil {
		return 0, err
	}
	if op.Partition != nil && len(op.Partition.Fields) > 0 {
		t.Partition = &lake.PartitionSpec{ID: lake.PartitionID(p.nextCatalogID()), Fields: slices.Clone(op.Partition.Fields)}
	}
	p.created[t.ID] = true
	p.names[nameOf(schema.Name, t.Name)] = p.id
	p.head.stats[t.ID] = &tableStats{columns: map[lake.FieldID]*columnStats{}}
	p.insertTable(schema, &t, id)
	for _, name := range slices.Sorted(maps.Keys(op.Options)) {
		if err := checkOption(name); err != nil {
			return 0, err
		}
		t.Options[name] = op.Options[name]
		p.batch.insert(optionTable, name, op.Options[name], scopeTable, int64(t.ID))
	}
	if err := p.insertKeys(&t); err != nil {
		return 0, err
	}
	p.changes = append(p.changes, "created_table:"+quoteName(schema.Name)+"."+quoteName(t.Name))
	if err := p.inheritOptions(ctx, &t); err != nil {
		return 0, err
	}
	schema.Tables = append(schema.Tables, t)
	slices.SortFunc(schema.Tables, func(a, b lake.Table) int { return cmp.Compare(a.Name, b.Name) })
	return t.ID, p.addFilesTo(ctx, &t, op.Files)
}

// checkNewTable refuses what would make a table that cannot be read.
func checkNewTable(schema *lake.Schema, op *catalog.CreateTable) error {
	if op.Name == "" {
		return lake.Errorf(lake.KindInvalid, "a table needs a name")
	}
	for i := range schema.Tables {
		if strings.EqualFold(schema.Tables[i].Name, op.Name) {
			return lake.Errorf(lake.KindExists, "table %q.%q exists", schema.Name, schema.Tables[i].Name)
		}
	}
	for i := range schema.Views {
		if strings.EqualFold(schema.Views[i].Name, op.Name) {
			return lake.Errorf(lake.KindExists, "view %q.%q exists", schema.Name, schema.Views[i].Name)
		}
	}
	if len(op.Columns) == 0 {
		return lake.Errorf(lake.KindInvalid, "table %q needs at least one column", op.Name)
	}
	if !strings.HasPrefix(op.Path, schema.Path) || !strings.HasSuffix(op.Path, "/") || op.Path == schema.Path {
		return lake.Errorf(lake.KindInvalid, "path %q of table %q is no folder below %q", op.Path, op.Name, schema.Path)
	}
	fields := map[lake.FieldID]bool{}
	var err error
	for i := range op.Columns {
		op.Columns[i].Walk(func(c *lake.Column) {
			if c.ID <= 0 || fields[c.ID] {
				err = lake.Errorf(lake.KindInvalid, "column %q of table %q has no field id of its own", c.Name, op.Name)
			}
			if c.Type.ID == lake.TypeInvalid {
				err = lake.Errorf(lake.KindInvalid, "column %q of table %q has no type", c.Name, op.Name)
			}
			fields[c.ID] = true
		})
	}
	if err != nil || op.Partition == nil {
		return err
	}
	for _, f := range op.Partition.Fields {
		if !fields[f.Column] {
			return lake.Errorf(lake.KindInvalid, "table %q is partitioned by column %d, which it does not have", op.Name, f.Column)
		}
	}
	return nil
}

// insertTable adds the rows that describe a new table.
func (p *plan) insertTable(schema *lake.Schema, t *lake.Table, id uuid.UUID) {
	begin, tableID := int64(p.id), int64(t.ID)
	p.batch.insert("ducklake_table", tableID, id, begin, nil, int64(schema.ID), t.Name,
		strings.TrimPrefix(t.Path, schema.Path), true)
	var insert func(columns []lake.Column, parent any)
	insert = func(columns []lake.Column, parent any) {
		for i := range columns {
			c := &columns[i]
			value, kind := defaultOf(c)
			p.batch.insert("ducklake_column", int64(c.ID), begin, nil, tableID, int64(c.ID), c.Name, c.Type.String(),
				textOrNull(c.InitialDefault), value, c.Nullable, parent, kind, sqlDialect)
			if c.Comment != "" {
				p.batch.insert("ducklake_column_tag", tableID, int64(c.ID), begin, nil, tagComment, c.Comment)
			}
			insert(c.Children, int64(c.ID))
		}
	}
	insert(t.Columns, nil)
	if t.Comment != "" {
		p.batch.insert("ducklake_tag", tableID, begin, nil, tagComment, t.Comment)
	}
	if t.Partition == nil {
		return
	}
	p.batch.insert("ducklake_partition_info", int64(t.Partition.ID), tableID, begin, nil)
	for i, f := range t.Partition.Fields {
		p.batch.insert("ducklake_partition_column", int64(t.Partition.ID), tableID, int64(i), int64(f.Column), formatTransform(f))
	}
}

// storedColumns returns the columns as they can be read back: a default that
// is the text NULL becomes an expression, because that text marks no default,
// and nested fields are nullable but for the keys of maps.
func storedColumns(columns []lake.Column) []lake.Column {
	out := cloneColumns(columns)
	for i := range out {
		out[i].Walk(func(c *lake.Column) {
			if c.Default != nil && *c.Default == defaultNull && !c.DefaultIsExpression {
				quoted := lake.QuoteLiteral(defaultNull)
				c.Default, c.DefaultIsExpression = &quoted, true
			}
			for i := range c.Children {
				c.Children[i].Nullable = c.Type.ID != lake.TypeMap || i > 0
			}
		})
	}
	return out
}

// defaultOf returns a column's default and its type as the extension writes them.
func defaultOf(c *lake.Column) (value, kind string) {
	switch {
	case c.Type.Nested() && c.Default == nil:
		return defaultNull, ""
	case c.Default == nil:
		return defaultNull, defaultLiteral
	case c.DefaultIsExpression:
		return *c.Default, defaultExpression
	}
	return *c.Default, defaultLiteral
}

func textOrNull(text *string) any {
	if text == nil {
		return nil
	}
	return *text
}

func (p *plan) dropTable(ctx context.Context, op catalog.DropTable) error {
	t, ok := tableByID(p.head.state, op.ID)
	if !ok {
		return p.missingTable(ctx, op.ID)
	}
	if p.created[op.ID] || p.touched[op.ID] || slices.Contains(p.changes, alteredTable(op.ID)) {
		return lake.Errorf(lake.KindInvalid, "table %q.%q is changed and dropped by one commit", t.Schema, t.Name)
	}
	if op.Begin != 0 && op.Begin != t.Begin {
		return lake.Errorf(lake.KindConflict, "table %q.%q was changed by snapshot %d", t.Schema, t.Name, t.Begin)
	}
	if err := p.appendedSinceBase(ctx, t); err != nil {
		return err
	}
	name := t.Schema
	p.dropped[op.ID] = droppedTable{name: quoteName(t.Schema) + "." + quoteName(t.Name), at: p.id}
	p.names[nameOf(t.Schema, t.Name)] = p.id
	state := p.state()
	schema, _ := state.Schema(name)
	schema.Tables = slices.DeleteFunc(schema.Tables, func(t lake.Table) bool { return t.ID == op.ID })
	if len(schema.Tables) == 0 {
		schema.Tables = nil
	}
	for _, table := range []string{
		"ducklake_table", "ducklake_partition_info", "ducklake_column", "ducklake_column_tag",
		"ducklake_data_file", "ducklake_delete_file", "ducklake_sort_info",
	} {
		p.endRows(table, "table_id", int64(op.ID))
	}
	p.endRows("ducklake_tag", "object_id", int64(op.ID))
	p.changes = append(p.changes, "dropped_table:"+idText(op.ID))
	return nil
}
