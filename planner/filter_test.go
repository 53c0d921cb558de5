//go:build duckdb_arrow

package planner_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

// planFiltered plans a statement whose tables all have a row filter.
func planFiltered(tb require.TestingT, p *planner.Planner, tbl *lake.Table, sql, filter string, files *lake.TableVersion, names ...string) (*planner.Plan, error) {
	a, err := p.Analyze(context.Background(), sql)
	require.NoError(tb, err)
	a.Pin(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	tables := make([]planner.Resolved, len(a.Tables))
	for i := range tables {
		tables[i] = planner.Resolved{Table: tbl, Snapshot: 3, Files: files, Filter: filter}
	}
	return p.Plan(context.Background(), planner.Request{Analysis: a, Tables: tables, NamesFunc: namesFunc(names)})
}

func TestFiltersThatAreNotOneExpressionOverTheTable(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	tbl := testState().Schemas[0].Tables[2]
	require.Equal(t, "t", tbl.Name)
	for _, filter := range []string{
		" ", "-- a", "true) UNION (SELECT 1", "true) UNION SELECT 1 WHERE (true", "true) --", "(true", "true; DROP TABLE t", "true)) FROM t --",
		"true) GROUP BY (a", "true) HAVING (true", "true) QUALIFY (true", "true) ORDER BY (a", "true) LIMIT (5", "/* true", "'true",
		"SELECT true", "FROM t", "VALUES (true)", "a IN (SELECT 1)", "EXISTS (FROM u)", "a = ANY (SELECT 1)", "ARRAY(SELECT 1) = l",
		"a = ?", "a = $1", "a = $x", "*", "COLUMNS('a') > 1", "#1 = 1", "DEFAULT", "sum(a) > 1", "sum(a) OVER () > 1", "rowid = 1",
		"no_such = 1", "u.a = 1", "main.t.a = 1", "t.a = 1", "user = 'x'", "no_such_function(a)", "a LIKE", "unnest(l) = 1",
		"current_time > TIME '00:00:00'", "current_setting('threads') = '1'", "list_filter(l, lambda x: y > 1) = l", "\x00", "\xff",
	} {
		_, err := planFiltered(t, p, &tbl, "select * from t", filter, version(nil))
		require.ErrorIs(t, err, lake.ErrInvalid, "%q", filter)
		require.ErrorContains(t, err, "main.t", "%q", filter)
	}
	for _, filter := range []string{
		"a = 1", "(a) = (1)", "a = 1 -- why", "/* why */ a = 1 /* ) */", "b = ') UNION SELECT'", "\"a\" = 1", "A is null or not b like 'x%'",
		"list_filter(l, lambda x: x > a) = l", "st.q = 1", "ts > now() - INTERVAL 1 DAY", "d < current_date", "x BETWEEN 1 AND 2", "a", "true", "false", "NULL",
		"CASE WHEN a > 1 THEN true ELSE b = 'x' END", "b COLLATE NOCASE = 'x'", "length(b) > 1", "a IN (1, 2)", "a::VARCHAR = '1'", "(a, b) = (1, 'x')",
	} {
		plan, err := planFiltered(t, p, &tbl, "select * from t", filter, version(nil))
		require.NoError(t, err, filter)
		require.Empty(t, plan.Note, filter)
		require.NoError(t, p.CheckFilter(t.Context(), filter), filter)
	}
}

func TestFilterThatIsWrongWhateverItsTable(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	for _, filter := range []string{
		" ", "-- a", "true) UNION (SELECT 1", "true) --", "(true", "true; DROP TABLE t", "true) GROUP BY (a", "a IN (SELECT 1)", "EXISTS (FROM u)",
		"a = ?", "*", "sum(a) OVER () > 1", "a LIKE", "'true", "\x00", "current_time > TIME '00:00:00'", "current_setting('threads') = '1'",
		"a > ago(INTERVAL 1 DAY)", "random() < 0.5", "a = RANDOM()", "current_schema() = 'main'", "list_filter(l, x -> uuid() > '8')",
		"pg_get_viewdef(a) = ''", "main.current_database() = 'x'",
	} {
		err := p.CheckFilter(t.Context(), filter)
		require.ErrorIs(t, err, lake.ErrInvalid, "%q", filter)
		require.NotContains(t, err.Error(), "SELECT 1 WHERE", "what the text was put into")
	}
}

// TestFiltersCallNoFunctionThatDuckDBCallsVolatile compares the list of functions with DuckDB's
// own, which a new version may have more of.
func TestFiltersCallNoFunctionThatDuckDBCallsVolatile(t *testing.T) {
	t.Parallel()
	x, err := engine.NewExecutor(nil, engine.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(x.Close)
	batch := queryRows(t, x, `SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'scalar' AND stability <> 'CONSISTENT'
		OR function_type = 'macro' AND regexp_matches(macro_definition, '(?i)current_|now\(|random|uuid|today|get_|nextval|setting|select')`)
	p, seen := newPlanner(t), 0
	for i := range int(batch.NumRows()) {
		name := batch.Column(0).ValueStr(i)
		if err := p.CheckFilter(t.Context(), name+"() IS NULL"); err == nil {
			require.Contains(t, []string{"error", "now", "today", "current_date", "get_current_timestamp", "transaction_timestamp"}, name)
			continue
		}
		seen++
	}
	require.Greater(t, seen, 20)
}

// TestFilterNamesAreNotTakenFromTheClientsTables has a client offer a column for
// a name of the filter that the table lacks: DuckDB joins laterally unasked.
func TestFilterNamesAreNotTakenFromTheClientsTables(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	tbl := testState().Schemas[0].Tables[2]
	for filter, sql := range map[string]string{
		"owner = 'me'":  "select t.* from (select 'me' as owner) o, t",
		"o.owner":       "select t.* from (select true as owner) o, t",
		"rowid = 1":     "select t.* from (select 1 as rowid) o, t",
		"user = 'root'": `select t.* from (select 'root' as "user") o, t`,
	} {
		_, err := planFiltered(t, p, &tbl, sql, filter, version(nil))
		require.ErrorIs(t, err, lake.ErrInvalid, filter)
	}
}

func TestFilterOfTheTimeIsPinnedAndPlannedAnew(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	tbl := testState().Schemas[0].Tables[2]
	plan, err := planFiltered(t, p, &tbl, "select a from t", "ts > now() AND d = current_date", version(nil))
	require.NoError(t, err)
	require.Equal(t, "ts > TIMESTAMPTZ '2026-01-02 03:04:05.000000+00' AND d = DATE '2026-01-02'", plan.Reads[0].RowFilter)
	require.NotNil(t, plan.Native)
	require.True(t, plan.Analysis.TimeDependent())
	plan, err = planFiltered(t, p, &tbl, "select a from t", "a > 1", version(nil))
	require.NoError(t, err)
	require.False(t, plan.Analysis.TimeDependent())
}

func TestFilteredStatementsStillBind(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	tbl := testState().Schemas[0].Tables[2]
	for _, sql := range []string{
		"from t", "table t", "select t.a, main.t.b, lake.main.t.x from t", "select t from t", "select x.p from t x(p)", "summarize t",
		"select * from t join t u using (a)", "with c as (from t) select * from c, c d", "select (select max(a) from t) from t",
		"select * from t tablesample 10%", "pivot t on b in ('x') using sum(a)", "unpivot t on a into name n value v", "select * from t at (version => 3)",
		"select t.st.q, t.* exclude (a) from t", "select a from t union select a from t", "select * from t, lateral (select t.a + 1)",
	} {
		plan, err := planFiltered(t, p, &tbl, sql, "a > 5 -- few", version(nil, lake.DataFile{
			ID: 1, Rows: 3, Begin: 1, Stats: []lake.ColumnStats{intStats(1, 0, 5, 3, 0)},
		}))
		require.NoError(t, err, sql)
		if plan.Analysis.Exact {
			require.Empty(t, plan.Note, sql)
		}
		for i := range plan.Reads {
			require.Empty(t, plan.Reads[i].Tasks, "the filter prunes: %s", sql)
			require.NotNil(t, plan.Reads[i].Scan().Residual, sql)
		}
	}
}

// TestFilteredQueriesSeeTheFilteredTable takes conditions for filters and for
// what clients ask, and compares with DuckDB's own evaluation of both.
func TestFilteredQueriesSeeTheFilteredTable(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	x, err := engine.NewExecutor(nil, engine.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(x.Close)
	ty := everyType()
	rows := sampleSQL(&ty)
	batch := queryRows(t, x, rows)
	all := conditions(t)
	truths := queryRows(t, x, "SELECT "+truthItems(all)+" FROM ("+rows+") ty")
	holds := func(condition, row int) bool { return truths.Column(condition).(*array.Boolean).Value(row) }
	files := version(nil, lake.DataFile{ID: 1, Rows: sampleRows, Begin: 1})
	random := rand.New(rand.NewPCG(1, 2))
	native, guarded, engines := 0, 0, 0
	for range 300 {
		filter, where := random.IntN(len(all)), random.IntN(len(all))
		name := all[filter] + " | " + all[where]
		want, seen := []int32{}, []int32{}
		for row := range sampleRows {
			if holds(filter, row) {
				seen = append(seen, int32(row))
				if holds(where, row) {
					want = append(want, int32(row))
				}
			}
		}
		plan, err := planFiltered(t, p, &ty, "select i8 from ty where "+all[where], all[filter], files)
		require.NoError(t, err, name)
		read := &plan.Reads[0]
		if read.Guard != nil {
			guarded++
			require.Equal(t, seen, selected(t, &ty, batch, read.Guard), "guard: %s", name)
			require.Subset(t, seen, selected(t, &ty, batch, read.Scan().Residual), "what the engine sees: %s", name)
		}
		if residual := read.Scan().Residual; residual != nil {
			require.Subset(t, selected(t, &ty, batch, residual), want, "rows are lost: %s", name)
		}
		if len(read.Tasks) == 0 {
			require.Empty(t, want, name)
			continue
		}
		if plan.Native != nil {
			native++
			require.Equal(t, want, selected(t, &ty, batch, plan.Native.Scan.Residual), "native: %s", name)
			continue
		}
		if engines++; engines > 30 {
			continue // each has DuckDB read the rows anew
		}
		sql := plan.Analysis.Rewrite(func(int, planner.TableRef) string { return planner.Filtered("("+rows+")", read.RowFilter) })
		got := []int32{}
		r, err := x.Query(t.Context(), engine.Query{SQL: sql, Rewritten: true})
		require.NoError(t, err, name)
		for r.Next() {
			for _, v := range r.RecordBatch().Column(0).(*array.Int64).Int64Values() {
				got = append(got, int32(v-1))
			}
		}
		require.NoError(t, r.Err())
		r.Release()
		require.ElementsMatch(t, want, got, "engine: %s", name)
	}
	require.Greater(t, native, 60)
	require.Greater(t, guarded, 120)
	require.Greater(t, engines, 20)
}

// TestAnswersCountOnlyWhatTheFilterShows compares answers from the catalog with
// the rows of random files.
func TestAnswersCountOnlyWhatTheFilterShows(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	tbl := bigints()
	specs := []lake.PartitionSpec{{ID: 7, Fields: []lake.PartitionField{{Column: 2, Transform: lake.TransformIdentity}}}}
	answered := 0
	rapid.Check(t, func(t *rapid.T) {
		var files []lake.DataFile
		var all []row
		for i := range rapid.IntRange(0, 3).Draw(t, "files") {
			b := int64(rapid.IntRange(0, 2).Draw(t, "b"))
			var rows []row
			for range rapid.IntRange(1, 3).Draw(t, "rows") {
				a := int64(rapid.IntRange(0, 4).Draw(t, "a"))
				rows = append(rows, row{&a, &b})
			}
			all = append(all, rows...)
			files = append(files, lake.DataFile{
				ID: lake.FileID(i), Begin: 1, Rows: int64(len(rows)), Stats: statsOf(rows),
				PartitionID: 7, PartitionValues: []*lake.Value{{Int: b}},
			})
		}
		column := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "column")
		bound := int64(rapid.IntRange(0, 4).Draw(t, "bound"))
		filter, where := fmt.Sprintf("%s >= %d", column, bound), rapid.SampledFrom([]string{"", " where b <= 1"}).Draw(t, "where")
		plan, err := planFiltered(t, p, tbl, "select count(*), min(a), max(a) from n"+where, filter, version(specs, files...), "c", "lo", "hi")
		require.NoError(t, err)
		if plan.Answer == nil {
			return
		}
		answered++
		var count int64
		var lo, hi *int64
		for _, r := range all {
			if v := map[string]*int64{"a": r[0], "b": r[1]}[column]; *v < bound || where != "" && *r[1] > 1 {
				continue
			}
			count++
			if lo == nil || *r[0] < *lo {
				lo = r[0]
			}
			if hi == nil || *r[0] > *hi {
				hi = r[0]
			}
		}
		got := plan.Answer.Values
		require.Equal(t, count, got[0].Int)
		for i, want := range []*int64{lo, hi} {
			require.Equal(t, want == nil, got[i+1] == nil)
			if want != nil {
				require.Equal(t, *want, got[i+1].Int)
			}
		}
	})
	require.Positive(t, answered, "no answer was tried")
}
