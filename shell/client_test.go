package shell

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"
)

func TestTheServersNextTokenIsTaken(t *testing.T) {
	t.Parallel()
	a := &authorization{headers: map[string]string{"schema": "s"}}
	sent := func() metadata.MD {
		md, _ := metadata.FromOutgoingContext(a.StartCall(t.Context()))
		return md
	}
	require.Equal(t, metadata.Pairs("schema", "s"), sent())
	a.set("Bearer first")
	a.HeadersReceived(t.Context(), metadata.Pairs("authorization", "Bearer next", "other", "Bearer x"))
	require.Equal(t, metadata.Pairs("schema", "s", "authorization", "Bearer next"), sent())
	a.HeadersReceived(t.Context(), metadata.Pairs("authorization", "Basic x"))
	require.Equal(t, []string{"Bearer next"}, sent().Get("authorization"))
}
