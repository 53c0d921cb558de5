package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for want, errs := range map[int][]error{
		ExitOK:        {nil},
		ExitStatement: {status.Error(codes.InvalidArgument, "x"), status.Error(codes.Internal, "x"), errors.New("x")},
		ExitUsage:     {usagef("x")},
		ExitConnect: {
			status.Error(codes.Unavailable, "x"), status.Error(codes.Unauthenticated, "x"),
			fmt.Errorf("wrapped: %w", status.Error(codes.PermissionDenied, "x")),
		},
		ExitInterrupt: {context.Canceled, status.Error(codes.Canceled, "x")},
	} {
		for _, err := range errs {
			require.Equal(t, want, ExitCode(failure(err)), "%v", err)
		}
	}
}

func TestTheKindIsWhatTheServerSays(t *testing.T) {
	t.Parallel()
	st, err := status.New(codes.Aborted, "other snapshot").WithDetails(&errdetails.ErrorInfo{Reason: "CONFLICT"})
	require.NoError(t, err)
	require.EqualError(t, failure(st.Err()), "conflict: other snapshot")
	require.EqualError(t, failure(status.Error(codes.NotFound, "no table")), "not_found: no table")
	require.EqualError(t, failure(status.Error(codes.ResourceExhausted, "full")), "resource_exhausted: full")
}

func TestAReportPointsToThePlace(t *testing.T) {
	t.Parallel()
	report := func(message, sql string) string {
		var b strings.Builder
		Report(&b, &Failure{Kind: "invalid", Message: message}, sql)
		return b.String()
	}
	require.Equal(t, "error (invalid): bad at line 2, column 3\n  \tab\n    ^\n", strings.Replace(
		report("bad at line 2, column 3", "x\n\tab"), "   ab", "  \tab", 1))
	require.Equal(t, "error (invalid): bad at line 1, column 3\n  幅広\n      ^\n", report("bad at line 1, column 3", "幅広"))
	for _, message := range []string{"no place", "line 9, column 1", "line 1, column 99", "line 1, column 0", "line 1, column 1\nLINE 1: x"} {
		require.Equal(t, "error (invalid): "+message+"\n", report(message, "SELECT"), message)
	}
	long := report("at line 1, column 5000", strings.Repeat("x", 4999)+"!"+strings.Repeat("y", 5000))
	require.Less(t, len(long), 400)
	require.Contains(t, long, "x!y")
}

func TestURIs(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"grpc://h:1": "passthrough:///h:1 false", "grpc+tls://h:1": "passthrough:///h:1 true", "grpc+tcp://[::1]:1": "passthrough:///[::1]:1 false",
		"flightsql://h:1": "passthrough:///h:1 true", "flightsql://h:1?transport=tcp": "passthrough:///h:1 false", "grpc+unix:///tmp/s": "unix:/tmp/s false",
	} {
		address, encrypted, err := parseURI(uri)
		require.NoError(t, err, uri)
		require.Equal(t, want, fmt.Sprint(address, " ", encrypted), uri)
	}
	for _, uri := range []string{"", "h:1", "http://h:1", "grpc://h", "grpc://:1", "grpc://h:x"} {
		_, _, err := parseURI(uri)
		require.Error(t, err, uri)
	}
}
