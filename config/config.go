// Package config reads flightlake's settings: a TOML file, then environment
// variables (FLIGHTLAKE_ and the setting's name in capitals), then flags, each
// overriding the one before. Settings are plain values; components are built
// from them in cmd/flightlake.
//
// It opens nothing but the configuration file.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// EnvPrefix begins the name of every environment variable that is read.
const EnvPrefix = "FLIGHTLAKE_"

// Settings are all settings of `flightlake serve`. The zero value of a field
// means its default, which Default holds.
type Settings struct {
	// Lake is the folder that holds the lake; mem: keeps the objects in memory (for tests).
	Lake string `toml:"lake"`
	// Catalog is the URL of the catalog database: duckdb:PATH. Empty means
	// duckdb:<lake>/catalog.ducklake, or duckdb:./catalog.ducklake if the lake is not a folder.
	Catalog string `toml:"catalog"`
	// Listen is HOST:PORT of the Flight SQL service; port 0 picks a free one.
	Listen string `toml:"listen"`
	// HTTP is HOST:PORT of health checks and metrics; empty turns them off.
	HTTP string `toml:"http"`
	// TLSCert, TLSKey and TLSClientCA are PEM files. TLS is on if the first two are set.
	TLSCert     string `toml:"tls_cert"`
	TLSKey      string `toml:"tls_key"`
	TLSClientCA string `toml:"tls_client_ca"`
	// EngineMemoryBytes bounds what DuckDB may allocate; beyond it spills to
	// disk. Default 512 MiB.
	EngineMemoryBytes int64 `toml:"engine_memory_bytes"`
	// EngineThreads is the number of DuckDB's threads. Default: one per processor.
	EngineThreads int `toml:"engine_threads"`
	// CacheBytes bounds the metadata cache: table versions, zone maps, footers. Default 128 MiB.
	CacheBytes int64 `toml:"cache_bytes"`
	// MessageBytesMax bounds one received gRPC message. Default 256 MiB.
	MessageBytesMax int `toml:"message_bytes_max"`
	// DrainTimeout bounds how long a shutdown waits for running calls. Default 30 s.
	DrainTimeout time.Duration `toml:"drain_timeout"`
	// LogLevel is debug, info, warn or error. Default info.
	LogLevel string `toml:"log_level"`
}

// Default returns the settings of an embedded server.
func Default() Settings {
	return Settings{
		Lake:              "./lake",
		Listen:            "127.0.0.1:32010",
		HTTP:              "127.0.0.1:32080",
		EngineMemoryBytes: 512 << 20,
		CacheBytes:        128 << 20,
		MessageBytesMax:   256 << 20,
		DrainTimeout:      30 * time.Second,
		LogLevel:          "info",
	}
}

// Load returns the defaults overridden by the file (if path is not empty) and
// then by the environment, which lookup reads; os.LookupEnv in production.
// Errors name the file or variable at fault.
func Load(path string, lookup func(string) (string, bool)) (Settings, error) {
	s := Default()
	if path != "" {
		meta, err := toml.DecodeFile(path, &s)
		if err != nil {
			return Settings{}, fmt.Errorf("read configuration %s: %w", path, err)
		}
		if unknown := meta.Undecoded(); len(unknown) > 0 {
			return Settings{}, fmt.Errorf("read configuration %s: unknown setting %q", path, unknown[0])
		}
	}
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		name := EnvPrefix + strings.ToUpper(v.Type().Field(i).Tag.Get("toml"))
		text, ok := lookup(name)
		if !ok {
			continue
		}
		if err := setField(v.Field(i), text); err != nil {
			return Settings{}, fmt.Errorf("environment variable %s: %w", name, err)
		}
	}
	return s, nil
}

func setField(f reflect.Value, text string) error {
	switch f.Interface().(type) {
	case string:
		f.SetString(text)
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		f.SetInt(int64(d))
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return err
		}
		f.SetInt(n)
	}
	return nil
}

// MemoryLake is the Lake that keeps objects in memory.
const MemoryLake = "mem:"

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

// Validate reports all faults at once.
func (s *Settings) Validate() error {
	return errors.Join(
		s.validateLake(),
		s.validateCatalog(),
		validateAddress("listen", s.Listen),
		s.validateHTTP(),
		s.validateTLS(),
		s.validateAnonymous(),
		positive("engine_memory_bytes", s.EngineMemoryBytes),
		positive("cache_bytes", s.CacheBytes),
		positive("message_bytes_max", int64(s.MessageBytesMax)),
		positive("drain_timeout", int64(s.DrainTimeout)),
	)
}

func positive(name string, n int64) error {
	if n <= 0 {
		return fmt.Errorf("%s is %d: it must be greater than 0", name, n)
	}
	return nil
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
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return errors.New("tls_cert and tls_key must be given together")
	}
	if s.TLSClientCA != "" && s.TLSCert == "" {
		return errors.New("tls_client_ca needs tls_cert and tls_key")
	}
	return nil
}

// validateAnonymous keeps a server without authentication on loopback.
func (s *Settings) validateAnonymous() error {
	for name, address := range map[string]string{"listen": s.Listen, "http": s.HTTP} {
		host, _, err := net.SplitHostPort(address)
		if err != nil || address == "" {
			continue
		}
		if ip := net.ParseIP(host); host == "localhost" || (ip != nil && ip.IsLoopback()) {
			continue
		}
		return fmt.Errorf("%s %q is not a loopback address: anonymous access is allowed on loopback only", name, address)
	}
	return nil
}

// Environment is os.LookupEnv, named here so that main need not import os for it.
func Environment(name string) (string, bool) { return os.LookupEnv(name) }
