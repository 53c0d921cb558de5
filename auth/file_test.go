package auth

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	path := writeFile(t, filepath.Join(t.TempDir(), "auth.toml"), `
[users.alice]
password = "s3cr3t-in-plain"
roles = ["reader", "nobody"]
[users.bob]
grants = [{privileges = ["selekt"], table = "t"}, {privileges = []}]
[roles.Reader]
[roles.a]
inherits = ["b", "ghost"]
row_filters = [{schema = "s", filter = "x"}, {schema = "s", table = "t", filter = " "}, {schema = "s", table = "u", filter = "x"}, {schema = "S", table = "U", filter = "y"}]
[roles.b]
inherits = ["A"]
[jwt]
leeway = "soon"
hs256_secret_file = "missing"
jwks_file = "missing.json"
[mtls]
user_from = "ou"
`)
	_, _, err := Load(path, Options{})
	require.ErrorIs(t, err, lake.ErrInvalid)
	for _, want := range []string{
		path, "users.alice.password", "users.alice.roles", `"nobody"`, `"selekt"`, `table "t" needs its schema`,
		"users.bob.grants[1]", "roles.Reader", `"ghost"`, "row_filters[0]", "row_filters[1]", "row_filters[3]",
		"in a circle: a, b, a", "jwt.leeway", "jwt.hs256_secret_file", "jwt.jwks_file", "mtls.user_from",
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "s3cr3t")
}

func TestRowFilterIsCheckedBeforeItIsNeeded(t *testing.T) {
	t.Parallel()
	text := "[users.a]\nroles = ['x']\n[roles.x]\nrow_filters = [{schema = 's', table = 't', filter = 'a = 1'}, {schema = 's', table = 'u', filter = 'wrong'}]\n"
	path := writeFile(t, filepath.Join(t.TempDir(), "auth.toml"), text)
	_, _, err := Load(path, Options{CheckFilterFunc: func(filter string) error {
		if filter == "wrong" {
			return lake.Errorf(lake.KindInvalid, "it is %s", filter)
		}
		return nil
	}})
	require.ErrorIs(t, err, lake.ErrInvalid)
	require.ErrorContains(t, err, "roles.x.row_filters[1]: it is wrong")
	require.NotContains(t, err.Error(), "row_filters[0]")
	_, _, err = Load(path, Options{})
	require.NoError(t, err)
}

func TestAuthFileThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"unknown keys, all of them":         {"[users.a]\npasswort = \"x\"\n[jwd]\nx = 1\n", "users.a.passwort"},
		"wrong type":                        {"[users.a]\nroles = \"reader\"\n", "users.a.roles"},
		"not TOML, with the secret":         {"[users.a]\npassword = s3cr3t\n", "line 2"},
		"a number, with the secret":         {"[users.a]\npassword = 53cr3t\n", "line 2"},
		"nobody, as in a file half written": {"", "nobody could log in"},
		"jwt without key":                   {"[jwt]\nissuer = \"x\"\n", "jwt: hs256_secret_file or jwks_file"},
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "auth.toml"), c.text)
		_, _, err := Load(path, Options{})
		require.ErrorIs(t, err, lake.ErrInvalid, name)
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, path, name)
		require.NotContains(t, err.Error(), "s3cr3t", name)
		require.NotContains(t, err.Error(), "53cr3t", name)
	}
}

func TestMissingAuthFileIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.toml")
	_, _, err := Load(path, Options{})
	require.ErrorIs(t, err, lake.ErrNotFound)
	require.ErrorContains(t, err, path)
}

func TestShortSecretOfHS256IsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "secret"), "0123456789012345678901234567890\n") // 31 and a line break
	path := writeFile(t, filepath.Join(dir, "auth.toml"), "[jwt]\nhs256_secret_file = \"secret\"\n")
	_, _, err := Load(path, Options{})
	require.ErrorContains(t, err, "holds 31 bytes")
}

func TestFilesThatEverybodyReadsAreWarnedOf(t *testing.T) {
	t.Parallel()
	f := setup(t, "[users.a]\n")
	require.Empty(t, f.log.String())
	require.NoError(t, os.Chmod(f.path, 0o644))
	f.load(t)
	require.Contains(t, f.log.String(), "readable by everybody")
}

func TestBrokenGrantsFileIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"other version": "version = 2\n",
		"unknown key":   "version = 1\nx = 1\n",
		"both and none": "version = 1\n[[grant]]\nprivileges = [\"select\"]\n[[member]]\nuser = \"a\"\nrole = \"b\"\nin = \"reader\"\n",
		"privilege":     "version = 1\n[[revoke]]\nuser = \"a\"\nprivileges = [\"fly\"]\n",
		"table only":    "version = 1\n[[revoke]]\nuser = \"a\"\ntable = \"t\"\nprivileges = [\"all\"]\n",
		"circle":        "version = 1\n[[member]]\nrole = \"r\"\nin = \"r\"\n",
		"not even TOML": "grant:",
	} {
		dir := t.TempDir()
		path := writeFile(t, filepath.Join(dir, "auth.toml"), "[users.a]\n[roles.r]\n")
		writeFile(t, path+grantsSuffix, text)
		_, _, err := Load(path, Options{})
		require.ErrorIs(t, err, lake.ErrInvalid, name)
		require.ErrorContains(t, err, path+grantsSuffix, name)
	}
}
