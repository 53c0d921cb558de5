package auth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/durable"
	"github.com/flightlake/flightlake/lake"
)

const people = `
[users.root]
roles = ["admin"]
[users.rita]
roles = ["Reader"]
[users.wim]
roles = ["writer"]
[users.none]
[users.eve]
roles = ["eu"]
[users.both]
roles = ["eu", "us"]
[users.wide]
roles = ["eu", "reader"]
[users.boss]
roles = ["head"]
[users.tom]
grants = [{privileges = ["Select", "insert"], schema = "Sales", table = "Orders"}]
[users.sue]
grants = [{privileges = ["create"], schema = "sales"}, {privileges = ["drop"], schema = "stage", table = "x"}]
[users.cram]
grants = [{privileges = ["create"]}]
[users.half]
roles = ["narrow"]
grants = [{privileges = ["select"]}]
[users.sealed]
roles = ["blind"]
[roles.eu]
inherits = ["reader"]
row_filters = [{schema = "sales", table = "ORDERS", filter = "region = 'EU'"}]
[roles.us]
grants = [{privileges = ["select"], schema = "sales"}]
row_filters = [{schema = "sales", table = "orders", filter = "region = 'US' -- or"}]
[roles.head]
inherits = ["eu", "us"]
row_filters = [{schema = "sales", table = "orders", filter = "amount < 10"}]
[roles.narrow]
inherits = ["eu"]
[roles.blind]
row_filters = [{schema = "sales", table = "orders", filter = "true"}]
`

func TestPrivilegesAreUnited(t *testing.T) {
	t.Parallel()
	f := setup(t, people)
	for _, c := range []struct {
		user      string
		privilege Privilege
		schema    string
		table     string
		want      bool
	}{
		{"root", Drop, "", "", true},
		{"rita", Select, "sales", "orders", true},
		{"rita", Select, "", "", true},
		{"rita", Insert, "sales", "orders", false},
		{"wim", Create, "", "", true},
		{"wim", Delete, "a", "b", true},
		{"none", Select, "sales", "orders", false},
		{"eve", Select, "other", "t", true},
		{"tom", Select, "SALES", "orders", true},
		{"tom", Insert, "sales", "ORDERS", true},
		{"tom", Update, "sales", "orders", false},
		{"tom", Select, "sales", "order", false},
		{"tom", Select, "sales", "", false},
		{"tom", Select, "main", "orders", false},
		{"sue", Create, "sales", "", true},
		{"sue", Create, "", "", false},
		{"sue", Create, "main", "", false},
		{"sue", Drop, "stage", "X", true},
		{"sue", Drop, "stage", "", false},
		{"both", Select, "sales", "x", true},
		{"tom", "fly", "sales", "orders", false},
	} {
		id := f.user(t, c.user)
		err := f.policy.For(id).Check(c.privilege, c.schema, c.table)
		if c.want {
			require.NoError(t, err, "%v", c)
			continue
		}
		require.ErrorIs(t, err, lake.ErrForbidden, "%v", c)
		require.ErrorContains(t, err, c.user, "%v", c)
		require.ErrorContains(t, err, string(c.privilege), "%v", c)
	}
}

func TestVisibleIsWhatThereIsAPrivilegeOn(t *testing.T) {
	t.Parallel()
	f := setup(t, people)
	for _, c := range []struct {
		user, schema, table string
		want                bool
	}{
		{"none", "sales", "orders", false},
		{"none", "sales", "", false},
		{"tom", "sales", "orders", true},
		{"tom", "sales", "", true},
		{"tom", "sales", "secret", false},
		{"tom", "stage", "", false},
		{"sue", "sales", "", true},
		{"sue", "sales", "orders", false}, // creating is no right on what others made
		{"sue", "stage", "x", true},
		{"sue", "stage", "", true},
		{"cram", "anything", "", true},
		{"cram", "anything", "t", false},
		{"rita", "x", "y", true},
	} {
		require.Equal(t, c.want, f.policy.For(f.user(t, c.user)).Visible(c.schema, c.table), "%v", c)
	}
	for user, want := range map[string]bool{"rita": true, "eve": true, "root": true, "cram": false, "tom": false, "none": false} {
		require.Equal(t, want, f.policy.For(f.user(t, user)).SeesAll(), user)
	}
	require.True(t, (*Access)(nil).SeesAll())
}

func TestRowFilterIsOfTheRolesThatGiveTheTable(t *testing.T) {
	t.Parallel()
	f := setup(t, people)
	const eu, us = "region = 'EU'", "region = 'US' -- or"
	for user, want := range map[string]string{
		"root":   "",
		"rita":   "",
		"none":   "false",
		"eve":    eu, // the filter holds for what the role inherits
		"both":   "(" + eu + "\n) OR (" + us + "\n)",
		"wide":   "",
		"boss":   "((amount < 10\n) AND (" + eu + "\n)\n) OR ((amount < 10\n) AND (" + us + "\n)\n)",
		"tom":    "",
		"half":   "",
		"sealed": "false", // a filter gives nothing by itself
	} {
		require.Equal(t, want, f.policy.For(f.user(t, user)).RowFilter("Sales", "Orders"), user)
	}
	require.Empty(t, f.policy.For(f.user(t, "eve")).RowFilter("sales", "other"))
	require.Equal(t, "false", f.policy.For(f.user(t, "tom")).RowFilter("sales", "other"))
}

func TestUnrestrictedReadsEverything(t *testing.T) {
	t.Parallel()
	f := setup(t, people)
	for user, want := range map[string]bool{
		"root": true, "rita": true, "wim": true, "wide": true, "half": true,
		"none": false, "eve": false, "both": false, "boss": false, "tom": false, "sealed": false, "cram": false,
	} {
		require.Equal(t, want, f.policy.For(f.user(t, user)).Unrestricted(), user)
		require.Equal(t, user == "root", f.policy.Admin(f.user(t, user)), user)
	}
}

func TestNilPolicyAllowsAllAndNilIdentityNothing(t *testing.T) {
	t.Parallel()
	var off *Policy
	require.Nil(t, off.For(nil))
	require.NoError(t, off.For(nil).Check(Drop, "", ""))
	require.True(t, off.For(nil).Visible("a", "b"))
	require.Empty(t, off.For(nil).RowFilter("a", "b"))
	require.True(t, off.Admin(nil))
	require.True(t, off.For(nil).Unrestricted())
	require.ErrorIs(t, off.Apply(nil, Grant{}), lake.ErrState)
	require.Empty(t, off.For(nil).Key())
	require.Equal(t, "anonymous", off.For(nil).User())

	on := setup(t, people).policy
	require.ErrorIs(t, on.For(nil).Check(Select, "sales", "orders"), lake.ErrForbidden)
	require.False(t, on.For(nil).Visible("sales", "orders"))
	require.Equal(t, "false", on.For(nil).RowFilter("sales", "orders"))
	require.False(t, on.Admin(nil))
	require.False(t, on.For(nil).Unrestricted())
	require.ErrorIs(t, on.Apply(nil, Grant{}), lake.ErrForbidden)
	require.NotEmpty(t, on.For(nil).Key())
}

func TestKeyTellsCallersAndVersionsApart(t *testing.T) {
	t.Parallel()
	f := setup(t, people)
	seen := map[string]string{}
	for _, id := range []*Identity{
		nil,
		{},
		{User: "rita"},
		{User: "rita", Method: MethodBearer},
		{User: "rita", Method: MethodBearer, Roles: []string{"eu"}},
		{User: `rita" "eu`},
		f.user(t, "eve"),
	} {
		key := f.policy.For(id).Key()
		require.NotContains(t, seen, key)
		seen[key] = id.Name()
	}
	require.Contains(t, seen, f.policy.For(f.user(t, "eve")).Key())
	version := f.policy.store.rules().version
	f.write(t, people+"[users.more]\n")
	require.Greater(t, f.policy.store.rules().version, version)
	require.NotContains(t, seen, f.policy.For(f.user(t, "eve")).Key())
}

func TestUserOfAnotherServerMayNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, people)
	for _, id := range []*Identity{
		{User: "mallory", Roles: []string{"admin"}, Method: MethodPassword},
		{User: "eu", Roles: []string{"admin"}},
		{User: "admin", Method: MethodCertificate},
	} {
		require.False(t, f.policy.Admin(id), "roles of an identity count for tokens only")
		require.ErrorIs(t, f.policy.For(id).Check(Select, "sales", "orders"), lake.ErrForbidden)
	}
}

func TestChangedFileTakesEffectAtTheNextCall(t *testing.T) {
	t.Parallel()
	f := setup(t, people)
	tom := f.user(t, "tom")
	require.NoError(t, f.policy.For(tom).Check(Insert, "sales", "orders"))
	f.write(t, strings.Replace(people, `"Select", "insert"`, `"select"`, 1))
	require.ErrorIs(t, f.policy.For(tom).Check(Insert, "sales", "orders"), lake.ErrForbidden)
	require.NoError(t, f.policy.For(tom).Check(Select, "sales", "orders"))
	f.write(t, "[users.root]\nroles = [\"admin\"]\n")
	require.ErrorIs(t, f.policy.For(tom).Check(Select, "sales", "orders"), lake.ErrForbidden)
}

func TestBrokenFileKeepsTheRulesAndIsLoggedOnce(t *testing.T) {
	t.Parallel()
	f := setup(t, people)
	version := f.policy.store.rules().version
	f.write(t, "[users.root]\nroles = [\"admins\"]\n")
	for range 3 {
		require.NoError(t, f.policy.For(f.user(t, "tom")).Check(Select, "sales", "orders"))
		f.clock.advance(checkInterval)
	}
	require.Equal(t, 1, strings.Count(f.log.String(), "has faults"), f.log.String())
	require.Contains(t, f.log.String(), `admins`)
	require.Equal(t, version, f.policy.store.rules().version)
	f.write(t, people+"[users.more]\n")
	require.Greater(t, f.policy.store.rules().version, version)
}

func TestFileIsLookedAtOnceASecond(t *testing.T) {
	t.Parallel()
	f := setup(t, people)
	f.policy.store.rules()
	require.NoError(t, durable.Replace(f.path, []byte(people+"[users.more]\n"), 0o600))
	version := f.policy.store.rules().version
	f.clock.advance(checkInterval - 1)
	require.Equal(t, version, f.policy.store.rules().version)
	f.clock.advance(1)
	require.Greater(t, f.policy.store.rules().version, version)
}
