package change

import (
	"context"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/staging"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/txn"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
	"github.com/flightlake/flightlake/writer"
)

// Components are the parts that changes need. All but Policy are required.
type Components struct {
	Views   *view.Views
	Queries *query.Processor
	Engine  *engine.Executor
	Catalog catalog.Committer
	Writer  *writer.Writer
	Staging *staging.Area
	// Policy is what GRANT and REVOKE change; nil if there are no users.
	Policy *auth.Policy
}

// Executor runs statements that change the lake. Safe for concurrent use.
type Executor struct{ Components }

// New returns an Executor over its parts.
func New(c Components) *Executor { return &Executor{Components: c} }

// IsUpdate reports whether a statement changes the lake, or a session.
//
// Errors: KindUnsupported, naming the statement, for one that is not implemented.
func IsUpdate(st *sqltext.Statement) (bool, error) {
	switch st.Kind {
	case sqltext.KindQuery, sqltext.KindExplain:
		return false, nil
	case sqltext.KindCall:
		return strings.EqualFold(st.Call.Name.Name, "set_option") || strings.EqualFold(st.Call.Name.Name, "ducklake_set_option"), nil
	case sqltext.KindCreateSchema, sqltext.KindDropSchema, sqltext.KindCreateTable, sqltext.KindDropTable,
		sqltext.KindInsert, sqltext.KindComment, sqltext.KindTransaction, sqltext.KindGrant,
		sqltext.KindUse, sqltext.KindSet, sqltext.KindKill:
		return true, nil
	case sqltext.KindOther:
	}
	return false, refused(st)
}

// refused is the error for a statement that is known and not run.
func refused(st *sqltext.Statement) error {
	word, _, _ := strings.Cut(st.Name, " ")
	switch word {
	case "ATTACH", "DETACH", "COPY", "EXPORT", "IMPORT", "INSTALL", "LOAD", "FORCE", "PRAGMA":
		return lake.Errorf(lake.KindForbidden, "%s is closed to clients: it reaches the server's own files, network or settings", st.Name)
	}
	return lake.Errorf(lake.KindUnsupported, "%s is not supported", st.Name)
}

// NeedsSession reports whether a statement may make a temporary table, for which its
// client needs a session.
func NeedsSession(st *sqltext.Statement) bool {
	c := st.Create
	return c != nil && (c.Temporary || strings.EqualFold(c.Name.Schema, lake.TemporarySchema) || strings.EqualFold(c.Name.Catalog, lake.TemporarySchema))
}

// Execute runs a statement that changes the lake, once for each row of its parameters,
// or once without. An INSERT is one Append however many rows of parameters it has.
//
// Errors: KindUnsupported, naming it, for a statement that is not implemented; those of
// its kind; those of workload.Statement.Await.
func (s *Executor) Execute(ctx context.Context, run *workload.Statement, st statement.Statement) (statement.Update, error) {
	parsed, err := st.Classify()
	if err != nil {
		return statement.Update{}, err
	}
	if err := query.ParametersOf(parsed).Check(st.Params); err != nil {
		return statement.Update{}, err
	}
	if st.Params != nil && st.Params.NumRows() == 0 {
		return statement.Update{}, nil
	}
	if err := run.Await(ctx); err != nil {
		return statement.Update{}, err
	}
	v, done, err := s.Views.Enter(ctx, st.Caller, st.Scope, view.Entry{Pin: true, Write: true})
	if err != nil {
		return statement.Update{}, err
	}
	run.OnEnd(done)
	run.Pin(v.Snapshot)
	token := ownToken(st.Caller, st.Token)
	if parsed.Kind == sqltext.KindInsert {
		return s.insert(ctx, run, v, insertion{statement: parsed, params: st.Params, token: token})
	}
	texts, err := query.Bind(parsed, st.Params)
	if err != nil {
		return statement.Update{}, err
	}
	total := statement.Update{Replayed: token != ""}
	for i, text := range texts {
		bound := parsed
		if text != parsed.Text {
			if bound, err = sqltext.Classify(text); err != nil {
				return statement.Update{}, err
			}
		}
		own := token
		if token != "" && i > 0 { // each execution is an append of its own
			own += "/" + strconv.Itoa(i)
		}
		up, err := s.again(ctx, run, v, own, bound)
		if err != nil {
			return statement.Update{}, err
		}
		total.Rows += up.Rows
		total.Snapshot, total.Replayed = up.Snapshot, total.Replayed && up.Replayed
	}
	return total, nil
}

// again runs a statement, and runs it again against the new state if a
// concurrent Commit changed what it had resolved, such as whether a table
// exists: the last answer is then true of one snapshot.
func (s *Executor) again(ctx context.Context, run *workload.Statement, v *view.View, token string, st *sqltext.Statement) (statement.Update, error) {
	for attempt := 1; ; attempt++ {
		var err error
		if v, err = s.Views.Refresh(ctx, v); err != nil {
			return statement.Update{}, err
		}
		up, err := s.once(ctx, run, v, token, st)
		if err == nil || attempt == attemptsMax || ctx.Err() != nil || !lostRace(err, st) {
			return up, err
		}
	}
}

// lostRace reports whether a statement may succeed, or fail with a better
// reason, when it is resolved again.
func lostRace(err error, st *sqltext.Statement) bool {
	switch lake.KindOf(err) {
	case lake.KindConflict:
		return true
	case lake.KindExists:
		return st.Create != nil && (st.Create.IfNotExists || st.Create.OrReplace)
	case lake.KindState: // a table was made in the schema meanwhile
		return st.Kind == sqltext.KindDropSchema && st.Drop.Cascade
	case lake.KindNotFound:
		return st.Drop != nil && st.Drop.IfExists || st.Create != nil && st.Create.OrReplace
	default:
		return false
	}
}

// once runs one statement other than INSERT in a view. token is that of
// CREATE TABLE AS.
func (s *Executor) once(ctx context.Context, run *workload.Statement, v *view.View, token string, st *sqltext.Statement) (statement.Update, error) {
	switch st.Kind {
	case sqltext.KindCreateSchema:
		return s.createSchema(ctx, v, st)
	case sqltext.KindDropSchema:
		return s.dropSchemas(ctx, v, st)
	case sqltext.KindCreateTable:
		return s.createTable(ctx, run, v, token, st)
	case sqltext.KindDropTable:
		return s.dropTables(ctx, v, st)
	case sqltext.KindComment:
		return s.comment(ctx, v, st)
	case sqltext.KindCall:
		return s.setOption(ctx, v, st)
	case sqltext.KindGrant:
		return v.Unchanged(), s.grant(v, st.Grant)
	default:
		return statement.Update{}, refused(st)
	}
}

// commit publishes operations that add no rows.
func (s *Executor) commit(ctx context.Context, v *view.View, operations ...catalog.Operation) (statement.Update, error) {
	result, err := s.publish(ctx, v, catalog.Commit{Operations: operations})
	if err != nil {
		return statement.Update{}, err
	}
	return statement.Update{Snapshot: result.Snapshot.ID}, nil
}

// publish does what a statement changes: as one snapshot, or, in a transaction,
// for those that follow in it.
func (s *Executor) publish(ctx context.Context, v *view.View, c catalog.Commit) (catalog.Result, error) {
	switch {
	case v.Into != nil:
		return s.publishTemporary(ctx, v, catalog.Commit{}, c)
	case v.Work != nil:
		result, _, err := v.Work.Apply(c, nil)
		return result, err
	}
	return s.Catalog.Commit(ctx, c)
}

// publishTemporary applies c to the temporary tables of v.Into and, as one with it,
// beside to the lake. In a transaction both happen or neither. Outside of one, what c
// says is tried first and done after the lake's commit: it can then only fail because
// the session has ended, and its tables with it.
//
// Errors: those of overlay.Overlay.Apply and of catalog.Catalog.Commit;
// KindUnauthenticated if the session has ended; KindState if the transaction has.
func (s *Executor) publishTemporary(ctx context.Context, v *view.View, beside, c catalog.Commit) (catalog.Result, error) {
	var committed *catalog.Result
	for {
		before := v.Into.Temporary()
		over := before.Clipped() // another statement may apply its change to the same version
		if over == nil {
			var err error
			if over, err = v.Into.NoTemporary(); err != nil {
				return catalog.Result{}, err
			}
		}
		after, result, err := over.Apply(c)
		result.Snapshot.ID = v.Snapshot
		if committed != nil {
			result.Snapshot = committed.Snapshot
			if lake.KindOf(err) == lake.KindConflict || lake.KindOf(err) == lake.KindNotFound {
				return result, nil // another statement dropped it meanwhile
			}
		}
		if err != nil || result.Replayed {
			return result, err
		}
		if len(beside.Operations) > 0 && v.Work == nil && committed == nil {
			done, err := s.Catalog.Commit(ctx, beside)
			if err != nil {
				return catalog.Result{}, err
			}
			committed = &done
			continue
		}
		if done, err := swap(v, beside, before, after); done || err != nil {
			return result, err
		}
	}
}

// swap replaces the temporary tables, and does in the transaction what stands beside.
func swap(v *view.View, beside catalog.Commit, before, after *overlay.Overlay) (bool, error) {
	if v.Work == nil {
		return v.Into.SwapTemporary(nil, before, after)
	}
	_, done, err := v.Work.Apply(beside, &txn.Swap{Before: before, After: after})
	return done, err
}
