package flightsvc

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
)

func TestHeadersOf64KiBPass(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	require.NoError(t, h.run(with(t, "x-large", strings.Repeat("x", 64<<10))))
	many := make([]string, 0, 2048)
	for i := range 1000 { // as JDBC sends each parameter of its URL
		many = append(many, "x-"+strings.Repeat("y", i%7+1), strings.Repeat("z", 50))
	}
	require.NoError(t, h.run(with(t, many...)))
}

func TestTracingAndOtherHeadersAreNoMatter(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	for _, trace := range []string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "nonsense", ""} {
		require.NoError(t, h.run(with(t, "traceparent", trace, "tracestate", trace, "x-request-id", trace)))
		require.Len(t, h.header.Get(requestIDHeader), 1)
	}
}

func TestSingleRowBeyondTheBatchLimitIsSent(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	b := array.NewRecordBuilder(h.fake.mem, arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String}}, nil))
	for range 2 {
		b.Field(0).(*array.StringBuilder).Append(strings.Repeat("x", 6<<20))
	}
	rec := b.NewRecordBatch()
	b.Release()
	h.fake.tables["wide"] = &fakeTable{schema: rec.Schema(), batches: []arrow.RecordBatch{rec}}
	info, err := h.Execute(t.Context(), "SELECT * FROM wide")
	require.NoError(t, err)
	c := h.connect(t, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20))) // as ADBC
	_, rows := read(t, c, info.GetEndpoint()[0].GetTicket())
	require.Len(t, rows, 2)
	require.Len(t, rows[1], 6<<20)
	require.NoError(t, c.Close())
}

func TestHealthNeedsNoCredentials(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	conn, err := grpc.NewClient(h.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	res, err := healthgrpc.NewHealthClient(conn).Check(t.Context(), &healthgrpc.HealthCheckRequest{})
	require.NoError(t, err)
	require.Equal(t, healthgrpc.HealthCheckResponse_SERVING, res.GetStatus())
	require.NoError(t, conn.Close())
}
