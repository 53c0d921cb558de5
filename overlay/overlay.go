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
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/transition"
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
	// comments and options were set, each thing at most once, on what is in state.
	comments []transition.Comment
	options  []transition.Option
	appends  []tokenOfAppend
	ids      *atomic.Int64 // the last id that was given; it goes down
	origin   lake.Origin   // of the tables that it makes
	lastFile lake.FileID
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
// a catalog would say of them; the snapshot of the result is the overlay's. What
// others committed since the overlay's snapshot is not looked at before its commit. An
// append costs memory for its files only, so that many versions can be kept:
// the lists of a version go on in the arrays of the one before. Of the versions
// that follow one and the same only one may therefore be used, but for those that
// follow a clipped one.
//
// Errors: those of transition.Draft.Apply, and KindConflict for a table that the
// overlay dropped.
func (o *Overlay) Apply(c catalog.Commit) (*Overlay, catalog.Result, error) {
	for _, a := range o.appends {
		if c.Token != "" && a.token == c.Token {
			return o, catalog.Result{Snapshot: lake.Snapshot{ID: o.snapshot}, Rows: a.rows, Replayed: true}, nil
		}
	}
	next := *o
	draft := transition.NewDraft(o.state, next.env())
	for _, op := range c.Operations {
		id, err := draft.Apply(op)
		if err != nil {
			return o, catalog.Result{}, o.dropped(err)
		}
		next.note(op, id)
	}
	next.state = draft.State()
	next.merge(draft.Delta())
	result := draft.Result()
	result.Snapshot = lake.Snapshot{ID: o.snapshot}
	if table := appendedTo(c.Operations, result.Tables); c.Token != "" && table != 0 {
		next.appends = append(next.appends, tokenOfAppend{token: c.Token, table: table, rows: result.Rows})
	}
	return &next, result, nil
}

// env is where the operations on an overlay take place; file ids are counted in it.
func (o *Overlay) env() transition.Env {
	return transition.Env{
		At:         o.snapshot,
		NextIDFunc: func() int64 { return o.ids.Add(-1) },
		NextFileIDFunc: func() lake.FileID {
			o.lastFile++
			return o.lastFile
		},
		UUIDFunc: uuid.New, Origin: o.origin,
	}
}

// dropped returns err, or that the overlay dropped the table which err did not find.
func (o *Overlay) dropped(err error) error {
	var failed *transition.Failed
	if !errors.As(err, &failed) || failed.Precondition.Kind != transition.TableLive {
		return err
	}
	table := "the table"
	if t, ok := o.base.TableByID(failed.Precondition.ID); ok {
		table = "table " + t.Schema + "." + t.Name
	} else if failed.Precondition.ID >= 0 {
		return err
	}
	return &transition.Failed{
		Precondition: failed.Precondition,
		Err:          lake.Errorf(lake.KindConflict, "%s was dropped by the same transaction", table),
	}
}

// note keeps an operation that makes a table, and that there was an append, which may
// have had no rows.
func (o *Overlay) note(op catalog.Operation, id lake.TableID) {
	switch op := op.(type) {
	case catalog.CreateTable:
		op.Files = nil
		o.created = maps.Clone(o.created)
		if o.created == nil {
			o.created = map[lake.TableID]catalog.CreateTable{}
		}
		o.created[id] = op
		o.addTo(id, nil)
	case catalog.AddFiles:
		o.addTo(id, nil)
	}
}

// merge adds what a draft changed to an overlay that is not shared yet.
func (o *Overlay) merge(d *transition.Delta) {
	for i := range d.Begun.Files {
		o.addTo(d.Begun.Files[i].Table.ID, d.Begun.Files[i].Files)
	}
	if !d.NewSchemaVersion {
		return // nothing but files
	}
	o.comments, o.options = slices.Clone(o.comments), slices.Clone(o.options)
	for _, c := range d.Comments {
		o.comments = transition.Replace(o.comments, c)
	}
	for _, option := range d.Options {
		o.options = transition.Replace(o.options, option)
	}
	o.files, o.created = maps.Clone(o.files), maps.Clone(o.created)
	for _, id := range d.Ended.Tables {
		delete(o.files, id)
		delete(o.created, id)
	}
	o.comments = slices.DeleteFunc(o.comments, func(c transition.Comment) bool {
		if c.Table != 0 {
			return slices.Contains(d.Ended.Tables, c.Table)
		}
		return slices.Contains(d.Ended.Schemas, c.Schema)
	})
	o.options = slices.DeleteFunc(o.options, func(option transition.Option) bool {
		return option.Table != 0 && slices.Contains(d.Ended.Tables, option.Table)
	})
}

// addTo adds files to a table, none at least.
func (o *Overlay) addTo(id lake.TableID, files []*lake.DataFile) {
	added, known := o.files[id]
	if known && len(files) == 0 {
		return
	}
	o.files = maps.Clone(o.files)
	if o.files == nil {
		o.files = map[lake.TableID][]*lake.DataFile{}
	}
	if added == nil {
		added = []*lake.DataFile{}
	}
	o.files[id] = append(added, files...)
}

// appendedTo returns the table to which operations add rows, 0 if they do not.
func appendedTo(ops []catalog.Operation, tables []lake.TableID) lake.TableID {
	for i, op := range slices.Backward(ops) {
		switch op.(type) {
		case catalog.CreateTable, catalog.AddFiles:
			return tables[i]
		}
	}
	return 0
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
