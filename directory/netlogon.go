package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// A Netlogon is what a domain controller answers to an LDAP ping (MS-ADTS 6.3.3.2). It comes over UDP and nobody signs it:
// it helps to choose a server, and TLS or the binder prove it afterwards.
type Netlogon struct {
	Forest     string // DNS name
	Domain     string // DNS name
	Host       string // DNS name of the domain controller
	NetBIOS    string // of the domain
	DomainGUID string
	Site       string // the domain controller's
	ClientSite string // ours, "" when the directory has no subnet for our address

	GlobalCatalog bool
	Writable      bool
	Closest       bool // the domain controller is in our site or in the one next to it
}

// Flags of the answer (DS_FLAG, MS-ADTS 6.3.1.2).
const (
	flagGC       = 0x4
	flagClosest  = 0x80
	flagWritable = 0x100
)

// Limits of an LDAP ping.
const (
	maxPingBytes  = 4096
	pingServers   = 3
	pingTimeout   = 2 * time.Second
	maxPingHops   = 16
	maxPingText   = 255
	netlogonEx    = 23 // LOGON_SAM_LOGON_RESPONSE_EX
	netlogonExAny = 25 // the same for a user that is not known
)

var errNetlogon = errors.New("directory: malformed netlogon answer")

// ParseNetlogon reads NETLOGON_SAM_LOGON_RESPONSE_EX (MS-ADTS 6.3.1.9).
func ParseNetlogon(b []byte) (Netlogon, error) {
	const fixed = 24
	if len(b) < fixed || len(b) > maxPingBytes {
		return Netlogon{}, errNetlogon
	}
	if op := binary.LittleEndian.Uint16(b); op != netlogonEx && op != netlogonExAny {
		return Netlogon{}, errNetlogon
	}
	flags := binary.LittleEndian.Uint32(b[4:])
	n := Netlogon{GlobalCatalog: flags&flagGC != 0, Writable: flags&flagWritable != 0, Closest: flags&flagClosest != 0}
	var err error
	if n.DomainGUID, err = sid.GUIDFromBytes(b[8:fixed]); err != nil {
		return Netlogon{}, errNetlogon
	}
	var host, user string
	at := fixed
	for _, to := range []*string{&n.Forest, &n.Domain, &n.Host, &n.NetBIOS, &host, &user, &n.Site, &n.ClientSite} {
		if *to, at, err = packedName(b, at); err != nil {
			return Netlogon{}, err
		}
	}
	return n, nil
}

// packedName reads a name of length-prefixed labels, which may end by pointing at labels before (RFC 1035 section 4.1.4).
func packedName(b []byte, at int) (name string, next int, err error) {
	var labels []string
	size := 0
	for hops := 0; ; {
		if at >= len(b) {
			return "", 0, errNetlogon
		}
		n := int(b[at])
		switch {
		case n == 0:
			if hops == 0 {
				next = at + 1
			}
			return strings.Join(labels, "."), next, nil
		case n&0xc0 == 0xc0:
			if at+1 >= len(b) {
				return "", 0, errNetlogon
			}
			if hops == 0 {
				next = at + 2
			}
			if hops++; hops > maxPingHops {
				return "", 0, errNetlogon
			}
			at = n&0x3f<<8 | int(b[at+1])
		case n > 63 || at+1+n > len(b):
			return "", 0, errNetlogon
		default:
			label := string(b[at+1 : at+1+n])
			if size += n + 1; size > maxPingText || strings.ContainsFunc(label, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
				return "", 0, errNetlogon
			}
			labels = append(labels, label)
			at += 1 + n
		}
	}
}

// Ping asks the domain controllers of a domain, one after the other, what they are and which site we are in, by an LDAP ping
// (CLDAP, UDP). It needs no credentials and proves nothing.
func (c *Client) Ping(ctx context.Context, domainName string) (Netlogon, error) {
	d, err := c.domain(domainName)
	if err != nil {
		return Netlogon{}, err
	}
	if d.cfg.Discover && len(d.cfg.Servers) == 0 {
		if err := d.discover(ctx); err != nil {
			return Netlogon{}, err
		}
	}
	return d.ping(ctx, d.endpoints())
}

// ping returns the first answer of a few servers.
func (d *domain) ping(ctx context.Context, eps []endpoint) (Netlogon, error) {
	errs := []error{fmt.Errorf("%w: no answer to an LDAP ping of %s", errConnection, d.cfg.DNS)}
	for _, ep := range eps[:min(len(eps), pingServers)] {
		n, err := d.pingOne(ctx, ep)
		if err == nil {
			return n, nil
		}
		if ctx.Err() != nil {
			return Netlogon{}, ctx.Err()
		}
		errs = append(errs, err)
	}
	return Netlogon{}, errors.Join(errs...)
}

func (d *domain) pingOne(ctx context.Context, ep endpoint) (Netlogon, error) {
	ctx, cancel := context.WithTimeout(ctx, min(pingTimeout, d.client.cfg.Limits.DialTimeout))
	defer cancel()
	nc, err := d.client.cfg.Dial(ctx, "udp", ep.pingAddr())
	if err != nil {
		return Netlogon{}, err
	}
	defer func() { _ = nc.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = nc.SetDeadline(deadline)
	}
	defer context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })()
	const id = 1
	if _, err := nc.Write(ldapwire.Encode(id, pingRequest(d.cfg.DNS).Encode())); err != nil {
		return Netlogon{}, err
	}
	b := make([]byte, 2*maxPingBytes)
	size, err := nc.Read(b)
	if err != nil {
		return Netlogon{}, err
	}
	raw, err := pingAnswer(b[:size], id)
	if err != nil {
		return Netlogon{}, err
	}
	n, err := ParseNetlogon(raw)
	if err == nil && foldName(n.Domain) != foldName(d.cfg.DNS) {
		err = errNetlogon // of another domain
	}
	return n, err
}

func pingRequest(dns string) ldapwire.SearchRequest {
	const version5ex = "\x06\x00\x00\x00" // NETLOGON_NT_VERSION_5 and 5EX
	return ldapwire.SearchRequest{
		Filter: &ldapwire.Filter{Op: ldapwire.FilterAnd, Children: []*ldapwire.Filter{
			{Op: ldapwire.FilterEqual, Attr: "DnsDomain", Value: []byte(dns)}, {Op: ldapwire.FilterEqual, Attr: "NtVer", Value: []byte(version5ex)},
		}},
		Attributes: []string{"Netlogon"},
	}
}

// pingAnswer takes the one value out of the one entry of the answer. The result that follows in the same datagram is not
// looked at.
func pingAnswer(b []byte, id int32) ([]byte, error) {
	first, err := ldapwire.NewDecoder(b).Want(ldapwire.TagSequence)
	if err != nil {
		return nil, err
	}
	m, err := ldapwire.ParseMessage(first.Body)
	if err != nil || m.ID != id || m.Op.Tag != ldapwire.OpSearchEntry {
		return nil, errNetlogon
	}
	e, err := ldapwire.ParseSearchEntry(m.Op)
	if err != nil {
		return nil, err
	}
	for _, a := range e.Attributes {
		if strings.EqualFold(a.Name, "netlogon") && len(a.Values) == 1 {
			return a.Values[0], nil
		}
	}
	return nil, errNetlogon
}

// siteName reports whether a site's name can stand in a DNS name: it comes from a packet that nobody signed.
func siteName(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
