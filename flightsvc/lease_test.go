package flightsvc

import (
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/session"
)

// closes waits until n sessions were closed.
func (h *harness) closes(t *testing.T, n int) {
	t.Helper()
	got := 0
	require.Eventually(t, func() bool {
		got += len(h.fake.noted())
		return got >= n
	}, waitLong, time.Millisecond)
	require.Equal(t, n, got)
}

func (h *harness) connections() int {
	h.server.leases.mu.Lock()
	defer h.server.leases.mu.Unlock()
	n := 0
	for _, le := range h.server.leases.open {
		n += len(le.connections)
	}
	return n
}

// hangUp closes a connection and waits until the server has seen that.
func (h *harness) hangUp(t *testing.T, c *flightsql.Client) {
	t.Helper()
	before := h.connections()
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return h.connections() < before }, waitLong, time.Millisecond)
}

func TestSessionThatNobodyCanNameEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	c := h.connect(t)
	h.keep(t, t.Context(), c)
	require.NoError(t, c.Close())
	h.closes(t, 1)
	require.Empty(t, h.server.leases.open)
}

func TestSessionWhoseCookieCameBackLingers(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{SessionLinger: time.Minute})
	c := h.connect(t)
	first := h.keep(t, t.Context(), c)
	ctx := with(t, cookieHeader, h.offered(t))
	h.keep(t, ctx, c)
	h.hangUp(t, c)
	h.move(t, 59*time.Second)
	require.Empty(t, h.fake.noted())
	c = h.connect(t)
	require.Equal(t, first, h.keep(t, ctx, c), "the client came back in time")
	h.move(t, time.Hour/4)
	require.Empty(t, h.fake.noted(), "it is connected")
	h.hangUp(t, c)
	h.move(t, 61*time.Second)
	require.Equal(t, []string{"close session"}, h.fake.noted())
	require.Equal(t, codes.Unauthenticated, status.Code(h.run(ctx)))
}

func TestSessionOfATokenEndsAfterItsLastConnection(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	one, two := h.connect(t), h.connect(t)
	ctx := with(t, authorizationHeader, handshake(t, one, "a", "b"))
	h.keep(t, ctx, two)
	h.hangUp(t, one)
	h.move(t, time.Hour/4)
	require.Empty(t, h.fake.noted())
	h.hangUp(t, two)
	h.move(t, DefaultSessionLinger+time.Second)
	require.Equal(t, []string{"close session"}, h.fake.noted())
}

func TestLeasesOfSessionsThatEndedGoBeforeTheirConnection(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	one, other := handshake(t, h.Client, "a", "b"), handshake(t, h.Client, "a", "b")
	require.NotEqual(t, one, other)
	for id := range h.server.leases.open {
		h.fake.Close(t.Context(), id)
	}
	h.move(t, sweepInterval)
	require.Empty(t, h.server.leases.open)
	require.Equal(t, 0, h.connections())
	require.Equal(t, codes.Unauthenticated, status.Code(h.run(with(t, authorizationHeader, one))))
}

func TestCallsAtOnceShareTheSessionOfTheirConnection(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := h.ExecuteUpdate(t.Context(), "KEEP")
			require.NoError(t, err)
		})
	}
	all.Wait()
	require.Len(t, h.server.leases.open, 1)
}

func TestIdleSessionOfAConnectionIsToldOnce(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	first := h.keep(t, t.Context(), h.Client)
	h.move(t, 9*time.Hour)
	require.Equal(t, codes.Unauthenticated, status.Code(h.run(t.Context())), "what it kept is gone")
	require.NotEqual(t, first, h.keep(t, t.Context(), h.Client))
}

func TestSessionOpenedAfterItsConnectionEndedIsClosed(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	conn := &connection{}
	require.Empty(t, h.server.leases.end(conn, h.clock.Now()))
	_, err := h.server.gate.openSession(t.Context(), &call{conn: conn, server: h.server})
	require.Equal(t, codes.Canceled, status.Code(h.server.finish(t.Context(), &call{}, "", err)))
	require.Equal(t, []string{"close session"}, h.fake.noted())
	require.Empty(t, h.server.leases.open)
}

func TestSuccessorOfATransaction(t *testing.T) {
	t.Parallel()
	l := leases{open: map[session.ID]*lease{"s": {}}}
	l.began("s", "a")
	require.Equal(t, session.TransactionID("a"), l.successor("s", "a"), "it is open")
	l.finished("s", "a")
	require.Empty(t, l.successor("s", "a"), "autocommit is on again")
	l.began("s", "b")
	require.Equal(t, session.TransactionID("b"), l.successor("s", "a"))
	l.began("s", "c")
	require.Empty(t, l.successor("s", "a"), "which one, the client does not say")
	require.Equal(t, session.TransactionID("a"), l.successor("unknown", "a"), "the backend says that it is not known")
}
