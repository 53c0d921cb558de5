package view

import (
	"context"
	"errors"
	"fmt"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/txn"
)

// Snapshots finds snapshots; a catalog is one.
type Snapshots interface {
	Snapshot(ctx context.Context, sel catalog.Selector) (lake.Snapshot, error)
}

// Components are the parts of Views. All but Policy are required.
type Components struct {
	Catalog      Snapshots
	States       *cache.States
	Tables       *cache.Tables
	Transactions *txn.Manager
	Clock        clock.Clock
	// Policy says who may do what; nil means that everybody may do everything.
	Policy *auth.Policy
}

// Views makes views. Safe for concurrent use.
type Views struct {
	Components
	restricted *restrictedStates
	kept       *keptViews
}

// Options are the settings of Views.
type Options struct {
	// RestrictedBytesMax bounds the states that are kept as callers see them who do not
	// see everything; 0 keeps none.
	RestrictedBytesMax int64
}

// New returns Views that keep none.
func New(c Components, o Options) *Views {
	return &Views{Components: c, restricted: newRestrictedStates(o.RestrictedBytesMax), kept: newKeptViews(viewLifetime)}
}

// Entry says what a call does with the transaction that it belongs to.
type Entry struct {
	// Join lets a call without an id join the transaction that the protocol began
	// in its session.
	Join bool
	// Pin is set for statements that run: the first fixes the snapshot.
	Pin bool
	// Write is set for calls that change something.
	Write bool
}

// Enter returns what a call sees: what its transaction does if it belongs to one,
// else the latest snapshot. The caller calls done when it has ended.
//
// Errors: KindState if the transaction has ended, or is read-only and the call
// writes; KindNotFound if it is not known.
func (s *Views) Enter(ctx context.Context, c session.Caller, sc session.Scope, e Entry) (v *View, done func(), err error) {
	w, done, err := s.Transactions.Use(ctx, c, e.Join)
	if err != nil {
		return nil, nil, err
	}
	if w != nil && e.Write {
		err = w.Writable()
	}
	if err == nil {
		v, err = s.now(ctx, &View{Work: w, Caller: c, Scope: sc}, e.Pin)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return v, done, nil
}

// Look returns what a call sees that reads no file.
//
// Errors: those of Enter.
func (s *Views) Look(ctx context.Context, c session.Caller, sc session.Scope) (*View, error) {
	v, done, err := s.Enter(ctx, c, sc, Entry{Join: true})
	if err != nil {
		return nil, err
	}
	done()
	return v, nil
}

// Refresh returns what the statement of a view would see if it began now.
func (s *Views) Refresh(ctx context.Context, v *View) (*View, error) {
	return s.now(ctx, &View{Work: v.Work, Caller: v.Caller, Scope: v.Scope}, true)
}

// now completes a view that knows its work, caller and scope.
func (s *Views) now(ctx context.Context, v *View, pin bool) (*View, error) {
	var seen txn.Seen
	if v.Work != nil {
		seen = v.Work.Seen()
	}
	if seen.Pinned {
		v.Base, v.Snapshot = seen.Base, seen.Snapshot
	} else {
		var err error
		if v.Base, v.Snapshot, err = s.Latest(ctx); err != nil {
			return nil, err
		}
	}
	if v.Work != nil && pin && !seen.Pinned {
		v.Work.Pin(v.Base, v.Snapshot)
		seen = v.Work.Seen()
		v.Base, v.Snapshot = seen.Base, seen.Snapshot
	}
	v.State, v.Over = v.Base, seen.Over
	if v.Over != nil {
		v.State = v.Over.State()
	}
	v.complete(s.Clock.Now())
	return s.restrict(v), nil
}

// Planned returns what a planned query saw when it was planned. The caller calls
// done when it reads no more.
//
// Errors: KindNotFound if the view is not kept any more, or the snapshot does not
// exist; KindState if what it shows was rolled back.
func (s *Views) Planned(ctx context.Context, q statement.Query) (v *View, done func(), err error) {
	c := q.Statement.Caller
	if q.View != "" {
		if v, err = s.kept.find(q.View, c.Identity, s.Clock.Now()); err != nil {
			return nil, nil, err
		}
		done = func() {}
		if v.Work != nil {
			if done, err = s.Transactions.Read(ctx, v.Work); err != nil {
				return nil, nil, err
			}
		}
	} else {
		state, err := s.stateAt(ctx, q.Snapshot)
		if err != nil {
			return nil, nil, err
		}
		scope := session.Scope{Schema: q.Statement.Scope.In("")}
		v = &View{Snapshot: q.Snapshot, State: state, Base: state, Scope: scope}
		done = s.Transactions.Hold(ctx, c)
	}
	planned := *v
	planned.Caller, planned.Now = c, q.Time
	if planned.Now.IsZero() {
		planned.Now = s.Clock.Now()
	}
	if planned.State = planned.Base; planned.Over != nil {
		planned.State = planned.Over.State()
	}
	return s.restrict(&planned), done, nil
}

// Keep makes a view findable for Planned, and returns its name.
func (s *Views) Keep(v *View) statement.ViewID { return s.kept.keep(v, v.Now) }

// Forget drops the kept views of a session.
func (s *Views) Forget(x *session.Session) { s.kept.forget(x) }

// Sweep drops the kept views whose time has ended.
func (s *Views) Sweep() { s.kept.sweep(s.Clock.Now()) }

// Latest returns the latest schemas and tables, and their snapshot.
func (s *Views) Latest(ctx context.Context) (*lake.State, lake.SnapshotID, error) {
	head, err := s.Catalog.Snapshot(ctx, catalog.Selector{})
	if err != nil {
		return nil, 0, err
	}
	state, err := s.States.State(ctx, head)
	if err != nil {
		return nil, 0, err
	}
	return state, head.ID, nil
}

// stateAt returns the schemas and tables of a snapshot.
func (s *Views) stateAt(ctx context.Context, id lake.SnapshotID) (*lake.State, error) {
	snapshot, err := s.Catalog.Snapshot(ctx, catalog.Selector{ID: &id})
	if err != nil {
		return nil, err
	}
	return s.States.State(ctx, snapshot)
}

// At moves a view to another snapshot, which must not be newer: the committed past,
// without the caller's transaction and temporary tables.
//
// Errors: KindNotFound.
func (s *Views) At(ctx context.Context, v *View, sel catalog.Selector) (*View, error) {
	snapshot, err := s.Catalog.Snapshot(ctx, sel)
	if err != nil {
		return nil, err
	}
	if snapshot.ID > v.Snapshot {
		return nil, lake.Errorf(lake.KindNotFound, "snapshot %d is newer than the one the statement reads, %d", snapshot.ID, v.Snapshot)
	}
	state, err := s.States.State(ctx, snapshot)
	if err != nil {
		return nil, fmt.Errorf("snapshot %d: %w", snapshot.ID, err)
	}
	return v.past(snapshot.ID, s.restricted.of(v.Access, state)), nil
}

// Resolve finds the table that a reference names in a view, and its files; at is the
// view that its AT clause moves to, v itself without one. It is the one place where a
// query's names become tables. A reference that is left to the engine has no table.
//
// Errors: KindNotFound, with near names; KindForbidden.
func (s *Views) Resolve(ctx context.Context, v, at *View, ref planner.TableRef) (planner.Resolved, error) {
	table, ok := at.TemporaryTable(ref.Catalog, ref.Schema, ref.Name)
	if !ok {
		var err error
		table, err = planner.Resolve(at.State, at.Schema(), ref)
		if missing := v.missingSchema(ref); missing != nil && (table != nil || errors.Is(err, lake.ErrNotFound)) {
			return planner.Resolved{}, missing
		}
		if err != nil || table == nil {
			return planner.Resolved{}, err
		}
	}
	filter, err := at.MayRead(table)
	if err == nil {
		err = table.Check()
	}
	if err != nil {
		return planner.Resolved{}, err
	}
	files, err := s.Files(ctx, at, table)
	if err != nil {
		return planner.Resolved{}, err
	}
	return planner.Resolved{Table: table, Snapshot: at.Snapshot, Files: files, Filter: filter}, nil
}

// Files returns the files of a table of a view.
func (s *Views) Files(ctx context.Context, v *View, table *lake.Table) (*lake.TableVersion, error) {
	switch table.Origin {
	case lake.OriginSession:
		return v.Temporary.Version(table, nil), nil
	case lake.OriginTransaction:
		return v.Over.Version(table, nil), nil
	case lake.OriginCatalog:
	}
	files, err := s.Tables.Files(ctx, table.ID, v.Snapshot)
	if err != nil || v.Over == nil {
		return files, err
	}
	return v.Over.Version(table, files), nil
}
