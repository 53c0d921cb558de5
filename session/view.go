package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

// view is what one statement sees: a snapshot, and what the caller has on top of
// it. It is immutable.
type view struct {
	snapshot lake.SnapshotID
	// state is the snapshot's, with what over changed.
	state *lake.State
	// over is what the transaction did so far, and temp the session's temporary
	// tables; nil means nothing.
	over, temp *overlay
	caller     Caller
	// scope is resolved: its schema is the call's, else the session's, else main.
	scope Scope
	now   time.Time
}

// overlay is what a transaction or a session adds to a snapshot. It is
// immutable: a change makes another one.
type overlay struct {
	state *lake.State
	files map[lake.TableID][]*lake.DataFile // ascending by ID
}

// view returns what a call sees: what its transaction does if it belongs to one,
// else the latest snapshot.
func (s *Service) view(ctx context.Context, c Caller, sc Scope) (*view, error) {
	state, id, err := s.latest(ctx)
	if err != nil {
		return nil, err
	}
	return s.newView(c, sc, id, state), nil
}

// viewAt returns what a planned query sees, which is what it saw when it was planned.
func (s *Service) viewAt(ctx context.Context, q Query) (*view, error) {
	state, err := s.stateAt(ctx, q.Snapshot)
	if err != nil {
		return nil, err
	}
	v := s.newView(q.Statement.Caller, q.Statement.Scope, q.Snapshot, state)
	if !q.Time.IsZero() {
		v.now = q.Time
	}
	return v, nil
}

func (s *Service) newView(c Caller, sc Scope, id lake.SnapshotID, state *lake.State) *view {
	v := &view{snapshot: id, state: state, caller: c, scope: sc, now: s.Clock.Now()}
	if c.Session != nil {
		v.temp = c.Session.temporary()
		if sc.Schema == "" {
			v.scope.Schema = c.Session.defaultSchema()
		}
	}
	if v.scope.Schema == "" {
		v.scope.Schema = DefaultSchema
	}
	return v
}

// in returns the view with another default schema.
func (v *view) in(schema string) *view {
	c := *v
	c.scope.Schema = schema
	return &c
}

// plain reports whether the view is nothing but a snapshot.
func (v *view) plain() bool { return v.over == nil && v.temp == nil }

// engineSchema is the default schema for names that are left to the engine: it
// knows those of the snapshot only.
func (v *view) engineSchema() string { return v.scope.schema("") }

// past returns what the caller sees of an older snapshot: the committed past
// and the temporary tables.
func (v *view) past(id lake.SnapshotID, state *lake.State) *view {
	p := *v
	p.snapshot, p.state, p.over = id, state, nil
	return &p
}

// table finds a table by its name, or by schema.name.
func (v *view) table(name string) (*lake.Table, error) {
	schema := v.scope.schema("")
	if t, ok := v.state.Table(schema, name); ok {
		return t, nil
	}
	if before, after, ok := strings.Cut(name, "."); ok {
		if t, ok := v.state.Table(before, after); ok {
			return t, nil
		}
	}
	return nil, lake.TableNotFound(v.state, schema, name)
}

// resolve finds the table that a reference names, and its files. It is the one
// place where a query's names become tables.
func (s *Service) resolve(ctx context.Context, v *view, ref planner.TableRef) (planner.Resolved, error) {
	if ref.At != nil {
		var err error
		if v, err = s.travel(ctx, v, ref.At); err != nil {
			return planner.Resolved{}, err
		}
	}
	table, err := planner.Resolve(v.state, v.scope.schema(""), ref)
	if err != nil || table == nil {
		return planner.Resolved{}, err
	}
	files, err := s.files(ctx, v, table)
	if err != nil {
		return planner.Resolved{}, err
	}
	return planner.Resolved{Table: table, Snapshot: v.snapshot, Files: files}, nil
}

// files returns the files of a table of the view.
func (s *Service) files(ctx context.Context, v *view, table *lake.Table) (*cache.TableVersion, error) {
	return s.tables.Files(ctx, table.ID, v.snapshot)
}

// atVersion moves to another snapshot, which must not be newer.
func (s *Service) atVersion(ctx context.Context, v *view, sel catalog.Selector) (*view, error) {
	snapshot, err := s.Catalog.Snapshot(ctx, sel)
	if err != nil {
		return nil, err
	}
	if snapshot.ID > v.snapshot {
		return nil, lake.Errorf(lake.KindNotFound, "snapshot %d is newer than the one the statement reads, %d", snapshot.ID, v.snapshot)
	}
	state, err := s.states.State(ctx, snapshot)
	if err != nil {
		return nil, fmt.Errorf("snapshot %d: %w", snapshot.ID, err)
	}
	return v.past(snapshot.ID, state), nil
}
