package view

import (
	"strings"
	"time"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/txn"
)

// View is what one statement sees: a snapshot, and what the caller has on top of it.
// It is immutable.
type View struct {
	Snapshot lake.SnapshotID
	// State is the snapshot's with what Over changed, as far as the caller may see it;
	// Base is the whole of the snapshot's alone.
	State, Base *lake.State
	// Over is what the transaction did so far, and Temporary the session's temporary
	// tables; nil means nothing.
	Over, Temporary *overlay.Overlay
	// Work is the transaction's; nil means that the statement commits by itself.
	Work   *txn.Work
	Caller session.Caller
	// Into is the session whose temporary tables the statement changes; nil means
	// that it changes the lake.
	Into *session.Session
	// Access is what the caller may do.
	Access *auth.Access
	// Scope is resolved: its schema is the call's, else the session's, else the default.
	Scope session.Scope
	Now   time.Time // what now() is
}

// complete adds what the session has.
func (v *View) complete(now time.Time) {
	v.Now = now
	if x := v.Caller.Session; x != nil {
		v.Temporary = x.Temporary()
		if v.Scope.Schema == "" {
			v.Scope.Schema = x.Settings().Schema
		}
	}
	v.Scope.Schema = v.Schema()
}

// Schema returns the default schema.
func (v *View) Schema() string { return v.Scope.In("") }

// In returns the view with another default schema.
func (v *View) In(schema string) *View {
	c := *v
	c.Scope.Schema = schema
	return &c
}

// Plain reports whether the view is nothing but a snapshot.
func (v *View) Plain() bool { return v.Over == nil && v.Temporary == nil }

// TemporaryTables returns the session's temporary tables, sorted by name.
func (v *View) TemporaryTables() []lake.Table {
	if v.Temporary == nil {
		return nil
	}
	var out []lake.Table
	state := v.Temporary.State()
	for i := range state.Schemas {
		out = append(out, state.Schemas[i].Tables...)
	}
	return out
}

// Visible returns what the view shows to a protocol.
func (v *View) Visible() statement.Visible {
	return statement.Visible{State: v.State, Snapshot: v.Snapshot, Temporary: v.TemporaryTables()}
}

// Unchanged is the outcome of a statement that found nothing to do.
func (v *View) Unchanged() statement.Update { return statement.Update{Snapshot: v.Snapshot} }

// past returns what the caller sees of an older snapshot: the committed past.
func (v *View) past(id lake.SnapshotID, state *lake.State) *View {
	p := *v
	p.Snapshot, p.State, p.Base, p.Over, p.Temporary = id, state, state, nil, nil
	return &p
}

// Table finds a table by its name, or by schema.name.
//
// Errors: KindNotFound, with near names.
func (v *View) Table(name string) (*lake.Table, error) {
	schema := v.Schema()
	if t, ok := v.TemporaryTable("", "", name); ok {
		return t, nil
	}
	if t, ok := v.State.Table(schema, name); ok {
		return t, nil
	}
	if before, after, ok := strings.Cut(name, "."); ok {
		if t, ok := v.TemporaryTable("", before, after); ok {
			return t, nil
		}
		if t, ok := v.State.Table(before, after); ok {
			return t, nil
		}
	}
	return nil, lake.TableNotFound(v.State, schema, name)
}

// TemporaryTable finds a temporary table by its name: t, temp.t, or, as DuckDB
// shows it, temp.main.t.
func (v *View) TemporaryTable(catalogName, schema, name string) (*lake.Table, bool) {
	if v.Temporary == nil {
		return nil, false
	}
	if strings.EqualFold(catalogName, lake.TemporarySchema) {
		if schema != "" && !strings.EqualFold(schema, lake.DefaultSchema) {
			return nil, false
		}
	} else if schema != "" && !strings.EqualFold(schema, lake.TemporarySchema) || schema == "" && catalogName != "" {
		return nil, false
	}
	return v.Temporary.State().Table(lake.TemporarySchema, name)
}

// missingSchema returns the error for a reference to a table without a schema
// if the default schema does not exist: such as a header that is misspelt must
// not make tables of main be read. It is nil for other references, and for main,
// of which a caller may see nothing.
func (v *View) missingSchema(ref planner.TableRef) error {
	name := v.Schema()
	if ref.Schema != "" || ref.Catalog != "" || strings.EqualFold(name, lake.DefaultSchema) {
		return nil
	}
	if _, ok := v.State.Schema(name); ok {
		return nil
	}
	return lake.SchemaNotFound(v.State, name)
}

// Overlaid reports whether a reference, resolved in the view, reads something
// that its snapshot alone does not hold.
func (v *View) Overlaid(ref planner.TableRef, r planner.Resolved) bool {
	switch {
	case v.Plain():
		return false
	case r.Table == nil:
		return true
	case ref.At != nil:
		return false
	case r.Table.Origin != lake.OriginCatalog || v.Over.AddsTo(r.Table.ID):
		return true
	}
	t, err := planner.Resolve(v.Base, v.Schema(), ref)
	return err != nil || t == nil || t.ID != r.Table.ID
}
