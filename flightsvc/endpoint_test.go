package flightsvc

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

// plan makes the fake's next plans.
func (h *harness) plan(q statement.Query, parts ...lake.Part) {
	h.fake.mu.Lock()
	defer h.fake.mu.Unlock()
	h.fake.planned, h.fake.parts = q, parts
}

func TestEachPartHasItsEndpointAndAllThatRunNeeds(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1, 2)
	at := func(file int, group int32) lake.Bound {
		return lake.Bound{File: lake.FileID(file), RowGroup: group}
	}
	parts := []lake.Part{{To: at(3, 2)}, {From: at(3, 2), To: at(9, 0)}, {From: at(9, 0)}}
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	h.plan(statement.Query{View: "v", Time: now}, parts...)
	info, err := h.Execute(with(t, "schema", "archive"), "SELECT * FROM t")
	require.NoError(t, err)
	require.Len(t, info.GetEndpoint(), 3)
	require.False(t, info.GetOrdered())
	var meta infoMetadata
	require.NoError(t, json.Unmarshal(info.GetAppMetadata(), &meta))
	require.Equal(t, lake.SnapshotID(7), meta.Snapshot)
	for _, i := range []int{2, 0, 1, 1} { // in any order, and again
		e := info.GetEndpoint()[i]
		require.Equal(t, h.clock.Now().Add(DefaultTicketLifetime), e.GetExpirationTime().AsTime())
		read(t, h.Client, e.GetTicket())
		q := h.fake.runs[len(h.fake.runs)-1]
		require.Equal(t, parts[i], q.Part)
		require.Equal(t, statement.ViewID("v"), q.View)
		require.True(t, now.Equal(q.Time), "each part must see the same now()")
		require.Equal(t, lake.SnapshotID(7), q.Snapshot)
		require.Equal(t, meta.Statement, q.Statement.ID, "parts of one query share its turn")
		require.Equal(t, "archive", q.Statement.Scope.Schema)
	}
	h.plan(statement.Query{Ordered: true})
	info, err = h.Execute(t.Context(), "SELECT * FROM t")
	require.NoError(t, err)
	require.True(t, info.GetOrdered())
	require.Len(t, info.GetEndpoint(), 1)
}

func TestClientsThatReadOneEndpointGetOne(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1, 2)
	h.plan(statement.Query{}, lake.Part{To: lake.Bound{File: 1}}, lake.Part{From: lake.Bound{File: 1}})
	for agent, want := range map[string]int{"grpc-node-js/1.14.0": 1, "another": 2} {
		client := h.connect(t, grpc.WithUserAgent(agent))
		info, err := client.Execute(t.Context(), "SELECT * FROM t")
		require.NoError(t, err)
		require.Len(t, info.GetEndpoint(), want, agent)
		require.NoError(t, client.Close())
	}
}

func TestSeveralExecutionsAreNotDivided(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.plan(statement.Query{}, lake.Part{}, lake.Part{})
	p := h.prepare(t, "SELECT ?")
	batch := h.numbers(1, 2)
	p.SetParameters(batch)
	batch.Release()
	info, err := p.Execute(t.Context())
	require.NoError(t, err)
	_, rows := h.fetch(t, info) // of its one endpoint
	require.Len(t, rows, 2)
	require.NoError(t, p.Close(t.Context()))
}

func TestEachExecutionOfAPreparedStatementIsAStatementOfItsOwn(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	p := h.prepare(t, "SELECT * FROM t")
	seen := map[statement.ID]bool{}
	for range 2 {
		info, err := p.Execute(t.Context())
		require.NoError(t, err)
		h.fetch(t, info)
		seen[h.fake.runs[len(h.fake.runs)-1].Statement.ID] = true
	}
	require.Len(t, seen, 2, "or cancelling one would end the other")
	require.NoError(t, p.Close(t.Context()))
}

func TestTicketsExpireAndAreRenewed(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{TicketLifetime: time.Minute})
	h.table("t", 1)
	for _, sql := range []string{"SELECT * FROM t", "UPDATE t"} {
		info, err := h.Execute(t.Context(), sql)
		require.NoError(t, err)
		old := info.GetEndpoint()[0]
		h.move(t, 40*time.Second)
		next, err := h.RenewFlightEndpoint(t.Context(), &flight.RenewFlightEndpointRequest{Endpoint: old})
		require.NoError(t, err)
		require.True(t, next.GetExpirationTime().AsTime().After(old.GetExpirationTime().AsTime()))
		h.move(t, 30*time.Second)
		_, err = h.DoGet(t.Context(), old.GetTicket())
		require.Equal(t, codes.NotFound, status.Code(err))
		require.ErrorContains(t, err, "expired")
		_, rows := read(t, h.Client, next.GetTicket())
		require.Len(t, rows, 1)
		_, err = h.RenewFlightEndpoint(t.Context(), &flight.RenewFlightEndpointRequest{Endpoint: old})
		require.Equal(t, codes.NotFound, status.Code(err), "what has expired stays so")
	}
}

// TestTicketsKeepWhatTheyRead would let a clean-up remove the files of a snapshot that a
// client was promised to read.
func TestTicketsKeepWhatTheyRead(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{TicketLifetime: time.Minute})
	h.table("t", 1)
	h.fake.snapshot, h.fake.planned.Oldest = 7, 5
	info, err := h.Execute(t.Context(), "SELECT * FROM t")
	require.NoError(t, err)
	h.move(t, 40*time.Second)
	next, err := h.RenewFlightEndpoint(t.Context(), &flight.RenewFlightEndpointRequest{Endpoint: info.GetEndpoint()[0]})
	require.NoError(t, err)
	_, err = h.Execute(t.Context(), "UPDATE t") // whose count needs no snapshot
	require.NoError(t, err)
	require.Len(t, h.fake.retained, 1, "Plan itself keeps what the first tickets read")
	require.Equal(t, lake.SnapshotID(5), h.fake.retained[0].snapshot)
	require.WithinDuration(t, next.GetExpirationTime().AsTime(), h.fake.retained[0].until, 0)
}

func TestRenewTakesMetadataAndRefusesWhatIsForeign(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	info, err := h.GetTableTypes(t.Context())
	require.NoError(t, err)
	next, err := h.RenewFlightEndpoint(t.Context(), &flight.RenewFlightEndpointRequest{Endpoint: info.GetEndpoint()[0]})
	require.NoError(t, err)
	require.Equal(t, info.GetEndpoint()[0].GetTicket().GetTicket(), next.GetTicket().GetTicket())
	for _, req := range []*flight.RenewFlightEndpointRequest{
		{}, {Endpoint: &flight.FlightEndpoint{}}, {Endpoint: &flight.FlightEndpoint{Ticket: &flight.Ticket{Ticket: []byte("x")}}},
	} {
		_, err = h.RenewFlightEndpoint(t.Context(), req)
		require.Equal(t, codes.InvalidArgument, status.Code(err))
	}
}

func TestUnknownCatalogHeaderIsNotFound(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	_, err := h.Execute(with(t, "catalog", "LAKE"), "SELECT * FROM t")
	require.NoError(t, err)
	_, err = h.Execute(with(t, "catalog", "nope"), "SELECT * FROM t")
	require.Equal(t, codes.NotFound, status.Code(err))
	_, err = h.send(t, with(t, "catalog", "nope"), ingestOpts("u", missingCreate, existsFail), h.numbers(1))
	require.Equal(t, codes.NotFound, status.Code(err))
}

func TestTemporaryIngestOpensASession(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	o := ingestOpts("t", missingCreate, existsFail)
	o.Temporary, o.Catalog = true, ptr("temp")
	_, err := h.send(t, t.Context(), o, h.numbers(1))
	require.NoError(t, err)
	require.True(t, h.fake.ingested[0].Temporary)
	require.Len(t, h.header.Get(setCookieHeader), 1)
}

func TestNaiveTimestampsLoseTheirZoneInSchemaAndRows(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	utc := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "ts", Type: utc},
		{Name: "l", Type: arrow.ListOf(utc)},
		{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "ts", Type: utc}, arrow.Field{Name: "n", Type: arrow.PrimitiveTypes.Int8})},
		{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, utc)},
		{Name: "f", Type: arrow.FixedSizeListOf(1, utc)},
		{Name: "n", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	rec, _, err := array.RecordFromJSON(h.fake.mem, schema, strings.NewReader("["+
		`{"ts":"2026-01-02 03:04:05Z","l":["2026-01-02 03:04:06Z"],"s":{"ts":"2026-01-02 03:04:07Z","n":1},`+
		`"m":[{"key":"a","value":"2026-01-02 03:04:08Z"}],"f":["2026-01-02 03:04:09Z"],"n":5}]`))
	require.NoError(t, err)
	h.fake.tables["z"] = &fakeTable{schema: schema, batches: []arrow.RecordBatch{rec}}
	for _, naive := range []bool{false, true} {
		if naive {
			h.set(t, zoneOption, zoneNaive)
		}
		p := h.prepare(t, "SELECT * FROM z")
		info, err := h.Execute(t.Context(), "SELECT * FROM z")
		require.NoError(t, err)
		got, rows := h.fetch(t, info)
		require.True(t, got.Equal(flightSchema(t, info.GetSchema())), "drivers compare the two")
		require.True(t, got.Equal(p.DatasetSchema()))
		require.Equal(t, !naive, got.Field(0).Type.(*arrow.TimestampType).TimeZone == "UTC")
		require.Len(t, rows, 1)
		require.Equal(t, naive, !strings.Contains(typesOf(got), "UTC"), "however deep: %s", got)
		for _, second := range []string{":05", ":06", ":07", ":08", ":09"} {
			require.Contains(t, rows[0], second)
		}
		require.NoError(t, p.Close(t.Context()))
	}
}

func typesOf(s *arrow.Schema) string {
	var b strings.Builder
	for _, f := range s.Fields() {
		b.WriteString(f.Type.String())
	}
	return b.String()
}
