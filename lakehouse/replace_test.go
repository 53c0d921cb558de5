package lakehouse_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// busyBucket calls busyFunc while an object of a table is written.
type busyBucket struct {
	objstore.Bucket
	table    string
	busyFunc func()
	calls    atomic.Int64
}

// Create implements objstore.Bucket.
func (b *busyBucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	if strings.Contains(key, b.table) && b.calls.Add(1) == 1 {
		b.busyFunc()
	}
	return b.Bucket.Create(ctx, key)
}

// TestRowsThatComeWhileTheirTableIsReplacedAreKept appends to a table after
// CREATE OR REPLACE TABLE AS has read it and before it commits.
func TestRowsThatComeWhileTheirTableIsReplacedAreKept(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"CREATE OR REPLACE TABLE t AS SELECT i FROM t WHERE i >= 0":                "4",
		"CREATE OR REPLACE TABLE t AS SELECT i FROM other JOIN t USING (i)":        "4",
		"CREATE OR REPLACE TABLE t AS SELECT count(*) AS i FROM t":                 "1",
		"CREATE OR REPLACE TABLE t AS SELECT i FROM other":                         "10",
		"CREATE OR REPLACE TABLE t AS SELECT t.i FROM t AT (VERSION => 2), u":      "3",
		"CREATE OR REPLACE TABLE t AS SELECT u.i FROM u, (SELECT max(i) FROM t) m": "1",
	} {
		bucket := &busyBucket{Bucket: mem.New(mem.Options{}), table: "none"}
		b := setup(t, bucket)
		for _, create := range []string{"t AS SELECT i FROM range(3) r(i)", "other AS SELECT i FROM range(10) r(i)", "u AS SELECT 1 AS i"} {
			b.exec(t, "CREATE TABLE "+create)
		}
		bucket.busyFunc = func() { b.exec(t, "INSERT INTO t VALUES (3)") }
		bucket.table = "main/t/"
		_, err := b.Execute(t.Context(), statement.Statement{SQL: sql})
		require.NoError(t, err, sql)
		require.Equal(t, []string{want}, b.rows(t, "SELECT count(*) FROM t"), sql)
		if strings.Contains(sql, "count(*)") {
			require.Equal(t, []string{"4"}, b.rows(t, "FROM t"), sql)
		}
		staged, err := b.catalog.Staged(t.Context())
		require.NoError(t, err)
		require.Empty(t, staged, "the files of the first attempt are gone")
	}
}

func numbered(t *testing.T, names []string, values ...int64) array.RecordReader {
	t.Helper()
	fields := make([]arrow.Field, len(names))
	for i, name := range names {
		fields[i] = arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, v := range values {
		b.Field(i).(*array.Int64Builder).Append(v)
	}
	reader, err := array.NewRecordReader(schema, []arrow.RecordBatch{b.NewRecordBatch()})
	require.NoError(t, err)
	t.Cleanup(reader.Release)
	return reader
}

// An append whose table is made or replaced by another with other columns, or the same in
// another order, while it writes must not put its values into those.
func TestAppendsDoNotTakeColumnsForOthers(t *testing.T) {
	t.Parallel()
	bucket := &busyBucket{Bucket: mem.New(mem.Options{}), table: "main/t/"}
	b := setup(t, bucket)
	in := statement.Ingest{Table: "t", IfMissing: statement.MissingCreate, IfExists: statement.ExistsAppend}
	bucket.busyFunc = func() {
		_, err := b.Ingest(t.Context(), in, numbered(t, []string{"a", "b"}, 1, 2))
		require.NoError(t, err)
	}
	_, err := b.Ingest(t.Context(), in, numbered(t, []string{"b", "a"}, 2, 1))
	require.ErrorIs(t, err, lake.ErrConflict)
	require.ErrorContains(t, err, "run the statement again")
	require.Equal(t, []string{"1|2"}, b.rows(t, "SELECT a, b FROM t"))
	_, err = b.Ingest(t.Context(), in, numbered(t, []string{"b", "a"}, 2, 1))
	require.NoError(t, err)
	require.Equal(t, []string{"1|2", "1|2"}, b.rows(t, "SELECT a, b FROM t"))

	for _, sql := range []string{"INSERT INTO t (a, b) VALUES (1, 2)", "INSERT INTO t (a, b) SELECT 1, 2", "INSERT INTO t (a) VALUES (1)"} {
		for again, lost := range map[string]bool{
			"CREATE OR REPLACE TABLE t (b BIGINT, a BIGINT)": true, "CREATE OR REPLACE TABLE t (x BIGINT, y BIGINT)": true,
			"CREATE OR REPLACE TABLE t (a BIGINT, b BIGINT DEFAULT 7)": true, "CREATE OR REPLACE TABLE t (a BIGINT, b BIGINT)": false,
		} {
			bucket := &busyBucket{Bucket: mem.New(mem.Options{}), table: "main/t/"}
			b := setup(t, bucket)
			b.exec(t, "CREATE TABLE t (a BIGINT, b BIGINT)")
			bucket.busyFunc = func() { b.exec(t, again) }
			_, err := b.Execute(t.Context(), statement.Statement{SQL: sql})
			if lost {
				require.ErrorIs(t, err, lake.ErrConflict, "%s; %s", sql, again)
				require.Empty(t, b.rows(t, "FROM t"))
			} else {
				require.NoError(t, err)
				require.Len(t, b.rows(t, "FROM t"), 1)
			}
		}
	}
}

func TestAnInsertThatReadItsTableGoesIntoNoOther(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{"INSERT INTO t SELECT a + 1 FROM t", "INSERT INTO t VALUES ((SELECT max(a) + 1 FROM t))"} {
		bucket := &busyBucket{Bucket: mem.New(mem.Options{}), table: "none"}
		b := setup(t, bucket)
		b.exec(t, "CREATE TABLE t AS SELECT 1::BIGINT AS a")
		bucket.busyFunc = func() { b.exec(t, "CREATE OR REPLACE TABLE t AS SELECT 100::BIGINT AS a") }
		bucket.table = "main/t/"
		_, err := b.Execute(t.Context(), statement.Statement{SQL: sql})
		require.Error(t, err, sql)
		require.Equal(t, []string{"100"}, b.rows(t, "FROM t"), sql)
	}
}

func TestARollbackTakesNobodyElsesTemporaryTablesAlong(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := b.connect(t)
	id, err := b.Transactions.Begin(t.Context(), c.caller)
	require.NoError(t, err)
	inside := c.caller
	inside.Transaction = id
	run := func(caller session.Caller, sql string) error {
		_, err := b.Execute(t.Context(), statement.Statement{SQL: sql, Caller: caller})
		return err
	}
	require.NoError(t, run(c.caller, "CREATE TEMP TABLE before AS SELECT 0 AS i"))
	require.NoError(t, run(inside, "CREATE TEMP TABLE a AS SELECT 1 AS i"))
	other, err := b.Transactions.Begin(t.Context(), c.caller)
	require.NoError(t, err)
	beside := c.caller
	beside.Transaction = other
	for _, sql := range []string{"CREATE TEMP TABLE b AS SELECT 2 AS i", "INSERT INTO before VALUES (1)", "DROP TABLE before"} {
		require.ErrorIs(t, run(beside, sql), lake.ErrState, sql)
	}
	require.NoError(t, run(inside, "INSERT INTO a VALUES (2)"))
	_, err = b.Transactions.End(t.Context(), c.caller, id, false)
	require.NoError(t, err)
	require.NoError(t, run(beside, "CREATE TEMP TABLE b AS SELECT 2 AS i"))
	_, err = b.Transactions.End(t.Context(), c.caller, other, true)
	require.NoError(t, err)
	require.NoError(t, run(c.caller, "INSERT INTO b VALUES (3)"))
	require.Equal(t, []string{"2", "3"}, c.read("FROM b ORDER BY i"))
	require.Equal(t, []string{"0"}, c.read("FROM before"))
}

func TestEachExecutionOfCreateTableAsHasATokenOfItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	rb := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "1", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil))
	defer rb.Release()
	rb.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 2, 3}, nil)
	params := rb.NewRecordBatch()
	defer params.Release()
	st := statement.Statement{SQL: "CREATE OR REPLACE TABLE t AS SELECT ? AS i", Params: params, Token: "token"}
	for _, replayed := range []bool{false, true} {
		up, err := b.Execute(t.Context(), st)
		require.NoError(t, err)
		require.Equal(t, replayed, up.Replayed)
		require.Equal(t, []string{"3"}, b.rows(t, "FROM t"))
	}
}
