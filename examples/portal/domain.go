package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/kerberos"
)

// domain is the Active Directory behind the portal: a real one, or the embedded test domain.
type domain struct {
	auth    *kerberos.Authenticator
	accept  *kerberos.Acceptor
	dir     *directory.Client
	netbios map[string]string     // DNS name in lower case -> NetBIOS name
	first   string                // DNS name of the first domain
	mapping map[string]string     // attribute templates by target
	demo    []demoUser            // to announce; nil for a real domain
	test    *directorytest.Server // the embedded directory; nil for a real domain
	close   func()
}

// openDomain connects to the domain that -ad names. Nothing is dialled yet for a real one.
func openDomain(ad string, logger *slog.Logger, t *telemetry) (*domain, error) {
	if ad == "embedded" {
		return embeddedDomain(logger, t)
	}
	cfg, err := adconfig.Load(ad)
	if err != nil {
		return nil, err
	}
	krb, err := cfg.Kerberos()
	if err != nil {
		return nil, err
	}
	dir, err := cfg.Directory()
	if err != nil {
		return nil, err
	}
	accept, err := cfg.Acceptor()
	if err != nil {
		return nil, err
	}
	return newDomain(krb, accept, dir, cfg.Attributes, logger, t)
}

// newDomain joins the two protocols: the directory tells the authenticator who has a bare name and why an account is refused.
func newDomain(krb kerberos.AuthenticatorConfig, accept kerberos.AcceptorConfig, dir directory.Config, mapping map[string]string, logger *slog.Logger, t *telemetry) (*domain, error) {
	dir.Logger, krb.Logger = logger, logger
	dir.Observer, krb.Observer, accept.Observer = t, t, t
	client, err := directory.New(dir)
	if err != nil {
		return nil, err
	}
	accounts := adconfig.Accounts{Client: client}
	krb.Accounts, krb.States = accounts, accounts
	auth, err := kerberos.NewAuthenticator(krb)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	accept.Logger = logger
	accept.SPNs = []string{"HTTP/*"} // host aliases and proxies make other names than the configured one normal
	acceptor, err := kerberos.NewAcceptor(accept)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	d := &domain{auth: auth, accept: acceptor, dir: client, netbios: map[string]string{}, first: dir.Domains[0].DNS, mapping: mapping}
	for _, x := range dir.Domains {
		d.netbios[strings.ToLower(x.DNS)] = x.NetBIOS
	}
	d.close = func() { _ = client.Close() }
	return d, nil
}

// reachable asks each domain who it is, so that a wrong configuration shows at start and not at the first sign-in.
func (d *domain) reachable(ctx context.Context) error {
	for _, name := range d.dir.DomainNames() {
		if _, err := d.dir.ServerInfo(ctx, name); err != nil {
			return outsideError{fmt.Errorf("domain %s: %w", name, err)}
		}
	}
	return nil
}
