package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/session"
)

// registerMetrics shows the counters of the service.
func registerMetrics(registry *prometheus.Registry, service *session.Service) {
	registerCacheMetrics(registry, service)
}

// registerCacheMetrics shows the counters of the metadata cache, labelled by
// what is cached.
func registerCacheMetrics(registry *prometheus.Registry, service *session.Service) {
	caches := map[string]func() cache.Stats{
		"tables":  func() cache.Stats { return service.Stats().Tables.Stats },
		"schemas": func() cache.Stats { return service.Stats().States },
		"objects": func() cache.Stats { return service.Stats().Objects },
		"footers": func() cache.Stats { return service.Stats().Footers },
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
