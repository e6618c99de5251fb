package directory

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// A ServerID names one database on one domain controller. Update sequence numbers are comparable within one ServerID only.
type ServerID struct {
	DSA        string // objectGUID of the NTDS settings object
	Invocation string // invocationId: changes when the database is restored from a backup
}

// IsZero reports whether the server has no such identity (it is no Active Directory).
func (s ServerID) IsZero() bool { return s == ServerID{} }

// ServerInfo is what a server says of itself (RFC 4512 section 5.1, MS-ADTS 3.1.1.3.2).
type ServerInfo struct {
	URL             string
	DNSHostName     string
	ActiveDirectory bool // announces the capability of Active Directory
	ReadOnly        bool // a read-only domain controller
	ID              ServerID
	HighestUSN      int64 // highestCommittedUSN when the connection was made
	DefaultNC       string
	ConfigurationNC string
	RootDomainNC    string // of the forest
	NamingContexts  []string
	SASLMechanisms  []string
	Controls        []string
	Capabilities    []string
	ForestLevel     string

	partitions []DN
}

// otherPartition reports whether dn is a partition that every domain root refers to and that holds no accounts.
func (i *ServerInfo) otherPartition(dn DN) bool {
	attr, value := dn.Leaf()
	switch {
	case strings.EqualFold(attr, "CN") && strings.EqualFold(value, "Configuration"),
		strings.EqualFold(attr, "DC") && (strings.EqualFold(value, "DomainDnsZones") || strings.EqualFold(value, "ForestDnsZones")):
	default:
		return false
	}
	// the server need not hold the partition: below this domain's or the forest's root is enough
	return slices.ContainsFunc(i.partitions, dn.Below)
}

func unescapeURL(s string) string {
	u, err := url.PathUnescape(s)
	if err != nil {
		return ","
	}
	return u
}

// rootAttributes are read from the rootDSE.
func rootAttributes() []string {
	return []string{
		"defaultNamingContext", "configurationNamingContext", "rootDomainNamingContext", "namingContexts", "dnsHostName", "dsServiceName",
		"highestCommittedUSN", "supportedControl", "supportedSASLMechanisms", "supportedCapabilities", "isSynchronized", "isGlobalCatalogReady", "forestFunctionality",
	}
}

// root reads one base entry without the paging and without a key.
func (c *conn) baseEntry(ctx context.Context, base string, attrs []string) (*Entry, error) {
	res, err := c.ask(ctx, Query{Base: base, Scope: Base, Attributes: attrs, IgnoreReferrals: true}, nil, 0)
	if err != nil {
		return nil, err
	}
	if len(res.entries) != 1 {
		return nil, &IncompleteError{Base: base, Reason: "not exactly one entry in the answer to a base search"}
	}
	return &Entry{DN: res.entries[0].DN, attrs: attributesOf(res.entries[0])}, nil
}

// readRoot reads what the server is, once for each connection. A server of another domain is an error, not a guess.
func (c *conn) readRoot(ctx context.Context) error {
	e, err := c.baseEntry(ctx, "", rootAttributes())
	if err != nil {
		return err
	}
	i := ServerInfo{
		URL: c.server.ep.url, DNSHostName: e.String("dnsHostName"), DefaultNC: e.String("defaultNamingContext"),
		ConfigurationNC: e.String("configurationNamingContext"), RootDomainNC: e.String("rootDomainNamingContext"), NamingContexts: e.Strings("namingContexts"),
		SASLMechanisms: e.Strings("supportedSASLMechanisms"), Controls: e.Strings("supportedControl"),
		Capabilities: e.Strings("supportedCapabilities"), ForestLevel: e.String("forestFunctionality"),
	}
	i.ActiveDirectory = slices.Contains(i.Capabilities, ldapwire.OIDActiveDirectory)
	i.ReadOnly = slices.Contains(i.Capabilities, "1.2.840.113556.1.4.1920")
	i.HighestUSN, _ = e.Int("highestCommittedUSN")
	for _, t := range append(slices.Clone(i.NamingContexts), i.DefaultNC, i.ConfigurationNC, i.RootDomainNC) {
		if dn, err := ParseDN(t); err == nil && !dn.IsZero() {
			i.partitions = append(i.partitions, dn)
		}
	}
	if c.server.gc {
		if !strings.EqualFold(e.String("isGlobalCatalogReady"), "TRUE") {
			return &ResultError{Op: "rootDSE", Code: codeUnavailable, Diagnostic: "the server is no global catalog, or not ready"}
		}
	} else if err := c.checkDomain(&i); err != nil {
		return err
	}
	if strings.EqualFold(e.String("isSynchronized"), "FALSE") {
		return &ResultError{Op: "rootDSE", Code: codeUnavailable, Diagnostic: "isSynchronized is FALSE"}
	}
	c.info = i
	if i.ActiveDirectory { // without its identity nothing binds a sequence number to it
		c.info.ID, err = c.readID(ctx, e.String("dsServiceName"))
	}
	return err
}

func (c *conn) checkDomain(i *ServerInfo) error {
	want, err := ParseDN(c.server.dom.base)
	if err != nil {
		return err
	}
	names := i.NamingContexts
	if i.ActiveDirectory {
		names = []string{i.DefaultNC}
	}
	for _, n := range names {
		if dn, err := ParseDN(n); err == nil && dn.Key() == want.Key() {
			return nil
		}
	}
	return &ResultError{Op: "rootDSE", Code: codeUnavailable, Diagnostic: "the server does not hold the domain"}
}

func (c *conn) readID(ctx context.Context, dsa string) (ServerID, error) {
	if dsa == "" {
		return ServerID{}, &IncompleteError{Reason: "the server does not say its identity"}
	}
	if x, err := ParseExtendedDN(dsa); err == nil && x.DN != "" {
		dsa = x.DN
	}
	e, err := c.baseEntry(ctx, dsa, []string{"objectGUID", "invocationId"})
	if err != nil {
		return ServerID{}, err
	}
	guid, err1 := guidFromBytes(e.Bytes("objectGUID"))
	inv, err2 := guidFromBytes(e.Bytes("invocationId"))
	if err1 != nil || err2 != nil {
		return ServerID{}, &IncompleteError{Base: dsa, Reason: "the server's identity cannot be read"}
	}
	return ServerID{DSA: guid, Invocation: inv}, nil
}

// highestUSN reads the watermark now.
func (c *conn) highestUSN(ctx context.Context) (int64, error) {
	e, err := c.baseEntry(ctx, "", []string{"highestCommittedUSN"})
	if err != nil {
		return 0, err
	}
	n, ok := e.Int("highestCommittedUSN")
	if !ok || n < 0 {
		return 0, &IncompleteError{Reason: "highestCommittedUSN cannot be read"}
	}
	return n, nil
}

// ServerInfo connects to a domain and returns what its server says of itself.
func (c *Client) ServerInfo(ctx context.Context, domainName string) (ServerInfo, error) {
	d, err := c.domain(domainName)
	if err != nil {
		return ServerInfo{}, err
	}
	return retry(ctx, func() (ServerInfo, error) {
		x, err := d.checkout(ctx)
		if err != nil {
			return ServerInfo{}, err
		}
		defer x.server.release(x)
		if !x.info.ActiveDirectory {
			return x.info, nil
		}
		info := x.info
		info.HighestUSN, err = x.highestUSN(ctx)
		return info, err
	})
}

// retry runs f again on a fresh connection when that may help.
func retry[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for try := 0; ; try++ {
		v, err := f()
		if err == nil || try == maxRestarts || !startAgain(err) || ctx.Err() != nil {
			return v, err
		}
	}
}
