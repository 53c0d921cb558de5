// Package godriver runs flightlake against the clients that are written in Go:
// the validation suites of ADBC through its Flight SQL driver, and database/sql
// through arrow-go's. It is a module of its own so that the drivers do not
// become dependencies of the server.
package godriver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binaryVariable names the server's binary.
const binaryVariable = "FLIGHTLAKE_TEST_BINARY"

// startTimeout bounds the wait for the ready line, and for the end.
const startTimeout = 30 * time.Second

// binaryPath returns the path of the server's binary.
func binaryPath() string {
	if binary := os.Getenv(binaryVariable); binary != "" {
		return binary
	}
	return filepath.Join("..", "..", "bin", "flightlake")
}

// server is a running flightlake on a lake of its own.
type server struct {
	address string // HOST:PORT of Flight SQL
	web     string // HOST:PORT of metrics
}

// start runs a server until the test ends.
func start(t *testing.T, flags ...string) *server {
	t.Helper()
	dir := t.TempDir()
	web := freeAddress(t)
	args := append([]string{"serve", "--lake", filepath.Join(dir, "lake"), "--listen", "127.0.0.1:0", "--http", web}, flags...)
	cmd := exec.CommandContext(context.Background(), binaryPath(), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(startTimeout, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		require.NoError(t, cmd.Wait(), "the server does not end in order")
	})
	address, err := readyAddress(out)
	require.NoError(t, err)
	return &server{address: address, web: web}
}

// readyAddress returns the address of the ready line, and goes on reading so
// that the server is never blocked.
func readyAddress(out io.Reader) (string, error) {
	type ready struct {
		address string
		err     error
	}
	found := make(chan ready, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), "flightlake ready "); ok {
				uri, _, _ := strings.Cut(rest, " ")
				_, address, _ := strings.Cut(uri, "://")
				found <- ready{address: address}
			}
		}
		found <- ready{err: errors.New("the server ended without a ready line")}
	}()
	select {
	case r := <-found:
		return r.address, r.err
	case <-time.After(startTimeout):
		return "", errors.New("the server did not become ready")
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}

// metric returns the value of a metric without labels.
func (s *server) metric(t *testing.T, name string) float64 {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.web+"/metrics", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			require.NoError(t, err)
			return value
		}
	}
	require.NoError(t, lines.Err())
	require.Fail(t, "no such metric", name)
	return 0
}

func (s *server) uri() string { return fmt.Sprintf("grpc+tcp://%s", s.address) }
