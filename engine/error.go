package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/flightlake/flightlake/lake"
)

// Conditions that callers act on.
var (
	// ErrNotSelect says that a statement is none that json_serialize_sql can
	// parse: DDL, DML, EXPLAIN, PIVOT and the like.
	ErrNotSelect = errors.New("not a SELECT statement")
	// ErrNotPlannable says that the plan of a statement cannot be serialised:
	// it can be run, but not pruned.
	ErrNotPlannable = errors.New("the plan of the statement cannot be serialised")
)

// SQLError is an error of DuckDB about a statement. It is wrapped in a
// *lake.Error.
type SQLError struct {
	// Type is DuckDB's name of the kind of error, such as "Binder Error".
	Type string
	// Message is DuckDB's text with its hints, without the excerpt.
	Message string
	// Excerpt is the offending line with a caret below; may be empty.
	Excerpt string
	// Offset is the position in bytes in the statement; -1 if unknown.
	Offset int
}

// Error returns the message and the excerpt.
func (e *SQLError) Error() string {
	text := e.Message
	if e.Type != "" {
		text = e.Type + ": " + text
	}
	if e.Excerpt != "" {
		text += "\n\n" + e.Excerpt
	}
	return text
}

// newError turns the text of a DuckDB error, such as
// "Binder Error: ...\n\nLINE 1: ...\n   ^", into an *lake.Error.
func newError(message string) error {
	e := &SQLError{Message: message, Offset: -1}
	if kind, rest, ok := strings.Cut(message, ": "); ok && strings.HasSuffix(kind, "Error") && len(kind) < 40 {
		e.Type, e.Message = kind, rest
	}
	if at := strings.Index(e.Message, "\n\nLINE "); at >= 0 {
		e.Message, e.Excerpt = e.Message[:at], e.Message[at+2:]
	}
	e.clean()
	return &lake.Error{Kind: e.kind(), Err: e}
}

// kind maps DuckDB's kinds of errors to what the client can do about them.
func (e *SQLError) kind() lake.Kind {
	if strings.HasPrefix(e.Message, "Catalog \"") && strings.HasSuffix(e.Message, "does not exist!") {
		return lake.KindNotFound
	}
	switch e.Type {
	case "Catalog Error":
		if strings.HasPrefix(e.Message, "Table with name") || strings.HasPrefix(e.Message, "Schema with name") ||
			strings.HasPrefix(e.Message, "View with name") {
			return lake.KindNotFound
		}
		return lake.KindInvalid
	case "Out of Memory Error":
		return lake.KindExhausted
	case "Not implemented Error", "Not Implemented Error":
		return lake.KindUnsupported
	case "Permission Error":
		return lake.KindForbidden
	case "IO Error":
		return lake.KindUnavailable
	case "Parser Error", "Syntax Error", "Binder Error", "Conversion Error", "Out of Range Error",
		"Constraint Error", "Invalid Input Error", "Invalid Error", "Invalid type Error", "Mismatch Type Error",
		"Divide by Zero Error", "Decimal Error", "Expression Error", "Sequence Error",
		"Parameter Not Resolved Error", "Parameter Not Allowed Error", "Object Size Error",
		"Unknown Type Error", "Dependency Error", "TransactionContext Error", "Missing Extension Error":
		return lake.KindInvalid
	}
	return lake.KindInternal
}

// newPositionError returns the error of a statement that the front-end could
// not parse or bind. jsonType is the error_type of json_serialize_*.
func newPositionError(jsonType, message, sql string, offset int) error {
	e := &SQLError{Type: titleOf(jsonType) + " Error", Message: message, Offset: -1}
	e.clean()
	message = e.Message
	kind := e.kind()
	if offset >= 0 && offset <= len(sql) {
		e.Offset = offset
		line, column, excerpt := excerptOf(sql, offset)
		e.Message = fmt.Sprintf("%s (line %d, column %d)", message, line, column)
		if head, hint, ok := strings.Cut(message, "\n"); ok {
			e.Message = fmt.Sprintf("%s (line %d, column %d)\n%s", head, line, column, hint)
		}
		e.Excerpt = excerpt
	}
	return &lake.Error{Kind: kind, Err: e}
}

// titleOf writes DuckDB's lower-case error types as its messages do.
func titleOf(jsonType string) string {
	switch jsonType {
	case "io":
		return "IO"
	case "out of memory":
		return "Out of Memory"
	case "":
		return "Internal"
	}
	words := strings.Fields(strings.ToLower(jsonType))
	for i, w := range words {
		if i == 0 || w != "of" && w != "by" && w != "implemented" && w != "type" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

// excerptCharactersMax is how much of a long line an excerpt shows on either
// side of the position.
const excerptCharactersMax = 60

// excerptOf returns the line and column, counted from one in characters, of a
// byte offset, and the line with a caret below that position.
func excerptOf(sql string, offset int) (line, column int, excerpt string) {
	start := strings.LastIndexByte(sql[:offset], '\n') + 1
	end := len(sql)
	if n := strings.IndexByte(sql[offset:], '\n'); n >= 0 {
		end = offset + n
	}
	line = strings.Count(sql[:start], "\n") + 1
	before, after := []rune(strings.ToValidUTF8(sql[start:offset], "\uFFFD")), []rune(strings.ToValidUTF8(sql[offset:end], "\uFFFD"))
	column = len(before) + 1
	prefix, suffix := "", ""
	if len(before) > excerptCharactersMax {
		before, prefix = before[len(before)-excerptCharactersMax:], "..."
	}
	if len(after) > excerptCharactersMax {
		after, suffix = after[:excerptCharactersMax], "..."
	}
	head := fmt.Sprintf("LINE %d: %s%s", line, prefix, string(before))
	caret := strings.Repeat(" ", utf8.RuneCountInString(head)) + "^"
	return line, column, head + string(after) + suffix + "\n" + caret
}

// contextError prefers the reason of a cancelled context over the error that
// the interruption caused.
func contextError(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
