package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/flightlake/flightlake/catalog"
	catalogduckdb "github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/config"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/flightsvc"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/local"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/session"
)

// dataFolder holds the lake's objects, beside the catalog and never around it.
const dataFolder = "data"

// parts are the components of a running server.
type parts struct {
	service *session.Service
	catalog catalog.Catalog
	closers []func() error // in the order of opening
}

// Close closes the parts in the reverse order of opening.
func (p *parts) Close() error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	return errors.Join(errs...)
}

// Ready reports whether the catalog answers.
func (p *parts) Ready(ctx context.Context) error {
	_, err := p.catalog.Snapshot(ctx, catalog.Selector{})
	return err
}

// open builds the parts from settings. On error nothing stays open.
func open(ctx context.Context, settings config.Settings, log *slog.Logger, registry *prometheus.Registry) (_ *parts, err error) {
	p := &parts{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	store, dataPath, err := openBucket(settings)
	if err != nil {
		return nil, err
	}
	p.catalog, err = catalogduckdb.Open(ctx, catalogduckdb.Options{
		Path: settings.CatalogPath(), DataPath: dataPath, Clock: clock.System{}, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.catalog.Close)
	frontend, err := engine.NewFrontend(engine.FrontendOptions{})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() error { frontend.Close(); return nil })
	executor, err := engine.NewExecutor(nil, executorOptions(settings, dataPath))
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() error { executor.Close(); return nil })
	p.service, err = session.New(session.Components{
		Catalog: p.catalog, Bucket: store, Frontend: frontend, Executor: executor, Clock: clock.System{}, Log: log,
	}, session.Options{CacheBytes: settings.CacheBytes})
	if err != nil {
		return nil, err
	}
	registerCacheMetrics(registry, p.service)
	return p, p.service.Recover(ctx)
}

// openBucket opens the store and returns the absolute path of its objects.
func openBucket(settings config.Settings) (objstore.Bucket, string, error) {
	if settings.Lake == config.MemoryLake {
		return mem.New(mem.Options{}), config.MemoryLake, nil
	}
	root, err := filepath.Abs(settings.Lake)
	if err != nil {
		return nil, "", fmt.Errorf("lake %s: %w", settings.Lake, err)
	}
	path := filepath.Join(root, dataFolder)
	store, err := local.New(path)
	if err != nil {
		return nil, "", fmt.Errorf("lake %s: %w", settings.Lake, err)
	}
	return store, path + string(filepath.Separator), nil
}

func executorOptions(settings config.Settings, dataPath string) engine.Options {
	o := engine.Options{MemoryLimitBytes: settings.EngineMemoryBytes, Threads: settings.EngineThreads}
	if settings.Lake != config.MemoryLake {
		o.AllowedDirs = []string{dataPath}
		o.TempDir = filepath.Join(filepath.Dir(settings.CatalogPath()), ".spill")
	}
	return o
}

func flightOptions(settings config.Settings, log *slog.Logger) (flightsvc.Options, error) {
	o := flightsvc.Options{
		Logger: log, Version: version, MaxRecvBytes: settings.MessageBytesMax, DrainTimeout: settings.DrainTimeout,
	}
	if settings.TLSCert == "" {
		return o, nil
	}
	pair, err := tls.LoadX509KeyPair(settings.TLSCert, settings.TLSKey)
	if err != nil {
		return o, fmt.Errorf("load TLS certificate: %w", err)
	}
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if settings.TLSClientCA == "" {
		return o, nil
	}
	pem, err := os.ReadFile(settings.TLSClientCA)
	if err != nil {
		return o, fmt.Errorf("load authority of client certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return o, fmt.Errorf("load authority of client certificates: %s holds no PEM certificate", settings.TLSClientCA)
	}
	o.TLS.ClientCAs, o.TLS.ClientAuth = pool, tls.RequireAndVerifyClientCert
	return o, nil
}
