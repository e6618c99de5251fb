package addoctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/examples/adconfig"
)

// network looks at names, ports and certificates, without any credentials.
func (d *doctor) network(ctx context.Context, x *domain) {
	x.kdcs = nil
	kdcs := x.KDCs
	if len(kdcs) == 0 && x.Discover {
		kdcs = d.discover(ctx, x)
	}
	if len(kdcs) == 0 {
		d.fail("port", x.DNS, "No KDC is known: kdcs is empty.", `Name the domain controllers under kdcs, or set "discover": true where DNS knows the domain.`)
	}
	for _, k := range kdcs {
		if d.reach(ctx, k) {
			x.kdcs = append(x.kdcs, k)
		}
	}
	d.someAnswer("port", x.DNS, "KDC", len(kdcs), len(x.kdcs))
	x.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if x.CAFile != "" {
		if raw, err := adconfig.ReadFile(x.CAFile); err == nil {
			x.tls.RootCAs = x509.NewCertPool()
			x.tls.RootCAs.AppendCertsFromPEM(raw)
		}
	}
	for _, l := range x.LDAP {
		u, err := url.Parse(l)
		if err != nil {
			continue // adconfig has refused it
		}
		if d.reach(ctx, ldapAddr(u)) && d.server(ctx, x, l, u) {
			x.ldap = append(x.ldap, l)
		}
	}
	if len(x.LDAP) > 0 {
		d.someAnswer("port", x.DNS, "directory server", len(x.LDAP), len(x.ldap))
	}
}

// someAnswer turns the silence of every server into a failure of the domain; single ones are warnings.
func (d *doctor) someAnswer(step, dns, what string, all, live int) {
	if all > 0 && live == 0 {
		d.silent(step, dns, fmt.Sprintf("No %s of the domain can be used.", what), "See the lines above: names, ports, firewall, certificates; then run this again.")
	}
}

func (d *doctor) discover(ctx context.Context, x *domain) []string {
	name := "_kerberos._tcp.dc._msdcs." + x.DNS
	lctx, cancel := context.WithTimeout(ctx, d.opt.Patience)
	defer cancel()
	_, srv, err := net.DefaultResolver.LookupSRV(lctx, "kerberos", "tcp", "dc._msdcs."+x.DNS)
	if err != nil || len(srv) == 0 {
		d.silent("name", name, "DNS has no SRV record of that name.", "Point this machine's resolver at the domain's DNS servers, or name the controllers under kdcs.")
		return nil
	}
	var out []string
	for _, r := range srv {
		out = append(out, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), fmt.Sprint(r.Port)))
	}
	d.ok("name", name, fmt.Sprintf("DNS names %s.", list(out)))
	return out
}

func ldapAddr(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// reach resolves a name and connects.
func (d *doctor) reach(ctx context.Context, addr string) bool {
	nc, err := d.dial(ctx, addr)
	var dns *net.DNSError
	switch {
	case err == nil:
		_ = nc.Close()
		d.ok("port", addr, "The port takes connections.")
		return true
	case errors.As(err, &dns):
		d.warn("name", addr, "The name cannot be resolved: "+dns.Err+".", "Correct the name, or let this machine use the domain's DNS servers.")
	case errors.Is(err, syscall.ECONNREFUSED):
		d.warn("port", addr, "The machine answers, but nothing listens on that port.", "Correct the port (Kerberos 88, LDAP 389, LDAPS 636), or start the service; LDAPS needs a certificate on the domain controller.")
	default:
		d.warn("port", addr, "There is no answer.", "Look at the firewall and whether the machine runs.")
	}
	return false
}

func (d *doctor) dial(ctx context.Context, addr string) (net.Conn, error) {
	dctx, cancel := context.WithTimeout(ctx, d.opt.Patience)
	defer cancel()
	return d.opt.Dial(dctx, "tcp", addr)
}

// server looks at one directory server as anybody may: its certificate and its rootDSE. It reports whether the server can
// be used.
func (d *doctor) server(ctx context.Context, x *domain, address string, u *url.URL) bool {
	nc, err := d.dial(ctx, ldapAddr(u))
	if err != nil {
		return d.gone(address)
	}
	_ = nc.SetDeadline(time.Now().Add(d.opt.Patience))
	nc = &bounded{Conn: nc, left: maxLook}
	var chain []*x509.Certificate
	look := &tls.Config{
		ServerName: u.Hostname(), MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // to look at a certificate that may be wrong; it is judged below, and nothing secret is sent
		VerifyConnection:   func(s tls.ConnectionState) error { chain = s.PeerCertificates; return nil },
	}
	if u.Scheme == "ldaps" {
		tc := tls.Client(nc, look)
		if err := tc.HandshakeContext(ctx); err != nil {
			_ = nc.Close()
			d.fail("tls", address, "There is no TLS on that port: "+plain(err)+".", "Use ldap:// with port 389 for StartTLS, or give the domain controller a certificate for LDAPS.")
			return false
		}
		nc = tc
	}
	c := ldap.NewConn(nc, u.Scheme == "ldaps")
	c.SetTimeout(d.opt.Patience)
	c.Start()
	defer c.Close() //nolint:errcheck // nothing was changed on it
	sealed := x.InsecurePlain || x.bind != nil && x.bind.Method == "gssapi"
	if u.Scheme == "ldap" && !sealed {
		if err := c.StartTLS(look); err != nil {
			d.fail("tls", address, "The server offers no StartTLS: "+plain(err)+".", "Give the domain controller a certificate, use the bind method gssapi (which signs and seals), or ldaps://.")
			return false
		}
	}
	trusted := true
	if chain != nil {
		trusted = d.certificate(x, address, u.Hostname(), chain)
	}
	return d.rootDSE(x, address, c) && trusted
}

// maxLook bounds what one server may send before it is trusted: certificates and a rootDSE are a tenth of this. The decoder
// makes some hundred bytes of each two, so that the bound is also one for memory.
const maxLook = 128 << 10

// bounded is a connection that ends after so many bytes.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

var errTooMuch = errors.New("the server sends more than anybody asked for")

func (d *doctor) gone(address string) bool {
	d.warn("port", address, "The server took one connection and refused the next.", "Try again; look at the server's limits.")
	return false
}

// plain shortens an error of the network.
func plain(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return strings.TrimSuffix(strings.TrimPrefix(err.Error(), "LDAP Result Code 200 \"Network Error\": "), ".")
}

// certificate judges what the server showed: its time, its name, its issuer, each by itself.
func (d *doctor) certificate(x *domain, address, host string, chain []*x509.Certificate) bool {
	leaf, now, good := chain[0], d.opt.Now(), true
	bad := func(detail, advice string) {
		good = false
		d.fail("tls", address, detail, advice)
	}
	switch {
	case now.After(leaf.NotAfter):
		bad(fmt.Sprintf("The server's certificate ended on %s.", day(leaf.NotAfter)), "Renew the certificate on the domain controller; if it is new, look at this machine's clock.")
	case now.Before(leaf.NotBefore):
		bad(fmt.Sprintf("The server's certificate begins on %s only.", day(leaf.NotBefore)), "Look at this machine's clock.")
	}
	if err := leaf.VerifyHostname(host); err != nil {
		names := append([]string(nil), leaf.DNSNames...)
		for _, ip := range leaf.IPAddresses {
			names = append(names, ip.String())
		}
		bad(fmt.Sprintf("The server's certificate is not for %s but for %s.", host, list(names)), "Write one of the certificate's names into ldap, and see that it resolves to this server.")
	}
	opts := x509.VerifyOptions{Roots: x.tls.RootCAs, Intermediates: x509.NewCertPool(), CurrentTime: middle(leaf, now)}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(opts); err != nil {
		where := "caFile"
		if x.CAFile == "" {
			where = "the system's certificates (caFile is missing)"
		}
		bad(fmt.Sprintf("The certificate's issuer, %s, is not in %s.", leaf.Issuer, where), "Put that CA's certificate as PEM into a file and name it as caFile (Windows: certutil -ca.cert ca.cer; Samba: private/tls/ca.pem).")
	}
	if !good {
		return false
	}
	const soon = 14 * 24 * time.Hour
	if leaf.NotAfter.Sub(now) < soon && leaf.NotAfter.Sub(leaf.NotBefore) > soon {
		d.warn("tls", address, fmt.Sprintf("The server's certificate ends on %s.", day(leaf.NotAfter)), "Renew it on the domain controller.")
		return true
	}
	d.ok("tls", address, fmt.Sprintf("The certificate is trusted, for this name, until %s.", day(leaf.NotAfter)))
	return true
}

// middle returns a moment at which the certificate is valid, so that time is judged once.
func middle(c *x509.Certificate, now time.Time) time.Time {
	if now.After(c.NotBefore) && now.Before(c.NotAfter) {
		return now
	}
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2)
}

// rootDSE reads what every server tells anybody (RFC 4512 section 5.1): which domain it holds and what time it is there.
func (d *doctor) rootDSE(x *domain, address string, c *ldap.Conn) bool {
	res, err := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, int(max(d.opt.Patience/time.Second, 1)), false, "(objectClass=*)",
		[]string{"defaultNamingContext", "currentTime", "dnsHostName", "namingContexts"}, nil))
	if err != nil || len(res.Entries) != 1 {
		d.fail("base", address, "The server does not say what it is.", "See that the port is that of a directory server (389 or 636; 3268 and 3269 are the global catalogue, which has not all attributes).")
		return false
	}
	root := res.Entries[0]
	if at, err := directory.ParseGeneralizedTime(root.GetAttributeValue("currentTime")); err == nil {
		d.clock(address, at)
	}
	want, base := baseDN(x.DNS), root.GetAttributeValue("defaultNamingContext")
	if base == "" {
		d.warn("base", address, "The server is no Active Directory.", "Only what every directory has can be used: no changes, no account states.")
		return true
	}
	if !strings.EqualFold(want, base) {
		name := base
		if dn, err := directory.ParseDN(base); err == nil {
			name = dn.DNS()
		}
		d.fail("base", address, fmt.Sprintf("The server holds the domain %s, not %s.", name, x.DNS), fmt.Sprintf("Write %q as dns, or name a controller of %s under ldap.", name, x.DNS))
		return false
	}
	d.ok("base", address, fmt.Sprintf("The server %s holds %s.", root.GetAttributeValue("dnsHostName"), base))
	return true
}

func baseDN(dns string) string {
	var parts []string
	for l := range strings.SplitSeq(strings.TrimSuffix(dns, "."), ".") {
		parts = append(parts, "DC="+directory.EscapeDNValue(l))
	}
	return strings.Join(parts, ",")
}

// Kerberos refuses a difference above five minutes (RFC 4120 section 3.2.3).
const (
	maxSkew   = 5 * time.Minute
	largeSkew = time.Minute
)

func (d *doctor) clock(target string, theirs time.Time) {
	off := theirs.Sub(d.opt.Now()).Round(time.Second)
	word := "ahead of"
	if off < 0 {
		word = "behind"
	}
	text := fmt.Sprintf("The server's clock is %s %s ours.", off.Abs(), word)
	switch {
	case off.Abs() > maxSkew:
		d.fail("clock", target, text, "Let both take their time from one source (chrony, w32time); Kerberos refuses more than five minutes.")
	case off.Abs() > largeSkew:
		d.warn("clock", target, text, "Let both take their time from one source before the five minutes of Kerberos are reached.")
	default:
		d.ok("clock", target, "The clocks agree.")
	}
}
