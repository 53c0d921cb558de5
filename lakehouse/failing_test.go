package lakehouse_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/workload"
)

// heldCatalog tells of commits that begin, and holds them while it is held.
type heldCatalog struct {
	catalog.Catalog
	held  atomic.Bool
	began chan struct{}
	goOn  chan struct{}
}

func (c *heldCatalog) Commit(ctx context.Context, commit catalog.Commit) (catalog.Result, error) {
	if c.held.Load() {
		c.began <- struct{}{}
		<-c.goOn
	}
	return c.Catalog.Commit(ctx, commit)
}

// Two clients of one protocol transaction end it at once: what one of them does between
// the ends belongs to what comes after, and is not lost.
func TestTwoCommitsAtOnceLoseNothingOfWhatIsBetween(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	held := &heldCatalog{Catalog: b.catalog, began: make(chan struct{}), goOn: make(chan struct{})}
	b.components.Catalog = held
	b = newBundle(b.components, lakehouse.Options{})
	b.exec(t, "CREATE TABLE t (i INT)")
	c := b.begin(t)
	c.do("INSERT INTO t VALUES (1)")
	held.held.Store(true)
	first := make(chan error)
	go func() {
		_, err := c.try("COMMIT")
		first <- err
	}()
	<-held.began
	c.fails(lake.KindState, "is being ended", "COMMIT")
	c.do("INSERT INTO t VALUES (2)")
	held.held.Store(false)
	close(held.goOn)
	require.NoError(t, <-first)
	c.do("COMMIT")
	require.Equal(t, []string{"1", "2"}, b.rows(t, "FROM t ORDER BY i"))
}

// brokenCatalog panics at a call of Snapshot.
type brokenCatalog struct {
	catalog.Catalog
	calls atomic.Int64 // until it panics
}

func (c *brokenCatalog) Snapshot(ctx context.Context, sel catalog.Selector) (lake.Snapshot, error) {
	if c.calls.Add(-1) == 0 {
		panic("broken")
	}
	return c.Catalog.Snapshot(ctx, sel)
}

func TestAPanicGivesEverythingBack(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	broken := &brokenCatalog{Catalog: b.catalog}
	b.components.Catalog = broken
	b = newBundle(b.components, lakehouse.Options{Workload: workload.Options{RunningMax: 1}})
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS a")
	who := b.connect(t)
	st := statement.Statement{SQL: "SELECT now(), * FROM t", Caller: who.caller} // is planned for each call
	q, err := b.Plan(t.Context(), st)
	require.NoError(t, err)
	panics := 0
	attempt := func(calls int64, f func() error) {
		broken.calls.Store(calls)
		defer func() {
			broken.calls.Store(0)
			if recover() != nil {
				panics++
			}
		}()
		require.NoError(t, f())
	}
	for calls := range int64(4) {
		attempt(calls+1, func() error {
			_, err := b.Plan(t.Context(), st)
			return err
		})
		attempt(calls+1, func() error {
			rows, err := b.Run(t.Context(), q)
			if err == nil {
				rows.Reader.Release()
			}
			return err
		})
		attempt(calls+1, func() error {
			_, err := b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO t SELECT * FROM t", Caller: who.caller})
			return err
		})
		require.Zero(t, b.Stats().Workload.Running)
		_, pinned := b.OldestSnapshot()
		require.False(t, pinned)
		require.NotEmpty(t, who.read("SELECT 1"))
	}
	require.Greater(t, panics, 4)
}
