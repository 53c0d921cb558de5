package auth

import (
	"fmt"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Grant is one GRANT or REVOKE.
type Grant struct {
	Revoke     bool
	Privileges []Privilege // nil means all
	// Schema and Table name the object; both empty means the lake.
	Schema, Table string
	// Role, if set, grants membership in a role instead of privileges.
	Role string
	// Grantees are users or roles; a name that is both is the user.
	Grantees []string
}

// Apply makes all changes or none, durably, before it returns. A grant of what is held
// already changes nothing. Revoking takes what the grantees hold themselves, on the object and
// on all that lies in it, whether the auth file or a GRANT gave it.
//
// Errors: KindForbidden unless by is an admin; KindNotFound for an unknown
// grantee or role, and if there is nothing to revoke, saying what gives the
// privilege instead; KindInvalid for a built-in role as grantee and for roles that would
// inherit in a circle; KindState without authentication.
func (p *Policy) Apply(by *Identity, grants ...Grant) error {
	if p == nil {
		return lake.Errorf(lake.KindState, "this server has no users: start it with --auth-file to grant and revoke")
	}
	return p.store.update(func(now, base *ruleset, c *changes) error {
		if by == nil || !(&Access{rules: now, id: by, holders: now.holders(by)}).Admin() {
			return lake.Errorf(lake.KindForbidden, "user %q may not grant or revoke: role %s is needed", by.Name(), roleAdmin)
		}
		for _, g := range grants {
			e := edit{now: now, base: base, changes: c, revoke: g.Revoke}
			if err := e.apply(g); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *edit) apply(g Grant) error {
	for _, name := range g.Grantees {
		who, err := e.now.grantee(name)
		if err != nil {
			return err
		}
		e.who = append(e.who, who)
	}
	if g.Role != "" {
		return e.membership(strings.ToLower(g.Role))
	}
	return e.privileges(g)
}

// grantee finds a user by exact name, else a role by its name in any case.
func (r *ruleset) grantee(name string) (grantee, error) {
	if r.users[name] != nil {
		return grantee{name: name}, nil
	}
	role := strings.ToLower(name)
	if r.roles[role] == nil {
		return grantee{}, lake.Errorf(lake.KindNotFound, "there is no user or role %q in the auth file", name)
	}
	if builtIn(role) {
		return grantee{}, lake.Errorf(lake.KindInvalid, "role %s is built in: make a role of your own that inherits it", role)
	}
	return grantee{name: role, role: true}, nil
}

// edit is one GRANT or REVOKE while it is applied.
type edit struct {
	now, base *ruleset
	changes   *changes
	who       []grantee
	revoke    bool
}

func (e *edit) membership(role string) error {
	if e.now.roles[role] == nil {
		return lake.Errorf(lake.KindNotFound, "there is no role %q in the auth file", role)
	}
	for _, who := range e.who {
		if e.revoke && !e.now.holder(who).roles[role] {
			return lake.Errorf(lake.KindNotFound, "%s is not a member of role %s itself", who, role)
		}
		e.changes.member(membership{who: who, role: role}, !e.revoke, e.base.holder(who).roles[role])
	}
	return nil
}

func (e *edit) privileges(g Grant) error {
	set := privilegesAll
	if g.Privileges != nil {
		set = 0
		for _, p := range g.Privileges {
			set |= p.bit()
		}
		if set == 0 {
			return lake.Errorf(lake.KindInvalid, "there is no privilege to grant or revoke")
		}
	}
	o := newObject(g.Schema, g.Table)
	if o.table != "" && o.schema == "" {
		return lake.Errorf(lake.KindInvalid, "table %s needs its schema", o.table)
	}
	for _, who := range e.who {
		own := e.base.holder(who).grants
		if !e.revoke {
			e.changes.grant(place{who: who, on: o}, set, own[o])
			continue
		}
		taken := privileges(0)
		for on, has := range e.now.holder(who).grants {
			if on.within(o) && has&set != 0 {
				taken |= has & set
				e.changes.revoke(place{who: who, on: on}, has&set, own[on])
			}
		}
		if taken == 0 {
			return e.nothingToRevoke(who, set, o)
		}
	}
	return nil
}

// nothingToRevoke says why, and where a privilege comes from that is held all the same.
func (e *edit) nothingToRevoke(who grantee, set privileges, o object) error {
	text := fmt.Sprintf("%s has no grant of %s on %s itself", who, joinPrivileges(set.list()), o)
	h := e.now.holder(who)
	for _, on := range []object{{schema: o.schema}, {}} {
		if on != o && h.grants[on]&set != 0 {
			return lake.Errorf(lake.KindNotFound, "%s, but has it on %s: revoke it there", text, on)
		}
	}
	for role := range h.roles {
		a := &Access{rules: e.now, holders: []*holder{e.now.roles[role]}}
		if a.held(o)&set != 0 {
			return lake.Errorf(lake.KindNotFound, "%s, but has it by role %s", text, role)
		}
	}
	return lake.Errorf(lake.KindNotFound, "%s", text)
}
