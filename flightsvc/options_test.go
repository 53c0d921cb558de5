package flightsvc

import (
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/lake"
)

func TestOptionsOfAClientWithoutSessionAreTheDefaults(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "schema", "archive")
	got, err := h.GetSessionOptions(ctx, &flight.GetSessionOptionsRequest{}, h.calls()...)
	require.NoError(t, err)
	require.Equal(t, "lake", got.GetSessionOptions()["catalog"].GetStringValue())
	require.Equal(t, "archive", got.GetSessionOptions()["schema"].GetStringValue())
	require.Empty(t, h.header.Get(setCookieHeader), "asking keeps nothing")
}

func TestSetSessionOptionsTellsEachFailureAndSetsTheRest(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	options, err := flight.NewSessionOptionValues(map[string]any{
		"application_name": "a", "timestamptz": int64(3), "statement_timeout": []string{"1"},
	})
	require.NoError(t, err)
	res, err := h.SetSessionOptions(t.Context(), &flight.SetSessionOptionsRequest{SessionOptions: options})
	require.NoError(t, err)
	require.Len(t, res.GetErrors(), 2)
	for name, e := range res.GetErrors() {
		require.Equal(t, flight.SetSessionOptionsResultErrorInvalidValue, e.GetValue(), name)
	}
	require.Equal(t, "a", h.option(t, "application_name"))
	erase := &flight.SetSessionOptionsRequest{SessionOptions: map[string]*flight.SessionOptionValue{"application_name": {}}}
	res, err = h.SetSessionOptions(t.Context(), erase)
	require.NoError(t, err)
	require.Empty(t, res.GetErrors())
	require.Empty(t, h.option(t, "application_name"))
}

func TestACatalogOrSchemaThatDoesNotExistEndsTheCall(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.set(t, "application_name", "before")
	for name, value := range map[string]string{"catalog": "other", "schema": "nosuch"} {
		options, err := flight.NewSessionOptionValues(map[string]any{name: value, "application_name": "after"})
		require.NoError(t, err)
		_, err = h.SetSessionOptions(t.Context(), &flight.SetSessionOptionsRequest{SessionOptions: options})
		require.Equal(t, codes.NotFound, status.Code(err), name)
		require.ErrorContains(t, err, value)
		require.Equal(t, "before", h.option(t, "application_name"), "nothing is set")
		require.Equal(t, "main", h.option(t, "schema"))
	}
}

// option reads a session option of the default connection.
func (h *harness) option(t *testing.T, name string) string {
	t.Helper()
	got, err := h.GetSessionOptions(t.Context(), &flight.GetSessionOptionsRequest{})
	require.NoError(t, err)
	return got.GetSessionOptions()[name].GetStringValue()
}

// set sets a session option of the default connection.
func (h *harness) set(t *testing.T, name string, value any) {
	t.Helper()
	options, err := flight.NewSessionOptionValues(map[string]any{name: value})
	require.NoError(t, err)
	res, err := h.SetSessionOptions(t.Context(), &flight.SetSessionOptionsRequest{SessionOptions: options})
	require.NoError(t, err)
	require.Empty(t, res.GetErrors())
}

func TestOptionErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		known bool
		want  any
	}{
		{lake.Errorf(lake.KindNotFound, "no option"), false, flight.SetSessionOptionsResultErrorInvalidName},
		{lake.Errorf(lake.KindNotFound, "no schema"), true, flight.SetSessionOptionsResultErrorInvalidValue},
		{lake.Errorf(lake.KindInvalid, "no number"), true, flight.SetSessionOptionsResultErrorInvalidValue},
		{lake.Errorf(lake.KindForbidden, "of the engine"), false, flight.SetSessionOptionsResultErrorError},
		{errors.New("disk"), true, flight.SetSessionOptionsResultErrorError},
	} {
		require.Equal(t, c.want, optionError(c.err, c.known).GetValue(), c.err.Error())
	}
}

func TestCloseSessionWithoutOneIsNoError(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	for range 2 { // ADBC always calls it
		closed, err := h.CloseSession(t.Context(), &flight.CloseSessionRequest{})
		require.NoError(t, err)
		require.Equal(t, flight.CloseSessionResultClosed, closed.GetStatus())
		h.set(t, "application_name", "a")
	}
	require.Equal(t, []string{"close session"}, h.fake.noted())
}

func TestListedActionsWork(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	stream, err := h.Client.Client.ListActions(t.Context(), &flight.Empty{})
	require.NoError(t, err)
	n := 0
	for {
		a, err := stream.Recv()
		if err != nil {
			break
		}
		n++
		res, err := h.Client.Client.DoAction(t.Context(), &flight.Action{Type: a.GetType()})
		require.NoError(t, err)
		_, err = res.Recv()
		require.NotEqual(t, codes.Unimplemented, status.Code(err), a.GetType())
	}
	require.Equal(t, 12, n)
}
