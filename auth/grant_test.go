package auth

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/lake"
)

const grantees = `
[users.root]
roles = ["admin"]
[users.ann]
grants = [{privileges = ["select", "insert"], schema = "s", table = "t"}, {privileges = ["create"], schema = "s"}]
[users.reader]
[users.Ben]
roles = ["team"]
[users.lou]
grants = [{privileges = ["select"]}]
[roles.team]
inherits = ["reader"]
[roles.outer]
inherits = ["team"]
`

func (f *fixture) apply(t *testing.T, g Grant) error {
	t.Helper()
	return f.policy.Apply(f.user(t, "root"), g)
}

// again loads the files as a new process does.
func (f *fixture) again(t *testing.T) *fixture {
	t.Helper()
	g := &fixture{path: f.path, clock: f.clock, log: f.log}
	g.load(t)
	return g
}

func TestGrantTakesEffectAtOnceAndSurvives(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	ben := f.user(t, "Ben")
	version := f.policy.store.rules().version
	require.ErrorIs(t, f.policy.For(ben).Check(Insert, "s", "t"), lake.ErrForbidden)
	require.NoError(t, f.apply(t, Grant{Privileges: []Privilege{Insert}, Schema: "S", Table: "T", Grantees: []string{"Ben"}}))
	require.NoError(t, f.policy.For(ben).Check(Insert, "s", "t"))
	require.Greater(t, f.policy.store.rules().version, version)
	require.NoError(t, f.again(t).policy.For(ben).Check(Insert, "s", "t"))
	require.ErrorIs(t, f.again(t).policy.For(ben).Check(Insert, "s", "u"), lake.ErrForbidden)
	info, err := os.Stat(f.path + grantsSuffix)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, f.apply(t, Grant{Revoke: true, Privileges: []Privilege{Insert}, Schema: "s", Table: "t", Grantees: []string{"Ben"}}))
	require.ErrorIs(t, f.policy.For(ben).Check(Insert, "s", "t"), lake.ErrForbidden)
	text, err := os.ReadFile(f.path + grantsSuffix)
	require.NoError(t, err)
	require.NotContains(t, string(text), "Ben", "the net effect is nothing")
}

func TestRevokeTakesWhatTheAuthFileGives(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	ann := f.user(t, "ann")
	require.NoError(t, f.apply(t, Grant{Revoke: true, Privileges: []Privilege{Select}, Schema: "s", Table: "t", Grantees: []string{"ann"}}))
	for _, p := range []*Policy{f.policy, f.again(t).policy} {
		require.ErrorIs(t, p.For(ann).Check(Select, "s", "t"), lake.ErrForbidden)
		require.NoError(t, p.For(ann).Check(Insert, "s", "t"))
	}
	f.write(t, grantees+"[users.more]\n")
	require.ErrorIs(t, f.policy.For(ann).Check(Select, "s", "t"), lake.ErrForbidden, "also after the auth file is read anew")
	require.NoError(t, f.apply(t, Grant{Privileges: []Privilege{Select}, Schema: "s", Table: "t", Grantees: []string{"ann"}}))
	require.NoError(t, f.again(t).policy.For(ann).Check(Select, "s", "t"))
}

func TestRevokeOnASchemaTakesWhatIsInIt(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	ann := f.user(t, "ann")
	require.NoError(t, f.apply(t, Grant{Revoke: true, Schema: "s", Grantees: []string{"ann"}}))
	for _, p := range []*Policy{f.policy, f.again(t).policy} {
		require.False(t, p.For(ann).Visible("s", "t"))
		require.False(t, p.For(ann).Visible("s", ""))
	}
}

func TestMembershipIsGrantedAndRevoked(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	ann, ben := f.user(t, "ann"), f.user(t, "Ben")
	require.NoError(t, f.apply(t, Grant{Role: "ADMIN", Grantees: []string{"ann"}}))
	require.True(t, f.again(t).policy.Admin(ann))
	require.NoError(t, f.policy.Apply(ann, Grant{Revoke: true, Role: "team", Grantees: []string{"Ben"}}))
	require.ErrorIs(t, f.again(t).policy.For(ben).Check(Select, "s", "t"), lake.ErrForbidden)
	require.NoError(t, f.apply(t, Grant{Revoke: true, Role: "admin", Grantees: []string{"ann"}}))
	require.False(t, f.policy.Admin(ann))
	require.ErrorIs(t, f.policy.Apply(ann, Grant{Role: "admin", Grantees: []string{"ann"}}), lake.ErrForbidden)
}

func TestGrantsThatAreRefusedChangeNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	one := []Privilege{Select}
	for name, c := range map[string]struct {
		grant Grant
		kind  error
		want  string
	}{
		"unknown grantee":            {Grant{Privileges: one, Grantees: []string{"ann", "nobody"}}, lake.ErrNotFound, "nobody"},
		"user in other case":         {Grant{Privileges: one, Grantees: []string{"ben"}}, lake.ErrNotFound, "ben"},
		"unknown role":               {Grant{Role: "nobody", Grantees: []string{"ann"}}, lake.ErrNotFound, "nobody"},
		"built-in role":              {Grant{Privileges: one, Grantees: []string{"writer"}}, lake.ErrInvalid, "built in"},
		"circle":                     {Grant{Role: "outer", Grantees: []string{"team"}}, lake.ErrInvalid, "circle"},
		"role in itself":             {Grant{Role: "team", Grantees: []string{"team"}}, lake.ErrInvalid, "circle"},
		"unknown privilege":          {Grant{Privileges: []Privilege{"fly"}, Grantees: []string{"ann"}}, lake.ErrInvalid, "no privilege"},
		"table without schema":       {Grant{Privileges: one, Table: "t", Grantees: []string{"ann"}}, lake.ErrInvalid, "schema"},
		"not held":                   {Grant{Revoke: true, Privileges: []Privilege{Drop}, Schema: "s", Table: "t", Grantees: []string{"ann"}}, lake.ErrNotFound, "no grant of drop"},
		"held by a role":             {Grant{Revoke: true, Privileges: one, Schema: "s", Grantees: []string{"Ben"}}, lake.ErrNotFound, "by role team"},
		"held on more":               {Grant{Revoke: true, Privileges: one, Schema: "s", Table: "t", Grantees: []string{"lou"}}, lake.ErrNotFound, "on the lake: revoke it there"},
		"not a member":               {Grant{Revoke: true, Role: "reader", Grantees: []string{"Ben"}}, lake.ErrNotFound, "not a member"},
		"second grantee is at fault": {Grant{Revoke: true, Privileges: one, Grantees: []string{"lou", "ann", "Ben"}}, lake.ErrNotFound, "Ben"},
	} {
		err := f.apply(t, c.grant)
		require.ErrorIs(t, err, c.kind, name)
		require.ErrorContains(t, err, c.want, name)
	}
	require.ErrorIs(t, f.policy.Apply(f.user(t, "ann"), Grant{Privileges: one, Grantees: []string{"ann"}}), lake.ErrForbidden)
	_, err := os.Stat(f.path + grantsSuffix)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, f.policy.For(f.user(t, "lou")).Check(Select, "a", "b"))
}

func TestGrantsOfOneStatementAreAllOrNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	ben := f.user(t, "Ben")
	good := Grant{Privileges: []Privilege{Insert}, Schema: "s", Table: "t", Grantees: []string{"Ben"}}
	bad := Grant{Privileges: []Privilege{Insert}, Table: "t", Grantees: []string{"Ben"}}
	require.Error(t, f.policy.Apply(f.user(t, "root"), good, bad))
	require.ErrorIs(t, f.policy.For(ben).Check(Insert, "s", "t"), lake.ErrForbidden)
	other := Grant{Privileges: []Privilege{Drop}, Schema: "s", Grantees: []string{"Ben"}}
	require.NoError(t, f.policy.Apply(f.user(t, "root"), good, other))
	require.NoError(t, f.again(t).policy.For(ben).Check(Insert, "s", "t"))
	require.NoError(t, f.again(t).policy.For(ben).Check(Drop, "s", "x"))
}

func TestNameOfAUserAndARoleIsTheUser(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	require.NoError(t, f.apply(t, Grant{Privileges: []Privilege{Insert}, Grantees: []string{"reader"}}))
	require.NoError(t, f.policy.For(f.user(t, "reader")).Check(Insert, "s", "t"))
	require.ErrorIs(t, f.policy.For(f.user(t, "Ben")).Check(Insert, "s", "t"), lake.ErrForbidden)
}

func TestGrantOfAUserWhoIsGoneIsKeptAndWarnedOf(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	require.NoError(t, f.apply(t, Grant{Revoke: true, Schema: "s", Table: "t", Grantees: []string{"ann"}}))
	f.write(t, "[users.root]\nroles = [\"admin\"]\n")
	require.NoError(t, f.apply(t, Grant{Privileges: []Privilege{Select}, Grantees: []string{"root"}}))
	require.Contains(t, f.log.String(), "no effect")
	f.write(t, grantees)
	require.ErrorIs(t, f.policy.For(f.user(t, "ann")).Check(Select, "s", "t"), lake.ErrForbidden, "what was taken is not given back")
}

func TestGrantThatCannotBeWrittenChangesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	require.NoError(t, os.Mkdir(f.path+grantsSuffix, 0o700))
	require.NoError(t, os.WriteFile(f.path+grantsSuffix+"/x", nil, 0o600))
	require.Error(t, f.apply(t, Grant{Privileges: []Privilege{Insert}, Grantees: []string{"Ben"}}))
	require.ErrorIs(t, f.policy.For(f.user(t, "Ben")).Check(Insert, "s", "t"), lake.ErrForbidden)
}

func TestConcurrentGrantsAllCount(t *testing.T) {
	t.Parallel()
	f := setup(t, grantees)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			table := fmt.Sprintf("t%d", i)
			require.NoError(t, f.apply(t, Grant{Privileges: []Privilege{Insert}, Schema: "s", Table: table, Grantees: []string{"Ben"}}))
			require.NoError(t, f.policy.For(f.user(t, "Ben")).Check(Insert, "s", table))
		})
	}
	wg.Wait()
	again := f.again(t).policy
	for i := range 16 {
		require.NoError(t, again.For(f.user(t, "Ben")).Check(Insert, "s", fmt.Sprintf("t%d", i)))
	}
}

// TestGrantsAgreeWithASetOfPrivileges runs random grants and revokes against a plain set.
func TestGrantsAgreeWithASetOfPrivileges(t *testing.T) {
	t.Parallel()
	objects := []object{{}, {schema: "s"}, {schema: "s", table: "t"}, {schema: "s", table: "u"}, {schema: "v", table: "t"}}
	rapid.Check(t, func(rt *rapid.T) {
		f := setup(t, grantees)
		model := map[object]privileges{}
		for o, set := range f.policy.store.current.Load().users["ann"].grants {
			model[o] = set
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			g := Grant{
				Revoke:     rapid.Bool().Draw(rt, "revoke"),
				Privileges: rapid.SliceOfN(rapid.SampledFrom(Privileges()), 1, 3).Draw(rt, "privileges"),
				Grantees:   []string{"ann"},
			}
			o := rapid.SampledFrom(objects).Draw(rt, "object")
			g.Schema, g.Table = o.schema, o.table
			var set, taken privileges
			for _, p := range g.Privileges {
				set |= p.bit()
			}
			err := f.apply(t, g)
			if !g.Revoke {
				require.NoError(rt, err)
				model[o] |= set
				continue
			}
			for on := range model {
				if on.within(o) {
					taken |= model[on] & set
					model[on] &^= set
				}
			}
			require.Equal(rt, taken == 0, err != nil)
		}
		for _, p := range []*fixture{f, f.again(t)} {
			got := p.policy.store.current.Load().users["ann"].grants
			for _, o := range objects {
				require.Equal(rt, model[o], got[o], "%v", o)
			}
		}
	})
}
