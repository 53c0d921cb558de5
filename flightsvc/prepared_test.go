package flightsvc

import (
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func (h *harness) prepare(t *testing.T, sql string) *flightsql.PreparedStatement {
	t.Helper()
	p, err := h.Prepare(t.Context(), sql)
	require.NoError(t, err)
	return p
}

func TestPrepareTellsQueriesFromUpdates(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	for _, c := range []struct {
		sql    string
		update bool
		params int
	}{
		{"SELECT * FROM t", false, 0}, {"SELECT ?", false, 1}, {"UPDATE t", true, 0}, {"UPDATE t ? ?", true, 2},
	} {
		p := h.prepare(t, c.sql)
		update, known := p.IsUpdate()
		require.True(t, known, c.sql)
		require.Equal(t, c.update, update, c.sql)
		require.Equal(t, !c.update, p.DatasetSchema() != nil, "JDBC takes a schema as the mark of a query: %s", c.sql)
		require.NotNil(t, p.ParameterSchema(), "R fails without: %s", c.sql)
		require.Equal(t, c.params, p.ParameterSchema().NumFields(), c.sql)
		require.NoError(t, p.Close(t.Context()))
	}
	require.Empty(t, h.fake.executed)
}

func TestPrepareFailsWithTheErrorOfThePlan(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	_, err := h.Prepare(t.Context(), "SELEC")
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	_, err = h.Prepare(t.Context(), "SELECT * FROM nope")
	require.Equal(t, codes.NotFound, status.Code(err))
}

func TestQueryRunsOncePerBoundRow(t *testing.T) {
	t.Parallel()
	for _, rows := range [][]int64{{}, {1}, {1, 2, 3}} {
		h := setup(t, Options{})
		p := h.prepare(t, "SELECT ?")
		batch := h.numbers(rows...)
		meta, err := h.put(t, &pb.CommandPreparedStatementQuery{PreparedStatementHandle: p.Handle()}, batch)
		require.NoError(t, err)
		var bound pb.DoPutPreparedStatementResult
		require.NoError(t, proto.Unmarshal(meta, &bound))
		info, err := h.info(t, &pb.CommandPreparedStatementQuery{PreparedStatementHandle: bound.GetPreparedStatementHandle()})
		require.NoError(t, err)
		require.NoError(t, p.Close(t.Context()))
		_, got := h.fetch(t, info)
		require.Len(t, got, len(rows))
		require.Len(t, h.fake.runs, len(rows))
	}
}

func TestRebindReplacesTheRows(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	p := h.prepare(t, "SELECT ?")
	for _, n := range []int64{41, 42} {
		batch := h.numbers(n)
		p.SetParameters(batch)
		batch.Release()
		info, err := p.Execute(t.Context())
		require.NoError(t, err)
		_, got := h.fetch(t, info)
		require.Equal(t, []string{strconv.FormatInt(n, 10)}, got)
	}
	require.NoError(t, p.Close(t.Context()))
}

func TestPreparedUpdateTakesItsRowsInline(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	cases := []struct {
		name, sql string
		rows      []int64 // nil: none are set
		count     int64
		want      []executed
	}{
		{"a batch without rows and columns is one execution", "UPDATE t", nil, 1, []executed{{"UPDATE t", -1}}},
		{"all rows in one call", "UPDATE t ?", []int64{1, 2, 3}, 3, []executed{{"UPDATE t ?", 3}}},
	}
	for _, c := range cases {
		h.fake.executed = nil
		p := h.prepare(t, c.sql)
		if c.rows != nil {
			batch := h.numbers(c.rows...)
			p.SetParameters(batch)
			batch.Release()
		}
		n, err := p.ExecuteUpdate(t.Context())
		require.NoError(t, err, c.name)
		require.Equal(t, c.count, n, c.name)
		require.Equal(t, c.want, h.fake.executed, c.name)
		require.NoError(t, p.Close(t.Context()))
	}
}

func TestPreparedUpdateOfZeroRows(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	for _, c := range []struct {
		sql   string
		count int64
		want  []executed
	}{
		{"UPDATE t ?", 0, nil},
		{"UPDATE t", 1, []executed{{"UPDATE t", -1}}}, // some drivers send a batch for every statement
	} {
		h.fake.executed = nil
		p := h.prepare(t, c.sql)
		meta, err := h.put(t, &pb.CommandPreparedStatementUpdate{PreparedStatementHandle: p.Handle()}, h.numbers())
		require.NoError(t, err)
		var res pb.DoPutUpdateResult
		require.NoError(t, proto.Unmarshal(meta, &res))
		require.Equal(t, c.count, res.GetRecordCount(), c.sql)
		require.Equal(t, c.want, h.fake.executed, c.sql)
		require.NoError(t, p.Close(t.Context()))
	}
}

func TestUnboundParametersAreInvalid(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	for _, sql := range []string{"SELECT ?", "UPDATE t ?"} {
		p := h.prepare(t, sql)
		_, err := p.Execute(t.Context())
		require.Equal(t, codes.InvalidArgument, status.Code(err), sql)
		_, err = p.ExecuteUpdate(t.Context())
		require.Equal(t, codes.InvalidArgument, status.Code(err), sql)
		require.NoError(t, p.Close(t.Context()))
	}
	require.Empty(t, h.fake.executed)
}

func TestPreparedUpdateRunsOnceInGetFlightInfo(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	p := h.prepare(t, "UPDATE t ?")
	batch := h.numbers(1, 2)
	p.SetParameters(batch)
	batch.Release()
	info, err := p.Execute(t.Context())
	require.NoError(t, err)
	require.NoError(t, p.Close(t.Context()))
	require.EqualValues(t, 2, info.GetTotalRecords())
	_, rows := h.fetch(t, info)
	require.Equal(t, []string{"2"}, rows)
	require.Equal(t, []executed{{"UPDATE t ?", 2}}, h.fake.executed)
}

func TestWrongNumberOfParametersIsInvalid(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	p := h.prepare(t, "SELECT ? ?")
	batch := h.numbers(1)
	p.SetParameters(batch)
	batch.Release()
	_, err := p.Execute(t.Context())
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	_, err = p.ExecuteUpdate(t.Context())
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	require.NoError(t, p.Close(t.Context()))
}

func TestBindTooLargeForAHandleIsExhausted(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	p := h.prepare(t, "SELECT ?")
	batch := h.numbers(make([]int64, boundBytesMax/8+1)...)
	p.SetParameters(batch)
	batch.Release()
	_, err := p.Execute(t.Context())
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	require.NoError(t, p.Close(t.Context()))
}

func TestJavaGetsParametersThatItsDriverCanBind(t *testing.T) {
	t.Parallel()
	utc := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	for _, c := range []struct{ in, want arrow.DataType }{
		{arrow.Null, arrow.BinaryTypes.String}, // it refuses to bind null
		{arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int8},
		{arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Time32ms}, // it binds milliseconds whatever is announced
		{arrow.FixedWidthTypes.Timestamp_us, &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
		{utc, &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
		{&arrow.TimestampType{Unit: arrow.Nanosecond}, &arrow.TimestampType{Unit: arrow.Millisecond}},
		{extensions.NewUUIDType(), arrow.BinaryTypes.String},
	} {
		in := arrow.NewSchema([]arrow.Field{{Name: "a", Type: c.in}}, nil)
		got := javaParams(in).Field(0).Type
		require.True(t, arrow.TypeEqual(c.want, got), "%s: %s", c.in, got)
		require.Equal(t, c.in, in.Field(0).Type, "the schema of others")
	}
}
