//go:build unix

package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

func setup(t *testing.T) *Bucket {
	t.Helper()
	b, err := New(t.TempDir())
	require.NoError(t, err)
	return b
}

func list(t *testing.T, b *Bucket) []string {
	t.Helper()
	var keys []string
	require.NoError(t, b.List(t.Context(), "", func(o objstore.Object) error {
		keys = append(keys, o.Key)
		return nil
	}))
	return keys
}

func TestNewCreatesTheFolderAndLeavesItEmpty(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "a", "b 🦆")
	_, err := New(root)
	require.NoError(t, err)
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	tests := []struct {
		name, root, text string
		kind             *lake.Error
	}{
		{"a file", file, "not a folder", lake.ErrInvalid},
		{"a folder below a file", filepath.Join(file, "x", "y"), "not a folder", lake.ErrInvalid},
		{"nothing", "", "no name", lake.ErrInvalid},
		{"a name that is too long", filepath.Join(t.TempDir(), strings.Repeat("x", 5000)), "too long", lake.ErrInvalid},
	}
	for _, test := range tests {
		_, err := New(test.root)
		require.ErrorIs(t, err, test.kind, test.name)
		require.ErrorContains(t, err, test.text, test.name)
	}
}

func TestErrorsDoNotTellTheFoldersPath(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Open(t.Context(), "t/missing", objstore.OpenOptions{})
	require.EqualError(t, err, `open object "t/missing": no such file or directory`)
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", nil))
	_, err = b.Create(t.Context(), "k")
	require.EqualError(t, err, `create object "k": file exists`)
	_, err = b.Create(t.Context(), "k/below")
	require.EqualError(t, err, `create object "k/below": a folder of its key is an object`)
	require.ErrorIs(t, err, lake.ErrInvalid)
}

func TestFullDiskIsExhaustedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	b := setup(t)
	created, err := b.Create(t.Context(), "t/k")
	require.NoError(t, err)
	w, ok := created.(*writer)
	require.True(t, ok)
	onDisk := w.file
	w.file = full
	_, err = w.Write(t.Context(), []byte("content"))
	require.ErrorIs(t, err, lake.ErrExhausted)
	require.ErrorContains(t, err, "no space left")
	w.file = onDisk
	n, err := w.Write(t.Context(), []byte("content"))
	require.ErrorIs(t, err, lake.ErrExhausted, "the object has a hole: it must not grow")
	require.Zero(t, n)
	require.ErrorIs(t, w.Commit(t.Context()), lake.ErrExhausted)
	require.NoError(t, full.Close())
	require.NoFileExists(t, b.path("t/k"))
	require.NoError(t, objstore.WriteAll(t.Context(), b, "t/k", nil))
}

func TestFileThatCannotBeSyncedIsNotCommitted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	created, err := b.Create(t.Context(), "k")
	require.NoError(t, err)
	w, ok := created.(*writer)
	require.True(t, ok)
	onDisk := w.file
	pipeOut, pipeIn, err := os.Pipe() // a pipe takes writes and refuses to be synced
	require.NoError(t, err)
	w.file = pipeIn
	_, err = w.Write(t.Context(), []byte("content"))
	require.NoError(t, err)
	require.ErrorContains(t, w.Commit(t.Context()), `sync object "k"`)
	require.Empty(t, list(t, b))
	require.NoFileExists(t, b.path("k"))
	require.NoError(t, errors.Join(onDisk.Close(), pipeOut.Close()))
}

func TestCommitSyncsEveryFolderOnceWhoeverCreatedIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var synced []string
	b.folders.syncFunc = func(folder string) error {
		name, err := filepath.Rel(b.root, folder)
		require.NoError(t, err)
		synced = append(synced, name)
		return nil
	}
	commit := func(key string) []string {
		synced = nil
		require.NoError(t, objstore.WriteAll(t.Context(), b, key, nil))
		return synced
	}
	require.NoError(t, os.MkdirAll(filepath.Join(b.root, "a", "b"), 0o755), "a process that crashed before it synced")
	require.Equal(t, []string{"a/b/c", "a/b", "a", "."}, commit("a/b/c/1"))
	require.Equal(t, []string{"a/b/c"}, commit("a/b/c/2"))
	require.Equal(t, []string{"a/b/d", "a/b"}, commit("a/b/d/1"))
	require.Equal(t, []string{"a"}, commit("a/1"))
	require.Equal(t, []string{"."}, commit("1"))
}

func TestFailedFolderSyncPublishesNothingAndIsRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.folders.syncFunc = func(folder string) error {
		if folder == b.root {
			return syscall.EIO
		}
		return nil
	}
	require.ErrorIs(t, objstore.WriteAll(t.Context(), b, "a/1", nil), lake.ErrUnavailable)
	require.Empty(t, list(t, b))
	require.NoFileExists(t, b.path("a/1"))

	var synced int
	b.folders.syncFunc = func(string) error { synced++; return nil }
	require.NoError(t, objstore.WriteAll(t.Context(), b, "a/1", nil))
	require.Equal(t, 2, synced, "a folder whose sync failed is not durable")
}

func TestFilesThatAreNoObjects(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, objstore.WriteAll(t.Context(), b, "t/object", []byte("content")))
	inRoot := func(name string) string { return filepath.Join(b.root, name) }
	require.NoError(t, os.Symlink(inRoot("t/object"), inRoot("link")))
	require.NoError(t, os.Symlink(b.root, inRoot("ring")))
	require.NoError(t, os.Symlink(inRoot("nothing"), inRoot("dangling")))
	require.NoError(t, os.WriteFile(inRoot(`back\slash`), nil, 0o600))
	require.NoError(t, os.WriteFile(inRoot("not\xffutf8"), nil, 0o600))
	require.NoError(t, os.Mkdir(inRoot("empty"), 0o755))
	require.NoError(t, syscall.Mkfifo(inRoot("pipe"), 0o600))

	require.Equal(t, []string{"link", "t/object"}, list(t, b))
	for _, key := range []string{"pipe", "empty", "ring", "dangling"} {
		_, err := b.Open(t.Context(), key, objstore.OpenOptions{})
		require.ErrorIs(t, err, lake.ErrNotFound, key)
		require.NoError(t, b.Delete(t.Context(), key))
	}
	require.DirExists(t, inRoot("empty"), "delete removes objects, not folders")
}

func TestFileOfACrashedWriterIsAnOrphanThatCanBeDeleted(t *testing.T) {
	t.Parallel()
	crashed := setup(t)
	w, err := crashed.Create(t.Context(), "t/k")
	require.NoError(t, err)
	_, err = w.Write(t.Context(), []byte("half"))
	require.NoError(t, err)

	restarted, err := New(crashed.root)
	require.NoError(t, err)
	_, err = restarted.Create(t.Context(), "t/k")
	require.ErrorIs(t, err, lake.ErrExists)
	require.Equal(t, []string{"t/k"}, list(t, restarted))
	require.NoError(t, restarted.Delete(t.Context(), "t/k"))
	require.Empty(t, list(t, restarted))
	require.NoError(t, w.Abort(t.Context()), "the file is gone already")
}

func TestKindOfSystemErrors(t *testing.T) {
	t.Parallel()
	tests := map[error]lake.Kind{
		syscall.ENOENT:       lake.KindNotFound,
		syscall.ENOTDIR:      lake.KindNotFound,
		syscall.EEXIST:       lake.KindExists,
		syscall.ENAMETOOLONG: lake.KindInvalid,
		syscall.ENOSPC:       lake.KindExhausted,
		syscall.EDQUOT:       lake.KindExhausted,
		syscall.EMFILE:       lake.KindExhausted,
		syscall.EACCES:       lake.KindState,
		syscall.EPERM:        lake.KindState,
		syscall.EROFS:        lake.KindState,
		os.ErrClosed:         lake.KindState,
		syscall.EIO:          lake.KindUnavailable,
		errors.New("other"):  lake.KindInternal,
	}
	for cause, want := range tests {
		err := storeError("write", "k", &fs.PathError{Op: "write", Path: "/root/k", Err: cause})
		require.Equal(t, want, lake.KindOf(err), "%v", cause)
		require.ErrorIs(t, err, cause)
	}
	require.NoError(t, storeError("write", "k", nil))
}

func BenchmarkCommit(b *testing.B) {
	bucket, err := New(b.TempDir())
	require.NoError(b, err)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		key := "main/t/" + strings.Repeat("x", i%200+1) + string(rune('a'+i%26))
		require.NoError(b, objstore.WriteAll(b.Context(), bucket, key, []byte("content")))
		require.NoError(b, bucket.Delete(b.Context(), key))
	}
}

func BenchmarkOpenAndRead(b *testing.B) {
	bucket, err := New(b.TempDir())
	require.NoError(b, err)
	require.NoError(b, objstore.WriteAll(b.Context(), bucket, "main/t/k", make([]byte, 1<<16)))
	p := make([]byte, 1<<12)
	b.ReportAllocs()
	for b.Loop() {
		r, err := bucket.Open(b.Context(), "main/t/k", objstore.OpenOptions{})
		require.NoError(b, err)
		_, err = r.ReadAt(b.Context(), p, 100)
		require.NoError(b, err)
		require.NoError(b, r.Close())
	}
}
