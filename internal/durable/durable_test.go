package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/durable"
)

func TestReplaceSetsContentAndMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, durable.Replace(path, []byte("a longer text"), 0o644))
	require.NoError(t, durable.Replace(path, []byte("short"), 0o600))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "short", string(data))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

func TestReplaceThatFailsLeavesWhatWasThere(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "taken")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "inside"), 0o700)) // no file can take its name
	require.Error(t, durable.Replace(path, []byte("x"), 0o600))
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, left, 1, "the temporary file is removed")
	require.DirExists(t, filepath.Join(path, "inside"))
	require.Error(t, durable.Replace(filepath.Join(folder, "missing", "file"), []byte("x"), 0o600))
}

func TestSyncFolderOfNoFolder(t *testing.T) {
	t.Parallel()
	require.NoError(t, durable.SyncFolder(t.TempDir()))
	require.ErrorIs(t, durable.SyncFolder(filepath.Join(t.TempDir(), "missing")), os.ErrNotExist)
}
