package session_test

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/session"
)

// read returns the integers of a query's first column, in order.
func (b *bundle) read(t *testing.T, q session.Query) []int64 {
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
	b := setupLimited(t, clock.System{}, session.Options{EndpointsMax: 4, EndpointBytesMin: 1})
	b.exec(t, "CREATE TABLE t (n BIGINT, even BOOLEAN) WITH (row_group_rows = 1000)")
	for range 2 {
		b.exec(t, "INSERT INTO t SELECT range, range % 2 = 0 FROM range(5000)")
	}
	for _, sql := range []string{"SELECT n FROM t", "SELECT n FROM t WHERE even AND n >= 1500", "SELECT n AS x, even FROM t WHERE n < 4000"} {
		q, err := b.Plan(t.Context(), session.Statement{SQL: sql})
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
		q, err := b.Plan(t.Context(), session.Statement{SQL: sql})
		require.NoError(t, err)
		require.Empty(t, q.Parts, sql)
		require.Equal(t, sql == "SELECT n FROM t ORDER BY n", q.Ordered, sql)
	}
}

func TestPartsOfAQueryThatIsNoScanAreRefused(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, session.Options{})
	b.exec(t, "CREATE TABLE t AS SELECT range AS n FROM range(10)")
	q, err := b.Plan(t.Context(), session.Statement{SQL: "SELECT n + 1 FROM t"})
	require.NoError(t, err)
	q.Part = session.Part{From: session.Bound{File: 1}}
	_, err = b.Run(t.Context(), q)
	require.ErrorContains(t, err, "run it again")
}

func TestSessionsThatKeepNothingGiveWay(t *testing.T) {
	t.Parallel()
	c := &manualClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b := setupLimited(t, c, session.Options{SessionsMax: 3})
	kept := b.connect(t)
	_, err := b.Execute(t.Context(), session.Statement{SQL: "SET application_name = 'report'", Caller: kept.caller})
	require.NoError(t, err)
	unused, used := b.connect(t), b.connect(t)
	_, err = b.OpenSession(t.Context(), nil)
	require.Error(t, err, "all were in use a moment ago")
	c.advance(2 * time.Minute)
	_, err = b.Session(used.caller.Session.ID(), nil)
	require.NoError(t, err)
	b.connect(t)
	_, err = b.Session(unused.caller.Session.ID(), nil)
	require.Error(t, err)
	for _, open := range []session.SessionID{kept.caller.Session.ID(), used.caller.Session.ID()} {
		_, err = b.Session(open, nil)
		require.NoError(t, err)
	}
}
