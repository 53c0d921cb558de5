//go:build unix

package local

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

func TestOutsideOpensAbsolutePathsAndFileURLs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "ü %20.parquet")
	require.NoError(t, os.WriteFile(name, []byte("content"), 0o600))
	link := filepath.Join(folder, "link")
	require.NoError(t, os.Symlink(name, link))
	for _, path := range []string{name, "file:" + name, "file://" + name, "file://localhost" + name, link, filepath.Join(folder, "..", filepath.Base(folder), "link")} {
		r, err := Outside{}.Open(t.Context(), path, objstore.OpenOptions{Bytes: 5})
		require.NoError(t, err, path)
		require.EqualValues(t, 7, r.Size(), path)
		p := make([]byte, 8)
		n, err := r.ReadAt(t.Context(), p, 3)
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, "tent", string(p[:n]))
		require.NoError(t, r.Close())
	}
}

func TestOutsideRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	tests := []struct {
		name, path string
		kind       *lake.Error
	}{
		{"nothing", "", lake.ErrUnsupported},
		{"a path relative to another program", "data/1.parquet", lake.ErrUnsupported},
		{"another store", "s3://bucket/1.parquet", lake.ErrUnsupported},
		{"another machine", "file://elsewhere" + folder, lake.ErrUnsupported},
		{"a relative URL", "file:1.parquet", lake.ErrUnsupported},
		{"what does not exist", filepath.Join(folder, "missing"), lake.ErrNotFound},
		{"a folder", folder, lake.ErrNotFound},
		{"a pipe, which would block", pipe, lake.ErrNotFound},
		{"a device", "/dev/zero", lake.ErrNotFound},
	}
	for _, test := range tests {
		_, err := Outside{}.Open(t.Context(), test.path, objstore.OpenOptions{})
		require.ErrorIs(t, err, test.kind, test.name)
		require.ErrorContains(t, err, test.path, test.name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Outside{}.Open(ctx, pipe, objstore.OpenOptions{})
	require.ErrorIs(t, err, context.Canceled)
}
