package planner

import (
	"strings"
	"time"

	"github.com/flightlake/flightlake/planner/sqltext"
)

// unstable is a call whose value differs between planning and running a
// statement. DuckDB folds it into the constants of a plan, so pruning by such a
// plan could drop rows that match when the statement runs.
type unstable struct {
	name     string
	kind     pinKind
	span     sqltext.Span
	placed   bool // span is known
	inSelect bool // in a select list, where its text names a column
}

// pinKind says by what literal a call can be replaced.
type pinKind uint8

const (
	pinNot pinKind = iota
	pinTimestampTZ
	pinTimestamp
	pinDate
)

// unstableKind returns how a call of a function in lower case can be pinned; ok
// is false for functions whose value does not change.
func unstableKind(name string, args int) (kind pinKind, ok bool) {
	switch name {
	case "now", "transaction_timestamp", "get_current_timestamp", "current_timestamp":
		return pinTimestampTZ, true
	case "localtimestamp", "current_localtimestamp":
		return pinTimestamp, true
	case "today", "current_date":
		return pinDate, true
	case "current_time", "get_current_time", "localtime", "current_localtime",
		"txid_current", "current_query", "current_query_id", "current_transaction_id", "current_connection_id",
		"getvariable", "current_setting", "ago":
		return pinNot, true
	case "age":
		return pinNot, args == 1
	}
	return pinNot, false
}

// Pin fixes the statement's time: Rewrite replaces now(), current_date and their
// like by literals of it, except in select lists, where their text names a
// column. Planning and running then see the same constants, so that they
// prune. A statement that is not pinned, or holds such a call that cannot be,
// is not pruned when it runs in the engine.
func (a *Analysis) Pin(now time.Time) { a.pinned = now.UTC() }

// TimeDependent reports whether the statement, or once it is planned a row filter
// of its tables, calls now() or its like, so that its plan is good for one
// execution only.
func (a *Analysis) TimeDependent() bool { return len(a.unstable) > 0 || a.timed }

// Stable reports whether planning the statement and running it, both rewritten,
// see the same constants.
func (a *Analysis) Stable() bool {
	for _, u := range a.unstable {
		if !a.pins(u) {
			return false
		}
	}
	return true
}

func (a *Analysis) pins(u unstable) bool {
	return !a.pinned.IsZero() && u.placed && !u.inSelect && u.kind != pinNot
}

// pinEdits returns the replacements of pinned calls.
func (a *Analysis) pinEdits() []edit {
	var edits []edit
	for _, u := range a.unstable {
		if !a.pins(u) {
			continue
		}
		var literal string
		switch u.kind {
		case pinTimestampTZ:
			literal = "TIMESTAMPTZ '" + a.pinned.Format("2006-01-02 15:04:05.000000") + "+00'"
		case pinTimestamp:
			literal = "TIMESTAMP '" + a.pinned.Format("2006-01-02 15:04:05.000000") + "'"
		case pinDate:
			literal = "DATE '" + a.pinned.Format(time.DateOnly) + "'"
		case pinNot:
			continue
		}
		edits = append(edits, edit{span: u.span, text: literal})
	}
	return edits
}

// UnstableCalls names the calls that keep the statement from being pruned.
func (a *Analysis) UnstableCalls() string {
	var names []string
	for _, u := range a.unstable {
		if !a.pins(u) {
			names = append(names, u.name)
		}
	}
	return strings.Join(names, ", ")
}
