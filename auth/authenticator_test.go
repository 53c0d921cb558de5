package auth

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

func twoUsers() string {
	return "[users.alice]\npassword = '" + cheap("wonder") + "'\nroles = [\"writer\", \"reader\"]\n" +
		"[users.bob]\npassword = '" + cheap("build") + "'\n[users.carol]\nroles = [\"reader\"]\n"
}

func TestPasswordRecognisesUser(t *testing.T) {
	t.Parallel()
	f := setup(t, twoUsers())
	for range 2 { // the second is remembered
		id, err := f.auth.Password(t.Context(), "alice", "wonder")
		require.NoError(t, err)
		require.Equal(t, "alice", id.User)
		require.Equal(t, []string{"reader", "writer"}, id.Roles)
	}
}

func TestWrongPasswordAndUnknownUserReadTheSame(t *testing.T) {
	t.Parallel()
	f := setup(t, twoUsers())
	_, err := f.auth.Password(t.Context(), "alice", "wonder")
	require.NoError(t, err, "a remembered password must not let others in")
	for name, c := range map[string][2]string{
		"wrong":                     {"alice", "wonderland"},
		"wrong after right":         {"alice", "wonder\x00"},
		"empty":                     {"alice", ""},
		"too long":                  {"alice", strings.Repeat("x", PasswordBytesMax+1)},
		"another's":                 {"alice", "build"},
		"unknown user":              {"mallory", "wonder"},
		"unknown, another's":        {"mallory", "build"},
		"no password in the file":   {"carol", "build"},
		"no password, and another":  {"carol", "wonder"},
		"other case":                {"Alice", "wonder"},
		"name and password shifted": {"alicew", "onder"},
	} {
		id, err := f.auth.Password(t.Context(), c[0], c[1])
		require.Nil(t, id, name)
		require.ErrorIs(t, err, lake.ErrUnauthenticated, name)
		require.EqualError(t, err, "user or password is wrong", name)
	}
}

func TestUnknownUserCostsAHash(t *testing.T) {
	t.Parallel()
	f := setup(t, twoUsers())
	require.True(t, f.auth.memory.TryAcquire(VerifyBytesMax), "nothing can be computed")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, user := range []string{"alice", "mallory", "carol"} {
		_, err := f.auth.Password(ctx, user, "x")
		require.ErrorIs(t, err, context.Canceled, user)
	}
}

func TestRightPasswordIsRememberedForAShortTime(t *testing.T) {
	t.Parallel()
	f := setup(t, twoUsers())
	login := func() error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := f.auth.Password(ctx, "alice", "wonder")
		return err
	}
	_, err := f.auth.Password(t.Context(), "alice", "wonder")
	require.NoError(t, err)
	require.True(t, f.auth.memory.TryAcquire(VerifyBytesMax))
	require.NoError(t, login(), "needs no hash")
	f.clock.advance(verifiedFor)
	require.ErrorIs(t, login(), context.Canceled, "needs a hash again")
}

func TestNewPasswordEndsTheOld(t *testing.T) {
	t.Parallel()
	f := setup(t, twoUsers())
	id, err := f.auth.Password(t.Context(), "alice", "wonder")
	require.NoError(t, err)
	f.write(t, strings.Replace(twoUsers(), cheap("wonder"), cheap("changed"), 1))
	_, err = f.auth.Password(t.Context(), "alice", "wonder")
	require.ErrorIs(t, err, lake.ErrUnauthenticated, "although it was remembered")
	_, err = f.auth.Refresh(id)
	require.ErrorIs(t, err, lake.ErrUnauthenticated, "although a handshake took it")
	_, err = f.auth.Password(t.Context(), "alice", "changed")
	require.NoError(t, err)
}

func TestLoginsThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	f := setup(t, twoUsers())
	require.True(t, f.auth.memory.TryAcquire(VerifyBytesMax))
	ctx, cancel := context.WithCancel(t.Context())
	exhausted := make(chan error)
	var wg sync.WaitGroup
	for range verifyWaitersMax + 1 {
		wg.Go(func() {
			_, err := f.auth.Password(ctx, "alice", "x")
			if lake.KindOf(err) == lake.KindExhausted {
				exhausted <- err
			}
		})
	}
	require.Error(t, <-exhausted, "one too many is sent away while the others wait")
	cancel()
	wg.Wait()
	f.auth.memory.Release(VerifyBytesMax)
	_, err := f.auth.Password(t.Context(), "alice", "wonder")
	require.NoError(t, err)
}

func TestConcurrentLogins(t *testing.T) {
	t.Parallel()
	f := setup(t, twoUsers())
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for range 20 {
				_, err := f.auth.Password(context.Background(), "alice", "wonder")
				require.NoError(t, err)
				_, err = f.auth.Password(context.Background(), "bob", "wonder")
				require.ErrorIs(t, err, lake.ErrUnauthenticated)
				if i == 0 {
					f.clock.advance(time.Second)
				}
			}
		})
	}
	wg.Wait()
}

func TestRefreshFollowsTheFile(t *testing.T) {
	t.Parallel()
	f := setup(t, twoUsers())
	id, err := f.auth.Password(t.Context(), "alice", "wonder")
	require.NoError(t, err)
	f.write(t, strings.Replace(twoUsers(), `["writer", "reader"]`, `["reader"]`, 1))
	now, err := f.auth.Refresh(id)
	require.NoError(t, err)
	require.Equal(t, []string{"reader"}, now.Roles)
	f.write(t, "[users.bob]\n")
	_, err = f.auth.Refresh(id)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
	_, err = f.auth.Refresh(nil)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
}

func certificate(c *testClock) *x509.Certificate {
	uri, _ := url.Parse("spiffe://lake/alice")
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "alice"}, DNSNames: []string{"alice", "alice.lan"},
		EmailAddresses: []string{"nobody@example.com"}, URIs: []*url.URL{uri}, NotAfter: c.Now().Add(time.Hour),
	}
}

func TestCertificateNamesUser(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{"cn": "", "san_uri": "", "san_dns": "2 names", "san_email": "not in the auth file"} {
		f := setup(t, "[users.alice]\nroles = [\"reader\"]\n[users.'spiffe://lake/alice']\n[mtls]\nuser_from = \""+from+"\"\n")
		id, err := f.auth.Certificate(certificate(f.clock))
		if want != "" {
			require.ErrorIs(t, err, lake.ErrUnauthenticated, from)
			require.ErrorContains(t, err, want, from)
			continue
		}
		require.NoError(t, err, from)
		require.Contains(t, id.User, "alice", from)
		f.clock.advance(2 * time.Hour)
		_, err = f.auth.Certificate(certificate(newClock()))
		require.ErrorContains(t, err, "expired", from)
		_, err = f.auth.Refresh(id)
		require.ErrorIs(t, err, lake.ErrUnauthenticated, "a connection outlives its certificate")
	}
}

func TestCertificateWithoutSectionOrNameIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, "[users.alice]\n")
	_, err := f.auth.Certificate(certificate(f.clock))
	require.ErrorContains(t, err, "[mtls]")
	f = setup(t, "[users.alice]\n[mtls]\nuser_from = \"cn\"\n")
	cert := certificate(f.clock)
	cert.Subject.CommonName = ""
	_, err = f.auth.Certificate(cert)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
}
