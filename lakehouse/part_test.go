package lakehouse_test

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// read returns the integers of a query's first column, in order.
func (b *bundle) read(t *testing.T, q statement.Query) []int64 {
	t.Helper()
	rows, err := b.Run(t.Context(), q)
	require.NoError(t, err)
	defer rows.Reader.Release()
	var out []int64
	for rows.Reader.Next() {
		out = append(out, rows.Reader.RecordBatch().Column(0).(*array.Int64).Int64Values()...)
	}
	require.NoError(t, rows.Reader.Err())
	return out
}

func TestLargeScansAreDividedIntoDisjointParts(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{EndpointsMax: 4, EndpointBytesMin: 1})
	b.exec(t, "CREATE TABLE t (n BIGINT, even BOOLEAN) WITH (row_group_rows = 1000)")
	for range 2 {
		b.exec(t, "INSERT INTO t SELECT range, range % 2 = 0 FROM range(5000)")
	}
	for _, sql := range []string{"SELECT n FROM t", "SELECT n FROM t WHERE even AND n >= 1500", "SELECT n AS x, even FROM t WHERE n < 4000"} {
		q, err := b.Plan(t.Context(), statement.Statement{SQL: sql})
		require.NoError(t, err)
		require.Greater(t, len(q.Parts), 2, sql)
		require.LessOrEqual(t, len(q.Parts), 4, sql)
		require.False(t, q.Ordered)
		var parts []int64
		for _, part := range q.Parts {
			of := q
			of.Part = part
			one := b.read(t, of)
			require.NotEmpty(t, one)
			require.Equal(t, one, b.read(t, of), "a part can be read again")
			parts = append(parts, one...)
		}
		require.Equal(t, b.read(t, q), parts, "the parts in their order are the whole")
	}
	for _, sql := range []string{"SELECT n FROM t LIMIT 9000", "SELECT n FROM t ORDER BY n", "SELECT DISTINCT n FROM t", "EXPLAIN SELECT n FROM t"} {
		q, err := b.Plan(t.Context(), statement.Statement{SQL: sql})
		require.NoError(t, err)
		require.Empty(t, q.Parts, sql)
		require.Equal(t, sql == "SELECT n FROM t ORDER BY n", q.Ordered, sql)
	}
}

func TestPartsOfAQueryThatIsNoScanAreRefused(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{})
	b.exec(t, "CREATE TABLE t AS SELECT range AS n FROM range(10)")
	q, err := b.Plan(t.Context(), statement.Statement{SQL: "SELECT n + 1 FROM t"})
	require.NoError(t, err)
	q.Part = lake.Part{From: lake.Bound{File: 1}}
	_, err = b.Run(t.Context(), q)
	require.ErrorContains(t, err, "run it again")
}

func TestSessionsThatKeepNothingGiveWay(t *testing.T) {
	t.Parallel()
	c := &manualClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b := setupLimited(t, c, lakehouse.Options{Sessions: session.Options{SessionsMax: 3}})
	kept := b.connect(t)
	_, err := b.Execute(t.Context(), statement.Statement{SQL: "SET application_name = 'report'", Caller: kept.caller})
	require.NoError(t, err)
	unused, used := b.connect(t), b.connect(t)
	_, err = b.Sessions.Open(t.Context(), nil)
	require.Error(t, err, "all were in use a moment ago")
	c.advance(2 * time.Minute)
	_, err = b.Sessions.Use(used.caller.Session.ID(), nil)
	require.NoError(t, err)
	b.connect(t)
	_, err = b.Sessions.Use(unused.caller.Session.ID(), nil)
	require.Error(t, err)
	for _, open := range []session.ID{kept.caller.Session.ID(), used.caller.Session.ID()} {
		_, err = b.Sessions.Use(open, nil)
		require.NoError(t, err)
	}
}

func TestSizesAreToldOnlyWhereTheyAreExact(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE none (i INT)")
	b.exec(t, "CREATE TABLE t (i INT NOT NULL, s VARCHAR)")
	b.exec(t, "INSERT INTO t SELECT i, 'x' FROM range(100) r(i)")
	for sql, want := range map[string]int64{
		"FROM t": 100, "SELECT s FROM t LIMIT 7": 7, "SELECT count(*) FROM t": 1, "SELECT max(i) FROM t": 1,
		"FROM none": 0, "FROM t LIMIT 0": 0, "FROM t WHERE i > 1000": 0,
		"FROM t WHERE false": 0, "SELECT i + 1, upper(s) FROM t WHERE 1 = 0 ORDER BY s": 0,
		"SELECT * FROM t JOIN none USING (i) WHERE NULL":   0,
		"SELECT s, count(*) FROM t WHERE false GROUP BY s": lake.Unknown, // the plan counts the rows of nothing
		// The twins over which a plan is made hold no rows: that says nothing.
		"SELECT i + 1 FROM t WHERE i > 5": lake.Unknown, "SELECT * FROM t a JOIN t b USING (i)": lake.Unknown,
		"SELECT s, max(i) FROM t GROUP BY s": lake.Unknown, "SELECT i FROM t INTERSECT SELECT i FROM t": lake.Unknown,
		"FROM t WHERE i IN (SELECT i FROM t)": lake.Unknown, "FROM t WHERE i = 3 OR false": lake.Unknown,
		"SELECT 1 FROM t WHERE current_date > DATE '2020-01-01'": lake.Unknown, "EXPLAIN FROM t WHERE false": lake.Unknown,
	} {
		q, err := b.Plan(t.Context(), statement.Statement{SQL: sql})
		require.NoError(t, err, sql)
		bytes := lake.Unknown
		if want == 0 {
			bytes = 0
		}
		require.Equal(t, []int64{want, bytes}, []int64{q.Rows, q.Bytes}, sql)
		if rows := b.rows(t, sql); want >= 0 {
			require.Len(t, rows, int(want), sql)
		}
	}
}

func TestAStatementThatIsPreparedAndRunIsPlannedOnce(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{})
	b.exec(t, "CREATE TABLE t AS SELECT range AS n FROM range(10)")
	st := statement.Statement{SQL: "SELECT n FROM t WHERE n < 3 ORDER BY n"}
	before := b.Stats().Plans.Misses
	for range 2 {
		_, err := b.Describe(t.Context(), st)
		require.NoError(t, err)
		q, err := b.Plan(t.Context(), st)
		require.NoError(t, err)
		require.Equal(t, []int64{0, 1, 2}, b.read(t, q))
	}
	require.EqualValues(t, 1, b.Stats().Plans.Misses-before)
}
