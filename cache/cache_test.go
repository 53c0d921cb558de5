package cache_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loader returns its key's own number and counts.
type loader struct{ loads atomic.Int64 }

func (l *loader) load(value int64) func(context.Context) (int64, error) {
	return func(context.Context) (int64, error) {
		l.loads.Add(1)
		return value, nil
	}
}

// newCache returns a cache with room for entries values of 1 byte.
func newCache(entries int64) *cache.Cache[int64, int64] {
	return cache.New(entries*(cache.EntryBytes+1), func(_, _ int64) int64 { return 1 })
}

func get(t *testing.T, c *cache.Cache[int64, int64], l *loader, key int64) {
	t.Helper()
	got, err := c.Get(t.Context(), key, l.load(key*10))
	require.NoError(t, err)
	require.Equal(t, key*10, got)
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	t.Parallel()
	c, l := newCache(2), &loader{}
	for _, key := range []int64{1, 2, 1, 3, 1, 2} {
		get(t, c, l, key)
	}
	require.EqualValues(t, 4, l.loads.Load(), "2 was evicted by 3, 1 was not")
	require.Equal(t, cache.Stats{
		Hits: 2, Misses: 4, Evictions: 2, Entries: 2,
		Bytes: 2 * (cache.EntryBytes + 1), BytesMax: 2 * (cache.EntryBytes + 1),
	}, c.Stats())
}

func TestValueLargerThanTheBudgetEvictsNothing(t *testing.T) {
	t.Parallel()
	c := cache.New(1000, func(_, v int64) int64 { return v })
	load := func(v int64) {
		got, err := c.Get(t.Context(), v, func(context.Context) (int64, error) { return v, nil })
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
	load(10)
	load(1000 - cache.EntryBytes + 1)
	require.EqualValues(t, 1, c.Stats().Entries)
	_, kept := c.Peek(10)
	require.True(t, kept)
	load(1000 - cache.EntryBytes)
	_, kept = c.Peek(1000 - cache.EntryBytes)
	require.True(t, kept, "a value that fills the budget is kept")
	require.EqualValues(t, 1000, c.Stats().Bytes)

	require.False(t, c.Put(1000-cache.EntryBytes, 2000), "and dropped for one that is too large")
	require.Zero(t, c.Stats().Bytes)
}

func TestNothingIsKeptWithoutABudget(t *testing.T) {
	t.Parallel()
	c, l := newCache(0), &loader{}
	get(t, c, l, 1)
	get(t, c, l, 1)
	require.EqualValues(t, 2, l.loads.Load())
	require.Zero(t, c.Stats().Bytes)
}

func TestErrorsAreNotCached(t *testing.T) {
	t.Parallel()
	c, l := newCache(2), &loader{}
	broken := errors.New("broken")
	_, err := c.Get(t.Context(), 1, func(context.Context) (int64, error) { return 0, broken })
	require.ErrorIs(t, err, broken)
	get(t, c, l, 1)
}

func TestPanicOfALoadReleasesThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, l := newCache(2), &loader{}
		release := make(chan struct{})
		var recovered any
		go func() {
			defer func() { recovered = recover() }()
			_, _ = c.Get(t.Context(), 1, func(context.Context) (int64, error) {
				<-release
				panic("a broken loader")
			})
		}()
		synctest.Wait()
		var waiter int64
		go func() { waiter, _ = c.Get(t.Context(), 1, l.load(7)) }()
		synctest.Wait()
		close(release)
		synctest.Wait()
		require.Equal(t, "a broken loader", recovered)
		require.EqualValues(t, 7, waiter)
	})
}

func TestManyShareOneLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCache(2)
		release := make(chan struct{})
		values := make([]int64, 4)
		for i := range values {
			go func() {
				values[i], _ = c.Get(t.Context(), 1, func(context.Context) (int64, error) {
					<-release
					return 7, nil
				})
			}()
		}
		synctest.Wait()
		close(release)
		synctest.Wait()
		require.Equal(t, []int64{7, 7, 7, 7}, values)
		s := c.Stats()
		require.Equal(t, []int64{0, 1, 3}, []int64{s.Hits, s.Misses, s.Shared})
	})
}

func TestCancelledWaiterLeavesTheLoadToTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCache(2)
		release := make(chan struct{})
		var leader int64
		var waiterErr error
		go func() {
			leader, _ = c.Get(t.Context(), 1, func(ctx context.Context) (int64, error) {
				<-release
				return 7, ctx.Err()
			})
		}()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, waiterErr = c.Get(ctx, 1, func(context.Context) (int64, error) { return 0, errors.New("loaded twice") })
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.ErrorIs(t, waiterErr, context.Canceled)
		close(release)
		synctest.Wait()
		require.EqualValues(t, 7, leader)
	})
}

func TestCancelledLoaderIsReplacedByOneWaiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, l := newCache(2), &loader{}
		ctx, cancel := context.WithCancel(t.Context())
		var leaderErr error
		go func() {
			_, leaderErr = c.Get(ctx, 1, func(ctx context.Context) (int64, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
		}()
		synctest.Wait()
		values, errs := make([]int64, 3), make([]error, 3)
		for i := range values {
			go func() { values[i], errs[i] = c.Get(t.Context(), 1, l.load(7)) }()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.ErrorIs(t, leaderErr, context.Canceled)
		require.NoError(t, errors.Join(errs...))
		require.Equal(t, []int64{7, 7, 7}, values)
		require.EqualValues(t, 1, l.loads.Load())
	})
}

func TestRemoveDuringALoadForgetsItsResult(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		c, l := newCache(2), &loader{}
		got, err := c.Get(t.Context(), 1, func(context.Context) (int64, error) {
			if all {
				c.RemoveFunc(func(int64) bool { return true })
			} else {
				c.Remove(1)
			}
			return 7, nil
		})
		require.NoError(t, err)
		require.EqualValues(t, 7, got)
		_, kept := c.Peek(1)
		require.False(t, kept)
		get(t, c, l, 1)
	}
}

// TestBytesAreThoseOfTheEntries compares the books with the entries after
// random operations on values of random cost.
func TestBytesAreThoseOfTheEntries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const keys = 8
		bytesMax := rapid.Int64Range(0, 5*cache.EntryBytes).Draw(t, "bytes_max")
		c := cache.New(bytesMax, func(_, v int64) int64 { return v })
		key := rapid.Int64Range(0, keys-1)
		value := rapid.Int64Range(0, 3*cache.EntryBytes)
		t.Repeat(map[string]func(*rapid.T){
			"get": func(t *rapid.T) {
				v := value.Draw(t, "value")
				_, err := c.Get(context.Background(), key.Draw(t, "key"),
					func(context.Context) (int64, error) { return v, nil })
				require.NoError(t, err)
			},
			"put":    func(t *rapid.T) { c.Put(key.Draw(t, "key"), value.Draw(t, "value")) },
			"remove": func(t *rapid.T) { c.Remove(key.Draw(t, "key")) },
			"remove func": func(t *rapid.T) {
				below := key.Draw(t, "below")
				c.RemoveFunc(func(k int64) bool { return k < below })
			},
			"": func(t *rapid.T) {
				s := c.Stats()
				var entries, bytes int64
				for k := range int64(keys) {
					if v, ok := c.Peek(k); ok {
						entries++
						bytes += v + cache.EntryBytes
					}
				}
				require.Equal(t, entries, s.Entries)
				require.Equal(t, bytes, s.Bytes)
				require.LessOrEqual(t, s.Bytes, bytesMax)
			},
		})
	})
}

func BenchmarkGetHit(b *testing.B) {
	c := newCache(1000)
	load := (&loader{}).load(7)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if _, err := c.Get(b.Context(), i%1000, load); err != nil {
			b.Fatal(err)
		}
	}
}
