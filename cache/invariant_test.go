package cache

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/invariant/invarianttest"
	"github.com/flightlake/flightlake/lake"
)

func TestBytesAreChecked(t *testing.T) {
	t.Parallel()
	const text = "stats.Bytes is the sum of what ledger charged for entries, and EntryBytes for each."
	for name, change := range map[string]func(*Cache[int, int64]){
		"put":    func(c *Cache[int, int64]) { c.Put(3, 30) },
		"evict":  func(c *Cache[int, int64]) { c.Put(3, 100) },
		"remove": func(c *Cache[int, int64]) { c.Remove(1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := New(3*EntryBytes+100, func(_ int, v int64) int64 { return v })
			c.Put(1, 10)
			c.Put(2, 20)
			c.stats.Bytes++
			invarianttest.RequireCheck(t, text, func() { change(c) })
		})
	}
}

// TestSharedFilesAreChecked takes bytes from an entry that is charged.
func TestSharedFilesAreChecked(t *testing.T) {
	t.Parallel()
	const text = "stats.Bytes is the sum of what ledger charged for entries, and EntryBytes for each."
	tables := NewTables(&oneFile{}, TablesOptions{})
	for s := range lake.SnapshotID(2) {
		_, err := tables.Files(t.Context(), 1, s+1)
		require.NoError(t, err)
	}
	v, ok := tables.cache.Peek(tableKey{table: 1, snapshot: 2})
	require.True(t, ok)
	v.set.entries[0].bytes--
	invarianttest.RequireCheck(t, text, func() { _, _ = tables.Files(t.Context(), 1, 3) })
}

func TestFileSetIsChecked(t *testing.T) {
	t.Parallel()
	s := newFileSet([]*fileEntry{newFileEntry(&lake.DataFile{ID: 1, Begin: 1}, 1), newFileEntry(&lake.DataFile{ID: 2, Begin: 1}, 1)})
	s.files[0], s.files[1] = s.files[1], s.files[0]
	invarianttest.RequireCheck(t, "files[i] == &entries[i].file.", func() { _, _ = s.merge(nil, 1) })
}

func TestChangedFilesAreChecked(t *testing.T) {
	t.Parallel()
	changes := []lake.DataFile{{ID: 1, Begin: 2, End: 2}}
	invarianttest.RequireCheck(t, "Begin < End whenever End is not zero.", func() { _, _ = (&fileSet{}).merge(changes, 2) })
}

// oneFile is a source of one file. Each answer gives it rows more than the one before.
type oneFile struct {
	rows  int64
	calls int64 // for all files
}

func (o *oneFile) Files(_ context.Context, table lake.TableID, after, _ lake.SnapshotID) (TableChanges, error) {
	if after != 0 {
		return TableChanges{}, nil
	}
	rows := o.calls * o.rows
	o.calls++
	return TableChanges{Files: []lake.DataFile{{ID: 1, Table: table, Begin: 1, Rows: rows}}}, nil
}

func TestSourceIsChecked(t *testing.T) {
	t.Parallel()
	ask := func(tables *Tables) func() {
		return func() { _, _ = tables.Files(t.Context(), 1, 1) }
	}
	for _, forget := range []bool{false, true} {
		tables := NewTables(&oneFile{rows: 1}, TablesOptions{BytesMax: -1})
		ask(tables)()
		if forget {
			tables.Forget(1)
			require.NotPanics(t, ask(tables))
			continue
		}
		invarianttest.RequireCheck(t, "once upTo exists, the same call always means the same.", ask(tables))
	}
	steady := NewTables(&oneFile{}, TablesOptions{BytesMax: -1})
	ask(steady)()
	require.NotPanics(t, ask(steady))
}
