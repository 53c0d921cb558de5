package catalogtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

func testAppendAndTimeTravel(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	created := commit(t, c, createTable("t"))
	id := created.Tables[0]
	begin := table(t, c, "main", "t").LayoutBegin
	one := dataFile("main/t/1.parquet", 0, 10)
	r := commit(t, c, catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{one}})
	require.Equal(t, fmt.Sprintf("inserted_into_table:%d", id), r.Snapshot.Changes)
	require.Equal(t, created.Snapshot.SchemaVersion, r.Snapshot.SchemaVersion, "an append changes no schema")
	require.EqualValues(t, 10, r.Rows)
	require.Equal(t, begin, table(t, c, "main", "t").LayoutBegin)
	two := dataFile("main/t/2.parquet", 10, 5)
	two.RowGroups = []lake.RowGroup{
		{Index: 0, Rows: 3, Bytes: 30, Columns: two.Stats}, {Index: 1, Rows: 2, Bytes: 30, Columns: two.Stats[:1]},
	}
	second := commit(t, c, catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{two}})

	one.Table, one.Begin, one.RowIDStart = id, r.Snapshot.ID, 0
	two.Table, two.Begin, two.RowIDStart, two.ID = id, second.Snapshot.ID, 10, 1
	check := func(c catalog.Catalog) {
		require.Equal(t, []lake.DataFile{one, two}, liveFiles(t, c, id))
		require.Equal(t, []lake.DataFile{one}, filesAt(t, c, id, 0, r.Snapshot.ID).Files)
		require.Empty(t, filesAt(t, c, id, 0, created.Snapshot.ID).Files)
	}
	check(c)
	require.NoError(t, c.Close())
	check(open(t, l, newClock()))
}

func testIncrementalFiles(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	id := commit(t, c, createTable("t")).Tables[0]
	begin := table(t, c, "main", "t").LayoutBegin
	var ids []lake.SnapshotID
	for i := range int64(4) {
		f := dataFile(fmt.Sprintf("main/t/%d.parquet", i), i, 1)
		ids = append(ids, commit(t, c, catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{f}}).Snapshot.ID)
	}
	paths := func(after, upTo lake.SnapshotID) []string {
		var out []string
		for _, f := range filesAt(t, c, id, after, upTo).Files {
			out = append(out, f.Path)
		}
		return out
	}
	require.Equal(t, []string{"main/t/2.parquet"}, paths(ids[1], ids[2]))
	require.Equal(t, []string{"main/t/2.parquet", "main/t/3.parquet"}, paths(ids[1], ids[3]))
	require.Empty(t, paths(ids[3], ids[3]))
}

func testAppendConflictsWithDDL(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	id := commit(t, c, createTable("t")).Tables[0]
	begin := table(t, c, "main", "t").LayoutBegin
	add := catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{dataFile("main/t/1.parquet", 0, 1)}}
	wrong := add
	wrong.Layout++
	commitError(t, c, lake.ErrConflict, wrong)
	dropped := commit(t, c, catalog.DropTable{ID: id})
	_, err := c.Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{add}})
	require.ErrorIs(t, err, lake.ErrConflict)
	require.ErrorContains(t, err, fmt.Sprintf("snapshot %d", dropped.Snapshot.ID), "the other snapshot is named")
	require.ErrorContains(t, err, `table "main"."t"`)
	add.Table = 77
	commitError(t, c, lake.ErrNotFound, add)
}

func testRefusedFiles(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	id := commit(t, c, createTable("t")).Tables[0]
	begin := table(t, c, "main", "t").LayoutBegin
	for name, change := range map[string]func(*lake.DataFile){
		"outside of the table's folder": func(f *lake.DataFile) { f.Path = "main/u/1.parquet" },
		"no name":                       func(f *lake.DataFile) { f.Path = "main/t/" },
		"negative rows":                 func(f *lake.DataFile) { f.Rows = -1 },
		"row groups of other rows":      func(f *lake.DataFile) { f.RowGroups[0].Rows-- },
		"statistics of no column":       func(f *lake.DataFile) { f.Stats[1].Field = 9 },
		"partition values":              func(f *lake.DataFile) { f.PartitionValues = []*lake.Value{nil} },
	} {
		f := dataFile("main/t/1.parquet", 0, 10)
		f.Stats, f.RowGroups = slices.Clone(f.Stats), slices.Clone(f.RowGroups)
		change(&f)
		t.Log(name)
		commitError(t, c, lake.ErrInvalid, catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{f}})
	}
	require.Empty(t, liveFiles(t, c, id))
}

func testFailedCommitLeavesNothing(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"))
	before := state(t, c)
	commitError(t, c, lake.ErrNotFound, catalog.CreateSchema{Name: "s"}, createTable("u"),
		catalog.SetOption{Name: "x", Value: "y"}, catalog.SetComment{Schema: "main", Table: "t", Text: "changed"},
		catalog.DropTable{ID: 99})
	require.Equal(t, before, state(t, c))
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	require.Equal(t, before, state(t, c))
	r := commit(t, c, createTable("u"))
	require.EqualValues(t, 2, r.Snapshot.ID)
	require.Equal(t, []lake.TableID{2}, r.Tables, "ids of a failed commit are given again")
}

func testConcurrentAppends(t *testing.T, l Lake) {
	const writers, appends = 16, 8
	c := open(t, l, newClock())
	id := commit(t, c, createTable("t")).Tables[0]
	begin := table(t, c, "main", "t").LayoutBegin
	var wg sync.WaitGroup
	results := make(chan catalog.Result, writers*appends)
	for w := range writers {
		wg.Go(func() {
			for i := range appends {
				f := dataFile(fmt.Sprintf("main/t/%d-%d.parquet", w, i), int64(w), int64(w+1))
				r, err := c.Commit(t.Context(), catalog.Commit{
					Operations: []catalog.Operation{catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{f}}},
				})
				if err != nil {
					t.Errorf("append %d of writer %d: %v", i, w, err)
					return
				}
				results <- r
			}
		})
	}
	wg.Wait()
	close(results)
	seen := map[lake.SnapshotID]bool{}
	for r := range results {
		require.False(t, seen[r.Snapshot.ID], "no two commits have snapshot %d", r.Snapshot.ID)
		seen[r.Snapshot.ID] = true
	}
	require.Len(t, seen, writers*appends)
	require.EqualValues(t, writers*appends+1, latest(t, c).ID, "ids are dense")
	files := liveFiles(t, c, id)
	require.Len(t, files, writers*appends)
	var next int64
	for i, f := range files {
		require.EqualValues(t, i, f.ID)
		require.Equal(t, next, f.RowIDStart, "row ids do not overlap")
		next += f.Rows
	}
	require.EqualValues(t, appends*writers*(writers+1)/2, next)
	checkMetadata(t, c, [][]any{{next, next}}, "SELECT record_count, next_row_id FROM ducklake_table_stats")
}

func testConcurrentCreates(t *testing.T, l Lake) {
	const writers = 16
	c := open(t, l, newClock())
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			_, errs[w] = c.Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{createTable("t")}})
		})
	}
	wg.Wait()
	created := 0
	for _, err := range errs {
		if err == nil {
			created++
			continue
		}
		require.ErrorIs(t, err, lake.ErrExists)
	}
	require.Equal(t, 1, created)
	require.EqualValues(t, 1, latest(t, c).ID, "a refused commit of a group does not use an id")
}

func testTokenReplay(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	id := commit(t, c, createTable("t")).Tables[0]
	begin := table(t, c, "main", "t").LayoutBegin
	once := catalog.Commit{Token: `a 'token' "é"`, Author: "me", Message: "why", Operations: []catalog.Operation{
		catalog.SetOption{Name: "x", Value: "y"},
		catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{dataFile("main/t/1.parquet", 0, 10)}},
	}}
	first, err := c.Commit(t.Context(), once)
	require.NoError(t, err)
	require.False(t, first.Replayed)
	want := first
	want.Replayed = true
	check := func(c catalog.Catalog) {
		again, err := c.Commit(t.Context(), once)
		require.NoError(t, err)
		require.Equal(t, want, again)
		outcome, err := c.Outcome(t.Context(), once.Token)
		require.NoError(t, err)
		require.Equal(t, want, outcome)
		require.Len(t, liveFiles(t, c, id), 1)
		require.Equal(t, first.Snapshot, latest(t, c))
	}
	check(c)
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	check(c)
	commit(t, c, catalog.DropTable{ID: id})
	again, err := c.Commit(t.Context(), once)
	require.NoError(t, err, "the first result is returned even if it would be a conflict now")
	require.Equal(t, want, again)

	failed := catalog.Commit{Token: "failed", Operations: []catalog.Operation{catalog.DropTable{ID: 99}}}
	_, err = c.Commit(t.Context(), failed)
	require.ErrorIs(t, err, lake.ErrNotFound)
	_, err = c.Outcome(t.Context(), "failed")
	require.ErrorIs(t, err, lake.ErrNotFound, "a commit that failed may be tried again with its token")
	failed.Operations = []catalog.Operation{createTable("u")}
	_, err = c.Commit(t.Context(), failed)
	require.NoError(t, err)

	for _, token := range []string{string(make([]byte, 257)), "\xff"} {
		_, err = c.Commit(t.Context(), catalog.Commit{Token: token, Operations: once.Operations})
		require.ErrorIs(t, err, lake.ErrInvalid)
	}
}

func testTokenUsedConcurrently(t *testing.T, l Lake) {
	const writers = 8
	c := open(t, l, newClock())
	id := commit(t, c, createTable("t")).Tables[0]
	begin := table(t, c, "main", "t").LayoutBegin
	results := make([]catalog.Result, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var err error
			results[w], err = c.Commit(t.Context(), catalog.Commit{Token: "same", Operations: []catalog.Operation{
				catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{dataFile(fmt.Sprintf("main/t/%d.parquet", w), 0, 1)}},
			}})
			if err != nil {
				t.Errorf("writer %d: %v", w, err)
			}
		})
	}
	wg.Wait()
	written := 0
	for _, r := range results {
		require.Equal(t, results[0].Snapshot, r.Snapshot)
		if !r.Replayed {
			written++
		}
	}
	require.Equal(t, 1, written)
	require.Len(t, liveFiles(t, c, id), 1)
}

func testStagedFiles(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	id := commit(t, c, createTable("t")).Tables[0]
	begin := table(t, c, "main", "t").LayoutBegin
	staged := []catalog.StagedFile{
		{Path: "main/t/1.parquet", Token: "token", Holder: "me", LeaseUntil: epoch()},
		{Path: "main/t/2.parquet", Holder: "me", LeaseUntil: epoch()},
		{Path: "main/t/it's 3.parquet", Holder: "you", LeaseUntil: epoch()},
	}
	require.NoError(t, c.Stage(t.Context(), staged))
	require.NoError(t, c.Stage(t.Context(), nil))
	check := func(c catalog.Catalog, want ...catalog.StagedFile) {
		got, err := c.Staged(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got, "by path")
	}
	check(c, staged...)
	staged[1].LeaseUntil = staged[1].LeaseUntil.AddDate(0, 0, 1)
	require.NoError(t, c.Stage(t.Context(), staged[1:2]), "a lease is renewed")
	check(c, staged...)
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	check(c, staged...)

	commitError(t, c, lake.ErrConflict, catalog.AddFiles{
		Table: id, Layout: begin + 1,
		Files: []lake.DataFile{dataFile(staged[0].Path, 0, 1)},
	})
	check(c, staged...)
	commit(t, c, catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{dataFile(staged[0].Path, 0, 1)}})
	check(c, staged[1:]...)
	require.NoError(t, c.Unstage(t.Context(), []string{staged[2].Path, "never staged"}))
	check(c, staged[1])

	var many []catalog.StagedFile
	var paths []string
	for i := range 1200 {
		paths = append(paths, fmt.Sprintf("main/t/many-%d", i))
		many = append(many, catalog.StagedFile{Path: paths[i], LeaseUntil: epoch()})
	}
	require.NoError(t, c.Stage(t.Context(), many))
	require.NoError(t, c.Unstage(t.Context(), paths))
	check(c, staged[1])
}

func testCommitOfSeveralTables(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	ids := commit(t, c, createTable("t"), createTable("u")).Tables
	begin := table(t, c, "main", "t").LayoutBegin
	add := func(i int, begin lake.SnapshotID) catalog.AddFiles {
		name := []string{"t", "u"}[i]
		return catalog.AddFiles{Table: ids[i], Layout: begin, Files: []lake.DataFile{dataFile("main/"+name+"/1.parquet", 0, 3)}}
	}
	commitError(t, c, lake.ErrConflict, add(0, begin), add(1, begin+1))
	require.Empty(t, liveFiles(t, c, ids[0]))
	r := commit(t, c, add(0, begin), add(1, begin))
	require.EqualValues(t, 6, r.Rows)
	require.Equal(t, r.Snapshot.ID, liveFiles(t, c, ids[0])[0].Begin)
	require.Equal(t, r.Snapshot.ID, liveFiles(t, c, ids[1])[0].Begin)
}

func testClosedCatalogIsUnavailable(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	require.NoError(t, c.Close())
	_, err := c.Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{createTable("t")}})
	require.ErrorIs(t, err, lake.ErrUnavailable)
	_, err = c.Snapshots(t.Context())
	require.ErrorIs(t, err, lake.ErrUnavailable)
	require.ErrorIs(t, c.Stage(t.Context(), []catalog.StagedFile{{Path: "x"}}), lake.ErrUnavailable)
	require.NoError(t, c.Close(), "closing twice is harmless")
}

func testCancelledContext(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := latest(t, c)
	_, err := c.Snapshots(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Commit(ctx, catalog.Commit{Operations: []catalog.Operation{createTable("t")}})
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, before, latest(t, c), "a commit that reports an end of its context wrote nothing")
	}
}

func testTextIsUTF8(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"))
	bad := createTable("\xff")
	bad.Path = "main/bad/"
	commitError(t, c, lake.ErrInvalid, bad)
	commitError(t, c, lake.ErrInvalid, catalog.CreateSchema{Name: "a\xffb"})
	commitError(t, c, lake.ErrInvalid, catalog.SetComment{Schema: "main", Table: "t", Text: "\xc3"})
	commitError(t, c, lake.ErrInvalid, catalog.SetOption{Name: "x", Value: "\xc3"})
	_, err := c.Commit(t.Context(), catalog.Commit{Author: "\xff", Operations: []catalog.Operation{createTable("u")}})
	require.ErrorIs(t, err, lake.ErrInvalid)
	require.ErrorIs(t, c.Stage(t.Context(), []catalog.StagedFile{{Path: "\xff"}}), lake.ErrInvalid)
	for _, name := range []string{"with a \x00 byte", strings.Repeat("x", 1025), ""} {
		bad := createTable(name)
		bad.Path = "main/bad/"
		commitError(t, c, lake.ErrInvalid, bad)
		bad = createTable("bad")
		bad.Columns[0].Name = name
		commitError(t, c, lake.ErrInvalid, bad)
		commitError(t, c, lake.ErrInvalid, catalog.CreateSchema{Name: name})
	}
	commitError(t, c, lake.ErrInvalid, catalog.SetComment{Schema: "main", Table: "t", Text: "\x00"})
	require.Len(t, state(t, c).Schemas, 1)
}
