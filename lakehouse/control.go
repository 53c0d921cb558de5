package lakehouse

import (
	"context"
	"errors"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
)

// control runs statements that are about sessions, transactions and other statements. They
// do little, or free what others wait for, so that they need no turn.
func (s *Statements) control(ctx context.Context, st statement.Statement) (statement.Update, error) {
	parsed, err := st.Classify()
	if err != nil {
		return statement.Update{}, err
	}
	texts, err := query.Bind(parsed, st.Params)
	if err != nil {
		return statement.Update{}, err
	}
	var up statement.Update
	for _, text := range texts {
		bound := parsed
		if text != parsed.Text {
			if bound, err = sqltext.Classify(text); err != nil {
				return statement.Update{}, err
			}
		}
		switch bound.Kind {
		case sqltext.KindTransaction:
			return s.transact(ctx, st.Caller, bound.Transaction)
		case sqltext.KindUse:
			err = s.use(ctx, st.Caller, bound.Use)
		case sqltext.KindSet:
			err = s.set(ctx, st.Caller, bound.Set)
		default:
			err = s.kill(ctx, st.Caller, bound.Kill)
		}
		if err != nil {
			return statement.Update{}, err
		}
	}
	return up, nil
}

// transact runs BEGIN, COMMIT, ROLLBACK and the statements about savepoints.
//
// Errors: KindState if the transaction is not in a state for it; those of
// txn.Manager.End.
func (s *Statements) transact(ctx context.Context, c session.Caller, st *sqltext.Transaction) (statement.Update, error) {
	transactions := s.sessions.transactions
	var err error
	switch st.Action {
	case sqltext.ActionBegin:
		err = transactions.BeginSQL(ctx, c, st.ReadOnly)
	case sqltext.ActionCommit, sqltext.ActionRollback:
		return transactions.EndSQL(ctx, c, st.Action == sqltext.ActionCommit)
	case sqltext.ActionSavepoint:
		_, err = transactions.Savepoint(ctx, c, st.Savepoint)
	case sqltext.ActionRelease, sqltext.ActionRollbackTo:
		err = transactions.EndNamed(ctx, c, st.Savepoint, st.Action == sqltext.ActionRelease)
	}
	return statement.Update{}, err
}

// set runs SET and RESET.
func (s *Statements) set(ctx context.Context, c session.Caller, set *sqltext.Set) error {
	switch {
	case set.Global:
		return lake.Errorf(lake.KindForbidden, "SET GLOBAL is closed to clients: the server's configuration sets what holds for all")
	case set.Local:
		return lake.Errorf(lake.KindUnsupported, "SET LOCAL is not supported: settings do not end with a transaction; use SET and RESET")
	}
	x, err := c.Open(ctx)
	switch {
	case err != nil:
		return err
	case set.Reset && set.Name == "":
		return x.ResetOptions()
	case set.Reset:
		return x.SetOption(ctx, s.sessions, set.Name, nil)
	}
	return x.SetOption(ctx, s.sessions, set.Name, set.Value)
}

// use runs USE: of a schema, or of the catalog, which goes back to the default schema.
func (s *Statements) use(ctx context.Context, c session.Caller, name *sqltext.ObjectName) error {
	x, err := c.Open(ctx)
	if err != nil {
		return err
	}
	if name.Schema != "" {
		if err := view.CheckCatalog(name.Schema); err != nil {
			return err
		}
	}
	schema, err := s.sessions.SchemaName(ctx, x, name.Name)
	if errors.Is(err, lake.ErrNotFound) && name.Schema == "" && strings.EqualFold(name.Name, lake.CatalogName) {
		schema, err = "", nil
	}
	if err != nil {
		return err
	}
	return x.UseSchema(schema)
}

// kill runs KILL.
//
// Errors: KindNotFound if nothing of that name runs; KindForbidden if it is
// another user's.
func (s *Statements) kill(ctx context.Context, c session.Caller, k *sqltext.Kill) error {
	if !k.Session {
		known, err := s.Cancel(ctx, c, statement.ID(k.ID))
		if err == nil && !known {
			err = lake.Errorf(lake.KindNotFound, "statement %q does not run; lake.statements() lists those that do", k.ID)
		}
		return err
	}
	for _, x := range s.sessions.registry.List() {
		if x.ShortID() != strings.ToLower(k.ID) {
			continue
		}
		if user := c.Identity.Name(); x.Identity().Name() != user && !s.policy.Admin(c.Identity) {
			return lake.Errorf(lake.KindForbidden, "session %s is another user's", x.ShortID())
		}
		s.sessions.end(ctx, x, "its session was killed by "+c.Identity.Name())
		return nil
	}
	return lake.Errorf(lake.KindNotFound, "session %q does not exist; lake.sessions() lists those that do", k.ID)
}
