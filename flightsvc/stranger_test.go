package flightsvc

import (
	"context"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// dial returns a bare connection to the server.
func (h *harness) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(h.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// A server that reads first would wait here for a message that never comes.
func TestStrangersAreTurnedAwayBeforeTheirMessageIsRead(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	conn := h.dial(t)
	methods := make([]string, 0, len(pb.FlightService_ServiceDesc.Methods)+len(pb.FlightService_ServiceDesc.Streams))
	for _, m := range pb.FlightService_ServiceDesc.Methods {
		methods = append(methods, m.MethodName)
	}
	for _, s := range pb.FlightService_ServiceDesc.Streams {
		if s.StreamName != "Handshake" {
			methods = append(methods, s.StreamName)
		}
	}
	require.Len(t, methods, 9)
	for _, method := range methods {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/"+pb.FlightService_ServiceDesc.ServiceName+"/"+method)
		require.NoError(t, err)
		require.Equal(t, codes.Unauthenticated, status.Code(stream.RecvMsg(&flight.FlightInfo{})), method)
		cancel()
	}
}

func TestLongMessageOfAStrangerIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	long, err := proto.Marshal(&pb.BasicAuth{Username: "bob", Password: string(make([]byte, strangerBytesMax))})
	require.NoError(t, err)
	_, _, err = h.handshakeWith(t, t.Context(), long)
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	_, err = healthgrpc.NewHealthClient(h.dial(t)).Check(t.Context(), &healthgrpc.HealthCheckRequest{Service: string(make([]byte, strangerBytesMax))})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	_, _, err = setup(t, Options{}).handshakeWith(t, t.Context(), long)
	require.NoError(t, err, "without authentication nobody is a stranger")
}

func TestStrangersWaitForEachOtherAndUsersDoNot(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Auth: &users{}})
	health := healthgrpc.NewHealthClient(h.dial(t))
	_, err := health.Check(t.Context(), &healthgrpc.HealthCheckRequest{})
	require.NoError(t, err)
	for range strangerMessagesMax {
		h.server.strangers <- struct{}{}
	}
	require.NoError(t, h.run(with(t, authorizationHeader, handshake(t, h.Client, "ann", "ann"))))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = health.Check(ctx, &healthgrpc.HealthCheckRequest{})
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
	<-h.server.strangers
	_, err = health.Check(t.Context(), &healthgrpc.HealthCheckRequest{})
	require.NoError(t, err)
}
