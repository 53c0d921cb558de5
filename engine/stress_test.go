package engine_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// TestManyQueriesCancellationsAndSyncsAtOnce looks for what is freed too early
// or never: the executor's cleanup checks memory, streams and goroutines.
func TestManyQueriesCancellationsAndSyncsAtOnce(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	s := sourceOf(t, x, everyTypeOf("4000"))
	queries := []string{
		"SELECT * FROM ", "SELECT count(*), max(s) FROM ", "SELECT list, st, m FROM ", "SELECT i8, count(*) FROM ",
	}
	tails := []string{"", "", " ORDER BY list", " GROUP BY ALL"}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range 12 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(60))*time.Millisecond+time.Millisecond)
				if i%3 == 0 {
					cancel()
					ctx, cancel = context.WithCancel(t.Context())
				}
				ref, release := x.Register(ctx, s)
				n := rng.IntN(len(queries))
				r, err := x.Query(ctx, engine.Query{SQL: queries[n] + ref + tails[n], BatchRows: 500, Rewritten: true})
				if err == nil {
					for more := true; more && rng.IntN(8) > 0; {
						more = r.Next()
					}
					r.Release()
				} else if ctx.Err() == nil {
					t.Errorf("%s: %v", queries[n], err)
				}
				release()
				cancel()
				state := mirrorState()
				state.SchemaVersion = int64(i % 2)
				if err := x.Sync(t.Context(), state); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestWhatDoesNotFitIntoMemoryIsSpilledOrRefused(t *testing.T) {
	t.Parallel()
	const sql = "SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY md5(range::VARCHAR)) AS r FROM range(600000))"
	x := newExecutor(t, engine.Options{MemoryLimitBytes: 40 << 20})
	_, err := query(t.Context(), x, engine.Query{SQL: sql})
	require.ErrorIs(t, err, lake.ErrExhausted)
	x = newExecutor(t, engine.Options{MemoryLimitBytes: 40 << 20, TempDir: t.TempDir()})
	require.Equal(t, [][]string{{"600000"}}, mustQuery(t, x, sql).rows)
}
