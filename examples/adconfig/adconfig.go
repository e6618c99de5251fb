// Package adconfig reads AD.json, the description of an Active Directory that the example programs share, and builds
// the configurations of the kerberos and directory packages from it.
//
// Start with [Load]. The file is read strictly: unknown and repeated keys are errors, and every path in it is relative
// to the folder of the file. Nothing is dialled here; keytabs and passwords are read when a configuration is built.
package adconfig

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Config is the content of AD.json. All paths are absolute after [Load].
type Config struct {
	Domains    []Domain          `json:"domains"`
	Bind       *Bind             `json:"bind"`
	Service    *Service          `json:"service"`
	Attributes map[string]string `json:"attributes"`

	// InsecurePlain here stands for the same key in every domain.
	InsecurePlain bool `json:"insecurePlain"`
}

// Domain is one Active Directory domain.
type Domain struct {
	DNS         string   `json:"dns"`
	NetBIOS     string   `json:"netbios"`
	UPNSuffixes []string `json:"upnSuffixes"`
	KDCs        []string `json:"kdcs"` // host or host:port, tried in this order
	LDAP        []string `json:"ldap"` // ldap:// or ldaps:// URLs, tried in this order
	CAFile      string   `json:"caFile"`
	Bind        *Bind    `json:"bind"`    // nil means Config.Bind
	Service     *Service `json:"service"` // nil means Config.Service

	// DomainSIDs are the domains whose SIDs a ticket of this realm's accounts may carry over a trust. Empty means the
	// account's own domain, as its first ticket in this process says.
	DomainSIDs []string `json:"domainSIDs"`

	Discover      bool `json:"discover"`      // find KDCs by DNS SRV records when KDCs is empty
	InsecurePlain bool `json:"insecurePlain"` // allow ldap:// without StartTLS and without sign and seal
}

// Bind says how to sign in to a directory server.
type Bind struct {
	Method       string `json:"method"` // "gssapi" or "simple"
	User         string `json:"user"`
	PasswordFile string `json:"passwordFile"`
	KeytabFile   string `json:"keytabFile"`
}

// Service is our own service account, with which KDCs prove themselves.
type Service struct {
	SPN        string `json:"spn"`
	KeytabFile string `json:"keytabFile"`
}

// maxFile bounds AD.json and the files that it names.
const maxFile = 1 << 20

// Realm returns the domain's Kerberos realm name.
func (d Domain) Realm() string { return strings.ToUpper(d.DNS) }

// Password returns the content of the password file without its line end.
func (b *Bind) Password() ([]byte, error) {
	raw, err := ReadFile(b.PasswordFile)
	if err != nil {
		return nil, err
	}
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	return bytes.TrimSuffix(raw, []byte("\r")), nil
}

// Load reads and checks the file AD.json at path.
func Load(path string) (*Config, error) {
	raw, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	c.resolve(dir)
	return c, nil
}

// ReadFile reads a file of at most 1 MiB.
func ReadFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("%s: not a regular file of at most %d bytes", path, maxFile)
	}
	return os.ReadFile(path) //nolint:gosec // the path is the caller's
}

func parse(raw []byte) (*Config, error) {
	c := new(Config)
	if err := decodeStrict(raw, c); err != nil {
		return nil, err
	}
	if len(c.Domains) == 0 {
		return nil, fmt.Errorf("domains: at least one is needed")
	}
	seen := map[string]bool{}
	for i := range c.Domains {
		d := &c.Domains[i]
		d.InsecurePlain = d.InsecurePlain || c.InsecurePlain
		if err := d.check(); err != nil {
			return nil, fmt.Errorf("domains[%d]: %w", i, err)
		}
		names := []string{strings.ToLower(d.DNS), strings.ToLower(d.NetBIOS)}
		if names[0] == names[1] {
			names = names[:1] // a domain of a single label
		}
		for _, name := range names {
			if name != "" && seen[name] {
				return nil, fmt.Errorf("domains[%d]: %s is configured twice", i, name)
			}
			seen[name] = true
		}
	}
	if err := c.Bind.check(); err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	if err := c.Service.check(); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	return c, nil
}

func (d *Domain) check() error { //nolint:cyclop // one list of checks
	switch {
	case d.DNS == "":
		return fmt.Errorf("dns is missing")
	case strings.ContainsAny(d.DNS, "@\\/: \x00"):
		return fmt.Errorf("dns: no domain name")
	case strings.ContainsAny(d.NetBIOS, "@\\/: \x00"):
		return fmt.Errorf("netbios: no NetBIOS name")
	}
	for i, k := range d.KDCs {
		hp, err := hostPort(k, "88")
		if err != nil {
			return fmt.Errorf("kdcs[%d]: %w", i, err)
		}
		d.KDCs[i] = hp
	}
	for i, s := range d.UPNSuffixes {
		if s == "" || strings.ContainsAny(s, "@\\/ \x00") {
			return fmt.Errorf("upnSuffixes[%d]: no suffix", i)
		}
	}
	for i, l := range d.LDAP {
		u, err := url.Parse(l)
		if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "ldap" && u.Scheme != "ldaps") {
			return fmt.Errorf("ldap[%d]: no ldap:// or ldaps:// URL", i)
		}
	}
	if err := d.Bind.check(); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := d.Service.check(); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	return nil
}

// hostPort accepts host, host:port, [v6] and [v6]:port.
func hostPort(s, port string) (string, error) {
	h, p, err := net.SplitHostPort(s)
	if err != nil {
		h, p = strings.Trim(s, "[]"), port
	}
	if h == "" || p == "" || strings.ContainsAny(h, "/@ \x00") {
		return "", fmt.Errorf("no host:port")
	}
	return net.JoinHostPort(h, p), nil
}

func (b *Bind) check() error {
	switch {
	case b == nil:
		return nil
	case b.Method != "gssapi" && b.Method != "simple":
		return fmt.Errorf("method is neither gssapi nor simple")
	case b.User == "":
		return fmt.Errorf("user is missing")
	case b.Method == "simple" && b.PasswordFile == "":
		return fmt.Errorf("passwordFile is missing")
	case b.PasswordFile == "" && b.KeytabFile == "":
		return fmt.Errorf("passwordFile or keytabFile is missing")
	}
	return nil
}

func (s *Service) check() error {
	if s == nil {
		return nil
	}
	if class, host, ok := strings.Cut(s.SPN, "/"); !ok || class == "" || host == "" {
		return fmt.Errorf("spn is not of the form service/host")
	}
	if s.KeytabFile == "" {
		return fmt.Errorf("keytabFile is missing")
	}
	return nil
}

func (c *Config) resolve(dir string) {
	abs := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	bind := func(b *Bind) {
		if b != nil {
			abs(&b.PasswordFile)
			abs(&b.KeytabFile)
		}
	}
	service := func(s *Service) {
		if s != nil {
			abs(&s.KeytabFile)
		}
	}
	bind(c.Bind)
	service(c.Service)
	for i := range c.Domains {
		d := &c.Domains[i]
		abs(&d.CAFile)
		bind(d.Bind)
		service(d.Service)
	}
}
