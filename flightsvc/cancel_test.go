package flightsvc

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

func (h *harness) cancel(t *testing.T, info *flight.FlightInfo) flight.CancelStatus {
	t.Helper()
	res, err := h.CancelFlightInfo(t.Context(), &flight.CancelFlightInfoRequest{Info: info})
	require.NoError(t, err)
	return res.GetStatus()
}

func TestCancelBothWays(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	h.plan(statement.Query{}, lake.Part{}, lake.Part{})
	info, err := h.Execute(t.Context(), "SELECT * FROM t")
	require.NoError(t, err)
	require.Equal(t, flight.CancelStatusCancelled, h.cancel(t, info))
	require.Equal(t, []string{"cancel"}, h.fake.noted(), "once for all endpoints")
	old, err := h.CancelQuery(t.Context(), info) //nolint:staticcheck // old clients call it
	require.NoError(t, err)
	require.Equal(t, flightsql.CancelResultCancelled, old)
}

func TestWhatCannotBeCancelledIsToldSo(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{TicketLifetime: time.Minute})
	h.table("t", 1)
	query, err := h.Execute(t.Context(), "SELECT * FROM t")
	require.NoError(t, err)
	update, err := h.Execute(t.Context(), "UPDATE t")
	require.NoError(t, err)
	types, err := h.GetTableTypes(t.Context())
	require.NoError(t, err)
	foreign := proto.Clone(query).(*flight.FlightInfo)
	foreign.GetEndpoint()[0].GetTicket().GetTicket()[30] ^= 1
	for name, info := range map[string]*flight.FlightInfo{
		"an update that has run": update, "metadata": types, "changed": foreign,
		"nothing": {}, "garbage": {Endpoint: []*flight.FlightEndpoint{nil, {}, {Ticket: &flight.Ticket{Ticket: []byte("x")}}}},
	} {
		require.Equal(t, flight.CancelStatusNotCancellable, h.cancel(t, info), name)
	}
	h.move(t, time.Hour)
	require.Equal(t, flight.CancelStatusNotCancellable, h.cancel(t, query), "expired")
	require.Empty(t, h.fake.noted())
	_, err = h.CancelFlightInfo(t.Context(), &flight.CancelFlightInfoRequest{})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}
