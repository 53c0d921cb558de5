package duckdb_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/catalogtest"
	"github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/internal/clock"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	catalogtest.Run(t, func(t testing.TB) catalogtest.Lake {
		path := filepath.Join(t.TempDir(), "it's a 100% %zz odd 'name.ducklake")
		return catalogtest.Lake{OpenFunc: func(t testing.TB, clk clock.Clock) catalog.Catalog {
			c, err := duckdb.Open(t.Context(), duckdb.Options{Path: path, DataPath: filepath.Dir(path) + "/data/", Clock: clk})
			require.NoError(t, err)
			return c
		}}
	})
}
