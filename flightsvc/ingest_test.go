package flightsvc

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

const (
	missingFail   = flightsql.TableDefinitionOptionsTableNotExistOptionFail
	missingCreate = flightsql.TableDefinitionOptionsTableNotExistOptionCreate
	existsFail    = flightsql.TableDefinitionOptionsTableExistsOptionFail
	existsAppend  = flightsql.TableDefinitionOptionsTableExistsOptionAppend
	existsReplace = flightsql.TableDefinitionOptionsTableExistsOptionReplace
)

func ingestOpts(table string, missing flightsql.TableDefinitionOptionsTableNotExistOption, exists flightsql.TableDefinitionOptionsTableExistsOption) *flightsql.ExecuteIngestOpts {
	return &flightsql.ExecuteIngestOpts{
		Table:                  table,
		TableDefinitionOptions: &flightsql.TableDefinitionOptions{IfNotExist: missing, IfExists: exists},
	}
}

// send ingests the batches, which it releases.
func (h *harness) send(t *testing.T, ctx context.Context, o *flightsql.ExecuteIngestOpts, batches ...arrow.RecordBatch) (int64, error) {
	t.Helper()
	rd, err := array.NewRecordReader(batches[0].Schema(), batches)
	require.NoError(t, err)
	for _, b := range batches {
		b.Release()
	}
	defer rd.Release()
	return h.ExecuteIngest(ctx, rd, o, h.calls()...)
}

func TestIngestModes(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	steps := []struct {
		name    string
		missing flightsql.TableDefinitionOptionsTableNotExistOption
		exists  flightsql.TableDefinitionOptionsTableExistsOption
		code    codes.Code
		rows    int64 // of the table afterwards
	}{
		{"append to nothing", missingFail, existsAppend, codes.NotFound, 0},
		{"create", missingCreate, existsFail, codes.OK, 2},
		{"create again", missingCreate, existsFail, codes.AlreadyExists, 2},
		{"append", missingFail, existsAppend, codes.OK, 4},
		{"create or append", missingCreate, existsAppend, codes.OK, 6},
		{"replace", missingCreate, existsReplace, codes.OK, 2},
		{"missing unspecified", 0, existsAppend, codes.InvalidArgument, 2},
		{"exists unspecified", missingCreate, 0, codes.InvalidArgument, 2},
	}
	for _, s := range steps {
		n, err := h.send(t, t.Context(), ingestOpts("t", s.missing, s.exists), h.numbers(1, 2))
		require.Equal(t, s.code, status.Code(err), s.name)
		if err == nil {
			require.EqualValues(t, 2, n, s.name)
			require.Len(t, h.header.Get(snapshotHeader), 1, s.name)
		}
		require.Equal(t, s.rows, h.fake.rows("t"), s.name)
	}
}

func TestIngestCarriesTokenOptionsAndScope(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	o := ingestOpts("t", missingCreate, existsReplace)
	o.Options = map[string]string{"row_group_rows": "1000"}
	o.Schema, o.Catalog = ptr("archive"), ptr("LAKE")
	ctx := metadata.AppendToOutgoingContext(t.Context(), appendTokenHeader, "once", "schema", "other")
	_, err := h.send(t, ctx, o, h.numbers(1))
	require.NoError(t, err)
	require.Len(t, h.fake.ingested, 1)
	got := h.fake.ingested[0]
	require.NotEmpty(t, got.ID)
	require.NotNil(t, got.Caller.OpenFunc)
	got.ID, got.Caller = "", session.Caller{}
	require.Equal(t, statement.Ingest{
		Schema: "archive", Table: "t", Scope: session.Scope{Schema: "other"}, Token: "once",
		IfMissing: statement.MissingCreate, IfExists: statement.ExistsReplace, Options: map[string]string{"row_group_rows": "1000"},
	}, got)
}

func TestIngestRefusesBeforeItReads(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	for _, c := range []struct {
		name   string
		change func(*flightsql.ExecuteIngestOpts)
		token  string
		code   codes.Code
		text   string
	}{
		{"catalog", func(o *flightsql.ExecuteIngestOpts) { o.Catalog = ptr("nope") }, "", codes.NotFound, `no catalog "nope"`},
		{"catalog of temporary tables", func(o *flightsql.ExecuteIngestOpts) { o.Catalog = ptr("temp") }, "", codes.NotFound, `no catalog "temp"`},
		{"token", func(*flightsql.ExecuteIngestOpts) {}, strings.Repeat("x", 257), codes.InvalidArgument, "257 bytes"},
	} {
		o := ingestOpts("t", missingCreate, existsAppend)
		c.change(o)
		ctx := metadata.AppendToOutgoingContext(t.Context(), appendTokenHeader, c.token)
		_, err := h.send(t, ctx, o, h.numbers(1))
		require.Equal(t, c.code, status.Code(err), c.name)
		require.ErrorContains(t, err, c.text, c.name)
	}
	require.Empty(t, h.fake.ingested)
}

func TestClientThatIsStillSendingGetsTheError(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{WindowBytes: 64 << 10})
	h.fake.failWith, h.fake.failAt = lake.Errorf(lake.KindExhausted, "the disk is full"), 1
	batches := make([]arrow.RecordBatch, 64)
	for i := range batches {
		batches[i] = h.numbers(make([]int64, 100_000)...)
	}
	n, err := h.send(t, t.Context(), ingestOpts("t", missingCreate, existsAppend), batches...)
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	require.ErrorContains(t, err, "the disk is full")
	require.Zero(t, n)
	require.Nil(t, h.fake.tables["t"])
}

// rawIngest sends messages as they are and returns the outcome.
func (h *harness) rawIngest(t *testing.T, ctx context.Context, closeSend bool, messages ...*flight.FlightData) error {
	t.Helper()
	stream, err := h.Client.Client.DoPut(ctx)
	require.NoError(t, err)
	for _, m := range messages {
		if err := stream.Send(m); err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
	}
	if !closeSend {
		return nil
	}
	require.NoError(t, stream.CloseSend())
	for {
		if _, err = stream.Recv(); err != nil {
			return err
		}
	}
}

// messages returns the FlightData of an ingest of batches of one text column.
func messages(t *testing.T, o *flightsql.ExecuteIngestOpts, texts ...string) []*flight.FlightData {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String}}, nil))
	var sent recorder
	w := flight.NewRecordWriter(&sent, ipc.WithSchema(b.Schema()))
	w.SetFlightDescriptor(descriptor(t, (*pb.CommandStatementIngest)(o)))
	for _, s := range texts {
		b.Field(0).(*array.StringBuilder).AppendValues([]string{s, s}, nil)
		require.NoError(t, w.Write(b.NewRecordBatch()))
	}
	return sent
}

type recorder []*flight.FlightData

func (r *recorder) Send(m *flight.FlightData) error {
	*r = append(*r, &flight.FlightData{
		FlightDescriptor: m.GetFlightDescriptor(),
		DataHeader:       append([]byte{}, m.GetDataHeader()...), DataBody: append([]byte{}, m.GetDataBody()...),
	})
	return nil
}

func TestMalformedStreamsCommitNothing(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	create := ingestOpts("t", missingCreate, existsAppend)
	cases := map[string]func(m []*flight.FlightData) []*flight.FlightData{
		"no messages":         func([]*flight.FlightData) []*flight.FlightData { return nil },
		"no descriptor":       func(m []*flight.FlightData) []*flight.FlightData { m[0].FlightDescriptor = nil; return m },
		"no command":          func(m []*flight.FlightData) []*flight.FlightData { m[0].FlightDescriptor.Cmd = nil; return m },
		"garbage command":     func(m []*flight.FlightData) []*flight.FlightData { m[0].FlightDescriptor.Cmd = []byte("x"); return m },
		"no schema":           func(m []*flight.FlightData) []*flight.FlightData { m[0].DataHeader = nil; return m[:1] },
		"batch before schema": func(m []*flight.FlightData) []*flight.FlightData { m[0].DataHeader = m[1].DataHeader; return m },
		"garbage schema": func(m []*flight.FlightData) []*flight.FlightData {
			m[0].DataHeader = []byte("garbage, no schema")
			return m
		},
		"garbage batch": func(m []*flight.FlightData) []*flight.FlightData {
			m[1].DataHeader = []byte("garbage, no batch")
			return m
		},
		"cut body":           func(m []*flight.FlightData) []*flight.FlightData { m[2].DataBody = m[2].DataBody[:8]; return m },
		"no body":            func(m []*flight.FlightData) []*flight.FlightData { m[2].DataBody = nil; return m },
		"offset beyond text": func(m []*flight.FlightData) []*flight.FlightData { m[2].DataBody[4] = 0xf0; return m },
		"negative offset":    func(m []*flight.FlightData) []*flight.FlightData { m[2].DataBody[3] = 0xff; return m },
		"text not UTF-8":     func(m []*flight.FlightData) []*flight.FlightData { m[2].DataBody[16] = 0xff; return m },
	}
	for name, spoil := range cases {
		err := h.rawIngest(t, t.Context(), true, spoil(messages(t, create, "first", "second"))...)
		require.Equal(t, codes.InvalidArgument, status.Code(err), "%s: %v", name, err)
		require.Nil(t, h.fake.tables["t"], name)
	}
	require.ErrorIs(t, h.rawIngest(t, t.Context(), true, messages(t, create, "first", "second")...), io.EOF, "as it is, it is good")
	require.EqualValues(t, 4, h.fake.rows("t"))
}

func TestMessagesWithoutDataAreSkipped(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	m := messages(t, ingestOpts("t", missingCreate, existsAppend), "x")
	first := &flight.FlightData{FlightDescriptor: m[0].GetFlightDescriptor()}
	m[0].FlightDescriptor = nil
	all := []*flight.FlightData{first, m[0], {AppMetadata: []byte("progress")}, m[1]}
	require.ErrorIs(t, h.rawIngest(t, t.Context(), true, all...), io.EOF)
	require.EqualValues(t, 2, h.fake.rows("t"))
}

func TestStreamThatBreaksOffCommitsNothing(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, h.rawIngest(t, ctx, false, messages(t, ingestOpts("t", missingCreate, existsAppend), "a", "b")...))
	cancel()
	require.Eventually(t, func() bool { // until the handler has taken it in and given up
		h.fake.mu.Lock() // held by Ingest while it reads
		defer h.fake.mu.Unlock()
		return len(h.fake.ingested) == 1 || ctx.Err() != nil
	}, waitLong, 1e6)
	_, err := h.Execute(t.Context(), "SELECT * FROM t")
	require.Equal(t, codes.NotFound, status.Code(err))
}

func TestNullsAndNestedNullsAreTaken(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: arrow.Null, Nullable: true},
		{Name: "l", Type: arrow.ListOf(arrow.Null), Nullable: true},
		{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "n", Type: arrow.Null, Nullable: true}), Nullable: true},
		{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int8), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(h.fake.mem, schema)
	defer b.Release()
	for i := range schema.NumFields() {
		b.Field(i).AppendNull()
	}
	n, err := h.send(t, t.Context(), ingestOpts("t", missingCreate, existsAppend), b.NewRecordBatch())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}
