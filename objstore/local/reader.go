package local

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/flightlake/flightlake/lake"
)

// reader reads one file with pread.
type reader struct {
	key  string
	file *os.File
	size int64
}

// ReadAt implements objstore.Reader.
func (r *reader) ReadAt(ctx context.Context, p []byte, offset int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, lake.Errorf(lake.KindInvalid, "read object %q: offset %d is negative", r.key, offset)
	}
	n, err := r.file.ReadAt(p, offset)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, storeError("read", r.key, err)
}

// Size implements objstore.Reader.
func (r *reader) Size() int64 { return r.size }

// Close implements objstore.Reader.
func (r *reader) Close() error {
	if err := r.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return storeError("close", r.key, err)
	}
	return nil
}
