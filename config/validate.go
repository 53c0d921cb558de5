package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Validate reports all faults at once.
func (s *Settings) Validate() error {
	return errors.Join(
		s.validateLake(),
		s.validateCatalog(),
		validateAddress("listen", s.Listen),
		s.validateHTTP(),
		s.validateTLS(),
		s.validateAnonymous(),
		s.validateLimits(),
		s.validateLogLevel(),
	)
}

// validateLimits checks numbers. Where zero means "without a limit" it is allowed.
func (s *Settings) validateLimits() error {
	var errs []error
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"engine_memory_bytes", int64(s.EngineMemoryBytes)},
		{"cache_bytes", int64(s.CacheBytes)},
		{"statements_max", int64(s.StatementsMax)},
		{"statement_queue_max", int64(s.StatementQueueMax)},
		{"statement_queue_timeout", int64(s.StatementQueueTimeout)},
		{"statement_memory_bytes", int64(s.StatementMemoryBytes)},
		{"statements_memory_bytes", int64(s.StatementsMemoryBytes)},
		{"sessions_max", int64(s.SessionsMax)},
		{"session_idle_timeout", int64(s.SessionIdleTimeout)},
		{"session_linger", int64(s.SessionLinger)},
		{"transaction_idle_timeout", int64(s.TransactionIdleTimeout)},
		{"temporary_bytes", int64(s.TemporaryBytes)},
		{"ticket_lifetime", int64(s.TicketLifetime)},
		{"token_lifetime", int64(s.TokenLifetime)},
		{"endpoint_bytes", int64(s.EndpointBytes)},
		{"message_bytes_max", int64(s.MessageBytesMax)},
		{"window_bytes", int64(s.WindowBytes)},
		{"connection_streams_max", int64(s.ConnectionStreamsMax)},
		{"header_bytes_max", int64(s.HeaderBytesMax)},
		{"keepalive_interval", int64(s.KeepaliveInterval)},
		{"keepalive_timeout", int64(s.KeepaliveTimeout)},
		{"ping_interval_min", int64(s.PingIntervalMin)},
		{"drain_timeout", int64(s.DrainTimeout)},
	} {
		if n.value <= 0 {
			errs = append(errs, fmt.Errorf("%s must be greater than 0", n.name))
		}
	}
	for name, n := range map[string]int64{
		"engine_threads": int64(s.EngineThreads), "endpoints_max": int64(s.EndpointsMax),
		"statement_timeout": int64(s.StatementTimeout), "connection_idle_timeout": int64(s.ConnectionIdleTimeout),
	} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", name))
		}
	}
	const int31 = 1<<31 - 1 // what HTTP/2 and gRPC can say
	for name, n := range map[string]int64{
		"message_bytes_max": int64(s.MessageBytesMax), "window_bytes": int64(s.WindowBytes),
		"connection_streams_max": int64(s.ConnectionStreamsMax), "header_bytes_max": int64(s.HeaderBytesMax),
	} {
		if n > int31 {
			errs = append(errs, fmt.Errorf("%s must be less than 2 GiB", name))
		}
	}
	if s.StatementMemoryBytes > s.StatementsMemoryBytes {
		errs = append(errs, errors.New("statement_memory_bytes is more than statements_memory_bytes, which all statements share"))
	}
	return errors.Join(errs...)
}

func (s *Settings) validateLake() error {
	if s.Lake == "" {
		return errors.New("lake is empty: give a folder")
	}
	if u, err := url.Parse(s.Lake); err == nil && u.Scheme != "" && len(u.Scheme) > 1 && s.Lake != MemoryLake {
		return fmt.Errorf("lake %q: store %q is not supported yet; give a folder", s.Lake, u.Scheme)
	}
	return nil
}

func (s *Settings) validateCatalog() error {
	if s.Catalog == "" || strings.HasPrefix(s.Catalog, "duckdb:") {
		return nil
	}
	scheme, _, _ := strings.Cut(s.Catalog, ":")
	return fmt.Errorf("catalog: database %q is not supported yet; give duckdb:PATH", scheme)
}

func validateAddress(name, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("%s %q is not HOST:PORT: %w", name, address, err)
	}
	return nil
}

func (s *Settings) validateHTTP() error {
	if s.HTTP == "" {
		return nil
	}
	return validateAddress("http", s.HTTP)
}

func (s *Settings) validateTLS() error {
	var errs []error
	if (s.TLSCert == "") != (s.TLSKey == "") {
		errs = append(errs, errors.New("tls_cert and tls_key must be given together"))
	}
	if s.TLSClientCA != "" && s.TLSCert == "" {
		errs = append(errs, errors.New("tls_client_ca needs tls_cert and tls_key"))
	}
	switch s.TLSClientAuth {
	case "", ClientAuthRequired:
	case ClientAuthOptional:
		if s.AuthFile == "" {
			errs = append(errs, errors.New("tls_client_auth is optional without auth_file: nobody could tell who calls"))
		}
	default:
		errs = append(errs, fmt.Errorf("tls_client_auth %q is none of required, optional", s.TLSClientAuth))
	}
	if s.TLSClientAuth != "" && s.TLSClientCA == "" {
		errs = append(errs, errors.New("tls_client_auth needs tls_client_ca"))
	}
	return errors.Join(errs...)
}

func (s *Settings) validateLogLevel() error {
	if slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(s.LogLevel)) {
		return nil
	}
	return fmt.Errorf("log_level %q is none of debug, info, warn, error", s.LogLevel)
}

// Loopback reports whether an address is reached from its own machine only.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// howToServeANetwork says what it takes.
const howToServeANetwork = `to serve a network
    flightlake passwd alice >> auth.toml        # a user; change the role to admin for the first one
    flightlake cert --host %s        # so that passwords travel encrypted
    flightlake serve --listen %s --auth-file auth.toml --tls-cert certs/server.pem --tls-key certs/server-key.pem`

// validateAnonymous keeps a server without authentication on loopback.
func (s *Settings) validateAnonymous() error {
	if s.AuthFile != "" {
		return nil
	}
	var errs []error
	if host, _, err := net.SplitHostPort(s.Listen); err == nil && !Loopback(s.Listen) {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "NAME"
		}
		errs = append(errs, fmt.Errorf("listen %q is not a loopback address, and without auth_file anybody could do everything; "+
			howToServeANetwork, s.Listen, host, s.Listen))
	}
	if _, _, err := net.SplitHostPort(s.HTTP); err == nil && !Loopback(s.HTTP) {
		errs = append(errs, fmt.Errorf("http %q is not a loopback address: that needs auth_file", s.HTTP))
	}
	return errors.Join(errs...)
}
