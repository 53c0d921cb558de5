package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flightlake/flightlake/lake"
)

// writer is one file being written under its final name.
type writer struct {
	bucket   *Bucket
	key      string
	file     *os.File
	err      error // of the first failed Write
	finished bool
}

// Write implements objstore.Writer.
func (w *writer) Write(ctx context.Context, p []byte) (int, error) {
	if w.finished {
		return 0, errFinished(w.key)
	}
	if w.err == nil {
		w.err = ctx.Err()
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	w.err = storeError("write", w.key, err)
	return n, w.err
}

// Commit implements objstore.Writer. It syncs the file, then the folders that
// lead to it.
func (w *writer) Commit(ctx context.Context) error {
	if w.finished {
		return errFinished(w.key)
	}
	err := w.err
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = storeError("sync", w.key, w.file.Sync())
	}
	if err == nil {
		err = storeError("sync folder of", w.key, w.bucket.folders.sync(filepath.Dir(w.bucket.path(w.key))))
	}
	if err != nil {
		return errors.Join(err, w.discard())
	}
	w.finished = true
	if err := w.file.Close(); err != nil {
		return errors.Join(storeError("close", w.key, err), w.remove())
	}
	w.bucket.finish(w.key)
	return nil
}

// Abort implements objstore.Writer. It removes the file also if ctx has ended:
// that does not wait.
func (w *writer) Abort(context.Context) error {
	if w.finished {
		return nil
	}
	return w.discard()
}

// discard closes and removes the file.
func (w *writer) discard() error {
	w.finished = true
	return errors.Join(storeError("close", w.key, w.file.Close()), w.remove())
}

// remove removes the file. A file that cannot be removed stays hidden.
func (w *writer) remove() error {
	if err := os.Remove(w.bucket.path(w.key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return storeError("discard", w.key, err)
	}
	w.bucket.finish(w.key)
	return nil
}

func errFinished(key string) error {
	return lake.Errorf(lake.KindState, "write object %q: it was committed or aborted", key)
}
