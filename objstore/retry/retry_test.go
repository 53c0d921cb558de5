package retry_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/fault"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/objstoretest"
	"github.com/flightlake/flightlake/objstore/retry"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	objstoretest.Run(t, func(*testing.T) objstore.Bucket {
		return retry.New(mem.New(mem.Options{}), retry.Options{})
	})
}

// bundle is a retrying Bucket over one that fails as scripted; nothing sleeps.
type bundle struct {
	*retry.Bucket
	faults *fault.Bucket
	slept  []time.Duration
}

func setup(t *testing.T, random float64) *bundle {
	t.Helper()
	inner := mem.New(mem.Options{})
	for _, key := range []string{"a", "b", "c"} {
		require.NoError(t, objstore.WriteAll(t.Context(), inner, key, []byte("content")))
	}
	b := &bundle{faults: fault.New(inner, fault.Options{})}
	b.Bucket = retry.New(b.faults, retry.Options{
		AttemptsMax: 4,
		Delay:       100 * time.Millisecond,
		DelayMax:    300 * time.Millisecond,
		SleepFunc: func(ctx context.Context, d time.Duration) error {
			b.slept = append(b.slept, d)
			return ctx.Err()
		},
		RandomFunc: func() float64 { return random },
	})
	return b
}

func TestEveryReadingOperationSurvivesThreeFailures(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	for _, op := range []fault.Op{fault.OpOpen, fault.OpReadAt, fault.OpDelete, fault.OpList} {
		b.faults.Inject(fault.Fault{Op: op, Count: 3})
	}
	data, err := objstore.ReadAll(t.Context(), b, "a", 100)
	require.NoError(t, err)
	require.Equal(t, "content", string(data))
	require.NoError(t, b.Delete(t.Context(), "a"))
	require.NoError(t, b.List(t.Context(), "", func(objstore.Object) error { return nil }))
	once := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}
	require.Equal(t, append(append(append(append([]time.Duration{}, once...), once...), once...), once...), b.slept)
}

func TestJitterHalvesTheWaitAtMost(t *testing.T) {
	t.Parallel()
	b := setup(t, 0)
	b.faults.Inject(fault.Fault{Count: 1})
	require.NoError(t, b.Delete(t.Context(), "a"))
	require.Equal(t, []time.Duration{50 * time.Millisecond}, b.slept)
}

func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.faults.Inject(fault.Fault{Count: fault.Forever})
	_, err := b.Open(t.Context(), "a", objstore.OpenOptions{})
	require.ErrorIs(t, err, lake.ErrUnavailable)
	require.Len(t, b.faults.Calls(), 4)
}

func TestOtherKindsAndWritesAreNotRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	_, err := b.Open(t.Context(), "missing", objstore.OpenOptions{})
	require.ErrorIs(t, err, lake.ErrNotFound)
	b.faults.Inject(fault.Fault{Op: fault.OpCreate})
	require.ErrorIs(t, objstore.WriteAll(t.Context(), b, "new", nil), lake.ErrUnavailable)
	b.faults.Inject(fault.Fault{Op: fault.OpWrite})
	require.ErrorIs(t, objstore.WriteAll(t.Context(), b, "new", nil), lake.ErrUnavailable)
	b.faults.Inject(fault.Fault{Op: fault.OpCommit})
	require.ErrorIs(t, objstore.WriteAll(t.Context(), b, "new", nil), lake.ErrUnavailable)
	require.Empty(t, b.slept)
}

func TestDeleteRepeatsOnlyTheKeysWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	mine := lake.Errorf(lake.KindState, "the object is locked")
	b.faults.Inject(fault.Fault{Op: fault.OpDelete, Key: "a", Err: mine}, fault.Fault{Op: fault.OpDelete, Key: "b", Count: 2})
	err := b.Delete(t.Context(), "a", "b", "c")
	require.Equal(t, []objstore.KeyError{{Key: "a", Err: mine}}, objstore.FailedKeys([]string{"a", "b", "c"}, err))
	require.Equal(t, []fault.Call{
		{Op: fault.OpDelete, Key: "a", Failed: true},
		{Op: fault.OpDelete, Key: "b", Failed: true},
		{Op: fault.OpDelete, Key: "c"},
		{Op: fault.OpDelete, Key: "b", Failed: true},
		{Op: fault.OpDelete, Key: "b"},
	}, b.faults.Calls())

	b.faults.Inject(fault.Fault{Op: fault.OpDelete, Key: "c", Count: fault.Forever}, fault.Fault{Op: fault.OpDelete, Key: "d", Err: mine})
	failed := objstore.FailedKeys(nil, b.Delete(t.Context(), "b", "c", "d"))
	require.Len(t, failed, 2)
	require.Equal(t, objstore.KeyError{Key: "d", Err: mine}, failed[0])
	require.Equal(t, "c", failed[1].Key)
	require.ErrorIs(t, failed[1].Err, lake.ErrUnavailable)
}

func TestStatsCountRepeatedRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	for i, op := range []fault.Op{fault.OpOpen, fault.OpReadAt, fault.OpList} {
		b.faults.Inject(fault.Fault{Op: op, Count: i + 1})
	}
	_, err := objstore.ReadAll(t.Context(), b, "a", 100)
	require.NoError(t, err)
	require.NoError(t, b.List(t.Context(), "", func(objstore.Object) error { return nil }))
	require.Equal(t, retry.Stats{Open: 1, ReadAt: 2, List: 3}, b.Stats())
	b.faults.Inject(fault.Fault{Op: fault.OpDelete, Count: fault.Forever})
	require.Error(t, b.Delete(t.Context(), "a"))
	require.Equal(t, retry.Stats{Open: 1, ReadAt: 2, Delete: 3, List: 3}, b.Stats())
}

func TestCancelledWaitEndsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.faults.Inject(fault.Fault{Count: fault.Forever})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Open(ctx, "a", objstore.OpenOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, b.faults.Calls(), 1)
}

func TestShortReadGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.faults.Inject(fault.Fault{Op: fault.OpReadAt, Bytes: 3})
	data, err := objstore.ReadAll(t.Context(), b, "a", 100)
	require.NoError(t, err)
	require.Equal(t, "content", string(data))
	calls := b.faults.Calls()
	require.Equal(t, fault.Call{Op: fault.OpReadAt, Key: "a", Offset: 3, Bytes: 4}, calls[len(calls)-1])
}

func TestBrokenListingShowsEachObjectOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.faults.Inject(fault.Fault{Op: fault.OpList, Bytes: 2}, fault.Fault{Op: fault.OpList, Nth: 2, After: true})
	var keys []string
	require.NoError(t, b.List(t.Context(), "", func(o objstore.Object) error {
		keys = append(keys, o.Key)
		return nil
	}))
	require.Equal(t, []string{"a", "b", "c"}, keys)
}

func TestErrorOfTheCallersFunctionIsNotRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	mine := lake.Errorf(lake.KindUnavailable, "the caller's own store is down")
	var listed int
	err := b.List(t.Context(), "", func(objstore.Object) error { listed++; return mine })
	require.Equal(t, mine, err)
	require.Equal(t, 1, listed)
}

func TestSleepWaitsAndIsInterrupted(t *testing.T) {
	t.Parallel()
	require.NoError(t, retry.Sleep(t.Context(), time.Microsecond))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, retry.Sleep(ctx, time.Hour), context.Canceled)
}
