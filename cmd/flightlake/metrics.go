package main

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/objstore/meter"
	"github.com/flightlake/flightlake/objstore/retry"
)

// registerMetrics shows the counters of the lakehouse.
func registerMetrics(registry *prometheus.Registry, l *lakehouse.Lakehouse) {
	registerCacheMetrics(registry, l)
	for _, m := range []struct {
		name, help string
		valueFunc  func(lakehouse.Stats) int64
	}{
		{"sessions", "Sessions that are open.", func(s lakehouse.Stats) int64 { return s.Sessions }},
		{"statements_running", "Statements that run.", func(s lakehouse.Stats) int64 { return s.Workload.Running }},
		{"statements_queued", "Statements that wait for their turn.", func(s lakehouse.Stats) int64 { return s.Workload.Queued }},
		{"statements_memory_bytes", "Memory that statements hold.", func(s lakehouse.Stats) int64 { return s.Workload.MemoryBytes }},
		{"statement_calls_total", "Calls of clients that ran statements.", func(s lakehouse.Stats) int64 { return s.Workload.Started }},
		{"statements_killed_total", "Statements that were killed, or ended with their session.", func(s lakehouse.Stats) int64 { return s.Workload.Killed }},
		{"statements_timed_out_total", "Statements that took too long.", func(s lakehouse.Stats) int64 { return s.Workload.TimedOut }},
		{"statements_refused_total", "Statements that got no turn.", func(s lakehouse.Stats) int64 { return s.Workload.Refused }},
	} {
		value := func() float64 { return float64(m.valueFunc(l.Stats())) }
		opts := prometheus.Opts{Name: "flightlake_" + m.name, Help: m.help}
		if strings.HasSuffix(m.name, "_total") {
			registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts(opts), value))
		} else {
			registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts), value))
		}
	}
}

// registerCacheMetrics shows the counters of the metadata cache, labelled by
// what is cached.
func registerCacheMetrics(registry *prometheus.Registry, l *lakehouse.Lakehouse) {
	caches := map[string]func() cache.Stats{
		"tables":  func() cache.Stats { return l.Stats().Tables.Stats },
		"schemas": func() cache.Stats { return l.Stats().States },
		"objects": func() cache.Stats { return l.Stats().Objects },
		"footers": func() cache.Stats { return l.Stats().Footers },
		"plans":   func() cache.Stats { return l.Stats().Plans },
	}
	for name, statsFunc := range caches {
		labels := prometheus.Labels{"cache": name}
		for metric, valueFunc := range map[string]func() int64{
			"hits":      func() int64 { return statsFunc().Hits },
			"misses":    func() int64 { return statsFunc().Misses },
			"evictions": func() int64 { return statsFunc().Evictions },
		} {
			registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
				Name: "flightlake_cache_" + metric + "_total", Help: "Metadata cache: " + metric + ".", ConstLabels: labels,
			}, func() float64 { return float64(valueFunc()) }))
		}
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "flightlake_cache_bytes", Help: "Metadata cache: bytes held.", ConstLabels: labels,
		}, func() float64 { return float64(statsFunc().Bytes) }))
	}
}

// registerStoreMetrics shows the counters of the store's decorators, those of
// requests labelled by operation.
func registerStoreMetrics(registry *prometheus.Registry, s *store) {
	counter := func(name, help string, labels prometheus.Labels, valueFunc func() int64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "flightlake_store_" + name, Help: help, ConstLabels: labels,
		}, func() float64 { return float64(valueFunc()) }))
	}
	for operation, requestsFunc := range map[string]func(meter.Stats) meter.Requests{
		"create": func(s meter.Stats) meter.Requests { return s.Create },
		"write":  func(s meter.Stats) meter.Requests { return s.Write },
		"commit": func(s meter.Stats) meter.Requests { return s.Commit },
		"abort":  func(s meter.Stats) meter.Requests { return s.Abort },
		"open":   func(s meter.Stats) meter.Requests { return s.Open },
		"read":   func(s meter.Stats) meter.Requests { return s.ReadAt },
		"delete": func(s meter.Stats) meter.Requests { return s.Delete },
		"list":   func(s meter.Stats) meter.Requests { return s.List },
	} {
		labels := prometheus.Labels{"operation": operation}
		counter("requests_total", "Requests to the store, repeated ones included.", labels, func() int64 { return requestsFunc(s.meter.Snapshot()).Calls })
		counter("errors_total", "Requests to the store that failed.", labels, func() int64 { return requestsFunc(s.meter.Snapshot()).Errors })
	}
	for operation, retriesFunc := range map[string]func(retry.Stats) int64{
		"open":   func(s retry.Stats) int64 { return s.Open },
		"read":   func(s retry.Stats) int64 { return s.ReadAt },
		"delete": func(s retry.Stats) int64 { return s.Delete },
		"list":   func(s retry.Stats) int64 { return s.List },
	} {
		counter("retries_total", "Requests that were repeated because the store did not answer.",
			prometheus.Labels{"operation": operation}, func() int64 { return retriesFunc(s.Stats()) })
	}
	counter("read_bytes_total", "Bytes read from the store.", nil, func() int64 { return s.meter.Snapshot().BytesRead })
	counter("written_bytes_total", "Bytes written to the store.", nil, func() int64 { return s.meter.Snapshot().BytesWritten })
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "flightlake_store_requests_running", Help: "Requests to the store that run.",
		}, func() float64 { return float64(s.limit.Stats().Running) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "flightlake_store_requests_waiting", Help: "Requests to the store that wait for others to end.",
		}, func() float64 { return float64(s.limit.Stats().Waiting) }),
	)
}
