package sqlcatalog

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// toMicros is the instant as the catalog keeps it.
func toMicros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

const snapshotColumns = `s.snapshot_id, %s, s.schema_version, c.changes_made, c.author, c.commit_message
	FROM ducklake_snapshot s LEFT JOIN ducklake_snapshot_changes c ON c.snapshot_id = s.snapshot_id`

func (s *session) snapshots(ctx context.Context, condition string, args ...any) ([]lake.Snapshot, error) {
	epoch := fmt.Sprintf(s.dialect.EpochMicros, "s.snapshot_time")
	query := "SELECT " + fmt.Sprintf(snapshotColumns, epoch) + " " + condition
	var out []lake.Snapshot
	err := s.each(ctx, query, args, func(scan func(...any) error) error {
		var (
			snapshot                 lake.Snapshot
			micros                   int64
			changes, author, message sql.NullString
		)
		if err := scan(&snapshot.ID, &micros, &snapshot.SchemaVersion, &changes, &author, &message); err != nil {
			return err
		}
		snapshot.Time = time.UnixMicro(micros).UTC()
		snapshot.Changes, snapshot.Author, snapshot.Message = changes.String, author.String, message.String
		out = append(out, snapshot)
		return nil
	})
	return out, err
}

// latestSnapshot returns the newest snapshot. Errors: KindCorrupt if there is none.
func (s *session) latestSnapshot(ctx context.Context) (lake.Snapshot, error) {
	found, err := s.snapshots(ctx, `WHERE s.snapshot_id = (SELECT max(snapshot_id) FROM ducklake_snapshot)`)
	if err != nil {
		return lake.Snapshot{}, err
	}
	if len(found) != 1 {
		return lake.Snapshot{}, lake.Errorf(lake.KindCorrupt, "the catalog has no snapshot")
	}
	return found[0], nil
}

// Snapshot returns the snapshot that sel selects.
func (c *Catalog) Snapshot(ctx context.Context, sel catalog.Selector) (lake.Snapshot, error) {
	if sel.ID != nil && sel.Time != nil {
		return lake.Snapshot{}, lake.Errorf(lake.KindInvalid, "a snapshot is selected by its version or by time, not by both")
	}
	if latest := c.latest.Load(); latest != nil && sel.Time == nil && (sel.ID == nil || *sel.ID == latest.ID) {
		return *latest, ctx.Err()
	}
	var out lake.Snapshot
	err := c.transaction(ctx, "read snapshot", func(s *session) (err error) {
		out, err = s.selectSnapshot(ctx, sel)
		return err
	})
	if err == nil && c.dialect.Exclusive && sel.ID == nil && sel.Time == nil {
		// The committer may have stored a newer one meanwhile.
		found := out
		c.latest.CompareAndSwap(nil, &found)
	}
	return out, err
}

func (s *session) selectSnapshot(ctx context.Context, sel catalog.Selector) (lake.Snapshot, error) {
	var (
		found []lake.Snapshot
		err   error
	)
	switch {
	case sel.ID != nil:
		found, err = s.snapshots(ctx, "WHERE s.snapshot_id = ?", int64(*sel.ID))
		if err == nil && len(found) == 0 {
			return lake.Snapshot{}, lake.Errorf(lake.KindNotFound, "snapshot %d does not exist", *sel.ID)
		}
	case sel.Time != nil:
		found, err = s.snapshots(ctx, `WHERE s.snapshot_id = (SELECT max(snapshot_id) FROM ducklake_snapshot
			WHERE snapshot_time <= ?)`, sel.Time.UTC())
		if err == nil && len(found) == 0 {
			return lake.Snapshot{}, lake.Errorf(lake.KindNotFound, "there is no snapshot at or before %s",
				sel.Time.UTC().Format(time.RFC3339Nano))
		}
	default:
		return s.latestSnapshot(ctx)
	}
	if err != nil {
		return lake.Snapshot{}, err
	}
	return found[0], nil
}

// Snapshots returns all snapshots, ascending by ID.
func (c *Catalog) Snapshots(ctx context.Context) ([]lake.Snapshot, error) {
	var out []lake.Snapshot
	err := c.transaction(ctx, "read snapshots", func(s *session) (err error) {
		out, err = s.snapshots(ctx, "ORDER BY s.snapshot_id")
		return err
	})
	return out, err
}

// State returns the schemas and tables of a snapshot.
func (c *Catalog) State(ctx context.Context, id lake.SnapshotID) (*lake.State, error) {
	if latest := c.latest.Load(); latest != nil && latest.ID == id {
		if state := c.kept(latest.SchemaVersion); state != nil {
			return state, ctx.Err()
		}
	}
	var state *lake.State
	err := c.transaction(ctx, "read schema", func(s *session) (err error) {
		state, err = c.state(ctx, s, id)
		return err
	})
	return state, err
}

// state returns the State of a snapshot, in the transaction of s.
func (c *Catalog) state(ctx context.Context, s *session, id lake.SnapshotID) (*lake.State, error) {
	snapshot, err := s.selectSnapshot(ctx, catalog.Selector{ID: &id})
	if err != nil {
		return nil, err
	}
	if state := c.kept(snapshot.SchemaVersion); state != nil {
		return state, nil
	}
	state, err := c.loadState(ctx, s, snapshot)
	if err != nil {
		return nil, err
	}
	c.keep(state)
	return state, nil
}

// kept returns the State of a schema version if it is the newest, and nil otherwise: the
// committer and most readers ask for no other, and whoever does keeps it (package cache).
func (c *Catalog) kept(version int64) *lake.State {
	if state := c.newest.Load(); state != nil && state.SchemaVersion == version {
		return state
	}
	return nil
}

// keep keeps a State that was loaded, unless there is one that is as new: that may have
// been committed since.
func (c *Catalog) keep(state *lake.State) {
	for {
		before := c.newest.Load()
		if before != nil && before.SchemaVersion >= state.SchemaVersion || c.newest.CompareAndSwap(before, state) {
			return
		}
	}
}
