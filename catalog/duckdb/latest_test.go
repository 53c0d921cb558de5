package duckdb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/sqlcatalog"
	"github.com/flightlake/flightlake/internal/clock"
)

// TestLatestSnapshotNeedsNoDatabase closes the database and asks on: plans ask
// for the latest snapshot several times each, before the first commit too.
func TestLatestSnapshotNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	for _, commits := range []int{0, 1} {
		db, err := openDatabase(t.Context(), Options{})
		require.NoError(t, err)
		c, err := sqlcatalog.Open(t.Context(), db, dialect(), sqlcatalog.Options{DataPath: "/data/", Clock: clock.System{}})
		require.NoError(t, err)
		for range commits {
			_, err := c.Commit(t.Context(), create("a"))
			require.NoError(t, err)
		}
		want, err := c.Snapshot(t.Context(), catalog.Selector{})
		require.NoError(t, err)
		stored, err := c.Snapshots(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, stored[commits], "what is remembered is what is stored")
		require.NoError(t, db.Close())
		for _, sel := range []catalog.Selector{{}, {ID: &want.ID}} {
			got, err := c.Snapshot(t.Context(), sel)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		_, err = c.Snapshots(t.Context())
		require.Error(t, err, "the database is closed")
		require.NoError(t, c.Close())
	}
}
