package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

func TestErrorsOfQueriesKeepKindHintAndPosition(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{MemoryLimitBytes: 64 << 20})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	tests := []struct {
		sql  string
		kind error
		want string
	}{
		{"SELECT * FROM tt", lake.ErrNotFound, "Did you mean"},
		{"SELECT * FROM nope.t", lake.ErrNotFound, "nope"},
		{"SELECT * FROM nowhere.nope.t", lake.ErrNotFound, "nowhere"},
		{"SELECT aa FROM t", lake.ErrInvalid, "Candidate bindings"},
		{"SELECT\n aa FROM t", lake.ErrInvalid, "LINE 2:  aa FROM t\n         ^"},
		{"SELECT a FROM t WHERE", lake.ErrInvalid, "syntax error"},
		{"SELECT nofunction(1)", lake.ErrInvalid, "nofunction"},
		{"SELECT CAST('x' AS INTEGER)", lake.ErrInvalid, "Could not convert"},
		{"SELECT CAST(range AS TINYINT) FROM range(1000)", lake.ErrInvalid, "out of range"},
		{"SELECT error('mine')", lake.ErrInvalid, "mine"},
		{"SELECT 'x'::DATE + 1", lake.ErrInvalid, "date"},
		{"SELECT 170141183460469231731687303715884105727::HUGEINT", lake.ErrInvalid, "38 digits"},
		{"SELECT list(md5(range::VARCHAR)) FROM range(100000000)", lake.ErrExhausted, ""},
	}
	for _, tt := range tests {
		_, err := query(t.Context(), x, engine.Query{SQL: tt.sql})
		require.ErrorIs(t, err, tt.kind, "%s: %v", tt.sql, err)
		require.ErrorContains(t, err, tt.want, tt.sql)
	}
	_, err := query(t.Context(), x, engine.Query{SQL: "SELECT aa FROM t", Rewritten: true})
	require.NotContains(t, err.Error(), "LINE")
	var e *engine.SQLError
	require.ErrorAs(t, err, &e)
	require.Equal(t, "Binder Error", e.Type)
}

func TestErrorsAfterTheFirstBatchAreNotTheEnd(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	r, err := x.Query(t.Context(), engine.Query{SQL: "SELECT CASE WHEN range = 3000000 THEN error('late') ELSE range END FROM range(4000000)"})
	require.NoError(t, err)
	defer r.Release()
	require.True(t, r.Next())
	for r.Next() {
	}
	require.ErrorIs(t, r.Err(), lake.ErrInvalid)
	require.ErrorContains(t, r.Err(), "late")
	require.False(t, r.Next(), "an error is final")
}

func TestBatchesStayBelowTheirLimits(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	r, err := query(t.Context(), x, engine.Query{SQL: "SELECT range AS a FROM range(10000)", BatchRows: 1000})
	require.NoError(t, err)
	for _, n := range r.sizes {
		require.LessOrEqual(t, n, int64(1000))
	}
	require.Len(t, r.rows, 10000)
	// 300 rows of 100 kB, then one that is larger than a batch may be.
	r, err = query(t.Context(), x, engine.Query{
		SQL: "SELECT repeat('x', CASE WHEN range = 300 THEN 3000000 ELSE 100000 END) FROM range(301)", BatchBytes: 1 << 20,
	})
	require.NoError(t, err)
	require.Len(t, r.rows, 301)
	for i, n := range r.sizes {
		require.LessOrEqual(t, n, int64(10))
		if i == len(r.sizes)-1 {
			require.EqualValues(t, 1, n)
		}
	}
	r, err = query(t.Context(), x, engine.Query{SQL: "SELECT range AS a FROM range(300000)"})
	require.NoError(t, err)
	require.Less(t, len(r.sizes), 10, "chunks are gathered")
}

func TestResultsStreamInsteadOfMaterialising(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{MemoryLimitBytes: 64 << 20})
	// 8 GB if it were materialised.
	r, err := x.Query(t.Context(), engine.Query{SQL: "SELECT range AS a FROM range(1000000000)"})
	require.NoError(t, err)
	defer r.Release()
	for range 20 {
		require.True(t, r.Next())
	}
	require.NoError(t, r.Err())
}

func TestErrorsAdviseNothingThatClientsCannotDo(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{MemoryLimitBytes: 64 << 20})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	f, err := engine.NewFrontend(engine.FrontendOptions{})
	require.NoError(t, err)
	t.Cleanup(f.Close)
	deep := "SELECT 1" + strings.Repeat(" + 1", 3000)
	tests := []struct{ sql, want string }{
		{"SELECT st_point(1, 2)", "Scalar Function with name st_point does not exist!"},
		{"SELECT excel_text(1, 'a')", "Scalar Function with name excel_text does not exist!"},
		{"SELECT 1::INET", "Type with name INET does not exist!"},
		{deep, "Max expression depth limit of 1000 exceeded"},
		{"SELECT list(md5(range::VARCHAR)) FROM range(100000000)", "allocate"},
		{"SELECT (SELECT a FROM (VALUES (1), (2)) v(a))", "More than one row returned by a subquery"},
		{"SELECT error('Use SET and LOAD')", "Use SET and LOAD"},
		{"SELECT * FROM '/etc/flightlake/hidden.csv'", "hidden.csv"},
	}
	for _, tt := range tests {
		_, err := query(t.Context(), x, engine.Query{SQL: tt.sql})
		require.ErrorContains(t, err, tt.want, tt.sql)
		if strings.Contains(tt.sql, "error(") {
			continue
		}
		for _, advice := range []string{"SET ", "LOAD", "INSTALL", "extension", "threads", "/etc/"} {
			message, _, _ := strings.Cut(err.Error(), "\n\nLINE") // the client's own text
			require.NotContains(t, message, advice, tt.sql)
		}
	}
	_, err = f.Parse(t.Context(), deep)
	require.ErrorContains(t, err, "Max expression depth")
	require.NotContains(t, err.Error(), "SET ")
}

func TestErrorsShowNoCallThatStandsForATable(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	for _, sql := range []string{"SELECT nope FROM flightlake_scan('0a1b')", "SELECT a + FROM flightlake_scan('0a1b') AS t"} {
		_, err := x.Describe(t.Context(), engine.Query{SQL: sql})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "flightlake_scan('")
	}
}
