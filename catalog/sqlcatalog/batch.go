package sqlcatalog

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog"
)

// rowSet is rows to be inserted into what an into constant says.
type rowSet struct {
	into string
	rows [][]any
}

// statement is SQL with its parameters.
type statement struct {
	query string
	args  []any
}

// batch is what a transaction writes: first the statements of before, then the
// inserts, then those of after. Within each part all commits of a group are
// mixed: what one of them ends, another one may have begun, so that statements
// which end rows compare begin_snapshot.
type batch struct {
	before  []statement
	inserts []rowSet
	after   []statement
	// options are set and staged paths changed, in the order of the group; the last
	// change of each counts.
	options []optionRow
	staged  map[string]*catalog.StagedFile // nil: no longer
}

// optionRow is a row of ducklake_metadata; scope is empty for the lake.
type optionRow struct {
	name, value, scope string
	id                 int64
}

func (b *batch) empty() bool {
	return len(b.before)+len(b.inserts)+len(b.after)+len(b.options)+len(b.staged) == 0
}

// insert adds a row of the columns that into names.
func (b *batch) insert(into string, row ...any) {
	for i := range b.inserts {
		if b.inserts[i].into == into {
			b.inserts[i].rows = append(b.inserts[i].rows, row)
			return
		}
	}
	b.inserts = append(b.inserts, rowSet{into, [][]any{row}})
}

// then adds a statement that runs after the inserts.
func (b *batch) then(query string, args ...any) {
	b.after = append(b.after, statement{query, args})
}

// first adds a statement that runs before the inserts.
func (b *batch) first(query string, args ...any) {
	b.before = append(b.before, statement{query, args})
}

// setOption sets an option. It has no history: the row replaces the one before.
func (b *batch) setOption(o optionRow) {
	b.options = append(slices.DeleteFunc(b.options, func(old optionRow) bool {
		return old.name == o.name && old.scope == o.scope && old.id == o.id
	}), o)
}

// stage records objects; a path that is staged already gets the new lease.
func (b *batch) stage(files []catalog.StagedFile) {
	if b.staged == nil {
		b.staged = map[string]*catalog.StagedFile{}
	}
	for _, f := range files {
		b.staged[f.Path] = &f
	}
}

// unstage forgets staged objects.
func (b *batch) unstage(paths []string) {
	if b.staged == nil {
		b.staged = map[string]*catalog.StagedFile{}
	}
	for _, path := range paths {
		b.staged[path] = nil
	}
}

// renew sets the lease of what a holder has staged, in this batch or before.
func (b *batch) renew(holder string, until time.Time) {
	for _, f := range b.staged {
		if f != nil && f.Holder == holder {
			f.LeaseUntil = until
		}
	}
	b.first(`UPDATE `+tableStaged+` SET lease_until = ? WHERE holder = ?`, toMicros(until), holder)
}

// add adds what one commit writes.
func (b *batch) add(other *batch) {
	b.before = append(b.before, other.before...)
	for _, set := range other.inserts {
		at := slices.IndexFunc(b.inserts, func(s rowSet) bool { return s.into == set.into })
		if at < 0 {
			b.inserts = append(b.inserts, set)
			continue
		}
		b.inserts[at].rows = append(b.inserts[at].rows, set.rows...)
	}
	b.after = append(b.after, other.after...)
	for _, o := range other.options {
		b.setOption(o)
	}
	for path, f := range other.staged {
		if f == nil {
			b.unstage([]string{path})
		} else {
			b.stage([]catalog.StagedFile{*f})
		}
	}
}

// finish turns options and staged paths into statements and rows.
func (b *batch) finish() {
	for _, o := range b.options {
		if o.scope == "" {
			b.first(`DELETE FROM ducklake_metadata WHERE "key" = ? AND "scope" IS NULL`, o.name)
			b.insert(intoOption, o.name, o.value, nil, nil)
			continue
		}
		b.first(`DELETE FROM ducklake_metadata WHERE "key" = ? AND "scope" = ? AND scope_id = ?`, o.name, o.scope, o.id)
		b.insert(intoOption, o.name, o.value, o.scope, o.id)
	}
	paths := make([]string, 0, len(b.staged))
	for path := range b.staged {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	b.before = append(b.before, deleteStaged(paths)...)
	for _, path := range paths {
		if f := b.staged[path]; f != nil {
			b.insert(intoStaged, f.Path, f.Token, f.Holder, toMicros(f.LeaseUntil))
		}
	}
	b.options, b.staged = nil, nil
}

func (b *batch) write(ctx context.Context, s *session) error {
	b.finish()
	for _, st := range b.before {
		if err := s.exec(ctx, st.query, st.args...); err != nil {
			return err
		}
	}
	for _, set := range b.inserts {
		if err := s.insert(ctx, set); err != nil {
			return err
		}
	}
	for _, st := range b.after {
		if err := s.exec(ctx, st.query, st.args...); err != nil {
			return err
		}
	}
	return nil
}

// insert inserts rows: a few by a prepared statement, which then costs less
// than what InsertFunc sets up for many.
func (s *session) insert(ctx context.Context, set rowSet) error {
	const rowsMax = 2
	if s.prepared == nil || len(set.rows) > rowsMax || slices.ContainsFunc(set.rows, holdsUUID) {
		table, columns := splitInto(set.into)
		return s.dialect.InsertFunc(ctx, s.conn, Rows{Table: table, Columns: columns, Values: set.rows})
	}
	for _, row := range set.rows {
		places, args := make([]string, len(row)), make([]any, 0, len(row))
		for i, v := range row {
			// A parameter that is NULL has another type than its column, so
			// that a database would plan the statement again.
			places[i] = "NULL"
			if v != nil {
				places[i], args = "?", append(args, v)
			}
		}
		if err := s.exec(ctx, "INSERT INTO "+set.into+" VALUES ("+strings.Join(places, ", ")+")", args...); err != nil {
			return err
		}
	}
	return nil
}

// holdsUUID reports whether a row has a value that is no parameter everywhere.
func holdsUUID(row []any) bool {
	return slices.ContainsFunc(row, func(v any) bool {
		_, ok := v.(uuid.UUID)
		return ok
	})
}

// inList returns a list of parameters for IN, and their values. The last value
// is repeated up to a power of two, so that few different statements are prepared.
func inList(args []any) (string, []any) {
	n := 1
	for n < len(args) {
		n *= 2
	}
	out := make([]any, n)
	for i := range out {
		out[i] = args[min(i, len(args)-1)]
	}
	return "(?" + strings.Repeat(", ?", n-1) + ")", out
}

// deleteStaged returns the statements that forget staged paths.
func deleteStaged(paths []string) []statement {
	const pathsMax = 512 // parameters of one statement
	var out []statement
	for len(paths) > 0 {
		n := min(len(paths), pathsMax)
		args := make([]any, n)
		for i, path := range paths[:n] {
			args[i] = path
		}
		list, args := inList(args)
		out = append(out, statement{`DELETE FROM ` + tableStaged + ` WHERE path IN ` + list, args})
		paths = paths[n:]
	}
	return out
}
