package certs

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type fixedClock time.Time

func (c fixedClock) Now() time.Time { return time.Time(c) }

var today = fixedClock(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))

func load(t *testing.T, cert, key string) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	return pair, leaf
}

func pool(t *testing.T, path string) *x509.CertPool {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	p := x509.NewCertPool()
	require.True(t, p.AppendCertsFromPEM(data))
	return p
}

func TestServerAndClientTrustEachOther(t *testing.T) {
	t.Parallel()
	files, err := Make(Request{Folder: t.TempDir(), Hosts: []string{"lake.example", "10.1.2.3"}, Client: "alice"}, today)
	require.NoError(t, err)
	serverPair, server := load(t, files.ServerCert, files.ServerKey)
	clientPair, client := load(t, files.ClientCert, files.ClientKey)
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "lake.example", "10.1.2.3"} {
		require.NoError(t, server.VerifyHostname(host), host)
	}
	require.Equal(t, "alice", client.Subject.CommonName)
	require.Len(t, serverPair.Certificate, 2, "the chain has the authority")
	roots, now := pool(t, files.Authority), func() time.Time { return today.Now() }
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(a, &tls.Config{
			Certificates: []tls.Certificate{serverPair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, Time: now,
		}).Handshake()
	}()
	c := tls.Client(b, &tls.Config{RootCAs: roots, ServerName: "lake.example", Certificates: []tls.Certificate{clientPair}, Time: now})
	require.NoError(t, c.Handshake())
	require.NoError(t, <-done)
}

func TestAServersCertificateDoesNotLogInAsAClient(t *testing.T) {
	t.Parallel()
	files, err := Make(Request{Folder: t.TempDir()}, today)
	require.NoError(t, err)
	_, leaf := load(t, files.ServerCert, files.ServerKey)
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots: pool(t, files.Authority), CurrentTime: today.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	require.Error(t, err)
}

func TestKeysAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := Make(Request{Folder: folder, Client: "bob"}, today)
	require.NoError(t, err)
	for _, name := range []string{"ca-key.pem", "server-key.pem", "client-bob-key.pem"} {
		info, err := os.Stat(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

func TestNothingIsOverwrittenWithoutForce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	files, err := Make(Request{Folder: folder}, today)
	require.NoError(t, err)
	require.True(t, files.MadeAuthority)
	read := func(path string) string {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(data)
	}
	ca, server, key := read(files.Authority), read(files.ServerCert), read(files.ServerKey)
	_, err = Make(Request{Folder: folder}, today)
	require.ErrorContains(t, err, "--force")
	require.Equal(t, server, read(files.ServerCert))

	files, err = Make(Request{Folder: folder, Client: "carol"}, today)
	require.NoError(t, err)
	require.False(t, files.MadeAuthority)
	require.Equal(t, server, read(files.ServerCert), "a client's certificate leaves the server's alone")
	client := read(files.ClientCert)
	_, err = Make(Request{Folder: folder, Client: "carol"}, today)
	require.ErrorContains(t, err, "client-carol.pem")
	require.Equal(t, client, read(files.ClientCert))

	_, err = Make(Request{Folder: folder, Force: true}, today)
	require.NoError(t, err)
	require.Equal(t, ca, read(files.Authority), "clients trust the authority: it stays")
	require.NotEqual(t, key, read(files.ServerKey))
}

func TestHostsThatWouldBeIgnoredAreRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := Make(Request{Folder: folder}, today)
	require.NoError(t, err)
	_, err = Make(Request{Folder: folder, Client: "dan", Hosts: []string{"x.example"}}, today)
	require.ErrorContains(t, err, "--host")
}

func TestAUserIsNoPath(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"../x", "a/b", ".", "a b", "a\x00", "-" + string(make([]byte, 70))} {
		_, err := Make(Request{Folder: t.TempDir(), Client: user}, today)
		require.Error(t, err, user)
	}
}

func TestAnExpiredOrForeignAuthorityIsNotUsed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := Make(Request{Folder: folder}, today)
	require.NoError(t, err)
	later := fixedClock(today.Now().AddDate(11, 0, 0))
	_, err = Make(Request{Folder: folder, Client: "eve"}, later)
	require.ErrorContains(t, err, "expired")

	other := t.TempDir()
	_, err = Make(Request{Folder: other}, today)
	require.NoError(t, err)
	require.NoError(t, os.Rename(filepath.Join(other, "ca-key.pem"), filepath.Join(folder, "ca-key.pem")))
	_, err = Make(Request{Folder: folder, Client: "eve"}, today)
	require.ErrorContains(t, err, "is not the key of")
}
