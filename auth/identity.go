package auth

import (
	"slices"
	"time"
)

// Identity is who makes a call. It is immutable, and made of plain values, so
// that a server may seal it into a token. A nil *Identity is a caller of a
// server without authentication, who may do everything.
type Identity struct {
	User string
	// Roles are the names of the user's roles when the credential was checked,
	// sorted, without duplicates. For a JWT they are those of the token and count
	// as long as it is valid; for others the auth file of the moment decides.
	Roles []string
	// Method is how the user was recognised.
	Method Method
	// Expires is when the credential does; zero means never.
	Expires time.Time
	// Stamp stands for the password's hash that was checked, so that a new password
	// ends what was opened with the old one. Empty for other methods.
	Stamp string
}

// Method is a way to be recognised.
type Method string

// The methods.
const (
	MethodPassword    Method = "password"
	MethodBearer      Method = "jwt"
	MethodCertificate Method = "certificate"
)

// Name returns the user, or "anonymous" for nil.
func (id *Identity) Name() string {
	if id == nil {
		return "anonymous"
	}
	return id.User
}

// Same reports whether two callers are the same user; two anonymous ones are.
func (id *Identity) Same(other *Identity) bool {
	if id == nil || other == nil {
		return id == other
	}
	return id.User == other.User
}

// Privilege is something that a grant allows on a table, a schema or the lake.
type Privilege string

// The privileges.
const (
	Select Privilege = "select" // read rows
	Insert Privilege = "insert" // append rows
	Update Privilege = "update"
	Delete Privilege = "delete"
	Create Privilege = "create" // create tables in a schema, or schemas in the lake
	Drop   Privilege = "drop"   // drop, replace, alter or comment on what exists
)

// Privileges returns all privileges, in the order in which they are listed.
func Privileges() []Privilege {
	return []Privilege{Select, Insert, Update, Delete, Create, Drop}
}

// privileges is a set of Privilege: a bit for each, by its place in Privileges.
type privileges uint8

const privilegesAll privileges = 1<<6 - 1

// bit returns the set that holds p alone, and the empty set for an unknown p.
func (p Privilege) bit() privileges {
	i := slices.Index(Privileges(), p)
	if i < 0 {
		return 0
	}
	return 1 << i
}

// list returns the members in the order of Privileges.
func (s privileges) list() []Privilege {
	var out []Privilege
	for _, p := range Privileges() {
		if s&p.bit() != 0 {
			out = append(out, p)
		}
	}
	return out
}
