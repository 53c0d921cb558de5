package auth

import (
	"errors"

	"github.com/flightlake/flightlake/lake"
)

// ErrShare says that a user has all places that one may have.
var ErrShare = errors.New("which is the limit for one user")

const (
	// shareOf is the part of a limit that one user may take, and adminRoom the part that is
	// kept for administrators, who must get in to see what fills the rest.
	shareOf   = 2
	adminRoom = 20
)

// Shares divides the places of a limit among users, so that no user can take those of all.
// Administrators have all of them. Calls without identity, of a server without users, share
// nothing. It is not safe for concurrent use.
type Shares struct {
	what   string // such as "sessions are open"
	max    int
	taken  int
	byUser map[string]int
}

// NewShares returns the shares of max places; what they are is for errors, such as "sessions are
// open".
func NewShares(what string, max int) *Shares {
	return &Shares{what: what, max: max, byUser: map[string]int{}}
}

// Take takes a place.
//
// Errors: KindExhausted; ErrShare if only this user can get no more.
func (s *Shares) Take(id *Identity, admin bool) error {
	if s.taken >= s.max {
		return lake.Errorf(lake.KindExhausted, "%d %s, which is the limit; close some, or wait until idle ones end", s.taken, s.what)
	}
	if id != nil && !admin {
		if n := s.byUser[id.Name()]; n >= max(1, s.max/shareOf) {
			return lake.Errorf(lake.KindExhausted, "%d %s of user %s, %w; close some, or wait until idle ones end", n, s.what, id.Name(), ErrShare)
		}
		if s.taken >= s.max-s.max/adminRoom {
			return lake.Errorf(lake.KindExhausted, "%d %s, which is the limit but for administrators; close some, or wait until idle ones end", s.taken, s.what)
		}
	}
	s.taken++
	if id != nil {
		s.byUser[id.Name()]++
	}
	return nil
}

// Give gives back a place that was taken.
func (s *Shares) Give(id *Identity) {
	s.taken--
	if id == nil {
		return
	}
	if s.byUser[id.Name()]--; s.byUser[id.Name()] <= 0 {
		delete(s.byUser, id.Name())
	}
}
