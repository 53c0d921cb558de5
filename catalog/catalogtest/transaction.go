package catalogtest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// createIn is a table of twoColumns in a schema whose folder is given.
func createIn(schema, path, name string, files ...string) catalog.CreateTable {
	op := createTable(name)
	op.Schema, op.Path = schema, path+name+"/"
	for i, file := range files {
		op.Files = append(op.Files, dataFile(op.Path+file, int64(10*i), 10))
	}
	return op
}

func addTo(t *lake.Table, files ...string) catalog.AddFiles {
	op := catalog.AddFiles{Table: t.ID, Layout: t.LayoutBegin}
	for _, file := range files {
		op.Files = append(op.Files, dataFile(t.Path+file, 0, 5))
	}
	return op
}

// reopened checks that a catalog is the same after it was closed.
func reopened(t *testing.T, l Lake, c catalog.Catalog) catalog.Catalog {
	t.Helper()
	want := state(t, c)
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	require.Equal(t, want, state(t, c))
	return c
}

func testTransactionCreates(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	before := latest(t, c)
	r := commit(t, c,
		catalog.CreateSchema{Name: "S", Path: "some/folder/"},
		createIn("s", "some/folder/", "a", "1.parquet"),
		createIn("main", "main/", "b", "1.parquet", "2.parquet"),
		catalog.SetComment{Schema: "S", Text: "of the schema"},
		catalog.SetComment{Schema: "S", Table: "a", Text: "first"},
		catalog.SetComment{Schema: "S", Table: "A", Text: "of the table"},
		catalog.SetComment{Schema: "main", Table: "b", Column: 2, Text: "of the column"},
		catalog.SetOption{Schema: "S", Table: "a", Name: "target_file_size", Value: "7"},
	)
	require.Equal(t, `created_schema:"S",created_table:"S"."a",inserted_into_table:2,created_table:"main"."b",inserted_into_table:3`,
		r.Snapshot.Changes, "what is new is not altered")
	require.Equal(t, before.SchemaVersion+1, r.Snapshot.SchemaVersion, "one snapshot is one schema version")
	require.Equal(t, []lake.TableID{0, 2, 3, 0, 2, 2, 3, 2}, r.Tables)
	require.EqualValues(t, 30, r.Rows)
	checkMetadata(t, c, [][]any{{int64(1), int64(1), int64(2)}, {int64(1), int64(1), int64(3)}},
		"SELECT begin_snapshot, schema_version, table_id FROM ducklake_schema_versions WHERE table_id IS NOT NULL ORDER BY table_id")
	c = reopened(t, l, c)
	schema, ok := state(t, c).Schema("s")
	require.True(t, ok)
	require.Equal(t, "some/folder/", schema.Path)
	require.Equal(t, "of the schema", schema.Comment)
	a, b := table(t, c, "s", "a"), table(t, c, "main", "b")
	require.Equal(t, "of the table", a.Comment)
	require.Equal(t, "7", a.Options["target_file_size"])
	require.Equal(t, "of the column", b.Columns[1].Comment)
	require.Equal(t, "some/folder/a/1.parquet", liveFiles(t, c, a.ID)[0].Path)
	require.Len(t, liveFiles(t, c, b.ID), 2)

	for _, path := range []string{"x", "/x/", "s3://x/", "../", "a/../b/", "a//", "./", "/"} {
		commitError(t, c, lake.ErrInvalid, catalog.CreateSchema{Name: "bad", Path: path})
	}
}

func testTransactionReplacesSchema(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, catalog.CreateSchema{Name: "s"}, createIn("s", "s/", "a", "1.parquet"), createIn("s", "s/", "b", "1.parquet"))
	a, b := table(t, c, "s", "a"), table(t, c, "s", "b")
	old := latest(t, c).ID
	r := commit(t, c,
		catalog.DropTable{ID: a.ID, Layout: a.LayoutBegin}, catalog.DropTable{ID: b.ID, Layout: b.LayoutBegin}, catalog.DropSchema{Name: "s"},
		catalog.CreateSchema{Name: "s"}, createIn("s", "s/", "b", "2.parquet"), createIn("main", "main/", "a"),
	)
	require.Equal(t, fmt.Sprintf(`dropped_table:%d,dropped_table:%d,dropped_schema:1,created_schema:"s",created_table:"s"."b",`+
		`inserted_into_table:5,created_table:"main"."a"`, a.ID, b.ID), r.Snapshot.Changes)
	c = reopened(t, l, c)
	_, ok := state(t, c).Table("s", "a")
	require.False(t, ok)
	now := table(t, c, "s", "b")
	require.NotEqual(t, b.ID, now.ID)
	require.Equal(t, "s/b/2.parquet", liveFiles(t, c, now.ID)[0].Path)
	past, ok := stateAt(t, c, old).Table("s", "b")
	require.True(t, ok, "the past stays")
	require.Equal(t, b.ID, past.ID)
	require.Len(t, filesAt(t, c, b.ID, 0, old).Files, 1)
}

func testTransactionAddsFiles(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"), createTable("u"), createTable("v"))
	tt, u, v := table(t, c, "main", "t"), table(t, c, "main", "u"), table(t, c, "main", "v")
	r := commit(t, c, addTo(tt, "1.parquet"), addTo(u, "1.parquet"), addTo(tt, "2.parquet", "3.parquet"),
		catalog.SetComment{Schema: "main", Table: "t", Text: "x"}, catalog.DropTable{ID: v.ID, Layout: v.LayoutBegin},
		createIn("main", "main/", "v", "new.parquet"))
	require.Equal(t, fmt.Sprintf(`inserted_into_table:%d,inserted_into_table:%d,altered_table:%d,dropped_table:%d,created_table:"main"."v",`+
		`inserted_into_table:4`, tt.ID, u.ID, tt.ID, v.ID), r.Snapshot.Changes, "each change once")
	require.EqualValues(t, 30, r.Rows)
	c = reopened(t, l, c)
	files := liveFiles(t, c, tt.ID)
	require.Len(t, files, 3)
	require.Equal(t, []int64{0, 5, 10}, []int64{files[0].RowIDStart, files[1].RowIDStart, files[2].RowIDStart})
	checkMetadata(t, c, [][]any{{int64(15), int64(15)}},
		fmt.Sprintf("SELECT record_count, next_row_id FROM ducklake_table_stats WHERE table_id = %d", tt.ID))
	require.Equal(t, tt.LayoutBegin, table(t, c, "main", "t").LayoutBegin, "neither comments nor files change the columns")
}

func testUndoneOperations(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"))
	tt := table(t, c, "main", "t")
	drop := catalog.DropTable{ID: tt.ID}
	for name, ops := range map[string][]catalog.Operation{
		"files of a table that is dropped":     {addTo(tt, "1.parquet"), drop},
		"files after the drop":                 {drop, addTo(tt, "1.parquet")},
		"comment on a table that is dropped":   {catalog.SetComment{Schema: "main", Table: "t", Text: "x"}, drop},
		"dropped twice":                        {drop, drop},
		"created and dropped":                  {createTable("u"), catalog.DropTable{ID: tt.ID + 1}},
		"a schema that is created and dropped": {catalog.CreateSchema{Name: "s"}, catalog.DropSchema{Name: "s"}},
	} {
		t.Log(name)
		commitError(t, c, lake.ErrInvalid, ops...)
	}
	require.Equal(t, tt, table(t, c, "main", "t"))
}

// testConflictsSinceBase has each operation meet a change that it did not know.
func testConflictsSinceBase(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("kept"), createTable("gone"), createTable("swapped"), catalog.CreateSchema{Name: "old"},
		catalog.CreateSchema{Name: "empty"}, catalog.CreateSchema{Name: "swapped"})
	base := latest(t, c).ID
	id := func(name string) lake.TableID { return table(t, c, "main", name).ID }
	gone := table(t, c, "main", "gone")
	other := commit(t, c, createTable("taken"), catalog.DropTable{ID: gone.ID}, catalog.DropTable{ID: id("swapped")}, createTable("swapped"),
		catalog.CreateSchema{Name: "new"}, catalog.DropSchema{Name: "old"}, createIn("empty", "empty/", "x"),
		catalog.DropSchema{Name: "swapped"}, catalog.CreateSchema{Name: "swapped"}).Snapshot.ID
	for name, tc := range map[string]struct {
		op      catalog.Operation
		without error // the kind without a base; nil if it would be done
		names   string
	}{
		"table taken":            {createTable("TAKEN"), lake.ErrExists, `table "main"."TAKEN"`},
		"table dropped":          {catalog.DropTable{ID: gone.ID}, lake.ErrConflict, `table "main"."gone"`},
		"files of one dropped":   {addTo(gone, "1.parquet"), lake.ErrConflict, `table "main"."gone"`},
		"comment on one dropped": {catalog.SetComment{Schema: "main", Table: "gone", Text: "x"}, lake.ErrNotFound, `table "main"."gone"`},
		"comment on another":     {catalog.SetComment{Schema: "main", Table: "swapped", Text: "x"}, nil, `table "main"."swapped"`},
		"option of one dropped":  {catalog.SetOption{Schema: "main", Table: "gone", Name: "x", Value: "y"}, lake.ErrNotFound, `table "main"."gone"`},
		"option of another":      {catalog.SetOption{Schema: "main", Table: "swapped", Name: "x", Value: "y"}, nil, `table "main"."swapped"`},
		"schema taken":           {catalog.CreateSchema{Name: "New"}, lake.ErrExists, `schema "new"`},
		"schema dropped":         {catalog.DropSchema{Name: "old"}, lake.ErrNotFound, `schema "old"`},
		"schema replaced":        {catalog.DropSchema{Name: "swapped"}, nil, `schema "swapped"`},
		"table in one dropped":   {createIn("old", "old/", "t"), lake.ErrNotFound, `schema "old"`},
		"table in another":       {createIn("swapped", "swapped/", "t"), nil, `schema "swapped"`},
		"schema no longer empty": {catalog.DropSchema{Name: "empty"}, lake.ErrState, `table "empty"."x"`},
	} {
		t.Log(name)
		if tc.without != nil {
			commitError(t, c, tc.without, tc.op)
		}
		_, err := c.Commit(t.Context(), catalog.Commit{Base: &base, Operations: []catalog.Operation{tc.op}})
		require.ErrorIs(t, err, lake.ErrConflict, name)
		require.ErrorContains(t, err, tc.names, name)
		require.ErrorContains(t, err, fmt.Sprintf("snapshot %d", other), name)
	}
	require.Equal(t, other, latest(t, c).ID)
}

func testNoConflictWithBase(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"), createTable("u"), catalog.CreateSchema{Name: "s"})
	commit(t, c, catalog.DropTable{ID: table(t, c, "main", "u").ID})
	base := latest(t, c).ID
	based := func(want error, ops ...catalog.Operation) {
		t.Helper()
		_, err := c.Commit(t.Context(), catalog.Commit{Base: &base, Operations: ops})
		require.ErrorIs(t, err, want)
	}
	based(lake.ErrExists, createTable("t"))
	based(lake.ErrExists, catalog.CreateSchema{Name: "s"})
	based(lake.ErrNotFound, catalog.SetComment{Schema: "main", Table: "u", Text: "x"})
	based(lake.ErrNotFound, catalog.SetComment{Schema: "main", Table: "never", Text: "x"})
	based(lake.ErrNotFound, catalog.SetComment{Schema: "main", Table: "t", Column: 9, Text: "x"})
	based(lake.ErrNotFound, catalog.DropSchema{Name: "never"})
	based(lake.ErrState, catalog.DropSchema{Name: "main"})
	based(lake.ErrExists, createTable("v"), createTable("v"))
	tt := table(t, c, "main", "t")
	commit(t, c, addTo(tt, "1.parquet"))
	commit(t, c, createTable("v"))
	r, err := c.Commit(t.Context(), catalog.Commit{Base: &base, Operations: []catalog.Operation{
		addTo(tt, "2.parquet"), createTable("u"),
		catalog.SetComment{Schema: "main", Table: "u", Text: "x"},
		catalog.DropSchema{Name: "s"},
		catalog.CreateSchema{Name: "s"},
		createIn("s", "s/", "a"),
		catalog.SetOption{Schema: "s", Table: "a", Name: "x", Value: "y"},
	}})
	require.NoError(t, err, "appends and changes of other names are no conflict")
	require.Equal(t, latest(t, c), r.Snapshot)
	require.Len(t, liveFiles(t, c, tt.ID), 2)
	first := lake.SnapshotID(0)
	_, err = c.Commit(t.Context(), catalog.Commit{Base: &first, Operations: []catalog.Operation{createTable("t")}})
	require.ErrorIs(t, err, lake.ErrConflict, "the first snapshot is a base like any other")
}

// testDropSinceBase drops tables whose latest rows nobody saw who drops them.
func testDropSinceBase(t *testing.T, l Lake) {
	const writers = 8
	c := open(t, l, newClock())
	commit(t, c, createTable("t"), createTable("u"))
	tt, u := table(t, c, "main", "t"), table(t, c, "main", "u")
	base := latest(t, c).ID
	at := commit(t, c, addTo(tt, "1.parquet")).Snapshot.ID
	drop := catalog.Commit{Base: &base, Operations: []catalog.Operation{catalog.DropTable{ID: tt.ID, Layout: tt.LayoutBegin}, createTable("t")}}
	c = reopened(t, l, c)
	_, err := c.Commit(t.Context(), drop)
	require.ErrorIs(t, err, lake.ErrConflict)
	require.ErrorContains(t, err, fmt.Sprintf(`table "main"."t" got rows by snapshot %d`, at))
	require.Len(t, liveFiles(t, c, tt.ID), 1)
	drop.Base = &at
	_, err = c.Commit(t.Context(), drop)
	require.NoError(t, err, "it has seen the rows")

	// Most likely in one group: the database does not know the appends yet.
	base = latest(t, c).ID
	errs := make([]error, writers)
	var dropErr error
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			_, errs[w] = c.Commit(t.Context(), catalog.Commit{Operations: []catalog.Operation{addTo(u, fmt.Sprintf("%d.parquet", w))}})
		})
	}
	wg.Go(func() {
		_, dropErr = c.Commit(t.Context(), catalog.Commit{Base: &base, Operations: []catalog.Operation{catalog.DropTable{ID: u.ID}}})
	})
	wg.Wait()
	added := 0
	for _, err := range errs {
		if err == nil {
			added++
			continue
		}
		require.ErrorIs(t, err, lake.ErrConflict)
	}
	require.Equal(t, dropErr == nil, added == 0, "either the rows or the drop")
	if dropErr != nil {
		require.ErrorIs(t, dropErr, lake.ErrConflict)
	}
}

// testConcurrentCreatesOnBase commits what conflicts in one group, most likely:
// the database does not know the other commit yet.
func testConcurrentCreatesOnBase(t *testing.T, l Lake) {
	const writers = 16
	c := open(t, l, newClock())
	commit(t, c, createTable("old"))
	base, old := latest(t, c).ID, table(t, c, "main", "old")
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			ops := []catalog.Operation{catalog.CreateSchema{Name: "s"}, createIn("s", "s/", "t")}
			if w%2 == 0 {
				ops = []catalog.Operation{catalog.DropTable{ID: old.ID, Layout: old.LayoutBegin}, catalog.CreateSchema{Name: "s"}}
			}
			_, errs[w] = c.Commit(t.Context(), catalog.Commit{Base: &base, Operations: ops})
		})
	}
	wg.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
			continue
		}
		require.ErrorIs(t, err, lake.ErrConflict)
		require.ErrorContains(t, err, fmt.Sprintf("snapshot %d", base+1))
	}
	require.Equal(t, 1, done)
	require.Equal(t, base+1, latest(t, c).ID)
}

func testAppendTokens(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"), createTable("u"))
	tt, u := table(t, c, "main", "t"), table(t, c, "main", "u")
	first := catalog.Commit{
		Token: "whole",
		Appends: []catalog.AppendToken{
			{Token: "one", Rows: 10, Operations: []int{0}},
			{Token: "two", Rows: 5, Operations: []int{1, 2}},
			{Token: "none", Rows: 3},
		},
		Operations: []catalog.Operation{addTo(tt, "1.parquet", "2.parquet"), addTo(u, "1.parquet"), createTable("v")},
	}
	r, err := c.Commit(t.Context(), first)
	require.NoError(t, err)
	require.EqualValues(t, 15, r.Rows)
	check := func(c catalog.Catalog) {
		for token, want := range map[string]catalog.Result{
			"whole": r,
			"one":   {Rows: 10, Tables: r.Tables[:1]},
			"two":   {Rows: 5, Tables: r.Tables[1:]},
			"none":  {Rows: 3},
		} {
			want.Snapshot, want.Replayed = r.Snapshot, true
			got, err := c.Outcome(t.Context(), token)
			require.NoError(t, err, token)
			require.Equal(t, want, got, token)
			got, err = c.Commit(t.Context(), catalog.Commit{Token: token, Operations: []catalog.Operation{addTo(tt, "x.parquet")}})
			require.NoError(t, err, token)
			require.Equal(t, want, got, "an append outside of a transaction is answered too: %s", token)
		}
		again, err := c.Commit(t.Context(), first)
		require.NoError(t, err)
		require.Equal(t, r.Snapshot, again.Snapshot, "a commit that is repeated under its own token is answered")
		for _, token := range []string{"whole", "one"} {
			_, err = c.Commit(t.Context(), catalog.Commit{
				Appends:    []catalog.AppendToken{{Token: "fresh"}, {Token: token}},
				Operations: []catalog.Operation{addTo(tt, "x.parquet")},
			})
			require.ErrorIs(t, err, lake.ErrConflict)
			require.ErrorContains(t, err, fmt.Sprintf(`append token %q was committed by snapshot %d`, token, r.Snapshot.ID))
		}
		_, err = c.Outcome(t.Context(), "fresh")
		require.ErrorIs(t, err, lake.ErrNotFound)
		require.Equal(t, r.Snapshot, latest(t, c))
	}
	check(c)
	require.NoError(t, c.Close())
	check(open(t, l, newClock()))
}

func testRefusedAppendTokens(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	for name, tokens := range map[string]catalog.Commit{
		"empty":                         {Appends: []catalog.AppendToken{{}}},
		"repeated":                      {Appends: []catalog.AppendToken{{Token: "a"}, {Token: "a"}}},
		"that of the commit":            {Token: "a", Appends: []catalog.AppendToken{{Token: "a"}}},
		"too long":                      {Appends: []catalog.AppendToken{{Token: string(make([]byte, 257))}}},
		"no UTF-8":                      {Appends: []catalog.AppendToken{{Token: "\xff"}}},
		"an operation that is not":      {Appends: []catalog.AppendToken{{Token: "a", Operations: []int{1}}}},
		"an operation before the first": {Appends: []catalog.AppendToken{{Token: "a", Operations: []int{-1}}}},
	} {
		tokens.Operations = []catalog.Operation{createTable("t")}
		_, err := c.Commit(t.Context(), tokens)
		require.ErrorIs(t, err, lake.ErrInvalid, name)
	}
	require.EqualValues(t, 0, latest(t, c).ID)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			_, errs[w] = c.Commit(t.Context(), catalog.Commit{
				Appends:    []catalog.AppendToken{{Token: "same", Rows: 1, Operations: []int{0}}},
				Operations: []catalog.Operation{createTable(fmt.Sprint("t", w))},
			})
		})
	}
	wg.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else {
			require.ErrorIs(t, err, lake.ErrConflict)
		}
	}
	require.Equal(t, 1, done, "of commits with the same append one is published")
}
