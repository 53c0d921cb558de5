package auth

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/flightlake/flightlake/internal/durable"
)

// testClock is a clock that tests move.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *testClock { return &testClock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// cheap returns an argon2id hash that takes no time.
func cheap(password string) string {
	salt := []byte("0123456789abcdef")
	key := argon2.IDKey([]byte(password), salt, 1, 8, 1, 32)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=8,t=1,p=1$%s$%s", b64.EncodeToString(salt), b64.EncodeToString(key))
}

// fixture is an auth file with what was loaded from it.
type fixture struct {
	path   string
	clock  *testClock
	log    *bytes.Buffer
	auth   *Authenticator
	policy *Policy
}

func setup(t *testing.T, text string) *fixture {
	t.Helper()
	f := &fixture{path: filepath.Join(t.TempDir(), "auth.toml"), clock: newClock(), log: &bytes.Buffer{}}
	f.write(t, text)
	f.load(t)
	return f
}

func (f *fixture) load(t *testing.T) {
	t.Helper()
	var err error
	f.auth, f.policy, err = Load(f.path, Options{Clock: f.clock, Logger: slog.New(slog.NewTextHandler(f.log, nil))})
	require.NoError(t, err)
}

// write replaces the auth file, as an operator does, and lets the time pass until it is looked at.
func (f *fixture) write(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, durable.Replace(f.path, []byte(text), 0o600))
	f.clock.advance(checkInterval)
}

// user returns the identity that a password login of the user would have.
func (f *fixture) user(t *testing.T, name string) *Identity {
	t.Helper()
	id, ok := f.auth.store.rules().identify(name, MethodCertificate)
	require.True(t, ok, name)
	return id
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
