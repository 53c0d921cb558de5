package cache_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/lake"
)

// appendedTable is a table of many files to which each snapshot adds one.
type appendedTable struct{ files int }

func (a *appendedTable) Files(
	_ context.Context, table lake.TableID, after, upTo lake.SnapshotID,
) (cache.TableChanges, error) {
	first := lake.FileID(a.files) + lake.FileID(after)
	if after == 0 {
		first = 0
	}
	var c cache.TableChanges
	for id := first + 1; id <= lake.FileID(a.files)+lake.FileID(upTo); id++ {
		c.Files = append(c.Files, lake.DataFile{ID: id, Table: table, Begin: upTo})
	}
	return c, nil
}

// stateSource has a new schema version every ten snapshots.
type stateSource struct {
	loads []lake.SnapshotID
	wrong bool
}

func (s *stateSource) State(_ context.Context, id lake.SnapshotID) (*lake.State, error) {
	s.loads = append(s.loads, id)
	state := &lake.State{SchemaVersion: int64(id) / 10, Schemas: []lake.Schema{{Name: "main", Tables: []lake.Table{
		{Name: "t", Columns: []lake.Column{{ID: 1, Name: "a"}}},
	}}}}
	if s.wrong {
		state.SchemaVersion++
	}
	return state, nil
}

func snapshot(id lake.SnapshotID) lake.Snapshot {
	return lake.Snapshot{ID: id, SchemaVersion: int64(id) / 10}
}

func TestSnapshotsOfOneSchemaVersionShareItsState(t *testing.T) {
	t.Parallel()
	source := &stateSource{}
	states := cache.NewStates(source, cache.StatesOptions{})
	at := func(id lake.SnapshotID) *lake.State {
		state, err := states.State(t.Context(), snapshot(id))
		require.NoError(t, err)
		require.EqualValues(t, id/10, state.SchemaVersion)
		return state
	}
	first := at(15)
	require.Same(t, first, at(19))
	require.Same(t, first, at(11))
	require.NotSame(t, first, at(20))
	require.Same(t, first, at(12))
	require.Equal(t, []lake.SnapshotID{15, 20}, source.loads)
	require.EqualValues(t, 2, states.Stats().Entries)
	require.Greater(t, states.Stats().Bytes, int64(2*cache.EntryBytes))

	states.Forget()
	require.Zero(t, states.Stats().Bytes)
	at(13)
	require.Equal(t, []lake.SnapshotID{15, 20, 13}, source.loads)
}

func TestStateOfAnotherSchemaVersionIsCorrupt(t *testing.T) {
	t.Parallel()
	states := cache.NewStates(&stateSource{wrong: true}, cache.StatesOptions{})
	_, err := states.State(t.Context(), snapshot(15))
	require.ErrorIs(t, err, lake.ErrCorrupt)
	require.Zero(t, states.Stats().Entries)
}
