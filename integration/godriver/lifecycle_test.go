package godriver

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// The load that the server has to take, and give back.
const (
	idleConnections = 1000
	busyConnections = 64
	// cyclesVariable sets how many connections are opened, used and closed.
	cyclesVariable = "FLIGHTLAKE_TEST_CYCLES"
	cyclesDefault  = 10_000
	cycleWorkers   = 8
	// settleTimeout bounds the wait for the server to free what a client left.
	settleTimeout = 30 * time.Second
	// heapSlackBytes and goroutineSlack are what may stay: caches that fill, and
	// goroutines of the calls that measure.
	heapSlackBytes = 32 << 20
	goroutineSlack = 20
)

// connect opens a connection of the driver that Python, R and others share.
func connect(ctx context.Context, s *server, options map[string]string) (adbc.Connection, func() error, error) {
	all := map[string]string{adbc.OptionKeyURI: s.uri()}
	for k, v := range options {
		all[k] = v
	}
	db, err := flightsql.NewDriver(memory.DefaultAllocator).NewDatabase(all)
	if err != nil {
		return nil, nil, err
	}
	c, err := db.Open(ctx)
	if err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return c, func() error {
		if err := c.Close(); err != nil {
			return err
		}
		return db.Close()
	}, nil
}

// execute runs a statement and returns the number of its rows.
func execute(ctx context.Context, c adbc.Connection, query string) (rows int64, err error) {
	st, err := c.NewStatement()
	if err != nil {
		return 0, err
	}
	defer func() {
		if closeErr := st.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := st.SetSqlQuery(query); err != nil {
		return 0, err
	}
	reader, _, err := st.ExecuteQuery(ctx)
	if err != nil {
		return 0, err
	}
	defer reader.Release()
	for reader.Next() {
		rows += reader.RecordBatch().NumRows()
	}
	return rows, reader.Err()
}

// usage is what the server holds.
type usage struct{ goroutines, heap float64 }

func (s *server) usage(t *testing.T) usage {
	t.Helper()
	return usage{goroutines: s.metric(t, "go_goroutines"), heap: s.metric(t, "go_memstats_heap_inuse_bytes")}
}

// settles waits until the server holds no more than before.
func (s *server) settles(t *testing.T, before usage) {
	t.Helper()
	var now usage
	for end := time.Now().Add(settleTimeout); time.Now().Before(end); time.Sleep(time.Second) {
		now = s.usage(t)
		if now.goroutines <= before.goroutines+goroutineSlack && now.heap <= before.heap+heapSlackBytes {
			t.Logf("goroutines %.0f -> %.0f, heap %.1f -> %.1f MiB", before.goroutines, now.goroutines, before.heap/(1<<20), now.heap/(1<<20))
			return
		}
	}
	require.Failf(t, "the server keeps what its clients left", "before %+v, now %+v", before, now)
}

// TestIdleAndBusyConnections holds 1,000 connections with an open transaction
// each, as Python's drivers do, while 64 others work.
func TestIdleAndBusyConnections(t *testing.T) {
	s := start(t)
	c, done, err := connect(t.Context(), s, nil)
	require.NoError(t, err)
	_, err = execute(t.Context(), c, "CREATE TABLE t AS SELECT range AS id, range % 10 AS kind FROM range(100_000)")
	require.NoError(t, err)
	require.NoError(t, done())
	idleAndBusy(t, s) // caches and pools fill
	before := s.usage(t)
	idleAndBusy(t, s)
	s.settles(t, before)
}

func idleAndBusy(t *testing.T, s *server) {
	t.Helper()
	var idle []func() error
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(cycleWorkers)
	for range idleConnections {
		g.Go(func() error {
			c, done, err := connect(ctx, s, nil)
			if err != nil {
				return err
			}
			mu.Lock()
			idle = append(idle, done)
			mu.Unlock()
			return c.(adbc.PostInitOptions).SetOption(adbc.OptionKeyAutoCommit, adbc.OptionValueDisabled)
		})
	}
	require.NoError(t, g.Wait())

	busy, ctx := errgroup.WithContext(t.Context())
	for i := range busyConnections {
		busy.Go(func() error {
			c, done, err := connect(ctx, s, nil)
			if err != nil {
				return err
			}
			for range 5 {
				rows, err := execute(ctx, c, fmt.Sprintf("SELECT kind, sum(id) FROM t WHERE id >= %d GROUP BY kind", i))
				if err == nil && rows != 10 {
					err = fmt.Errorf("got %d rows", rows)
				}
				if err == nil {
					_, err = execute(ctx, c, "INSERT INTO t VALUES (-1, 3)")
				}
				if err != nil {
					return err
				}
			}
			return done()
		})
	}
	require.NoError(t, busy.Wait())
	for _, done := range idle {
		require.NoError(t, done())
	}
}

// TestConnectCycles opens, uses and closes connections, half of them with state
// that lives in a session.
func TestConnectCycles(t *testing.T) {
	cycles := cyclesDefault
	if text := os.Getenv(cyclesVariable); text != "" {
		var err error
		cycles, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	s := start(t)
	cycle := func(ctx context.Context, i int) error {
		c, done, err := connect(ctx, s, nil)
		if err != nil {
			return err
		}
		if i%2 == 0 {
			if err := leaveState(ctx, c); err != nil {
				return err
			}
		}
		rows, err := execute(ctx, c, "SELECT 1")
		if err == nil && rows != 1 {
			err = fmt.Errorf("got %d rows", rows)
		}
		if err != nil {
			return err
		}
		return done()
	}
	for i := range 2 * cycleWorkers { // what is made once is made
		require.NoError(t, cycle(t.Context(), i))
	}
	before := s.usage(t)
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(cycleWorkers)
	for i := range cycles {
		g.Go(func() error { return cycle(ctx, i) })
	}
	require.NoError(t, g.Wait())
	s.settles(t, before)
}

// leaveState makes what a session holds: an open transaction and a temporary table.
func leaveState(ctx context.Context, c adbc.Connection) error {
	if _, err := execute(ctx, c, "CREATE TEMP TABLE scratch AS SELECT 42 AS n"); err != nil {
		return err
	}
	if err := c.(adbc.PostInitOptions).SetOption(adbc.OptionKeyAutoCommit, adbc.OptionValueDisabled); err != nil {
		return err
	}
	rows, err := execute(ctx, c, "FROM scratch")
	if err == nil && rows != 1 {
		err = fmt.Errorf("the temporary table has %d rows", rows)
	}
	return err
}
