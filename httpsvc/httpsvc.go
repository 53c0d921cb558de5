// Package httpsvc serves health checks and metrics over HTTP: /healthz answers
// while the process lives, /readyz while it can serve, /metrics in the
// Prometheus text format. It serves no data of the lake.
package httpsvc

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of the HTTP server: requests are small and answers quick.
const (
	headerTimeout   = 5 * time.Second
	shutdownTimeout = 5 * time.Second
	readyTimeout    = 5 * time.Second
)

// Options are the parts that the endpoints report on.
type Options struct {
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// ReadyFunc returns an error while the server cannot serve.
	ReadyFunc func(context.Context) error
}

// Serve answers on l until ctx ends; it closes l. It returns nil after a
// shutdown that ctx asked for.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	server := &http.Server{Handler: handler(o), ReadHeaderTimeout: headerTimeout}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(stop)
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := o.ReadyFunc(ctx); err != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	return mux
}
