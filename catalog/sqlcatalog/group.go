package sqlcatalog

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// optionTable holds options as key, value, scope and scope_id.
const optionTable = "ducklake_metadata"

// rowSet is rows to be inserted into a table.
type rowSet struct {
	table string
	rows  [][]any
}

// statement is SQL with its parameters.
type statement struct {
	query string
	args  []any
}

// batch is what a transaction writes: first the statements of before, then the
// inserts, then those of after.
type batch struct {
	before  []statement
	inserts []rowSet
	after   []statement
}

func (b *batch) empty() bool { return len(b.before)+len(b.inserts)+len(b.after) == 0 }

// insert adds a row. An option replaces what the batch sets it to before.
func (b *batch) insert(table string, row ...any) {
	for i := range b.inserts {
		if b.inserts[i].table != table {
			continue
		}
		if table == optionTable {
			b.inserts[i].rows = slices.DeleteFunc(b.inserts[i].rows, func(old []any) bool {
				return old[0] == row[0] && old[2] == row[2] && old[3] == row[3]
			})
		}
		b.inserts[i].rows = append(b.inserts[i].rows, row)
		return
	}
	b.inserts = append(b.inserts, rowSet{table, [][]any{row}})
}

func (b *batch) then(query string, args ...any) {
	b.after = append(b.after, statement{query, args})
}

func (b *batch) add(other *batch) {
	b.before = append(b.before, other.before...)
	for _, set := range other.inserts {
		for _, row := range set.rows {
			b.insert(set.table, row...)
		}
	}
	b.after = append(b.after, other.after...)
}

// checkText refuses text that is no UTF-8, which databases refuse or corrupt.
func (b *batch) checkText() error {
	for _, set := range b.inserts {
		for _, row := range set.rows {
			for _, v := range row {
				if text, ok := v.(string); ok && !utf8.ValidString(text) {
					return lake.Errorf(lake.KindInvalid, "a name or text is no UTF-8: %q", text)
				}
			}
		}
	}
	return nil
}

func (b *batch) write(ctx context.Context, s *session) error {
	for _, st := range b.before {
		if err := s.exec(ctx, st.query, st.args...); err != nil {
			return err
		}
	}
	for _, set := range b.inserts {
		if len(set.rows) == 0 {
			continue
		}
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
		return s.dialect.InsertFunc(ctx, s.conn, set.table, set.rows)
	}
	for _, row := range set.rows {
		places, args := make([]string, len(row)), make([]any, 0, len(row))
		for i, v := range row {
			// A parameter that is NULL has another type than its column, so
			// that DuckDB would plan the statement again.
			places[i] = "NULL"
			if v != nil {
				places[i], args = "?", append(args, v)
			}
		}
		if err := s.exec(ctx, "INSERT INTO "+set.table+" VALUES ("+strings.Join(places, ", ")+")", args...); err != nil {
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

// reply is the answer to a request, to be given when the group is committed.
type reply struct {
	result catalog.Result
	err    error
}

// groupDraft is a group of requests turned into what is to be written.
type groupDraft struct {
	head      head // after the commits planned so far
	batch     batch
	marker    string // commit_extra_info of the group's snapshots
	snapshots int
	replies   []reply
	tokens    map[string]catalog.Result        // of the commits planned so far
	touched   map[lake.TableID]lake.SnapshotID // the last that added files to it
	// names and dropped are what the commits planned so far did, which the
	// database does not know yet: the snapshot that took or freed a name last.
	names   map[string]lake.SnapshotID
	dropped map[lake.TableID]droppedTable
}

// draft plans the requests one after the other in the transaction of s. A
// request whose precondition fails gets its error as reply and leaves nothing
// in the batch.
//
// Errors: those of the database, which concern the whole group.
func (w *writer) draft(ctx context.Context, s *session, group []*request) (*groupDraft, error) {
	current, err := w.currentHead(ctx, s)
	if err != nil {
		return nil, err
	}
	g := &groupDraft{
		head: *current, marker: `{"flightlake_commit":"` + uuid.NewString() + `"}`,
		replies: make([]reply, len(group)), tokens: map[string]catalog.Result{}, touched: map[lake.TableID]lake.SnapshotID{},
		names: map[string]lake.SnapshotID{}, dropped: map[lake.TableID]droppedTable{},
	}
	g.head.stats = maps.Clone(current.stats)
	for i, r := range group {
		switch {
		case r.stage != nil:
			g.batch.stage(r.stage)
		case r.unstage != nil:
			g.batch.unstage(r.unstage)
		default:
			result, err := w.draftCommit(ctx, s, g, r.commit)
			var known *lake.Error
			if err != nil && !errors.As(err, &known) {
				return nil, err
			}
			g.replies[i] = reply{result, err}
		}
	}
	for id := range g.touched {
		if stats := g.head.stats[id]; stats != nil {
			stats.write(&g.batch, id)
		}
	}
	return g, nil
}

// currentHead returns the newest snapshot and what belongs to it.
func (w *writer) currentHead(ctx context.Context, s *session) (*head, error) {
	if w.head != nil && w.c.dialect.Exclusive {
		return w.head, nil
	}
	snapshot, err := s.latestSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	if w.head != nil && w.head.snapshot.ID == snapshot.ID {
		return w.head, nil
	}
	h := &head{snapshot: snapshot, stats: map[lake.TableID]*tableStats{}}
	if _, err := s.one(ctx, `SELECT next_catalog_id, next_file_id FROM ducklake_snapshot WHERE snapshot_id = ?`,
		[]any{int64(snapshot.ID)}, &h.nextCatalogID, &h.nextFileID); err != nil {
		return nil, err
	}
	if h.state, err = w.c.state(ctx, s, snapshot.ID); err != nil {
		return nil, err
	}
	return h, nil
}

// draftCommit plans one Commit, unless its token was committed before.
func (w *writer) draftCommit(ctx context.Context, s *session, g *groupDraft, c *catalog.Commit) (catalog.Result, error) {
	if c.Token != "" {
		if result, found, err := g.outcome(ctx, s, c.Token); found || err != nil {
			return result, err
		}
	}
	for _, a := range c.Appends {
		result, found, err := g.outcome(ctx, s, a.Token)
		if err != nil {
			return catalog.Result{}, err
		}
		if found {
			return catalog.Result{}, lake.Errorf(lake.KindConflict, "append token %q was committed by snapshot %d", a.Token, result.Snapshot.ID)
		}
	}
	p := newPlan(s, g, w.c.clock.Now())
	result, err := p.commit(ctx, c)
	if err != nil {
		return catalog.Result{}, err
	}
	p.adopt(g)
	return result, nil
}

// outcome returns what the commit with a token did, in this group or before.
func (g *groupDraft) outcome(ctx context.Context, s *session, token string) (catalog.Result, bool, error) {
	if result, ok := g.tokens[token]; ok {
		result.Replayed = true
		return result, true, nil
	}
	return s.outcome(ctx, token)
}

// stage records objects; a path that is staged already gets the new lease.
func (b *batch) stage(files []catalog.StagedFile) {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
		b.insert(tableStaged, f.Path, f.Token, f.Holder, toMicros(f.LeaseUntil))
	}
	b.before = append(b.before, deleteStaged(paths)...)
}

func (b *batch) unstage(paths []string) { b.after = append(b.after, deleteStaged(paths)...) }

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
