// Package overlay holds what a transaction, or a session with temporary tables, adds
// to a state of the lake before it is committed: an Overlay is immutable, and each
// change makes another one.
//
// It knows neither who changes the lake nor when: package txn holds the overlay of a
// transaction, package session that of temporary tables. Files are not its own: it
// names those that others wrote.
package overlay

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// firstAddedFile is the id of the first file that an overlay adds: above all that
// a catalog gives out, so that the files of a table ascend.
const firstAddedFile lake.FileID = 1 << 62

// Overlay is what a transaction, or a session with temporary tables, adds to a
// state. It is immutable: a change makes another one, so that a savepoint, a
// running reader and a ticket each hold the one that they saw.
//
// Schemas, tables and partitionings that it adds have negative ids, which the
// catalog replaces by its own when they are committed.
type Overlay struct {
	snapshot lake.SnapshotID // from which what it adds is live
	base     *lake.State     // without the overlay
	state    *lake.State     // with it
	// files are those that were added, by table, ascending by ID. A table to which
	// an append without rows added none has an empty entry.
	files map[lake.TableID][]*lake.DataFile
	// created holds the operations that made the new tables, without files.
	created map[lake.TableID]catalog.CreateTable
	// settings are operations SetComment and SetOption, each thing at most once.
	settings []catalog.Operation
	appends  []tokenOfAppend
	ids      *atomic.Int64 // the last id that was given; it goes down
	origin   lake.Origin   // of the tables that it makes
	lastFile lake.FileID
	// ownState is set while an overlay is being made whose state is its own.
	ownState bool
}

// tokenOfAppend is an append with a token.
type tokenOfAppend struct {
	token string
	table lake.TableID
	rows  int64
}

// Options say what overlays of a kind have in common.
type Options struct {
	// IDs is the last id that was given to what is new; ids are counted down from it.
	// All overlays of a kind share it: no two tables have the same id, for planning
	// knows a table by it.
	IDs *atomic.Int64
	// Origin is that of new tables.
	Origin lake.Origin
}

// New returns an overlay that changes nothing. What is added to it is live from
// snapshot on.
func New(base *lake.State, snapshot lake.SnapshotID, o Options) *Overlay {
	return &Overlay{snapshot: snapshot, base: base, state: base, ids: o.IDs, origin: o.Origin, lastFile: firstAddedFile - 1}
}

// Snapshot returns the snapshot from which on what the overlay adds is live.
func (o *Overlay) Snapshot() lake.SnapshotID { return o.snapshot }

// State returns the schemas and tables with the overlay. The caller must not modify it.
func (o *Overlay) State() *lake.State { return o.state }

// AddsTo reports whether the overlay adds files to a table.
func (o *Overlay) AddsTo(table lake.TableID) bool { return o != nil && len(o.files[table]) > 0 }

// Apply returns the overlay with the operations of c applied, in order, and what
// a catalog would say of them; the snapshot of the result is the overlay's. An
// append costs memory for its files only, so that many versions can be kept:
// the lists of a version go on in the arrays of the one before. Of the versions
// that follow one and the same only one may therefore be used, but for those that
// follow a clipped one.
//
// Errors: those of catalog.Catalog.Commit but KindIndeterminate.
func (o *Overlay) Apply(c catalog.Commit) (*Overlay, catalog.Result, error) {
	for _, a := range o.appends {
		if c.Token != "" && a.token == c.Token {
			return o, catalog.Result{Snapshot: lake.Snapshot{ID: o.snapshot}, Rows: a.rows, Replayed: true}, nil
		}
	}
	next := *o
	next.files, next.created = maps.Clone(o.files), maps.Clone(o.created)
	if next.files == nil {
		next.files, next.created = map[lake.TableID][]*lake.DataFile{}, map[lake.TableID]catalog.CreateTable{}
	}
	result := catalog.Result{Snapshot: lake.Snapshot{ID: o.snapshot}}
	for _, op := range c.Operations {
		table, rows, err := next.do(op)
		if err != nil {
			return o, catalog.Result{}, err
		}
		result.Tables = append(result.Tables, table)
		result.Rows += rows
		if c.Token != "" && table != 0 {
			next.appends = append(next.appends, tokenOfAppend{token: c.Token, table: table, rows: result.Rows})
		}
	}
	next.ownState = false
	return &next, result, nil
}

// Clipped returns the overlay with lists that no other version goes on in.
func (o *Overlay) Clipped() *Overlay {
	if o == nil {
		return nil
	}
	c := *o
	c.appends = slices.Clip(o.appends)
	c.files = maps.Clone(o.files)
	for id, files := range c.files {
		c.files[id] = slices.Clip(files)
	}
	return &c
}

// draft returns the state to be changed: its list of schemas is its own.
func (o *Overlay) draft() *lake.State {
	if !o.ownState {
		state := *o.state
		state.Schemas = slices.Clone(state.Schemas)
		o.state, o.ownState = &state, true
	}
	return o.state
}

// draftSchema returns a schema of the state to be changed: its list of tables is
// its own.
func (o *Overlay) draftSchema(name string) (*lake.Schema, bool) {
	schema, ok := o.draft().Schema(name)
	if ok {
		schema.Tables = slices.Clone(schema.Tables)
	}
	return schema, ok
}

// do applies one operation to an overlay that is not shared yet. It returns the
// table that the operation is about, 0 if none, and the rows that it adds.
func (o *Overlay) do(op catalog.Operation) (lake.TableID, int64, error) {
	switch op := op.(type) {
	case catalog.CreateSchema:
		return 0, 0, o.createSchema(op)
	case catalog.DropSchema:
		return 0, 0, o.dropSchema(op)
	case catalog.CreateTable:
		return o.createTable(op)
	case catalog.DropTable:
		return 0, 0, o.dropTable(op)
	case catalog.AddFiles:
		rows, err := o.addFiles(op)
		return op.Table, rows, err
	case catalog.SetComment:
		return 0, 0, o.setComment(op)
	case catalog.SetOption:
		return 0, 0, o.setOption(op)
	}
	return 0, 0, lake.Errorf(lake.KindUnsupported, "operation %T is not known", op)
}

func (o *Overlay) nextID() int64 { return o.ids.Add(-1) }

func (o *Overlay) createSchema(op catalog.CreateSchema) error {
	if op.Name == "" {
		return lake.Errorf(lake.KindInvalid, "a schema needs a name")
	}
	if existing, ok := o.state.Schema(op.Name); ok {
		return lake.Errorf(lake.KindExists, "schema %q exists", existing.Name)
	}
	if op.Path == "" {
		op.Path = catalog.SchemaPath(op.Name, uuid.NewString())
	}
	state := o.draft()
	state.Schemas = append(state.Schemas, lake.Schema{ID: lake.SchemaID(o.nextID()), Name: op.Name, Path: op.Path})
	slices.SortFunc(state.Schemas, func(a, b lake.Schema) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

func (o *Overlay) dropSchema(op catalog.DropSchema) error {
	schema, ok := o.state.Schema(op.Name)
	if !ok {
		return lake.SchemaNotFound(o.state, op.Name)
	}
	if len(schema.Tables)+len(schema.Views) > 0 {
		return lake.Errorf(lake.KindState, "schema %q has %d tables and %d views", schema.Name, len(schema.Tables), len(schema.Views))
	}
	id, name := schema.ID, schema.Name
	state := o.draft()
	state.Schemas = slices.DeleteFunc(state.Schemas, func(s lake.Schema) bool { return s.ID == id })
	o.forget(name, "")
	return nil
}

func (o *Overlay) createTable(op catalog.CreateTable) (lake.TableID, int64, error) {
	schema, ok := o.draftSchema(op.Schema)
	if !ok {
		return 0, 0, lake.SchemaNotFound(o.state, op.Schema)
	}
	if op.Name == "" {
		return 0, 0, lake.Errorf(lake.KindInvalid, "a table needs a name")
	}
	if len(op.Columns) == 0 {
		return 0, 0, lake.Errorf(lake.KindInvalid, "table %q needs at least one column", op.Name)
	}
	if t, exists := o.state.Table(schema.Name, op.Name); exists {
		return 0, 0, lake.Errorf(lake.KindExists, "table %q.%q exists", schema.Name, t.Name)
	}
	for i := range schema.Views {
		if strings.EqualFold(schema.Views[i].Name, op.Name) {
			return 0, 0, lake.Errorf(lake.KindExists, "view %q.%q exists", schema.Name, schema.Views[i].Name)
		}
	}
	t := lake.Table{
		ID: lake.TableID(o.nextID()), Origin: o.origin, UUID: uuid.Nil.String(), SchemaID: schema.ID, Schema: schema.Name, Name: op.Name,
		Path: op.Path, Comment: op.Comment, Columns: lake.CloneColumns(op.Columns), Options: maps.Clone(op.Options),
		Begin: o.snapshot, PrimaryKey: op.PrimaryKey, ForeignKeys: op.ForeignKeys,
	}
	if err := t.ResolveKeys(o.state); err != nil {
		return 0, 0, err
	}
	if op.Partition != nil && len(op.Partition.Fields) > 0 {
		t.Partition = &lake.PartitionSpec{ID: lake.PartitionID(o.nextID()), Fields: op.Partition.Fields}
	}
	schema.Tables = append(schema.Tables, t)
	slices.SortFunc(schema.Tables, func(a, b lake.Table) int { return cmp.Compare(a.Name, b.Name) })
	rows := o.addTo(&t, op.Files)
	op.Files = nil
	o.created[t.ID] = op
	return t.ID, rows, nil
}

// find returns a table of the state by its id.
//
// Errors: KindConflict if it was dropped; KindNotFound if it never was.
func (o *Overlay) find(id lake.TableID) (*lake.Table, error) {
	if t, ok := o.state.TableByID(id); ok {
		return t, nil
	}
	if t, ok := o.base.TableByID(id); ok {
		return nil, lake.Errorf(lake.KindConflict, "table %s.%s was dropped by the same transaction", t.Schema, t.Name)
	}
	if id < 0 {
		return nil, lake.Errorf(lake.KindConflict, "the table was dropped by the same transaction")
	}
	return nil, lake.Errorf(lake.KindNotFound, "no table has the id %d", id)
}

func (o *Overlay) dropTable(op catalog.DropTable) error {
	t, err := o.find(op.ID)
	if err != nil {
		return err
	}
	if op.Begin != 0 && op.Begin != t.Begin {
		return lake.Errorf(lake.KindConflict, "table %s.%s was changed by snapshot %d", t.Schema, t.Name, t.Begin)
	}
	name := *t
	schema, _ := o.draftSchema(name.Schema)
	schema.Tables = slices.DeleteFunc(schema.Tables, func(t lake.Table) bool { return t.ID == op.ID })
	delete(o.files, op.ID)
	delete(o.created, op.ID)
	o.forget(name.Schema, name.Name)
	return nil
}

func (o *Overlay) addFiles(op catalog.AddFiles) (int64, error) {
	t, err := o.find(op.Table)
	if err != nil {
		return 0, err
	}
	if t.Begin != op.Begin {
		return 0, lake.Errorf(lake.KindConflict, "table %s.%s was changed by snapshot %d", t.Schema, t.Name, t.Begin)
	}
	return o.addTo(t, op.Files), nil
}

// addTo adds files to a table and returns their rows.
func (o *Overlay) addTo(t *lake.Table, files []lake.DataFile) int64 {
	added := o.files[t.ID]
	if added == nil {
		added = []*lake.DataFile{}
	}
	var rows int64
	for i := range files {
		f := files[i]
		o.lastFile++
		f.ID, f.Table, f.Begin = o.lastFile, t.ID, o.snapshot
		if t.Partition != nil && len(f.PartitionValues) > 0 {
			f.PartitionID = t.Partition.ID
		}
		added = append(added, &f)
		rows += f.Rows
	}
	o.files[t.ID] = added
	return rows
}

func (o *Overlay) setComment(op catalog.SetComment) error {
	schema, t, err := o.locate(op.Schema, op.Table)
	if err != nil {
		return err
	}
	switch {
	case t == nil:
		schema.Comment = op.Text
	case op.Column == 0:
		t.Comment = op.Text
	default:
		t.Columns = lake.CloneColumns(t.Columns)
		column, ok := t.Field(op.Column)
		if !ok {
			return lake.Errorf(lake.KindNotFound, "table %s.%s has no column %d", t.Schema, t.Name, op.Column)
		}
		column.Comment = op.Text
	}
	o.set(op, func(other catalog.Operation) bool {
		c, ok := other.(catalog.SetComment)
		return ok && strings.EqualFold(c.Schema, op.Schema) && strings.EqualFold(c.Table, op.Table) && c.Column == op.Column
	})
	return nil
}

func (o *Overlay) setOption(op catalog.SetOption) error {
	if op.Schema == "" {
		state := o.draft()
		state.Options = maps.Clone(state.Options)
		if state.Options == nil {
			state.Options = map[string]string{}
		}
		state.Options[op.Name] = op.Value
	} else {
		schema, t, err := o.locate(op.Schema, op.Table)
		if err != nil {
			return err
		}
		if t == nil {
			return lake.Errorf(lake.KindUnsupported, "option %q of schema %q: options are set for the lake or for a table",
				op.Name, schema.Name)
		}
		t.Options = maps.Clone(t.Options)
		if t.Options == nil {
			t.Options = map[string]string{}
		}
		t.Options[op.Name] = op.Value
	}
	o.set(op, func(other catalog.Operation) bool {
		c, ok := other.(catalog.SetOption)
		return ok && strings.EqualFold(c.Schema, op.Schema) && strings.EqualFold(c.Table, op.Table) && c.Name == op.Name
	})
	return nil
}

// set records a setting in the place of the one that it overrides.
func (o *Overlay) set(op catalog.Operation, same func(catalog.Operation) bool) {
	o.settings = append(slices.DeleteFunc(slices.Clone(o.settings), same), op)
}

// forget removes the settings of a table or schema that is dropped.
func (o *Overlay) forget(schema, table string) {
	o.settings = slices.DeleteFunc(slices.Clone(o.settings), func(op catalog.Operation) bool {
		var s, t string
		switch op := op.(type) {
		case catalog.SetComment:
			s, t = op.Schema, op.Table
		case catalog.SetOption:
			s, t = op.Schema, op.Table
		}
		return s != "" && strings.EqualFold(s, schema) && strings.EqualFold(t, table)
	})
}

// locate finds a schema of the state and, unless table is empty, its table, to be
// changed.
func (o *Overlay) locate(schema, table string) (*lake.Schema, *lake.Table, error) {
	sc, ok := o.draftSchema(schema)
	if !ok {
		return nil, nil, lake.SchemaNotFound(o.state, schema)
	}
	if table == "" {
		return sc, nil, nil
	}
	t, ok := o.state.Table(schema, table)
	if !ok {
		return nil, nil, lake.TableNotFound(o.state, schema, table)
	}
	return sc, t, nil
}

// Bytes estimates the memory that the overlay keeps alive, shared or not; 0 for nil.
func (o *Overlay) Bytes() int64 {
	if o == nil {
		return 0
	}
	const perTable, perFile, perGroup = 1024, 512, 128
	n := int64(perTable * len(o.created))
	for _, files := range o.files {
		for _, f := range files {
			n += perFile + int64(perGroup*(len(f.Stats)+len(f.RowGroups)*(1+len(f.Stats))))
		}
	}
	return n
}

// Version returns the files of a table: those of base, which is nil for a table
// that the overlay made, and those that were added.
func (o *Overlay) Version(table *lake.Table, base *lake.TableVersion) *lake.TableVersion {
	added := o.files[table.ID]
	if base != nil && len(added) == 0 {
		return base
	}
	v := &lake.TableVersion{Table: table.ID, Snapshot: o.snapshot, Files: added}
	if base != nil {
		v.Files = slices.Concat(base.Files, added)
		v.Inlined, v.Partitions = base.Inlined, base.Partitions
	}
	if table.Partition == nil {
		return v
	}
	i, found := slices.BinarySearchFunc(v.Partitions, table.Partition.ID, func(p lake.PartitionSpec, id lake.PartitionID) int {
		return cmp.Compare(p.ID, id)
	})
	if !found {
		v.Partitions = slices.Insert(slices.Clone(v.Partitions), i, *table.Partition)
	}
	return v
}

// Paths returns the keys of the files that were added.
func (o *Overlay) Paths() map[string]bool {
	out := map[string]bool{}
	if o != nil {
		for _, files := range o.files {
			for _, f := range files {
				out[f.Path] = true
			}
		}
	}
	return out
}
