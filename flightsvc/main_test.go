package flightsvc

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is a server over a fake on a loopback listener, with a client.
type harness struct {
	*flightsql.Client
	fake   *fake
	server *Server
	clock  *held
	addr   string
	header metadata.MD // of the last call made with h.calls()
	trail  metadata.MD
}

func setup(t *testing.T, opts Options) *harness {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	opts.Allocator = mem
	now := &held{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	opts.Clock = now
	f := newFakeAt(mem, now)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	s := New(f.backend(), opts)
	go func() { served <- s.Serve(ctx, lis) }()
	h := &harness{fake: f, addr: lis.Addr().String(), server: s, clock: now}
	h.Client = h.connect(t)
	t.Cleanup(func() {
		require.NoError(t, h.Close())
		cancel()
		require.NoError(t, <-served)
		f.release()
		mem.AssertSize(t, 0)
	})
	return h
}

// held is a clock that stands until it is moved.
type held struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

// Now implements clock.Clock.
func (c *held) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// move lets time pass, and the server sweep.
func (h *harness) move(t *testing.T, d time.Duration) {
	t.Helper()
	h.clock.mu.Lock()
	h.clock.now = h.clock.now.Add(d)
	h.clock.mu.Unlock()
	h.server.sweep(t.Context())
}

// connect returns another connection to the server.
func (h *harness) connect(t *testing.T, opts ...grpc.DialOption) *flightsql.Client {
	t.Helper()
	opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	c, err := flightsql.NewClient(h.addr, nil, nil, opts...)
	require.NoError(t, err)
	return c
}

// calls returns options that record the headers and trailers of a call.
func (h *harness) calls() []grpc.CallOption {
	h.header, h.trail = nil, nil
	return []grpc.CallOption{grpc.Header(&h.header), grpc.Trailer(&h.trail)}
}

// fetch reads the one endpoint of info and returns its rows as text.
func (h *harness) fetch(t *testing.T, info *flight.FlightInfo) (*arrow.Schema, []string) {
	t.Helper()
	require.Len(t, info.GetEndpoint(), 1)
	require.Empty(t, info.GetEndpoint()[0].GetLocation(), "an address would have to be reachable for every client")
	return read(t, h.Client, info.GetEndpoint()[0].GetTicket())
}

func read(t *testing.T, c *flightsql.Client, ticket *flight.Ticket) (*arrow.Schema, []string) {
	t.Helper()
	rd, err := c.DoGet(t.Context(), ticket)
	require.NoError(t, err)
	defer rd.Release()
	rows := []string{}
	for rd.Next() {
		rec := rd.RecordBatch()
		for i := range int(rec.NumRows()) {
			cells := make([]string, 0, rec.NumCols())
			for _, col := range rec.Columns() {
				cells = append(cells, col.ValueStr(i))
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
	require.NoError(t, rd.Err())
	return rd.Schema(), rows
}

// table puts a table of numbered rows into the fake.
func (h *harness) table(name string, rows ...int64) {
	rec := h.numbers(rows...)
	h.fake.mu.Lock()
	defer h.fake.mu.Unlock()
	h.fake.tables[name] = &fakeTable{schema: rec.Schema(), batches: []arrow.RecordBatch{rec}}
}

// numbers returns a batch of one column "n".
func (h *harness) numbers(rows ...int64) arrow.RecordBatch {
	b := array.NewRecordBuilder(h.fake.mem, arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil))
	defer b.Release()
	b.Field(0).(*array.Int64Builder).AppendValues(rows, nil)
	return b.NewRecordBatch()
}

// descriptor packs a command.
func descriptor(t *testing.T, cmd proto.Message) *flight.FlightDescriptor {
	t.Helper()
	packed, err := anypb.New(cmd)
	require.NoError(t, err)
	b, err := proto.Marshal(packed)
	require.NoError(t, err)
	return &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: b}
}

// info sends a command to GetFlightInfo.
func (h *harness) info(t *testing.T, cmd proto.Message) (*flight.FlightInfo, error) {
	t.Helper()
	return h.Client.Client.GetFlightInfo(t.Context(), descriptor(t, cmd))
}

// put sends a command with one batch, which it releases, and returns the
// metadata of the answer.
func (h *harness) put(t *testing.T, cmd proto.Message, rec arrow.RecordBatch) ([]byte, error) {
	t.Helper()
	defer rec.Release()
	stream, err := h.Client.Client.DoPut(t.Context())
	require.NoError(t, err)
	w := flight.NewRecordWriter(stream, ipc.WithSchema(rec.Schema()))
	w.SetFlightDescriptor(descriptor(t, cmd))
	require.NoError(t, w.Write(rec))
	require.NoError(t, w.Close())
	require.NoError(t, stream.CloseSend())
	res, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	_, err = stream.Recv()
	require.ErrorIs(t, err, io.EOF)
	return res.GetAppMetadata(), nil
}

func flightSchema(t *testing.T, b []byte) *arrow.Schema {
	t.Helper()
	s, err := flight.DeserializeSchema(b, memory.DefaultAllocator)
	require.NoError(t, err)
	return s
}

// waitLong bounds waits that only a broken server reaches.
const waitLong = 20 * time.Second
