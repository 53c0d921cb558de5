package sqlcatalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

const (
	// groupMax is how many waiting writes are published together.
	groupMax = 256
	// outcomeAttempts is how often the outcome of a COMMIT is asked for.
	outcomeAttempts = 3
	// publishAttempts is how often a group is drafted that the database refuses for a
	// reason that passes, such as another writer that was first.
	publishAttempts = 8
	// The wait before the next attempt is a random part of a span that begins with
	// backoffMin and doubles up to backoffMax: some 2.5 s in all.
	backoffMin = 10 * time.Millisecond
	backoffMax = time.Second
)

// errWithdrawn says that a request of a group was withdrawn while it was drafted.
var errWithdrawn = errors.New("a request was withdrawn")

// writer is the one goroutine that changes the catalog. It owns its connection.
//
// All writes go through it because only one transaction of a database can take the
// next snapshot: writers of their own would refuse each other's commits. What waits
// while one group is written becomes the next group.
type writer struct {
	c        *Catalog
	conn     *sql.Conn
	prepared *prepared // of conn; nil before its first transaction
	head     *head     // what the last group left; nil if unknown
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
		if r.move(phaseWaiting, phaseDrafting) {
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

// publish writes a group in one transaction, drafting it anew if the database
// refuses it for a reason that passes. If it refuses the group as a whole, each
// request is tried alone, so that one does not hurt the others.
func (w *writer) publish(ctx context.Context, group []*request) {
	group, err := w.retry(ctx, group)
	switch {
	case err == nil:
	case len(group) == 1 || errors.Is(err, lake.ErrIndeterminate) || w.c.dialect.transient(err):
		for _, r := range group {
			r.finish(catalog.Result{}, err)
		}
	default:
		for _, r := range group {
			w.publish(ctx, []*request{r})
		}
	}
}

// retry attempts to publish a group until the outcome is not to be changed. With an
// error it returns the requests that are not finished.
func (w *writer) retry(ctx context.Context, group []*request) ([]*request, error) {
	wait := backoffMin
	for attempt := 1; ; {
		group = slices.DeleteFunc(group, func(r *request) bool { return r.phase.Load() == phaseWithdrawn })
		if len(group) == 0 {
			return nil, nil
		}
		err := w.attempt(ctx, group)
		if errors.Is(err, errWithdrawn) {
			continue // without the one that was, so that this ends
		}
		if err == nil || !w.c.dialect.transient(err) || errors.Is(err, lake.ErrIndeterminate) {
			return group, err
		}
		if attempt == publishAttempts {
			return group, lake.Errorf(lake.KindUnavailable, "refused %d times: %w", attempt, err)
		}
		attempt++
		select {
		case <-w.c.closing:
			return group, err
		default:
		}
		if sleepErr := clock.Sleep(ctx, w.c.clock, rand.N(wait)); sleepErr != nil {
			return group, err
		}
		wait = min(2*wait, backoffMax)
	}
}

// attempt publishes a group. On error it has finished no request, and nothing
// was written unless the error is KindIndeterminate.
func (w *writer) attempt(ctx context.Context, group []*request) (err error) {
	ctx, cancel := context.WithTimeout(ctx, w.c.commitTimeout) // callers have gone by then
	defer cancel()
	var g *groupDraft
	defer func() {
		if p := recover(); p != nil {
			err = lake.Errorf(lake.KindInternal, "commit panicked: %v", p)
		}
		if err != nil {
			w.abandon(context.WithoutCancel(ctx))
			level := slog.LevelError
			if errors.Is(err, errWithdrawn) || w.c.dialect.transient(err) {
				level = slog.LevelDebug // tried again
			}
			w.c.log.Log(ctx, level, "commit failed", slog.Int("requests", len(group)), slog.Any("error", err))
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
		if !reach(group) {
			return errWithdrawn
		}
		if err = w.end(ctx, s, g); err != nil && !errors.Is(err, lake.ErrIndeterminate) {
			back(group)
		}
	}
	if err != nil {
		return w.c.dialect.wrap("commit", err)
	}
	w.deliver(group, g)
	return nil
}

// reach brings all requests of a group to COMMIT, or none if one was withdrawn.
func reach(group []*request) bool {
	for i, r := range group {
		if !r.move(phaseDrafting, phasePublished) {
			back(group[:i])
			return false
		}
	}
	return true
}

// back returns requests from a COMMIT that surely did not happen.
func back(group []*request) {
	for _, r := range group {
		r.move(phasePublished, phaseDrafting)
	}
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.c.commitTimeout) // that of the COMMIT may have ended
	defer cancel()
	w.abandon(ctx)
	w.c.latest.Store(nil) // it may be there: whoever asks next looks
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
	w.c.latest.Store(nil) // readers may have looked before it was there
	return lake.Errorf(lake.KindIndeterminate, "outcome of snapshot %d is unknown: %w", id, commitErr)
}

// deliver makes the group visible and answers its requests.
func (w *writer) deliver(group []*request, g *groupDraft) {
	if g.snapshots > 0 {
		w.c.newest.Store(g.head.state)
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
