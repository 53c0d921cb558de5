package main

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/lakehouse"
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
