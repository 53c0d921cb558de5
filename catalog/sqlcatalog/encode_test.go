package sqlcatalog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// TestFilesAreEncodedBeforeTheyAreCommitted would leave the expensive part of each
// append to the committer, of which there is one.
func TestFilesAreEncodedBeforeTheyAreCommitted(t *testing.T) {
	t.Parallel()
	columns, _ := lake.AssignFieldIDs([]lake.Column{{Name: "i", Type: lake.Type{ID: lake.TypeInt64}}})
	stats := []lake.ColumnStats{{Field: 1, Min: &lake.Value{Int: 3}, Max: &lake.Value{Int: 4}, ValueCount: 2}}
	good := lake.DataFile{Path: "main/t/1", Rows: 2, Stats: stats, RowGroups: []lake.RowGroup{{Rows: 2, Columns: stats}}}
	bad := good
	bad.Stats = []lake.ColumnStats{{Field: 9}}
	c := &Catalog{}
	c.newest.Store(&lake.State{Schemas: []lake.Schema{{Tables: []lake.Table{{ID: 7, LayoutBegin: 3, Columns: columns}}}}})
	got := c.encode(t.Context(), &catalog.Commit{Operations: []catalog.Operation{
		catalog.AddFiles{Table: 7, Layout: 3, Files: []lake.DataFile{good, bad}},
		catalog.SetComment{Schema: "main", Text: "x"},
		catalog.CreateTable{Schema: "main", Name: "u", Columns: columns, Files: []lake.DataFile{good}},
	}})
	require.Len(t, got, 3, "one for each file, in order")
	for _, i := range []int{0, 2} {
		require.True(t, got[i].done)
		require.NotEmpty(t, got[i].zoneMap)
		require.Equal(t, []encodedStats{{field: 1, notNull: int64(2), nulls: int64(0), min: "3", max: "4"}}, got[i].stats)
	}
	require.False(t, got[1].done, "the committer says what is wrong")
}

// TestLastChangeOfAStagedPathCounts would forget an object whose path was unstaged
// before it was staged, by requests of one group.
func TestLastChangeOfAStagedPathCounts(t *testing.T) {
	t.Parallel()
	until := time.Unix(1e9, 0).UTC()
	file := func(path, holder string) catalog.StagedFile { return catalog.StagedFile{Path: path, Holder: holder} }
	var b batch
	b.unstage([]string{"a", "b"})
	b.stage([]catalog.StagedFile{file("a", "me"), file("c", "me"), file("d", "you")})
	b.renew("me", until)
	var commit batch
	commit.unstage([]string{"c"})
	b.add(&commit)
	b.finish()
	require.Equal(t, []rowSet{{intoStaged, [][]any{{"a", "", "me", until}, {"d", "", "you", time.Time{}.UTC()}}}}, b.inserts)
	require.Len(t, b.before, 2)
	require.Contains(t, b.before[0].query, "SET lease_until", "of rows that are there before, some of which are then replaced")
	require.Equal(t, []any{"a", "b", "c", "d"}, b.before[1].args)
	require.Empty(t, b.after)
}
