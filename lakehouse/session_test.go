package lakehouse_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore/fault"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/statement"
)

func TestIngestModes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ingest := func(missing statement.IfMissing, exists statement.IfExists, first, rows int) (statement.Update, error) {
		return b.Ingest(t.Context(), statement.Ingest{Table: "t", IfMissing: missing, IfExists: exists}, numbers(t, first, rows, 7))
	}
	_, err := ingest(statement.MissingFails, statement.ExistsAppend, 0, 10)
	require.ErrorIs(t, err, lake.ErrNotFound)
	up, err := ingest(statement.MissingCreate, statement.ExistsFails, 0, 10)
	require.NoError(t, err)
	require.Equal(t, statement.Update{Rows: 10, Snapshot: 1}, up)
	_, err = ingest(statement.MissingCreate, statement.ExistsFails, 0, 10)
	require.ErrorIs(t, err, lake.ErrExists)
	up, err = ingest(statement.MissingFails, statement.ExistsAppend, 10, 5)
	require.NoError(t, err)
	require.Equal(t, statement.Update{Rows: 5, Snapshot: 2}, up)
	require.Equal(t, []string{"15|14|105"}, b.rows(t, "SELECT count(*), max(i), sum(i) FROM t"))
	up, err = ingest(statement.MissingCreate, statement.ExistsReplace, 100, 3)
	require.NoError(t, err)
	require.Equal(t, statement.Update{Rows: 3, Snapshot: 3}, up)
	require.Equal(t, []string{"100", "101", "102"}, b.rows(t, "SELECT i FROM t"))
	require.Equal(t, []string{"15"}, b.rows(t, "SELECT count(*) FROM t AT (VERSION => 2)"))
	require.Equal(t, []string{"10"}, b.rows(t, "SELECT count(*) FROM t AT (VERSION => 1)"))
	up, err = ingest(statement.MissingCreate, statement.ExistsAppend, 0, 0)
	require.NoError(t, err)
	require.Equal(t, statement.Update{Rows: 0, Snapshot: 3}, up, "an append of nothing is no snapshot")
}

func TestIngestOfNoRowsKeepsItsSchema(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	_, err := b.Ingest(t.Context(), statement.Ingest{Table: "t", IfMissing: statement.MissingCreate}, numbers(t, 0, 0, 1))
	require.NoError(t, err)
	require.Equal(t, []string{"i|BIGINT", "s|VARCHAR"}, b.rows(t, "SELECT column_name, column_type FROM (DESCRIBE t)"))
}

func TestIngestThatDoesNotFitChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i BIGINT, s INTEGER)")
	_, err := b.Ingest(t.Context(), statement.Ingest{Table: "t", IfExists: statement.ExistsAppend}, numbers(t, 0, 3, 3))
	require.ErrorIs(t, err, lake.ErrInvalid)
	require.ErrorContains(t, err, `"s"`)
	require.Empty(t, b.objects(t))
	require.Equal(t, []string{"1"}, b.rows(t, "FROM lake.current_snapshot()"))
}

func TestIngestFillsAbsentColumnsWithDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i BIGINT, s VARCHAR, \"at\" TIMESTAMPTZ DEFAULT now(), n INTEGER DEFAULT 7, e DATE DEFAULT (DATE '2020-01-31' + 1), x VARCHAR DEFAULT NULL)")
	_, err := b.Ingest(t.Context(), statement.Ingest{Table: "t", IfExists: statement.ExistsAppend}, numbers(t, 0, 3, 2))
	require.NoError(t, err)
	require.Equal(t, []string{"3|1|true|7|2020-02-01|0"},
		b.rows(t, "SELECT count(*), count(DISTINCT \"at\"), bool_and(\"at\" > now() - INTERVAL 1 HOUR), max(n), max(e), count(x) FROM t"))
	b.exec(t, "CREATE TABLE u (i BIGINT, s VARCHAR, id UUID DEFAULT uuid())")
	_, err = b.Ingest(t.Context(), statement.Ingest{Table: "u", IfExists: statement.ExistsAppend}, numbers(t, 0, 3, 2))
	require.ErrorIs(t, err, lake.ErrUnsupported, "one value for all rows would be wrong")
}

func TestTokenIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	in := statement.Ingest{Table: "t", IfMissing: statement.MissingCreate, IfExists: statement.ExistsAppend, Token: "monday"}
	first, err := b.Ingest(t.Context(), in, numbers(t, 0, 4, 4))
	require.NoError(t, err)
	second, err := b.Ingest(t.Context(), in, numbers(t, 0, 4, 4))
	require.NoError(t, err)
	require.Equal(t, statement.Update{Rows: 4, Snapshot: first.Snapshot, Replayed: true}, second)
	require.Equal(t, []string{"4"}, b.rows(t, "SELECT count(*) FROM t"))
	require.ElementsMatch(t, b.published(t), b.objects(t))
}

// TestFaultAtEveryCall lets the nth call to the bucket fail, for every n, and
// checks that an append is there wholly or not at all, and that no object is
// left that the catalog does not name or know as staged.
func TestFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	bucket := fault.New(mem.New(mem.Options{}), fault.Options{})
	b := setup(t, bucket)
	cases := 0
	for _, after := range []bool{false, true} {
		for _, op := range []fault.Op{fault.OpCreate, fault.OpWrite, fault.OpCommit, fault.OpDelete} {
			for n := 1; ; n++ {
				cases++
				table := fmt.Sprintf("t%d", cases)
				bucket.Inject(fault.Fault{Op: op, Nth: n, After: after})
				if op == fault.OpDelete { // which only follows another failure
					bucket.Inject(fault.Fault{Op: fault.OpCommit, Nth: 2})
				}
				appendUnderFault(t, b, table)
				struck := slices.ContainsFunc(bucket.Calls(), func(c fault.Call) bool { return c.Failed && c.Op == op })
				bucket.Reset()
				require.NoError(t, b.Recover(t.Context()))
				kept := b.publishedUnder(t, "main/"+table+"/")
				require.GreaterOrEqual(t, len(kept), 2, "one append met no fault, and each writes two files")
				require.ElementsMatch(t, kept, b.objectsUnder(t, "main/"+table+"/"), "%s, call %d, after its effect: %t", op, n, after)
				if !struck {
					break
				}
			}
		}
	}
	require.Greater(t, cases, 40)
	require.ElementsMatch(t, b.published(t), b.objects(t), "no case touched the files of another")
}

// appendUnderFault makes two appends of two files each, and checks that those
// which were acknowledged are there and nothing else.
func appendUnderFault(t *testing.T, b *bundle, table string) {
	t.Helper()
	b.exec(t, "CREATE TABLE "+table+" (i BIGINT, s VARCHAR) WITH ("+
		"row_group_rows = 100, target_file_size = 1024, parquet_compression = 'uncompressed')")
	rows := 0
	for range 2 {
		up, err := b.Ingest(t.Context(), statement.Ingest{Table: table, IfExists: statement.ExistsAppend}, numbers(t, rows, 400, 150))
		if err != nil {
			require.ErrorIs(t, err, lake.ErrUnavailable)
			continue
		}
		rows += int(up.Rows)
	}
	require.Equal(t, []string{strconv.Itoa(rows)}, b.rows(t, "SELECT count(*) FROM "+table))
}

func TestConcurrentAppendsAllCommit(t *testing.T) {
	t.Parallel()
	const writers, appends, rows = 8, 6, 50
	b := setup(t, nil)
	var wg sync.WaitGroup
	errs := make(chan error, writers*appends)
	for w := range writers {
		streams := make([]array.RecordReader, appends)
		for a := range appends {
			streams[a] = numbers(t, (w*appends+a)*rows, rows, rows)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for _, stream := range streams {
				_, err := b.Ingest(context.Background(), statement.Ingest{
					Table: "t", IfMissing: statement.MissingCreate, IfExists: statement.ExistsAppend,
				}, stream)
				errs <- err
			}
		}()
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	total := writers * appends * rows
	require.Equal(t, []string{fmt.Sprintf("%d|%d", total, total)}, b.rows(t, "SELECT count(*), count(DISTINCT i) FROM t"))
	require.Equal(t, []string{strconv.Itoa(writers * appends)}, b.rows(t, "FROM lake.current_snapshot()"))
}

func TestStatementsThatChangeThings(t *testing.T) {
	t.Parallel()
	for name, setupFunc := range map[string]func(*testing.T) *bundle{
		"mem":   func(t *testing.T) *bundle { t.Helper(); return setup(t, nil) },
		"local": setupLocal,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupFunc(t)
			b.exec(t, "CREATE SCHEMA IF NOT EXISTS s")
			b.exec(t, "CREATE TABLE s.t (id INTEGER NOT NULL, region VARCHAR DEFAULT 'eu', ts TIMESTAMP DEFAULT now()) PARTITIONED BY (region)")
			require.Equal(t, int64(3), b.exec(t, "INSERT INTO s.t (id, region) VALUES (1, 'us'), (2, DEFAULT), (3, NULL)").Rows)
			require.Equal(t, int64(2), b.exec(t, "INSERT INTO s.t BY NAME SELECT id + 10 AS id FROM s.t WHERE id < 3").Rows)
			require.Equal(t, []string{"1|us|false", "2|eu|false", "3|(null)|false", "11|eu|false", "12|eu|false"},
				b.rows(t, "SELECT id, region, ts IS NULL FROM s.t ORDER BY id"))
			_, err := b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO s.t (region) VALUES ('x')"})
			require.ErrorIs(t, err, lake.ErrInvalid, "NOT NULL")
			require.Equal(t, int64(2), b.exec(t, "CREATE TABLE us AS SELECT id, upper(region) AS r FROM s.t WHERE region = 'eu' AND id > 2").Rows)
			require.Equal(t, []string{"EU", "EU"}, b.rows(t, "SELECT r FROM us"))
			b.exec(t, "COMMENT ON COLUMN us.r IS 'a region'")
			require.Equal(t, []string{"a region"}, b.rows(t, "SELECT comment FROM duckdb_columns() WHERE column_name = 'r'"))
			_, err = b.Execute(t.Context(), statement.Statement{SQL: "DROP SCHEMA s"})
			require.ErrorIs(t, err, lake.ErrState)
			b.exec(t, "DROP SCHEMA s CASCADE")
			b.exec(t, "DROP TABLE IF EXISTS nothing")
			require.Equal(t, []string{"us"}, b.rows(t, "SELECT table_name FROM information_schema.tables"))
		})
	}
}

func TestManyParameterRowsAreOneAppend(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i INTEGER, s VARCHAR)")
	d, err := b.Describe(t.Context(), statement.Statement{SQL: "INSERT INTO t VALUES (?, lower(?))"})
	require.NoError(t, err)
	require.True(t, d.Update)
	require.Equal(t, []arrow.DataType{arrow.PrimitiveTypes.Int32, arrow.Null},
		[]arrow.DataType{d.Params.Field(0).Type, d.Params.Field(1).Type})
	params := numbers(t, 0, 5, 5)
	require.True(t, params.Next())
	up, err := b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO t VALUES (?, upper(?))", Params: params.RecordBatch()})
	require.NoError(t, err)
	require.Equal(t, statement.Update{Rows: 5, Snapshot: 2}, up)
	one := params.RecordBatch().NewSlice(3, 4)
	defer one.Release()
	got, err := b.query(t.Context(), statement.Statement{SQL: "SELECT s, $1 FROM t WHERE i = $1 AND s = upper($2)", Params: one})
	require.NoError(t, err)
	require.Equal(t, []string{"VALUE OF A ROW|3"}, got)
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE lineitem (l_orderkey BIGINT)")
	for sql, want := range map[string]struct {
		kind lake.Kind
		text string
	}{
		"SELECT * FROM lineitm":                       {lake.KindNotFound, `did you mean "lineitem"`},
		"SELECT l_orderky FROM lineitem":              {lake.KindInvalid, `"l_orderkey"`},
		"SELECT * FROM lineitem WHERE (":              {lake.KindInvalid, "syntax error"},
		"SELECT 1; SELECT 2":                          {lake.KindInvalid, "one statement"},
		"SELECT * FROM lineitem AT (VERSION => 99)":   {lake.KindNotFound, "99"},
		"FROM read_csv('/etc/passwd')":                {lake.KindForbidden, "read_csv"},
		"FROM '/etc/passwd'":                          {lake.KindForbidden, "closed"},
		"SELECT getenv('HOME')":                       {lake.KindForbidden, "getenv"},
		"COPY lineitem TO '/tmp/x'":                   {lake.KindForbidden, "COPY"},
		"DELETE FROM lineitem":                        {lake.KindUnsupported, "DELETE"},
		"FROM lake.nothing()":                         {lake.KindUnsupported, "nothing"},
		"FROM ducklake_list_files('other', 'x')":      {lake.KindNotFound, "other"},
		"CALL lake.set_option('row_group_rows', 'x')": {lake.KindInvalid, "row_group_rows"},
	} {
		d, err := b.Describe(t.Context(), statement.Statement{SQL: sql})
		if err == nil && d.Update {
			_, err = b.Execute(t.Context(), statement.Statement{SQL: sql})
		}
		require.Error(t, err, sql)
		require.Equal(t, want.kind, lake.KindOf(err), "%s: %v", sql, err)
		require.ErrorContains(t, err, want.text, sql)
		require.NotContains(t, err.Error(), "flightlake_scan", sql)
	}
}

func TestCancelledQueryEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	q, err := b.Plan(ctx, statement.Statement{SQL: "SELECT count(*) FROM range(100000000000)"})
	require.NoError(t, err)
	go cancel()
	running, err := b.Run(ctx, q)
	if err == nil {
		defer running.Reader.Release()
		require.False(t, running.Reader.Next())
		err = running.Reader.Err()
	}
	require.ErrorIs(t, err, context.Canceled)
}

func TestOptionsShapeFiles(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i BIGINT, s VARCHAR) WITH (row_group_rows = 10)")
	b.exec(t, "CALL lake.set_option('parquet_compression', 'zstd')")
	_, err := b.Ingest(t.Context(), statement.Ingest{Table: "t", IfExists: statement.ExistsAppend}, numbers(t, 0, 95, 95))
	require.NoError(t, err)
	require.Equal(t, []string{"10|95"}, b.rows(t, "SELECT count(*), sum(rows) FROM lake.row_groups('t') WHERE column_name = 'i'"))
	require.Equal(t, []string{"9"}, b.rows(t, "SELECT len(row_groups) FROM lake.scan_plan('SELECT * FROM t WHERE i >= 10')"))
	require.Equal(t, []string{"zstd"}, b.rows(t, "SELECT value FROM lake.options() WHERE option_name = 'parquet_compression'"))
	explained := strings.Join(b.rows(t, "EXPLAIN SELECT s FROM t WHERE i = 50"), "\n")
	require.Contains(t, explained, "native scan")
	require.Contains(t, explained, "row groups: 1 of 10")
}

func TestIngestOfABrokenStreamChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	_, err := b.Ingest(t.Context(), statement.Ingest{Table: "t", IfMissing: statement.MissingCreate},
		&brokenReader{RecordReader: numbers(t, 0, 1000, 10), left: 50})
	require.ErrorContains(t, err, "the line went dead")
	require.Empty(t, b.objects(t))
	require.Equal(t, []string{"0"}, b.rows(t, "FROM lake.current_snapshot()"))
}

// brokenReader fails after some batches.
type brokenReader struct {
	array.RecordReader
	left int
}

func (r *brokenReader) Next() bool {
	r.left--
	return r.left >= 0 && r.RecordReader.Next()
}

func (r *brokenReader) Err() error {
	if r.left < 0 {
		return errors.New("the line went dead")
	}
	return r.RecordReader.Err()
}

func TestResultNamesAreThoseOfTheClientsText(t *testing.T) {
	t.Parallel()
	b := setupLocal(t)
	b.exec(t, "CREATE TABLE u AS SELECT range AS id FROM range(5)")
	for sql, want := range map[string]string{
		"SELECT (SELECT max(id) FROM u)":             "(SELECT max(id) FROM u)",
		"SELECT EXISTS(FROM u)":                      `EXISTS(SELECT * FROM u)`,
		"SELECT id + 1 FROM u AT (VERSION => 1)":     "(id + 1)",
		"SELECT count(*), min(id) FROM u":            "count_star()|min(id)",
		"SELECT id AS x, id * 2 FROM u":              "x|(id * 2)",
		"PIVOT u ON id % 2 USING count(*)":           "0|1",
		"SELECT 1 WHERE 4 IN (SELECT id FROM u)":     "1",
		"SELECT 3 IN (SELECT id FROM u) FROM u":      "(3 = ANY(SELECT id FROM u))",
		"CALL lake.current_snapshot()":               "id",
		"CALL range(3)":                              "range",
		"SELECT main.u.id FROM main.u ORDER BY u.id": "id",
	} {
		q, err := b.Plan(t.Context(), statement.Statement{SQL: sql})
		require.NoError(t, err, sql)
		names := make([]string, q.Schema.NumFields())
		for i := range names {
			names[i] = q.Schema.Field(i).Name
		}
		require.Equal(t, want, strings.Join(names, "|"), sql)
		running, err := b.Run(t.Context(), q)
		require.NoError(t, err, sql)
		require.True(t, running.Reader.Schema().Equal(q.Schema), "%s: %s", sql, running.Reader.Schema())
		for running.Reader.Next() {
			require.True(t, running.Reader.RecordBatch().Schema().Equal(q.Schema), sql)
		}
		require.NoError(t, running.Reader.Err(), sql)
		running.Reader.Release()
	}
	b.exec(t, "CREATE TABLE v AS SELECT (SELECT max(id) FROM u)")
	require.Equal(t, []string{"(SELECT max(id) FROM u)"}, b.rows(t, "SELECT column_name FROM (DESCRIBE v)"))
}

func TestConcurrentDDLKeepsItsPromises(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	race := func(sql string) (ok int, kinds map[lake.Kind]int) {
		kinds = map[lake.Kind]int{}
		errs := make(chan error, 8)
		for range 8 {
			go func() {
				_, err := b.Execute(context.Background(), statement.Statement{SQL: sql})
				errs <- err
			}()
		}
		for range 8 {
			if err := <-errs; err != nil {
				kinds[lake.KindOf(err)]++
				continue
			}
			ok++
		}
		return ok, kinds
	}
	for range 4 {
		for _, sql := range []string{
			"CREATE OR REPLACE TABLE r AS SELECT 1 AS a", "CREATE TABLE IF NOT EXISTS x (a INT)", "CREATE SCHEMA IF NOT EXISTS s",
			"DROP TABLE IF EXISTS x", "DROP SCHEMA IF EXISTS s",
		} {
			ok, kinds := race(sql)
			require.Equal(t, 8, ok, "%s: %v", sql, kinds)
		}
		ok, kinds := race("CREATE TABLE y (a INT)")
		require.Equal(t, 1, ok)
		require.Equal(t, map[lake.Kind]int{lake.KindExists: 7}, kinds)
		ok, kinds = race("DROP TABLE y")
		require.Equal(t, 1, ok)
		require.Equal(t, map[lake.Kind]int{lake.KindNotFound: 7}, kinds)
	}
}

func TestTokenOfAnInsertIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for range 2 {
		up, err := b.Execute(t.Context(), statement.Statement{SQL: "CREATE TABLE t AS SELECT 1 AS i", Token: "a"})
		require.NoError(t, err)
		require.Equal(t, lake.SnapshotID(1), up.Snapshot)
		up, err = b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO t VALUES (2), (3)", Token: "b"})
		require.NoError(t, err)
		require.Equal(t, int64(2), up.Rows)
	}
	require.Equal(t, []string{"1", "2", "3"}, b.rows(t, "SELECT i FROM t ORDER BY i"))
}

func TestReplacedFileIsNotReadAsIfItWereRight(t *testing.T) {
	t.Parallel()
	b := setupLocal(t)
	b.exec(t, "CREATE TABLE a AS SELECT range AS id FROM range(5000)")
	b.exec(t, "CREATE TABLE c AS SELECT range AS id FROM range(3)")
	local := b.bucket.Capabilities().LocalPathFunc
	paths := b.rows(t, "SELECT path FROM lake.scan_plan('SELECT * FROM a JOIN c USING (id)') ORDER BY table_name")
	require.Len(t, paths, 2)
	require.Equal(t, paths[0], local(b.published(t)[0]))
	small, err := os.ReadFile(paths[1])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(paths[0], small, 0o600))
	_, err = b.query(t.Context(), statement.Statement{SQL: "SELECT sum(id), count(id) FROM a"})
	require.ErrorIs(t, err, lake.ErrCorrupt)
	require.ErrorContains(t, err, `table "a"`)
	require.Equal(t, []string{"3"}, b.rows(t, "SELECT sum(id) FROM c"))
}

func TestParametersBindOverTheCatalogsOwnTables(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	d, err := b.Describe(t.Context(), statement.Statement{SQL: "SELECT snapshot_id FROM __ducklake_metadata_lake.ducklake_snapshot WHERE snapshot_id = ?"})
	require.NoError(t, err)
	require.Equal(t, arrow.PrimitiveTypes.Int64, d.Params.Field(0).Type)
	require.Equal(t, "snapshot_id", d.Result.Field(0).Name)
}
