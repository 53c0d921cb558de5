package sqlcatalog

import (
	"context"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// droppedTable is a table that a commit of the group drops.
type droppedTable struct {
	name string // quoted, with its schema
	at   lake.SnapshotID
}

// nameOf is the key of groupDraft.names for a schema, or for a table or view.
func nameOf(schema, table string) string {
	return strings.ToLower(quoteName(schema) + "." + quoteName(table))
}

// find returns what an operation names: a schema and, unless name is empty, its
// table, as they are in the plan's state.
//
// Errors: KindNotFound; KindConflict if another commit took, freed or replaced
// the name after Commit.Base.
func (p *plan) find(ctx context.Context, schema, name string) (*lake.Schema, *lake.Table, error) {
	sc, t, err := locate(p.head.state, schema, name)
	return sc, t, p.sinceBase(ctx, schema, name, err)
}

// sinceBase returns err, which is about a name, or KindConflict if the name is
// not what it was in Commit.Base.
func (p *plan) sinceBase(ctx context.Context, schema, name string, err error) error {
	if p.base == nil || lake.KindOf(err) == lake.KindInvalid {
		return err
	}
	changed, readErr := p.nameChanged(ctx, schema, name)
	if readErr != nil {
		return readErr
	}
	if changed == p.id || changed <= *p.base {
		return err
	}
	what := "schema " + quoteName(schema)
	if name != "" {
		what = "table " + quoteName(schema) + "." + quoteName(name)
	}
	return lake.Errorf(lake.KindConflict, "%s was created, dropped or replaced by snapshot %d, after snapshot %d that this commit is based on",
		what, changed, *p.base)
}

// changedSinceBase returns err, which is about a column, or KindConflict if the
// columns of the table changed after Commit.Base.
func (p *plan) changedSinceBase(t *lake.Table, err error) error {
	if p.base == nil || t.Begin <= *p.base || t.Begin == p.id {
		return err
	}
	return lake.Errorf(lake.KindConflict, "table %q.%q was changed by snapshot %d", t.Schema, t.Name, t.Begin)
}

// appendedSinceBase refuses to drop a table to which another commit added rows after
// Commit.Base: who drops or replaces it has not seen them, and they would be lost.
//
// Errors: KindConflict.
func (p *plan) appendedSinceBase(ctx context.Context, t *lake.Table) error {
	if p.base == nil {
		return nil
	}
	at, ok := p.touchedBefore[t.ID]
	if !ok {
		_, err := p.s.one(ctx, `SELECT coalesce(max(begin_snapshot), 0) FROM ducklake_data_file WHERE table_id = ?`, []any{int64(t.ID)}, &at)
		if err != nil {
			return err
		}
	}
	if at <= *p.base {
		return nil
	}
	return lake.Errorf(lake.KindConflict, "table %q.%q got rows by snapshot %d, after snapshot %d that this commit is based on",
		t.Schema, t.Name, at, *p.base)
}

// schemaInUse is why a schema cannot be dropped: KindState, or KindConflict if
// what is in it came after Commit.Base.
func (p *plan) schemaInUse(ctx context.Context, schema *lake.Schema) error {
	err := lake.Errorf(lake.KindState, "schema %q has %d tables and %d views", schema.Name, len(schema.Tables), len(schema.Views))
	for i := range schema.Tables {
		if since := p.sinceBase(ctx, schema.Name, schema.Tables[i].Name, err); since != err { //nolint:errorlint // the same error comes back
			return since
		}
	}
	for i := range schema.Views {
		if since := p.sinceBase(ctx, schema.Name, schema.Views[i].Name, err); since != err { //nolint:errorlint // the same error comes back
			return since
		}
	}
	return err
}

// nameChanged returns the snapshot that last took or freed the name of a schema
// or, unless name is empty, of a table or view; 0 if none did.
func (p *plan) nameChanged(ctx context.Context, schema, name string) (lake.SnapshotID, error) {
	if at, ok := p.names[nameOf(schema, name)]; ok {
		return at, nil
	}
	var (
		parts []string
		args  []any
	)
	for _, column := range []string{"begin_snapshot", "end_snapshot"} {
		if name == "" {
			parts = append(parts, `SELECT `+column+` AS changed FROM ducklake_schema WHERE lower(schema_name) = lower(?)`)
			args = append(args, schema)
			continue
		}
		for _, kind := range []string{"table", "view"} {
			parts = append(parts, `SELECT o.`+column+` AS changed FROM ducklake_`+kind+` o JOIN ducklake_schema s
				ON s.schema_id = o.schema_id WHERE lower(s.schema_name) = lower(?) AND lower(o.`+kind+`_name) = lower(?)`)
			args = append(args, schema, name)
		}
	}
	var at lake.SnapshotID
	_, err := p.s.one(ctx, `SELECT coalesce(max(changed), 0) FROM (`+strings.Join(parts, " UNION ALL ")+`) AS changes`, args, &at)
	return at, err
}
