package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// newKey takes the public half of a key of a JWKS file, and the algorithms that
// its type, its curve and its own alg allow.
func newKey(jwk *jose.JSONWebKey) (key, error) {
	public := jwk.Public()
	k := key{public: public.Key}
	switch p := public.Key.(type) {
	case *rsa.PublicKey:
		if p.N.BitLen() < rsaBitsMin {
			return key{}, fmt.Errorf("is an RSA key of %d bits: at least %d are asked for", p.N.BitLen(), rsaBitsMin)
		}
		k.algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512}
	case *ecdsa.PublicKey:
		switch p.Params().BitSize {
		case 256:
			k.algorithms = []jose.SignatureAlgorithm{jose.ES256}
		case 384:
			k.algorithms = []jose.SignatureAlgorithm{jose.ES384}
		case 521:
			k.algorithms = []jose.SignatureAlgorithm{jose.ES512}
		}
	case ed25519.PublicKey:
		k.algorithms = []jose.SignatureAlgorithm{jose.EdDSA}
	default:
		return key{}, errors.New("is not an RSA, EC or Ed25519 key")
	}
	if alg := jose.SignatureAlgorithm(jwk.Algorithm); alg != "" {
		if !slices.Contains(k.algorithms, alg) {
			return key{}, fmt.Errorf("has alg %q, which is not accepted for its type", jwk.Algorithm)
		}
		k.algorithms = []jose.SignatureAlgorithm{alg}
	}
	return k, nil
}

// key is a public key of the JWKS file with the algorithms that it may check.
type key struct {
	public     any
	algorithms []jose.SignatureAlgorithm
}

// rsaBitsMin is the shortest RSA key that is accepted (RFC 7518, section 3.3).
const rsaBitsMin = 2048

// readKeys reads a JWKS file. Keys for encryption are passed over.
func readKeys(path string) (map[string]key, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("%s is not a JSON Web Key Set", path)
	}
	keys := map[string]key{}
	for i, raw := range set.Keys {
		var jwk jose.JSONWebKey
		if err := jwk.UnmarshalJSON(raw); err != nil {
			return nil, fmt.Errorf("%s: keys[%d] is not a JSON Web Key of a known type", path, i)
		}
		if jwk.Use != "" && jwk.Use != "sig" {
			continue
		}
		if _, ok := keys[jwk.KeyID]; ok {
			return nil, fmt.Errorf("%s: two keys have the kid %q", path, jwk.KeyID)
		}
		k, err := newKey(&jwk)
		if err != nil {
			return nil, fmt.Errorf("%s: keys[%d] %w", path, i, err)
		}
		keys[jwk.KeyID] = k
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key for signatures", path)
	}
	return keys, nil
}
