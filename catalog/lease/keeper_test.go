package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/lease"
	"github.com/flightlake/flightlake/catalog/mem"
	"github.com/flightlake/flightlake/internal/clock/clocktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// setup returns keepers of n processes that share a catalog, or that had it one after
// the other if it is exclusive.
func setup(t *testing.T, n int, shared bool) ([]*lease.Keeper, *mem.Catalog, *clocktest.Manual) {
	t.Helper()
	clk := clocktest.NewManual(time.Unix(1e9, 0).UTC())
	c, err := mem.Open(nil, mem.Options{Clock: clk, Shared: shared})
	require.NoError(t, err)
	keepers := make([]*lease.Keeper, n)
	for i := range keepers {
		keepers[i] = lease.New(c, clk, slog.New(slog.DiscardHandler), lease.Options{})
	}
	return keepers, c, clk
}

func abandoned(t *testing.T, k *lease.Keeper) []string {
	t.Helper()
	paths, err := k.Abandoned(t.Context())
	require.NoError(t, err)
	return paths
}

func TestOthersKeepTheirFilesUntilTheirLeaseEnds(t *testing.T) {
	t.Parallel()
	k, _, clk := setup(t, 2, true)
	require.NotEqual(t, k[0].Holder(), k[1].Holder())
	require.NoError(t, k[0].Stage(t.Context(), []string{"a", "b"}))
	require.Empty(t, abandoned(t, k[1]))
	clk.Advance(lease.DurationDefault - time.Second)
	require.Empty(t, abandoned(t, k[1]))
	require.NoError(t, k[0].Renew(t.Context()))
	clk.Advance(time.Minute)
	require.Empty(t, abandoned(t, k[1]), "it was renewed")
	clk.Advance(lease.DurationDefault)
	require.Equal(t, []string{"a", "b"}, abandoned(t, k[1]))
	require.Empty(t, abandoned(t, k[0]), "nobody cleans up what he writes himself")
}

func TestWhatIsGivenUpIsAnybodysToRemove(t *testing.T) {
	t.Parallel()
	k, c, _ := setup(t, 2, true)
	require.NoError(t, k[0].Stage(t.Context(), []string{"a", "b"}))
	require.NoError(t, k[0].Abandon(t.Context(), []string{"b"}))
	require.Equal(t, []string{"b"}, abandoned(t, k[1]))
	require.Equal(t, []string{"b"}, abandoned(t, k[0]))
	require.NoError(t, k[0].Renew(t.Context()))
	require.Equal(t, []string{"b"}, abandoned(t, k[1]), "its lease is not renewed")
	staged, err := c.Staged(t.Context())
	require.NoError(t, err)
	require.Equal(t, k[0].Holder(), staged[0].Holder)
}

func TestExclusiveCatalogHasNoOtherHolders(t *testing.T) {
	t.Parallel()
	k, _, _ := setup(t, 2, false)
	require.NoError(t, k[0].Stage(t.Context(), []string{"a"}))
	require.Equal(t, []string{"a"}, abandoned(t, k[1]), "its process has ended, or the catalog could not be opened")
	require.Empty(t, abandoned(t, k[0]))
}

// failing is a store that fails to renew while told so, and counts.
type failing struct {
	*mem.Catalog
	fails    atomic.Bool
	renewals atomic.Int64
	reads    atomic.Int64
}

func (f *failing) Renew(ctx context.Context, holder string, until time.Time) error {
	f.renewals.Add(1)
	if f.fails.Load() {
		return errors.New("injected fault")
	}
	return f.Catalog.Renew(ctx, holder, until)
}

func (f *failing) Staged(ctx context.Context) ([]catalog.StagedFile, error) {
	f.reads.Add(1)
	return f.Catalog.Staged(ctx)
}

func TestLeasesAreRenewedWhileAnUploadRuns(t *testing.T) {
	t.Parallel()
	_, c, clk := setup(t, 0, true)
	store := &failing{Catalog: c}
	k := lease.New(store, clk, slog.New(slog.DiscardHandler), lease.Options{})
	other := lease.New(c, clk, slog.New(slog.DiscardHandler), lease.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.Run(ctx)
	}()
	third := func() {
		clk.WaitForTimers(1) // of the sleep that has begun
		clk.Advance(lease.DurationDefault / 3)
		clk.WaitForTimers(1) // of the next: the renewal is done
	}
	third()
	require.Zero(t, store.reads.Load(), "nothing was staged")
	require.NoError(t, k.Stage(t.Context(), []string{"a"}))
	for range 10 {
		third()
		require.Empty(t, abandoned(t, other))
	}
	require.EqualValues(t, 10, store.renewals.Load())
	store.fails.Store(true)
	third()
	require.Empty(t, abandoned(t, other), "one renewal that fails loses nothing")
	store.fails.Store(false)
	third()
	require.Empty(t, abandoned(t, other))
	require.NoError(t, c.Unstage(t.Context(), []string{"a"}))
	third()
	reads := store.reads.Load()
	third()
	require.Equal(t, reads, store.reads.Load(), "nothing is staged any more")
	cancel()
	<-done
}
