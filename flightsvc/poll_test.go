package flightsvc

import (
	"context"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/statement"
)

// setupPoll returns a server that waits for nothing, so that a statement that
// blocks is never done at the first poll.
func setupPoll(t *testing.T, opts Options) *harness {
	t.Helper()
	opts.PollWait = time.Nanosecond
	h := setup(t, opts)
	h.fake.entered = make(chan statement.ID, 8)
	return h
}

// start polls for a statement that blocks and returns the first answer.
func (h *harness) start(t *testing.T, sql string) *flight.PollInfo {
	t.Helper()
	p, err := h.ExecutePoll(t.Context(), sql, nil)
	require.NoError(t, err)
	require.NotNil(t, p.GetFlightDescriptor())
	<-h.fake.entered
	return p
}

// finish lets what blocks go on and polls until it is done.
func (h *harness) finish(t *testing.T, p *flight.PollInfo) *flight.PollInfo {
	t.Helper()
	close(h.fake.wait)
	for p.GetFlightDescriptor() != nil {
		next, err := h.ExecutePoll(t.Context(), "", p.GetFlightDescriptor(), h.calls()...)
		require.NoError(t, err)
		p = next
	}
	return p
}

func TestLongUpdateGoesOnWithoutItsCallAndRunsOnce(t *testing.T) {
	t.Parallel()
	h := setupPoll(t, Options{})
	p := h.start(t, "WAIT")
	require.Nil(t, p.Progress) // whether it is set
	require.Empty(t, p.GetInfo().GetEndpoint())
	require.Contains(t, string(p.GetInfo().GetAppMetadata()), "statement_id")
	require.Equal(t, h.clock.Now().Add(DefaultPollIdle), p.GetExpirationTime().AsTime())
	h.fake.mu.Lock()
	h.fake.progress = 0.25
	h.fake.mu.Unlock()
	p, err := h.ExecutePoll(t.Context(), "WAIT", p.GetFlightDescriptor())
	require.NoError(t, err)
	require.InDelta(t, 0.25, p.GetProgress(), 0)
	again := p.GetFlightDescriptor()
	p = h.finish(t, p)
	require.Equal(t, []string{"8"}, h.header.Get(snapshotHeader), "headers of the statement come with its outcome")
	require.InDelta(t, 1, p.GetProgress(), 0)
	_, rows := h.fetch(t, p.GetInfo())
	require.Equal(t, []string{"1"}, rows)
	p, err = h.ExecutePoll(t.Context(), "WAIT", again)
	require.NoError(t, err, "the answer may have been lost on the way")
	require.Nil(t, p.GetFlightDescriptor())
	require.Equal(t, []executed{{"WAIT", -1}}, h.fake.executed)
}

func TestLongPlanningDoesNotBlockEither(t *testing.T) {
	t.Parallel()
	h := setupPoll(t, Options{})
	p := h.start(t, "SELECT WAIT")
	require.Len(t, h.finish(t, p).GetInfo().GetEndpoint(), 1)
}

func TestPreparedStatementIsPolledFor(t *testing.T) {
	t.Parallel()
	h := setupPoll(t, Options{})
	ps := h.prepare(t, "WAIT")
	p, err := ps.ExecutePoll(t.Context(), nil)
	require.NoError(t, err)
	id := <-h.fake.entered
	require.Contains(t, string(p.GetInfo().GetAppMetadata()), string(id), "its id must be known from the start")
	h.finish(t, p)
	require.NoError(t, ps.Close(t.Context()))
	require.Len(t, h.fake.executed, 1)
}

func TestQuickStatementIsAnsweredAtOnceAndForgotten(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{PollWait: waitLong, PollStatementsMax: 1})
	h.table("t", 1)
	for range 3 {
		p, err := h.ExecutePoll(t.Context(), "SELECT * FROM t", nil)
		require.NoError(t, err)
		require.Nil(t, p.GetFlightDescriptor())
		require.Contains(t, string(p.GetInfo().GetAppMetadata()), `"snapshot_id":7`)
	}
	_, err := h.ExecutePoll(t.Context(), "FAIL exists", nil)
	require.Equal(t, codes.AlreadyExists, status.Code(err))
	_, err = h.ExecutePoll(t.Context(), "PANIC", nil)
	require.Equal(t, codes.Internal, status.Code(err))
	require.NotContains(t, err.Error(), "secret")
	require.Empty(t, h.server.polls.byID)
}

func TestCancelEndsAStatementThatIsPolledFor(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{"WAIT", "WAIT AND SAY WHY"} {
		h := setupPoll(t, Options{})
		p := h.start(t, sql)
		require.Equal(t, flight.CancelStatusCancelled, h.cancel(t, p.GetInfo()))
		err := h.pollError(t, p)
		require.Equal(t, codes.Canceled, status.Code(err), sql)
		require.ErrorContains(t, err, "cancelled by CancelFlightInfo")
		require.Equal(t, flight.CancelStatusNotCancellable, h.cancel(t, p.GetInfo()))
		require.Empty(t, h.fake.executed)
	}
}

// pollError polls until the statement fails.
func (h *harness) pollError(t *testing.T, p *flight.PollInfo) error {
	t.Helper()
	for {
		next, err := h.ExecutePoll(t.Context(), "", p.GetFlightDescriptor())
		if err != nil {
			return err
		}
		require.NotNil(t, next.GetFlightDescriptor(), "it must not succeed")
	}
}

func TestAbandonedStatementIsEnded(t *testing.T) {
	t.Parallel()
	h := setupPoll(t, Options{})
	p := h.start(t, "WAIT")
	h.move(t, DefaultPollIdle-time.Second)
	p, err := h.ExecutePoll(t.Context(), "", p.GetFlightDescriptor())
	require.NoError(t, err)
	h.move(t, DefaultPollIdle-time.Second)
	require.Len(t, h.server.polls.byID, 1, "the last poll counts")
	h.move(t, 2*time.Second)
	require.Empty(t, h.server.polls.byID)
	_, err = h.ExecutePoll(t.Context(), "", p.GetFlightDescriptor())
	require.Equal(t, codes.NotFound, status.Code(err))
	// The clean-up of setup waits for the statement, which only its context ends.
}

func TestClientThatLeavesBeforeItKnowsHowToPollEndsTheStatement(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{PollWait: time.Hour})
	h.fake.entered = make(chan statement.ID, 1)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := h.ExecutePoll(ctx, "WAIT", nil)
		failed <- err
	}()
	<-h.fake.entered
	cancel()
	require.Equal(t, codes.Canceled, status.Code(<-failed))
	require.Eventually(t, func() bool {
		h.server.polls.mu.Lock()
		defer h.server.polls.mu.Unlock()
		return len(h.server.polls.byID) == 0
	}, waitLong, time.Millisecond)
}

func TestStatementsThatArePolledForAreLimited(t *testing.T) {
	t.Parallel()
	h := setupPoll(t, Options{PollStatementsMax: 2})
	first := h.start(t, "WAIT")
	h.start(t, "WAIT")
	_, err := h.ExecutePoll(t.Context(), "WAIT", nil)
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	h.finish(t, first)
	p, err := h.ExecutePoll(t.Context(), "UPDATE t", nil)
	require.NoError(t, err, "an outcome that was told makes room")
	for p.GetFlightDescriptor() != nil {
		p, err = h.ExecutePoll(t.Context(), "", p.GetFlightDescriptor())
		require.NoError(t, err)
	}
}

func TestStatementOfAnotherUserIsNotTold(t *testing.T) {
	t.Parallel()
	h := setupPoll(t, Options{Auth: &users{}})
	ann, bob := with(t, authorizationHeader, basic("ann", "ann")), with(t, authorizationHeader, basic("bob", "bob"))
	p, err := h.ExecutePoll(ann, "WAIT", nil)
	require.NoError(t, err)
	_, err = h.ExecutePoll(bob, "", p.GetFlightDescriptor())
	require.Equal(t, codes.NotFound, status.Code(err))
	_, err = h.CancelFlightInfo(bob, &flight.CancelFlightInfoRequest{Info: p.GetInfo()})
	require.Equal(t, codes.PermissionDenied, status.Code(err))
	close(h.fake.wait)
}

func TestForeignDescriptorsAreNotPolledFor(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	for _, cmd := range [][]byte{nil, []byte("x"), h.server.seals.seal(sealed{Purpose: purposeQuery})} {
		_, err := h.ExecutePoll(t.Context(), "", &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: cmd})
		require.Equal(t, codes.Unimplemented, status.Code(err))
	}
	unknown := h.server.seals.seal(sealed{Purpose: purposePoll, ID: "x"})
	_, err := h.ExecutePoll(t.Context(), "", &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: unknown})
	require.Equal(t, codes.NotFound, status.Code(err))
}

func TestShutdownEndsWhatIsPolledFor(t *testing.T) {
	t.Parallel()
	h := setupPoll(t, Options{})
	h.start(t, "WAIT")
	h.server.polls.close()
	_, err := h.ExecutePoll(t.Context(), "WAIT", nil)
	require.Equal(t, codes.Unavailable, status.Code(err))
}
