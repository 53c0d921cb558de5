//go:build duckdb_arrow

package planner_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

// numbers is table n with one bigint a, one double f and one varchar v.
func numbers() lake.Table {
	return table(1, "main", "n", column("a", plain(lake.TypeInt64)), column("f", plain(lake.TypeFloat64)),
		column("v", plain(lake.TypeVarchar)))
}

// numbersFile has rows 1..3: a NULL in a, no NaN.
func numbersFile() lake.DataFile {
	one, two := lake.Value{Float: 1.5}, lake.Value{Float: 2.5}
	x, y := lake.Value{Bytes: "x"}, lake.Value{Bytes: "y"}
	return lake.DataFile{
		ID: 1, Path: "f", Rows: 3, Bytes: 30, Begin: 1,
		Stats: []lake.ColumnStats{
			intStats(1, 4, 6, 3, 1),
			{Field: 2, Min: &one, Max: &two, MinExact: true, MaxExact: true, ValueCount: 3},
			{Field: 3, Min: &x, Max: &y, MinExact: true, MaxExact: false, ValueCount: 3},
		},
	}
}

func planNumbers(t *testing.T, p *planner.Planner, sql string, v *lake.TableVersion, names ...string) *planner.Plan {
	t.Helper()
	a, err := p.Analyze(context.Background(), sql)
	require.NoError(t, err)
	n := numbers()
	tables := make([]planner.Resolved, len(a.Tables))
	for i := range tables {
		tables[i] = planner.Resolved{Table: &n, Snapshot: 3, Files: v}
	}
	plan, err := p.Plan(context.Background(), planner.Request{Analysis: a, Tables: tables, NamesFunc: namesFunc(names)})
	require.NoError(t, err)
	require.Empty(t, plan.Note)
	return plan
}

func answerText(t *testing.T, plan *planner.Plan) string {
	t.Helper()
	if plan.Answer == nil {
		return "declined"
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	batch := plan.Answer.Batch(mem)
	defer batch.Release()
	require.EqualValues(t, 1, batch.NumRows())
	var out []string
	for i := range int(batch.NumCols()) {
		out = append(out, batch.ColumnName(i)+" "+batch.Column(i).DataType().String()+" "+batch.Column(i).ValueStr(0))
	}
	return strings.Join(out, "; ")
}

func TestAnswerFromTheCatalog(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	change := func(fn func(*lake.DataFile)) *lake.TableVersion {
		f := numbersFile()
		fn(&f)
		return version(nil, numbersFile(), f)
	}
	plainFiles := version(nil, numbersFile(), numbersFile())
	inlined := version(nil, numbersFile())
	inlined.Inlined = []lake.Inlined{{Name: "i", Rows: 2}}
	nan := math.NaN()
	for name, c := range map[string]struct {
		sql, want string
		files     *lake.TableVersion
	}{
		"count": {"select count(*) from n", "x int64 6", plainFiles},
		"several aggregates of an alias": {
			"select max(q.a), count(q.a), min(f), min(v), count(1), count(*) from n q",
			"x int64 6; x int64 4; x float64 1.5; x utf8 x; x int64 6; x int64 6", plainFiles,
		},
		"an inexact bound":                         {"select max(v) from n", "declined", plainFiles},
		"one that declines declines all":           {"select count(*), max(v) from n", "declined", plainFiles},
		"an empty table":                           {"select count(*), count(a), min(a), max(v) from n", "x int64 0; x int64 0; x int64 (null); x utf8 (null)", version(nil)},
		"a filter that statistics decide":          {"select count(*), min(a) from n where f < 10", "x int64 6; x int64 4", plainFiles},
		"a filter that drops every file":           {"select count(*), min(a) from n where f > 10", "x int64 0; x int64 (null)", plainFiles},
		"a filter on a column with NULLs":          {"select count(*) from n where a > 0", "declined", plainFiles},
		"a filter that is true on some rows":       {"select count(*) from n where f > 2", "declined", plainFiles},
		"groups":                                   {"select count(*) from n group by a", "declined", plainFiles},
		"distinct":                                 {"select count(distinct a) from n", "declined", plainFiles},
		"filter of an aggregate":                   {"select count(*) filter (where a > 5) from n", "declined", plainFiles},
		"an expression of an aggregate":            {"select count(*) + 1 from n", "declined", plainFiles},
		"an aggregate of an expression":            {"select min(a + 1) from n", "declined", plainFiles},
		"another aggregate":                        {"select sum(a) from n", "declined", plainFiles},
		"having":                                   {"select count(*) from n having count(*) > 1", "declined", plainFiles},
		"a limit":                                  {"select count(*) from (select * from n limit 2)", "declined", plainFiles},
		"a join":                                   {"select count(*) from n x, n y", "declined", plainFiles},
		"inlined rows are counted":                 {"select count(*) from n", "x int64 5", inlined},
		"inlined rows have no statistics":          {"select count(a) from n", "declined", inlined},
		"inlined rows are not filtered":            {"select count(*) from n where f < 10", "declined", inlined},
		"deletes are counted":                      {"select count(*) from n", "x int64 4", change(func(f *lake.DataFile) { f.Deletes = []lake.Delete{{Begin: 2, Count: 2}} })},
		"deletes of an unknown number":             {"select count(*) from n", "declined", change(func(f *lake.DataFile) { f.Deletes = []lake.Delete{{Begin: 2, Count: -1}} })},
		"two deletes may overlap":                  {"select count(*) from n", "declined", change(func(f *lake.DataFile) { f.Deletes = []lake.Delete{{Begin: 2, Count: 1}, {Begin: 2, Count: 1}} })},
		"deletes of several snapshots":             {"select count(*) from n", "declined", change(func(f *lake.DataFile) { f.Deletes = []lake.Delete{{Begin: 2, Count: 1, PartialMax: 4}} })},
		"a deleted row may hold the bound":         {"select min(a) from n", "declined", change(func(f *lake.DataFile) { f.Deletes = []lake.Delete{{Begin: 2, Count: 1}} })},
		"a deleted row may be a NULL":              {"select count(a) from n", "declined", change(func(f *lake.DataFile) { f.Deletes = []lake.Delete{{Begin: 2, Count: 1}} })},
		"NaN is the maximum":                       {"select max(f) from n", "declined", change(func(f *lake.DataFile) { f.Stats[1].NaNCount = 1 })},
		"an unknown number of NaN":                 {"select max(f) from n", "declined", change(func(f *lake.DataFile) { f.Stats[1].NaNCount = -1 })},
		"zero may be minus zero":                   {"select min(f) from n", "declined", change(func(f *lake.DataFile) { f.Stats[1].Min = &lake.Value{} })},
		"an unknown number of NULLs":               {"select count(a) from n", "declined", change(func(f *lake.DataFile) { f.Stats[0].NullCount = -1 })},
		"all NULL in one file":                     {"select min(a), count(a) from n", "x int64 4; x int64 2", change(func(f *lake.DataFile) { f.Stats[0] = lake.ColumnStats{Field: 1, ValueCount: 3, NullCount: 3} })},
		"a missing bound is unknown, not all NULL": {"select min(a) from n", "declined", change(func(f *lake.DataFile) { f.Stats[0].Min = nil })},
		"a file without statistics":                {"select min(a) from n", "declined", change(func(f *lake.DataFile) { f.Stats = nil })},
		"a file without statistics can be counted": {"select count(*) from n", "x int64 6", change(func(f *lake.DataFile) { f.Stats = nil })},
		"a file with rows of a later snapshot":     {"select count(*) from n", "declined", change(func(f *lake.DataFile) { f.PartialMax = 4 })},
		"a bound that is NaN":                      {"select max(f) from n", "declined", change(func(f *lake.DataFile) { f.Stats[1].Max, f.Stats[1].NaNCount = &lake.Value{Float: nan}, -1 })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names := make([]string, strings.Count(c.want, ";")+1)
			for i := range names {
				names[i] = "x"
			}
			plan := planNumbers(t, p, c.sql, c.files, names...)
			require.Equal(t, c.want, answerText(t, plan))
			if plan.Answer != nil {
				require.Equal(t, "catalog", plan.Execution())
			}
		})
	}
}

func TestAnswerNeedsTheNamesOfTheResult(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	require.Nil(t, planNumbers(t, p, "select count(*) from n", version(nil)).Answer)
}

func TestNativeScanDropsAFilterThatStatisticsDecide(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	decided := planNumbers(t, p, "select a from n where f < 10", version(nil, numbersFile()))
	require.NotNil(t, decided.Native)
	require.Nil(t, decided.Native.Scan.Residual)
	require.Len(t, decided.Native.Scan.Tasks, 1)

	v := version(nil, numbersFile())
	v.Inlined = []lake.Inlined{{Name: "i", Rows: 1}}
	inlined := planNumbers(t, p, "select a from n where f < 10", v)
	require.NotNil(t, inlined.Native.Scan.Residual, "inlined rows have no statistics")
	require.Equal(t, []string{"i"}, inlined.Native.Scan.InlinedTables)

	none := planNumbers(t, p, "select a from n where f > 10", version(nil, numbersFile()))
	require.Empty(t, none.Native.Scan.Tasks)
	require.EqualValues(t, 1, none.Native.Scan.Pruning.FilesSkippedByStats)
}

func TestUnstableStatementIsNotPrunedInTheEngine(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	a, err := p.Analyze(context.Background(), "select count(*) from n where v < current_date::varchar")
	require.NoError(t, err)
	n := numbers()
	tables := []planner.Resolved{{Table: &n, Snapshot: 3, Files: version(nil, numbersFile())}}
	plan, err := p.Plan(context.Background(), planner.Request{Analysis: a, Tables: tables})
	require.NoError(t, err)
	require.Nil(t, plan.Reads[0].Predicate)
	require.Nil(t, plan.Reads[0].Filter)
	require.Len(t, plan.Reads[0].Tasks, 1)
	require.Contains(t, plan.Note, "current_date")
}

func TestExplainAndScanPlanAgree(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	kept, skipped := numbersFile(), numbersFile()
	kept.Path, skipped.Path, skipped.ID = "kept", "skipped", 2
	skipped.Stats = []lake.ColumnStats{intStats(1, 100, 200, 3, 0)}
	kept.RowGroups = []lake.RowGroup{
		{Index: 0, Rows: 2, Bytes: 20, Columns: []lake.ColumnStats{intStats(1, 4, 4, 2, 1)}},
		{Index: 1, Rows: 1, Bytes: 10, Columns: []lake.ColumnStats{intStats(1, 6, 6, 1, 0)}},
	}
	v := version(nil, kept, skipped)
	v.Inlined = []lake.Inlined{{Name: "i", Rows: 2}}
	plan := planNumbers(t, p, "select sum(f) from n q where a = 6 and v like '%x'", v)
	require.Equal(t, []string{
		"execution: engine",
		"scan main.n as q at snapshot 3",
		"  files: 1 of 2 (skipped 0 by partition, 1 by statistics, 0 by row groups)",
		"  row groups: 1 of 2 with a zone map",
		"  rows: 3 of 8, bytes: 10 of 60",
		"  columns: a, f, v",
		"  inlined rows: 2",
		"  pruned by: a = 6 AND (suffix(v, 'x'))",
		"  left to evaluate: a = 6 AND (suffix(v, 'x'))",
	}, plan.Explain())

	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	batch := plan.ScanPlan(mem, func(f *lake.DataFile) string { return "data/" + f.Path })
	defer batch.Release()
	require.True(t, batch.Schema().Equal(planner.ScanPlanSchema()))
	rows, err := batch.MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, `[
		{"reference":1,"schema_name":"main","table_name":"n","snapshot_id":3,"path":"data/kept",
		 "skipped_by":null,"row_groups":[1],"row_groups_total":2,"rows":1,"bytes":10,"file_rows":3,"file_bytes":30,
		 "has_deletes":false,"columns":["a","f","v"],"pruned_by":"a = 6 AND (suffix(v, 'x'))",
		 "residual":"a = 6 AND (suffix(v, 'x'))","execution":"engine"},
		{"reference":1,"schema_name":"main","table_name":"n","snapshot_id":3,"path":"data/skipped",
		 "skipped_by":"statistics","row_groups":null,"row_groups_total":null,"rows":0,"bytes":0,"file_rows":3,"file_bytes":30,
		 "has_deletes":false,"columns":["a","f","v"],"pruned_by":"a = 6 AND (suffix(v, 'x'))",
		 "residual":"a = 6 AND (suffix(v, 'x'))","execution":"engine"},
		{"reference":1,"schema_name":"main","table_name":"n","snapshot_id":3,"path":null,
		 "skipped_by":null,"row_groups":null,"row_groups_total":null,"rows":2,"bytes":0,"file_rows":2,"file_bytes":0,
		 "has_deletes":false,"columns":["a","f","v"],"pruned_by":"a = 6 AND (suffix(v, 'x'))",
		 "residual":"a = 6 AND (suffix(v, 'x'))","execution":"engine"}
	]`, string(rows))
}
