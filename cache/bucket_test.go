package cache_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/fault"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/meter"
	"github.com/flightlake/flightlake/objstore/objstoretest"
)

func TestBucketConformance(t *testing.T) {
	t.Parallel()
	tests := map[string]cache.BucketOptions{
		"default":         {},
		"an end of bytes": {TailBytes: 3},
		"nothing kept":    {BytesMax: -1},
	}
	for name, options := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objstoretest.Run(t, func(*testing.T) objstore.Bucket {
				return cache.NewBucket(mem.New(mem.Options{}), options)
			})
		})
	}
}

// bucketBundle is a caching Bucket over one that counts.
type bucketBundle struct {
	*cache.Bucket
	meter *meter.Bucket
}

func setupBucket(options cache.BucketOptions) bucketBundle {
	m := meter.New(mem.New(mem.Options{}))
	return bucketBundle{Bucket: cache.NewBucket(m, options), meter: m}
}

// knowing records what is known of the objects that are opened.
type knowing struct {
	objstore.Bucket
	given []objstore.OpenOptions
}

func (b *knowing) Open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	b.given = append(b.given, o)
	return b.Bucket.Open(ctx, key, o)
}

func TestStoreIsToldTheLengthThatIsKnown(t *testing.T) {
	t.Parallel()
	inner := &knowing{Bucket: mem.New(mem.Options{})}
	b := cache.NewBucket(inner, cache.BucketOptions{TailBytes: 3})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("a long content")))
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{Bytes: 14})
	require.NoError(t, err)
	_, err = r.ReadAt(t.Context(), make([]byte, 1), 12)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, "long", readRange(t, b, "k", 2, 4), "the cache knows the length, and the beginning is not cached")
	require.Equal(t, []objstore.OpenOptions{{Bytes: 14}, {Bytes: 14}}, inner.given)
}

// testingT is *testing.T or *rapid.T.
type testingT interface {
	require.TestingT
	Context() context.Context
}

func readRange(t testingT, b objstore.Bucket, key string, offset, length int64) string {
	r, err := b.Open(t.Context(), key, objstore.OpenOptions{})
	require.NoError(t, err)
	p := make([]byte, length)
	n, err := r.ReadAt(t.Context(), p, offset)
	if offset+length <= r.Size() {
		require.NoError(t, err)
	} else {
		require.ErrorIs(t, err, io.EOF)
	}
	require.NoError(t, r.Close())
	return string(p[:n])
}

func TestFooterIsReadAgainWithoutAnyRequest(t *testing.T) {
	t.Parallel()
	b := setupBucket(cache.BucketOptions{TailBytes: 4})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("0123456789")))
	require.Equal(t, "9", readRange(t, b, "k", 9, 1))
	first := b.meter.Snapshot()
	require.EqualValues(t, 1, first.Open.Calls)
	require.EqualValues(t, 4, first.BytesRead, "the whole end is read at once")

	require.Equal(t, "678", readRange(t, b, "k", 6, 3))
	require.Equal(t, "6789", readRange(t, b, "k", 6, 5))
	require.Empty(t, readRange(t, b, "k", 10, 5))
	require.Equal(t, meter.Stats{}, b.meter.Snapshot().Sub(first))

	require.Equal(t, "012", readRange(t, b, "k", 0, 3)[:3])
	require.EqualValues(t, 1, b.meter.Snapshot().Sub(first).Open.Calls, "other ranges open the object")
}

func TestDataBeforeTheEndIsNotCached(t *testing.T) {
	t.Parallel()
	b := setupBucket(cache.BucketOptions{TailBytes: 4})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte(strings.Repeat("0123456789", 100))))
	for range 2 {
		require.Equal(t, "01234", readRange(t, b, "k", 0, 5))
		require.Len(t, readRange(t, b, "k", 900, 91), 91)
	}
	require.EqualValues(t, 4, b.meter.Snapshot().ReadAt.Calls)
	require.Zero(t, b.Stats().Entries)
}

func TestFooterLongerThanTheEndIsKept(t *testing.T) {
	t.Parallel()
	b := setupBucket(cache.BucketOptions{TailBytes: 16})
	content := strings.Repeat("0123456789", 100)
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte(content)))
	readFooter := func() {
		require.Equal(t, content[992:], readRange(t, b, "k", 992, 8), "the length of the footer")
		require.Equal(t, content[700:992], readRange(t, b, "k", 700, 292), "the footer")
	}
	readFooter()
	first := b.meter.Snapshot()
	readFooter()
	require.Equal(t, meter.Stats{}, b.meter.Snapshot().Sub(first))
	require.Equal(t, content[600:], readRange(t, b, "k", 600, 400), "more than is kept")
}

func TestDeletedObjectDoesNotComeBack(t *testing.T) {
	t.Parallel()
	b := setupBucket(cache.BucketOptions{TailBytes: 4})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("0123456789")))
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.NoError(t, err)
	require.NoError(t, b.Delete(t.Context(), "k"))
	p := make([]byte, 2)
	_, err = r.ReadAt(t.Context(), p, 8)
	require.NoError(t, err, "what is open can be read")
	require.Equal(t, "89", string(p))
	require.NoError(t, r.Close())
	_, err = b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.ErrorIs(t, err, lake.ErrNotFound)
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("another")))
	require.Equal(t, "other", readRange(t, b, "k", 2, 5))
}

func TestFooterOfAnObjectThatWasReplacedIsNotKept(t *testing.T) {
	t.Parallel()
	b := setupBucket(cache.BucketOptions{TailBytes: 4})
	for _, content := range []string{"0123456789", "abcdefghij"} {
		require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte(content)))
		require.Equal(t, content[9:], readRange(t, b, "k", 9, 1))
		require.Equal(t, content[2:6], readRange(t, b, "k", 2, 4))
		require.NoError(t, b.Delete(t.Context(), "k"))
	}
}

func TestDeleteWhoseReplyIsLostForgetsTheEnd(t *testing.T) {
	t.Parallel()
	f := fault.New(mem.New(mem.Options{}), fault.Options{})
	b := cache.NewBucket(f, cache.BucketOptions{})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("0123456789")))
	require.Equal(t, "9", readRange(t, b, "k", 9, 1))
	f.Inject(fault.Fault{Op: fault.OpDelete, After: true})
	require.ErrorIs(t, b.Delete(t.Context(), "k"), lake.ErrUnavailable)
	_, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.ErrorIs(t, err, lake.ErrNotFound)
}

func TestDeleteDuringALoadOfTheEnd(t *testing.T) {
	t.Parallel()
	inner := mem.New(mem.Options{})
	var once sync.Once
	var b *cache.Bucket
	b = cache.NewBucket(fault.New(inner, fault.Options{BeforeFunc: func(c fault.Call) error {
		if c.Op == fault.OpReadAt {
			once.Do(func() { require.NoError(t, b.Delete(t.Context(), "k")) })
		}
		return nil
	}}), cache.BucketOptions{})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("0123456789")))
	require.Equal(t, "9", readRange(t, b, "k", 9, 1))
	require.Zero(t, b.Stats().Entries)
	_, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.ErrorIs(t, err, lake.ErrNotFound)
}

func TestFailedReadOfTheEndIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := fault.New(mem.New(mem.Options{}), fault.Options{})
	b := cache.NewBucket(f, cache.BucketOptions{})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("0123456789")))
	f.Inject(fault.Fault{Op: fault.OpReadAt, Bytes: 3})
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.NoError(t, err)
	p := make([]byte, 1)
	_, err = r.ReadAt(t.Context(), p, 9)
	require.ErrorIs(t, err, lake.ErrUnavailable)
	_, err = r.ReadAt(t.Context(), p, 9)
	require.NoError(t, err)
	require.Equal(t, "9", string(p))
	require.NoError(t, r.Close())
}

func TestObjectThatLostBytesIsCorrupt(t *testing.T) {
	t.Parallel()
	inner := mem.New(mem.Options{})
	b := cache.NewBucket(inner, cache.BucketOptions{TailBytes: 4})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("0123456789")))
	require.Equal(t, "9", readRange(t, b, "k", 9, 1))
	require.NoError(t, inner.Delete(t.Context(), "k"))
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.NoError(t, err)
	_, err = r.ReadAt(t.Context(), make([]byte, 2), 0)
	require.ErrorIs(t, err, lake.ErrNotFound)
	require.NoError(t, objstore.WriteAll(t.Context(), inner, "k", []byte("012345678")))
	_, err = r.ReadAt(t.Context(), make([]byte, 2), 0)
	require.ErrorIs(t, err, lake.ErrCorrupt)
	require.NoError(t, r.Close())
}

// TestCachedRangesEqualTheObjects reads random ranges of random objects
// through a cache that keeps evicting.
func TestCachedRangesEqualTheObjects(t *testing.T) {
	t.Parallel()
	keys := []string{"a", "b", "c"}
	rapid.Check(t, func(t *rapid.T) {
		b := setupBucket(cache.BucketOptions{
			BytesMax:  rapid.Int64Range(0, 4*cache.EntryBytes).Draw(t, "bytes_max"),
			TailBytes: rapid.Int64Range(1, 40).Draw(t, "tail_bytes"),
		})
		contents := map[string]string{}
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				key := rapid.SampledFrom(keys).Draw(t, "key")
				if _, ok := contents[key]; ok {
					t.Skip("it exists")
				}
				contents[key] = rapid.StringN(0, 100, 100).Draw(t, "content")
				require.NoError(t, objstore.WriteAll(t.Context(), b, key, []byte(contents[key])))
			},
			"delete": func(t *rapid.T) {
				key := rapid.SampledFrom(keys).Draw(t, "key")
				require.NoError(t, b.Delete(t.Context(), key))
				delete(contents, key)
			},
			"read": func(t *rapid.T) {
				key := rapid.SampledFrom(keys).Draw(t, "key")
				content, ok := contents[key]
				if !ok {
					_, err := b.Open(t.Context(), key, objstore.OpenOptions{})
					require.ErrorIs(t, err, lake.ErrNotFound)
					return
				}
				offset := rapid.IntRange(0, len(content)).Draw(t, "offset")
				length := rapid.IntRange(1, 120).Draw(t, "length")
				want := content[offset:min(offset+length, len(content))]
				require.Equal(t, want, readRange(t, b, key, int64(offset), int64(length)))
			},
		})
	})
}

func TestManyReadersShareOneReadOfTheEnd(t *testing.T) {
	t.Parallel()
	b := setupBucket(cache.BucketOptions{})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("0123456789")))
	got := make([]string, 8)
	var wait sync.WaitGroup
	for i := range got {
		wait.Go(func() {
			data, err := objstore.ReadAll(t.Context(), b, "k", 100)
			got[i] = string(data) + fmt.Sprint(err)
		})
	}
	wait.Wait()
	for _, s := range got {
		require.Equal(t, "0123456789<nil>", s)
	}
	require.EqualValues(t, 1, b.meter.Snapshot().ReadAt.Calls)
}

func BenchmarkFooter(b *testing.B) {
	for name, bucket := range map[string]objstore.Bucket{
		"cache=warm": cache.NewBucket(mem.New(mem.Options{}), cache.BucketOptions{}),
		"cache=none": mem.New(mem.Options{}),
	} {
		b.Run(name, func(b *testing.B) {
			require.NoError(b, objstore.WriteAll(b.Context(), bucket, "k", make([]byte, 1<<20)))
			p := make([]byte, 8)
			b.ReportAllocs()
			for b.Loop() {
				r, err := bucket.Open(b.Context(), "k", objstore.OpenOptions{})
				require.NoError(b, err)
				_, err = r.ReadAt(b.Context(), p, 1<<20-8)
				require.NoError(b, err)
				require.NoError(b, r.Close())
			}
			require.NoError(b, bucket.Delete(b.Context(), "k"))
		})
	}
}
