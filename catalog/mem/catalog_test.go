package mem_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/catalogtest"
	"github.com/flightlake/flightlake/catalog/mem"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	catalogtest.Run(t, func(tb testing.TB) catalogtest.Lake {
		tb.Helper()
		store := &mem.Store{}
		return catalogtest.Lake{OpenFunc: func(tb testing.TB, clk clock.Clock) catalog.Catalog {
			tb.Helper()
			c, err := mem.Open(store, mem.Options{DataPath: "mem:", Clock: clk})
			require.NoError(tb, err)
			return c
		}}
	})
}

func TestCatalogsShareAStore(t *testing.T) {
	t.Parallel()
	store := &mem.Store{}
	var both [2]catalog.Catalog
	for i := range both {
		c, err := mem.Open(store, mem.Options{Clock: clock.System{}, Shared: true})
		require.NoError(t, err)
		require.False(t, c.Capabilities().Exclusive)
		both[i] = c
	}
	r, err := both[0].Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{catalog.CreateSchema{Name: "s"}}})
	require.NoError(t, err)
	state, err := both[1].State(t.Context(), r.Snapshot.ID)
	require.NoError(t, err)
	_, ok := state.Schema("s")
	require.True(t, ok)
	_, err = mem.Open(nil, mem.Options{})
	require.ErrorIs(t, err, lake.ErrInvalid)
}
