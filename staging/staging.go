// Package staging keeps account of the objects of writes that are not committed: each is
// registered before its upload begins, and is removed unless a commit adds it.
//
// It neither writes objects nor commits them: packages writer and catalog do.
package staging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/objstore"
)

const (
	// leaseDuration is how long a staged object is presumed to be in use by the
	// process that staged it. A restarted server holds the exclusive lock of the
	// catalog and need not wait for it.
	leaseDuration = 24 * time.Hour
	// cleanupTimeout bounds what is done after a statement's context has ended.
	cleanupTimeout = 30 * time.Second
)

// Catalog is where staged objects are registered.
type Catalog interface {
	Stage(ctx context.Context, files []catalog.StagedFile) error
	Unstage(ctx context.Context, paths []string) error
	Staged(ctx context.Context) ([]catalog.StagedFile, error)
}

// Area is the staged objects of one process. Safe for concurrent use.
type Area struct {
	catalog Catalog
	bucket  objstore.Bucket
	clock   clock.Clock
	log     *slog.Logger
	holder  string // names this process
}

// New returns the Area of this process.
func New(c Catalog, b objstore.Bucket, clk clock.Clock, log *slog.Logger) *Area {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return &Area{catalog: c, bucket: b, clock: clk, log: log, holder: fmt.Sprintf("process %d on %s", os.Getpid(), host)}
}

// Stage registers objects before their upload begins. It is a writer.StageFunc.
func (a *Area) Stage(ctx context.Context, paths []string) error {
	lease := a.clock.Now().Add(leaseDuration)
	files := make([]catalog.StagedFile, len(paths))
	for i, path := range paths {
		files[i] = catalog.StagedFile{Path: path, Holder: a.holder, LeaseUntil: lease}
	}
	return a.catalog.Stage(ctx, files)
}

// Forget takes staged keys off the register that hold no object, also if ctx has
// ended. What fails stays staged, which is harmless.
func (a *Area) Forget(ctx context.Context, keys []string) {
	if len(keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := a.catalog.Unstage(ctx, keys); err != nil {
		a.log.WarnContext(ctx, "unused keys stay staged", slog.String("error", err.Error()))
	}
}

// Discard removes objects that no commit adds, also if ctx has ended. What fails is left
// staged, and removed by the next Recover.
func (a *Area) Discard(ctx context.Context, paths []string) {
	if len(paths) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := a.discard(ctx, paths); err != nil {
		a.log.WarnContext(ctx, "files of a failed append stay staged", slog.String("error", err.Error()))
	}
}

// Recover removes the objects that a crashed process had staged and not
// published. It is called before the first statement, by the process that
// holds the catalog's exclusive lock, so no staged object is in use.
func (a *Area) Recover(ctx context.Context) error {
	staged, err := a.catalog.Staged(ctx)
	if err != nil {
		return fmt.Errorf("recover staged files: %w", err)
	}
	paths := make([]string, len(staged))
	for i, f := range staged {
		paths[i] = f.Path
	}
	if err := a.discard(ctx, paths); err != nil {
		return fmt.Errorf("recover staged files: %w", err)
	}
	if len(paths) > 0 {
		a.log.InfoContext(ctx, "removed files of unfinished appends", slog.Int("files", len(paths)))
	}
	return nil
}

// discard deletes objects that are in no Snapshot, then forgets them. An object
// that cannot be deleted stays staged, for the next Recover.
func (a *Area) discard(ctx context.Context, paths []string) error {
	var errs []error
	gone := make([]string, 0, len(paths))
	for _, path := range paths {
		if err := a.bucket.Delete(ctx, path); err != nil {
			errs = append(errs, fmt.Errorf("delete %s: %w", path, err))
			continue
		}
		gone = append(gone, path)
	}
	if len(gone) > 0 {
		errs = append(errs, a.catalog.Unstage(ctx, gone))
	}
	return errors.Join(errs...)
}
