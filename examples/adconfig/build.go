package adconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/kerberos"
)

// ErrNoLDAP says that the configuration names no directory server for a domain that needs one.
var ErrNoLDAP = errors.New("no ldap server is configured")

// ErrNoBind says that the configuration does not say how to sign in to a directory server.
var ErrNoBind = errors.New("no bind is configured")

// Kerberos returns the realms and the service for [kerberos.NewAuthenticator]. The caller adds Accounts, States and
// whatever else it wants.
func (c *Config) Kerberos() (kerberos.AuthenticatorConfig, error) {
	var out kerberos.AuthenticatorConfig
	for _, d := range c.Domains {
		r := d.kerberosRealm()
		if d.Service != nil {
			s, err := d.Service.kerberos()
			if err != nil {
				return kerberos.AuthenticatorConfig{}, err
			}
			r.Service = &s
		}
		out.Realms = append(out.Realms, r)
	}
	if c.Service != nil {
		s, err := c.Service.kerberos()
		if err != nil {
			return kerberos.AuthenticatorConfig{}, err
		}
		out.Service = s
	}
	return out, nil
}

// kerberosRealm lets the realm assert the SIDs of the listed domains, or of its own.
func (d Domain) kerberosRealm() kerberos.Realm {
	return kerberos.Realm{
		Name: d.Realm(), NetBIOS: d.NetBIOS, UPNSuffixes: d.UPNSuffixes, KDCs: d.KDCs,
		Discover: d.Discover && len(d.KDCs) == 0, DomainSIDs: d.DomainSIDs, LearnDomainSID: len(d.DomainSIDs) == 0,
	}
}

// kerberos leaves it to the keytab which realm the service account belongs to.
func (s *Service) kerberos() (kerberos.Service, error) {
	kt, err := kerberos.NewFileKeytab(kerberos.FileKeytabConfig{Path: s.KeytabFile})
	if err != nil {
		return kerberos.Service{}, fmt.Errorf("%s: %w", s.KeytabFile, err)
	}
	return kerberos.Service{SPN: s.SPN, Keytab: kt}, nil
}

// Acceptor returns the configuration for [kerberos.NewAcceptor] with the services and keytabs of AD.json. Realms of
// clients are the configured ones.
func (c *Config) Acceptor() (kerberos.AcceptorConfig, error) {
	k, err := c.Kerberos()
	if err != nil {
		return kerberos.AcceptorConfig{}, err
	}
	out := kerberos.AcceptorConfig{Realms: k.Realms, Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{})}
	var sources keytabs
	add := func(s *kerberos.Service) {
		if s != nil && s.SPN != "" {
			out.SPNs = append(out.SPNs, s.SPN)
			sources = append(sources, s.Keytab)
		}
	}
	add(&k.Service)
	for _, r := range k.Realms {
		add(r.Service)
		out.AllowedRealms = append(out.AllowedRealms, r.Name)
	}
	if len(sources) > 0 {
		out.Keytab = sources
	}
	return out, nil
}

// keytabs joins several sources.
type keytabs []kerberos.KeytabSource

// Current implements [kerberos.KeytabSource].
func (k keytabs) Current() *kerberos.Keytab {
	out := k[0].Current()
	for _, s := range k[1:] {
		out = out.Merge(s.Current())
	}
	return out
}

// HasDirectory reports whether every domain can be asked over LDAP.
func (c *Config) HasDirectory() bool {
	for _, d := range c.Domains {
		if len(d.LDAP) == 0 || d.Bind == nil && c.Bind == nil {
			return false
		}
	}
	return true
}

// Directory returns the configuration for [directory.New]. It fails with [ErrNoLDAP] or [ErrNoBind] when a domain lacks
// what is needed.
func (c *Config) Directory() (directory.Config, error) {
	var out directory.Config
	for i, d := range c.Domains {
		x, err := c.directoryDomain(d)
		if err != nil {
			return directory.Config{}, fmt.Errorf("domains[%d]: %w", i, err)
		}
		out.Domains = append(out.Domains, x)
	}
	return out, nil
}

func (c *Config) directoryDomain(d Domain) (directory.Domain, error) {
	out := directory.Domain{
		DNS: d.DNS, NetBIOS: d.NetBIOS, UPNSuffixes: d.UPNSuffixes, Servers: d.LDAP, InsecurePlain: d.InsecurePlain,
		TLS: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	b := d.Bind
	if b == nil {
		b = c.Bind
	}
	switch {
	case len(d.LDAP) == 0:
		return out, ErrNoLDAP
	case b == nil:
		return out, ErrNoBind
	}
	if d.CAFile != "" {
		pem, err := ReadFile(d.CAFile)
		if err != nil {
			return out, err
		}
		out.TLS.RootCAs = x509.NewCertPool()
		if !out.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return out, fmt.Errorf("%s: no certificate in it", d.CAFile)
		}
	}
	var err error
	out.Bind, err = c.binder(b)
	return out, err
}

func (c *Config) binder(b *Bind) (directory.Binder, error) {
	if b.Method == "gssapi" {
		return c.gssapi(b)
	}
	pw, err := b.Password()
	if err != nil {
		return nil, err
	}
	return directory.NewSimpleBind(b.User, pw), nil
}

// Client returns the Kerberos client of a bind account.
func (c *Config) Client(b *Bind) (*kerberos.Client, error) {
	cfg := kerberos.ClientConfig{Principal: c.principal(b.User)}
	for _, d := range c.Domains {
		if len(d.KDCs) > 0 || d.Discover { // others can only be reached by simple binds
			cfg.Realms = append(cfg.Realms, d.kerberosRealm())
		}
	}
	if b.KeytabFile != "" {
		kt, err := kerberos.NewFileKeytab(kerberos.FileKeytabConfig{Path: b.KeytabFile})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.KeytabFile, err)
		}
		cfg.Keytab = kt
	} else {
		pw, err := b.Password()
		if err != nil {
			return nil, err
		}
		cfg.Password = pw
	}
	return kerberos.NewClient(cfg)
}

// principal brings DOMAIN\user and a bare name into the form name@REALM.
func (c *Config) principal(user string) string {
	if domain, name, ok := strings.Cut(user, `\`); ok {
		for _, d := range c.Domains {
			if strings.EqualFold(d.NetBIOS, domain) {
				return name + "@" + d.Realm()
			}
		}
		return user
	}
	if !strings.Contains(user, "@") {
		return user + "@" + c.Domains[0].Realm()
	}
	return user
}

// Accounts answers the questions of package kerberos from a directory.
type Accounts struct {
	Client *directory.Client
}

// FindAccount implements [kerberos.AccountFinder].
func (a Accounts) FindAccount(ctx context.Context, name string) ([]string, error) {
	return a.Client.FindAccount(ctx, name)
}

// AccountState implements [kerberos.AccountStater] by a bind with the same password.
func (a Accounts) AccountState(ctx context.Context, realm, principal string, secret []byte) (kerberos.AccountState, error) {
	if !strings.Contains(principal, "@") {
		principal += "@" + strings.ToLower(realm)
	}
	state, err := a.Client.VerifyPassword(ctx, principal, secret)
	if err != nil && !errors.Is(err, directory.ErrBindRefused) {
		return kerberos.StateUnknown, err
	}
	switch state {
	case directory.StateActive:
		return kerberos.StateActive, nil
	case directory.StateBadCredentials:
		return kerberos.StateBadPassword, nil
	case directory.StateDisabled:
		return kerberos.StateDisabled, nil
	case directory.StateLocked:
		return kerberos.StateLocked, nil
	case directory.StateExpired:
		return kerberos.StateExpired, nil
	case directory.StatePasswordExpired:
		return kerberos.StatePasswordExpired, nil
	case directory.StatePasswordMustChange:
		return kerberos.StatePasswordMustChange, nil
	case directory.StateNotAllowed:
		return kerberos.StateNotAllowed, nil
	}
	return kerberos.StateUnknown, nil
}
