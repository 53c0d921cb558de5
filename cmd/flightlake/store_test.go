package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/config"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/fault"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/objstoretest"
	"github.com/flightlake/flightlake/objstore/retry"
)

func TestDecoratedStoreConforms(t *testing.T) {
	t.Parallel()
	objstoretest.Run(t, func(t *testing.T) objstore.Bucket {
		t.Helper()
		s, err := openStore(config.Settings{Lake: t.TempDir()})
		require.NoError(t, err)
		return s
	})
}

// gather returns the values of the metrics whose name begins with a prefix, by
// the rest of the name and the label, if there is one.
func gather(t *testing.T, registry *prometheus.Registry, prefix string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name, ok := strings.CutPrefix(f.GetName(), prefix)
			if labels := m.GetLabel(); len(labels) == 1 {
				name += " " + labels[0].GetValue()
			}
			if ok {
				values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return values
}

func TestStoreRepeatsRequestsAndItsMetricsTell(t *testing.T) {
	t.Parallel()
	driver := fault.New(mem.New(mem.Options{}), fault.Options{})
	s := decorate(driver, retry.Options{SleepFunc: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	registry := prometheus.NewRegistry()
	registerStoreMetrics(registry, s)

	require.NoError(t, objstore.WriteAll(t.Context(), s, "k", []byte("content")))
	driver.Inject(fault.Fault{Op: fault.OpReadAt, Count: 2, Bytes: 3}, fault.Fault{Op: fault.OpCommit})
	data, err := objstore.ReadAll(t.Context(), s, "k", 100)
	require.NoError(t, err)
	require.Equal(t, "content", string(data))
	require.ErrorIs(t, objstore.WriteAll(t.Context(), s, "other", []byte("abc")), lake.ErrUnavailable, "a commit is not repeated")
	require.NoError(t, s.Delete(t.Context(), "k", "other"))

	values := gather(t, registry, "flightlake_store_")
	for name, value := range values {
		if value == 0 {
			delete(values, name)
		}
	}
	require.Equal(t, map[string]float64{
		"requests_total create": 2, "requests_total write": 2, "requests_total commit": 2,
		"requests_total open": 1, "requests_total read": 3, "requests_total delete": 1,
		"errors_total read": 2, "errors_total commit": 1, "retries_total read": 2,
		"read_bytes_total": 7, "written_bytes_total": 10,
	}, values)
}

func TestEveryMetricIsDocumented(t *testing.T) {
	t.Parallel()
	settings, err := config.Load("", func(string) (string, bool) { return "", false }, map[string]string{"lake": t.TempDir()})
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	p, err := open(t.Context(), settings, slog.New(slog.DiscardHandler), registry)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	families, err := registry.Gather()
	require.NoError(t, err)
	text, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	var ours int
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "flightlake_") {
			ours++
			require.Contains(t, string(text), "`"+f.GetName()+"`")
		}
	}
	require.NotZero(t, ours)
}
