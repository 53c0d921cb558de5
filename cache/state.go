package cache

import (
	"context"

	"github.com/flightlake/flightlake/lake"
)

// StatesBytesMaxDefault is the default budget of States: a lake of 1,000
// tables of 50 columns takes 10 MB per schema version.
const StatesBytesMaxDefault = 64 << 20

// StateSource loads the schemas of a snapshot; a catalog is one.
type StateSource interface {
	State(ctx context.Context, id lake.SnapshotID) (*lake.State, error)
}

// StatesOptions are the settings of States.
type StatesOptions struct {
	// BytesMax is the budget. Zero means StatesBytesMaxDefault; a negative
	// number keeps nothing.
	BytesMax int64
}

// States caches the schemas of snapshots. Snapshots that have the same
// SchemaVersion share one State, so that appends cost no load. It is safe for
// concurrent use.
type States struct {
	source StateSource
	cache  *Cache[int64, *lake.State] // by SchemaVersion
}

// NewStates returns an empty cache in front of source.
func NewStates(source StateSource, options StatesOptions) *States {
	return &States{
		source: source,
		cache: New(budget(options.BytesMax, StatesBytesMaxDefault),
			func(_ int64, s *lake.State) int64 { return StateBytes(s) }),
	}
}

// State returns the schemas of a snapshot. The caller must not modify them.
//
// Errors: those of the source; KindCorrupt if the State it loads is of another
// SchemaVersion than the snapshot.
func (s *States) State(ctx context.Context, snapshot lake.Snapshot) (*lake.State, error) {
	return s.cache.Get(ctx, snapshot.SchemaVersion, func(ctx context.Context) (*lake.State, error) {
		state, err := s.source.State(ctx, snapshot.ID)
		if err != nil {
			return nil, err
		}
		if state.SchemaVersion != snapshot.SchemaVersion {
			return nil, lake.Errorf(lake.KindCorrupt, "load schemas of snapshot %d: they are of schema version %d, not %d",
				snapshot.ID, state.SchemaVersion, snapshot.SchemaVersion)
		}
		return state, nil
	})
}

// Forget drops everything: for changes outside of snapshots, such as options
// that another program set.
func (s *States) Forget() { s.cache.RemoveFunc(func(int64) bool { return true }) }

// Stats returns the counters.
func (s *States) Stats() Stats { return s.cache.Stats() }
