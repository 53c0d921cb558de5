package limit_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/fault"
	"github.com/flightlake/flightlake/objstore/limit"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/objstoretest"
)

// waitMax bounds how long a test waits for what must happen, polling.
const (
	waitMax = 10 * time.Second
	poll    = time.Millisecond
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, requests := range []int{0, 1} {
		objstoretest.Run(t, func(*testing.T) objstore.Bucket {
			return limit.New(mem.New(mem.Options{}), limit.Options{RequestsMax: requests})
		})
	}
}

// setup returns a Bucket of two requests over one whose requests tell that they
// began and end when they are let.
func setup(t *testing.T) (b *limit.Bucket, began chan fault.Op, let chan struct{}) {
	t.Helper()
	began, let = make(chan fault.Op), make(chan struct{})
	inner := fault.New(mem.New(mem.Options{}), fault.Options{BeforeFunc: func(c fault.Call) error {
		began <- c.Op
		<-let
		return nil
	}})
	return limit.New(inner, limit.Options{RequestsMax: 2}), began, let
}

func TestRequestsBeyondTheBoundWait(t *testing.T) {
	t.Parallel()
	b, began, let := setup(t)
	const requests = 10
	var all sync.WaitGroup
	for range requests {
		all.Go(func() { _ = b.Delete(t.Context(), "k") })
	}
	<-began
	<-began
	require.Eventually(t, func() bool { return b.Stats().Waiting == requests-2 }, waitMax, poll)
	require.Equal(t, limit.Stats{Running: 2, Waiting: requests - 2}, b.Stats())
	select {
	case <-began:
		require.Fail(t, "a third request runs")
	default:
	}
	for range requests - 2 {
		let <- struct{}{}
		<-began
		require.EqualValues(t, 2, b.Stats().Running)
	}
	let <- struct{}{}
	let <- struct{}{}
	all.Wait()
	require.Equal(t, limit.Stats{}, b.Stats())
}

func TestCallWhoseContextEndsWaitsNoLonger(t *testing.T) {
	t.Parallel()
	inner := mem.New(mem.Options{})
	require.NoError(t, objstore.WriteAll(t.Context(), inner, "k", []byte("content")))
	let := make(chan struct{})
	b := limit.New(fault.New(inner, fault.Options{BeforeFunc: func(c fault.Call) error {
		if c.Op == fault.OpList {
			<-let
		}
		return nil
	}}), limit.Options{RequestsMax: 1})
	w, err := b.Create(t.Context(), "new")
	require.NoError(t, err)
	_, err = w.Write(t.Context(), []byte("content"))
	require.NoError(t, err)
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.NoError(t, err)
	var busy sync.WaitGroup
	busy.Go(func() { _ = b.List(t.Context(), "", func(objstore.Object) error { return nil }) })
	require.Eventually(t, func() bool { return b.Stats().Running == 1 }, waitMax, poll)

	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	go func() {
		_, err := r.ReadAt(ctx, make([]byte, 1), 0)
		errs <- err
	}()
	require.Eventually(t, func() bool { return b.Stats().Waiting == 1 }, waitMax, poll)
	cancel()
	require.ErrorIs(t, <-errs, context.Canceled)
	require.NoError(t, w.Abort(ctx))
	_, err = w.Write(ctx, []byte("late"))
	require.ErrorIs(t, err, lake.ErrState, "the abort reached the store")
	close(let)
	busy.Wait()
}

func TestListingIsNoRequestWhileItsFunctionRuns(t *testing.T) {
	t.Parallel()
	b := limit.New(mem.New(mem.Options{}), limit.Options{RequestsMax: 1})
	for _, key := range []string{"a", "b"} {
		require.NoError(t, objstore.WriteAll(t.Context(), b, key, nil))
	}
	err := b.List(t.Context(), "", func(o objstore.Object) error {
		require.Equal(t, limit.Stats{}, b.Stats())
		return b.Delete(t.Context(), o.Key)
	})
	require.NoError(t, err)
	require.Equal(t, limit.Stats{}, b.Stats())
}
