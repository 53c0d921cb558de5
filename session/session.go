package session

import (
	"context"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
)

// Session is what a client keeps between its calls: options, temporary tables
// and the transaction that SQL began. Safe for concurrent use.
type Session struct {
	id       SessionID
	identity *auth.Identity
}

// ID returns the session's name, which is a secret of its client.
func (x *Session) ID() SessionID { return x.id }

// Identity returns whose session it is; nil if authentication is off.
func (x *Session) Identity() *auth.Identity { return x.identity }

// Options returns all session options with their values: string, bool, int64,
// float64 or []string. "catalog" and "schema" are always among them.
func (x *Session) Options() map[string]any { return nil }

// SetOption sets an option, or resets it if value is nil.
//
// Errors: KindNotFound for an unknown name; KindInvalid for a value of the wrong
// type or range.
func (x *Session) SetOption(ctx context.Context, name string, value any) error {
	return lake.Errorf(lake.KindUnsupported, "session options")
}

// defaultSchema returns the value of the option "schema"; empty means main.
func (x *Session) defaultSchema() string { return "" }

// temporary returns the temporary tables as they are now; nil means none.
func (x *Session) temporary() *overlay { return nil }

// setTemporary replaces the temporary tables: a rollback restores those of its
// beginning.
func (x *Session) setTemporary(o *overlay) {}

// OpenSession begins a session of an identity.
//
// Errors: KindExhausted at the limit of sessions.
func (s *Service) OpenSession(ctx context.Context, id *auth.Identity) (*Session, error) {
	return nil, lake.Errorf(lake.KindUnsupported, "sessions")
}

// Session returns an open session of the identity, and counts as its use.
//
// Errors: KindUnauthenticated if it is not known, has ended, or is another's.
func (s *Service) Session(id SessionID, of *auth.Identity) (*Session, error) {
	return nil, lake.Errorf(lake.KindUnauthenticated, "the session is not known or has ended")
}

// CloseSession rolls back what is open and forgets the session.
func (s *Service) CloseSession(ctx context.Context, id SessionID) {}

// Begin makes a transaction; it pins no snapshot and takes no lock.
func (s *Service) Begin(ctx context.Context, c Caller) (TransactionID, error) {
	return "", lake.Errorf(lake.KindUnsupported, "transactions")
}

// End commits or rolls back a transaction.
//
// Errors: KindConflict, naming the other snapshot; KindState if it has ended.
func (s *Service) End(ctx context.Context, c Caller, id TransactionID, commit bool) (Update, error) {
	return Update{}, lake.Errorf(lake.KindUnsupported, "transactions")
}

// Savepoint marks a place in the caller's transaction.
func (s *Service) Savepoint(ctx context.Context, c Caller, name string) (SavepointID, error) {
	return "", lake.Errorf(lake.KindUnsupported, "savepoints")
}

// EndSavepoint releases the savepoint, or rolls back to it.
func (s *Service) EndSavepoint(ctx context.Context, c Caller, id SavepointID, release bool) error {
	return lake.Errorf(lake.KindUnsupported, "savepoints")
}

// Cancel ends the statement with that id and keeps calls for it from starting.
//
// Errors: KindForbidden for the statement of another user.
func (s *Service) Cancel(ctx context.Context, c Caller, id StatementID) (bool, error) {
	return false, nil
}

// Progress returns the share done of a running statement, within [0, 1], and
// lake.Unknown if it is not known.
func (s *Service) Progress(id StatementID) float64 { return float64(lake.Unknown) }
