package sqlcatalog

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/lake"
)

// head is the state on which the next Commit builds.
type head struct {
	snapshot      lake.Snapshot
	nextCatalogID int64
	nextFileID    int64
	state         *lake.State
	stats         map[lake.TableID]*tableStats // those that were needed, as they are in the database
}

// env is where operations take place; ids are counted in the head.
func (h *head) env() transition.Env {
	return transition.Env{
		NextIDFunc: func() int64 {
			h.nextCatalogID++
			return h.nextCatalogID - 1
		},
		NextFileIDFunc: func() lake.FileID {
			h.nextFileID++
			return lake.FileID(h.nextFileID - 1)
		},
		UUIDFunc: uuid.New,
	}
}

// reply is the answer to a request, to be given when the group is committed.
type reply struct {
	result catalog.Result
	err    error
}

// groupDraft is a group of requests turned into what is to be written.
type groupDraft struct {
	head      head // after the commits drafted so far
	batch     batch
	marker    string // commit_extra_info of the group's snapshots
	snapshots int
	replies   []reply
	log       *transition.Log       // of the commits drafted so far, which the database does not know yet
	touched   map[lake.TableID]bool // got files
}

// draft drafts the requests one after the other in the transaction of s. A
// request whose precondition fails gets its error as reply and leaves nothing
// in the batch.
//
// Errors: those of the database, which concern the whole group.
func (w *writer) draft(ctx context.Context, s *session, group []*request) (*groupDraft, error) {
	current, err := w.currentHead(ctx, s)
	if err != nil {
		return nil, err
	}
	g := &groupDraft{
		head: *current, marker: `{"flightlake_commit":"` + uuid.NewString() + `"}`,
		replies: make([]reply, len(group)), log: transition.NewLog(history{s}), touched: map[lake.TableID]bool{},
	}
	now := w.c.clock.Now()
	for i, r := range group {
		switch {
		case r.stage != nil:
			g.batch.stage(r.stage)
		case r.unstage != nil:
			g.batch.unstage(r.unstage)
		case r.renew != nil:
			g.batch.renew(r.renew.holder, r.renew.until)
		default:
			result, err := g.commit(ctx, s, r, now)
			var known *lake.Error
			if err != nil && !errors.As(err, &known) {
				return nil, err
			}
			g.replies[i] = reply{result, err}
		}
	}
	for id := range g.touched {
		g.head.stats[id].write(&g.batch, id)
	}
	return g, nil
}

// commit drafts one commit and makes it part of the group.
//
// Errors: those of transition.Commit; without a Kind those of the database.
func (g *groupDraft) commit(ctx context.Context, s *session, r *request, now time.Time) (catalog.Result, error) {
	next := g.head
	d, err := transition.Commit(ctx, transition.Parent{Snapshot: g.head.snapshot, State: g.head.state, Now: now}, r.commit, next.env(), g.log)
	if err != nil {
		return catalog.Result{}, err
	}
	result := d.Result()
	if result.Replayed {
		return result, nil
	}
	next.stats = maps.Clone(g.head.stats)
	next.snapshot, next.state = result.Snapshot, d.State()
	out := rows{s: s, at: int64(next.snapshot.ID), head: &next}
	if err := out.write(ctx, d, r.encoded, g.marker); err != nil {
		return catalog.Result{}, err
	}
	g.head = next
	g.batch.add(&out.batch)
	g.log.Record(d)
	g.snapshots++
	for _, f := range d.Delta().Begun.Files {
		g.touched[f.Table.ID] = true
	}
	return result, nil
}

// currentHead returns the newest snapshot and what belongs to it.
func (w *writer) currentHead(ctx context.Context, s *session) (*head, error) {
	if w.head != nil && w.c.dialect.Exclusive {
		return w.head, nil
	}
	snapshot, err := s.latestSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	if w.head != nil && w.head.snapshot.ID == snapshot.ID {
		return w.head, nil
	}
	h := &head{snapshot: snapshot, stats: map[lake.TableID]*tableStats{}}
	if _, err := s.one(ctx, `SELECT next_catalog_id, next_file_id FROM ducklake_snapshot WHERE snapshot_id = ?`,
		[]any{int64(snapshot.ID)}, &h.nextCatalogID, &h.nextFileID); err != nil {
		return nil, err
	}
	if h.state, err = w.c.state(ctx, s, snapshot.ID); err != nil {
		return nil, err
	}
	return h, nil
}
