package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/config"
	"github.com/flightlake/flightlake/internal/certs"
	"github.com/flightlake/flightlake/internal/clock"
)

func TestConnectionStrings(t *testing.T) {
	t.Parallel()
	plain := connection{address: "127.0.0.1:1"}
	require.Equal(t, `adbc_driver_flightsql.dbapi.connect("grpc://127.0.0.1:1", autocommit=True)`, plain.adbc())
	require.Equal(t, "jdbc:arrow-flight-sql://127.0.0.1:1/?useEncryption=false", plain.jdbc())
	require.Equal(t, `polars.read_database_uri("SELECT ...", "flightsql://127.0.0.1:1?transport=tcp", engine="adbc")`, plain.polars())

	public := connection{address: "lake.example:1", tls: true}
	require.Equal(t, `polars.read_database_uri("SELECT ...", "flightsql://lake.example:1", engine="adbc")`, public.polars())
	require.Equal(t, "flightlake sql --uri grpc+tls://lake.example:1", public.shell())

	full := connection{address: "0.0.0.0:1", tls: true, authority: "/c d/ca.pem", login: true, clientCert: "/c.pem", clientKey: "/k.pem"}
	require.Equal(t, "jdbc:arrow-flight-sql://localhost:1/?useEncryption=true&tlsRootCerts=%2Fc+d%2Fca.pem&clientCertificate=%2Fc.pem"+
		"&clientKey=%2Fk.pem&user=USER&password=PASSWORD", full.jdbc())
	require.Contains(t, full.adbc(), `"username": "USER", "password": "PASSWORD"`)
	require.Contains(t, full.adbc(), `"adbc.flight.sql.client_option.tls_root_certs": open("/c d/ca.pem").read()`)
	require.Contains(t, full.polars(), "polars.read_database(")
	require.Contains(t, full.shell(), "--tls-key /k.pem --user USER")
}

func TestTheReadyLineNamesWhatClientsMustTrust(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	files, err := certs.Make(certs.Request{Folder: folder}, clock.System{})
	require.NoError(t, err)
	require.Equal(t, files.Authority, authorityOf(files.ServerCert))
	require.Equal(t, files.Authority, authorityOf(files.Authority), "it signed itself")
	require.NoError(t, os.Rename(files.Authority, filepath.Join(folder, "moved.pem")))
	require.Empty(t, authorityOf(files.ServerCert), "an authority elsewhere is taken for one that systems know")

	var b bytes.Buffer
	settings := config.Default()
	settings.TLSCert, settings.TLSClientCA = files.ServerCert, "ca.pem"
	announce(&b, "127.0.0.1:1", settings)
	require.Contains(t, b.String(), "flightlake ready grpc+tls://127.0.0.1:1 lake=")
	require.Contains(t, b.String(), "CLIENT-key.pem")
}

func TestTheSealKeyIsMadeOnceAndKeptSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	first, err := sealKey(path)
	require.NoError(t, err)
	require.Len(t, first, keyBytes)
	again, err := sealKey(path)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.NoError(t, os.Chmod(path, 0o640))
	_, err = sealKey(path)
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Truncate(path, 5))
	_, err = sealKey(path)
	require.ErrorContains(t, err, "5 bytes")
	memory, err := sealKey("")
	require.NoError(t, err)
	require.NotEqual(t, first, memory)
}
