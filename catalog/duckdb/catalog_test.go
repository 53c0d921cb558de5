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
	catalogtest.Run(t, func(tb testing.TB) catalogtest.Lake {
		tb.Helper()
		path := filepath.Join(tb.TempDir(), "it's a 100% %zz odd 'name.ducklake")
		return catalogtest.Lake{OpenFunc: func(tb testing.TB, clk clock.Clock) catalog.Catalog {
			tb.Helper()
			c, err := duckdb.Open(tb.Context(), duckdb.Options{Path: path, DataPath: filepath.Dir(path) + "/data/", Clock: clk})
			require.NoError(tb, err)
			return c
		}}
	})
}
