// Package mem is a catalog in memory: it passes the suite that specifies catalogs, and
// ends with its process. Tests of what stands above the catalog run on it, and a lake
// that is to leave nothing behind can.
//
// It holds no tables that could be queried, so that Metadata is not supported, and no
// inlined rows, which only other programs write.
package mem

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

// Options configure Open.
type Options struct {
	// DataPath is where the keys of the lake's files begin; nothing depends on it.
	DataPath string
	// Clock dates snapshots. It must not be nil.
	Clock clock.Clock
	// Shared says that other catalogs may be open on the Store, as if they were other
	// processes: Capabilities.Exclusive is false then.
	Shared bool
}

// Catalog is a catalog on a Store.
type Catalog struct {
	store  *Store
	clock  clock.Clock
	shared bool
	closed atomic.Bool
}

var _ catalog.Catalog = (*Catalog)(nil)

// Open opens a catalog on a store, and makes the lake if it does not exist. A nil store
// is one of its own, which ends with the Catalog.
//
// Errors: KindInvalid without a clock.
func Open(store *Store, o Options) (*Catalog, error) {
	if o.Clock == nil {
		return nil, lake.Errorf(lake.KindInvalid, "open catalog: no clock")
	}
	if store == nil {
		store = &Store{}
	}
	if err := store.create(o); err != nil {
		return nil, err
	}
	return &Catalog{store: store, clock: o.Clock, shared: o.Shared}, nil
}

// Close ends the use of the store, which keeps what it holds.
func (c *Catalog) Close() error {
	c.closed.Store(true)
	return nil
}

// Capabilities tells what the catalog does.
func (c *Catalog) Capabilities() catalog.Capabilities {
	return catalog.Capabilities{Exclusive: !c.shared}
}

// check refuses calls that cannot be answered.
func (c *Catalog) check(ctx context.Context) error {
	if c.closed.Load() {
		return lake.Errorf(lake.KindUnavailable, "the catalog is closed")
	}
	return ctx.Err()
}

// read calls fn, which reads the store.
func (c *Catalog) read(ctx context.Context, fn func(*Store) error) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	return fn(c.store)
}

// write calls fn, which changes the store.
func (c *Catalog) write(ctx context.Context, fn func(*Store) error) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	return fn(c.store)
}

// Snapshot returns the snapshot that sel selects.
func (c *Catalog) Snapshot(ctx context.Context, sel catalog.Selector) (lake.Snapshot, error) {
	var out lake.Snapshot
	err := c.read(ctx, func(s *Store) error {
		v, err := s.find(sel)
		out = v.snapshot
		return err
	})
	return out, err
}

// find returns the version that sel selects. The caller holds mu.
func (s *Store) find(sel catalog.Selector) (version, error) {
	switch {
	case sel.ID != nil && sel.Time != nil:
		return version{}, lake.Errorf(lake.KindInvalid, "a snapshot is selected by its version or by time, not by both")
	case sel.ID != nil:
		if *sel.ID < 0 || int(*sel.ID) >= len(s.versions) {
			return version{}, lake.Errorf(lake.KindNotFound, "snapshot %d does not exist", *sel.ID)
		}
		return s.versions[*sel.ID], nil
	case sel.Time != nil:
		// Times ascend, as no snapshot is older than its parent.
		n, _ := slices.BinarySearchFunc(s.versions, *sel.Time, func(v version, t time.Time) int {
			if v.snapshot.Time.After(t) {
				return 1
			}
			return -1
		})
		if n == 0 {
			return version{}, lake.Errorf(lake.KindNotFound, "there is no snapshot at or before %s", sel.Time.UTC().Format(time.RFC3339Nano))
		}
		return s.versions[n-1], nil
	}
	return s.latest(), nil
}

// Snapshots returns all snapshots, ascending by ID.
func (c *Catalog) Snapshots(ctx context.Context) ([]lake.Snapshot, error) {
	var out []lake.Snapshot
	err := c.read(ctx, func(s *Store) error {
		for i := range s.versions {
			out = append(out, s.versions[i].snapshot)
		}
		return nil
	})
	return out, err
}

// State returns the schemas and tables of a snapshot.
func (c *Catalog) State(ctx context.Context, id lake.SnapshotID) (*lake.State, error) {
	var out *lake.State
	err := c.read(ctx, func(s *Store) error {
		v, err := s.find(catalog.Selector{ID: &id})
		out = v.state
		return err
	})
	return out, err
}

// Files returns the files of a table that changed after a snapshot.
func (c *Catalog) Files(ctx context.Context, table lake.TableID, after, upTo lake.SnapshotID) (catalog.Files, error) {
	var out catalog.Files
	err := c.read(ctx, func(s *Store) error {
		v, err := s.find(catalog.Selector{ID: &upTo})
		if err != nil {
			return err
		}
		if _, ok := v.state.TableByID(table); !ok {
			past, err := s.log.Table(ctx, table)
			if err != nil {
				return err
			}
			return past.NotFound(table, upTo)
		}
		out = s.tables[table].changed(after, upTo)
		return nil
	})
	return out, err
}

// InlinedRows finds no rows: nothing writes them.
func (c *Catalog) InlinedRows(ctx context.Context, table *lake.Table, inlined string, _ lake.SnapshotID) (array.RecordReader, error) {
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	return nil, lake.Errorf(lake.KindNotFound, "table %q.%q has no inlined data %q", table.Schema, table.Name, inlined)
}

// Metadata is not supported.
func (c *Catalog) Metadata(ctx context.Context, _ string) (array.RecordReader, error) {
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	return nil, lake.Errorf(lake.KindUnsupported, "a catalog in memory has no tables that could be queried")
}

// Commit publishes one snapshot.
func (c *Catalog) Commit(ctx context.Context, commit catalog.Commit) (catalog.Result, error) {
	var out catalog.Result
	err := c.write(ctx, func(s *Store) error {
		head, next := s.latest(), s.ids
		parent := transition.Parent{Snapshot: head.snapshot, State: head.state, Now: c.clock.Now()}
		d, err := transition.Commit(ctx, parent, &commit, next.env(), s.log)
		if err != nil {
			return err
		}
		if out = d.Result(); out.Replayed {
			return nil
		}
		if err := s.publish(d); err != nil {
			out = catalog.Result{}
			return err
		}
		s.ids = next
		return nil
	})
	return out, err
}

// Outcome returns the result of the Commit with the given token.
func (c *Catalog) Outcome(ctx context.Context, token string) (catalog.Result, error) {
	var out catalog.Result
	err := c.read(ctx, func(s *Store) error {
		result, ok, err := s.log.Outcome(ctx, token)
		if err == nil && !ok {
			err = lake.Errorf(lake.KindNotFound, "no commit has the token %q", token)
		}
		out = result
		return err
	})
	return out, err
}

// Stage records objects that are about to be written.
func (c *Catalog) Stage(ctx context.Context, files []catalog.StagedFile) error {
	for _, f := range files {
		if err := transition.CheckText(f.Path, f.Token, f.Holder); err != nil {
			return err
		}
	}
	return c.write(ctx, func(s *Store) error {
		for _, f := range files {
			f.LeaseUntil = f.LeaseUntil.UTC().Truncate(time.Microsecond)
			s.staged[f.Path] = f
		}
		return nil
	})
}

// Unstage forgets staged objects.
func (c *Catalog) Unstage(ctx context.Context, paths []string) error {
	return c.write(ctx, func(s *Store) error {
		for _, path := range paths {
			delete(s.staged, path)
		}
		return nil
	})
}

// Staged returns all staged objects, by path.
func (c *Catalog) Staged(ctx context.Context) ([]catalog.StagedFile, error) {
	var out []catalog.StagedFile
	err := c.read(ctx, func(s *Store) error {
		for _, f := range s.staged {
			out = append(out, f)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b catalog.StagedFile) int { return cmp.Compare(a.Path, b.Path) })
	return out, err
}

// Renew sets the lease of all that a holder has staged.
func (c *Catalog) Renew(ctx context.Context, holder string, until time.Time) error {
	return c.write(ctx, func(s *Store) error {
		for path, f := range s.staged {
			if f.Holder == holder {
				f.LeaseUntil = until.UTC().Truncate(time.Microsecond)
				s.staged[path] = f
			}
		}
		return nil
	})
}
