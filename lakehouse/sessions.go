package lakehouse

import (
	"context"
	"errors"
	"strings"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/scanner"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/txn"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// Sessions opens and closes sessions, with all that belongs to them.
type Sessions struct {
	registry     *session.Registry
	transactions *txn.Manager
	statements   *workload.Registry
	views        *view.Views
	queries      *query.Processor
	footers      *cache.Cache[scanner.FooterKey, *scanner.Footer]
}

// Open begins a session of an identity.
//
// Errors: KindExhausted at the limit of sessions.
func (s *Sessions) Open(ctx context.Context, of *auth.Identity) (*session.Session, error) {
	x, err := s.registry.Open(of)
	if !errors.Is(err, lake.ErrExhausted) {
		return x, err
	}
	// Their own first: those of others make no room in the share of a user.
	own := func(x *session.Session) bool { return !s.transactions.Open(x) && x.Identity().Name() == of.Name() }
	unused := s.registry.Unused(own)
	if unused == nil && !errors.Is(err, auth.ErrShare) {
		unused = s.registry.Unused(func(x *session.Session) bool { return !s.transactions.Open(x) })
	}
	if unused == nil {
		return nil, err
	}
	s.end(ctx, unused, "its session gave way to another")
	return s.registry.Open(of)
}

// Use returns an open session of the identity, and counts as its use.
//
// Errors: KindUnauthenticated if it is not known, has ended, or is another's.
func (s *Sessions) Use(id session.ID, of *auth.Identity) (*session.Session, error) {
	return s.registry.Use(id, of)
}

// Close rolls back what is open and forgets the session: its statements end, its
// temporary tables are gone. A session that has ended is no error.
func (s *Sessions) Close(ctx context.Context, id session.ID) {
	if x, ok := s.registry.Get(id); ok {
		s.end(ctx, x, "its session was closed")
	}
}

// SetOption is session.Session.SetOption.
func (s *Sessions) SetOption(ctx context.Context, x *session.Session, name string, value any) error {
	return x.SetOption(ctx, s, name, value)
}

// end ends a session for a reason that its statements' clients are told.
func (s *Sessions) end(ctx context.Context, x *session.Session, reason string) {
	if !s.registry.Remove(x) {
		return
	}
	s.statements.KillSession(string(x.ID()), reason)
	s.transactions.EndSession(ctx, x)
	s.views.Forget(x)
	if folder := x.DropTemporary(); folder != "" {
		s.queries.Forget(x)
		s.footers.RemoveFunc(func(k scanner.FooterKey) bool { return strings.HasPrefix(k.Path, folder) })
	}
}

// sweep ends the sessions that were not used for too long.
func (s *Sessions) sweep(ctx context.Context) {
	for _, x := range s.registry.Idle() {
		s.end(ctx, x, "its session was idle for too long")
	}
}

// closeAll ends all sessions, when the server stops.
func (s *Sessions) closeAll(ctx context.Context) {
	for _, x := range s.registry.List() {
		s.end(ctx, x, "the server is shutting down")
	}
}

var _ session.Names = (*Sessions)(nil)

// SchemaName implements session.Names.
func (s *Sessions) SchemaName(ctx context.Context, x *session.Session, name string) (string, error) {
	v, err := s.views.Look(ctx, session.Caller{Identity: x.Identity(), Session: x}, session.Scope{})
	if err != nil {
		return "", err
	}
	schema, ok := v.State.Schema(name)
	if !ok {
		if rest, found := strings.CutPrefix(strings.ToLower(name), lake.CatalogName+"."); found {
			schema, ok = v.State.Schema(rest)
		}
	}
	if !ok {
		return "", lake.SchemaNotFound(v.State, name)
	}
	return schema.Name, nil
}

// EngineSetting implements session.Names.
func (s *Sessions) EngineSetting(name string) bool { return s.queries.HasSetting(name) }
