package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/flightlake/flightlake/config"
	"github.com/flightlake/flightlake/flightsvc"
	"github.com/flightlake/flightlake/httpsvc"
)

// serveCommand runs the server until the context ends.
func serveCommand() *cobra.Command {
	var path string
	var flags config.Settings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a lake over Arrow Flight SQL",
		Args:  cobra.NoArgs,
	}
	f := cmd.Flags()
	d := config.Default()
	f.StringVar(&path, "config", "", "TOML file with settings")
	f.StringVar(&flags.Lake, "lake", d.Lake, "folder that holds the lake")
	f.StringVar(&flags.Catalog, "catalog", "", "catalog database, duckdb:PATH (default <lake>/catalog.ducklake)")
	f.StringVar(&flags.Listen, "listen", d.Listen, "HOST:PORT of Flight SQL; port 0 picks a free one")
	f.StringVar(&flags.HTTP, "http", d.HTTP, `HOST:PORT of health checks and metrics; "" turns them off`)
	f.StringVar(&flags.TLSCert, "tls-cert", "", "PEM file with the server's certificate")
	f.StringVar(&flags.TLSKey, "tls-key", "", "PEM file with the certificate's key")
	f.StringVar(&flags.TLSClientCA, "tls-client-ca", "", "PEM file with the authority of client certificates, which are then required")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.Load(path, config.Environment)
		if err != nil {
			return err
		}
		for name, override := range map[string]func(){
			"lake":          func() { settings.Lake = flags.Lake },
			"catalog":       func() { settings.Catalog = flags.Catalog },
			"listen":        func() { settings.Listen = flags.Listen },
			"http":          func() { settings.HTTP = flags.HTTP },
			"tls-cert":      func() { settings.TLSCert = flags.TLSCert },
			"tls-key":       func() { settings.TLSKey = flags.TLSKey },
			"tls-client-ca": func() { settings.TLSClientCA = flags.TLSClientCA },
		} {
			if cmd.Flags().Changed(name) {
				override()
			}
		}
		if err := settings.Validate(); err != nil {
			return err
		}
		return serve(cmd.Context(), settings, cmd.OutOrStdout())
	}
	return cmd
}

// serve builds the parts, announces itself on out and serves until ctx ends.
func serve(ctx context.Context, settings config.Settings, out io.Writer) (err error) {
	log, err := newLogger(settings.LogLevel)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	parts, err := open(ctx, settings, log, registry)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := parts.Close(); err == nil {
			err = closeErr
		}
	}()
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", settings.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	options, err := flightOptions(settings, log)
	if err != nil {
		return err
	}
	server := flightsvc.New(parts.service, options)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Serve(ctx, listener) })
	if settings.HTTP != "" {
		web, err := lc.Listen(ctx, "tcp", settings.HTTP)
		if err != nil {
			return fmt.Errorf(`listen for health checks (turn them off with --http ""): %w`, err)
		}
		g.Go(func() error {
			return httpsvc.Serve(ctx, web, httpsvc.Options{Metrics: registry, ReadyFunc: parts.Ready})
		})
	}
	announce(out, listener.Addr().String(), settings)
	return g.Wait()
}

func newLogger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log_level: %w", err)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l})), nil
}

// announce prints the ready line and the strings with which clients connect.
func announce(out io.Writer, address string, settings config.Settings) {
	scheme, encryption := "grpc", "false"
	// Polars finds its driver by the scheme, which means TLS unless it says otherwise.
	polars := "flightsql://" + address + "?transport=tcp"
	if settings.TLSCert != "" {
		scheme, encryption, polars = "grpc+tls", "true", "flightsql://"+address
	}
	uri := scheme + "://" + address
	var b strings.Builder
	fmt.Fprintf(&b, "flightlake ready %s lake=%s\n", uri, settings.Lake)
	fmt.Fprintf(&b, "  ADBC    adbc_driver_flightsql.dbapi.connect(%q, autocommit=True)\n", uri)
	fmt.Fprintf(&b, "  JDBC    jdbc:arrow-flight-sql://%s/?useEncryption=%s\n", address, encryption)
	fmt.Fprintf(&b, "  Polars  polars.read_database_uri(\"SELECT ...\", %q, engine=\"adbc\")\n", polars)
	_, _ = io.WriteString(out, b.String())
}
