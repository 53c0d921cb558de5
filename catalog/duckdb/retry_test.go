package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	duckdbgo "github.com/duckdb/duckdb-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/sqlcatalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/internal/clock/clocktest"
	"github.com/flightlake/flightlake/lake"
)

// openClocked is openFaulty with a clock.
func openClocked(t *testing.T, clk clock.Clock, change func(*sqlcatalog.Dialect)) *sqlcatalog.Catalog {
	t.Helper()
	db, err := openDatabase(t.Context(), Options{})
	require.NoError(t, err)
	d := dialect()
	change(&d)
	c, err := sqlcatalog.Open(t.Context(), db, d, sqlcatalog.Options{DataPath: "/data/", Clock: clk})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// eager is a clock on which short times have passed at once.
type eager struct{ clock.System }

func (eager) After(d time.Duration) (passed <-chan time.Time, stop func()) {
	out := make(chan time.Time, 1)
	if d <= time.Second {
		out <- time.Time{}
	}
	return out, func() {}
}

func TestCommitIsDraftedAnewAfterWhatPasses(t *testing.T) {
	t.Parallel()
	var failures, attempts atomic.Int64
	c := openClocked(t, eager{}, func(d *sqlcatalog.Dialect) {
		d.TransientFunc = func(err error) bool { return errors.Is(err, errInjected) }
		d.CommitFunc = func(ctx context.Context, conn *sql.Conn) error {
			attempts.Add(1)
			if failures.Add(-1) >= 0 {
				return errInjected
			}
			_, err := conn.ExecContext(ctx, "COMMIT")
			return err
		}
	})
	failures.Store(3)
	r, err := c.Commit(t.Context(), create("a"))
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Snapshot.ID)
	require.EqualValues(t, 4, attempts.Load())

	attempts.Store(0)
	failures.Store(1000)
	_, err = c.Commit(t.Context(), create("b"))
	require.ErrorIs(t, err, lake.ErrUnavailable)
	require.ErrorContains(t, err, "refused 8 times")
	require.EqualValues(t, 8, attempts.Load(), "attempts are bounded")
	failures.Store(0)
	_, err = c.Commit(t.Context(), create("c"))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c"}, tableNames(t, c))
}

// TestWritersOfOneDatabaseTakeTurns has two catalogs commit to one database, as two
// processes do to one that they share: each finds its snapshot id taken by the other.
func TestWritersOfOneDatabaseTakeTurns(t *testing.T) {
	t.Parallel()
	const commits = 12
	path := filepath.Join(t.TempDir(), "catalog.ducklake")
	db, err := openDatabase(t.Context(), Options{Path: path})
	require.NoError(t, err)
	d := dialect()
	d.Exclusive = false
	d.TransientFunc = func(err error) bool {
		e, ok := errors.AsType[*duckdbgo.Error](err)
		return ok && (e.Type == duckdbgo.ErrorTypeTransaction || e.Type == duckdbgo.ErrorTypeConstraint)
	}
	var both [2]*sqlcatalog.Catalog
	for i := range both {
		both[i], err = sqlcatalog.Open(t.Context(), db, d, sqlcatalog.Options{DataPath: "/data/", Clock: clock.System{}})
		require.NoError(t, err)
		t.Cleanup(func() { _ = both[i].Close() })
	}
	r, err := both[0].Commit(t.Context(), create("t"))
	require.NoError(t, err)
	add := catalog.AddFiles{Table: r.Tables[0], Layout: r.Snapshot.ID}
	var wg sync.WaitGroup
	for i, c := range both {
		wg.Go(func() {
			for n := range commits {
				add := add
				add.Files = []lake.DataFile{{Path: fmt.Sprintf("main/t/%d-%d", i, n), Rows: 1, Bytes: 1}}
				if _, err := c.Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{add}}); err != nil {
					t.Errorf("commit %d of writer %d: %v", n, i, err)
				}
			}
		})
	}
	wg.Wait()
	head, err := both[0].Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	require.EqualValues(t, 1+2*commits, head.ID)
	files, err := both[1].Files(t.Context(), add.Table, 0, head.ID)
	require.NoError(t, err)
	require.Len(t, files.Files, 2*commits)
	for i, f := range files.Files {
		require.EqualValues(t, i, f.RowIDStart, "no row id is given twice")
	}
}

// gate holds a database back until it is opened.
type gate struct {
	closed  atomic.Bool
	reached chan struct{} // receives a value when a call waits
	open    chan struct{}
}

func newGate() *gate { return &gate{reached: make(chan struct{}, 1), open: make(chan struct{})} }

func (g *gate) pass() {
	if g.closed.CompareAndSwap(true, false) {
		g.reached <- struct{}{}
		<-g.open
	}
}

func gatedInsert(g *gate) func(*sqlcatalog.Dialect) {
	return func(d *sqlcatalog.Dialect) {
		insert := d.InsertFunc
		d.InsertFunc = func(ctx context.Context, conn *sql.Conn, rows sqlcatalog.Rows) error {
			g.pass()
			return insert(ctx, conn, rows)
		}
	}
}

func TestCommitThatTakesTooLongIsWithdrawn(t *testing.T) {
	t.Parallel()
	clk, g := clocktest.NewManual(time.Unix(1e9, 0)), newGate()
	c := openClocked(t, clk, gatedInsert(g))
	g.closed.Store(true)
	errs := make(chan error)
	go func() {
		_, err := c.Commit(context.WithoutCancel(t.Context()), create("slow"))
		errs <- err
	}()
	<-g.reached
	go func() {
		_, err := c.Commit(context.WithoutCancel(t.Context()), create("queued"))
		errs <- err
	}()
	clk.WaitForTimers(2)
	clk.Advance(sqlcatalog.CommitTimeoutDefault - time.Second)
	select {
	case err := <-errs:
		t.Fatalf("too early: %v", err)
	default:
	}
	clk.Advance(time.Second)
	for range 2 {
		err := <-errs
		require.ErrorIs(t, err, lake.ErrUnavailable)
		require.ErrorContains(t, err, "did not commit within 1m0s")
	}
	close(g.open)
	r, err := c.Commit(t.Context(), create("next"))
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Snapshot.ID)
	require.Equal(t, []string{"next"}, tableNames(t, c), "what was withdrawn is not written later")
}

func TestCallerThatGoesAwayIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	g := newGate()
	c := openClocked(t, clock.System{}, gatedInsert(g))
	g.closed.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	first, other := make(chan error), make(chan error)
	go func() {
		_, err := c.Commit(ctx, create("gone"))
		first <- err
	}()
	<-g.reached
	go func() {
		_, err := c.Commit(context.WithoutCancel(t.Context()), create("stays"))
		other <- err
	}()
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	close(g.open)
	require.NoError(t, <-other)
	require.Equal(t, []string{"stays"}, tableNames(t, c))
}

func TestCommitThatIsNotAnsweredIsOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	clk, g := clocktest.NewManual(time.Unix(1e9, 0)), newGate()
	c := openClocked(t, clk, func(d *sqlcatalog.Dialect) {
		d.CommitFunc = func(ctx context.Context, conn *sql.Conn) error {
			g.pass()
			_, err := conn.ExecContext(ctx, "COMMIT")
			return err
		}
	})
	g.closed.Store(true)
	errs := make(chan error)
	commit := create("t")
	commit.Token = "token"
	go func() {
		_, err := c.Commit(context.WithoutCancel(t.Context()), commit)
		errs <- err
	}()
	<-g.reached
	clk.Advance(sqlcatalog.CommitTimeoutDefault)
	clk.WaitForTimers(1) // the grace
	clk.Advance(time.Minute)
	err := <-errs
	require.ErrorIs(t, err, lake.ErrIndeterminate)
	close(g.open)
	_, err = c.Commit(t.Context(), create("u"))
	require.NoError(t, err)
	r, err := c.Outcome(t.Context(), "token")
	require.NoError(t, err, "it was committed after all")
	require.EqualValues(t, 1, r.Snapshot.ID)
}
