package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// nativePlan is a plan of a scan of tasks without limit.
func nativePlan(tasks []lake.ScanTask) *planner.Plan {
	return &planner.Plan{
		Analysis: &planner.Analysis{Statement: &sqltext.Statement{Kind: sqltext.KindQuery}},
		Native:   &planner.Native{Scan: expr.Scan{Tasks: tasks, Limit: lake.Unknown}},
	}
}

// pieces lists what tasks read, in their order; a file without row groups is one.
func pieces(tasks []lake.ScanTask) []lake.Bound {
	out := []lake.Bound{}
	for i := range tasks {
		t := &tasks[i]
		if len(t.File.RowGroups) == 0 {
			out = append(out, lake.Bound{File: t.File.ID, RowGroup: -1})
		}
		t.EachRowGroup(func(g *lake.RowGroup) { out = append(out, lake.Bound{File: t.File.ID, RowGroup: g.Index}) })
	}
	return out
}

func genFiles(t *rapid.T) []lake.DataFile {
	files := make([]lake.DataFile, rapid.IntRange(0, 6).Draw(t, "files"))
	for i := range files {
		f := &files[i]
		f.ID, f.Begin = lake.FileID(2*i), 1
		groups := rapid.IntRange(0, 4).Draw(t, "groups")
		f.Rows, f.Bytes = 5, int64(rapid.IntRange(1, 50).Draw(t, "bytes"))
		if groups > 0 {
			f.Rows, f.Bytes = 0, 7
		}
		for g := range groups {
			lo := int64(rapid.IntRange(0, 6).Draw(t, "lo"))
			hi := lo + int64(rapid.IntRange(0, 2).Draw(t, "more"))
			group := lake.RowGroup{
				Index: int32(g), Rows: 2, Bytes: int64(rapid.IntRange(1, 50).Draw(t, "bytes")),
				Columns: []lake.ColumnStats{intStats(1, lo, hi, 2, 0), intStats(2, lo, hi, 2, 0)},
			}
			f.RowGroups = append(f.RowGroups, group)
			f.Rows, f.Bytes = f.Rows+group.Rows, f.Bytes+group.Bytes
		}
	}
	return files
}

// TestPartsOfAnotherPruningAreTheWholeScan divides a scan as one predicate prunes
// it, and reads it by parts as another does: a ticket is redeemed by a server
// whose statistics may say more, or less, than those it was planned with.
func TestPartsOfAnotherPruningAreTheWholeScan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := version(nil, genFiles(t)...)
		planned := planner.Prune(bigints(), v, genPredicate(2).Draw(t, "planned"))
		run := planner.Prune(bigints(), v, genPredicate(2).Draw(t, "run"))
		bytesMin := int64(rapid.IntRange(0, 60).Draw(t, "bytes min"))
		partsMax := rapid.IntRange(-1, 5).Draw(t, "parts max")
		parts := nativePlan(planned.Tasks).Parts(bytesMin, partsMax)
		if parts == nil {
			parts = []lake.Part{{}}
		} else {
			require.Greater(t, len(parts), 1)
			require.LessOrEqual(t, len(parts), partsMax)
		}
		whole := expr.Scan{Tasks: run.Tasks, InlinedTables: []string{"i"}}
		got, rows, inlined := []lake.Bound{}, int64(0), 0
		for _, part := range parts {
			s := whole.Within(part)
			got = append(got, pieces(s.Tasks)...)
			inlined += len(s.InlinedTables)
			for i := range s.Tasks {
				rows += s.Tasks[i].Rows
			}
			var bytes int64
			own := expr.Scan{Tasks: planned.Tasks}.Within(part)
			for i := range own.Tasks {
				bytes += own.Tasks[i].Bytes
			}
			require.True(t, len(parts) == 1 || bytes >= bytesMin, "part %v has %d bytes of %d", part, bytes, bytesMin)
		}
		require.Equal(t, pieces(run.Tasks), got, "in order, and each once")
		var want int64
		for i := range run.Tasks {
			want += run.Tasks[i].Rows
		}
		require.Equal(t, want, rows)
		require.Equal(t, 1, inlined)
	})
}

func TestPartsAreOfAboutEqualSize(t *testing.T) {
	t.Parallel()
	f := lake.DataFile{ID: 3}
	for i := range 10 {
		f.RowGroups = append(f.RowGroups, lake.RowGroup{Index: int32(i), Rows: 1, Bytes: 10})
	}
	tasks := []lake.ScanTask{{File: &f, Rows: 10, Bytes: 110}}
	at := func(i int32) lake.Bound { return lake.Bound{File: 3, RowGroup: i} }
	require.Equal(t, []lake.Part{{To: at(5)}, {From: at(5)}}, nativePlan(tasks).Parts(0, 2))
	require.Equal(t, []lake.Part{{To: at(4)}, {From: at(4), To: at(8)}, {From: at(8)}}, nativePlan(tasks).Parts(0, 3))
	require.Len(t, nativePlan(tasks).Parts(0, 100), 10)
	require.Len(t, nativePlan(tasks).Parts(30, 100), 3)
	require.Nil(t, nativePlan(tasks).Parts(51, 100), "two parts would be too small")
	require.Nil(t, nativePlan(tasks).Parts(0, 1))
}

func TestWhatIsNotDivided(t *testing.T) {
	t.Parallel()
	files := []lake.DataFile{{ID: 1, Rows: 1, Bytes: 10}, {ID: 2, Rows: 1, Bytes: 10}}
	tasks := []lake.ScanTask{{File: &files[0], Bytes: 10}, {File: &files[1], Bytes: 10}}
	require.Len(t, nativePlan(tasks).Parts(1, 2), 2)
	for name, change := range map[string]func(*planner.Plan){
		"limit":              func(p *planner.Plan) { p.Native.Scan.Limit = 5 },
		"limit 0":            func(p *planner.Plan) { p.Native.Scan.Limit = 0 },
		"offset":             func(p *planner.Plan) { p.Native.Scan.Offset = 5 },
		"inlined rows":       func(p *planner.Plan) { p.Native.Scan.InlinedTables = []string{"i"} },
		"explain":            func(p *planner.Plan) { p.Analysis.Statement.Kind = sqltext.KindExplain },
		"answer":             func(p *planner.Plan) { p.Answer = &planner.Answer{} },
		"engine":             func(p *planner.Plan) { p.Native = nil },
		"files not in order": func(p *planner.Plan) { files[1].ID = -1 },
	} {
		p := nativePlan(tasks)
		change(p)
		require.Nil(t, p.Parts(1, 2), name)
		files[1].ID = 2
	}
}

func TestScanUnderARowFilterIsNotDivided(t *testing.T) {
	t.Parallel()
	file := lake.DataFile{ID: 1, Rows: 4, Bytes: 100, RowGroups: []lake.RowGroup{{Index: 0, Rows: 2, Bytes: 50}, {Index: 1, Rows: 2, Bytes: 50}}}
	p := nativePlan([]lake.ScanTask{{File: &file, Rows: 4, Bytes: 100}})
	require.Len(t, p.Parts(1, 2), 2)
	p.Reads = []planner.Read{{RowFilter: "region = 'EU'"}}
	require.Nil(t, p.Parts(1, 2))
}
