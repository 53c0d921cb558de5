package auth

// Identity is who makes a call. It is immutable. A nil *Identity is a caller of
// a server without authentication, who may do everything.
type Identity struct {
	User string
	// Roles are the names of the user's roles, sorted, without duplicates.
	Roles []string
}

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
