package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func noEnv(string) (string, bool) { return "", false }

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	s, err := Load("", noEnv, nil)
	require.NoError(t, err)
	require.Equal(t, Default(), s)
	require.NoError(t, s.Validate())
	require.Equal(t, filepath.Join("lake", "catalog.ducklake"), s.CatalogPath())
	require.Equal(t, filepath.Join("lake", "flightlake.key"), s.KeyPath())
}

func TestFileThenEnvironmentThenFlags(t *testing.T) {
	t.Parallel()
	path := writeConfig(t, "lake = \"/a\"\ncache_bytes = 5\ndrain_timeout = \"2s\"\nengine_memory_bytes = \"1GiB\"\nsessions_max = 3\n")
	env := map[string]string{"FLIGHTLAKE_CACHE_BYTES": "7KiB", "FLIGHTLAKE_LISTEN": "localhost:0", "FLIGHTLAKE_SESSIONS_MAX": "4"}
	flags := map[string]string{"sessions_max": "5", "ticket_lifetime": "90m"}
	s, err := Load(path, func(n string) (string, bool) { v, ok := env[n]; return v, ok }, flags)
	require.NoError(t, err)
	require.Equal(t, "/a", s.Lake)
	require.Equal(t, Bytes(7<<10), s.CacheBytes)
	require.Equal(t, Bytes(1<<30), s.EngineMemoryBytes)
	require.Equal(t, "localhost:0", s.Listen)
	require.Equal(t, 2*time.Second, s.DrainTimeout)
	require.Equal(t, 5, s.SessionsMax)
	require.Equal(t, 90*time.Minute, s.TicketLifetime)
}

func TestEverySettingCanBeGivenInEachWay(t *testing.T) {
	t.Parallel()
	for _, setting := range All() {
		value := valueOf(setting)
		require.NotEmpty(t, setting.Help, setting.Name)
		_, err := Load(writeConfig(t, setting.Name+" = "+tomlText(value)+"\n"), noEnv, nil)
		require.NoError(t, err, setting.Name)
		_, err = Load("", func(n string) (string, bool) { return value, n == setting.Env() }, nil)
		require.NoError(t, err, setting.Env())
		_, err = Load("", noEnv, map[string]string{setting.Name: value})
		require.NoError(t, err, setting.Flag())
	}
}

// valueOf returns a value that a setting takes.
func valueOf(s Setting) string {
	switch {
	case s.Default != "":
		return s.Default
	case s.Name == "engine_threads", s.Name == "endpoints_max":
		return "1"
	case strings.HasSuffix(s.Name, "_timeout"):
		return "1s"
	}
	return "x"
}

func tomlText(value string) string {
	if strings.Trim(value, "0123456789") == "" {
		return value
	}
	return `"` + value + `"`
}

func TestLoadNamesTheFault(t *testing.T) {
	t.Parallel()
	_, err := Load(writeConfig(t, "lakee = 1\n"), noEnv, nil)
	require.ErrorContains(t, err, "lakee")
	_, err = Load("", func(n string) (string, bool) { return "x", n == "FLIGHTLAKE_CACHE_BYTES" }, nil)
	require.ErrorContains(t, err, "FLIGHTLAKE_CACHE_BYTES")
	_, err = Load("", noEnv, map[string]string{"session_idle_timeout": "5"})
	require.ErrorContains(t, err, "--session-idle-timeout")
	require.ErrorContains(t, err, "30s")
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Bytes{"0": 0, "12": 12, "1KiB": 1024, "2 MB": 2_000_000, "3gib": 3 << 30, "-1": -1, "1TiB": 1 << 40} {
		var b Bytes
		require.NoError(t, b.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, b, text)
	}
	for _, text := range []string{"", "x", "1.5GB", "1PB", "9999999999GiB", "1 2", "MB"} {
		var b Bytes
		require.Error(t, b.UnmarshalText([]byte(text)), text)
	}
}

func TestBytesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := Bytes(rapid.Int64().Draw(t, "bytes"))
		var got Bytes
		require.NoError(t, got.UnmarshalText([]byte(want.String())))
		require.Equal(t, want, got)
	})
}

func TestValidateReportsAllFaults(t *testing.T) {
	t.Parallel()
	s := Default()
	s.Lake, s.Catalog, s.Listen, s.TLSKey, s.CacheBytes = "ftp://x/y", "oracle:x", "0.0.0.0:1", "k", -1
	s.SessionsMax, s.StatementTimeout, s.TLSClientAuth, s.LogLevel = 0, -1, "maybe", "loud"
	s.StatementMemoryBytes = s.StatementsMemoryBytes + 1
	err := s.Validate()
	for _, text := range []string{
		"ftp", "oracle", "loopback", "tls_cert", "cache_bytes", "sessions_max", "statement_timeout", "tls_client_auth",
		"log_level", "statement_memory_bytes",
	} {
		require.ErrorContains(t, err, text)
	}
}

func TestEveryNumberIsChecked(t *testing.T) {
	t.Parallel()
	for _, setting := range All() {
		value := "-1"
		switch text := valueOf(setting); {
		case strings.Trim(text, "0123456789BKMGi") == "":
		case strings.Trim(text, "0123456789hms") == "":
			value = "-1s"
		default:
			continue // text
		}
		s, err := Load("", noEnv, map[string]string{setting.Name: value})
		require.NoError(t, err, setting.Name)
		require.ErrorContains(t, s.Validate(), setting.Name)
	}
}

func TestAnonymousServersStayOnLoopback(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:1", "localhost:1", "[::1]:1", "127.9.9.9:0"} {
		s := Default()
		s.Listen = address
		require.NoError(t, s.Validate(), address)
	}
	for _, address := range []string{"0.0.0.0:1", ":1", "[::]:1", "lake.example:1", "10.0.0.1:1", "localhost.example:1"} {
		s := Default()
		s.Listen = address
		err := s.Validate()
		require.ErrorContains(t, err, "loopback", address)
		require.ErrorContains(t, err, "flightlake passwd")
		require.ErrorContains(t, err, "flightlake cert")
		s.AuthFile = "auth.toml"
		require.NoError(t, s.Validate(), address)
	}
}

func TestClientCertificatesAreOptionalOnlyWhereUsersLogIn(t *testing.T) {
	t.Parallel()
	s := Default()
	s.TLSCert, s.TLSKey, s.TLSClientCA = "c", "k", "a"
	require.NoError(t, s.Validate())
	require.True(t, s.ClientCertRequired())
	s.TLSClientAuth = ClientAuthOptional
	require.ErrorContains(t, s.Validate(), "auth_file")
	s.AuthFile = "auth.toml"
	require.NoError(t, s.Validate())
	require.False(t, s.ClientCertRequired())
	s.TLSClientAuth = ""
	require.False(t, s.ClientCertRequired())
	s.TLSClientAuth = ClientAuthRequired
	require.True(t, s.ClientCertRequired())
}

func TestTheDocumentNamesEverySettingWithItsDefault(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	rows := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			rows[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[2])
		}
	}
	for _, setting := range All() {
		shown, ok := rows[setting.Name]
		require.True(t, ok, "docs/configuration.md has no row for %s", setting.Name)
		if setting.Default != "" {
			require.Equal(t, "`"+setting.Default+"`", shown, setting.Name)
		}
	}
}
