//go:build duckdb_arrow

package planner_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// sampleRows is how many rows the oracle's table has; i8 numbers them from 1.
const sampleRows = 60

// samples gives values, as text, of the columns of table ty. Row i has the
// (i mod n)-th of n values, and NULL where the text is empty.
func samples() map[string][]string {
	return map[string][]string{
		"bo": {"true", "false", ""}, "i1": {"-5", "127", "-128", "0", ""}, "i2": {"300", "-300", ""},
		"i4": {"1", "2", "3", "5", "-1", "30", ""},
		"hi": {"-1", "99999999999999999999999999999999999999", "-99999999999999999999999999999999999999", "0", ""},
		"u1": {"255", "0", ""}, "u2": {"7", "65535"}, "u4": {"4294967295", "0", ""}, "u8": {"18446744073709551615", "1", ""},
		"uh": {"18446744073709551615", "0", "18446744073709551616", ""},
		"f4": {"0.1", "1.5", "nan", "-0.0", "inf", ""}, "f8": {"0.1", "nan", "inf", "-inf", "-0.0", "0", "1e300", ""},
		"d4": {"1.5", "-1.5", ""}, "d9": {"-1.25", "1.25", ""}, "d18": {"1.125", "-0.001", ""},
		"d38": {"1.5", "-1.5", "123456789012345678901234567890.5", "-123456789012345678901234567890.5", ""},
		"da":  {"2020-01-02", "infinity", "-infinity", "0044-01-01 (BC)", "2020-12-31", ""},
		"ti":  {"12:34:56.123456", "00:00:00", ""}, "tn": {"12:34:56.123456789", "23:59:59", ""}, "tz": {"12:34:56.123456+02", "00:00:00+00", ""},
		"tss": {"2020-01-02 03:04:05", "1969-12-31 23:59:59", ""}, "tsm": {"2020-01-02 03:04:05.123", ""},
		"ts":   {"2020-01-02 03:04:05.123456", "infinity", "-infinity", "2020-01-01 00:00:00", "2020-02-01 00:00:00", ""},
		"tsn":  {"2020-01-02 03:04:05.123456789", "1969-12-31 23:59:59.999999999", ""},
		"tstz": {"2020-01-02 03:04:05.123456+02", "-infinity", "2020-01-02 01:04:05.123456+00", ""},
		"iv":   {"1 month", "30 days", ""}, "v": {"a", "b", "ab", "abc", "ac", "aB", "NaN, Infinity", "ab\U0010ffff", "\u00ff", ""},
		"bl": {`\x00\xFFab\x5C\x27`, `\x00\xFF\xC3\xBC`, "ab", ""},
		"id": {
			"00000000-0000-0000-0000-000000000001", "ffffffff-0000-0000-0000-00000000000a",
			"7fffffff-ffff-ffff-ffff-ffffffffffff", "80000000-0000-0000-0000-000000000000", "",
		},
		"js": {"{}", `{"a":"x"}`, ""}, "li": {"[1, 2]", "[]", "[NULL]", ""},
		"st": {"{'a': 5, 'B c': {'z': 'q'}}", "{'a': NULL, 'B c': NULL}", "{'a': 1, 'B c': {'z': NULL}}", "{'a': 2, 'B c': {'z': 'q'}}", ""},
		"ma": {"{k=1}", "{}", ""},
	}
}

// sampleSQL returns a query of the rows of table ty.
func sampleSQL(ty *lake.Table) string {
	values := samples()
	selects := make([]string, sampleRows)
	for i := range selects {
		var items []string
		for j := range ty.Columns {
			c := &ty.Columns[j]
			text := strconv.Itoa(i + 1)
			if c.Name != "i8" {
				text = values[c.Name][i%len(values[c.Name])]
			}
			literal := "NULL"
			if text != "" {
				literal = lake.QuoteLiteral(text)
			}
			items = append(items, literal+"::"+c.SQLType()+" AS "+lake.QuoteIdent(c.Name))
		}
		selects[i] = "SELECT " + strings.Join(items, ", ")
	}
	return strings.Join(selects, " UNION ALL ")
}

// conditions returns the WHERE conditions of testdata/predicates over table ty
// that have a value.
func conditions(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/predicates")
	require.NoError(t, err)
	var out []string
	for _, line := range strings.Split(string(data), "\n") {
		where, ok := strings.CutPrefix(line, "select 1 from ty where ")
		if ok && !strings.Contains(where, "?") && !strings.Contains(where, "random") {
			out = append(out, where)
		}
	}
	return out
}

// truthItems returns a select list of whether each condition is true.
func truthItems(conditions []string) string {
	items := make([]string, len(conditions))
	for i, where := range conditions {
		items[i] = "coalesce((" + where + ")::BOOLEAN, false)"
	}
	return strings.Join(items, ", ")
}

// queryRows returns the one batch of a query's result, on Go's heap.
func queryRows(t *testing.T, x *engine.Executor, sql string) arrow.RecordBatch {
	t.Helper()
	r, err := x.Query(context.Background(), engine.Query{SQL: sql, Rewritten: true})
	require.NoError(t, err)
	defer r.Release()
	require.True(t, r.Next(), "%v", r.Err())
	batch := r.RecordBatch()
	batch.Retain()
	t.Cleanup(batch.Release)
	return batch
}

// TestPredicatesSelectWhatDuckDBSelects has DuckDB evaluate every WHERE of
// testdata/predicates over table ty, and evaluates the Predicates that the
// planner makes of it over the same rows: a native scan must give the same rows,
// and what may be filtered while reading must keep at least them.
func TestPredicatesSelectWhatDuckDBSelects(t *testing.T) {
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
	require.EqualValues(t, sampleRows, batch.NumRows())
	require.EqualValues(t, sampleRows, truths.NumRows())

	files := map[string]*lake.TableVersion{"ty": version(nil, lake.DataFile{ID: 1, Rows: sampleRows, Begin: 1})}
	native, filtered := 0, 0
	for i, where := range all {
		column, ok := truths.Column(i).(*array.Boolean)
		require.True(t, ok)
		want := []int32{}
		for n := range column.Len() {
			if column.Value(n) {
				want = append(want, int32(n))
			}
		}
		plan, err := planOf(t, p, "select i8 from ty where "+where, nil, files)
		require.NoError(t, err)
		switch {
		case plan.Native == nil:
		case len(plan.Native.Scan.Tasks) == 0:
			require.Empty(t, want, "no file: %s", where)
		default:
			native++
			require.Equal(t, want, selected(t, &ty, batch, plan.Native.Scan.Residual), "native: %s", where)
		}
		if filter := plan.Reads[0].Filter; filter != nil {
			filtered++
			require.Subset(t, selected(t, &ty, batch, filter), want, "rows are lost: %s", where)
		}
	}
	require.Greater(t, native, 60)
	require.Greater(t, filtered, 70)
}

// selected returns the positions of the rows for which p is true.
func selected(t *testing.T, ty *lake.Table, batch arrow.RecordBatch, p expr.Predicate) []int32 {
	t.Helper()
	f, err := expr.NewFilter(p, ty.Columns)
	require.NoError(t, err)
	positions, err := f.Select(batch, []int32{})
	require.NoError(t, err)
	return positions
}
