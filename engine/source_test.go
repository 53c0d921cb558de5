package engine_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// memSource serves batches from memory.
type memSource struct {
	columns []lake.Column
	batches []arrow.RecordBatch
	openErr error
	// nextFunc, if set, is called before each batch.
	nextFunc func(ctx context.Context, n int) error

	rows int64 // what it says; 0 means what it has

	mu         sync.Mutex
	projection [][]int
	open       int
}

func (s *memSource) Columns() []lake.Column { return s.columns }

func (s *memSource) Rows() int64 {
	n := s.rows
	if n > 0 {
		return n
	}
	for _, b := range s.batches {
		n += b.NumRows()
	}
	return n
}

func (s *memSource) Open(_ context.Context, projection []int) (engine.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.projection = append(s.projection, projection)
	if s.openErr != nil {
		return nil, s.openErr
	}
	s.open++
	return &memStream{source: s, projection: projection}, nil
}

type memStream struct {
	source     *memSource
	projection []int
	mu         sync.Mutex
	next       int
}

func (s *memStream) Next(ctx context.Context) (arrow.RecordBatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source.nextFunc != nil {
		if err := s.source.nextFunc(ctx, s.next); err != nil {
			return nil, err
		}
	}
	if s.next == len(s.source.batches) {
		return nil, io.EOF
	}
	b := s.source.batches[s.next]
	s.next++
	fields := make([]arrow.Field, len(s.projection))
	columns := make([]arrow.Array, len(s.projection))
	for i, c := range s.projection {
		fields[i], columns[i] = b.Schema().Field(c), b.Column(c)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, b.NumRows()), nil
}

func (s *memStream) Close() {
	s.source.mu.Lock()
	defer s.source.mu.Unlock()
	s.source.open--
}

// sourceOf returns a source with the rows of a query.
func sourceOf(t *testing.T, x *engine.Executor, sql string) *memSource {
	t.Helper()
	columns, err := x.ColumnsOfQuery(t.Context(), engine.Query{SQL: sql})
	require.NoError(t, err)
	r, err := x.Query(t.Context(), engine.Query{SQL: sql, BatchRows: 5000})
	require.NoError(t, err)
	defer r.Release()
	s := &memSource{columns: columns}
	for r.Next() {
		r.RecordBatch().Retain()
		s.batches = append(s.batches, r.RecordBatch())
	}
	require.NoError(t, r.Err())
	t.Cleanup(func() {
		for _, b := range s.batches {
			b.Release()
		}
		require.Zero(t, s.open, "streams left open")
	})
	return s
}

// everyType selects rows of every type that a table holds, with nulls, empty
// and long values, and values around the borders of DuckDB's vectors.
const everyType = `SELECT i AS id,
	CASE WHEN i % 7 > 0 THEN i % 2 = 0 END AS b,
	CASE WHEN i % 5 > 0 THEN (i % 100)::TINYINT END AS i8, i::SMALLINT AS i16, i::INTEGER AS i32, -i::BIGINT AS i64,
	(i::HUGEINT * 1000000000000000000000::HUGEINT) AS i128, (i % 200)::UTINYINT AS u8, i::USMALLINT AS u16, i::UINTEGER AS u32,
	(18446744073709551615 - i)::UBIGINT AS u64, (i::UHUGEINT * 1000000000000000000000::UHUGEINT) AS u128,
	CASE i % 4 WHEN 0 THEN 'nan' WHEN 1 THEN '-0' ELSE i::VARCHAR END::FLOAT AS f32,
	CASE i % 4 WHEN 0 THEN 'inf' WHEN 1 THEN '-0' ELSE i::VARCHAR END::DOUBLE AS f64,
	(-i / 100)::DECIMAL(4,1) AS d4, (i / 100)::DECIMAL(9,2) AS d9, (-i / 1000)::DECIMAL(18,5) AS d18, (i / 7)::DECIMAL(38,9) AS d38,
	DATE '2000-01-01' + i::INTEGER AS date, TIME '00:00:00' + to_microseconds(i * 1001) AS time,
	('10:00:0' || (i % 10) || '+02')::TIMETZ AS timetz, ('10:00:00.00000000' || (i % 10))::TIME_NS AS time_ns,
	make_timestamp(i * 1000003)::TIMESTAMP_S AS ts_s, make_timestamp(i * 1000003)::TIMESTAMP_MS AS ts_ms,
	make_timestamp(i * 1000003) AS ts, make_timestamp_ns(i * 1000003) AS ts_ns, make_timestamp(i * 1000003)::TIMESTAMPTZ AS ts_tz,
	to_months(i::INTEGER) + to_days((i % 9)::INTEGER) - to_microseconds(i) AS iv,
	CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'twelve bytes' ELSE 'é and more than twelve bytes ' || i END AS s,
	CASE WHEN i % 3 > 0 THEN (repeat('\xAA', (i % 30)::INTEGER))::BLOB END AS blob,
	md5(i::VARCHAR)::UUID AS uuid, ('{"a":' || i || '}')::JSON AS json,
	CASE WHEN i % 6 > 0 THEN list_transform(range(i % 5), lambda n: CASE WHEN n <> 2 THEN 'element ' || n || ' of ' || i END) END AS list,
	CASE WHEN i % 6 > 0 THEN [[i::INTEGER], [], NULL, range(i % 3)::INTEGER[]] END AS lists,
	CASE WHEN i % 4 > 0 THEN {'x': CASE WHEN i % 3 > 0 THEN i END, 'in ner': {'y': 'text of ' || i, 'z': [i]}} END AS st,
	CASE WHEN i % 4 > 0 THEN MAP {'k' || i: {'v': i}, 'l': NULL} END AS m,
	CASE WHEN i % 5 > 0 THEN [{'a': i, 'b': uuid}, NULL] END AS structs
	FROM range(%d) r(i)`

func everyTypeOf(rows string) string { return strings.Replace(everyType, "%d", rows, 1) }

func TestRegisterReturnsEveryTypeUnchanged(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	for _, rows := range []string{"0", "1", "2048", "7001"} {
		sql := everyTypeOf(rows)
		s := sourceOf(t, x, sql)
		ref, release := x.Register(t.Context(), s)
		got := mustQuery(t, x, "SELECT * FROM "+ref+" ORDER BY id")
		want := mustQuery(t, x, sql+" ORDER BY id")
		require.Equal(t, want.schema.String(), got.schema.String())
		require.Len(t, got.rows, len(want.rows))
		for i := range want.rows {
			require.Equal(t, want.rows[i], got.rows[i])
		}
		release()
	}
}

func TestRegisterReadsOnlyTheColumnsOfTheQuery(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	s := sourceOf(t, x, "SELECT i AS a, i * 2 AS b, 'x' || i AS c FROM range(10000) r(i)")
	ref, release := x.Register(t.Context(), s)
	defer release()
	require.Equal(t, [][]string{{"99990000", "x9999"}}, mustQuery(t, x, "SELECT sum(b), max(c) FROM "+ref+" WHERE b >= 0").rows)
	require.ElementsMatch(t, []int{1, 2}, s.projection[0])
}

func TestRegisterCountsRows(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	s := sourceOf(t, x, "SELECT i AS a FROM range(10000) r(i)")
	ref, release := x.Register(t.Context(), s)
	defer release()
	require.Equal(t, [][]string{{"10000"}}, mustQuery(t, x, "SELECT count(*) FROM "+ref).rows)
	require.Equal(t, [][]int{{0}}, s.projection, "DuckDB asks for the first column when it needs none")
	require.Equal(t, [][]string{{"20000"}}, mustQuery(t, x, "SELECT count(*) FROM "+ref+" AS l, (VALUES (1), (2))").rows)
	require.Equal(t, [][]string{{"10000"}}, mustQuery(t, x, "SELECT count(*) FROM "+ref+" AS l JOIN "+ref+" AS r USING (a)").rows)
}

func TestRegisterKeepsTheErrorOfTheSource(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	cause := lake.Errorf(lake.KindCorrupt, "page 3 of file x does not match its checksum")
	tests := map[string]*memSource{
		"open": {openErr: cause},
		"next": {nextFunc: func(context.Context, int) error { return cause }},
	}
	for name, s := range tests {
		s.columns = []lake.Column{{Name: "a", Type: lake.Type{ID: lake.TypeInt32}}}
		ref, release := x.Register(t.Context(), s)
		_, err := query(t.Context(), x, engine.Query{SQL: "SELECT sum(a) FROM " + ref})
		require.ErrorIs(t, err, cause, name)
		release()
	}
}

func TestRegisterTurnsAPanicIntoAnError(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	s := &memSource{columns: []lake.Column{{Name: "a", Type: lake.Type{ID: lake.TypeInt32}}}}
	s.nextFunc = func(context.Context, int) error { panic("broken") }
	ref, release := x.Register(t.Context(), s)
	defer release()
	_, err := query(t.Context(), x, engine.Query{SQL: "SELECT a FROM " + ref})
	require.ErrorIs(t, err, lake.ErrInternal)
	require.ErrorContains(t, err, "broken")
}

func TestRegisterRefusesAnotherTypeThanPromised(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	s := sourceOf(t, x, "SELECT 'x'::BLOB AS a")
	s.columns[0].Type.ID = lake.TypeVarchar
	ref, release := x.Register(t.Context(), s)
	defer release()
	_, err := query(t.Context(), x, engine.Query{SQL: "SELECT a FROM " + ref})
	require.ErrorIs(t, err, lake.ErrInternal)
	require.ErrorContains(t, err, `column "a"`)
}

func TestRegisterRefusesTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	for _, sql := range []string{
		"SELECT '\\xC3'::BLOB AS a", "SELECT 'a sufficiently long \\xFF'::BLOB AS a",
		// Together they are UTF-8, each by itself is not.
		"FROM (VALUES ('\\xC3'::BLOB), ('\\xA9'::BLOB)) AS v(a)",
	} {
		s := sourceOf(t, x, sql)
		s.columns[0].Type.ID = lake.TypeVarchar
		for i, b := range s.batches {
			d := b.Column(0).Data()
			data := array.NewData(arrow.BinaryTypes.String, d.Len(), d.Buffers(), nil, d.NullN(), d.Offset())
			column := array.MakeFromData(data)
			s.batches[i] = array.NewRecordBatch(lake.ArrowSchema(s.columns), []arrow.Array{column}, b.NumRows())
			data.Release()
			column.Release()
			b.Release()
		}
		ref, release := x.Register(t.Context(), s)
		_, err := query(t.Context(), x, engine.Query{SQL: "SELECT a FROM " + ref})
		require.ErrorIs(t, err, lake.ErrCorrupt, sql)
		release()
	}
}

func TestClientsCannotNameSources(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	for _, sql := range []string{
		"SELECT * FROM flightlake_scan('3')", "SELECT * FROM flightlake_scan(NULL)", "SELECT * FROM flightlake_scan(3)",
	} {
		_, err := query(t.Context(), x, engine.Query{SQL: sql})
		require.ErrorIs(t, err, lake.ErrInvalid, sql)
	}
	require.False(t, engine.AllowedTableFunction("flightlake_scan"))
	s := sourceOf(t, x, "SELECT 1 AS a")
	ref, release := x.Register(t.Context(), s)
	release()
	_, err := query(t.Context(), x, engine.Query{SQL: "FROM " + ref})
	require.Error(t, err)
}

func TestCancelEndsABlockedSource(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	s := &memSource{columns: []lake.Column{{Name: "a", Type: lake.Type{ID: lake.TypeInt32}}}}
	s.nextFunc = func(ctx context.Context, _ int) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	ref, release := x.Register(ctx, s)
	defer release()
	_, err := query(ctx, x, engine.Query{SQL: "SELECT sum(a) FROM " + ref})
	require.ErrorIs(t, err, context.Canceled)
}

func TestCancelInterruptsAQueryWithinAMoment(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{ConnectionsMax: 1})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
	defer cancel()
	_, err := query(ctx, x, engine.Query{SQL: "SELECT sum(a.range * b.range % 7) FROM range(1000000) a, range(1000000) b"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, [][]string{{"1"}}, mustQuery(t, x, "SELECT 1").rows, "the connection is fit for use")
}

func TestReaderReleasedEarlyFreesConnectionAndSource(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{ConnectionsMax: 1})
	s := sourceOf(t, x, "SELECT i AS a, repeat('x', 100) AS s FROM range(100000) r(i)")
	for range 3 {
		ref, release := x.Register(t.Context(), s)
		r, err := x.Query(t.Context(), engine.Query{SQL: "SELECT * FROM " + ref, BatchRows: 100})
		require.NoError(t, err)
		require.True(t, r.Next())
		require.EqualValues(t, 64, r.RecordBatch().NumRows())
		r.Release()
		release()
	}
}

func TestAResultThatNobodyReadsIsNotComputedFarAhead(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	s := sourceOf(t, x, "SELECT repeat('x', 2000) AS s FROM range(2048)")
	for range 99 {
		s.batches[0].Retain()
		s.batches = append(s.batches, s.batches[0])
	}
	var taken atomic.Int64
	s.nextFunc = func(context.Context, int) error {
		taken.Add(1)
		return nil
	}
	ref, release := x.Register(t.Context(), s)
	defer release()
	r, err := x.Query(t.Context(), engine.Query{SQL: "FROM " + ref})
	require.NoError(t, err)
	defer r.Release()
	require.True(t, r.Next())
	mustQuery(t, x, "SELECT sum(range) FROM range(10000000)") // DuckDB's threads had time for more
	require.LessOrEqual(t, taken.Load(), int64(8), "chunks of 4 MB each")
	rows := r.RecordBatch().NumRows()
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	require.NoError(t, r.Err())
	require.EqualValues(t, 100*2048, rows)
}
