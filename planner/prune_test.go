package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

// bigints is a table of two columns, a and b, with ids 1 and 2.
func bigints() *lake.Table {
	columns, _ := lake.AssignFieldIDs([]lake.Column{
		{Name: "a", Type: lake.Type{ID: lake.TypeInt64}, Nullable: true},
		{Name: "b", Type: lake.Type{ID: lake.TypeInt64}, Nullable: true},
	})
	return &lake.Table{ID: 1, Schema: "main", Name: "n", Columns: columns, ColumnsBegin: 1}
}

func intStats(id lake.FieldID, lo, hi, rows, nulls int64) lake.ColumnStats {
	return lake.ColumnStats{
		Field: id, Min: &lake.Value{Int: lo}, Max: &lake.Value{Int: hi}, MinExact: true, MaxExact: true,
		ValueCount: rows, NullCount: nulls,
	}
}

// version returns a version of table n that has the files.
func version(specs []lake.PartitionSpec, files ...lake.DataFile) *lake.TableVersion {
	v := &lake.TableVersion{Table: 1, Snapshot: 3, Partitions: specs}
	for i := range files {
		v.Files = append(v.Files, &files[i])
	}
	return v
}

func compareA(op expr.Op, v int64) expr.Predicate {
	return expr.Compare{Field: 1, Type: lake.Type{ID: lake.TypeInt64}, Op: op, Value: lake.Value{Int: v}}
}

func TestPruneLevels(t *testing.T) {
	t.Parallel()
	specs := []lake.PartitionSpec{{ID: 7, Fields: []lake.PartitionField{{Column: 2, Transform: lake.TransformIdentity}}}}
	files := []lake.DataFile{
		{
			ID: 1, Path: "wrong-partition", Rows: 10, Bytes: 100, Begin: 1, PartitionID: 7, PartitionValues: []*lake.Value{{Int: 1}},
			Stats: []lake.ColumnStats{intStats(1, 0, 9, 10, 0)},
		},
		{
			ID: 2, Path: "wrong-bounds", Rows: 10, Bytes: 100, Begin: 1, PartitionID: 7, PartitionValues: []*lake.Value{{Int: 2}},
			Stats: []lake.ColumnStats{intStats(1, 20, 29, 10, 0)},
		},
		{
			ID: 3, Path: "one-group", Rows: 10, Bytes: 100, Begin: 1, PartitionID: 7, PartitionValues: []*lake.Value{{Int: 2}},
			Stats: []lake.ColumnStats{intStats(1, 0, 29, 10, 0)},
			RowGroups: []lake.RowGroup{
				{Index: 0, Rows: 4, Bytes: 40, Columns: []lake.ColumnStats{intStats(1, 0, 6, 4, 0)}},
				{Index: 1, Rows: 3, Bytes: 35, Columns: []lake.ColumnStats{intStats(1, 6, 8, 3, 0)}},
				{Index: 2, Rows: 3, Bytes: 25, Columns: []lake.ColumnStats{intStats(1, 9, 29, 3, 0)}},
			},
		},
		{
			ID: 4, Path: "no-group", Rows: 2, Bytes: 20, Begin: 1, PartitionID: 7, PartitionValues: []*lake.Value{{Int: 2}},
			Stats: []lake.ColumnStats{intStats(1, 0, 29, 2, 0)},
			RowGroups: []lake.RowGroup{
				{Index: 0, Rows: 1, Bytes: 10, Columns: []lake.ColumnStats{intStats(1, 0, 0, 1, 0)}},
				{Index: 1, Rows: 1, Bytes: 10, Columns: []lake.ColumnStats{intStats(1, 29, 29, 1, 0)}},
			},
		},
		{ID: 5, Path: "unknown", Rows: 5, Bytes: 50, Begin: 1},
		{ID: 8, Path: "empty", Rows: 0, Bytes: 5, Begin: 1},
	}
	predicate := expr.And{Terms: []expr.Predicate{
		compareA(expr.OpEqual, 7),
		expr.Compare{Field: 2, Type: lake.Type{ID: lake.TypeInt64}, Op: expr.OpEqual, Value: lake.Value{Int: 2}},
		expr.Opaque{Text: "f(a)"},
	}}
	got := planner.Prune(bigints(), version(specs, files...), predicate)
	require.Equal(t, []lake.ScanTask{
		{File: &files[2], RowGroups: []int32{1}, Rows: 3, Bytes: 35},
		{File: &files[4], Rows: 5, Bytes: 50},
	}, got.Tasks)
	require.Equal(t, []planner.Skipped{
		{File: &files[0], Reason: planner.SkippedByPartition},
		{File: &files[1], Reason: planner.SkippedByStats},
		{File: &files[3], Reason: planner.SkippedByRowGroups},
		{File: &files[5], Reason: planner.SkippedByStats},
	}, got.Skipped)
	require.Equal(t, expr.Pruning{
		FilesTotal: 6, FilesSkippedByPartition: 1, FilesSkippedByStats: 2,
		RowGroupsTotal: 5, RowGroupsSkipped: 4, RowsTotal: 37, BytesTotal: 375,
	}, got.Pruning)
	require.False(t, got.Decided)
}

func TestPruneWithoutPredicateReadsEveryFile(t *testing.T) {
	t.Parallel()
	files := []lake.DataFile{{ID: 1, Rows: 3, Begin: 2}}
	got := planner.Prune(bigints(), version(nil, files...), nil)
	require.Len(t, got.Tasks, 1)
	require.Nil(t, got.Tasks[0].RowGroups)
	require.True(t, got.Decided)
}

func TestPruneDecidesWhatIsTrueOnEveryRow(t *testing.T) {
	t.Parallel()
	files := []lake.DataFile{
		{ID: 1, Rows: 3, Begin: 1, Stats: []lake.ColumnStats{intStats(1, 5, 9, 3, 0)}},
		{ID: 2, Rows: 3, Begin: 1, Stats: []lake.ColumnStats{intStats(1, 0, 3, 3, 0)}},
	}
	require.True(t, planner.Prune(bigints(), version(nil, files...), compareA(expr.OpGreater, 4)).Decided)
	require.False(t, planner.Prune(bigints(), version(nil, files...), compareA(expr.OpGreater, 5)).Decided)
	files[0].Stats[0].NullCount = 1
	require.False(t, planner.Prune(bigints(), version(nil, files...), compareA(expr.OpGreater, 4)).Decided, "a NULL is not true")
	files[0].Stats = nil
	require.False(t, planner.Prune(bigints(), version(nil, files...), compareA(expr.OpGreater, 4)).Decided)
}

func TestPruneOfAColumnYoungerThanTheFileSkipsNothing(t *testing.T) {
	t.Parallel()
	files := []lake.DataFile{{ID: 1, Rows: 3, Begin: 1, Stats: []lake.ColumnStats{intStats(1, 5, 9, 3, 0)}}}
	p := expr.Compare{Field: 2, Type: lake.Type{ID: lake.TypeInt64}, Op: expr.OpEqual, Value: lake.Value{Int: 1}}
	require.Len(t, planner.Prune(bigints(), version(nil, files...), p).Tasks, 1)
}

// TestPruneByPartitionInsideRowGroups has a partition value whose null count is
// that of the file, for row groups with fewer rows.
func TestPruneByPartitionInsideRowGroups(t *testing.T) {
	t.Parallel()
	specs := []lake.PartitionSpec{{ID: 7, Fields: []lake.PartitionField{{Column: 2, Transform: lake.TransformIdentity}}}}
	files := []lake.DataFile{{
		ID: 1, Rows: 10, Begin: 1, PartitionID: 7, PartitionValues: []*lake.Value{nil},
		Stats: []lake.ColumnStats{intStats(1, 0, 9, 10, 0)},
		RowGroups: []lake.RowGroup{
			{Index: 0, Rows: 5, Columns: []lake.ColumnStats{intStats(1, 0, 4, 5, 0)}},
			{Index: 1, Rows: 5, Columns: []lake.ColumnStats{intStats(1, 5, 9, 5, 0)}},
		},
	}}
	b := expr.Compare{Field: 2, Type: lake.Type{ID: lake.TypeInt64}, Op: expr.OpEqual, Value: lake.Value{Int: 1}}
	got := planner.Prune(bigints(), version(specs, files...), expr.Or{Terms: []expr.Predicate{b, compareA(expr.OpGreater, 7)}})
	require.Equal(t, []int32{1}, got.Tasks[0].RowGroups, "b is NULL in every row, so only a decides")
	got = planner.Prune(bigints(), version(specs, files...), expr.And{Terms: []expr.Predicate{expr.IsNull{Field: 2}, compareA(expr.OpGreater, 4)}})
	require.Equal(t, []int32{1}, got.Tasks[0].RowGroups)
	require.True(t, got.Decided)
}

// row is a row of table n; nil is NULL.
type row [2]*int64

// truth evaluates a predicate on a row: 1, 0, or -1 for NULL.
func truth(p expr.Predicate, r row) int {
	switch p := p.(type) {
	case expr.And:
		out := 1
		for _, t := range p.Terms {
			if v := truth(t, r); v == 0 || out == 1 {
				out = v
			}
			if out == 0 {
				return 0
			}
		}
		return out
	case expr.Or:
		terms := make([]expr.Predicate, len(p.Terms))
		for i := range p.Terms {
			terms[i] = expr.Not{Term: p.Terms[i]}
		}
		return truth(expr.Not{Term: expr.And{Terms: terms}}, r)
	case expr.Not:
		if v := truth(p.Term, r); v >= 0 {
			return 1 - v
		}
		return -1
	case expr.IsNull:
		return asInt(r[p.Field-1] == nil)
	case expr.Compare:
		v := r[p.Field-1]
		if v == nil {
			return -1
		}
		c := p.Value.Int
		return asInt(p.Op == expr.OpEqual && *v == c || p.Op == expr.OpNotEqual && *v != c || p.Op == expr.OpLess && *v < c ||
			p.Op == expr.OpLessEqual && *v <= c || p.Op == expr.OpGreater && *v > c || p.Op == expr.OpGreaterEqual && *v >= c)
	}
	panic("no such predicate is generated")
}

func asInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func genPredicate(depth int) *rapid.Generator[expr.Predicate] {
	return rapid.Custom(func(t *rapid.T) expr.Predicate {
		field := lake.FieldID(rapid.IntRange(1, 2).Draw(t, "field"))
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if depth == 0 {
			kind %= 3
		}
		switch kind {
		case 0:
			return expr.IsNull{Field: field}
		case 3, 4:
			terms := rapid.SliceOfN(genPredicate(depth-1), 0, 3).Draw(t, "terms")
			if kind == 3 {
				return expr.And{Terms: terms}
			}
			return expr.Or{Terms: terms}
		case 5:
			return expr.Not{Term: genPredicate(depth-1).Draw(t, "term")}
		}
		return expr.Compare{
			Field: field, Type: lake.Type{ID: lake.TypeInt64}, Op: expr.Op(rapid.IntRange(0, 5).Draw(t, "op")),
			Value: lake.Value{Int: int64(rapid.IntRange(0, 6).Draw(t, "value"))},
		}
	})
}

func statsOf(rows []row) []lake.ColumnStats {
	var out []lake.ColumnStats
	for i := range 2 {
		s := lake.ColumnStats{Field: lake.FieldID(i + 1), ValueCount: int64(len(rows)), MinExact: true, MaxExact: true}
		for _, r := range rows {
			v := r[i]
			if v == nil {
				s.NullCount++
				continue
			}
			if s.Min == nil || *v < s.Min.Int {
				s.Min = &lake.Value{Int: *v}
			}
			if s.Max == nil || *v > s.Max.Int {
				s.Max = &lake.Value{Int: *v}
			}
		}
		out = append(out, s)
	}
	return out
}

// TestPrunedRowsNeverMatch builds files of random rows with exact statistics,
// partitioned by b or not, and checks every row that pruning drops.
func TestPrunedRowsNeverMatch(t *testing.T) {
	t.Parallel()
	value := rapid.Custom(func(t *rapid.T) *int64 {
		if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
			return nil
		}
		v := int64(rapid.IntRange(0, 6).Draw(t, "v"))
		return &v
	})
	specs := []lake.PartitionSpec{{ID: 7, Fields: []lake.PartitionField{{Column: 2, Transform: lake.TransformIdentity}}}}
	rapid.Check(t, func(t *rapid.T) {
		f := lake.DataFile{ID: 1, Begin: 1}
		partitioned := rapid.Bool().Draw(t, "partitioned")
		shared := value.Draw(t, "partition value")
		if partitioned {
			f.PartitionID, f.PartitionValues = 7, []*lake.Value{nil}
			if shared != nil {
				f.PartitionValues[0] = &lake.Value{Int: *shared}
			}
		}
		var groups [][]row
		var all []row
		for i := range rapid.IntRange(1, 3).Draw(t, "groups") {
			var rows []row
			for range rapid.IntRange(1, 4).Draw(t, "rows") {
				r := row{value.Draw(t, "a"), value.Draw(t, "b")}
				if partitioned {
					r[1] = shared
				}
				rows = append(rows, r)
			}
			g := lake.RowGroup{Index: int32(i), Rows: int64(len(rows)), Columns: statsOf(rows)}
			if partitioned && rapid.Bool().Draw(t, "without b") {
				g.Columns = g.Columns[:1]
			}
			f.RowGroups, groups, all = append(f.RowGroups, g), append(groups, rows), append(all, rows...)
		}
		f.Rows, f.Stats = int64(len(all)), statsOf(all)
		predicate := genPredicate(2).Draw(t, "predicate")
		got := planner.Prune(bigints(), version(specs, f), predicate)
		read := map[int32]bool{}
		for _, task := range got.Tasks {
			for i := range groups {
				read[int32(i)] = task.RowGroups == nil
			}
			for _, i := range task.RowGroups {
				read[i] = true
			}
		}
		for i, rows := range groups {
			for _, r := range rows {
				if !read[int32(i)] {
					require.NotEqual(t, 1, truth(predicate, r), "a row that matches was pruned")
				} else if got.Decided {
					require.Equal(t, 1, truth(predicate, r), "a row that does not match needs no filter")
				}
			}
		}
	})
}
