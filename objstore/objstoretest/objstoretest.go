// Package objstoretest is the specification of objstore.Bucket as tests. Every
// driver and every decorator runs it.
package objstoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// bytesMax bounds the objects that the suite reads back.
const bytesMax = 1 << 24

// NewFunc returns an empty Bucket for one test, which cleans up after itself.
type NewFunc func(t *testing.T) objstore.Bucket

// Run runs the suite. newBucket is called once per test, concurrently.
func Run(t *testing.T, newBucket NewFunc) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, objstore.Bucket)
	}{
		{"an object reads as it was written", testRoundTrip},
		{"an empty object is an object", testEmptyObject},
		{"write does not keep the buffer", testWriteCopies},
		{"read does not hand out the object", testReadCopies},
		{"nothing is visible before commit", testInvisible},
		{"delete leaves an object being written alone", testDeleteWhileWriting},
		{"abort leaves nothing", testAbort},
		{"abort after commit keeps the object", testAbortAfterCommit},
		{"a finished writer refuses", testFinished},
		{"an existing key is kept", testExists},
		{"a race for one key has one winner", testRace},
		{"different keys are written at once", testConcurrentKeys},
		{"what does not exist is not found", testNotFound},
		{"ranges", testRanges},
		{"a reader is used at once by many", testConcurrentReads},
		{"a closed reader refuses", testClosedReader},
		{"an object is opened by its length", testGivenBytes},
		{"another length than the object's is found", testWrongBytes},
		{"what does not exist is not found by its length", testNotFoundByBytes},
		{"delete is idempotent", testDelete},
		{"many objects are deleted at once", testDeleteMany},
		{"delete takes all keys or none", testDeleteRefuses},
		{"a deleted key can be written again", testRecreate},
		{"a listing tells when an object was written", testModified},
		{"a listing is sorted by the bytes of the keys", testListOrder},
		{"a prefix may end inside a name", testListPrefix},
		{"a listing stops early", testListStop},
		{"a listing may delete", testListDelete},
		{"invalid keys", testInvalidKeys},
		{"unusual keys", testUnusualKeys},
		{"a cancelled context has no effect", testCancelled},
		{"a cancelled write cannot be committed", testCancelledWrite},
		{"a cancelled commit publishes nothing", testCancelledCommit},
		{"a cancelled abort leaves nothing visible", testCancelledAbort},
		{"a local path holds the object", testLocalPath},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.test(t, newBucket(t))
		})
	}
}

func write(t *testing.T, b objstore.Bucket, key, data string) {
	t.Helper()
	require.NoError(t, objstore.WriteAll(t.Context(), b, key, []byte(data)), "key %q", key)
}

func read(t *testing.T, b objstore.Bucket, key string) string {
	t.Helper()
	data, err := objstore.ReadAll(t.Context(), b, key, bytesMax)
	require.NoError(t, err, "key %q", key)
	return string(data)
}

func listObjects(t *testing.T, b objstore.Bucket, prefix string) []objstore.Object {
	t.Helper()
	var objects []objstore.Object
	require.NoError(t, b.List(t.Context(), prefix, func(o objstore.Object) error {
		objects = append(objects, o)
		return nil
	}))
	return objects
}

func list(t *testing.T, b objstore.Bucket, prefix string) []string {
	t.Helper()
	keys := []string{}
	for _, o := range listObjects(t, b, prefix) {
		keys = append(keys, o.Key)
	}
	return keys
}

func requireKind(t *testing.T, want *lake.Error, err error, args ...any) {
	t.Helper()
	require.ErrorIs(t, err, want, args...)
}

func requireAbsent(t *testing.T, b objstore.Bucket, key string) {
	t.Helper()
	_, err := b.Open(t.Context(), key, objstore.OpenOptions{})
	requireKind(t, lake.ErrNotFound, err)
	require.NotContains(t, list(t, b, ""), key)
}

func create(t *testing.T, b objstore.Bucket, key string) objstore.Writer {
	t.Helper()
	w, err := b.Create(t.Context(), key)
	require.NoError(t, err)
	return w
}

func testRoundTrip(t *testing.T, b objstore.Bucket) {
	content := make([]byte, 300_000)
	for i := range content {
		content[i] = byte(i * 7 / 3)
	}
	w := create(t, b, "main/t/1.parquet")
	for rest, n := content, 1; len(rest) > 0; n = n*3 + 1 {
		piece := rest[:min(n, len(rest))]
		written, err := w.Write(t.Context(), piece)
		require.NoError(t, err)
		require.Len(t, piece, written)
		rest = rest[len(piece):]
	}
	require.NoError(t, w.Commit(t.Context()))
	require.Equal(t, string(content), read(t, b, "main/t/1.parquet"))

	objects := listObjects(t, b, "")
	require.Len(t, objects, 1)
	require.Equal(t, "main/t/1.parquet", objects[0].Key)
	require.EqualValues(t, len(content), objects[0].Bytes)
}

func testEmptyObject(t *testing.T, b objstore.Bucket) {
	require.NoError(t, create(t, b, "empty").Commit(t.Context()))
	require.Empty(t, read(t, b, "empty"))
	require.Equal(t, []string{"empty"}, list(t, b, ""))
}

func testWriteCopies(t *testing.T, b objstore.Bucket) {
	w := create(t, b, "k")
	buffer := []byte("first")
	_, err := w.Write(t.Context(), buffer)
	require.NoError(t, err)
	copy(buffer, "XXXXX")
	require.NoError(t, w.Commit(t.Context()))
	require.Equal(t, "first", read(t, b, "k"))
}

func testReadCopies(t *testing.T, b objstore.Bucket) {
	write(t, b, "k", "first")
	data, err := objstore.ReadAll(t.Context(), b, "k", bytesMax)
	require.NoError(t, err)
	copy(data, "XXXXX")
	require.Equal(t, "first", read(t, b, "k"))
}

func testInvisible(t *testing.T, b objstore.Bucket) {
	w := create(t, b, "a/b/k")
	requireAbsent(t, b, "a/b/k")
	_, err := w.Write(t.Context(), []byte("something"))
	require.NoError(t, err)
	requireAbsent(t, b, "a/b/k")
	require.NoError(t, w.Commit(t.Context()))
	require.Equal(t, "something", read(t, b, "a/b/k"))
	require.Equal(t, []string{"a/b/k"}, list(t, b, ""))
}

func testDeleteWhileWriting(t *testing.T, b objstore.Bucket) {
	w := create(t, b, "k")
	_, err := w.Write(t.Context(), []byte("first"))
	require.NoError(t, err)
	require.NoError(t, b.Delete(t.Context(), "k"))
	require.NoError(t, w.Commit(t.Context()))
	require.Equal(t, "first", read(t, b, "k"))
}

func testAbort(t *testing.T, b objstore.Bucket) {
	w := create(t, b, "k")
	_, err := w.Write(t.Context(), []byte("first"))
	require.NoError(t, err)
	require.NoError(t, w.Abort(t.Context()))
	require.NoError(t, w.Abort(t.Context()))
	requireAbsent(t, b, "k")
	write(t, b, "k", "second")
	require.Equal(t, "second", read(t, b, "k"))
}

func testAbortAfterCommit(t *testing.T, b objstore.Bucket) {
	w := create(t, b, "k")
	_, err := w.Write(t.Context(), []byte("first"))
	require.NoError(t, err)
	require.NoError(t, w.Commit(t.Context()))
	require.NoError(t, w.Abort(t.Context()))
	require.Equal(t, "first", read(t, b, "k"))
}

func testFinished(t *testing.T, b objstore.Bucket) {
	committed := create(t, b, "committed")
	require.NoError(t, committed.Commit(t.Context()))
	aborted := create(t, b, "aborted")
	require.NoError(t, aborted.Abort(t.Context()))
	for _, w := range []objstore.Writer{committed, aborted} {
		_, err := w.Write(t.Context(), []byte("late"))
		requireKind(t, lake.ErrState, err)
		requireKind(t, lake.ErrState, w.Commit(t.Context()))
	}
	require.Equal(t, []string{"committed"}, list(t, b, ""))
	require.Empty(t, read(t, b, "committed"))
}

func testExists(t *testing.T, b objstore.Bucket) {
	write(t, b, "k", "first")
	requireKind(t, lake.ErrExists, objstore.WriteAll(t.Context(), b, "k", []byte("second")))
	require.Equal(t, "first", read(t, b, "k"))
	require.Equal(t, []string{"k"}, list(t, b, ""))
}

func testNotFound(t *testing.T, b objstore.Bucket) {
	write(t, b, "folder/k", "first")
	for _, key := range []string{"k", "folder", "folder/k2", "folder/k/below", "other/k"} {
		_, err := b.Open(t.Context(), key, objstore.OpenOptions{})
		requireKind(t, lake.ErrNotFound, err, "key %q", key)
		require.NoError(t, b.Delete(t.Context(), key), "key %q", key)
	}
	require.Empty(t, list(t, b, "other/"))
	require.Empty(t, list(t, b, "folder/k/"))
	require.Equal(t, []string{"folder/k"}, list(t, b, ""))
}

func testRanges(t *testing.T, b objstore.Bucket) {
	const content = "0123456789"
	write(t, b, "k", content)
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.Equal(t, int64(len(content)), r.Size())
	tests := []struct {
		name   string
		offset int64
		length int
		want   string
		err    error
	}{
		{"all", 0, 10, content, nil},
		{"inside", 3, 4, "3456", nil},
		{"to the end", 6, 4, "6789", nil},
		{"across the end", 6, 5, "6789", io.EOF},
		{"all and more", 0, 100, content, io.EOF},
		{"at the end", 10, 1, "", io.EOF},
		{"past the end", 1 << 40, 1, "", io.EOF},
		{"nothing", 3, 0, "", nil},
		{"nothing from nowhere", -1, 0, "", lake.ErrInvalid},
		{"negative", -1, 4, "", lake.ErrInvalid},
	}
	for _, test := range tests {
		p := bytes.Repeat([]byte{'.'}, test.length)
		n, err := r.ReadAt(t.Context(), p, test.offset)
		require.ErrorIs(t, err, test.err, test.name)
		require.Equal(t, test.want, string(p[:n]), test.name)
	}
}

func testClosedReader(t *testing.T, b objstore.Bucket) {
	write(t, b, "k", "first")
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	_, err = r.ReadAt(t.Context(), make([]byte, 5), 0)
	requireKind(t, lake.ErrState, err)
}

func testGivenBytes(t *testing.T, b objstore.Bucket) {
	write(t, b, "k", "content")
	for _, given := range []int64{7, 0, lake.Unknown} {
		r, err := b.Open(t.Context(), "k", objstore.OpenOptions{Bytes: given})
		require.NoError(t, err)
		require.EqualValues(t, 7, r.Size())
		p := make([]byte, 8)
		n, err := r.ReadAt(t.Context(), p, 3)
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, "tent", string(p[:n]))
		require.NoError(t, r.Close())
	}
}

// testWrongBytes lets a store find out by a read, if it opens without asking.
func testWrongBytes(t *testing.T, b objstore.Bucket) {
	write(t, b, "k", "content")
	for _, given := range []int64{6, 8, 1000} {
		r, err := b.Open(t.Context(), "k", objstore.OpenOptions{Bytes: given})
		require.NoError(t, err)
		if r.Size() == given {
			_, err = r.ReadAt(t.Context(), make([]byte, 1), 0)
			requireKind(t, lake.ErrCorrupt, err)
		} else {
			require.EqualValues(t, 7, r.Size())
		}
		require.NoError(t, r.Close())
	}
}

// testNotFoundByBytes lets a store find out by a read, if it opens without asking.
func testNotFoundByBytes(t *testing.T, b objstore.Bucket) {
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{Bytes: 7})
	if err == nil {
		_, err = r.ReadAt(t.Context(), make([]byte, 1), 0)
		require.NoError(t, r.Close())
	}
	requireKind(t, lake.ErrNotFound, err)
}

func testDelete(t *testing.T, b objstore.Bucket) {
	write(t, b, "a/k", "first")
	write(t, b, "a/l", "other")
	require.NoError(t, b.Delete(t.Context(), "a/k"))
	require.NoError(t, b.Delete(t.Context(), "a/k"))
	require.NoError(t, b.Delete(t.Context(), "never/was"))
	requireAbsent(t, b, "a/k")
	require.Equal(t, []string{"a/l"}, list(t, b, ""))
}

func testDeleteMany(t *testing.T, b objstore.Bucket) {
	keys := make([]string, objstore.DeleteKeysMax)
	for i := range keys {
		keys[i] = fmt.Sprintf("a/%d", i)
	}
	for _, key := range append([]string{"b"}, keys[:20]...) {
		write(t, b, key, "first")
	}
	require.NoError(t, b.Delete(t.Context()))
	require.NoError(t, b.Delete(t.Context(), keys[0], keys[0], "never/was", keys[1]))
	require.Len(t, list(t, b, ""), 19)
	require.NoError(t, b.Delete(t.Context(), keys...))
	require.Equal(t, []string{"b"}, list(t, b, ""))
}

func testDeleteRefuses(t *testing.T, b objstore.Bucket) {
	write(t, b, "k", "first")
	requireKind(t, lake.ErrInvalid, b.Delete(t.Context(), "k", "../k"))
	tooMany := make([]string, objstore.DeleteKeysMax+1)
	for i := range tooMany {
		tooMany[i] = "k"
	}
	requireKind(t, lake.ErrInvalid, b.Delete(t.Context(), tooMany...))
	require.Equal(t, "first", read(t, b, "k"))
}

func testRecreate(t *testing.T, b objstore.Bucket) {
	write(t, b, "k", "a first content")
	require.Equal(t, "a first content", read(t, b, "k"))
	require.NoError(t, b.Delete(t.Context(), "k"))
	write(t, b, "k", "second")
	require.Equal(t, "second", read(t, b, "k"))
}

func testCancelled(t *testing.T, b objstore.Bucket) {
	write(t, b, "k", "first")
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Create(ctx, "new")
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.Open(ctx, "k", objstore.OpenOptions{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.ReadAt(ctx, make([]byte, 5), 0)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, b.Delete(ctx, "k"), context.Canceled)
	require.ErrorIs(t, b.List(ctx, "", func(objstore.Object) error {
		return errors.New("listed")
	}), context.Canceled)
	require.Equal(t, []string{"k"}, list(t, b, ""))
	require.Equal(t, "first", read(t, b, "k"))
}

func testCancelledWrite(t *testing.T, b objstore.Bucket) {
	w := create(t, b, "k")
	_, err := w.Write(t.Context(), []byte("first"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.Write(ctx, []byte(" second"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = w.Write(t.Context(), []byte(" third"))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, w.Commit(t.Context()), context.Canceled)
	requireAbsent(t, b, "k")
	write(t, b, "k", "second")
	require.Equal(t, "second", read(t, b, "k"))
}

func testCancelledAbort(t *testing.T, b objstore.Bucket) {
	w := create(t, b, "k")
	_, err := w.Write(t.Context(), []byte("first"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Abort(ctx); err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	requireKind(t, lake.ErrState, w.Commit(t.Context()))
	requireAbsent(t, b, "k")
	write(t, b, "k", "second")
	require.Equal(t, "second", read(t, b, "k"))
}

func testCancelledCommit(t *testing.T, b objstore.Bucket) {
	w := create(t, b, "k")
	_, err := w.Write(t.Context(), []byte("first"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.Commit(ctx), context.Canceled)
	requireAbsent(t, b, "k")
	requireKind(t, lake.ErrState, w.Commit(t.Context()))
	require.NoError(t, w.Abort(t.Context()))
	requireAbsent(t, b, "k")
	write(t, b, "k", "second")
	require.Equal(t, "second", read(t, b, "k"))
}
