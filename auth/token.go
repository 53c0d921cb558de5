package auth

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/flightlake/flightlake/lake"
)

// tokenRules say which JWTs are accepted and what is read from them.
type tokenRules struct {
	secret     secret         // of HS256; empty means that HS256 is not accepted
	keys       map[string]key // of the JWKS file, by kid
	issuer     string         // empty means any
	audience   string         // empty means any
	userClaim  string
	rolesClaim string
	leeway     time.Duration
	warnings   []string // files that are readable by everybody
}

// newTokenRules reads the [jwt] section and the files that it names.
func newTokenRules(base string, e *tokenEntry, f *faults) *tokenRules {
	r := &tokenRules{
		issuer: e.Issuer, audience: e.Audience, userClaim: e.UserClaim, rolesClaim: e.RolesClaim, leeway: leewayDefault,
	}
	if r.userClaim == "" {
		r.userClaim = "sub"
	}
	if r.rolesClaim == "" {
		r.rolesClaim = "roles"
	}
	if e.Leeway != "" {
		d, err := time.ParseDuration(e.Leeway)
		if err != nil || d < 0 || d > leewayMax {
			f.add("jwt.leeway", "%q is not a duration from 0s to %s", e.Leeway, leewayMax)
		}
		r.leeway = d
	}
	if e.HS256SecretFile == "" && e.JWKSFile == "" {
		f.add("jwt", "hs256_secret_file or jwks_file must be set: without a key no token can be checked")
	}
	if e.HS256SecretFile != "" {
		path := beside(base, e.HS256SecretFile)
		s, err := readHMACSecret(path)
		if err != nil {
			f.add("jwt.hs256_secret_file", "%w", err)
		}
		if readableByAll(path) {
			r.warnings = append(r.warnings, path)
		}
		r.secret = s
	}
	if e.JWKSFile != "" {
		path := beside(base, e.JWKSFile)
		keys, err := readKeys(path)
		if err != nil {
			f.add("jwt.jwks_file", "%w", err)
		}
		r.keys = keys
	}
	return r
}

// unauthenticated returns the error of a token that is not accepted. It quotes
// nothing of the token.
func unauthenticated(format string, args ...any) error {
	return lake.Errorf(lake.KindUnauthenticated, format, args...)
}

// algorithms returns the signature algorithms for which there are keys. The
// parser refuses all others, "none" above all.
func (r *tokenRules) algorithms() []jose.SignatureAlgorithm {
	var list []jose.SignatureAlgorithm
	if r.secret != "" {
		list = append(list, jose.HS256)
	}
	for _, k := range r.keys {
		list = append(list, k.algorithms...)
	}
	return list
}

// check verifies signature, times, issuer and audience, and returns the claims.
func (r *tokenRules) check(token string, now time.Time) (jwt.Claims, map[string]any, error) {
	var claims jwt.Claims
	var all map[string]any
	parsed, err := jwt.ParseSigned(token, r.algorithms())
	if err != nil {
		var algorithm *jose.ErrUnexpectedSignatureAlgorithm
		if errors.As(err, &algorithm) {
			return claims, nil, unauthenticated("the token is signed with an algorithm that is not accepted here")
		}
		return claims, nil, unauthenticated("the token is not a well-formed JWT")
	}
	key, err := r.key(parsed.Headers)
	if err != nil {
		return claims, nil, err
	}
	if err := parsed.Claims(key, &claims, &all); err != nil {
		return claims, nil, unauthenticated("the token's signature or its claims are not valid")
	}
	if claims.Expiry == nil {
		return claims, nil, unauthenticated("the token has no expiry (claim exp): one is required")
	}
	expected := jwt.Expected{Issuer: r.issuer, Time: now}
	if r.audience != "" {
		expected.AnyAudience = jwt.Audience{r.audience}
	}
	err = claims.ValidateWithLeeway(expected, r.leeway)
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return claims, nil, unauthenticated("the token has expired at %s", claims.Expiry.Time().UTC().Format(time.RFC3339))
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return claims, nil, unauthenticated("the token is not valid yet: compare the clocks of issuer and server")
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return claims, nil, unauthenticated("the token is of another issuer")
	case errors.Is(err, jwt.ErrInvalidAudience):
		return claims, nil, unauthenticated("the token is for another audience")
	case err != nil:
		return claims, nil, unauthenticated("the token's claims are not valid")
	}
	return claims, all, nil
}

// key returns the key that the token's header names. The algorithm decides which
// kind of key it may be, so that a public key never serves as the secret of HS256.
func (r *tokenRules) key(headers []jose.Header) (any, error) {
	if len(headers) != 1 {
		return nil, unauthenticated("the token must have one signature")
	}
	h := headers[0]
	algorithm := jose.SignatureAlgorithm(h.Algorithm)
	if algorithm == jose.HS256 {
		return []byte(r.secret), nil
	}
	k, ok := r.keys[h.KeyID]
	if h.KeyID == "" && len(r.keys) == 1 {
		for _, k = range r.keys {
			ok = true
		}
	}
	if !ok {
		return nil, unauthenticated("the key that the token names (kid) is not in the JWKS file")
	}
	if !slices.Contains(k.algorithms, algorithm) {
		return nil, unauthenticated("the token is signed with an algorithm that its key is not for")
	}
	return k.public, nil
}

// identity turns the claims into an identity.
func (r *ruleset) tokenIdentity(token string, now time.Time) (*Identity, error) {
	t := r.tokens
	if t == nil {
		return nil, unauthenticated("tokens are not accepted: the auth file has no section [jwt]")
	}
	claims, all, err := t.check(token, now)
	if err != nil {
		return nil, err
	}
	user, ok := claim(all, t.userClaim).(string)
	if !ok || user == "" {
		return nil, unauthenticated("the token names no user in claim %s", t.userClaim)
	}
	id := &Identity{User: user, Method: MethodBearer, Expires: claims.Expiry.Time().Add(t.leeway)}
	for _, role := range roleNames(claim(all, t.rolesClaim)) {
		if role = strings.ToLower(role); r.roles[role] != nil {
			id.Roles = append(id.Roles, role)
		}
	}
	slices.Sort(id.Roles)
	id.Roles = slices.Compact(id.Roles)
	if len(r.holders(id)) == 0 {
		return nil, unauthenticated("user %q of the token is not in the auth file, and the token names no role that is", user)
	}
	return id, nil
}

// claim returns the claim of that name, or of that path: realm_access.roles is
// the member roles of the claim realm_access.
func claim(all map[string]any, name string) any {
	if v, ok := all[name]; ok {
		return v
	}
	head, rest, nested := strings.Cut(name, ".")
	if inner, ok := all[head].(map[string]any); nested && ok {
		return claim(inner, rest)
	}
	return nil
}

// roleNames reads a claim of roles: a list of names, or names between blanks.
func roleNames(v any) []string {
	switch v := v.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		var names []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				names = append(names, s)
			}
		}
		return names
	}
	return nil
}
