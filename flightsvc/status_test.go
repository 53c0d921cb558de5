package flightsvc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/lake"
)

func TestEveryKindHasItsCode(t *testing.T) {
	t.Parallel()
	want := map[lake.Kind]codes.Code{
		lake.KindInternal: codes.Internal, lake.KindInvalid: codes.InvalidArgument, lake.KindNotFound: codes.NotFound,
		lake.KindExists: codes.AlreadyExists, lake.KindConflict: codes.Aborted, lake.KindState: codes.FailedPrecondition,
		lake.KindUnsupported: codes.Unimplemented, lake.KindExhausted: codes.ResourceExhausted,
		lake.KindUnavailable: codes.Unavailable, lake.KindIndeterminate: codes.Unknown, lake.KindCorrupt: codes.DataLoss,
		lake.KindUnauthenticated: codes.Unauthenticated, lake.KindForbidden: codes.PermissionDenied,
	}
	h := setup(t, Options{})
	for kind := lake.KindInternal; kind <= lake.KindForbidden; kind++ {
		_, err := h.ExecuteUpdate(t.Context(), "FAIL "+kind.String(), h.calls()...)
		st := status.Convert(err)
		require.Equal(t, want[kind], st.Code(), kind.String())
		require.Equal(t, "failed as asked: "+kind.String(), st.Message())
		require.Equal(t, []string{kind.String()}, h.trail.Get(errorKindTrailer))
		require.Len(t, st.Details(), 1)
		info, ok := st.Details()[0].(*errdetails.ErrorInfo)
		require.True(t, ok)
		require.Equal(t, strings.ToUpper(kind.String()), info.GetReason())
		require.Equal(t, h.header.Get(requestIDHeader)[0], info.GetMetadata()[requestIDHeader])
	}
	require.NotEqual(t, "internal", lake.KindForbidden.String(), "the loop ends at the last kind")
	require.Equal(t, "internal", (lake.KindForbidden + 1).String(), "a new kind needs a code")
}

func TestClassifyOtherErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		code codes.Code
		kind string
	}{
		{"a wrapped kind", fmt.Errorf("append: %w", lake.Errorf(lake.KindExists, "x")), codes.AlreadyExists, "exists"},
		{"cancellation within a kind", lake.Wrap(lake.KindInternal, "scan", context.Canceled), codes.Canceled, "canceled"},
		{"deadline", fmt.Errorf("scan: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "deadline_exceeded"},
		{"a status of arrow-go", status.Error(codes.InvalidArgument, "x"), codes.InvalidArgument, "invalid"},
		{"a status of gRPC", status.Error(codes.Canceled, "x"), codes.Canceled, "canceled"},
		{"anything else", errors.New("x"), codes.Internal, "internal"},
	} {
		code, kind := classify(c.err)
		require.Equal(t, c.code, code, c.name)
		require.Equal(t, c.kind, kind, c.name)
	}
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		require.NotEmpty(t, kindOfCode(code))
	}
}

// killed is an error as the backend makes it for a statement that was ended.
type killed struct {
	text string
	is   error
}

func (k killed) Error() string { return k.text }
func (k killed) Unwrap() error { return k.is }

func TestEndOfAStatementSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		code codes.Code
	}{
		{killed{"statement 1 was killed by ann", context.Canceled}, codes.Canceled},
		{killed{"statement 1 ran longer than 1s", context.DeadlineExceeded}, codes.DeadlineExceeded},
	} {
		st, _ := statusOf(c.err, "id")
		require.Equal(t, c.code, st.Code())
		require.Equal(t, c.err.Error(), st.Message())
	}
}

func TestMessageFitsTheHeadersAndIsUTF8(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"plain", strings.Repeat("x", 20_000), strings.Repeat("é%\x00", 9_000), "bad \xff\xfe bytes"} {
		st, _ := statusOf(lake.Errorf(lake.KindInvalid, "%s", text), "id")
		require.True(t, utf8.ValidString(st.Message()))
		encoded := 0
		for _, b := range []byte(st.Message()) {
			encoded++
			if b < ' ' || b > '~' || b == '%' {
				encoded += 2
			}
		}
		require.LessOrEqual(t, encoded, messageBytesMax)
		require.NotEmpty(t, st.Message())
		require.Len(t, st.Details(), 1, "text that is not UTF-8 would lose the details")
	}
}

func TestLongErrorReachesTheClient(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	_, err := h.Execute(t.Context(), strings.Repeat("é", 100_000))
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	require.ErrorContains(t, err, "syntax error")
}
