package sqlcatalog

import (
	"context"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

const (
	// CommitTimeoutDefault is how long a write may take, with its wait for others.
	CommitTimeoutDefault = time.Minute
	// outcomeGrace is how long a caller whose time is over still waits for a COMMIT
	// that was sent. A database answers one in milliseconds unless it hangs, and an
	// outcome that is not known costs the caller more than the wait.
	outcomeGrace = 2 * time.Second
)

// request is one write that waits for the committer. One of commit, stage, unstage
// and renew is set.
type request struct {
	commit  *catalog.Commit
	encoded []encodedFile // the files of commit, in order
	stage   []catalog.StagedFile
	unstage []string
	renew   *renewal

	phase  atomic.Int32
	done   chan struct{}
	result catalog.Result
	err    error
}

// renewal sets the lease of what a holder has staged.
type renewal struct {
	holder string
	until  time.Time
}

// The phases of a request. Its caller withdraws it while nothing of it can have been
// written, which the committer finds out when it goes on to the next phase.
const (
	phaseWaiting   = iota // in the queue
	phaseDrafting         // the committer has begun
	phasePublished        // COMMIT was sent, or is about to be
	phaseWithdrawn        // its caller has gone
)

// move changes the phase if it is from.
func (r *request) move(from, to int32) bool { return r.phase.CompareAndSwap(from, to) }

func (r *request) withdraw() bool {
	return r.move(phaseWaiting, phaseWithdrawn) || r.move(phaseDrafting, phaseWithdrawn)
}

func (r *request) finish(result catalog.Result, err error) {
	r.result, r.err = result, err
	close(r.done)
}

// submit hands a request to the committer and waits for its answer, no longer than
// ctx and the catalog's commit timeout.
//
// Errors: that of ctx, or KindUnavailable, if the request was withdrawn before
// anything of it could be written; KindIndeterminate if not.
func (c *Catalog) submit(ctx context.Context, r *request) (catalog.Result, error) {
	if err := ctx.Err(); err != nil {
		return catalog.Result{}, err
	}
	r.done = make(chan struct{})
	closed := lake.Errorf(lake.KindUnavailable, "the catalog is closed")
	select {
	case <-c.closing:
		return catalog.Result{}, closed
	default:
	}
	late, stop := clock.After(c.clock, c.commitTimeout)
	defer stop()
	tooLate := lake.Errorf(lake.KindUnavailable, "the catalog did not commit within %s", c.commitTimeout)
	select {
	case c.queue <- r:
	case <-ctx.Done():
		return catalog.Result{}, ctx.Err()
	case <-late:
		return catalog.Result{}, tooLate
	case <-c.closing:
		return catalog.Result{}, closed
	}
	closing := c.closing
	for {
		select {
		case <-r.done:
			return r.result, r.err
		case <-ctx.Done():
			return c.giveUp(r, ctx.Err())
		case <-late:
			return c.giveUp(r, tooLate)
		case <-closing:
			if r.move(phaseWaiting, phaseWithdrawn) {
				return catalog.Result{}, closed
			}
			closing = nil // Close waits for what the committer has begun
		}
	}
}

// giveUp ends the wait for a request because of err.
func (c *Catalog) giveUp(r *request, err error) (catalog.Result, error) {
	if r.withdraw() {
		return catalog.Result{}, err
	}
	late, stop := clock.After(c.clock, outcomeGrace)
	defer stop()
	select {
	case <-r.done:
		return r.result, r.err
	case <-late:
		if r.withdraw() { // the COMMIT was refused, and is about to be tried again
			return catalog.Result{}, err
		}
		return catalog.Result{}, lake.Errorf(lake.KindIndeterminate, "the database has not answered a COMMIT: %w", err)
	}
}

// Commit publishes one snapshot.
func (c *Catalog) Commit(ctx context.Context, commit catalog.Commit) (catalog.Result, error) {
	if err := transition.CheckTokens(&commit); err != nil {
		return catalog.Result{}, err
	}
	return c.submit(ctx, &request{commit: &commit, encoded: c.encode(ctx, &commit)})
}

// Stage records objects that are about to be written.
func (c *Catalog) Stage(ctx context.Context, files []catalog.StagedFile) error {
	if len(files) == 0 {
		return ctx.Err()
	}
	for _, f := range files {
		if !utf8.ValidString(f.Path) || !utf8.ValidString(f.Token) || !utf8.ValidString(f.Holder) {
			return lake.Errorf(lake.KindInvalid, "staged file %q: its path, token or holder is no UTF-8", f.Path)
		}
	}
	_, err := c.submit(ctx, &request{stage: files})
	return err
}

// Unstage forgets staged objects.
func (c *Catalog) Unstage(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return ctx.Err()
	}
	_, err := c.submit(ctx, &request{unstage: paths})
	return err
}

// Renew sets the lease of all that a holder has staged.
func (c *Catalog) Renew(ctx context.Context, holder string, until time.Time) error {
	_, err := c.submit(ctx, &request{renew: &renewal{holder, until}})
	return err
}

// Staged returns all staged objects.
func (c *Catalog) Staged(ctx context.Context) ([]catalog.StagedFile, error) {
	var out []catalog.StagedFile
	err := c.transaction(ctx, "read staged files", func(s *session) (err error) {
		out, err = s.staged(ctx)
		return err
	})
	return out, err
}

// Outcome returns the result of the Commit with the given token.
func (c *Catalog) Outcome(ctx context.Context, token string) (catalog.Result, error) {
	var out catalog.Result
	err := c.transaction(ctx, "read append token", func(s *session) error {
		result, found, err := s.outcome(ctx, token)
		if err == nil && !found {
			err = lake.Errorf(lake.KindNotFound, "no commit has the token %q", token)
		}
		out = result
		return err
	})
	return out, err
}
