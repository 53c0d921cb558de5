package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The exit codes of the shell.
const (
	ExitOK        = 0
	ExitStatement = 1   // a statement failed, or its result could not be written
	ExitUsage     = 2   // wrong flags or an unknown command
	ExitConnect   = 3   // cannot connect, cannot log in, or not permitted
	ExitInterrupt = 130 // interrupted, as other commands say it
)

// Failure is what the shell reports when something fails.
type Failure struct {
	// Exit is the code with which a script ends.
	Exit int
	// Kind is the server's name of the kind of failure, such as "not_found"; empty if
	// the shell itself failed.
	Kind    string
	Message string
}

// Error implements error.
func (f *Failure) Error() string {
	if f.Kind == "" {
		return f.Message
	}
	return f.Kind + ": " + f.Message
}

// ExitCode returns the code with which a script ends because of err.
func ExitCode(err error) int {
	var f *Failure
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &f):
		return f.Exit
	}
	return ExitStatement
}

func usagef(format string, args ...any) error {
	return &Failure{Exit: ExitUsage, Message: fmt.Sprintf(format, args...)}
}

// failure returns err as a *Failure; nil stays nil.
func failure(err error) error {
	var f *Failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	code := status.Code(err)
	switch {
	case errors.Is(err, context.Canceled) || code == codes.Canceled:
		return &Failure{Exit: ExitInterrupt, Kind: "canceled", Message: "the statement was cancelled" + reason(err)}
	case code == codes.Unknown && grpcStatus(err) == nil:
		return &Failure{Exit: ExitStatement, Message: err.Error()}
	}
	exit := ExitStatement
	switch code { //nolint:exhaustive // the others are failures of the statement
	case codes.Unavailable, codes.Unauthenticated, codes.PermissionDenied:
		exit = ExitConnect
	}
	return &Failure{Exit: exit, Kind: kindOf(err), Message: connectionText(grpcStatus(err))}
}

// connectionText returns a status's message, without gRPC's wording around what is
// wrong with a connection.
func connectionText(st *status.Status) string {
	message := st.Message()
	if st.Code() != codes.Unavailable {
		return message
	}
	if _, cause, ok := strings.Cut(message, `connection error: desc = "`); ok {
		message = "cannot connect: " + strings.TrimPrefix(strings.TrimSuffix(cause, `"`), "transport: ")
	}
	return message
}

// reason returns what a server says about a cancellation, if it says anything of
// its own: a killed statement is cancelled, too.
func reason(err error) string {
	st := grpcStatus(err)
	if st == nil || len(st.Details()) == 0 {
		return ""
	}
	return ": " + st.Message()
}

// grpcStatus returns the status within err, nil if there is none.
func grpcStatus(err error) *status.Status {
	var s interface{ GRPCStatus() *status.Status }
	if errors.As(err, &s) {
		return s.GRPCStatus()
	}
	return nil
}

// kindOf names the kind of a failed call: as the server says it, else by the
// code of the call.
func kindOf(err error) string {
	st := grpcStatus(err)
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetReason() != "" {
			return strings.ToLower(info.GetReason())
		}
	}
	switch st.Code() { //nolint:exhaustive // the others are named as gRPC names them
	case codes.InvalidArgument:
		return "invalid"
	case codes.AlreadyExists:
		return "exists"
	case codes.PermissionDenied:
		return "forbidden"
	case codes.Unimplemented:
		return "unsupported"
	}
	return snake(st.Code().String())
}

// snake turns a name such as NotFound into not_found.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// saysWhy reports whether an error says what in the statement caused it, unlike
// that of a server that does not know the call.
func saysWhy(err error) bool {
	return len(grpcStatus(err).Details()) > 0
}

// position finds where in a statement an error is.
var position = regexp.MustCompile(`\bline (\d+), column (\d+)`)

// Report writes a failure, with the line of the statement that it points to.
func Report(w io.Writer, err error, sql string) {
	var f *Failure
	label, message := "error", err.Error()
	if errors.As(err, &f) {
		message = f.Message
		if f.Kind != "" {
			label = "error (" + f.Kind + ")"
		}
	}
	_, _ = fmt.Fprintf(w, "%s: %s\n%s", label, strings.TrimRight(message, "\n"), pointer(message, sql))
}

// pointer returns the line that a message points to with a mark below it; empty
// if the message gives no position, or draws a mark itself.
func pointer(message, sql string) string {
	m := position.FindStringSubmatch(message)
	if m == nil || strings.Contains(message, "\nLINE ") {
		return ""
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	lines := strings.Split(sql, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	text := []rune(strings.TrimRight(lines[line-1], "\r"))
	if column < 1 || column > len(text)+1 {
		return ""
	}
	// The window keeps long lines, such as generated ones, from filling the screen.
	const before, after = 60, 40
	from, to := max(column-1-before, 0), min(column-1+after, len(text))
	shown := strings.ReplaceAll(string(text[from:to]), "\t", " ")
	mark := strings.Repeat(" ", width(strings.ReplaceAll(string(text[from:column-1]), "\t", " ")))
	return fmt.Sprintf("  %s\n  %s^\n", shown, mark)
}
