package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store commits nothing and notes what is discarded.
type store struct {
	mu        sync.Mutex
	discarded []string
	// discardFunc runs in each Discard, if set.
	discardFunc func()
}

func (s *store) Commit(context.Context, catalog.Commit) (catalog.Result, error) {
	return catalog.Result{Snapshot: lake.Snapshot{ID: 8}}, nil
}

func (s *store) Discard(_ context.Context, paths []string) {
	if s.discardFunc != nil {
		s.discardFunc()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.discarded = append(s.discarded, paths...)
}

func setup() (*Manager, *store) {
	s := &store{}
	return NewManager(Components{Store: s, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)}, Options{}), s
}

// stateOfTest has one table, t, with the id 1.
func stateOfTest() *lake.State {
	columns := []lake.Column{{ID: 1, Name: "a", Type: lake.Type{ID: lake.TypeInt64}, Nullable: true}}
	return &lake.State{Schemas: []lake.Schema{{ID: 0, Name: "main", Path: "main/", Tables: []lake.Table{
		{ID: 1, Schema: "main", Name: "t", Path: "main/t/", Columns: columns, Begin: 1, ColumnsBegin: 1, LayoutBegin: 1},
	}}}}
}

// appendTo adds a file to t in some work.
func appendTo(t *testing.T, w *Work, path string) {
	t.Helper()
	w.Pin(stateOfTest(), 7)
	_, done, err := w.Apply(catalog.Commit{Operations: []catalog.Operation{
		catalog.AddFiles{Table: 1, Layout: 1, Files: []lake.DataFile{{Path: path, Rows: 1}}},
	}}, nil)
	require.NoError(t, err)
	require.True(t, done)
}

func TestNoWorkBeginsInATransactionThatHasEnded(t *testing.T) {
	t.Parallel()
	m, _ := setup()
	id, err := m.Begin(t.Context(), session.Caller{})
	require.NoError(t, err)
	of, err := m.registry.find(id, nil) // a statement has found it
	require.NoError(t, err)
	_, err = m.End(t.Context(), session.Caller{}, id, false)
	require.NoError(t, err)
	of.renew(of.current(), m.newWork(nil)) // as COMMIT in SQL does at the same moment
	_, _, err = m.use(t.Context(), of)
	require.ErrorIs(t, err, lake.ErrState, "nobody would end that work, and its files would stay")
}

func TestCloseRollsBackSeveralAtATime(t *testing.T) {
	t.Parallel()
	m, s := setup()
	both := make(chan struct{}, 2)
	s.discardFunc = func() {
		both <- struct{}{}
		require.Eventually(t, func() bool { return len(both) == 2 }, 10*time.Second, time.Millisecond)
	}
	for _, path := range []string{"main/t/a", "main/t/b"} {
		id, err := m.Begin(t.Context(), session.Caller{})
		require.NoError(t, err)
		w, done, err := m.Use(t.Context(), session.Caller{Transaction: id}, false)
		require.NoError(t, err)
		appendTo(t, w, path)
		done()
	}
	m.Close(t.Context())
	require.ElementsMatch(t, []string{"main/t/a", "main/t/b"}, s.discarded)
}

func TestApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	m, _ := setup()
	open := session.NewRegistry(clock.System{}, session.Options{})
	x, err := open.Open(nil)
	require.NoError(t, err)
	id, err := m.Begin(t.Context(), session.Caller{Session: x})
	require.NoError(t, err)
	w, done, err := m.Use(t.Context(), session.Caller{Session: x, Transaction: id}, false)
	require.NoError(t, err)
	defer done()
	w.Pin(stateOfTest(), 7)
	none, err := x.NoTemporary()
	require.NoError(t, err)
	drop := catalog.Commit{Operations: []catalog.Operation{catalog.DropTable{ID: 1}}}
	_, swapped, err := w.Apply(drop, &Swap{Before: none, After: none}) // but the session has no temporary tables
	require.NoError(t, err)
	require.False(t, swapped)
	require.Nil(t, w.Seen().Over)
	open.Remove(x)
	_, _, err = w.Apply(drop, &Swap{Before: nil, After: none})
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
	require.Nil(t, w.Seen().Over)
}

// TestTwoEndsOfOneWorkBeginOneWork has two COMMITs end the same work: what a statement did
// between their ends belongs to the work that the first began.
func TestTwoEndsOfOneWorkBeginOneWork(t *testing.T) {
	t.Parallel()
	m, _ := setup()
	id, err := m.Begin(t.Context(), session.Caller{})
	require.NoError(t, err)
	of, err := m.registry.find(id, nil)
	require.NoError(t, err)
	over, next := of.current(), m.newWork(nil)
	of.renew(over, next)
	of.renew(over, m.newWork(nil))
	require.Same(t, next, of.current())
}

// TestReturningToASavepointKeepsWhatComesMeanwhile has statements add files while others return
// to a savepoint: what is committed in the end was not deleted.
func TestReturningToASavepointKeepsWhatComesMeanwhile(t *testing.T) {
	t.Parallel()
	for range 5 {
		m, s := setup()
		id, err := m.Begin(t.Context(), session.Caller{})
		require.NoError(t, err)
		c := session.Caller{Transaction: id}
		w, done, err := m.Use(t.Context(), c, false)
		require.NoError(t, err)
		for i := range 5000 {
			appendTo(t, w, fmt.Sprintf("main/t/base%d", i))
		}
		to, err := m.Savepoint(t.Context(), c, "s")
		require.NoError(t, err)
		var wait sync.WaitGroup
		wait.Go(func() {
			for i := range 200 {
				appendTo(t, w, fmt.Sprintf("main/t/f%d", i))
			}
		})
		var failed error
		wait.Go(func() {
			for range 20 {
				failed = errors.Join(failed, m.EndSavepoint(t.Context(), c, to, false))
			}
		})
		wait.Wait()
		require.NoError(t, failed)
		done()
		kept := w.Seen().Over.Paths()
		for _, path := range s.discarded {
			require.False(t, kept[path], path)
		}
	}
}
