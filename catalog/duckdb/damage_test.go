package duckdb_test

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/lake"
)

func TestDamagedCatalogIsNamed(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	publish(t, c, partitioned())
	require.NoError(t, c.Close())
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	const headers, block = 3 * 4096, 256 << 10
	damaged := 0
	check := func(bad []byte) {
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		c, err := duckdb.Open(t.Context(), options(path))
		if err == nil {
			_ = c.Close() // nothing of the block was needed
			return
		}
		damaged++
		require.ErrorIs(t, err, lake.ErrCorrupt)
		require.ErrorContains(t, err, "catalog "+path+" is damaged: ")
		require.NotContains(t, err.Error(), "flightlake_zone_map")
	}
	for at := headers + 100; at < len(good); at += block {
		bad := slices.Clone(good)
		for i := range 1000 {
			bad[min(at+i, len(bad)-1)] ^= 0xff
		}
		check(bad)
	}
	check(good[:len(good)/2])
	require.Greater(t, damaged, 1)
}
