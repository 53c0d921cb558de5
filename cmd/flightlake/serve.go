package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/flightlake/flightlake/config"
	"github.com/flightlake/flightlake/flightsvc"
	"github.com/flightlake/flightlake/httpsvc"
	"github.com/flightlake/flightlake/internal/certs"
)

// serveCommand runs the server until the context ends. Every setting is a flag.
func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a lake over Arrow Flight SQL",
		Long: `Serve a lake over Arrow Flight SQL. Settings come from the file given by --config, from
environment variables (FLIGHTLAKE_LISTEN for --listen) and from flags; later ones override earlier.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	path := f.String("config", "", "TOML file with settings, in which --tls-cert is called tls_cert")
	for _, s := range config.All() {
		f.String(s.Flag(), s.Default, s.Help)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		given := map[string]string{}
		for _, s := range config.All() {
			if flag := f.Lookup(s.Flag()); flag.Changed {
				given[s.Name] = flag.Value.String()
			}
		}
		settings, err := config.Load(*path, config.Environment, given)
		if err != nil {
			return err
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
	options, err := flightOptions(settings, parts, log)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", settings.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if settings.AuthFile != "" && settings.TLSCert == "" && !config.Loopback(listener.Addr().String()) {
		log.WarnContext(ctx, "passwords and data travel without encryption: give tls_cert and tls_key, which flightlake cert makes",
			"listen", settings.Listen)
	}
	var web net.Listener
	if settings.HTTP != "" {
		if web, err = lc.Listen(ctx, "tcp", settings.HTTP); err != nil {
			return errors.Join(fmt.Errorf(`listen for health checks (turn them off with --http ""): %w`, err), listener.Close())
		}
	}
	server := flightsvc.New(flightsvc.Backend{
		Sessions: parts.lake.Sessions, Transactions: parts.lake.Transactions, Statements: parts.lake.Statements,
	}, options)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Serve(ctx, listener) })
	g.Go(func() error {
		parts.lake.Maintain(ctx)
		return nil
	})
	if web != nil {
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
	c := connection{address: address, tls: settings.TLSCert != "", login: settings.AuthFile != ""}
	if c.tls {
		c.authority = authorityOf(settings.TLSCert)
	}
	if settings.ClientCertRequired() {
		c.clientCert, c.clientKey = "CLIENT.pem", "CLIENT-key.pem"
	}
	_, _ = fmt.Fprintf(out, "flightlake ready %s lake=%s\n%s", c.uri(), settings.Lake, c.strings())
}

// authorityOf returns the path of what clients must trust: the authority that
// `flightlake cert` put beside the certificate, or the certificate itself if nobody
// else signed it. It is empty if clients' systems should know the authority.
func authorityOf(certPath string) string {
	path, err := filepath.Abs(certPath)
	if err != nil {
		return ""
	}
	leaf, err := certs.Read(path)
	if err != nil {
		return ""
	}
	beside := filepath.Join(filepath.Dir(path), certs.AuthorityFile)
	if authority, err := certs.Read(beside); err == nil && leaf.CheckSignatureFrom(authority) == nil {
		return beside
	}
	if bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		return path
	}
	return ""
}
