package auth

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Policy answers what an Identity may do. A nil *Policy allows everything. With a
// policy, a nil Identity may do nothing: whoever calls without credentials must not
// get past a check that somebody forgot. Safe for concurrent use: a grant
// takes effect at the next call.
type Policy struct{ store *store }

// For returns what the identity may do now. A statement asks once, so that all
// that it checks is checked against the same state. Nil, which allows everything, for a nil Policy.
func (p *Policy) For(id *Identity) *Access {
	if p == nil {
		return nil
	}
	r := p.store.rules()
	a := &Access{rules: r, id: id}
	if id != nil {
		a.holders = r.holders(id)
	}
	return a
}

// Admin reports whether the identity may do what concerns all: grant, set
// options of the lake, see and kill statements of others.
func (p *Policy) Admin(id *Identity) bool { return p.For(id).Admin() }

// Access is what one identity may do in one state of the rules. It is immutable.
// A nil *Access allows everything.
type Access struct {
	rules   *ruleset
	id      *Identity
	holders []*holder
}

// Key is equal for two that allow the same: what is derived from an Access may
// be kept under it. Empty for nil.
func (a *Access) Key() string {
	if a == nil {
		return ""
	}
	if a.id == nil {
		return strconv.FormatUint(a.rules.version, 10)
	}
	return fmt.Sprintf("%d %q %q %q", a.rules.version, a.id.Method, a.id.User, a.id.Roles)
}

// User names whose access it is, for messages.
func (a *Access) User() string {
	if a == nil {
		return (*Identity)(nil).Name()
	}
	return a.id.Name()
}

// Check allows or refuses a privilege. An empty table asks for the schema
// as a whole; an empty schema too asks for the lake.
//
// Errors: KindForbidden, naming user, privilege and object.
func (a *Access) Check(privilege Privilege, schema, table string) error {
	if a == nil || a.held(newObject(schema, table))&privilege.bit() != 0 {
		return nil
	}
	return lake.Errorf(lake.KindForbidden, "user %q has no privilege %s on %s", a.User(), privilege, newObject(schema, table))
}

// held returns the privileges on an object, from grants on it and on what it lies in.
func (a *Access) held(o object) privileges {
	var set privileges
	a.visit(func(h *holder) {
		set |= h.grants[o] | h.grants[object{schema: o.schema}] | h.grants[object{}]
	})
	return set
}

// visit calls f for the identity's user and roles and for all that those inherit, once each.
func (a *Access) visit(f func(*holder)) {
	seen := map[*holder]bool{}
	var visit func(h *holder)
	visit = func(h *holder) {
		if h == nil || seen[h] {
			return
		}
		seen[h] = true
		f(h)
		for role := range h.roles {
			visit(a.rules.roles[role])
		}
	}
	for _, h := range a.holders {
		visit(h)
	}
}

// Visible reports whether there is any privilege on the table, so that metadata may
// show it. The right to create says nothing about tables that exist. An empty table
// asks for the schema: it is visible if anything in it is, or may be created.
func (a *Access) Visible(schema, table string) bool {
	if a == nil {
		return true
	}
	o := newObject(schema, table)
	if table != "" {
		return a.held(o)&^Create.bit() != 0
	}
	if a.held(o) != 0 {
		return true
	}
	visible := false
	a.visit(func(h *holder) {
		for on, set := range h.grants {
			visible = visible || set != 0 && on.within(o)
		}
	})
	return visible
}

// SeesAll reports whether every table and schema is visible.
func (a *Access) SeesAll() bool {
	return a == nil || a.held(object{})&^Create.bit() != 0
}

// RowFilter returns the SQL predicate over the table's columns that limits the rows
// that may be read; empty if all may. A role's own filter limits all that
// the role gives, by itself or inherited; what several roles give is united. Without
// the privilege to select it is a predicate that no row fulfils.
func (a *Access) RowFilter(schema, table string) string {
	if a == nil || a.Admin() {
		return ""
	}
	o := newObject(schema, table)
	memo := map[*holder]rowFilter{}
	var all rowFilter
	for _, h := range a.holders {
		all = all.or(a.filterOf(h, o, memo))
	}
	return all.sql()
}

// filterOf returns the rows that a holder gives to read. Roles do not inherit in circles.
func (a *Access) filterOf(h *holder, o object, memo map[*holder]rowFilter) rowFilter {
	if h == nil {
		return rowFilter{}
	}
	if f, ok := memo[h]; ok {
		return f
	}
	own := h.grants[o] | h.grants[object{schema: o.schema}] | h.grants[object{}]
	f := rowFilter{all: own&Select.bit() != 0}
	for role := range h.roles {
		f = f.or(a.filterOf(a.rules.roles[role], o, memo))
	}
	if text := h.filters[o]; text != "" {
		f = f.and(text)
	}
	memo[h] = f
	return f
}

// rowFilter is a set of rows of a table: all, or those that fulfil one of the
// predicates; none without any.
type rowFilter struct {
	all        bool
	predicates []string // sorted, without duplicates
}

func (f rowFilter) or(g rowFilter) rowFilter {
	if f.all || g.all {
		return rowFilter{all: true}
	}
	list := slices.Concat(f.predicates, g.predicates)
	slices.Sort(list)
	return rowFilter{predicates: slices.Compact(list)}
}

func (f rowFilter) and(predicate string) rowFilter {
	if f.all {
		return rowFilter{predicates: []string{predicate}}
	}
	out := rowFilter{}
	for _, p := range f.predicates {
		out.predicates = append(out.predicates, enclose(predicate)+" AND "+enclose(p))
	}
	return out
}

// enclose puts a predicate in parentheses. The line break ends a comment that the
// predicate may end with.
func enclose(predicate string) string { return "(" + predicate + "\n)" }

func (f rowFilter) sql() string {
	switch {
	case f.all:
		return ""
	case len(f.predicates) == 0:
		return "false"
	case len(f.predicates) == 1:
		return f.predicates[0]
	}
	parts := make([]string, len(f.predicates))
	for i, p := range f.predicates {
		parts[i] = enclose(p)
	}
	return strings.Join(parts, " OR ")
}

// Admin reports whether the identity may do what concerns all: grant, set
// options of the lake, see and kill statements of others.
func (a *Access) Admin() bool {
	if a == nil {
		return true
	}
	admin := false
	a.visit(func(h *holder) { admin = admin || h == a.rules.roles[roleAdmin] })
	return admin
}

// Unrestricted reports whether the identity may read every row of every table,
// and so the catalog's own tables and statistics.
func (a *Access) Unrestricted() bool {
	if a == nil || a.Admin() {
		return true
	}
	return slices.ContainsFunc(a.holders, a.givesAll)
}

// givesAll reports whether a holder gives all rows of the lake to read.
func (a *Access) givesAll(h *holder) bool {
	if h == nil || len(h.filters) > 0 {
		return false
	}
	if h.grants[object{}]&Select.bit() != 0 {
		return true
	}
	for role := range h.roles {
		if a.givesAll(a.rules.roles[role]) {
			return true
		}
	}
	return false
}
