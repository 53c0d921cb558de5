package sqlcatalog

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// plan turns one Commit into rows. It works on copies: a plan that fails is
// thrown away.
type plan struct {
	s     *session
	head  head
	id    lake.SnapshotID
	batch batch

	base          *lake.SnapshotID // Commit.Base
	names         map[string]lake.SnapshotID
	dropped       map[lake.TableID]droppedTable
	marker        string
	changes       []string
	schemaChanged bool
	owned         bool // head.state is the plan's own copy
	created       map[lake.TableID]bool
	createdSchema map[lake.SchemaID]bool
	touched       map[lake.TableID]bool
	touchedBefore map[lake.TableID]lake.SnapshotID // groupDraft.touched, not to be changed
	comments      map[commentKey]int               // position of its row among the inserts of this plan
	paths         []string                         // of added files
	tokens        map[string]catalog.Result
	result        catalog.Result
}

func newPlan(s *session, g *groupDraft, now time.Time) *plan {
	p := &plan{
		s: s, head: g.head, id: g.head.snapshot.ID + 1, marker: g.marker,
		names: maps.Clone(g.names), dropped: maps.Clone(g.dropped),
		created: map[lake.TableID]bool{}, createdSchema: map[lake.SchemaID]bool{},
		touched: map[lake.TableID]bool{}, touchedBefore: g.touched, comments: map[commentKey]int{},
	}
	p.head.stats = maps.Clone(g.head.stats)
	now = toMicros(now)
	if now.Before(p.head.snapshot.Time) {
		now = p.head.snapshot.Time // the clock was set back
	}
	p.head.snapshot = lake.Snapshot{ID: p.id, Time: now, SchemaVersion: g.head.snapshot.SchemaVersion}
	return p
}

// commit applies the operations and writes the snapshot.
func (p *plan) commit(ctx context.Context, c *catalog.Commit) (catalog.Result, error) {
	if len(c.Operations) == 0 {
		return catalog.Result{}, lake.Errorf(lake.KindInvalid, "a commit without operations")
	}
	p.base = c.Base
	for _, op := range c.Operations {
		id, err := p.apply(ctx, op)
		if err != nil {
			return catalog.Result{}, err
		}
		p.result.Tables = append(p.result.Tables, id)
	}
	snapshot := &p.head.snapshot
	snapshot.Changes = strings.Join(p.changes, ",")
	snapshot.Author, snapshot.Message = c.Author, c.Message
	if p.schemaChanged {
		snapshot.SchemaVersion++
		p.head.state.SchemaVersion = snapshot.SchemaVersion
		for _, id := range slices.Sorted(maps.Keys(p.created)) {
			p.batch.insert("ducklake_schema_versions", int64(p.id), snapshot.SchemaVersion, int64(id))
		}
	}
	p.batch.insert("ducklake_snapshot", int64(p.id), snapshot.Time, snapshot.SchemaVersion,
		p.head.nextCatalogID, p.head.nextFileID)
	p.batch.insert("ducklake_snapshot_changes", int64(p.id), orNull(snapshot.Changes), orNull(c.Author),
		orNull(c.Message), p.marker)
	p.result.Snapshot = *snapshot
	if err := p.recordTokens(c); err != nil {
		return catalog.Result{}, err
	}
	p.batch.unstage(p.paths)
	return p.result, p.batch.checkText()
}

// recordTokens writes what Outcome answers for the tokens of the commit.
func (p *plan) recordTokens(c *catalog.Commit) error {
	p.tokens = map[string]catalog.Result{}
	if c.Token != "" {
		p.tokens[c.Token] = p.result
	}
	for _, a := range c.Appends {
		result := catalog.Result{Snapshot: p.result.Snapshot, Rows: a.Rows}
		for _, at := range a.Operations {
			if at < 0 || at >= len(p.result.Tables) {
				return lake.Errorf(lake.KindInvalid, "append token %q names operation %d of %d", a.Token, at, len(p.result.Tables))
			}
			result.Tables = append(result.Tables, p.result.Tables[at])
		}
		p.tokens[a.Token] = result
	}
	for _, token := range slices.Sorted(maps.Keys(p.tokens)) {
		r := p.tokens[token]
		p.batch.insert(tableAppend, token, int64(p.id), r.Rows, formatTableIDs(r.Tables), r.Snapshot.Time)
	}
	return nil
}

// adopt makes the plan part of its group.
func (p *plan) adopt(g *groupDraft) {
	g.head = p.head
	g.names, g.dropped = p.names, p.dropped
	maps.Copy(g.tokens, p.tokens)
	g.batch.add(&p.batch)
	g.snapshots++
	for id := range p.touched {
		g.touched[id] = p.id
	}
}

// apply plans one operation and returns the id of its table.
func (p *plan) apply(ctx context.Context, op catalog.Operation) (lake.TableID, error) {
	switch op := op.(type) {
	case catalog.CreateSchema:
		return 0, p.createSchema(ctx, op)
	case catalog.DropSchema:
		return 0, p.dropSchema(ctx, op)
	case catalog.CreateTable:
		return p.createTable(ctx, op)
	case catalog.DropTable:
		return op.ID, p.dropTable(ctx, op)
	case catalog.AddFiles:
		return op.Table, p.addFiles(ctx, op)
	case catalog.SetComment:
		return p.setComment(ctx, op)
	case catalog.SetOption:
		return p.setOption(ctx, op)
	}
	return 0, lake.Errorf(lake.KindUnsupported, "operation %T is not known", op)
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func unlessZero(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// state returns the plan's own copy of the State, and notes that it changes.
func (p *plan) state() *lake.State {
	p.schemaChanged = true
	if !p.owned {
		p.head.state = cloneState(p.head.state)
		p.owned = true
	}
	return p.head.state
}

// cloneState copies what a plan may change: the lists and the lake's options.
func cloneState(s *lake.State) *lake.State {
	out := &lake.State{Schemas: slices.Clone(s.Schemas), Options: maps.Clone(s.Options)}
	for i := range out.Schemas {
		out.Schemas[i].Tables = slices.Clone(out.Schemas[i].Tables)
		out.Schemas[i].Views = slices.Clone(out.Schemas[i].Views)
	}
	return out
}

// locate returns the schema and, unless name is empty, the table of a state.
// Errors: KindNotFound.
func locate(state *lake.State, schema, name string) (*lake.Schema, *lake.Table, error) {
	sc, ok := state.Schema(schema)
	if !ok {
		return nil, nil, lake.Errorf(lake.KindNotFound, "schema %q does not exist", schema)
	}
	if name == "" {
		return sc, nil, nil
	}
	t, ok := state.Table(schema, name)
	if !ok {
		return nil, nil, lake.Errorf(lake.KindNotFound, "table %q.%q does not exist", schema, name)
	}
	return sc, t, nil
}

func idText[T ~int64](id T) string { return strconv.FormatInt(int64(id), 10) }
