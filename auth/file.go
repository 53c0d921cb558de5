package auth

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/flightlake/flightlake/lake"
)

// authFile is the auth file as TOML has it. docs/security.md describes its keys.
type authFile struct {
	Users map[string]userEntry `toml:"users"`
	Roles map[string]roleEntry `toml:"roles"`
	JWT   *tokenEntry          `toml:"jwt"`
	MTLS  *certificateEntry    `toml:"mtls"`
}

type userEntry struct {
	Password secret       `toml:"password"`
	Roles    []string     `toml:"roles"`
	Grants   []grantEntry `toml:"grants"`
}

type roleEntry struct {
	Inherits   []string      `toml:"inherits"`
	Grants     []grantEntry  `toml:"grants"`
	RowFilters []filterEntry `toml:"row_filters"`
}

type grantEntry struct {
	Privileges []string `toml:"privileges"`
	Schema     string   `toml:"schema"`
	Table      string   `toml:"table"`
}

type filterEntry struct {
	Schema string `toml:"schema"`
	Table  string `toml:"table"`
	Filter string `toml:"filter"`
}

type tokenEntry struct {
	HS256SecretFile string `toml:"hs256_secret_file"`
	JWKSFile        string `toml:"jwks_file"`
	Issuer          string `toml:"issuer"`
	Audience        string `toml:"audience"`
	UserClaim       string `toml:"user_claim"`
	RolesClaim      string `toml:"roles_claim"`
	Leeway          string `toml:"leeway"`
}

type certificateEntry struct {
	UserFrom string `toml:"user_from"`
}

// leewayDefault and leewayMax bound by how much the clocks of a token's issuer
// and of this server may differ.
const (
	leewayDefault = 10 * time.Second
	leewayMax     = 10 * time.Minute
)

// faults collects what is wrong with one file, so that all of it is reported at once.
type faults struct {
	path string
	list []error
}

func (f *faults) add(key, format string, args ...any) {
	f.list = append(f.list, fmt.Errorf("%s: %s: %w", f.path, key, fmt.Errorf(format, args...)))
}

func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return lake.Errorf(lake.KindInvalid, "%w", errors.Join(f.list...))
}

// decodeTOML reads a file into v. Errors name file, line and key, but quote
// nothing of the file, which holds secrets.
func decodeTOML(path string, v any) error {
	data, err := readBounded(path)
	if err != nil {
		return err
	}
	meta, err := toml.Decode(string(data), v)
	if err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			return lake.Errorf(lake.KindInvalid, "%s: line %d, key %q: this is not what TOML allows here, or has the wrong type",
				path, parse.Position.Line, parse.LastKey)
		}
		return lake.Errorf(lake.KindInvalid, "%s: %w", path, err)
	}
	f := faults{path: path}
	for _, key := range meta.Undecoded() {
		f.add(key.String(), "this key is not known")
	}
	return f.err()
}

// readAuthFile reads and checks the auth file and the files that it names, which it
// returns as they were before they were read, also with an error. Errors name every fault;
// check finds those of row filters.
func readAuthFile(path string, check func(string) error) (*ruleset, []fileStamp, error) {
	var file authFile
	if err := decodeTOML(path, &file); err != nil {
		return nil, nil, err
	}
	files := file.JWT.files(path)
	stamps := stampFiles(files)
	f := &faults{path: path}
	r := newRuleset()
	addRoles(r, file.Roles, f)
	addFilters(r, file.Roles, check, f)
	addUsers(r, file.Users, f)
	if len(file.Users) == 0 && file.JWT == nil {
		f.add("users", "there are none, and no section [jwt]: nobody could log in")
	}
	if file.JWT != nil {
		r.tokens = newTokenRules(path, file.JWT, f)
	}
	if file.MTLS != nil {
		r.certificates = certificateName(file.MTLS.UserFrom)
		if !r.certificates.known() {
			f.add("mtls.user_from", "%q is none of %s", file.MTLS.UserFrom, certificateNames)
		}
	}
	if err := r.checkCycles(); err != nil {
		f.add("roles", "%w", err)
	}
	return r, stamps, f.err()
}

// files returns the paths of the files that the section names.
func (e *tokenEntry) files(base string) []string {
	var paths []string
	if e != nil && e.HS256SecretFile != "" {
		paths = append(paths, beside(base, e.HS256SecretFile))
	}
	if e != nil && e.JWKSFile != "" {
		paths = append(paths, beside(base, e.JWKSFile))
	}
	return paths
}

func addRoles(r *ruleset, roles map[string]roleEntry, f *faults) {
	names := slices.Sorted(maps.Keys(roles)) // so that faults come in one order
	for _, name := range names {
		if h := r.roles[strings.ToLower(name)]; h != nil {
			f.add("roles."+name, "a role of this name exists; reader, writer and admin are built in")
			continue
		}
		r.roles[strings.ToLower(name)] = newHolder(strings.ToLower(name))
	}
	for _, name := range names {
		key, entry := "roles."+name, roles[name]
		h := r.roles[strings.ToLower(name)]
		h.addMemberships(r, key+".inherits", entry.Inherits, f)
		h.addGrants(key+".grants", entry.Grants, f)
	}
}

// addFilters gives the roles their row filters.
func addFilters(r *ruleset, roles map[string]roleEntry, check func(string) error, f *faults) {
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		h := r.roles[strings.ToLower(name)]
		for i, rf := range roles[name].RowFilters {
			o := newObject(rf.Schema, rf.Table)
			key := fmt.Sprintf("roles.%s.row_filters[%d]", name, i)
			switch {
			case rf.Schema == "" || rf.Table == "":
				f.add(key, "a row filter names schema and table")
			case strings.TrimSpace(rf.Filter) == "":
				f.add(key, "filter is empty: give an SQL condition on the table's columns")
			case h.filters[o] != "":
				f.add(key, "%s has a filter in this role already", o)
			default:
				h.filters[o] = rf.Filter
				if err := check(rf.Filter); err != nil {
					f.add(key, "%w", err)
				}
			}
		}
	}
}

func addUsers(r *ruleset, users map[string]userEntry, f *faults) {
	for _, name := range slices.Sorted(maps.Keys(users)) {
		key, entry, h := "users."+name, users[name], newHolder(name)
		h.addMemberships(r, key+".roles", entry.Roles, f)
		h.addGrants(key+".grants", entry.Grants, f)
		if entry.Password != "" {
			hash, err := parseHash(entry.Password)
			if err != nil {
				f.add(key+".password", "%w", err)
			}
			h.password = hash
		}
		if name == "" {
			f.add("users", "a user's name is empty")
		}
		r.users[name] = h
	}
}

// addMemberships makes h a member of roles.
func (h *holder) addMemberships(r *ruleset, key string, roles []string, f *faults) {
	for _, role := range roles {
		role = strings.ToLower(role)
		if r.roles[role] == nil {
			f.add(key, "role %q does not exist", role)
			continue
		}
		h.roles[role] = true
	}
}

func (h *holder) addGrants(key string, grants []grantEntry, f *faults) {
	for i, g := range grants {
		at := fmt.Sprintf("%s[%d]", key, i)
		set, err := parsePrivileges(g.Privileges)
		if err != nil {
			f.add(at, "%w", err)
		}
		if g.Table != "" && g.Schema == "" {
			f.add(at, "table %q needs its schema", g.Table)
			continue
		}
		h.grants[newObject(g.Schema, g.Table)] |= set
	}
}

// parsePrivileges reads names of privileges; "all" means all of them.
func parsePrivileges(names []string) (privileges, error) {
	if len(names) == 0 {
		return 0, errors.New("privileges is empty")
	}
	var set privileges
	for _, name := range names {
		name = strings.ToLower(name)
		bit := Privilege(name).bit()
		if name == "all" {
			bit = privilegesAll
		}
		if bit == 0 {
			return 0, fmt.Errorf("privilege %q is none of all, %s", name, joinPrivileges(Privileges()))
		}
		set |= bit
	}
	return set, nil
}

func joinPrivileges(list []Privilege) string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}

// beside returns a path that the auth file at base names: relative ones are
// relative to its folder.
func beside(base, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(base), path)
}
