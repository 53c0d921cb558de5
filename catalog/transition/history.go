package transition

import (
	"context"
	"maps"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// History tells what the snapshots up to the parent of a commit did, as far as their
// states do not tell it any more.
type History interface {
	// NameChanged returns the snapshot that last took or freed the name of a schema
	// or, unless table is empty, of a table or view in it; 0 if none did. Names are
	// compared without case.
	NameChanged(ctx context.Context, schema, table string) (lake.SnapshotID, error)

	// FilesAdded returns the snapshot that last added files to a table, 0 if none did.
	FilesAdded(ctx context.Context, table lake.TableID) (lake.SnapshotID, error)

	// Table returns what became of a table; the zero Past if it never was.
	Table(ctx context.Context, table lake.TableID) (Past, error)

	// Outcome returns what the commit with a token did, with Replayed set; false if
	// there was none.
	Outcome(ctx context.Context, token string) (catalog.Result, bool, error)
}

// Past is what became of a table.
type Past struct {
	Name  string          // that it has or last had, quoted, with its schema's
	Ended lake.SnapshotID // that dropped it, 0 if none did
}

// NotFound is the error for a table that is not in a snapshot.
func (p Past) NotFound(id lake.TableID, at lake.SnapshotID) error {
	if p.Name == "" {
		return lake.Errorf(lake.KindNotFound, "no table has the id %d", id)
	}
	return lake.Errorf(lake.KindNotFound, "table %s does not exist in snapshot %d", p.Name, at)
}

// Log is a History of published drafts, on top of another one: a driver that
// publishes several in one transaction of its database asks it about those that the
// database does not know yet. It is used by one goroutine at a time.
type Log struct {
	before History // nil: nothing was before
	names  map[string]lake.SnapshotID
	files  map[lake.TableID]lake.SnapshotID
	tables map[lake.TableID]Past
	tokens map[string]catalog.Result
}

var _ History = (*Log)(nil)

// NewLog returns a Log without drafts. before is what was before them; nil means nothing.
func NewLog(before History) *Log {
	return &Log{
		before: before, names: map[string]lake.SnapshotID{}, files: map[lake.TableID]lake.SnapshotID{},
		tables: map[lake.TableID]Past{}, tokens: map[string]catalog.Result{},
	}
}

// Record adds a draft that Commit or First returned and that is published.
func (l *Log) Record(d *Draft) {
	at := d.env.At
	for name := range d.names {
		l.names[name] = at
	}
	for _, f := range d.delta.Begun.Files {
		l.files[f.Table.ID] = at
	}
	for _, t := range d.delta.Begun.Tables {
		l.tables[t.Table.ID] = Past{Name: quoteTable(t.Table.Schema, t.Table.Name)}
	}
	for id, name := range d.dropped {
		l.tables[id] = Past{Name: name, Ended: at}
	}
	maps.Copy(l.tokens, d.tokens)
}

// nameKey is the key of Log.names for a schema, or for a table or view.
func nameKey(schema, table string) string { return strings.ToLower(quoteTable(schema, table)) }

// NameChanged implements History.
func (l *Log) NameChanged(ctx context.Context, schema, table string) (lake.SnapshotID, error) {
	if at, ok := l.names[nameKey(schema, table)]; ok || l.before == nil {
		return at, nil
	}
	return l.before.NameChanged(ctx, schema, table)
}

// FilesAdded implements History.
func (l *Log) FilesAdded(ctx context.Context, table lake.TableID) (lake.SnapshotID, error) {
	if at, ok := l.files[table]; ok || l.before == nil {
		return at, nil
	}
	return l.before.FilesAdded(ctx, table)
}

// Table implements History.
func (l *Log) Table(ctx context.Context, table lake.TableID) (Past, error) {
	if past, ok := l.tables[table]; ok || l.before == nil {
		return past, nil
	}
	return l.before.Table(ctx, table)
}

// Outcome implements History.
func (l *Log) Outcome(ctx context.Context, token string) (catalog.Result, bool, error) {
	if result, ok := l.tokens[token]; ok {
		result.Replayed = true
		return result, true, nil
	}
	if l.before == nil {
		return catalog.Result{}, false, nil
	}
	return l.before.Outcome(ctx, token)
}
