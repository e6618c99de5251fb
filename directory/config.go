package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// Config configures a [Client]. Domains is required.
type Config struct {
	Domains []Domain

	Limits   Limits                                                            // zero fields mean the defaults
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error) // "tcp", "udp" for LDAP pings; nil means a net.Dialer
	Resolver Resolver                                                          // for Domain.Discover; nil means net.DefaultResolver
	Now      func() time.Time                                                  // nil means the system clock
	Logger   *slog.Logger                                                      // nil means no logging
	Observer Observer                                                          // of "directory.connect", "directory.search", "directory.read_scope", "directory.verify_password"; nil means none
}

// A Domain says how one Active Directory domain is reached. DNS, Bind and one of Servers and Discover are required.
type Domain struct {
	DNS     string   // DNS name, e.g. "corp.example.test"
	Servers []string // "ldaps://host[:port]" or "ldap://host[:port]", tried in this order
	Bind    Binder

	NetBIOS       string      // the name before the backslash; "" means that DOMAIN\user does not reach this domain by a short name
	UPNSuffixes   []string    // further suffixes of user principal names
	SID           string      // domain SID; "" means that it is read from the domain when needed
	TLS           *tls.Config // RootCAs and the like; nil means the system's roots. ServerName "" means the host of the URL
	InsecurePlain bool        // allows ldap:// without TLS and without a binder that protects the connection
	Discover      bool        // finds servers by DNS SRV records when Servers is empty
	Site          string      // with Discover: servers of this site first
	// GlobalCatalogs are "ldaps://host[:3269]" or "ldap://host[:3268]" servers of the forest, reached as Servers are: they tell
	// [Client.Locate], and [Client.Resolve] for suffixes that nobody else knows, which domain has a name.
	GlobalCatalogs []string
	// DiscoverCatalogs finds them by DNS SRV records (_gc._tcp) when GlobalCatalogs is empty, those of the site first. They are
	// ldap:// addresses, protected as Servers are.
	DiscoverCatalogs bool
	Forest           string // with DiscoverCatalogs: DNS name of the forest's root domain; "" means that the domain's server is asked
	LocateSite       bool   // with Discover or DiscoverCatalogs and without Site: a domain controller is asked for our site by an LDAP ping (UDP); without answer any server is taken
}

// Limits bound what a client takes and waits. Zero means the default; nothing switches a limit off.
type Limits struct {
	MaxConns     int           // connections per server; 4
	IdleTimeout  time.Duration // an idle connection is closed after; 5 min
	DialTimeout  time.Duration // TCP; 3 s
	BindTimeout  time.Duration // TLS handshake and bind; 5 s
	ReplyTimeout time.Duration // wait for each message of an answer; 30 s
	MessageBytes int           // one LDAP message; 16 MiB
	Entries      int           // entries of one search; 5 million
	Values       int           // values of one attribute; 5 million
	PageSize     int           // 1..1000; 1000
	PagePause    time.Duration // waited between two pages; none
	SearchRate   int           // searches and pages per second; 0 means no brake
	Passes       int           // re-reads until a snapshot is stable; 5
	BindRetry    time.Duration // after refused credentials, no further attempt for; 1 min
}

// Resolver looks up SRV records. [net.Resolver] satisfies it.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

func orDefault[T int | time.Duration](v *T, def T) error {
	if *v < 0 {
		return errors.New("directory: negative value in Config.Limits")
	}
	if *v == 0 {
		*v = def
	}
	return nil
}

func (l *Limits) defaults() error {
	if l.SearchRate < 0 || l.PagePause < 0 {
		return errors.New("directory: negative value in Config.Limits")
	}
	if l.PageSize > 1000 {
		return errors.New("directory: Config.Limits.PageSize is above 1000")
	}
	return errors.Join(
		orDefault(&l.MaxConns, 4), orDefault(&l.IdleTimeout, 5*time.Minute), orDefault(&l.DialTimeout, 3*time.Second),
		orDefault(&l.BindTimeout, 5*time.Second), orDefault(&l.ReplyTimeout, 30*time.Second), orDefault(&l.MessageBytes, 16<<20),
		orDefault(&l.Entries, 5_000_000), orDefault(&l.Values, 5_000_000), orDefault(&l.PageSize, 1000), orDefault(&l.Passes, 5),
		orDefault(&l.BindRetry, time.Minute))
}

func (cfg *Config) check() error {
	if len(cfg.Domains) == 0 {
		return errors.New("directory: Config.Domains is empty")
	}
	if err := cfg.Limits.defaults(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, d := range cfg.Domains {
		if err := d.check(); err != nil {
			return fmt.Errorf("directory: Config.Domains[%d]: %w", i, err)
		}
		for _, name := range []string{foldName(d.DNS), foldName(d.NetBIOS)} {
			if name != "" && seen[name] {
				return fmt.Errorf("directory: Config.Domains[%d]: the name %q is taken twice", i, name)
			}
			seen[name] = true
		}
	}
	cfg.Now = clock.Or(cfg.Now)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	return nil
}

func (d Domain) check() error {
	switch {
	case d.DNS == "" || strings.ContainsAny(d.DNS, " \\@/,=\x00"):
		return errors.New("DNS is empty or no DNS name")
	case strings.ContainsAny(d.NetBIOS, "\\@/ ,=\x00"):
		return errors.New("NetBIOS is no NetBIOS name")
	case strings.ContainsAny(d.Forest, " \\@/,=\x00"):
		return errors.New("field Forest is no DNS name")
	case d.Bind == nil:
		return errors.New("field Bind is nil")
	case len(d.Servers) == 0 && !d.Discover:
		return errors.New("field Servers is empty and Discover is not set")
	}
	for _, s := range slices.Concat(d.Servers, d.GlobalCatalogs) {
		if _, err := parseServer(s); err != nil {
			return err
		}
	}
	return nil
}

// An endpoint is one server's address.
type endpoint struct {
	url  string
	tls  bool // ldaps
	host string
	addr string // host:port
}

// pingAddr is where LDAP pings go: the port of ldap://, over UDP.
func (e endpoint) pingAddr() string {
	if e.tls {
		return net.JoinHostPort(e.host, "389")
	}
	return e.addr
}

func parseServer(s string) (endpoint, error) { return parseEndpoint(s, "389", "636") }

// parseEndpoint reads an address with the ports that are meant when it has none.
func parseEndpoint(s, plain, overTLS string) (endpoint, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "ldap" && u.Scheme != "ldaps") ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
		return endpoint{}, errors.New("a server is ldap://host[:port] or ldaps://host[:port]")
	}
	e := endpoint{url: s, tls: u.Scheme == "ldaps", host: u.Hostname()}
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: overTLS, false: plain}[e.tls]
	}
	e.addr = net.JoinHostPort(e.host, port)
	return e, nil
}
