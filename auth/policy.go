package auth

// Policy answers what an Identity may do. A nil *Policy, and a nil Identity, may
// do everything. Safe for concurrent use: a grant takes effect at the next call.
type Policy struct{}

// Check allows or refuses a privilege. An empty table asks for the schema
// as a whole; an empty schema too asks for the lake.
//
// Errors: KindForbidden, naming user, privilege and object.
func (p *Policy) Check(id *Identity, privilege Privilege, schema, table string) error {
	return nil
}

// Visible reports whether the identity has any privilege on the table, so that
// metadata may show it. An empty table asks whether anything in the schema is visible.
func (p *Policy) Visible(id *Identity, schema, table string) bool { return true }

// RowFilter returns the SQL predicate over the table's columns that limits the
// rows that the identity may read; empty if it may read all.
func (p *Policy) RowFilter(id *Identity, schema, table string) string { return "" }

// Admin reports whether the identity may do what concerns all: grant, set
// options of the lake, see and kill statements of others.
func (p *Policy) Admin(id *Identity) bool { return true }

// Unrestricted reports whether the identity may read every row of every table,
// and so the catalog's own tables and statistics.
func (p *Policy) Unrestricted(id *Identity) bool { return true }

// Version changes with every change of what anybody may do.
func (p *Policy) Version() uint64 { return 0 }

// Grant is one GRANT or REVOKE.
type Grant struct {
	Revoke     bool
	Privileges []Privilege // nil means all
	// Schema and Table name the object; both empty means the lake.
	Schema, Table string
	// Role, if set, grants membership in a role instead of privileges.
	Role string
	// Grantees are users or roles.
	Grantees []string
}

// Apply changes the grants, durably, before it returns.
//
// Errors: KindForbidden unless by is an admin; KindNotFound for an unknown
// grantee or role; KindState without authentication.
func (p *Policy) Apply(by *Identity, g Grant) error { return nil }
