// Package certs makes an authority of its own, a server's certificate and
// certificates of clients, for trying TLS and for networks without another
// authority.
//
// Keys are ECDSA on the curve P-256, which every TLS library takes, Java's
// included, in PKCS #8.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/internal/durable"
)

// AuthorityFile is the name of the authority's certificate, which clients trust.
const AuthorityFile = "ca.pem"

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// leafLife is the longest that all systems accept of a server's certificate.
	leafLife = 825 * 24 * time.Hour
	// skew is by how much a client's clock may be behind.
	skew = time.Hour

	keyMode  = 0o600
	certMode = 0o644
)

// Request says what to make.
type Request struct {
	// Folder holds all files; it is made if it does not exist.
	Folder string
	// Hosts are names and addresses of the server besides those of this machine.
	Hosts []string
	// Client is the user whose certificate is made; empty makes none.
	Client string
	// Force replaces certificates that exist, but never the authority.
	Force bool
}

// Files are the paths of what there is now.
type Files struct {
	Authority             string
	ServerCert, ServerKey string
	ClientCert, ClientKey string   // empty without a client
	Hosts                 []string // of the server's certificate; nil if it was kept
	MadeAuthority         bool     // it was not there before
}

// clientName is a user whose name can be part of a file's name.
var clientName = regexp.MustCompile(`^[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]{0,63}$`)

// Make makes what is missing: the authority (ca.pem, ca-key.pem), the server's
// certificate (server.pem, server-key.pem) and the client's (client-USER.pem,
// client-USER-key.pem). With a client an existing server's certificate is kept.
//
// Errors say which file is in the way; nothing is overwritten without Force.
func Make(req Request, c clock.Clock) (Files, error) {
	if req.Client != "" && !clientName.MatchString(req.Client) {
		return Files{}, fmt.Errorf("user %q: a name may have 64 letters, digits and any of _ . @ + - and begins with no dot", req.Client)
	}
	if err := os.MkdirAll(req.Folder, 0o755); err != nil {
		return Files{}, err
	}
	path := func(name string) string { return filepath.Join(req.Folder, name) }
	files := Files{Authority: path(AuthorityFile), ServerCert: path("server.pem"), ServerKey: path("server-key.pem")}
	if req.Client != "" {
		files.ClientCert, files.ClientKey = path("client-"+req.Client+".pem"), path("client-"+req.Client+"-key.pem")
	}
	server := req.Force && (req.Client == "" || len(req.Hosts) > 0) || !exists(files.ServerCert, files.ServerKey)
	if err := inTheWay(req, files, server); err != nil {
		return Files{}, err
	}
	authority, made, err := openAuthority(files.Authority, path("ca-key.pem"), c.Now())
	if err != nil {
		return Files{}, err
	}
	files.MadeAuthority = made
	if server {
		files.Hosts = allHosts(req.Hosts)
		if err := authority.issue(serverTemplate(files.Hosts), files.ServerCert, files.ServerKey, c.Now()); err != nil {
			return Files{}, err
		}
	}
	if req.Client == "" {
		return files, nil
	}
	return files, authority.issue(clientTemplate(req.Client), files.ClientCert, files.ClientKey, c.Now())
}

// inTheWay returns an error if something to be made exists and is not to be replaced.
func inTheWay(req Request, files Files, server bool) error {
	if req.Force {
		return nil
	}
	var errs []error
	check := func(what string, paths ...string) {
		if exists(paths...) {
			errs = append(errs, fmt.Errorf("%s exists; --force replaces %s", paths[0], what))
		}
	}
	if req.Client == "" || server && (exists(files.ServerCert) || exists(files.ServerKey)) {
		check("the server's certificate", files.ServerCert)
		if len(errs) == 0 {
			check("the server's key", files.ServerKey)
		}
	} else if len(req.Hosts) > 0 && !server {
		errs = append(errs, fmt.Errorf("%s exists and is kept: --host needs --force, which replaces it", files.ServerCert))
	}
	if req.Client != "" {
		check("the client's certificate", files.ClientCert)
		check("the client's key", files.ClientKey)
	}
	return errors.Join(errs...)
}

// exists reports whether all of the paths do.
func exists(paths ...string) bool {
	return !slices.ContainsFunc(paths, func(p string) bool {
		_, err := os.Lstat(p)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// allHosts are the names and addresses of this machine, and those given.
func allHosts(given []string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil {
		given = append([]string{name}, given...)
	}
	for _, h := range given {
		if h != "" && !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

func serverTemplate(hosts []string) *x509.Certificate {
	t := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"flightlake"}, CommonName: hosts[0]},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return t
}

func clientTemplate(user string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: user},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// openAuthority reads the authority, or makes it if neither of its files exists.
func openAuthority(certPath, keyPath string, now time.Time) (a *authority, made bool, err error) {
	if !exists(certPath) && !exists(keyPath) {
		a, err := makeAuthority(certPath, keyPath, now)
		return a, true, err
	}
	cert, err := Read(certPath)
	if err != nil {
		return nil, false, err
	}
	keyDER, err := readPEM(keyPath, "PRIVATE KEY")
	if err != nil {
		return nil, false, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", keyPath, err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || !ec.PublicKey.Equal(cert.PublicKey) {
		return nil, false, fmt.Errorf("%s is not the key of %s", keyPath, certPath)
	}
	if now.After(cert.NotAfter) {
		return nil, false, fmt.Errorf("%s expired on %s: remove it and its key, and make all certificates anew",
			certPath, cert.NotAfter.Format(time.DateOnly))
	}
	return &authority{cert: cert, key: ec}, false, nil
}

func readPEM(path, kind string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s holds no PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

// Read returns the first certificate of a PEM file.
func Read(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}

func makeAuthority(certPath, keyPath string, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"flightlake"}, CommonName: "flightlake local authority"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(authorityLife),
		SerialNumber:          serial(),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key}, write(certPath, keyPath, key, der)
}

// issue signs a certificate and writes it, followed by the authority's, so that
// servers send the whole chain.
func (a *authority) issue(template *x509.Certificate, certPath, keyPath string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template.SerialNumber = serial()
	template.NotBefore, template.NotAfter = now.Add(-skew), now.Add(leafLife)
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	return write(certPath, keyPath, key, der, a.cert.Raw)
}

// serial returns 127 random bits, which is a positive number.
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand aborts the program instead
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

// write writes the key first: a certificate without a key is of no use.
func write(certPath, keyPath string, key *ecdsa.PrivateKey, chain ...[]byte) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := durable.Replace(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), keyMode); err != nil {
		return err
	}
	var text []byte
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return durable.Replace(certPath, text, certMode)
}
