package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	catalogduckdb "github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/config"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/flightsvc"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/txn"
	"github.com/flightlake/flightlake/workload"
)

// dataFolder holds the lake's objects, beside the catalog and never around it.
const dataFolder = "data"

// keyBytes is the length of the key of tickets and tokens: 256 bits.
const keyBytes = 32

// parts are the components of a running server.
type parts struct {
	lake    *lakehouse.Lakehouse
	catalog catalog.Catalog
	users   *auth.Authenticator // nil: authentication is off
	key     []byte              // seals tickets and tokens
	closers []func() error      // in the order of opening
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
	store, err := openStore(settings)
	if err != nil {
		return nil, err
	}
	p.catalog, err = catalogduckdb.Open(ctx, catalogduckdb.Options{
		Path: settings.CatalogPath(), DataPath: store.dataPath, Clock: clock.System{}, Logger: log,
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
	executor, err := engine.NewExecutor(nil, executorOptions(settings, store.dataPath))
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() error { executor.Close(); return nil })
	if p.key, err = sealKey(settings.KeyPath()); err != nil {
		return nil, err
	}
	components := lakehouse.Components{
		Catalog: p.catalog, Bucket: store, Outside: store.outside, Frontend: frontend, Executor: executor, Clock: clock.System{}, Log: log,
	}
	if settings.AuthFile != "" {
		filters := planner.New(frontend)
		p.users, components.Policy, err = auth.Load(settings.AuthFile, auth.Options{
			Clock: clock.System{}, Logger: log,
			CheckFilterFunc: func(filter string) error { return filters.CheckFilter(ctx, filter) },
		})
		if err != nil {
			return nil, err
		}
	}
	p.lake = lakehouse.New(components, lakehouseOptions(settings))
	p.closers = append(p.closers, func() error {
		p.lake.Close(context.WithoutCancel(ctx)) // what is open is rolled back although the server is told to stop
		return nil
	})
	registerMetrics(registry, p.lake)
	registerStoreMetrics(registry, store)
	return p, p.lake.Recover(ctx)
}

// sealKey reads the key of tickets and tokens, or makes it, so that both outlive the
// server. With an empty path it is of this process only.
func sealKey(path string) ([]byte, error) {
	if path == "" {
		key := make([]byte, keyBytes)
		_, _ = rand.Read(key) // never fails: crypto/rand aborts the program instead
		return key, nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := makeSealKey(path); err != nil {
			return nil, fmt.Errorf("key_file: %w", err)
		}
	}
	return readSealKey(path)
}

// makeSealKey makes the file as a whole or not at all: one that a crash cut short
// would keep the server from starting. Of several servers that start at once the first makes it.
func makeSealKey(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".flightlake-key-*") // made with 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand aborts the program instead
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// readSealKey refuses a key that others could know.
func readSealKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key_file: others may read %s, who could then make tickets and tokens: chmod 600 it", path)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	if len(key) != keyBytes {
		return nil, fmt.Errorf("key_file: %s has %d bytes instead of %d: remove it, and a new one is made", path, len(key), keyBytes)
	}
	return key, nil
}

func lakehouseOptions(settings config.Settings) lakehouse.Options {
	return lakehouse.Options{
		CacheBytes:       int64(settings.CacheBytes),
		EndpointsMax:     settings.EndpointsMax,
		EndpointBytesMin: int64(settings.EndpointBytes),
		Transactions:     txn.Options{IdleTimeout: settings.TransactionIdleTimeout},
		Sessions: session.Options{
			SessionsMax: settings.SessionsMax, IdleTimeout: settings.SessionIdleTimeout,
			TemporaryBytesMax: int64(settings.TemporaryBytes), StatementTimeout: settings.StatementTimeout,
		},
		Workload: workload.Options{
			RunningMax: settings.StatementsMax, QueuedMax: settings.StatementQueueMax, QueueTimeout: settings.StatementQueueTimeout,
			MemoryBytesMax: int64(settings.StatementMemoryBytes), MemoryTotalMax: int64(settings.StatementsMemoryBytes),
			TicketLifetime: cmp.Or(settings.TicketLifetime, flightsvc.DefaultTicketLifetime),
		},
	}
}

func executorOptions(settings config.Settings, dataPath string) engine.Options {
	o := engine.Options{MemoryLimitBytes: int64(settings.EngineMemoryBytes), Threads: settings.EngineThreads}
	if settings.Lake != config.MemoryLake {
		o.AllowedDirs = []string{dataPath}
		o.TempDir = filepath.Join(filepath.Dir(settings.CatalogPath()), ".spill")
	}
	return o
}

func flightOptions(settings config.Settings, p *parts, log *slog.Logger) (flightsvc.Options, error) {
	o := flightsvc.Options{
		Logger: log, Version: version, Clock: clock.System{}, Key: p.key,
		MaxRecvBytes: int(settings.MessageBytesMax), WindowBytes: int32(settings.WindowBytes), // Validate keeps it below 2 GiB
		DrainTimeout:   settings.DrainTimeout,
		TicketLifetime: settings.TicketLifetime, TokenLifetime: settings.TokenLifetime,
		SessionLinger: settings.SessionLinger, TransactionTimeout: settings.TransactionIdleTimeout,
		ConcurrentStreamsMax: uint32(settings.ConnectionStreamsMax), ConnectionIdle: settings.ConnectionIdleTimeout,
	}
	o.HeaderBytesMax = uint32(settings.HeaderBytesMax)
	o.KeepaliveInterval, o.KeepaliveTimeout, o.PingIntervalMin = settings.KeepaliveInterval, settings.KeepaliveTimeout, settings.PingIntervalMin
	if p.users != nil {
		o.Auth = p.users
	}
	var err error
	o.TLS, err = tlsConfig(settings)
	return o, err
}

// tlsConfig returns nil if TLS is off.
func tlsConfig(settings config.Settings) (*tls.Config, error) {
	if settings.TLSCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(settings.TLSCert, settings.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("load TLS certificate: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if settings.TLSClientCA == "" {
		return c, nil
	}
	c.ClientCAs, err = readAuthorities(settings.TLSClientCA)
	if err != nil {
		return nil, fmt.Errorf("tls_client_ca: %w", err)
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven
	if settings.ClientCertRequired() {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}
