package auth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The built-in roles, which always exist and cannot be changed.
const (
	roleReader = "reader"
	roleWriter = "writer"
	roleAdmin  = "admin"
)

// holder is a user or role with what it has by itself: memberships, grants and,
// for a role, row filters.
type holder struct {
	name     string
	password *passwordHash   // of users; nil means that the user has none
	roles    map[string]bool // memberships, in lower case
	grants   map[object]privileges
	filters  map[object]string // by table; of roles
}

func newHolder(name string) *holder {
	return &holder{
		name: name, roles: map[string]bool{}, grants: map[object]privileges{}, filters: map[object]string{},
	}
}

func (h *holder) clone() *holder {
	c := *h
	c.roles, c.grants = maps.Clone(h.roles), maps.Clone(h.grants)
	return &c
}

// ruleset is a state of all that is known about users and roles. It is
// immutable once it is published.
type ruleset struct {
	version      uint64
	users        map[string]*holder // by name, with case
	roles        map[string]*holder // by name in lower case
	tokens       *tokenRules        // nil: no JWT is accepted
	certificates certificateName    // empty: certificates name nobody
	decoys       []*passwordHash    // all users' hashes, in the order of their names
}

// newRuleset returns the rules of an empty auth file: the built-in roles.
func newRuleset() *ruleset {
	r := &ruleset{users: map[string]*holder{}, roles: map[string]*holder{}}
	for name, set := range map[string]privileges{
		roleReader: Select.bit(),
		roleWriter: privilegesAll,
		roleAdmin:  privilegesAll,
	} {
		r.roles[name] = newHolder(name)
		r.roles[name].grants[object{}] = set
	}
	return r
}

func builtIn(role string) bool {
	return role == roleReader || role == roleWriter || role == roleAdmin
}

// seal computes what is derived from the users.
func (r *ruleset) seal() {
	for _, name := range slices.Sorted(maps.Keys(r.users)) {
		if h := r.users[name].password; h != nil {
			r.decoys = append(r.decoys, h)
		}
	}
}

// checkCycles refuses roles that inherit from themselves.
func (r *ruleset) checkCycles() error {
	done := map[string]bool{}
	var path []string
	var visit func(role string) error
	visit = func(role string) error {
		if i := slices.Index(path, role); i >= 0 {
			return fmt.Errorf("roles inherit in a circle: %s", strings.Join(append(path[i:], role), ", "))
		}
		h := r.roles[role]
		if done[role] || h == nil {
			return nil
		}
		path = append(path, role)
		for _, parent := range slices.Sorted(maps.Keys(h.roles)) {
			if err := visit(parent); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		done[role] = true
		return nil
	}
	for _, role := range slices.Sorted(maps.Keys(r.roles)) {
		if err := visit(role); err != nil {
			return err
		}
	}
	return nil
}

// identify returns the user's identity. Roles of a JWT come from it and those of
// the auth file are added when something is asked.
func (r *ruleset) identify(user string, method Method) (*Identity, bool) {
	h := r.users[user]
	if h == nil {
		return nil, false
	}
	id := &Identity{User: user, Method: method, Roles: slices.Sorted(maps.Keys(h.roles))}
	if method == MethodPassword && h.password != nil {
		id.Stamp = stamp(h.password.text)
	}
	return id, true
}

// holders returns what gives an identity its privileges: the user, if there is one of
// that name, and the roles that its token named. Empty for a user that is no more.
func (r *ruleset) holders(id *Identity) []*holder {
	var out []*holder
	if h := r.users[id.User]; h != nil {
		out = append(out, h)
	}
	if id.Method != MethodBearer {
		return out
	}
	for _, role := range id.Roles {
		if h := r.roles[role]; h != nil {
			out = append(out, h)
		}
	}
	return out
}
