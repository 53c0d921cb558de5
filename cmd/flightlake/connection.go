package main

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// connection is what a client needs to know to connect.
type connection struct {
	address   string // HOST:PORT
	tls       bool
	authority string // path of the authority's certificate; empty means one that the client's system knows, or none
	login     bool   // a user and a password are needed
	// clientCert and clientKey are paths of a client's certificate; empty means none.
	clientCert, clientKey string
}

// uri returns the address as ADBC drivers take it.
func (c connection) uri() string {
	if c.tls {
		return "grpc+tls://" + c.reachable()
	}
	return "grpc://" + c.reachable()
}

// reachable returns an address to connect to: a server that listens on all
// addresses of a machine is not at 0.0.0.0.
func (c connection) reachable() string {
	host, port, err := net.SplitHostPort(c.address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return c.address
}

// strings returns the lines with which clients connect, to be copied.
func (c connection) strings() string {
	lines := []string{"  ADBC    " + c.adbc(), "  JDBC    " + c.jdbc(), "  Polars  " + c.polars(), "  shell   " + c.shell()}
	return strings.Join(lines, "\n") + "\n"
}

// options are what the ADBC driver is given besides the URI, as Python source.
func (c connection) options() []string {
	var out []string
	add := func(name, value string) { out = append(out, fmt.Sprintf("%q: %s", name, value)) }
	if c.login {
		add("username", `"USER"`)
		add("password", `"PASSWORD"`)
	}
	if c.authority != "" {
		add("adbc.flight.sql.client_option.tls_root_certs", fmt.Sprintf("open(%q).read()", c.authority))
	}
	if c.clientCert != "" {
		add("adbc.flight.sql.client_option.mtls_cert_chain", fmt.Sprintf("open(%q).read()", c.clientCert))
		add("adbc.flight.sql.client_option.mtls_private_key", fmt.Sprintf("open(%q).read()", c.clientKey))
	}
	return out
}

func (c connection) adbc() string {
	kwargs := ""
	if o := c.options(); len(o) > 0 {
		kwargs = "db_kwargs={" + strings.Join(o, ", ") + "}, "
	}
	return fmt.Sprintf("adbc_driver_flightsql.dbapi.connect(%q, %sautocommit=True)", c.uri(), kwargs)
}

func (c connection) jdbc() string {
	parameters := []string{fmt.Sprintf("useEncryption=%t", c.tls)}
	add := func(name, value string) {
		if value != "" {
			parameters = append(parameters, name+"="+url.QueryEscape(value))
		}
	}
	add("tlsRootCerts", c.authority)
	add("clientCertificate", c.clientCert)
	add("clientKey", c.clientKey)
	if c.login {
		add("user", "USER")
		add("password", "PASSWORD")
	}
	return fmt.Sprintf("jdbc:arrow-flight-sql://%s/?%s", c.reachable(), strings.Join(parameters, "&"))
}

// polars finds its driver by the scheme, which means TLS unless it says otherwise.
// Its URI has no place for options: with them a connection is made first.
func (c connection) polars() string {
	if len(c.options()) > 0 {
		return fmt.Sprintf("polars.read_database(%q, %s)", "SELECT ...", c.adbc())
	}
	uri := "flightsql://" + c.reachable()
	if !c.tls {
		uri += "?transport=tcp"
	}
	return fmt.Sprintf("polars.read_database_uri(%q, %q, engine=\"adbc\")", "SELECT ...", uri)
}

func (c connection) shell() string {
	words := []string{"flightlake sql --uri", c.uri()}
	for _, flag := range [][2]string{{"tls-ca", c.authority}, {"tls-cert", c.clientCert}, {"tls-key", c.clientKey}} {
		if flag[1] != "" {
			words = append(words, "--"+flag[0], flag[1])
		}
	}
	if c.login {
		words = append(words, "--user USER")
	}
	return strings.Join(words, " ")
}
