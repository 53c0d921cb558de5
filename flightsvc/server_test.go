package flightsvc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/statement"
)

func TestHandshakeTakesAnyCredentials(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	ctx, err := h.Client.Client.AuthenticateBasicToken(t.Context(), "any", "thing")
	require.NoError(t, err)
	md, _ := metadata.FromOutgoingContext(ctx)
	require.Len(t, md.Get("authorization"), 1, "drivers that sent a user name insist on a token")
	_, err = h.Execute(ctx, "SELECT * FROM t")
	require.NoError(t, err)
	for _, odd := range []string{"", "Bearer", "Basic !!", "x y z"} {
		_, err = h.Execute(metadata.AppendToOutgoingContext(t.Context(), "authorization", odd), "SELECT * FROM t")
		require.NoError(t, err, odd)
	}
}

// stuck is a Backend whose updates wait for their context, or for go.
type stuck struct {
	*fake
	entered chan struct{}
	release chan struct{}
}

func (s *stuck) Execute(ctx context.Context, _ statement.Statement) (statement.Update, error) {
	close(s.entered)
	select {
	case <-ctx.Done():
		return statement.Update{}, ctx.Err()
	case <-s.release:
		return statement.Update{Rows: 1}, nil
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		finish  bool
		timeout time.Duration
		code    codes.Code
	}{
		{"running calls finish", true, time.Minute, codes.OK},
		{"calls that do not are cancelled", false, time.Millisecond, codes.Unavailable},
	} {
		b := &stuck{fake: newFake(memory.DefaultAllocator), entered: make(chan struct{}), release: make(chan struct{})}
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		served, called := make(chan error, 1), make(chan error, 1)
		go func() {
			served <- New(Backend{Sessions: b, Transactions: b, Statements: b}, Options{DrainTimeout: c.timeout}).Serve(ctx, lis)
		}()
		client, err := flightsql.NewClient(lis.Addr().String(), nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		go func() {
			_, err := client.ExecuteUpdate(t.Context(), "UPDATE t")
			called <- err
		}()
		<-b.entered
		stop()
		if c.finish {
			close(b.release)
		}
		require.Equal(t, c.code, status.Code(<-called), c.name)
		require.NoError(t, <-served, c.name)
		require.NoError(t, client.Close())
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	site := httptest.NewUnstartedServer(nil) // for its certificate
	site.StartTLS()
	defer site.Close()
	roots := x509.NewCertPool()
	roots.AddCert(site.Certificate())
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	s := New(newFake(memory.DefaultAllocator).backend(), Options{TLS: &tls.Config{Certificates: site.TLS.Certificates, MinVersion: tls.VersionTLS12}})
	go func() { served <- s.Serve(ctx, lis) }()
	creds := credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	client, err := flightsql.NewClient(lis.Addr().String(), nil, nil, grpc.WithTransportCredentials(creds))
	require.NoError(t, err)
	_, err = client.ExecuteUpdate(t.Context(), "UPDATE t")
	require.NoError(t, err)
	require.NoError(t, client.Close())
	stop()
	require.NoError(t, <-served)
}

func TestServeFailsOnAClosedListener(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, lis.Close())
	require.Error(t, New(newFake(memory.DefaultAllocator).backend(), Options{}).Serve(t.Context(), lis))
}

func TestMessageLargerThanTheLimitIsExhausted(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{MaxRecvBytes: 1 << 10})
	_, err := h.Execute(t.Context(), "SELECT "+string(make([]byte, 2<<10)))
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
}

func TestIsASCII(t *testing.T) {
	t.Parallel()
	for at := range 20 {
		b := make([]byte, 20)
		require.True(t, isASCII(b[:at]))
		b[at] = 0x80
		require.False(t, isASCII(b), at)
		require.False(t, isASCII(b[:at+1]), at)
	}
}

func BenchmarkExport(b *testing.B) {
	f := newFake(memory.DefaultAllocator)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	ctx, stop := context.WithCancel(b.Context())
	served := make(chan error, 1)
	go func() { served <- New(f.backend(), Options{}).Serve(ctx, lis) }()
	h := &harness{fake: f, addr: lis.Addr().String()}
	h.table("t", make([]int64, 400_000)...)
	tab := f.tables["t"]
	for range 31 {
		tab.batches = append(tab.batches, tab.batches[0])
	}
	client, err := flightsql.NewClient(h.addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(b, err)
	info, err := client.Execute(b.Context(), "SELECT * FROM t")
	require.NoError(b, err)
	b.SetBytes(32 * 400_000 * 8)
	b.ReportAllocs()
	for b.Loop() {
		rd, err := client.DoGet(b.Context(), info.GetEndpoint()[0].GetTicket())
		require.NoError(b, err)
		var sum int64
		for rd.Next() {
			sum += int64(rd.RecordBatch().Column(0).(*array.Int64).Len())
		}
		require.NoError(b, rd.Err())
		require.EqualValues(b, 32*400_000, sum)
		rd.Release()
	}
	require.NoError(b, client.Close())
	stop()
	require.NoError(b, <-served)
}
