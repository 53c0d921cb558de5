package flightsvc

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/lake"
)

// errorDomain is the domain of the ErrorInfo detail of every failure.
const errorDomain = "flightlake"

// messageBytesMax limits the percent-encoded text of a failure. It travels
// twice, as grpc-message and in base64 within the details, and Java clients
// refuse headers beyond 8 KiB: 3 KiB + 4/3 * 3 KiB leave 1 KiB for the rest.
const messageBytesMax = 3 << 10

// kindCanceled is the trailer's text for calls that their client gave up.
const (
	kindCanceled = "canceled"
	kindDeadline = "deadline_exceeded"
)

// statusOf returns the status of a failed call and the text of its
// flightlake-error-kind trailer. It is the only place where errors become gRPC
// status. A status that the protocol layer made keeps its code.
func statusOf(err error, requestID string) (*status.Status, string) {
	code, kind := classify(err)
	st := status.New(code, safeMessage(messageOf(err)))
	detailed, derr := st.WithDetails(&errdetails.ErrorInfo{
		Reason:   strings.ToUpper(kind),
		Domain:   errorDomain,
		Metadata: map[string]string{requestIDHeader: requestID},
	})
	if derr != nil {
		return st, kind
	}
	return detailed, kind
}

// classify returns the code and kind of err. A lake.Error inside decides,
// except that a call given up by its client is always Canceled or
// DeadlineExceeded, however the parts below worded it.
func classify(err error) (codes.Code, string) {
	switch {
	case errors.Is(err, context.Canceled):
		return codes.Canceled, kindCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded, kindDeadline
	}
	var le *lake.Error
	if errors.As(err, &le) {
		return codeOf(le.Kind), le.Kind.String()
	}
	if st, ok := status.FromError(err); ok {
		return st.Code(), kindOfCode(st.Code())
	}
	return codes.Internal, lake.KindInternal.String()
}

// codeOf maps each Kind to its gRPC code.
func codeOf(kind lake.Kind) codes.Code {
	switch kind {
	case lake.KindInvalid:
		return codes.InvalidArgument
	case lake.KindNotFound:
		return codes.NotFound
	case lake.KindExists:
		return codes.AlreadyExists
	case lake.KindConflict:
		return codes.Aborted
	case lake.KindState:
		return codes.FailedPrecondition
	case lake.KindUnsupported:
		return codes.Unimplemented
	case lake.KindExhausted:
		return codes.ResourceExhausted
	case lake.KindUnavailable:
		return codes.Unavailable
	case lake.KindIndeterminate:
		return codes.Unknown
	case lake.KindCorrupt:
		return codes.DataLoss
	case lake.KindUnauthenticated:
		return codes.Unauthenticated
	case lake.KindForbidden:
		return codes.PermissionDenied
	case lake.KindInternal:
		return codes.Internal
	}
	return codes.Internal
}

// kindOfCode names the kind of a status that arrow-go or gRPC made itself.
func kindOfCode(code codes.Code) string {
	switch code {
	case codes.InvalidArgument, codes.OutOfRange:
		return lake.KindInvalid.String()
	case codes.NotFound:
		return lake.KindNotFound.String()
	case codes.AlreadyExists:
		return lake.KindExists.String()
	case codes.Aborted:
		return lake.KindConflict.String()
	case codes.FailedPrecondition:
		return lake.KindState.String()
	case codes.Unimplemented:
		return lake.KindUnsupported.String()
	case codes.ResourceExhausted:
		return lake.KindExhausted.String()
	case codes.Unavailable:
		return lake.KindUnavailable.String()
	case codes.DataLoss:
		return lake.KindCorrupt.String()
	case codes.Unauthenticated:
		return lake.KindUnauthenticated.String()
	case codes.PermissionDenied:
		return lake.KindForbidden.String()
	case codes.Canceled:
		return kindCanceled
	case codes.DeadlineExceeded:
		return kindDeadline
	case codes.OK, codes.Internal, codes.Unknown:
		return lake.KindInternal.String()
	}
	return lake.KindInternal.String()
}

// messageOf returns the text of err without the prefix that a status adds.
func messageOf(err error) string {
	var le *lake.Error
	if errors.As(err, &le) {
		return err.Error()
	}
	if st, ok := status.FromError(err); ok {
		return st.Message()
	}
	return err.Error()
}

// safeMessage returns text as valid UTF-8 (protobuf refuses anything else) whose
// percent-encoding is at most messageBytesMax bytes.
func safeMessage(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	encoded := 0
	for i, r := range text {
		if r >= ' ' && r <= '~' && r != '%' {
			encoded++
		} else {
			encoded += 3 * utf8.RuneLen(r)
		}
		if encoded > messageBytesMax-len("...") {
			return text[:i] + "..."
		}
	}
	return text
}
