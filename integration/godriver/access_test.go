package godriver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-go/v18/arrow/array"
	sqldriver "github.com/apache/arrow-go/v18/arrow/flight/flightsql/driver"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
)

// tokenSecret signs the JWTs of the tests.
const tokenSecret = "a secret of tests that is long enough"

// guarded is a server with TLS, on which root is admin, eve sees some rows, tom
// nothing, and mary has a client certificate. The password of all is secret.
type guarded struct {
	*server
	certs string
}

func startGuarded(t *testing.T) *guarded {
	t.Helper()
	dir := t.TempDir()
	hash := tool(t, "secret\n", "passwd")
	text := `
[users.root]
roles = ["admin"]
password = %[1]q
[users.eve]
roles = ["eu"]
password = %[1]q
[users.tom]
password = %[1]q
[users.mary]
roles = ["reader"]
[roles.eu]
inherits = ["reader"]
row_filters = [{schema = "main", table = "orders", filter = "region = 'EU'"}]
[jwt]
hs256_secret_file = "hmac"
leeway = "0s"
[mtls]
user_from = "cn"
`
	users, certs := filepath.Join(dir, "auth.toml"), filepath.Join(dir, "certs")
	require.NoError(t, os.WriteFile(users, fmt.Appendf(nil, text, hash), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hmac"), []byte(tokenSecret), 0o600))
	tool(t, "", "cert", "--out", certs, "--client", "mary")
	return &guarded{certs: certs, server: start(t, "--auth-file", users, "--tls-client-ca", filepath.Join(certs, "ca.pem"),
		"--tls-cert", filepath.Join(certs, "server.pem"), "--tls-key", filepath.Join(certs, "server-key.pem"))}
}

// tool runs a command of the binary and returns what it prints, without the last line break.
func tool(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binaryPath(), args...)
	cmd.Stdin = bytes.NewBufferString(stdin)
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(bytes.TrimSuffix(out, []byte("\n")))
}

// jwt returns a token of a user with role eu.
func jwt(expires time.Time) string {
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." +
		b64.EncodeToString(fmt.Appendf(nil, `{"sub":"zoe","roles":["eu"],"exp":%d}`, expires.Unix()))
	mac := hmac.New(sha256.New, []byte(tokenSecret))
	mac.Write([]byte(text))
	return text + "." + b64.EncodeToString(mac.Sum(nil))
}

func (g *guarded) file(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(g.certs, name))
	require.NoError(t, err)
	return string(data)
}

// open connects; options are pairs besides the address and the authority.
func (g *guarded) open(t *testing.T, options ...string) (adbc.Connection, error) {
	t.Helper()
	all := map[string]string{adbc.OptionKeyURI: "grpc+tls://" + g.address, flightsql.OptionSSLRootCerts: g.file(t, "ca.pem")}
	for i := 0; i < len(options); i += 2 {
		all[options[i]] = options[i+1]
	}
	db, err := flightsql.NewDriver(memory.DefaultAllocator).NewDatabase(all)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	c, err := db.Open(t.Context())
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// as connects with a password.
func (g *guarded) as(t *testing.T, user, password string) (adbc.Connection, error) {
	t.Helper()
	return g.open(t, adbc.OptionKeyUsername, user, adbc.OptionKeyPassword, password)
}

// regions returns what a connection reads of the orders' regions.
func regions(ctx context.Context, c adbc.Connection) (out []string, err error) {
	st, err := c.NewStatement()
	if err != nil {
		return nil, err
	}
	defer func() { _ = st.Close() }()
	if err := st.SetSqlQuery("SELECT region FROM orders ORDER BY region"); err != nil {
		return nil, err
	}
	r, _, err := st.ExecuteQuery(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	for r.Next() {
		column := r.RecordBatch().Column(0).(*array.String)
		for i := range column.Len() {
			out = append(out, column.Value(i))
		}
	}
	return out, r.Err()
}

func update(t *testing.T, c adbc.Connection, statement string) {
	t.Helper()
	st, err := c.NewStatement()
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	require.NoError(t, st.SetSqlQuery(statement))
	_, err = st.ExecuteUpdate(t.Context())
	require.NoError(t, err, statement)
}

// requireStatus checks the status of an error of ADBC.
func requireStatus(t *testing.T, want adbc.Status, err error) {
	t.Helper()
	var failure adbc.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, want, failure.Code, "%v", err)
}

func TestAccessOfTheADBCDriver(t *testing.T) {
	g := startGuarded(t)
	root, err := g.as(t, "root", "secret")
	require.NoError(t, err)
	update(t, root, "CREATE TABLE orders AS SELECT * FROM (VALUES ('EU'), ('US')) v(region)")

	for name, options := range map[string][]string{
		"password with a row filter": {adbc.OptionKeyUsername, "eve", adbc.OptionKeyPassword, "secret"},
		"token with a row filter":    {flightsql.OptionAuthorizationHeader, "Bearer " + jwt(time.Now().Add(time.Minute))},
	} {
		c, err := g.open(t, options...)
		require.NoError(t, err, name)
		got, err := regions(t.Context(), c)
		require.NoError(t, err, name)
		require.Equal(t, []string{"EU"}, got, name)
	}
	mary, err := g.open(t, flightsql.OptionMTLSCertChain, g.file(t, "client-mary.pem"), flightsql.OptionMTLSPrivateKey, g.file(t, "client-mary-key.pem"))
	require.NoError(t, err)
	got, err := regions(t.Context(), mary)
	require.NoError(t, err)
	require.Equal(t, []string{"EU", "US"}, got)

	for _, user := range []string{"root", "nobody"} {
		_, err = g.as(t, user, "wrong")
		requireStatus(t, adbc.StatusUnauthenticated, err)
	}
	for name, options := range map[string][]string{
		"expired token":  {flightsql.OptionAuthorizationHeader, "Bearer " + jwt(time.Now().Add(-time.Second))},
		"no credentials": nil,
	} {
		c, err := g.open(t, options...)
		require.NoError(t, err, name)
		_, err = regions(t.Context(), c)
		requireStatus(t, adbc.StatusUnauthenticated, err)
	}

	tom, err := g.as(t, "tom", "secret")
	require.NoError(t, err)
	update(t, root, "GRANT SELECT, INSERT ON orders TO tom")
	got, err = regions(t.Context(), tom)
	require.NoError(t, err)
	require.Len(t, got, 2)
	update(t, root, "REVOKE SELECT ON orders FROM tom")
	_, err = regions(t.Context(), tom)
	requireStatus(t, adbc.StatusUnauthorized, err)
	update(t, root, "REVOKE ALL ON orders FROM tom")
	_, err = regions(t.Context(), tom)
	requireStatus(t, adbc.StatusNotFound, err)
}

func TestAccessOfTheSQLDriver(t *testing.T) {
	g := startGuarded(t)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(g.file(t, "ca.pem"))))
	require.NoError(t, sqldriver.RegisterTLSConfig(t.Name(), &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	ask := func(login string) (n int, err error) {
		db, err := sql.Open("flightsql", "flightsql://"+login+g.address+"?timeout=30s&tls="+t.Name())
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		err = db.QueryRowContext(t.Context(), "SELECT 40 + 2").Scan(&n)
		return n, err
	}
	n, err := ask("eve:secret@")
	require.NoError(t, err)
	require.Equal(t, 42, n)
	for _, login := range []string{"eve:wrong@", "nobody:secret@", ""} {
		_, err = ask(login)
		require.ErrorContains(t, err, "Unauthenticated", login)
	}
}
