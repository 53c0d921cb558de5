package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

const hmacKey = "0123456789abcdef0123456789abcdef"

// issuer signs tokens with keys whose public halves are in a JWKS file.
type issuer struct {
	*fixture
	rsa  *rsa.PrivateKey
	ec   map[jose.SignatureAlgorithm]*ecdsa.PrivateKey
	ed   ed25519.PrivateKey
	jwks []byte
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	x := &issuer{ec: map[jose.SignatureAlgorithm]*ecdsa.PrivateKey{}}
	var err error
	x.rsa, err = rsa.GenerateKey(rand.Reader, rsaBitsMin)
	require.NoError(t, err)
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &x.rsa.PublicKey, KeyID: "rsa", Use: "sig"}}}
	for alg, curve := range map[jose.SignatureAlgorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		x.ec[alg] = k
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.PublicKey, KeyID: string(alg), Algorithm: string(alg)})
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	x.ed = private
	set.Keys = append(set.Keys,
		jose.JSONWebKey{Key: public, KeyID: "ed"},
		jose.JSONWebKey{Key: &x.rsa.PublicKey, KeyID: "rsa512", Algorithm: "RS512"},
		jose.JSONWebKey{Key: &x.rsa.PublicKey, KeyID: "sealing", Use: "enc"})
	x.jwks, err = json.Marshal(set)
	require.NoError(t, err)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "secret"), hmacKey+"\n")
	writeFile(t, filepath.Join(dir, "keys.json"), string(x.jwks))
	x.fixture = setup(t, `
[users.alice]
roles = ["reader"]
[roles.eu]
[jwt]
hs256_secret_file = "`+filepath.Join(dir, "secret")+`"
jwks_file = "`+filepath.Join(dir, "keys.json")+`"
issuer = "https://issuer"
audience = "lake"
leeway = "5s"
`)
	return x
}

// claims are those of a good token, with changes; nil removes one.
func (x *issuer) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"sub": "zoe", "roles": []string{"EU", "of-another-service"}, "iss": "https://issuer", "aud": []string{"other", "lake"},
		"exp": x.clock.Now().Add(time.Minute).Unix(), "nbf": x.clock.Now().Unix(), "iat": x.clock.Now().Unix(),
	}
	for k, v := range changes {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	if kid != "" {
		opts = opts.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	require.NoError(t, err)
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	signed, err := s.Sign(text)
	require.NoError(t, err)
	token, err := signed.CompactSerialize()
	require.NoError(t, err)
	return token
}

func TestTokensOfEveryAlgorithm(t *testing.T) {
	t.Parallel()
	x := newIssuer(t)
	tokens := map[string]string{
		"HS256": sign(t, jose.HS256, []byte(hmacKey), "", x.claims(nil)),
		"RS256": sign(t, jose.RS256, x.rsa, "rsa", x.claims(nil)),
		"RS384": sign(t, jose.RS384, x.rsa, "rsa", x.claims(nil)),
		"RS512": sign(t, jose.RS512, x.rsa, "rsa512", x.claims(nil)),
		"EdDSA": sign(t, jose.EdDSA, x.ed, "ed", x.claims(nil)),
	}
	for alg, k := range x.ec {
		tokens[string(alg)] = sign(t, alg, k, string(alg), x.claims(nil))
	}
	for alg, token := range tokens {
		id, err := x.auth.Bearer(t.Context(), token)
		require.NoError(t, err, alg)
		require.Equal(t, "zoe", id.User, alg)
		require.Equal(t, []string{"eu"}, id.Roles, "%s: roles that do not exist count for nothing", alg)
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	x := newIssuer(t)
	der, err := x509.MarshalPKIXPublicKey(x.rsa.Public())
	require.NoError(t, err)
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	b64 := base64.RawURLEncoding.EncodeToString
	body, err := json.Marshal(x.claims(nil))
	require.NoError(t, err)
	none := b64([]byte(`{"alg":"none"}`)) + "." + b64(body) + "."
	good := sign(t, jose.HS256, []byte(hmacKey), "", x.claims(nil))
	admin, err := json.Marshal(x.claims(map[string]any{"roles": "admin"}))
	require.NoError(t, err)
	parts := strings.Split(good, ".")
	mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	embedded, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: mine}, &jose.SignerOptions{EmbedJWK: true})
	require.NoError(t, err)
	signed, err := embedded.Sign(body)
	require.NoError(t, err)
	withKey, err := signed.CompactSerialize()
	require.NoError(t, err)
	sealed, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.RSA_OAEP, Key: &x.rsa.PublicKey}, nil)
	require.NoError(t, err)
	jwe, err := sealed.Encrypt(body)
	require.NoError(t, err)
	encrypted, err := jwe.CompactSerialize()
	require.NoError(t, err)

	for name, token := range map[string]string{
		"empty":                      "",
		"not a token":                "a.b.c",
		"none":                       none,
		"None":                       strings.Replace(none, b64([]byte(`{"alg":"none"}`)), b64([]byte(`{"alg":"None"}`)), 1),
		"signature cut off":          parts[0] + "." + parts[1] + ".",
		"claims replaced":            parts[0] + "." + b64(admin) + "." + parts[2],
		"other secret":               sign(t, jose.HS256, []byte(strings.ToUpper(hmacKey)), "", x.claims(nil)),
		"HS256 by the public key":    sign(t, jose.HS256, publicPEM, "rsa", x.claims(nil)),
		"HS256 by the public DER":    sign(t, jose.HS256, der, "rsa", x.claims(nil)),
		"HS256 by the JWKS":          sign(t, jose.HS256, x.jwks, "rsa", x.claims(nil)),
		"HS512, which is not listed": sign(t, jose.HS512, []byte(hmacKey+hmacKey), "", x.claims(nil)),
		"PS256, which is not listed": sign(t, jose.PS256, x.rsa, "rsa", x.claims(nil)),
		"key in the header":          withKey,
		"another's key, known kid":   sign(t, jose.ES256, mine, "ES256", x.claims(nil)),
		"unknown kid":                sign(t, jose.RS256, x.rsa, "rsa2", x.claims(nil)),
		"no kid among many keys":     sign(t, jose.RS256, x.rsa, "", x.claims(nil)),
		"key for another algorithm":  sign(t, jose.RS256, x.rsa, "rsa512", x.claims(nil)),
		"key of another type":        sign(t, jose.RS256, x.rsa, "ES256", x.claims(nil)),
		"key for encryption":         sign(t, jose.RS256, x.rsa, "sealing", x.claims(nil)),
		"encrypted":                  encrypted,
	} {
		id, err := x.auth.Bearer(t.Context(), token)
		require.Nil(t, id, name)
		require.ErrorIs(t, err, lake.ErrUnauthenticated, name)
	}
}

func TestClaimsDecide(t *testing.T) {
	t.Parallel()
	x := newIssuer(t)
	now := x.clock.Now()
	for name, c := range map[string]struct {
		changes map[string]any
		want    string // of the error; empty means accepted
	}{
		"expired":               {map[string]any{"exp": now.Add(-6 * time.Second).Unix()}, "has expired at 2026-01-02T"},
		"expired within leeway": {map[string]any{"exp": now.Add(-4 * time.Second).Unix()}, ""},
		"for ever":              {map[string]any{"exp": nil}, "no expiry"},
		"exp is text":           {map[string]any{"exp": "tomorrow"}, "not valid"},
		"not yet":               {map[string]any{"nbf": now.Add(time.Minute).Unix()}, "not valid yet"},
		"without nbf":           {map[string]any{"nbf": nil, "iat": nil}, ""},
		"other issuer":          {map[string]any{"iss": "https://issuer/"}, "another issuer"},
		"no issuer":             {map[string]any{"iss": nil}, "another issuer"},
		"other audience":        {map[string]any{"aud": "lakes"}, "another audience"},
		"no audience":           {map[string]any{"aud": nil}, "another audience"},
		"audience as text":      {map[string]any{"aud": "lake"}, ""},
		"no user":               {map[string]any{"sub": nil}, "names no user"},
		"empty user":            {map[string]any{"sub": ""}, "names no user"},
		"user is a number":      {map[string]any{"sub": 7}, "not valid"},
		"roles as text":         {map[string]any{"roles": "x eu"}, ""},
		"no role that exists":   {map[string]any{"roles": []string{"x"}}, "names no role that is"},
		"user of the file":      {map[string]any{"sub": "alice", "roles": nil}, ""},
	} {
		id, err := x.auth.Bearer(t.Context(), sign(t, jose.HS256, []byte(hmacKey), "", x.claims(c.changes)))
		if c.want == "" {
			require.NoError(t, err, name)
			require.NotNil(t, id, name)
			continue
		}
		require.ErrorIs(t, err, lake.ErrUnauthenticated, name)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestTokenOfAFileUserHasRolesOfBoth(t *testing.T) {
	t.Parallel()
	x := newIssuer(t)
	id, err := x.auth.Bearer(t.Context(), sign(t, jose.HS256, []byte(hmacKey), "", x.claims(map[string]any{"sub": "alice", "roles": "admin"})))
	require.NoError(t, err)
	require.True(t, x.policy.Admin(id))
	id, err = x.auth.Bearer(t.Context(), sign(t, jose.HS256, []byte(hmacKey), "", x.claims(map[string]any{"sub": "alice"})))
	require.NoError(t, err)
	require.False(t, x.policy.Admin(id))
	require.NoError(t, x.policy.For(id).Check(Select, "s", "t"), "reader, by the file")
}

func TestIdentityOfATokenExpiresWithIt(t *testing.T) {
	t.Parallel()
	x := newIssuer(t)
	id, err := x.auth.Bearer(t.Context(), sign(t, jose.HS256, []byte(hmacKey), "", x.claims(nil)))
	require.NoError(t, err)
	_, err = x.auth.Refresh(id)
	require.NoError(t, err)
	x.clock.advance(2 * time.Minute)
	_, err = x.auth.Refresh(id)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
	require.ErrorContains(t, err, "expired")
}

func TestClaimsOfOtherNamesAndPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "secret"), hmacKey)
	f := setup(t, "[jwt]\nhs256_secret_file = '"+filepath.Join(dir, "secret")+"'\nuser_claim = \"email\"\nroles_claim = \"realm_access.roles\"\n")
	id, err := f.auth.Bearer(t.Context(), sign(t, jose.HS256, []byte(hmacKey), "", map[string]any{
		"exp": f.clock.Now().Add(time.Minute).Unix(), "email": "a@b", "realm_access": map[string]any{"roles": []string{"reader"}},
	}))
	require.NoError(t, err)
	require.Equal(t, "a@b", id.User)
	require.Equal(t, []string{"reader"}, id.Roles)
}

func TestTokenWithoutSectionIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, "[users.a]\n")
	_, err := f.auth.Bearer(t.Context(), "a.b.c")
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
	require.ErrorContains(t, err, "[jwt]")
}

func TestKeySetsThatAreRefused(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024) // short on purpose
	require.NoError(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keys := func(list ...jose.JSONWebKey) string {
		text, err := json.Marshal(jose.JSONWebKeySet{Keys: list})
		require.NoError(t, err)
		return string(text)
	}
	for name, c := range map[string]struct{ text, want string }{
		"not JSON":           {"keys", "not a JSON Web Key Set"},
		"empty":              {`{"keys":[]}`, "no key for signatures"},
		"unknown type":       {`{"keys":[{"kty":"PQC"}]}`, "keys[0]"},
		"a shared secret":    {keys(jose.JSONWebKey{Key: []byte(hmacKey), KeyID: "a"}), "not an RSA, EC or Ed25519 key"},
		"short RSA":          {keys(jose.JSONWebKey{Key: short.Public(), KeyID: "a"}), "1024 bits"},
		"twice":              {keys(jose.JSONWebKey{Key: ec.Public(), KeyID: "a"}, jose.JSONWebKey{Key: ec.Public(), KeyID: "a"}), "two keys"},
		"alg of other curve": {keys(jose.JSONWebKey{Key: ec.Public(), Algorithm: "ES384"}), "ES384"},
	} {
		_, err := readKeys(writeFile(t, filepath.Join(t.TempDir(), "keys.json"), c.text))
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestOnlyKeyNeedsNoKid(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: ec, KeyID: "x"}}}) // with the private half
	require.NoError(t, err)
	path := writeFile(t, filepath.Join(t.TempDir(), "keys.json"), string(text))
	f := setup(t, "[jwt]\njwks_file = '"+path+"'\n")
	require.Contains(t, f.log.String(), "jwt.issuer and jwt.audience are not set")
	claims := map[string]any{"sub": "a", "roles": "reader", "exp": f.clock.Now().Add(time.Minute).Unix()}
	_, err = f.auth.Bearer(t.Context(), sign(t, jose.ES256, ec, "", claims))
	require.NoError(t, err)
	_, err = f.auth.Bearer(t.Context(), sign(t, jose.HS256, []byte(hmacKey), "", claims))
	require.ErrorContains(t, err, "algorithm", "HS256 without a secret")

	writeFile(t, path, `{"keys":[{"kty":"broken"}]}`)
	f.clock.advance(checkInterval)
	_, err = f.auth.Bearer(t.Context(), sign(t, jose.ES256, ec, "", claims))
	require.NoError(t, err, "a broken key file keeps the old keys")
	next, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	text, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: next.Public(), KeyID: "y"}}})
	require.NoError(t, err)
	writeFile(t, path, string(text))
	f.clock.advance(checkInterval)
	claims["exp"] = f.clock.Now().Add(time.Minute).Unix()
	_, err = f.auth.Bearer(t.Context(), sign(t, jose.ES256, next, "", claims))
	require.NoError(t, err, "new keys are read")
	_, err = f.auth.Bearer(t.Context(), sign(t, jose.ES256, ec, "", claims))
	require.ErrorIs(t, err, lake.ErrUnauthenticated, "old keys are gone")
}
