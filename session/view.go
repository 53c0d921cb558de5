package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
	"github.com/flightlake/flightlake/planner"
)

// temporarySchema is the schema of a session's temporary tables, and the ids
// of what is in it lie below temporaryIDs.
const (
	temporarySchema = "temp"
	temporaryIDs    = -1 << 40
)

// view is what one statement sees: a snapshot, and what the caller has on top of
// it. It is immutable.
type view struct {
	snapshot lake.SnapshotID
	// state is the snapshot's, with what over changed; base is without.
	state, base *lake.State
	// over is what the transaction did so far, and temp the session's temporary
	// tables; nil means nothing.
	over, temp *overlay.Overlay
	// work is the transaction's; nil means that the statement commits by itself.
	work   *work
	caller Caller
	// into is the session whose temporary tables the statement changes; nil means
	// that it changes the lake.
	into *Session
	// access is what the caller may do; state holds only what it may see.
	access *auth.Access
	// scope is resolved: its schema is the call's, else the session's, else main.
	scope Scope
	now   time.Time // what now() is
}

// entry says what a call does with the transaction that it belongs to.
type entry struct {
	// join lets a call without an id join the transaction that the protocol began
	// in its session.
	join bool
	// pin is set for statements that run: the first fixes the snapshot.
	pin bool
	// write is set for calls that change something.
	write bool
}

// enter returns what a call sees: what its transaction does if it belongs to one,
// else the latest snapshot. The caller calls done when it has ended.
//
// Errors: KindState if the transaction has ended, or is read-only and the call
// writes; KindNotFound if it is not known.
func (s *Service) enter(ctx context.Context, c Caller, sc Scope, e entry) (v *view, done func(), err error) {
	t, err := s.transactions.of(c, e.join)
	if err != nil {
		return nil, nil, err
	}
	if t == nil {
		v, err = s.latestView(ctx, c, sc)
		return v, func() {}, err
	}
	w, done, err := s.useWork(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	if e.write {
		err = w.writable()
	}
	if err == nil {
		v, err = s.workView(ctx, w, &view{caller: c, scope: sc}, e.pin)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return v, done, nil
}

// view returns what a call sees that reads no file.
//
// Errors: those of enter.
func (s *Service) view(ctx context.Context, c Caller, sc Scope) (*view, error) {
	v, done, err := s.enter(ctx, c, sc, entry{join: true})
	if err != nil {
		return nil, err
	}
	done()
	return v, nil
}

// useWork returns the work of a transaction, in use until done is called.
//
// Errors: KindState if it has ended.
func (s *Service) useWork(ctx context.Context, t *transaction) (w *work, done func(), err error) {
	w = t.current()
	s.expire(ctx, w, s.Clock.Now())
	if err := w.enter(); err != nil {
		return nil, nil, err
	}
	return w, s.leaveFunc(ctx, w), nil
}

// leaveFunc returns what ends the use of some work; it may be called twice.
func (s *Service) leaveFunc(ctx context.Context, w *work) func() {
	return sync.OnceFunc(func() { s.discardLater(ctx, w.leave(s.Clock.Now())) })
}

// latestView returns what a call outside of transactions sees.
func (s *Service) latestView(ctx context.Context, c Caller, sc Scope) (*view, error) {
	state, id, err := s.latest(ctx)
	if err != nil {
		return nil, err
	}
	v := &view{snapshot: id, state: state, base: state, caller: c, scope: sc}
	v.complete(s.Clock.Now())
	return s.restrict(v), nil
}

// workView returns what a statement of a transaction sees; of gives the caller
// and the scope.
func (s *Service) workView(ctx context.Context, w *work, of *view, pin bool) (*view, error) {
	base, id, over, ok := w.seen()
	if !ok {
		var err error
		if base, id, err = s.latest(ctx); err != nil {
			return nil, err
		}
		if pin {
			w.pin(base, id)
			base, id, over, _ = w.seen()
		}
	}
	v := &view{snapshot: id, state: base, base: base, over: over, work: w, caller: of.caller, scope: of.scope}
	if over != nil {
		v.state = over.State()
	}
	v.complete(s.Clock.Now())
	return s.restrict(v), nil
}

// refresh returns what the statement of a view would see if it began now.
func (s *Service) refresh(ctx context.Context, v *view) (*view, error) {
	if v.work != nil {
		return s.workView(ctx, v.work, v, true)
	}
	return s.latestView(ctx, v.caller, v.scope)
}

// complete adds what the session has.
func (v *view) complete(now time.Time) {
	v.now = now
	if x := v.caller.Session; x != nil {
		v.temp = x.temporary()
		if v.scope.Schema == "" {
			v.scope.Schema = x.defaultSchema()
		}
	}
	if v.scope.Schema == "" {
		v.scope.Schema = DefaultSchema
	}
}

// plannedView returns what a planned query saw when it was planned. The caller
// calls done when it reads no more.
//
// Errors: KindNotFound if the view is not kept any more; KindState if what it
// shows was rolled back.
func (s *Service) plannedView(ctx context.Context, q Query) (v *view, done func(), err error) {
	c := q.Statement.Caller
	if q.View != "" {
		if v, err = s.views.find(q.View, c.Identity, s.Clock.Now()); err != nil {
			return nil, nil, err
		}
		done = func() {}
		if v.work != nil {
			if err := v.work.read(); err != nil {
				return nil, nil, err
			}
			done = s.leaveFunc(ctx, v.work)
		}
	} else {
		state, err := s.stateAt(ctx, q.Snapshot)
		if err != nil {
			return nil, nil, err
		}
		v = &view{snapshot: q.Snapshot, state: state, base: state, scope: Scope{Schema: q.Statement.Scope.schema("")}}
		done = s.hold(ctx, c)
	}
	planned := *v
	planned.caller, planned.now = c, q.Time
	if planned.now.IsZero() {
		planned.now = s.Clock.Now()
	}
	if planned.state = planned.base; planned.over != nil {
		planned.state = planned.over.State()
	}
	return s.restrict(&planned), done, nil
}

// hold keeps the caller's transaction, if any, from being idle until done is
// called. A ticket does not name it.
func (s *Service) hold(ctx context.Context, c Caller) (done func()) {
	t, err := s.transactions.of(c, true)
	if err != nil || t == nil {
		return func() {}
	}
	w := t.current()
	if w.enter() != nil {
		return func() {}
	}
	return s.leaveFunc(ctx, w)
}

// in returns the view with another default schema.
func (v *view) in(schema string) *view {
	c := *v
	c.scope.Schema = schema
	return &c
}

// plain reports whether the view is nothing but a snapshot.
func (v *view) plain() bool { return v.over == nil && v.temp == nil }

// engineSchema is the default schema for the names that are left to the engine,
// which knows the schemas that a transaction made only if it is shown them.
func (v *view) engineSchema(shown *engine.Overlay) string {
	name := v.scope.schema("")
	if v.over != nil && shown == nil {
		if _, ok := v.base.Schema(name); !ok {
			return DefaultSchema
		}
	}
	return name
}

// shown is what the engine must show to a query that asks it for schemas and
// tables; nil if what it shows to all will do.
func (v *view) shown() *engine.Overlay {
	if v.plain() && v.access.SeesAll() {
		return nil
	}
	o := &engine.Overlay{State: v.state}
	if v.temp != nil {
		for i := range v.temp.State().Schemas {
			o.Temporary = append(o.Temporary, v.temp.State().Schemas[i].Tables...)
		}
	}
	return o
}

// past returns what the caller sees of an older snapshot: the committed past.
func (v *view) past(id lake.SnapshotID, state *lake.State) *view {
	p := *v
	p.snapshot, p.state, p.base, p.over, p.temp = id, state, state, nil, nil
	return &p
}

// table finds a table by its name, or by schema.name.
func (v *view) table(name string) (*lake.Table, error) {
	schema := v.scope.schema("")
	if t, ok := v.temporaryTable("", "", name); ok {
		return t, nil
	}
	if t, ok := v.state.Table(schema, name); ok {
		return t, nil
	}
	if before, after, ok := strings.Cut(name, "."); ok {
		if t, ok := v.temporaryTable("", before, after); ok {
			return t, nil
		}
		if t, ok := v.state.Table(before, after); ok {
			return t, nil
		}
	}
	return nil, lake.TableNotFound(v.state, schema, name)
}

// temporaryTable finds a temporary table by its name: t, temp.t, or, as DuckDB
// shows it, temp.main.t.
func (v *view) temporaryTable(catalogName, schema, name string) (*lake.Table, bool) {
	if v.temp == nil {
		return nil, false
	}
	if strings.EqualFold(catalogName, temporarySchema) {
		if schema != "" && !strings.EqualFold(schema, DefaultSchema) {
			return nil, false
		}
	} else if schema != "" && !strings.EqualFold(schema, temporarySchema) || schema == "" && catalogName != "" {
		return nil, false
	}
	return v.temp.State().Table(temporarySchema, name)
}

// resolve finds the table that a reference names, and its files. It is the one
// place where a query's names become tables. A reference that is left to the
// engine has no table.
func (s *Service) resolve(ctx context.Context, v *view, ref planner.TableRef) (planner.Resolved, error) {
	latest := v
	if ref.At != nil {
		var err error
		if v, err = s.travel(ctx, v, ref.At); err != nil {
			return planner.Resolved{}, err
		}
	}
	table, ok := v.temporaryTable(ref.Catalog, ref.Schema, ref.Name)
	if !ok {
		var err error
		table, err = planner.Resolve(v.state, v.scope.schema(""), ref)
		if missing := latest.missingSchema(ref); missing != nil && (table != nil || errors.Is(err, lake.ErrNotFound)) {
			return planner.Resolved{}, missing
		}
		if err != nil || table == nil {
			return planner.Resolved{}, err
		}
	}
	filter, err := v.mayRead(table)
	if err != nil {
		return planner.Resolved{}, err
	}
	files, err := s.files(ctx, v, table)
	if err != nil {
		return planner.Resolved{}, err
	}
	return planner.Resolved{Table: table, Snapshot: v.snapshot, Files: files, Filter: filter}, nil
}

// missingSchema returns the error for a reference to a table without a schema
// if the default schema does not exist: such as a header that is misspelt must
// not make tables of main be read. It is nil for other references, and for main,
// of which a caller may see nothing.
func (v *view) missingSchema(ref planner.TableRef) error {
	name := v.scope.schema("")
	if ref.Schema != "" || ref.Catalog != "" || strings.EqualFold(name, DefaultSchema) {
		return nil
	}
	if _, ok := v.state.Schema(name); ok {
		return nil
	}
	return lake.SchemaNotFound(v.state, name)
}

// files returns the files of a table of the view.
func (s *Service) files(ctx context.Context, v *view, table *lake.Table) (*lake.TableVersion, error) {
	if table.ID < temporaryIDs {
		return v.temp.Version(table, nil), nil
	}
	if table.ID < 0 {
		return v.over.Version(table, nil), nil
	}
	files, err := s.tables.Files(ctx, table.ID, v.snapshot)
	if err != nil || v.over == nil {
		return files, err
	}
	return v.over.Version(table, files), nil
}

// overlaid reports whether a reference, resolved in the view, reads something
// that its snapshot alone does not tell.
func (v *view) overlaid(ref planner.TableRef, r planner.Resolved) bool {
	switch {
	case v.plain():
		return false
	case r.Table == nil:
		return true
	case ref.At != nil:
		return false
	case r.Table.ID < 0 || v.over.AddsTo(r.Table.ID):
		return true
	}
	t, err := planner.Resolve(v.base, v.scope.schema(""), ref)
	return err != nil || t == nil || t.ID != r.Table.ID
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
	return v.past(snapshot.ID, s.visible.of(v.access, state)), nil
}
