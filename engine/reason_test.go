package engine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// DuckDB loses one error in twenty of those in the middle of a streaming result.
func TestAnErrorInTheMiddleOfAResultIsNeverLost(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{Threads: 2})
	const failing = "SELECT CASE WHEN i < 300000 THEN i ELSE error('row ' || i) END FROM range(400000) r(i)"
	overlay := &engine.Overlay{State: &lake.State{}, Temporary: []lake.Table{{
		Schema: lake.TemporarySchema, Name: "t", Columns: []lake.Column{{ID: 1, Name: "a", Type: lake.Type{ID: lake.TypeInt64}, Nullable: true}},
	}}}
	queries := []engine.Query{
		{SQL: failing},
		{SQL: failing + ", (SELECT count(*) FROM t)", Overlay: overlay},
		{SQL: "SELECT * FROM (" + failing + ") ORDER BY ALL"},
	}
	for i := range 90 {
		_, err := query(t.Context(), x, queries[i%len(queries)])
		require.ErrorIs(t, err, lake.ErrInvalid)
		require.ErrorContains(t, err, "row 3")
	}
	mustQuery(t, x, "SELECT 1")

	cause := lake.Errorf(lake.KindCorrupt, "page 3 of file x does not match its checksum")
	source := sourceOf(t, x, "SELECT i FROM range(400000) r(i)")
	source.nextFunc = func(_ context.Context, n int) error {
		if n == len(source.batches) {
			return cause
		}
		return nil
	}
	ref, release := x.Register(t.Context(), source)
	defer release()
	for range 30 {
		_, err := query(t.Context(), x, engine.Query{SQL: "SELECT * FROM " + ref, Rewritten: true})
		require.ErrorIs(t, err, cause)
	}
}
