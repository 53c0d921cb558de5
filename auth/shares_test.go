package auth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
)

func TestNoUserTakesThePlacesOfAll(t *testing.T) {
	t.Parallel()
	s := auth.NewShares("places are taken", 100)
	ann, bob, root := &auth.Identity{User: "ann"}, &auth.Identity{User: "bob"}, &auth.Identity{User: "root"}
	take := func(id *auth.Identity, admin bool) (n int, err error) {
		for ; err == nil; n++ {
			err = s.Take(id, admin)
		}
		return n - 1, err
	}
	n, err := take(ann, false)
	require.Equal(t, 50, n)
	require.ErrorIs(t, err, lake.ErrExhausted)
	require.ErrorIs(t, err, auth.ErrShare)
	require.ErrorContains(t, err, "50 places are taken of user ann")
	n, err = take(bob, false)
	require.Equal(t, 45, n)
	require.ErrorIs(t, err, lake.ErrExhausted)
	require.NotErrorIs(t, err, auth.ErrShare)
	n, err = take(root, true)
	require.Equal(t, 5, n, "there is room for administrators")
	require.ErrorContains(t, err, "100 places are taken, which is the limit")
	s.Give(root)
	require.ErrorIs(t, s.Take(ann, false), auth.ErrShare)
	s.Give(ann)
	require.ErrorIs(t, s.Take(ann, false), lake.ErrExhausted)
	require.NoError(t, s.Take(root, true))

	nobody := auth.NewShares("places are taken", 10)
	for range 10 {
		require.NoError(t, nobody.Take(nil, false), "without users there is nothing to share")
	}
	require.ErrorIs(t, nobody.Take(nil, false), lake.ErrExhausted)
}
