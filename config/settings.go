package config

import (
	"path/filepath"
	"strings"
	"time"
)

// Settings are all settings of `flightlake serve`. Default holds their defaults.
// The tags name a setting in the file, and say of it what --help shows.
type Settings struct {
	Lake    string `toml:"lake" help:"folder that holds the lake; mem: keeps the objects in memory (for tests)"`
	Catalog string `toml:"catalog" help:"catalog database, duckdb:PATH (default <lake>/catalog.ducklake)"`
	Listen  string `toml:"listen" help:"HOST:PORT of Flight SQL; port 0 picks a free one"`
	HTTP    string `toml:"http" help:"HOST:PORT of health checks and metrics; empty turns them off"`

	TLSCert       string `toml:"tls_cert" help:"PEM file with the server's certificate; turns TLS on"`
	TLSKey        string `toml:"tls_key" help:"PEM file with the certificate's key"`
	TLSClientCA   string `toml:"tls_client_ca" help:"PEM file with the authority of client certificates"`
	TLSClientAuth string `toml:"tls_client_auth" help:"required or optional: whether clients need a certificate (default optional with auth_file, else required)"`
	AuthFile      string `toml:"auth_file" help:"TOML file with users, roles and grants; turns authentication on"`
	KeyFile       string `toml:"key_file" help:"file with the key that seals tickets and tokens, made if missing (default flightlake.key beside the catalog)"`

	EngineMemoryBytes Bytes `toml:"engine_memory_bytes" help:"what DuckDB may allocate before it spills to disk"`
	EngineThreads     int   `toml:"engine_threads" help:"DuckDB's threads (default one per processor)"`
	CacheBytes        Bytes `toml:"cache_bytes" help:"metadata cache: table versions, zone maps, footers"`

	StatementsMax         int           `toml:"statements_max" help:"statements that run at once"`
	StatementQueueMax     int           `toml:"statement_queue_max" help:"statements that wait for their turn"`
	StatementQueueTimeout time.Duration `toml:"statement_queue_timeout" help:"how long a statement waits for its turn"`
	StatementTimeout      time.Duration `toml:"statement_timeout" help:"how long a statement may run; 0 for as long as it takes"`
	StatementMemoryBytes  Bytes         `toml:"statement_memory_bytes" help:"memory of one statement"`
	StatementsMemoryBytes Bytes         `toml:"statements_memory_bytes" help:"memory of all statements together"`

	SessionsMax            int           `toml:"sessions_max" help:"open sessions"`
	SessionIdleTimeout     time.Duration `toml:"session_idle_timeout" help:"after how long without use a session ends"`
	SessionLinger          time.Duration `toml:"session_linger" help:"how long a session with a cookie or token outlives its last connection"`
	TransactionIdleTimeout time.Duration `toml:"transaction_idle_timeout" help:"after how long without a statement a transaction that changed something is rolled back"`
	TemporaryBytes         Bytes         `toml:"temporary_bytes" help:"files of the temporary tables of one session"`
	TicketLifetime         time.Duration `toml:"ticket_lifetime" help:"how long tickets are good"`
	TokenLifetime          time.Duration `toml:"token_lifetime" help:"how long session tokens and cookies are good"`

	EndpointsMax  int   `toml:"endpoints_max" help:"into how many parts a large scan is divided (default one per processor, at most 8)"`
	EndpointBytes Bytes `toml:"endpoint_bytes" help:"least compressed bytes of such a part"`

	MessageBytesMax       Bytes         `toml:"message_bytes_max" help:"largest message that is received"`
	WindowBytes           Bytes         `toml:"window_bytes" help:"what a client may send ahead of the reader"`
	ConnectionStreamsMax  int           `toml:"connection_streams_max" help:"calls that one connection may have open"`
	HeaderBytesMax        Bytes         `toml:"header_bytes_max" help:"headers of a call, counting 32 bytes more for each"`
	KeepaliveInterval     time.Duration `toml:"keepalive_interval" help:"after how long a silent connection is pinged"`
	KeepaliveTimeout      time.Duration `toml:"keepalive_timeout" help:"how long the answer to a ping may take before the connection is closed"`
	PingIntervalMin       time.Duration `toml:"ping_interval_min" help:"how often clients may ping; those that do more often are cut off"`
	ConnectionIdleTimeout time.Duration `toml:"connection_idle_timeout" help:"after how long without a call a connection is closed; 0 for never"`
	DrainTimeout          time.Duration `toml:"drain_timeout" help:"how long a shutdown waits for running calls"`
	LogLevel              string        `toml:"log_level" help:"debug, info, warn or error"`
}

// Default returns the settings of an embedded server.
func Default() Settings {
	return Settings{
		Lake:                   "./lake",
		Listen:                 "127.0.0.1:32010",
		HTTP:                   "127.0.0.1:32080",
		EngineMemoryBytes:      512 << 20,
		CacheBytes:             128 << 20,
		StatementsMax:          64,
		StatementQueueMax:      1024,
		StatementQueueTimeout:  time.Minute,
		StatementMemoryBytes:   1 << 30,
		StatementsMemoryBytes:  4 << 30,
		SessionsMax:            10_000,
		SessionIdleTimeout:     8 * time.Hour,
		SessionLinger:          30 * time.Minute,
		TransactionIdleTimeout: 10 * time.Minute,
		TemporaryBytes:         256 << 20,
		TicketLifetime:         time.Hour,
		TokenLifetime:          24 * time.Hour,
		EndpointBytes:          32 << 20,
		MessageBytesMax:        256 << 20,
		WindowBytes:            8 << 20,
		ConnectionStreamsMax:   4096,
		HeaderBytesMax:         96 << 10,
		KeepaliveInterval:      30 * time.Second,
		KeepaliveTimeout:       20 * time.Second,
		PingIntervalMin:        time.Second,
		DrainTimeout:           30 * time.Second,
		LogLevel:               "info",
	}
}

// MemoryLake is the Lake that keeps objects in memory.
const MemoryLake = "mem:"

// The values of TLSClientAuth.
const (
	ClientAuthRequired = "required"
	ClientAuthOptional = "optional"
)

// keyFileName is the default of KeyFile, beside the catalog.
const keyFileName = "flightlake.key"

// CatalogPath returns the path of the catalog's DuckDB file.
func (s *Settings) CatalogPath() string {
	if path, ok := strings.CutPrefix(s.Catalog, "duckdb:"); ok {
		return path
	}
	if s.Lake == MemoryLake {
		return "./catalog.ducklake"
	}
	return filepath.Join(s.Lake, "catalog.ducklake")
}

// KeyPath returns the path of the key that seals tickets and tokens. It is empty for a
// lake in memory, to which tickets of an earlier process mean nothing.
func (s *Settings) KeyPath() string {
	if s.KeyFile != "" {
		return s.KeyFile
	}
	if s.Lake == MemoryLake {
		return ""
	}
	return filepath.Join(filepath.Dir(s.CatalogPath()), keyFileName)
}

// ClientCertRequired reports whether clients without a certificate are turned away
// before they can log in otherwise.
func (s *Settings) ClientCertRequired() bool {
	return s.TLSClientCA != "" && (s.TLSClientAuth == ClientAuthRequired || s.TLSClientAuth == "" && s.AuthFile == "")
}
