package cache

import (
	"context"
	"maps"
	"reflect"
	"sync"

	"github.com/flightlake/flightlake/internal/invariant"
	"github.com/flightlake/flightlake/lake"
)

// steadySource checks the invariant of a TableSource: it remembers all answers,
// without bound, and compares those to the same call. Tables puts it in front
// of its source where invariants are checked.
type steadySource struct {
	TableSource

	mu      sync.Mutex
	answers map[filesCall]TableChanges // guarded by mu
}

type filesCall struct {
	table       lake.TableID
	after, upTo lake.SnapshotID
}

// Files implements TableSource.
func (s *steadySource) Files(ctx context.Context, table lake.TableID, after, upTo lake.SnapshotID) (TableChanges, error) {
	changes, err := s.TableSource.Files(ctx, table, after, upTo)
	if err != nil {
		return TableChanges{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	call := filesCall{table: table, after: after, upTo: upTo}
	if before, ok := s.answers[call]; ok {
		invariant.Check("once upTo exists, the same call always means the same.", func() bool {
			return reflect.DeepEqual(before, changes)
		})
		return changes, nil
	}
	if s.answers == nil {
		s.answers = map[filesCall]TableChanges{}
	}
	s.answers[call] = changes
	return changes, nil
}

// forget drops the answers about a table whose past is rewritten. s may be nil.
func (s *steadySource) forget(table lake.TableID) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.answers, func(call filesCall, _ TableChanges) bool { return call.table == table })
}
