package engine

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

// deaf is a call of DuckDB that takes no notice of interruptions until it is released.
func deaf(release <-chan struct{}) func(*connection) (string, error) {
	return func(*connection) (string, error) {
		<-release
		return "late", nil
	}
}

func TestCallsThatTakeNoNoticeAreAbandoned(t *testing.T) {
	t.Parallel()
	in, err := openInstance(nil)
	require.NoError(t, err)
	defer in.close()
	synctest.Test(t, func(t *testing.T) {
		p := newPool(in, 1)
		release := make(chan struct{})
		var ended atomic.Int64
		for i := range int64(abandonedMax) { // one after the other on the only connection
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			value, err := with(ctx, p, deaf(release), func() { ended.Add(1) })
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Empty(t, value)
			require.Equal(t, i+1, p.abandoned.count.Load())
		}
		require.Zero(t, ended.Load(), "what they use is in use until they end")
		_, err := with(t.Context(), p, deaf(release), func() {})
		require.ErrorIs(t, err, lake.ErrExhausted)
		require.False(t, p.close(), "DuckDB is not closed under them")
		close(release)
		synctest.Wait()
		require.Equal(t, int64(abandonedMax), ended.Load())
		require.Zero(t, p.abandoned.count.Load())
		value, err := with(t.Context(), p, func(c *connection) (string, error) { return c.textOf("SELECT CAST(? AS VARCHAR)", "again") }, func() {})
		require.NoError(t, err)
		require.Equal(t, "again", value)
		require.True(t, p.close())
	})
}

func TestAnAbandonedCallIsInterruptedInWhatItDoesNext(t *testing.T) {
	t.Parallel()
	in, err := openInstance(nil)
	require.NoError(t, err)
	defer in.close()
	p := newPool(in, 1)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	cancel()
	c, err := p.get()
	require.NoError(t, err)
	ended := make(chan error, 1)
	_, err, lost := call(ctx, &p.abandoned, c, func() (string, error) {
		<-release
		return c.textOf("SELECT sum(range)::VARCHAR || CAST(? AS VARCHAR) FROM range(1000000000000)", "")
	}, func(_ string, err error) {
		c.close()
		ended <- err
	})
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, lost)
	close(release)
	require.ErrorContains(t, <-ended, "INTERRUPT")
	require.True(t, p.close())
}

func TestACallThatEndsInTimeReturnsWhatItFound(t *testing.T) {
	t.Parallel()
	in, err := openInstance(nil)
	require.NoError(t, err)
	defer in.close()
	p := newPool(in, 1)
	defer p.close()
	ctx, cancel := context.WithCancel(t.Context())
	value, err := with(ctx, p, func(*connection) (string, error) {
		cancel()
		return "found", nil
	}, func() {})
	require.NoError(t, err)
	require.Equal(t, "found", value)
	require.Zero(t, p.abandoned.count.Load())
}

// TestTheMirrorIsFreeAfterCallersThatGaveUp would otherwise have everybody wait for ever.
func TestTheMirrorIsFreeAfterCallersThatGaveUp(t *testing.T) {
	t.Parallel()
	m := &mirror{changing: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // select chooses among what is ready
		require.ErrorIs(t, m.enter(ctx), context.Canceled)
		require.Empty(t, m.changing)
	}
}
