package transition

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// Env is what operations take from the place where they are applied. What its
// functions return is used up also by an operation that fails.
type Env struct {
	// At is the snapshot from which on what begins is there.
	At lake.SnapshotID
	// NextIDFunc returns the id of a new schema, table or partitioning, which share
	// one sequence. It is not 0, but for the first schema of a lake.
	NextIDFunc func() int64
	// NextFileIDFunc returns the id of a new file; they ascend.
	NextFileIDFunc func() lake.FileID
	// UUIDFunc returns a UUID that nothing else has.
	UUIDFunc func() uuid.UUID
	// Origin is that of the tables that are made. Unless it is lake.OriginCatalog, At and
	// the ids are provisional: see lake.Table.Draft.
	Origin lake.Origin
}

// Step is what an operation does to a state.
type Step struct {
	State *lake.State  // after it; the same one if it does not change
	Table lake.TableID // that the operation is about; 0 if none
	Rows  int64        // that are added
	Delta Delta
	// Requires are the preconditions that hold in the state, and may hold for
	// another thing than the one that the operation was planned on.
	Requires []Precondition
}

// Apply returns what an operation does to a state, which it does not modify.
//
// Errors: those of the operation as catalog.Commit lists them, with a *Failed in their
// chain where a precondition does not hold. A table that is not in the state is KindNotFound.
func Apply(state *lake.State, op catalog.Operation, env Env) (Step, error) {
	b := builder{state: state, env: env}
	table, err := b.apply(op)
	if err != nil {
		return Step{}, err
	}
	return Step{State: b.state, Table: table, Rows: b.rows, Delta: b.delta, Requires: b.requires}, nil
}

// builder applies operations one after the other. What it changes in the state is
// copied once, at its first change.
type builder struct {
	state *lake.State
	env   Env
	delta Delta
	rows  int64
	// requires are the preconditions of the last operation that hold.
	requires []Precondition

	owned       bool                   // the State and its list of schemas are the builder's own
	ownedTables map[lake.SchemaID]bool // so are the lists of tables of these
}

func (b *builder) apply(op catalog.Operation) (lake.TableID, error) {
	b.requires = b.requires[:0]
	switch op := op.(type) {
	case catalog.CreateSchema:
		return 0, b.createSchema(op)
	case catalog.DropSchema:
		return 0, b.dropSchema(op)
	case catalog.CreateTable:
		return b.createTable(op)
	case catalog.DropTable:
		return op.ID, b.dropTable(op)
	case catalog.AddFiles:
		return op.Table, b.addFiles(op)
	case catalog.SetComment:
		return b.setComment(op)
	case catalog.SetOption:
		return b.setOption(op)
	}
	return 0, lake.Errorf(lake.KindUnsupported, "operation %T is not known", op)
}

func (b *builder) requirement(p Precondition) { b.requires = append(b.requires, p) }

// change returns the state to be changed, and notes that it changes.
func (b *builder) change() *lake.State {
	b.delta.NewSchemaVersion = true
	if !b.owned {
		state := *b.state
		state.Schemas = slices.Clone(state.Schemas)
		b.state, b.owned = &state, true
	}
	return b.state
}

// changeSchema returns a schema to be changed, with its list of tables.
func (b *builder) changeSchema(id lake.SchemaID) *lake.Schema {
	state := b.change()
	i := slices.IndexFunc(state.Schemas, func(s lake.Schema) bool { return s.ID == id })
	schema := &state.Schemas[i]
	if !b.ownedTables[id] {
		schema.Tables = slices.Clone(schema.Tables)
		if b.ownedTables == nil {
			b.ownedTables = map[lake.SchemaID]bool{}
		}
		b.ownedTables[id] = true
	}
	return schema
}

// changeTable returns a table of the state to be changed; its columns and maps are shared.
func (b *builder) changeTable(t *lake.Table) *lake.Table {
	schema := b.changeSchema(t.SchemaID)
	return &schema.Tables[slices.IndexFunc(schema.Tables, func(o lake.Table) bool { return o.ID == t.ID })]
}

// find returns what an operation names: a schema and, unless table is empty, its table.
//
// Errors: KindNotFound.
func (b *builder) find(schema, table string) (*lake.Schema, *lake.Table, error) {
	sc, ok := b.state.Schema(schema)
	if !ok {
		return nil, nil, fail(Precondition{Kind: NameTaken, Schema: schema}, lake.KindNotFound, "schema %q does not exist", schema)
	}
	p := Precondition{Kind: NameTaken, Schema: schema, Table: table}
	if table == "" {
		b.requirement(p)
		return sc, nil, nil
	}
	t, ok := b.state.Table(schema, table)
	if !ok {
		return nil, nil, fail(p, lake.KindNotFound, "table %q.%q does not exist", schema, table)
	}
	b.requirement(p)
	return sc, t, nil
}

// live returns a table by its id.
//
// Errors: KindNotFound.
func (b *builder) live(id lake.TableID) (*lake.Table, error) {
	t, ok := b.state.TableByID(id)
	if !ok {
		return nil, fail(Precondition{Kind: TableLive, ID: id}, lake.KindNotFound, "no table has the id %d", id)
	}
	return t, nil
}

// unchanged refuses a table whose columns or partitioning are not those of a layout.
//
// Errors: KindConflict.
func unchanged(t *lake.Table, layout lake.SnapshotID) error {
	if t.LayoutBegin == layout {
		return nil
	}
	return fail(Precondition{Kind: LayoutUnchanged, Schema: t.Schema, Table: t.Name, ID: t.ID},
		lake.KindConflict, "table %q.%q was changed by snapshot %d", t.Schema, t.Name, t.LayoutBegin)
}

func (b *builder) createSchema(op catalog.CreateSchema) error {
	if op.Name == "" {
		return lake.Errorf(lake.KindInvalid, "a schema needs a name")
	}
	if err := errors.Join(lake.CheckName(op.Name), CheckText(op.Path)); err != nil {
		return err
	}
	if existing, ok := b.state.Schema(op.Name); ok {
		return fail(Precondition{Kind: NameFree, Schema: existing.Name}, lake.KindExists, "schema %q exists", existing.Name)
	}
	id := b.env.UUIDFunc()
	if op.Path == "" {
		op.Path = catalog.SchemaPath(op.Name, id.String())
	}
	if !isFolder(op.Path) {
		return lake.Errorf(lake.KindInvalid, "path %q of schema %q is no folder", op.Path, op.Name)
	}
	state := b.change()
	schema := lake.Schema{ID: lake.SchemaID(b.env.NextIDFunc()), Name: op.Name, Path: op.Path}
	at, _ := slices.BinarySearchFunc(state.Schemas, op.Name, func(s lake.Schema, name string) int { return cmp.Compare(s.Name, name) })
	state.Schemas = slices.Insert(state.Schemas, at, schema)
	b.delta.Begun.Schemas = append(b.delta.Begun.Schemas, SchemaBegun{schema, id})
	b.delta.enter(createdSchema, lake.QuoteIdent(schema.Name))
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

func (b *builder) dropSchema(op catalog.DropSchema) error {
	schema, _, err := b.find(op.Name, "")
	if err != nil {
		return err
	}
	empty := Precondition{Kind: SchemaEmpty, Schema: schema.Name}
	if len(schema.Tables)+len(schema.Views) > 0 {
		return fail(empty, lake.KindState, "schema %q has %d tables and %d views", schema.Name, len(schema.Tables), len(schema.Views))
	}
	if len(schema.Macros) > 0 {
		return fail(empty, lake.KindState, "schema %q has %d macros", schema.Name, len(schema.Macros))
	}
	id := schema.ID
	state := b.change()
	state.Schemas = slices.DeleteFunc(state.Schemas, func(s lake.Schema) bool { return s.ID == id })
	b.delta.Ended.Schemas = append(b.delta.Ended.Schemas, id)
	b.delta.enter(droppedSchema, idText(id))
	return nil
}

func (b *builder) dropTable(op catalog.DropTable) error {
	t, err := b.live(op.ID)
	if err != nil {
		return err
	}
	if op.Layout != 0 {
		if err := unchanged(t, op.Layout); err != nil {
			return err
		}
	}
	b.requirement(Precondition{Kind: FilesSeen, Schema: t.Schema, Table: t.Name, ID: t.ID})
	schema := b.changeSchema(t.SchemaID)
	schema.Tables = slices.DeleteFunc(schema.Tables, func(t lake.Table) bool { return t.ID == op.ID })
	if len(schema.Tables) == 0 {
		schema.Tables = nil
	}
	b.delta.Ended.Tables = append(b.delta.Ended.Tables, op.ID)
	b.delta.enter(droppedTable, idText(op.ID))
	return nil
}

func (b *builder) setComment(op catalog.SetComment) (lake.TableID, error) {
	if err := CheckText(op.Text); err != nil {
		return 0, err
	}
	schema, t, err := b.find(op.Schema, op.Table)
	if err != nil {
		return 0, err
	}
	comment := Comment{Schema: schema.ID, Column: op.Column, Text: op.Text}
	if t == nil {
		comment.Column = 0
		b.changeSchema(schema.ID).Comment = op.Text
		b.delta.Comments = Replace(b.delta.Comments, comment)
		return 0, nil
	}
	comment.Table = t.ID
	if op.Column == 0 {
		b.changeTable(t).Comment = op.Text
	} else {
		if _, ok := t.Field(op.Column); !ok {
			return 0, fail(Precondition{Kind: ColumnExists, Schema: op.Schema, Table: op.Table, ID: t.ID, Column: op.Column},
				lake.KindNotFound, "table %q.%q has no column %d", t.Schema, t.Name, op.Column)
		}
		t = b.changeTable(t)
		t.Columns = lake.CloneColumns(t.Columns)
		column, _ := t.Field(op.Column)
		column.Comment = op.Text
	}
	b.delta.Comments = Replace(b.delta.Comments, comment)
	b.delta.altered(comment.Table)
	return comment.Table, nil
}

func (b *builder) setOption(op catalog.SetOption) (lake.TableID, error) {
	if err := checkOption(op.Name, op.Value); err != nil {
		return 0, err
	}
	if op.Schema == "" && op.Table != "" {
		return 0, lake.Errorf(lake.KindInvalid, "the option of table %q needs its schema", op.Table)
	}
	if op.Schema == "" {
		state := b.change()
		state.Options = with(state.Options, op.Name, op.Value)
		b.delta.Options = Replace(b.delta.Options, Option{Name: op.Name, Value: op.Value})
		return 0, nil
	}
	schema, t, err := b.find(op.Schema, op.Table)
	if err != nil {
		return 0, err
	}
	if t == nil {
		return 0, lake.Errorf(lake.KindUnsupported, "option %q of schema %q: options are set for the lake or for a table", op.Name, schema.Name)
	}
	t = b.changeTable(t)
	t.Options = with(t.Options, op.Name, op.Value)
	b.delta.Options = Replace(b.delta.Options, Option{Table: t.ID, Name: op.Name, Value: op.Value})
	b.delta.altered(t.ID)
	return t.ID, nil
}

func checkOption(name, value string) error {
	if err := catalog.CheckOption(name); err != nil {
		return err
	}
	return CheckText(name, value)
}

// with returns a copy of options in which one is set.
func with(options map[string]string, name, value string) map[string]string {
	out := make(map[string]string, len(options)+1)
	maps.Copy(out, options)
	out[name] = value
	return out
}
