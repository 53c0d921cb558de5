// Package lease tells staged objects that somebody writes from those that nobody will
// finish. A process stages its objects under a holder of its own, for a short time that
// it renews while it lives; what is not renewed is abandoned.
//
// It neither deletes objects nor knows where they are.
package lease

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/clock"
)

const (
	// DurationDefault is how long a lease lasts that is not renewed: a process that
	// shares the catalog may stand still for so long before its uploads are lost.
	DurationDefault = 10 * time.Minute
	// renewalsPerLease is how often a lease is renewed before it would end, so that
	// one renewal that fails loses nothing.
	renewalsPerLease = 3
)

// Store is what a Keeper needs of a catalog.
type Store interface {
	catalog.Stager
	catalog.Keeper
	Capabilities() catalog.Capabilities
}

// Options are the settings of a Keeper. The zero value is usable.
type Options struct {
	// Duration is how long a lease lasts; 0 means DurationDefault.
	Duration time.Duration
}

// Keeper stages objects for one process and keeps their leases. It is safe for
// concurrent use.
type Keeper struct {
	store    Store
	clock    clock.Clock
	log      *slog.Logger
	holder   string
	duration time.Duration
	// staged is set if something may be staged whose lease is to be renewed.
	staged atomic.Bool
}

// New returns a Keeper with a holder that no other has, whatever the process, the
// machine and the time.
func New(store Store, clk clock.Clock, log *slog.Logger, o Options) *Keeper {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	return &Keeper{
		store: store, clock: clk, log: log, duration: cmp.Or(o.Duration, DurationDefault),
		holder: fmt.Sprintf("process %d on %s, %s", os.Getpid(), host, uuid.NewString()),
	}
}

// Holder returns the name under which the Keeper stages.
func (k *Keeper) Holder() string { return k.holder }

// Stage registers objects before their upload begins.
//
// Errors: those of catalog.Stager.Stage.
func (k *Keeper) Stage(ctx context.Context, paths []string) error {
	k.staged.Store(true)
	return k.stage(ctx, paths, k.holder, k.clock.Now().Add(k.duration))
}

// Abandon gives staged objects up, so that whoever cleans up next removes them.
//
// Errors: those of catalog.Stager.Stage.
func (k *Keeper) Abandon(ctx context.Context, paths []string) error {
	return k.stage(ctx, paths, "", k.clock.Now())
}

func (k *Keeper) stage(ctx context.Context, paths []string, holder string, until time.Time) error {
	files := make([]catalog.StagedFile, len(paths))
	for i, path := range paths {
		files[i] = catalog.StagedFile{Path: path, Holder: holder, LeaseUntil: until}
	}
	return k.store.Stage(ctx, files)
}

// Abandoned returns the paths of the staged objects that nobody will finish: those
// that were given up, those of others whose lease has ended, and all of others if the
// catalog is exclusive, as these have ended.
//
// Errors: those of catalog.Keeper.Staged.
func (k *Keeper) Abandoned(ctx context.Context) ([]string, error) {
	staged, err := k.store.Staged(ctx)
	if err != nil {
		return nil, err
	}
	now, exclusive := k.clock.Now(), k.store.Capabilities().Exclusive
	var out []string
	for _, f := range staged {
		if f.Holder == k.holder {
			continue // also after its lease: this process lives
		}
		if f.Holder == "" || exclusive || !f.LeaseUntil.After(now) {
			out = append(out, f.Path)
		}
	}
	return out, nil
}

// Renew renews the lease of what the Keeper has staged, if anything.
//
// Errors: those of catalog.Keeper.
func (k *Keeper) Renew(ctx context.Context) error {
	if !k.staged.Swap(false) {
		return nil
	}
	staged, err := k.store.Staged(ctx)
	if err != nil {
		k.staged.Store(true)
		return err
	}
	for _, f := range staged {
		if f.Holder == k.holder {
			k.staged.Store(true)
			return k.store.Renew(ctx, k.holder, k.clock.Now().Add(k.duration))
		}
	}
	return nil
}

// Run renews leases until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	for clock.Sleep(ctx, k.clock, k.duration/renewalsPerLease) == nil {
		if err := k.Renew(ctx); err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "leases of staged files were not renewed", slog.Any("error", err))
		}
	}
}
