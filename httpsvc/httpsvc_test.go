package httpsvc

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "flightlake_test_total", Help: "A test."})
	registry.MustRegister(counter)
	counter.Add(3)
	var broken atomic.Bool
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, l, Options{Metrics: registry, ReadyFunc: func(context.Context) error {
			if broken.Load() {
				return errors.New("the catalog is gone")
			}
			return nil
		}})
	}()
	get := func(path string) (int, string) {
		r, err := http.Get("http://" + l.Addr().String() + path)
		require.NoError(t, err)
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(body)
	}
	code, _ := get("/healthz")
	require.Equal(t, 200, code)
	code, _ = get("/readyz")
	require.Equal(t, 200, code)
	_, body := get("/metrics")
	require.Contains(t, body, "flightlake_test_total 3")
	broken.Store(true)
	code, body = get("/readyz")
	require.Equal(t, 503, code)
	require.NotContains(t, body, "catalog")
	cancel()
	require.NoError(t, <-done)
}
