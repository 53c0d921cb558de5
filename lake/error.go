package lake

import (
	"errors"
	"fmt"
)

// Kind says what a caller can do about an error. A Kind exists only where a
// caller acts differently; the text of an error is not part of the API.
type Kind uint8

// The kinds of errors. KindInternal is the kind of every error that carries none.
const (
	KindInternal        Kind = iota // anything else
	KindInvalid                     // malformed request, SQL, ticket or schema: fix the request
	KindNotFound                    // no such table, snapshot or handle
	KindExists                      // create of a name that exists
	KindConflict                    // a Precondition was broken by a concurrent Commit: read again and retry
	KindState                       // not valid now: transaction ended, catalog too new, lake in use
	KindUnsupported                 // a command or type that is not implemented
	KindExhausted                   // a memory, disk, session or message limit
	KindUnavailable                 // store or catalog unreachable, shutting down: back off and retry
	KindIndeterminate               // outcome of a Commit unknown: ask by append token
	KindCorrupt                     // undecodable footer, page or zone map; a DataFile that is missing
	KindUnauthenticated             // credentials missing or wrong
	KindForbidden                   // not permitted
)

// Sentinels, one per Kind, for errors.Is.
var (
	ErrInternal        = &Error{Kind: KindInternal}
	ErrInvalid         = &Error{Kind: KindInvalid}
	ErrNotFound        = &Error{Kind: KindNotFound}
	ErrExists          = &Error{Kind: KindExists}
	ErrConflict        = &Error{Kind: KindConflict}
	ErrState           = &Error{Kind: KindState}
	ErrUnsupported     = &Error{Kind: KindUnsupported}
	ErrExhausted       = &Error{Kind: KindExhausted}
	ErrUnavailable     = &Error{Kind: KindUnavailable}
	ErrIndeterminate   = &Error{Kind: KindIndeterminate}
	ErrCorrupt         = &Error{Kind: KindCorrupt}
	ErrUnauthenticated = &Error{Kind: KindUnauthenticated}
	ErrForbidden       = &Error{Kind: KindForbidden}
)

// String returns the name used on the wire and in logs, such as "not_found".
func (k Kind) String() string {
	switch k {
	case KindInternal:
		return "internal"
	case KindInvalid:
		return "invalid"
	case KindNotFound:
		return "not_found"
	case KindExists:
		return "exists"
	case KindConflict:
		return "conflict"
	case KindState:
		return "state"
	case KindUnsupported:
		return "unsupported"
	case KindExhausted:
		return "exhausted"
	case KindUnavailable:
		return "unavailable"
	case KindIndeterminate:
		return "indeterminate"
	case KindCorrupt:
		return "corrupt"
	case KindUnauthenticated:
		return "unauthenticated"
	case KindForbidden:
		return "forbidden"
	}
	return "internal"
}

// Error is the one error type that crosses packages. Op is the operation that
// failed, such as "append"; it may be empty. Err says what was wrong.
type Error struct {
	Kind Kind
	Op   string
	Err  error
}

// Error returns the operation and the cause.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Kind.String()
	case e.Op == "":
		return e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of e's Kind.
func (e *Error) Is(target error) bool {
	var t *Error
	if !errors.As(target, &t) {
		return false
	}
	return t.Err == nil && t.Op == "" && t.Kind == e.Kind
}

// Errorf returns an *Error of the given kind. The format is that of
// fmt.Errorf, %w included.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// Wrap returns err marked with kind and op; nil stays nil. An error that
// already carries a Kind keeps it.
func Wrap(kind Kind, op string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		kind = e.Kind
	}
	return &Error{Kind: kind, Op: op, Err: err}
}

// KindOf returns the Kind of the outermost *Error in err's chain, and
// KindInternal if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}
