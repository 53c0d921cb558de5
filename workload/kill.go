package workload

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/flightlake/flightlake/lake"
)

// Limits of what is remembered of killed statements.
const (
	killedMax  = 10_000 // of each user
	killedKept = time.Hour
	// idBytesMax is the longest id of a statement: no call for a longer one can come.
	idBytesMax = 64
)

// endedError is why a call was ended. It is context.Canceled or
// context.DeadlineExceeded, so that it is taken for what it is wherever the end of
// a context is looked for.
type endedError struct {
	text string
	is   error
}

// Error implements error.
func (e *endedError) Error() string { return e.text }

// Unwrap returns context.Canceled or context.DeadlineExceeded.
func (e *endedError) Unwrap() error { return e.is }

func killedBy(info Info, who string) error {
	return &endedError{text: fmt.Sprintf("statement %s was killed by %s", info.ID, who), is: context.Canceled}
}

func killedBefore(info Info) error {
	return &endedError{text: fmt.Sprintf("statement %s was killed before this call for it", info.ID), is: context.Canceled}
}

func timedOut(info Info) error {
	return &endedError{
		text: fmt.Sprintf("statement %s ran longer than its statement_timeout of %s", info.ID, info.Timeout),
		is:   context.DeadlineExceeded,
	}
}

// killed remembers killed statements, whose later calls do not start. Those of an
// empty user are killed for everybody. The Registry's mu guards it.
type killed map[string]*killedOf // by user

// killedOf remembers the statements that one user killed.
type killedOf struct {
	until map[string]time.Time // by id
	order []string             // as they were added, which is the order in which they are forgotten
}

func (k killed) add(dead key, now time.Time) {
	if len(dead.id) > idBytesMax {
		return
	}
	maps.DeleteFunc(k, func(_ string, of *killedOf) bool { return !now.Before(of.until[of.order[len(of.order)-1]]) })
	of := k[dead.user]
	if of == nil {
		of = &killedOf{until: map[string]time.Time{}}
		k[dead.user] = of
	}
	if _, ok := of.until[dead.id]; ok {
		return
	}
	for len(of.order) > 0 && (len(of.order) >= killedMax || !now.Before(of.until[of.order[0]])) {
		delete(of.until, of.order[0])
		of.order = of.order[1:]
	}
	of.until[dead.id] = now.Add(killedKept)
	of.order = append(of.order, dead.id)
}

func (k killed) has(of key, now time.Time) bool {
	return k.by(of.user, of.id, now) || k.by("", of.id, now)
}

func (k killed) by(user, id string, now time.Time) bool {
	of := k[user]
	return of != nil && now.Before(of.until[id])
}

// Killer is who kills a statement.
type Killer struct {
	User string
	// All is set for one who may kill the statements of everybody.
	All bool
}

// Kill ends the statement with that id, whoever's calls work for it, and keeps calls
// for it from starting for an hour. It reports whether it ran or waited.
//
// Errors: KindForbidden if it is another user's.
func (r *Registry) Kill(id string, by Killer) (bool, error) {
	r.mu.Lock()
	all := r.calls(func(s *Statement) bool { return s.info.ID == id })
	own := r.calls(func(s *Statement) bool { return s.info.ID == id && (by.All || s.info.User == by.User) })
	if len(all) > 0 && len(own) == 0 {
		r.mu.Unlock()
		return false, lake.Errorf(lake.KindForbidden, "statement %s is another user's", id)
	}
	dead := key{id: id, user: by.User}
	if by.All {
		dead.user = ""
	}
	r.killed.add(dead, r.clock.Now())
	r.mu.Unlock()
	// The calls of one statement count as one.
	stopped := false
	for _, s := range own {
		stopped = s.stop(killedBy(s.info, by.User)) || stopped
	}
	if stopped {
		r.ended.Add(1)
	}
	return len(own) > 0, nil
}

// KillSession ends the statements of a session, for a reason such as "its session
// was closed". Calls for them in other sessions go on.
func (r *Registry) KillSession(session, reason string) {
	r.mu.Lock()
	calls := r.calls(func(s *Statement) bool { return s.info.Session == session })
	r.mu.Unlock()
	for _, s := range calls {
		if s.stop(&endedError{text: fmt.Sprintf("statement %s was ended: %s", s.info.ID, reason), is: context.Canceled}) {
			r.ended.Add(1)
		}
	}
}
