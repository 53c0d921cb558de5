// Package fault decorates an object store with failures that a test scripts,
// and records the calls that reach it. It serves tests only.
package fault

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Op names an operation of the contract.
type Op uint8

// The operations. OpAny stands for all of them in a Fault.
const (
	OpAny Op = iota
	OpCreate
	OpWrite
	OpCommit
	OpAbort
	OpOpen
	OpReadAt
	OpDelete
	OpList
)

// String returns the name of the method.
func (o Op) String() string {
	switch o {
	case OpAny:
		return "Any"
	case OpCreate:
		return "Create"
	case OpWrite:
		return "Write"
	case OpCommit:
		return "Commit"
	case OpAbort:
		return "Abort"
	case OpOpen:
		return "Open"
	case OpReadAt:
		return "ReadAt"
	case OpDelete:
		return "Delete"
	case OpList:
		return "List"
	}
	return "Op?"
}

// Forever is the Count of a Fault that does not end. A Fault{Nth: n, Count:
// Forever} of OpAny is a process that died at its nth call.
const Forever = -1

// Fault says which calls fail and how. The zero Fault fails the next call of
// any operation without effect, with KindUnavailable.
type Fault struct {
	Op  Op
	Key string // only calls whose key (or prefix, of List) contains it
	// Nth is the first matching call that fails, counted from 1 after Inject.
	// Zero means 1.
	Nth int
	// Count is how many matching calls in a row fail. Zero means 1.
	Count int
	// Err is what the call returns. Nil means an error of KindUnavailable.
	Err error
	// After lets the call take effect before it fails: the reply is lost.
	After bool
	// Bytes is how many bytes a Write writes, or a ReadAt reads, before it
	// fails, if After is not set; for List how many objects it calls back.
	Bytes int
}

// Call is one call that reached the Bucket. An Abort after Commit is one too.
type Call struct {
	Op     Op
	Key    string // the prefix, for List
	Offset int64  // of ReadAt
	Bytes  int    // asked for, of Write and ReadAt
	Failed bool   // by a Fault
}

// armed is a Fault that was injected.
type armed struct {
	Fault
	seen int // matching calls
}

func newArmed(f Fault) *armed {
	f.Nth = max(f.Nth, 1)
	if f.Count == 0 {
		f.Count = 1
	}
	if f.Err == nil {
		f.Err = lake.Errorf(lake.KindUnavailable, "injected fault")
	}
	return &armed{Fault: f}
}

// hit counts a call and reports whether it fails.
func (a *armed) hit(c Call) bool {
	if a.Op != OpAny && a.Op != c.Op || !strings.Contains(c.Key, a.Key) {
		return false
	}
	a.seen++
	return a.seen >= a.Nth && (a.Count == Forever || a.seen < a.Nth+a.Count)
}
