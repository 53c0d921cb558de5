package auth

import (
	"crypto/x509"
	"time"
)

// certificateName says which name of a client certificate is the user.
type certificateName string

// The values of mtls.user_from.
const (
	fromCommonName certificateName = "cn"
	fromDNS        certificateName = "san_dns"
	fromEmail      certificateName = "san_email"
	fromURI        certificateName = "san_uri"

	certificateNames = "cn, san_dns, san_email, san_uri"
)

func (n certificateName) known() bool {
	return n == fromCommonName || n == fromDNS || n == fromEmail || n == fromURI
}

// names returns the certificate's names of that kind.
func (n certificateName) names(cert *x509.Certificate) []string {
	switch n {
	case fromCommonName:
		return []string{cert.Subject.CommonName}
	case fromDNS:
		return cert.DNSNames
	case fromEmail:
		return cert.EmailAddresses
	case fromURI:
		var uris []string
		for _, u := range cert.URIs {
			uris = append(uris, u.String())
		}
		return uris
	}
	return nil
}

// certificateIdentity returns the user that a certificate names. The handshake of TLS has
// verified the certificate; its end is looked at again because connections last.
func (r *ruleset) certificateIdentity(cert *x509.Certificate, now time.Time) (*Identity, error) {
	if r.certificates == "" {
		return nil, unauthenticated("client certificates name no users: the auth file has no section [mtls]")
	}
	if now.After(cert.NotAfter) {
		return nil, unauthenticated("the client certificate has expired")
	}
	names := r.certificates.names(cert)
	if len(names) != 1 || names[0] == "" {
		return nil, unauthenticated("the client certificate has %d names of kind %s: exactly one must name the user",
			len(names), r.certificates)
	}
	id, ok := r.identify(names[0], MethodCertificate)
	if !ok {
		return nil, unauthenticated("user %q of the client certificate is not in the auth file", names[0])
	}
	id.Expires = cert.NotAfter
	return id, nil
}
