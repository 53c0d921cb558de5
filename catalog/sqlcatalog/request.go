package sqlcatalog

import (
	"context"
	"sync/atomic"
	"unicode/utf8"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// tokenBytesMax is the longest append token.
const tokenBytesMax = 256

// request is one write that waits for the committer. One of commit, stage and
// unstage is set.
type request struct {
	commit  *catalog.Commit
	stage   []catalog.StagedFile
	unstage []string

	// claimed says who decides: the committer that begins it, or the caller
	// that gives up before.
	claimed atomic.Bool
	done    chan struct{}
	result  catalog.Result
	err     error
}

func (r *request) finish(result catalog.Result, err error) {
	r.result, r.err = result, err
	close(r.done)
}

// submit hands a request to the committer and waits for its answer. A caller
// whose context ends gives up only if the committer has not begun: an outcome
// is never left unknown.
func (c *Catalog) submit(ctx context.Context, r *request) (catalog.Result, error) {
	r.done = make(chan struct{})
	closed := lake.Errorf(lake.KindUnavailable, "the catalog is closed")
	select {
	case <-c.closing:
		return catalog.Result{}, closed
	default:
	}
	select {
	case c.queue <- r:
	case <-ctx.Done():
		return catalog.Result{}, ctx.Err()
	case <-c.closing:
		return catalog.Result{}, closed
	}
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		if r.claimed.CompareAndSwap(false, true) {
			return catalog.Result{}, ctx.Err()
		}
	case <-c.closing:
		if r.claimed.CompareAndSwap(false, true) {
			return catalog.Result{}, closed
		}
	}
	<-r.done
	return r.result, r.err
}

// Commit publishes one snapshot.
func (c *Catalog) Commit(ctx context.Context, commit catalog.Commit) (catalog.Result, error) {
	if err := checkTokens(&commit); err != nil {
		return catalog.Result{}, err
	}
	return c.submit(ctx, &request{commit: &commit})
}

func checkTokens(c *catalog.Commit) error {
	tokens := map[string]bool{}
	if c.Token != "" {
		tokens[c.Token] = true
	}
	for _, a := range c.Appends {
		if a.Token == "" || tokens[a.Token] {
			return lake.Errorf(lake.KindInvalid, "append token %q of a commit is empty or repeated", a.Token)
		}
		tokens[a.Token] = true
	}
	for token := range tokens {
		if len(token) > tokenBytesMax || !utf8.ValidString(token) {
			return lake.Errorf(lake.KindInvalid, "an append token is UTF-8 text of at most %d bytes", tokenBytesMax)
		}
	}
	return nil
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
