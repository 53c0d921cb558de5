package workload_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/workload"
)

func setup(o workload.Options) *workload.Registry { return workload.New(clock.System{}, o) }

// begin begins a statement and waits for its turn.
func begin(ctx context.Context, r *workload.Registry, info workload.Info) (context.Context, *workload.Statement, error) {
	ctx, st, err := r.Begin(ctx, info)
	if err != nil {
		return ctx, nil, err
	}
	if err := st.Await(ctx); err != nil {
		st.End()
		return ctx, nil, err
	}
	return ctx, st, nil
}

// start starts a statement that gets its turn at once.
func start(t *testing.T, r *workload.Registry, info workload.Info) (context.Context, *workload.Statement) {
	t.Helper()
	ctx, st, err := begin(t.Context(), r, info)
	require.NoError(t, err)
	return ctx, st
}

func TestTurnsAreGivenInTheOrderStatementsCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := setup(workload.Options{RunningMax: 1})
		_, first := start(t, r, workload.Info{ID: "0"})
		order := make(chan string, 5)
		for i := 1; i <= 5; i++ {
			go func() {
				_, st, err := begin(t.Context(), r, workload.Info{ID: strconv.Itoa(i)})
				if err != nil {
					order <- err.Error()
					return
				}
				order <- st.ID()
				st.End()
			}()
			synctest.Wait() // it stands in the queue
		}
		require.Empty(t, order)
		require.Equal(t, int64(5), r.Stats().Queued)
		first.End()
		for i := 1; i <= 5; i++ {
			require.Equal(t, strconv.Itoa(i), <-order)
		}
		synctest.Wait()
		require.Equal(t, workload.Stats{Started: 6}, r.Stats())
	})
}

func TestCallsOfOneStatementShareATurn(t *testing.T) {
	t.Parallel()
	r := setup(workload.Options{RunningMax: 1, QueueTimeout: time.Nanosecond})
	_, a := start(t, r, workload.Info{ID: "q", User: "u"})
	_, b := start(t, r, workload.Info{ID: "q", User: "u"})
	require.Len(t, r.List(), 1)
	_, _, err := begin(t.Context(), r, workload.Info{ID: "q", User: "other"})
	require.ErrorIs(t, err, lake.ErrExhausted, "another user's statement is another statement")
	a.End()
	a.End() // does not give back the turn of b
	_, _, err = begin(t.Context(), r, workload.Info{ID: "r", User: "u"})
	require.ErrorIs(t, err, lake.ErrExhausted)
	b.End()
	_, c := start(t, r, workload.Info{ID: "r", User: "u"})
	c.End()
	require.Zero(t, r.Stats().Running)
}

func TestAFullQueueRefusesAndALongWaitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := setup(workload.Options{RunningMax: 1, QueuedMax: 1, QueueTimeout: time.Minute})
		_, running := start(t, r, workload.Info{ID: "a"})
		waited := make(chan error)
		began := time.Now()
		go func() {
			_, _, err := begin(t.Context(), r, workload.Info{ID: "b"})
			waited <- err
		}()
		synctest.Wait()
		_, _, err := begin(t.Context(), r, workload.Info{ID: "c"})
		require.ErrorIs(t, err, lake.ErrExhausted)
		require.ErrorContains(t, err, "1 statements run and 1 wait")
		err = <-waited
		require.ErrorIs(t, err, lake.ErrExhausted)
		require.ErrorContains(t, err, "waited 1m0s")
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, workload.Stats{Running: 1, Started: 3, Refused: 2}, r.Stats())
		running.End()
	})
}

func TestAStatementThatWaitsIsEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		endFunc func(*workload.Registry, context.CancelFunc)
		is      error
		text    string
	}{
		"killed": {func(r *workload.Registry, _ context.CancelFunc) {
			_, _ = r.Kill("b", workload.Killer{User: "ann", All: true})
		}, context.Canceled, "statement b was killed by ann"},
		"its session": {func(r *workload.Registry, _ context.CancelFunc) { r.KillSession("s", "its session was closed") }, context.Canceled, "its session was closed"},
		"timed out":   {func(*workload.Registry, context.CancelFunc) {}, context.DeadlineExceeded, "ran longer than its statement_timeout of 5s"},
		"given up":    {func(_ *workload.Registry, cancel context.CancelFunc) { cancel() }, context.Canceled, "context canceled"},
		"closed":      {func(r *workload.Registry, _ context.CancelFunc) { r.Close() }, lake.ErrUnavailable, "shutting down"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := setup(workload.Options{RunningMax: 1})
				_, running := start(t, r, workload.Info{ID: "a"})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				waited := make(chan error)
				go func() {
					_, st, err := begin(ctx, r, workload.Info{ID: "b", Session: "s", Timeout: 5 * time.Second})
					require.Nil(t, st)
					waited <- err
				}()
				synctest.Wait()
				end.endFunc(r, cancel)
				err := <-waited
				require.ErrorIs(t, err, end.is)
				require.ErrorContains(t, err, end.text)
				require.Zero(t, r.Stats().Queued)
				running.End()
			})
		})
	}
}

func TestTheContextSaysWhyAStatementEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := setup(workload.Options{})
		ctx, st := start(t, r, workload.Info{ID: "a", User: "ann", Timeout: time.Second})
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded)
		require.ErrorContains(t, st.Check(), "statement_timeout of 1s")
		st.End()

		ctx, st = start(t, r, workload.Info{ID: "b", User: "ann"})
		known, err := r.Kill("b", workload.Killer{User: "ann"})
		require.NoError(t, err)
		require.True(t, known)
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), context.Canceled)
		require.EqualError(t, st.AddBatch(1, 1), "statement b was killed by ann")
		st.End()
		require.Equal(t, workload.Stats{Started: 2, TimedOut: 1, Killed: 1}, r.Stats())
	})
}

func TestKillsAreRememberedWithinBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := setup(workload.Options{})
		kill := func(id string, by workload.Killer) {
			known, err := r.Kill(id, by)
			require.NoError(t, err)
			require.False(t, known)
		}
		dead := func(id, user string) bool {
			_, st, err := begin(t.Context(), r, workload.Info{ID: id, User: user})
			if err == nil {
				st.End()
			}
			return err != nil
		}
		kill("later", workload.Killer{User: "ann"})
		for i := range 20_000 {
			kill(strconv.Itoa(i), workload.Killer{User: "bob"})
		}
		require.True(t, dead("later", "ann"), "bob cannot make ann's be forgotten")
		require.True(t, dead("19999", "bob"))
		require.False(t, dead("0", "bob"), "his own are")
		long := strings.Repeat("x", 65)
		kill(long, workload.Killer{User: "ann"})
		require.False(t, dead(long, "ann"), "which is no id of a statement")
		time.Sleep(time.Hour)
		kill("another", workload.Killer{User: "ann"})
		require.False(t, dead("later", "ann"))
		require.False(t, dead("19999", "bob"))
		require.True(t, dead("another", "ann"))
	})
}

func TestAKilledStatementDoesNotStartLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := setup(workload.Options{})
		known, err := r.Kill("later", workload.Killer{User: "ann"})
		require.NoError(t, err)
		require.False(t, known)
		_, _, err = begin(t.Context(), r, workload.Info{ID: "later", User: "ann"})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "was killed before")
		_, st := start(t, r, workload.Info{ID: "later", User: "bob"}) // whom ann cannot hinder
		st.End()
		_, err = r.Kill("later", workload.Killer{User: "root", All: true})
		require.NoError(t, err)
		_, _, err = begin(t.Context(), r, workload.Info{ID: "later", User: "bob"})
		require.ErrorIs(t, err, context.Canceled)

		time.Sleep(time.Hour)
		_, st = start(t, r, workload.Info{ID: "later", User: "ann"})
		st.End()
	})
}

func TestMemoryOfKilledStatementsIsBounded(t *testing.T) {
	t.Parallel()
	r := setup(workload.Options{})
	for i := range 20_000 {
		_, err := r.Kill(strconv.Itoa(i), workload.Killer{User: "ann"})
		require.NoError(t, err)
	}
	_, st := start(t, r, workload.Info{ID: "0", User: "ann"})
	st.End()
	_, _, err := begin(t.Context(), r, workload.Info{ID: "19999", User: "ann"})
	require.ErrorIs(t, err, context.Canceled)
}

func TestOthersStatementsAreKilledByAdminsOnly(t *testing.T) {
	t.Parallel()
	r := setup(workload.Options{})
	ctx, st := start(t, r, workload.Info{ID: "a", User: "ann"})
	defer st.End()
	_, err := r.Kill("a", workload.Killer{User: "bob"})
	require.ErrorIs(t, err, lake.ErrForbidden)
	require.NoError(t, ctx.Err())
	_, again := start(t, r, workload.Info{ID: "a", User: "ann"}) // is not remembered as killed
	defer again.End()
	_, err = r.Kill("a", workload.Killer{User: "root", All: true})
	require.NoError(t, err)
	require.EqualError(t, context.Cause(ctx), "statement a was killed by root")
	require.Error(t, again.Check())
	require.Equal(t, int64(1), r.Stats().Killed)
}

func TestListSumsTheCallsOfAStatement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := setup(workload.Options{RunningMax: 1})
		_, a := start(t, r, workload.Info{ID: "a", User: "ann", SQL: "SELECT 1", Kind: "query"})
		_, b := start(t, r, workload.Info{ID: "a", User: "ann"})
		require.NoError(t, a.AddBatch(3, 30))
		require.NoError(t, b.AddBatch(4, 40))
		require.InDelta(t, lake.Unknown, r.List()[0].Progress, 0)
		a.SetProgressFunc(func() float64 { return 0.5 })
		b.SetProgressFunc(func() float64 { return 2 }) // no more than all
		allocator := b.Allocator(memory.DefaultAllocator)
		held := allocator.Allocate(1000)
		defer allocator.Free(held)
		began := time.Now()
		time.Sleep(time.Second)
		go func() {
			_, _, err := begin(t.Context(), r, workload.Info{ID: "b", User: "bob"})
			require.ErrorIs(t, err, context.Canceled)
		}()
		synctest.Wait()
		require.Equal(t, []workload.Running{
			{
				Info:  workload.Info{ID: "a", User: "ann", SQL: "SELECT 1", Kind: "query"},
				Began: began, Elapsed: time.Second, Progress: 0.75, Rows: 7, Bytes: 70, Memory: 1000,
			},
			{Info: workload.Info{ID: "b", User: "bob"}, Queued: true, Began: began.Add(time.Second), Progress: float64(lake.Unknown)},
		}, r.List())
		require.InDelta(t, 0.75, r.Progress("a"), 0)
		require.InDelta(t, lake.Unknown, r.Progress("b"), 0)
		_, err := r.Kill("b", workload.Killer{All: true})
		require.NoError(t, err)
		a.End()
		b.End()
		synctest.Wait()
		require.Empty(t, r.List())
	})
}

func TestMemoryIsCountedAndLimitsAStatement(t *testing.T) {
	t.Parallel()
	checked := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer checked.AssertSize(t, 0)
	r := setup(workload.Options{MemoryBytesMax: 100})
	ctx, st := start(t, r, workload.Info{ID: "a"})
	mem := st.Allocator(checked)
	b := mem.Allocate(60)
	require.NoError(t, st.Check())
	b = mem.Reallocate(200, b)
	require.Equal(t, int64(200), r.List()[0].Memory)
	err := st.Check()
	require.ErrorIs(t, err, lake.ErrExhausted)
	require.ErrorContains(t, err, "may hold 100 (statement_memory_bytes)")
	require.ErrorIs(t, context.Cause(ctx), lake.ErrExhausted)
	st.End()
	require.Equal(t, int64(200), r.Stats().MemoryBytes)
	mem.Free(b) // a batch outlives its statement
	require.Zero(t, r.Stats().MemoryBytes)
}

func TestWhatStatementsHoldIsSharedOut(t *testing.T) {
	t.Parallel()
	r := setup(workload.Options{MemoryTotalMax: 100, MemoryBytesMax: 60})
	_, a := start(t, r, workload.Info{ID: "a"})
	require.Equal(t, int64(60), a.Share(), "no more than one may hold")
	_, b := start(t, r, workload.Info{ID: "b"})
	require.Equal(t, int64(50), a.Share())
	a.Hold(40)
	require.Equal(t, int64(40), r.Stats().MemoryBytes)
	require.NoError(t, a.Check())
	a.Hold(30)
	require.ErrorIs(t, a.Check(), lake.ErrExhausted)
	a.Hold(-70)
	require.Zero(t, r.Stats().MemoryBytes)
	a.End()
	b.End()
}

// used hands out what it has, with what was in it.
type used struct {
	memory.Allocator
	kept []byte
}

func (u used) AllocateDirty(size int) []byte { return u.kept[:size] }

func TestUsedBuffersAreNotZeroedAndAreCounted(t *testing.T) {
	t.Parallel()
	r := setup(workload.Options{})
	_, st := start(t, r, workload.Info{ID: "a"})
	defer st.End()
	require.Equal(t, []byte("old"), st.Allocator(used{memory.DefaultAllocator, []byte("old rows")}).AllocateDirty(3))
	plain := st.Allocator(memory.DefaultAllocator)
	b := plain.AllocateDirty(5)
	require.Len(t, b, 5)
	require.Equal(t, int64(8), r.Stats().MemoryBytes)
	plain.Free(b)
	require.Equal(t, int64(3), r.Stats().MemoryBytes)
}

func TestTheLargestStatementIsEndedWhenAllHoldTooMuch(t *testing.T) {
	t.Parallel()
	r := setup(workload.Options{MemoryTotalMax: 100})
	_, small := start(t, r, workload.Info{ID: "small"})
	defer small.End()
	large, st := start(t, r, workload.Info{ID: "large"})
	defer st.End()
	st.Allocator(memory.DefaultAllocator).Allocate(90)
	require.NoError(t, small.Check())
	small.Allocator(memory.DefaultAllocator).Allocate(20)
	require.NoError(t, small.Check())
	require.ErrorIs(t, context.Cause(large), lake.ErrExhausted)
	require.ErrorContains(t, context.Cause(large), "statement large was ended because it holds most of the 100 bytes")
}

func TestNoStatementIsLostWhenManyComeAndGo(t *testing.T) {
	t.Parallel()
	r := setup(workload.Options{RunningMax: 3})
	var running, most atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			id := strconv.Itoa(i / 2) // two calls each
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%5 == 0 {
				cancel()
			}
			_, st, err := begin(ctx, r, workload.Info{ID: id, User: strconv.Itoa(i), Session: "s", Timeout: time.Minute})
			if err != nil {
				return
			}
			most.Store(max(most.Load(), running.Add(1)))
			st.SetProgressFunc(func() float64 { return 0 })
			_ = st.AddBatch(1, 1)
			r.List()
			if i%7 == 0 {
				_, _ = r.Kill(id, workload.Killer{All: true})
			}
			running.Add(-1)
			st.End()
		})
	}
	wg.Wait()
	require.LessOrEqual(t, most.Load(), int64(3))
	stats := r.Stats()
	require.Zero(t, stats.Running+stats.Queued)
}

func TestStatementsWithoutATurnAreListedAndKilled(t *testing.T) {
	t.Parallel()
	r := setup(workload.Options{RunningMax: 1})
	_, st := start(t, r, workload.Info{ID: "a"})
	ctx, planning, err := r.Begin(t.Context(), workload.Info{ID: "b", User: "ann"})
	require.NoError(t, err)
	require.Equal(t, int64(1), r.Stats().Running)
	require.Zero(t, r.Stats().Queued)
	require.Len(t, r.List(), 2)
	require.False(t, r.List()[1].Queued)
	_, err = r.Kill("b", workload.Killer{User: "ann"})
	require.NoError(t, err)
	require.ErrorContains(t, context.Cause(ctx), "killed by ann")
	require.ErrorContains(t, planning.Await(ctx), "killed by ann")
	planning.End()
	st.End()
	require.Equal(t, workload.Stats{Started: 2, Killed: 1}, r.Stats())
}

func TestEndGivesBackAllThatWasTaken(t *testing.T) {
	t.Parallel()
	r := setup(workload.Options{RunningMax: 1})
	_, st := start(t, r, workload.Info{ID: "a"})
	var order []string
	st.OnEnd(func() {
		require.Equal(t, int64(1), r.Stats().Running, "before the turn")
		order = append(order, "first")
	})
	st.OnEnd(func() { order = append(order, "second") })
	st.End()
	st.End()
	require.Equal(t, []string{"second", "first"}, order)
	require.Zero(t, r.Stats().Running)
	st.OnEnd(func() { order = append(order, "late") })
	require.Equal(t, []string{"second", "first", "late"}, order)
}

func TestOldestSnapshotIsThatOfStatementsAndTickets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := setup(workload.Options{TicketLifetime: time.Hour})
		oldest := func() lake.SnapshotID {
			id, ok := r.OldestSnapshot()
			if !ok {
				return -1
			}
			return id
		}
		require.Zero(t, oldest(), "tickets of an earlier process may name any snapshot")
		time.Sleep(2 * time.Hour)
		require.Equal(t, lake.SnapshotID(-1), oldest())
		_, st := start(t, r, workload.Info{ID: "a"})
		st.Pin(7)
		st.Pin(9)
		require.Equal(t, lake.SnapshotID(7), oldest())
		r.Retain(8, time.Now().Add(time.Hour))
		r.Retain(5, time.Now().Add(time.Minute))
		r.Retain(6, time.Now().Add(time.Minute))
		require.Equal(t, lake.SnapshotID(5), oldest())
		time.Sleep(time.Minute)
		require.Equal(t, lake.SnapshotID(5), oldest(), "not before its time")
		time.Sleep(3 * time.Minute)
		require.Equal(t, lake.SnapshotID(7), oldest())
		st.End()
		require.Equal(t, lake.SnapshotID(8), oldest())
		time.Sleep(time.Hour)
		require.Equal(t, lake.SnapshotID(-1), oldest())
	})
}

func TestAClientThatDoesNotReadLosesItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := setup(workload.Options{RunningMax: 1})
		_, st := start(t, r, workload.Info{ID: "a"})
		_, works := start(t, r, workload.Info{ID: "a"})
		st.Stall()
		_, _, err := begin(t.Context(), r, workload.Info{ID: "b"})
		require.ErrorIs(t, err, lake.ErrExhausted, "one of its calls works")
		works.End()
		began := time.Now()
		_, other := start(t, r, workload.Info{ID: "b"})
		require.LessOrEqual(t, time.Since(began), 5*time.Second)
		require.Equal(t, int64(1), r.Stats().Running)
		require.False(t, r.List()[0].Queued)
		st.Resume() // goes on at once
		st.Resume()
		require.Equal(t, int64(2), r.Stats().Running)
		other.End()
		_, _, err = begin(t.Context(), r, workload.Info{ID: "c"})
		require.ErrorIs(t, err, lake.ErrExhausted)
		st.Stall()
		st.End()
		_, last := start(t, r, workload.Info{ID: "d"})
		last.End()
		require.Zero(t, r.Stats().Running)
	})
}

func TestAStalledStatementEndsWithoutItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := setup(workload.Options{RunningMax: 1})
		_, st := start(t, r, workload.Info{ID: "a"})
		st.Stall()
		_, other := start(t, r, workload.Info{ID: "b"})
		st.End()
		require.Equal(t, int64(1), r.Stats().Running)
		other.End()
		require.Zero(t, r.Stats().Running)
		st.Resume()
		require.Zero(t, r.Stats().Running, "what has ended takes no turn")
	})
}
