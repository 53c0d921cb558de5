package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

func TestParseTellsPositionAndHint(t *testing.T) {
	t.Parallel()
	f := newFrontend(t, engine.FrontendOptions{})
	_, err := f.Parse(t.Context(), "SELECT 'é'\nFROM t WHERE a = 5 +")
	require.ErrorIs(t, err, lake.ErrInvalid)
	require.ErrorContains(t, err, "line 2, column 20")
	require.ErrorContains(t, err, "LINE 2: FROM t WHERE a = 5 +\n                           ^")

	tree, err := f.Parse(t.Context(), "FROM t AT (VERSION => 3)")
	require.NoError(t, err)
	require.Contains(t, string(tree), `"at_clause"`)
}

func TestParseNamesWhatIsNoSelect(t *testing.T) {
	t.Parallel()
	f := newFrontend(t, engine.FrontendOptions{})
	for _, sql := range []string{"CREATE TABLE t(a INT)", "EXPLAIN SELECT 1", "INSERT INTO t VALUES (1)"} {
		_, err := f.Parse(t.Context(), sql)
		require.ErrorIs(t, err, engine.ErrNotSelect, sql)
	}
}

func TestParseRefusesNULThatWouldCutTheStatement(t *testing.T) {
	t.Parallel()
	f := newFrontend(t, engine.FrontendOptions{})
	_, err := f.Parse(t.Context(), "SELECT 1\x00; DROP TABLE t")
	require.ErrorIs(t, err, lake.ErrInvalid)
}

func intTwin(name string) lake.Twin {
	return lake.Twin{Name: name, Columns: []lake.Column{
		{Name: "a", Type: lake.Type{ID: lake.TypeInt32}}, {Name: `b "q"`, Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true},
	}}
}

func TestOptimizeKeepsFiltersOfEmptyTables(t *testing.T) {
	t.Parallel()
	f := newFrontend(t, engine.FrontendOptions{})
	plan, err := f.Optimize(t.Context(), `SELECT a FROM "t'1" WHERE a = 2 + 3 AND "b ""q""" LIKE 'x%'`, []lake.Twin{intTwin("t'1")})
	require.NoError(t, err)
	require.Contains(t, string(plan), `"LOGICAL_GET"`)
	require.Contains(t, string(plan), `"table_filters"`)
	require.Contains(t, string(plan), `"value":5`)
}

func TestOptimizeErrors(t *testing.T) {
	t.Parallel()
	f := newFrontend(t, engine.FrontendOptions{})
	twins := []lake.Twin{intTwin("t1")}
	_, err := f.Optimize(t.Context(), "SELECT aa FROM t1", twins)
	require.ErrorIs(t, err, lake.ErrInvalid)
	require.ErrorContains(t, err, "Candidate bindings")
	require.ErrorContains(t, err, "LINE 1")
	_, err = f.Optimize(t.Context(), "SELECT a FROM t2", twins)
	require.ErrorIs(t, err, lake.ErrNotFound)
	_, err = f.Optimize(t.Context(), "SELECT * FROM (PIVOT t1 ON a USING sum(a))", twins)
	require.ErrorIs(t, err, engine.ErrNotPlannable)
	_, err = f.Optimize(t.Context(), "SELECT * FROM read_csv('/etc/passwd')", twins)
	require.ErrorIs(t, err, lake.ErrForbidden)
}

func TestOptimizeWorksInUTC(t *testing.T) {
	t.Parallel()
	f := newFrontend(t, engine.FrontendOptions{})
	plan, err := f.Optimize(t.Context(), "SELECT '1970-01-01 00:00:00'::TIMESTAMPTZ::VARCHAR AS v", nil)
	require.NoError(t, err)
	require.NotContains(t, string(plan), "Europe")
}

func TestOptimizeDropsTwinsAboveItsBoundOnly(t *testing.T) {
	t.Parallel()
	f := newFrontend(t, engine.FrontendOptions{TwinsMax: 2, ConnectionsMax: 2})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				twins := []lake.Twin{intTwin(fmt.Sprintf("t%d_a", (w+i)%7)), intTwin(fmt.Sprintf("t%d_b", (w+i)%7)), intTwin("c")}
				sql := "SELECT 1 FROM " + twins[0].Name + ", " + twins[1].Name + ", c"
				plan, err := f.Optimize(t.Context(), sql, twins)
				if err != nil || strings.Count(string(plan), "LOGICAL_GET") != 3 {
					t.Errorf("%s: %v", sql, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestOptimizePlansWhatUnusedColumnsBreaks(t *testing.T) {
	t.Parallel()
	f, err := engine.NewFrontend(engine.FrontendOptions{})
	require.NoError(t, err)
	t.Cleanup(f.Close)
	twins := []lake.Twin{{Name: "u1", Columns: []lake.Column{
		{ID: 1, Name: "a", Type: lake.Type{ID: lake.TypeInt32}, Nullable: true},
		{ID: 2, Name: "x", Type: lake.Type{ID: lake.TypeFloat64}, Nullable: true},
	}}}
	tree, err := f.Optimize(t.Context(), "WITH c AS (SELECT a, x FROM u1) SELECT a FROM c WHERE a = 1", twins)
	require.NoError(t, err)
	require.Contains(t, string(tree), "CONSTANT_COMPARISON")
	tree, err = f.Optimize(t.Context(), "SELECT a FROM u1 WHERE x < 'infinity' AND x <> 'nan'", twins)
	require.NoError(t, err)
	require.Contains(t, string(tree), "table_filters")
}
