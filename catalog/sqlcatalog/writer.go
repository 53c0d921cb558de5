package sqlcatalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

const (
	// groupMax is how many waiting writes are published together.
	groupMax = 256
	// outcomeAttempts is how often the outcome of a COMMIT is asked for.
	outcomeAttempts = 3
)

// writer is the one goroutine that changes the catalog. It owns its connection.
type writer struct {
	c        *Catalog
	conn     *sql.Conn
	prepared *prepared // of conn; nil before its first transaction
	head     *head     // what the last group left; nil if unknown
}

// head is the state on which the next Commit builds.
type head struct {
	snapshot      lake.Snapshot
	nextCatalogID int64
	nextFileID    int64
	state         *lake.State
	stats         map[lake.TableID]*tableStats // those that were needed, as they are in the database
}

// run commits what is queued until the catalog closes.
func (w *writer) run(ctx context.Context) {
	defer func() {
		if w.conn != nil {
			w.forget()
			_ = w.conn.Close()
		}
	}()
	for {
		select {
		case <-w.c.closing:
			return
		case first := <-w.c.queue:
			if group := w.claim(first); len(group) > 0 {
				w.publish(ctx, group)
			}
		}
	}
}

// claim takes first and what else waits, without those whose callers gave up.
func (w *writer) claim(first *request) []*request {
	var group []*request
	for r := first; ; {
		if r.claimed.CompareAndSwap(false, true) {
			group = append(group, r)
		}
		if len(group) == groupMax {
			return group
		}
		select {
		case r = <-w.c.queue:
		default:
			return group
		}
	}
}

// publish writes a group in one transaction. If the database refuses it as a
// whole, each request is tried alone, so that one does not hurt the others.
func (w *writer) publish(ctx context.Context, group []*request) {
	err := w.attempt(ctx, group)
	if err == nil {
		return
	}
	alone := len(group) == 1 || errors.Is(err, lake.ErrIndeterminate)
	for _, r := range group {
		if alone {
			r.finish(catalog.Result{}, err)
			continue
		}
		if err := w.attempt(ctx, []*request{r}); err != nil {
			r.finish(catalog.Result{}, err)
		}
	}
}

// attempt publishes a group. On error it has finished no request, and nothing
// was written unless the error is KindIndeterminate.
func (w *writer) attempt(ctx context.Context, group []*request) (err error) {
	var g *groupDraft
	defer func() {
		if p := recover(); p != nil {
			err = lake.Errorf(lake.KindInternal, "commit panicked: %v", p)
		}
		if err != nil {
			w.abandon(ctx)
			w.c.log.ErrorContext(ctx, "commit failed", slog.Int("requests", len(group)), slog.Any("error", err))
		}
	}()
	s, err := w.begin(ctx)
	if err != nil {
		return w.c.dialect.wrap("commit", err)
	}
	if g, err = w.draft(ctx, s, group); err != nil {
		return w.c.dialect.wrap("commit", err)
	}
	if g.batch.empty() {
		err = s.exec(ctx, "ROLLBACK")
	} else if err = g.batch.write(ctx, s); err == nil {
		err = w.end(ctx, s, g)
	}
	if err != nil {
		return w.c.dialect.wrap("commit", err)
	}
	w.deliver(group, g)
	return nil
}

// begin starts a transaction of the writer's connection, a new one if the last was lost.
func (w *writer) begin(ctx context.Context) (*session, error) {
	if w.conn == nil {
		conn, err := w.c.db.Conn(ctx)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		w.conn = conn
	}
	if w.prepared == nil {
		var err error
		if w.prepared, err = newPrepared(w.conn); err != nil {
			return nil, err
		}
	}
	s := &session{conn: w.conn, dialect: &w.c.dialect, prepared: w.prepared}
	return s, s.exec(ctx, w.c.dialect.BeginWrite)
}

// forget drops the prepared statements.
func (w *writer) forget() {
	if w.prepared != nil {
		w.prepared.close()
		w.prepared = nil
	}
}

// abandon ends a transaction that failed. What is in memory may be ahead of
// the database and is forgotten, and so are statements, which may be what failed.
func (w *writer) abandon(ctx context.Context) {
	w.head = nil
	w.forget()
	if w.conn == nil {
		return
	}
	s := &session{conn: w.conn, dialect: &w.c.dialect}
	if err := s.exec(ctx, "ROLLBACK"); err != nil {
		s.discard()
		_ = w.conn.Close()
		w.conn = nil
	}
}

func (s *session) commit(ctx context.Context) error {
	if s.dialect.CommitFunc != nil {
		return s.dialect.CommitFunc(ctx, s.conn)
	}
	return s.exec(ctx, "COMMIT")
}

// end commits the transaction. If the database does not confirm it, the
// snapshot is looked up: it carries the marker of the group if it was written.
func (w *writer) end(ctx context.Context, s *session, g *groupDraft) error {
	commitErr := s.commit(ctx)
	if commitErr == nil || g.snapshots == 0 {
		return commitErr
	}
	w.abandon(ctx)
	id := g.head.snapshot.ID
	for range outcomeAttempts {
		var marker sql.NullString
		err := w.c.transaction(ctx, "read commit", func(s *session) error {
			_, err := s.one(ctx, `SELECT commit_extra_info FROM ducklake_snapshot_changes WHERE snapshot_id = ?`,
				[]any{int64(id)}, &marker)
			return err
		})
		if err == nil && marker.String == g.marker {
			w.c.log.WarnContext(ctx, "a commit was reported as failed and is there", slog.Any("error", commitErr))
			return nil
		}
		if err == nil {
			return commitErr
		}
		commitErr = errors.Join(commitErr, err)
	}
	return lake.Errorf(lake.KindIndeterminate, "outcome of snapshot %d is unknown: %w", id, commitErr)
}

// deliver makes the group visible and answers its requests.
func (w *writer) deliver(group []*request, g *groupDraft) {
	if g.snapshots > 0 {
		w.c.states.Add(g.head.snapshot.SchemaVersion, g.head.state)
		if w.c.dialect.Exclusive {
			snapshot := g.head.snapshot
			w.c.latest.Store(&snapshot)
		}
	}
	w.head = &g.head
	for i, r := range group {
		r.finish(g.replies[i].result, g.replies[i].err)
	}
}
