package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func noEnv(string) (string, bool) { return "", false }

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	s, err := Load("", noEnv)
	require.NoError(t, err)
	require.NoError(t, s.Validate())
	require.Equal(t, filepath.Join("lake", "catalog.ducklake"), s.CatalogPath())
}

func TestFileThenEnvironment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f.toml")
	require.NoError(t, os.WriteFile(path, []byte("lake = \"/a\"\ncache_bytes = 5\ndrain_timeout = \"2s\"\n"), 0o600))
	env := map[string]string{"FLIGHTLAKE_CACHE_BYTES": "7", "FLIGHTLAKE_LISTEN": "localhost:0"}
	s, err := Load(path, func(n string) (string, bool) { v, ok := env[n]; return v, ok })
	require.NoError(t, err)
	require.Equal(t, "/a", s.Lake)
	require.Equal(t, int64(7), s.CacheBytes)
	require.Equal(t, "localhost:0", s.Listen)
	require.Equal(t, 2*time.Second, s.DrainTimeout)
}

func TestLoadNamesTheFault(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f.toml")
	require.NoError(t, os.WriteFile(path, []byte("lakee = 1\n"), 0o600))
	_, err := Load(path, noEnv)
	require.ErrorContains(t, err, "lakee")
	_, err = Load("", func(n string) (string, bool) { return "x", n == "FLIGHTLAKE_CACHE_BYTES" })
	require.ErrorContains(t, err, "FLIGHTLAKE_CACHE_BYTES")
}

func TestValidateReportsAllFaults(t *testing.T) {
	t.Parallel()
	s := Default()
	s.Lake, s.Catalog, s.Listen, s.TLSKey, s.CacheBytes = "ftp://x/y", "oracle:x", "0.0.0.0:1", "k", -1
	err := s.Validate()
	for _, text := range []string{"ftp", "oracle", "loopback", "tls_cert", "cache_bytes"} {
		require.ErrorContains(t, err, text)
	}
}
