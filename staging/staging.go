// Package staging removes the objects of writes that are not committed: each was
// registered in the catalog before its upload began, and goes unless a commit adds it.
//
// It neither writes objects nor commits them: packages writer and catalog do. Which staged
// objects are in use package catalog/lease knows.
package staging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/lease"
	"github.com/flightlake/flightlake/objstore"
)

// cleanupTimeout bounds what is done after a statement's context has ended.
const cleanupTimeout = 30 * time.Second

// Area is the staged objects of one process. Safe for concurrent use.
type Area struct {
	leases  *lease.Keeper
	catalog catalog.Stager
	bucket  objstore.Bucket
	log     *slog.Logger
}

// New returns the Area of the process that keeps the leases.
func New(leases *lease.Keeper, c catalog.Stager, b objstore.Bucket, log *slog.Logger) *Area {
	return &Area{leases: leases, catalog: c, bucket: b, log: log}
}

// Stage registers objects before their upload begins. It is a writer.StageFunc.
func (a *Area) Stage(ctx context.Context, paths []string) error { return a.leases.Stage(ctx, paths) }

// Run renews the leases of what is being written, until ctx ends.
func (a *Area) Run(ctx context.Context) { a.leases.Run(ctx) }

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

// Recover removes the objects that somebody had staged and will not publish any
// more, such as a process that crashed: see lease.Keeper.Abandoned. It is called
// before the first statement.
func (a *Area) Recover(ctx context.Context) error {
	paths, err := a.leases.Abandoned(ctx)
	if err != nil {
		return fmt.Errorf("recover staged files: %w", err)
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
// that cannot be deleted stays staged and is given up, for the next Recover.
func (a *Area) discard(ctx context.Context, paths []string) error {
	var errs []error
	var left []string
	for _, f := range objstore.DeleteAll(ctx, a.bucket, paths) {
		errs = append(errs, fmt.Errorf("delete %s: %w", f.Key, f.Err))
		left = append(left, f.Key)
	}
	if len(left) > 0 {
		errs = append(errs, a.leases.Abandon(ctx, left))
	}
	gone := slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return slices.Contains(left, path) })
	if len(gone) > 0 {
		errs = append(errs, a.catalog.Unstage(ctx, gone))
	}
	return errors.Join(errs...)
}
