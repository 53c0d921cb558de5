package engine_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// explosion is a statement of few bytes whose plan has 8,192 joins: DuckDB looks at no
// interruption while it makes that, for a while.
func explosion(table string) string {
	var b strings.Builder
	b.WriteString("WITH a0 AS NOT MATERIALIZED (SELECT x FROM " + table + ")")
	name := func(i int) string { return "a" + strconv.Itoa(i+1) }
	previous := "a0"
	for i := range 13 {
		b.WriteString(", " + name(i) + " AS NOT MATERIALIZED (SELECT p.x FROM " + previous + " p JOIN " + previous + " q USING (x))")
		previous = name(i)
	}
	return b.String() + " SELECT * FROM " + previous
}

// endsSoon runs what would plan for minutes with a context of 20 ms.
func endsSoon(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	began := time.Now()
	require.ErrorIs(t, f(ctx), context.DeadlineExceeded)
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestPlanningEndsWithItsContextAndHindersNobody(t *testing.T) {
	t.Parallel()
	f := newFrontend(t, engine.FrontendOptions{ConnectionsMax: 2})
	twins := []lake.Twin{{Name: "w", Columns: []lake.Column{{ID: 1, Name: "x", Type: lake.Type{ID: lake.TypeInt64}, Nullable: true}}}}
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			endsSoon(t, func(ctx context.Context) error {
				_, err := f.Optimize(ctx, explosion("w"), twins)
				return err
			})
		})
	}
	wait.Wait()
	for range 3 { // although both connections were in use, and new twins are needed
		began := time.Now()
		_, err := f.Optimize(t.Context(), "SELECT x FROM w WHERE x > 1", twins)
		require.NoError(t, err)
		require.Less(t, time.Since(began), 10*time.Second)
	}
	require.Eventually(t, func() bool { return f.Abandoned() == 0 }, 2*time.Minute, 10*time.Millisecond)
}

func TestBindingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	columns := []lake.Column{{ID: 1, Name: "x", Type: lake.Type{ID: lake.TypeInt64}, Nullable: true}}
	state := &lake.State{SchemaVersion: 1, Schemas: []lake.Schema{{Name: "main", Tables: []lake.Table{{ID: 1, Schema: "main", Name: "e", Columns: columns}}}}}
	require.NoError(t, x.Sync(t.Context(), state))
	for name, f := range map[string]func(context.Context) error{
		"describe": func(ctx context.Context) error {
			_, err := x.Describe(ctx, engine.Query{SQL: explosion("e")})
			return err
		},
		"query": func(ctx context.Context) error {
			r, err := x.Query(ctx, engine.Query{SQL: explosion("e")})
			if err == nil {
				r.Release()
			}
			return err
		},
		"default": func(ctx context.Context) error {
			_, err := x.TableDefinition(ctx, "CREATE TABLE t (a BIGINT DEFAULT (("+explosion("e")+")))")
			if lake.KindOf(err) == lake.KindInvalid { // DuckDB takes no subquery there
				<-ctx.Done()
				err = ctx.Err()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			endsSoon(t, f)
			require.Equal(t, [][]string{{"1"}}, mustQuery(t, x, "SELECT 1").rows)
		})
	}
	require.Eventually(t, func() bool { return x.Abandoned() == 0 }, 2*time.Minute, 10*time.Millisecond)
}

func TestResultsThatNobodyReadsHinderNobody(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	open := func(q engine.Query) engine.Reader {
		r, err := x.Query(t.Context(), q)
		require.NoError(t, err)
		t.Cleanup(r.Release)
		require.True(t, r.Next())
		return r
	}
	for range 100 {
		open(engine.Query{SQL: "SELECT range, md5(range::VARCHAR) FROM range(100000000)"})
	}
	for range 8 {
		open(engine.Query{SQL: "SELECT unnest(range(1000000))", Overlay: testOverlay()})
	}
	began := time.Now()
	require.Equal(t, [][]string{{"1"}}, mustQuery(t, x, "SELECT 1").rows)
	r, err := query(t.Context(), x, engine.Query{SQL: "SELECT 2", Overlay: testOverlay()})
	require.NoError(t, err)
	require.Equal(t, [][]string{{"2"}}, r.rows)
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestTooManyOpenResultsAreRefused(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{ConnectionsMax: 1, OverlaysMax: 1})
	for _, overlay := range []*engine.Overlay{nil, testOverlay()} {
		q := engine.Query{SQL: "SELECT unnest(range(1000000))", Overlay: overlay}
		r, err := x.Query(t.Context(), q)
		require.NoError(t, err)
		_, err = x.Query(t.Context(), q)
		require.ErrorIs(t, err, lake.ErrExhausted)
		require.NoError(t, x.Sync(t.Context(), mirrorState()), "the mirror does not wait for readers")
		r.Release()
		again, err := x.Query(t.Context(), q)
		require.NoError(t, err)
		again.Release()
	}
}
