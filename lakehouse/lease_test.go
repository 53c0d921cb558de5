package lakehouse_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog/lease"
	catalogmem "github.com/flightlake/flightlake/catalog/mem"
	"github.com/flightlake/flightlake/internal/clock/clocktest"
	"github.com/flightlake/flightlake/lakehouse"
)

// TestStartOfAServerKeepsTheFilesOfOthers has a second server start on a catalog that
// both share while the first one has a transaction open.
func TestStartOfAServerKeepsTheFilesOfOthers(t *testing.T) {
	t.Parallel()
	clk := clocktest.NewManual(time.Unix(1e9, 0))
	b := setupClock(t, clk)
	c, err := catalogmem.Open(nil, catalogmem.Options{DataPath: "mem:", Clock: clk, Shared: true})
	require.NoError(t, err)
	b.components.Catalog = c
	b = b.next()
	b.exec(t, "CREATE TABLE t AS SELECT 1 AS i")
	tx := b.begin(t)
	tx.do("INSERT INTO t VALUES (2)")
	require.NoError(t, b.next().Recover(t.Context()))
	require.Equal(t, []string{"1", "2"}, tx.read("FROM t ORDER BY i"))
	require.Len(t, b.objects(t), 2)

	clk.Advance(lease.DurationDefault)
	require.NoError(t, b.Recover(t.Context()))
	require.Len(t, b.objects(t), 2, "a server does not take its own files for abandoned")
	require.NoError(t, b.next().Recover(t.Context()))
	b.clean(t)
}

// next returns a lakehouse over the same components, as the next server has.
func (b *bundle) next() *bundle { return newBundle(b.components, lakehouse.Options{}) }
