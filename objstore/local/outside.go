package local

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// Outside opens any file of this machine that the process may read, by its path.
// It is for files that a catalog names although they are in no Bucket; whoever
// names the path chooses what is read, so that it must never come from a client.
type Outside struct{}

// Open opens the regular file at an absolute path or a file: URL for ranged
// reads. The Reader has the length of the file, whatever o says.
//
// Errors: KindUnsupported for a path that is relative to a folder which nobody
// knows any more, or a URL of something else; KindNotFound for what does not
// exist or is no regular file; KindState for a file that may not be read; those
// of Bucket and of ctx.
func (Outside) Open(ctx context.Context, path string, _ objstore.OpenOptions) (objstore.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name := filePath(path)
	if !filepath.IsAbs(name) {
		return nil, lake.Errorf(lake.KindUnsupported, "open file %q: it is neither an absolute path of this machine nor a file: URL", path)
	}
	file, size, err := openRegular(name)
	if err != nil {
		return nil, storeError("open", path, err)
	}
	return &reader{key: path, file: file, size: size}, nil
}

// filePath returns the path in a file: URL, and any other path as it is. Like
// DuckDB, which writes such URLs, it takes "%20" for what it says and knows no
// host but localhost.
func filePath(path string) string {
	rest, ok := strings.CutPrefix(path, "file:")
	if !ok {
		return path
	}
	if local, ok := strings.CutPrefix(rest, "//localhost/"); ok {
		return "/" + local
	}
	if local, ok := strings.CutPrefix(rest, "///"); ok {
		return "/" + local
	}
	if strings.HasPrefix(rest, "/") && !strings.HasPrefix(rest, "//") {
		return rest
	}
	return path
}

// openRegular opens a file for reading, and returns its length. What is not a
// regular file is fs.ErrNotExist: opening a pipe, for one, would block.
func openRegular(name string) (*os.File, int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fs.ErrNotExist
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	if info, err = file.Stat(); err != nil {
		_ = file.Close() // it was only opened
		return nil, 0, err
	}
	return file, info.Size(), nil
}
