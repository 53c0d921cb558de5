package flightsvc

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/lake"
)

func TestQueryHasSchemaAndOneEndpointEvenWithoutRows(t *testing.T) {
	t.Parallel()
	for _, rows := range [][]int64{nil, {1}, {1, 2, 3}} {
		h := setup(t, Options{})
		h.table("t", rows...)
		info, err := h.Execute(t.Context(), "SELECT * FROM t", h.calls()...)
		require.NoError(t, err)
		require.Equal(t, []string{"7"}, h.header.Get(snapshotHeader))
		require.Len(t, h.header.Get(requestIDHeader), 1)
		require.EqualValues(t, len(rows), info.GetTotalRecords())
		schema, got := h.fetch(t, info)
		require.Len(t, got, len(rows))
		require.True(t, schema.Equal(flightSchema(t, info.GetSchema())), "drivers compare the two schemas")
		md := flightsql.ColumnMetadata{Data: ptr(schema.Field(0).Metadata)}
		name, _ := md.TypeName()
		precision, _ := md.Precision()
		require.Equal(t, "BIGINT", name)
		require.EqualValues(t, 19, precision)
	}
}

func ptr[T any](v T) *T { return &v }

func TestTicketIsGoodForAnyConnectionAndAnyNumberOfTimes(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1, 2)
	info, err := h.Execute(t.Context(), "SELECT * FROM t")
	require.NoError(t, err)
	h.fake.mu.Lock()
	h.fake.snapshot = 99
	h.fake.mu.Unlock()
	other := h.connect(t)
	defer func() { require.NoError(t, other.Close()) }()
	for range 3 {
		_, rows := read(t, other, info.GetEndpoint()[0].GetTicket())
		require.Equal(t, []string{"1", "2"}, rows)
	}
	require.Len(t, h.fake.runs, 3)
	for _, q := range h.fake.runs {
		require.Equal(t, lake.SnapshotID(7), q.Snapshot, "a retry must read what was planned, not what is newest")
	}
}

func TestUpdateFetchedAsQueryRunsOnceAndWithoutFetch(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	info, err := h.Execute(t.Context(), "UPDATE t", h.calls()...)
	require.NoError(t, err)
	require.Equal(t, []string{"8"}, h.header.Get(snapshotHeader))
	require.Len(t, h.fake.executed, 1, "clients may close the cursor before they fetch")
	require.EqualValues(t, 1, info.GetTotalRecords())
	for range 2 {
		schema, rows := h.fetch(t, info)
		require.Equal(t, "Count", schema.Field(0).Name)
		require.Equal(t, []string{"1"}, rows)
	}
	require.Len(t, h.fake.executed, 1)
}

func TestUpdateThroughDoPutRunsOnce(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	n, err := h.ExecuteUpdate(t.Context(), "UPDATE t")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Equal(t, []executed{{SQL: "UPDATE t", Rows: -1}}, h.fake.executed)
}

func TestGetSchemaPlansAndNeverRuns(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	res, err := h.GetExecuteSchema(t.Context(), "SELECT * FROM t")
	require.NoError(t, err)
	require.Equal(t, "n", flightSchema(t, res.GetSchema()).Field(0).Name)
	_, err = h.GetExecuteSchema(t.Context(), "UPDATE t")
	require.NoError(t, err)
	require.Empty(t, h.fake.executed)
	require.Empty(t, h.fake.runs)
}

func TestPollAnswersAtOnce(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 5)
	poll, err := h.ExecutePoll(t.Context(), "SELECT * FROM t", nil)
	require.NoError(t, err)
	require.Nil(t, poll.GetFlightDescriptor(), "nothing is left to poll")
	_, rows := h.fetch(t, poll.GetInfo())
	require.Equal(t, []string{"5"}, rows)
}

func TestScopeComesFromHeaders(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 5)
	for _, c := range []struct{ key, value, want string }{
		{"schema", "archive", "archive"},
		{"database", "archive", "archive"},
		{"database", "LAKE", ""}, // the catalog
		{"x-other", "archive", ""},
	} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), c.key, c.value)
		info, err := h.Execute(ctx, "SELECT * FROM t")
		require.NoError(t, err)
		require.Equal(t, c.want, h.fake.scopes[len(h.fake.scopes)-1])
		h.fetch(t, info) // on a call without the header: the ticket knows
		require.Equal(t, c.want, h.fake.runs[len(h.fake.runs)-1].Statement.Scope.Schema)
	}
}

func TestForeignTicketsAndHandlesAreInvalid(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Key: []byte("one")})
	h.table("t", 1)
	foreign := sealer{key: []byte("two")}.seal(sealed{Purpose: purposeQuery, SQL: "SELECT * FROM t"})
	wrong := sealer{key: []byte("one")}.seal(sealed{Purpose: purposePrepared, SQL: "SELECT * FROM t"})
	for _, handle := range [][]byte{nil, []byte("x"), foreign, wrong} {
		ticket, err := flightsql.CreateStatementQueryTicket(handle)
		require.NoError(t, err)
		_, err = h.DoGet(t.Context(), &flight.Ticket{Ticket: ticket})
		require.Equal(t, codes.InvalidArgument, status.Code(err), "%v", err)
	}
	for _, ticket := range [][]byte{nil, []byte("no protobuf"), {10, 200, 1}} {
		_, err := h.DoGet(t.Context(), &flight.Ticket{Ticket: ticket})
		require.Equal(t, codes.InvalidArgument, status.Code(err), "%v", err)
	}
	require.Empty(t, h.fake.runs)
}

func TestEmptyStatementAndSubstraitAreRefused(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	_, err := h.Execute(t.Context(), "")
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	_, err = h.ExecuteSubstrait(t.Context(), flightsql.SubstraitPlan{})
	require.Equal(t, codes.Unimplemented, status.Code(err))
}

func TestPanicIsInternalAndTellsNothing(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	_, err := h.Execute(t.Context(), "PANIC", h.calls()...)
	require.Equal(t, codes.Internal, status.Code(err))
	require.NotContains(t, err.Error(), "secret")
	_, err = h.ExecuteUpdate(t.Context(), "PANIC")
	require.Equal(t, codes.Internal, status.Code(err))
	_, err = h.ExecuteUpdate(t.Context(), "UPDATE t")
	require.NoError(t, err, "the server goes on")
}

func TestLargeBatchIsSentInParts(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	b := array.NewRecordBuilder(h.fake.mem, arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String}}, nil))
	big := string(make([]byte, 1<<20))
	for range 30 {
		b.Field(0).(*array.StringBuilder).Append(big)
	}
	rec := b.NewRecordBatch()
	b.Release()
	h.fake.tables["big"] = &fakeTable{schema: rec.Schema(), batches: []arrow.RecordBatch{rec}}
	info, err := h.Execute(t.Context(), "SELECT * FROM big")
	require.NoError(t, err)
	stream, err := h.Client.Client.DoGet(t.Context(), info.GetEndpoint()[0].GetTicket())
	require.NoError(t, err)
	rd, err := flight.NewRecordReader(countingStream{stream, t})
	require.NoError(t, err)
	defer rd.Release()
	var rows int64
	for rd.Next() {
		rows += rd.RecordBatch().NumRows()
	}
	require.NoError(t, rd.Err())
	require.EqualValues(t, 30, rows)
}

type countingStream struct {
	flight.DataStreamReader
	t *testing.T
}

func (c countingStream) Recv() (*flight.FlightData, error) {
	fd, err := c.DataStreamReader.Recv()
	require.LessOrEqual(c.t, len(fd.GetDataBody()), batchBytesMax)
	return fd, err
}

func TestDictionaryColumnsAreSent(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	b := array.NewRecordBuilder(h.fake.mem, arrow.NewSchema([]arrow.Field{{Name: "d", Type: typ}}, nil))
	require.NoError(t, b.Field(0).(*array.BinaryDictionaryBuilder).AppendString("x"))
	rec := b.NewRecordBatch()
	b.Release()
	h.fake.tables["d"] = &fakeTable{schema: rec.Schema(), batches: []arrow.RecordBatch{rec}}
	info, err := h.Execute(t.Context(), "SELECT * FROM d")
	require.NoError(t, err)
	_, rows := h.fetch(t, info)
	require.Equal(t, []string{"x"}, rows)
}

func TestClientThatLeavesEndsTheStream(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	h.fake.mu.Lock()
	tab := h.fake.tables["t"]
	for range 200_000 {
		tab.batches[0].Retain()
		tab.batches = append(tab.batches, tab.batches[0])
	}
	h.fake.mu.Unlock()
	info, err := h.Execute(t.Context(), "SELECT * FROM t")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	rd, err := h.DoGet(ctx, info.GetEndpoint()[0].GetTicket())
	require.NoError(t, err)
	require.True(t, rd.Next())
	cancel()
	for rd.Next() {
		// What was under way may still come.
	}
	require.Equal(t, codes.Canceled, status.Code(rd.Err()))
	rd.Release()
	// The clean-up of setup waits for the handler and checks its memory.
}

func TestKeyIsRandomByDefault(t *testing.T) {
	t.Parallel()
	s := New(newFake(memory.DefaultAllocator).backend(), Options{})
	require.NotEmpty(t, s.seals.key, "an empty key would let anybody forge tickets")
	require.NotEqual(t, New(Backend{}, Options{}).seals.key, s.seals.key)
}
