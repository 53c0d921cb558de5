package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/flightlake/flightlake/internal/durable"
	"github.com/flightlake/flightlake/lake"
)

// grantsSuffix is appended to the auth file's path for the file of what GRANT
// and REVOKE changed.
const grantsSuffix = ".grants"

// grantsMode keeps who may do what from other users of the machine.
const grantsMode = 0o600

// grantsVersion is the version of that file's format.
const grantsVersion = 1

// grantsHeader begins the file.
const grantsHeader = "# Written by flightlake: what GRANT and REVOKE changed. It is applied over the auth file.\n"

// grantee is a user or a role.
type grantee struct {
	name string
	role bool
}

func (g grantee) String() string {
	if g.role {
		return fmt.Sprintf("role %q", g.name)
	}
	return fmt.Sprintf("user %q", g.name)
}

// place is where a grant is kept: whose it is and on what.
type place struct {
	who grantee
	on  object
}

// membership is a grantee in a role.
type membership struct {
	who  grantee
	role string // in lower case
}

// changes is the net effect of GRANT and REVOKE over the auth file: what it does
// not say and holds, and what it says and does not hold. A privilege or
// membership is in one of the two at most. Immutable once published.
type changes struct {
	granted, revoked map[place]privileges
	joined, left     map[membership]bool
}

func newChanges() *changes {
	return &changes{
		granted: map[place]privileges{}, revoked: map[place]privileges{},
		joined: map[membership]bool{}, left: map[membership]bool{},
	}
}

func (c *changes) clone() *changes {
	return &changes{
		granted: maps.Clone(c.granted), revoked: maps.Clone(c.revoked),
		joined: maps.Clone(c.joined), left: maps.Clone(c.left),
	}
}

// grant notes privileges that base, the auth file's own, may have already.
func (c *changes) grant(p place, set, base privileges) {
	setOrDelete(c.revoked, p, c.revoked[p]&^set)
	setOrDelete(c.granted, p, c.granted[p]|set&^base)
}

// revoke notes that privileges are gone.
func (c *changes) revoke(p place, set, base privileges) {
	setOrDelete(c.granted, p, c.granted[p]&^set)
	setOrDelete(c.revoked, p, c.revoked[p]|set&base)
}

func setOrDelete(m map[place]privileges, p place, set privileges) {
	if set == 0 {
		delete(m, p)
		return
	}
	m[p] = set
}

// member notes that a grantee is, or is no longer, in a role; base says whether
// the auth file has it there.
func (c *changes) member(m membership, in, base bool) {
	delete(c.joined, m)
	delete(c.left, m)
	if in && !base {
		c.joined[m] = true
	}
	if !in && base {
		c.left[m] = true
	}
}

// apply returns the rules of the auth file with the changes, and whom the
// changes name that the auth file no longer has: those count for nothing.
//
// Errors: KindInvalid if roles would inherit in a circle.
func (c *changes) apply(base *ruleset) (*ruleset, []string, error) {
	r := *base
	r.users, r.roles = cloneHolders(base.users), cloneHolders(base.roles)
	var unknown []string
	edit := func(who grantee, change func(*holder)) {
		h := r.holder(who)
		if h == nil {
			unknown = append(unknown, who.String())
			return
		}
		change(h)
	}
	for p, set := range c.granted {
		edit(p.who, func(h *holder) { h.grants[p.on] |= set })
	}
	for p, set := range c.revoked {
		edit(p.who, func(h *holder) { h.grants[p.on] &^= set })
	}
	for m := range c.joined {
		edit(m.who, func(h *holder) {
			if r.roles[m.role] == nil {
				unknown = append(unknown, grantee{name: m.role, role: true}.String())
				return
			}
			h.roles[m.role] = true
		})
	}
	for m := range c.left {
		edit(m.who, func(h *holder) { delete(h.roles, m.role) })
	}
	slices.Sort(unknown)
	if err := r.checkCycles(); err != nil {
		return nil, nil, lake.Wrap(lake.KindInvalid, "", err)
	}
	r.seal()
	return &r, slices.Compact(unknown), nil
}

func cloneHolders(m map[string]*holder) map[string]*holder {
	c := make(map[string]*holder, len(m))
	for name, h := range m {
		c[name] = h.clone()
	}
	return c
}

// holder returns a grantee; nil if there is none.
func (r *ruleset) holder(g grantee) *holder {
	if g.role {
		return r.roles[g.name]
	}
	return r.users[g.name]
}

// changesFile is the file as TOML has it.
type changesFile struct {
	Version int           `toml:"version"`
	Grant   []changeEntry `toml:"grant"`
	Revoke  []changeEntry `toml:"revoke"`
	Member  []memberEntry `toml:"member"`
	Left    []memberEntry `toml:"left"`
}

type changeEntry struct {
	User       string   `toml:"user,omitempty"`
	Role       string   `toml:"role,omitempty"`
	Privileges []string `toml:"privileges"`
	Schema     string   `toml:"schema,omitempty"`
	Table      string   `toml:"table,omitempty"`
}

type memberEntry struct {
	User string `toml:"user,omitempty"`
	Role string `toml:"role,omitempty"`
	In   string `toml:"in"`
}

// readChanges reads the file; one that does not exist holds no changes.
func readChanges(path string) (*changes, error) {
	var file changesFile
	c := newChanges()
	err := decodeTOML(path, &file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	f := &faults{path: path}
	if file.Version != grantsVersion {
		f.add("version", "%d is not %d, which this server reads", file.Version, grantsVersion)
		return nil, f.err()
	}
	c.granted = readEntries("grant", file.Grant, f)
	c.revoked = readEntries("revoke", file.Revoke, f)
	c.joined = readMembers("member", file.Member, f)
	c.left = readMembers("left", file.Left, f)
	return c, f.err()
}

func readEntries(key string, list []changeEntry, f *faults) map[place]privileges {
	m := map[place]privileges{}
	for i, e := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		set, err := parsePrivileges(e.Privileges)
		if err != nil {
			f.add(at, "%w", err)
		}
		who, err := oneGrantee(e.User, e.Role)
		if err != nil || e.Table != "" && e.Schema == "" {
			f.add(at, "names neither one user nor one role, or a table without its schema")
			continue
		}
		m[place{who: who, on: newObject(e.Schema, e.Table)}] |= set
	}
	return m
}

func readMembers(key string, list []memberEntry, f *faults) map[membership]bool {
	m := map[membership]bool{}
	for i, e := range list {
		who, err := oneGrantee(e.User, e.Role)
		if err != nil || e.In == "" {
			f.add(fmt.Sprintf("%s[%d]", key, i), "does not name one user or role and what it is in")
			continue
		}
		m[membership{who: who, role: strings.ToLower(e.In)}] = true
	}
	return m
}

func oneGrantee(user, role string) (grantee, error) {
	if (user == "") == (role == "") {
		return grantee{}, errors.New("name one user or one role")
	}
	if role != "" {
		return grantee{name: strings.ToLower(role), role: true}, nil
	}
	return grantee{name: user}, nil
}

// write replaces the file, so that a crash leaves the old or the new one, and
// returns when the new one is on disk.
func (c *changes) write(path string) error {
	file := changesFile{
		Version: grantsVersion,
		Grant:   entries(c.granted), Revoke: entries(c.revoked),
		Member: members(c.joined), Left: members(c.left),
	}
	text, err := toml.Marshal(file)
	if err != nil {
		return lake.Wrap(lake.KindInternal, "write grants", err)
	}
	return lake.Wrap(lake.KindUnavailable, "write grants", durable.Replace(path, append([]byte(grantsHeader), text...), grantsMode))
}

func entries(m map[place]privileges) []changeEntry {
	list := make([]changeEntry, 0, len(m))
	for p, set := range m {
		e := changeEntry{Schema: p.on.schema, Table: p.on.table}
		for _, privilege := range set.list() {
			e.Privileges = append(e.Privileges, string(privilege))
		}
		if e.User = p.who.name; p.who.role {
			e.User, e.Role = "", p.who.name
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b changeEntry) int {
		return slices.Compare([]string{a.User, a.Role, a.Schema, a.Table}, []string{b.User, b.Role, b.Schema, b.Table})
	})
	return list
}

func members(m map[membership]bool) []memberEntry {
	list := make([]memberEntry, 0, len(m))
	for k := range m {
		e := memberEntry{User: k.who.name, In: k.role}
		if k.who.role {
			e.User, e.Role = "", k.who.name
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b memberEntry) int {
		return slices.Compare([]string{a.User, a.Role, a.In}, []string{b.User, b.Role, b.In})
	})
	return list
}
