package kerberos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

// ErrCCache is matched by the errors of [ParseCCache].
var ErrCCache = errors.New("kerberos: malformed credential cache")

// CCache is a credential cache: the tickets that a person got at sign-in. It prints without keys and tickets.
type CCache struct {
	realm string
	name  wire.Name
	creds []cred
}

type cred struct {
	crealm, srealm string
	cname, sname   wire.Name
	key            *etype.Key
	auth, start    time.Time
	end, renew     time.Time
	flags          uint32
	ticket         wire.Ticket
}

// Limits of a credential cache.
const (
	maxCCache = 8 << 20
	maxCreds  = 1024
)

// Principal returns the default principal, name@REALM.
func (c *CCache) Principal() string { return c.name.String() + "@" + c.realm }

// Services lists the services that the cache has tickets for.
func (c *CCache) Services() []string {
	out := make([]string, len(c.creds))
	for i, x := range c.creds {
		out[i] = x.sname.String() + "@" + x.srealm
	}
	return out
}

// String names the owner only.
func (c *CCache) String() string { return "credential cache of " + c.Principal() }

// Format prints what String says, under every verb.
func (c *CCache) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, c.String()) }

// LogValue hides the owner too.
func (c *CCache) LogValue() slog.Value { return slog.StringValue("credential cache") }

// CCachePath returns the file that a value of the environment variable KRB5CCNAME names: "FILE:path" or a bare path.
// Other types of caches are not files and give an error.
func CCachePath(name string) (string, error) {
	kind, path, ok := strings.Cut(name, ":")
	switch {
	case !ok || strings.HasPrefix(name, "/"):
		path = name
	case kind != "FILE":
		return "", errors.New("kerberos: only FILE credential caches can be read")
	}
	if path == "" {
		return "", errors.New("kerberos: the credential cache has no path")
	}
	return path, nil
}

// ParseCCache reads a credential cache file of version 3 or 4, as MIT and Heimdal write it.
func ParseCCache(b []byte) (*CCache, error) {
	if len(b) < 4 || len(b) > maxCCache || b[0] != 5 || (b[1] != 3 && b[1] != 4) {
		return nil, ErrCCache
	}
	r := &ccacheReader{keytabReader{b: b[2:], order: binary.BigEndian}}
	if b[1] == 4 {
		r.take(r.u16()) // header tags: time offsets of the KDC
	}
	c := new(CCache)
	c.name, c.realm = r.principal()
	for len(r.b) > 0 && !r.bad {
		x, ok := r.cred()
		if ok {
			c.creds = append(c.creds, x)
		}
		if len(c.creds) > maxCreds {
			return nil, ErrCCache
		}
	}
	if r.bad {
		return nil, ErrCCache
	}
	return c, nil
}

type ccacheReader struct{ keytabReader }

func (r *ccacheReader) data() []byte {
	n := r.u32()
	if uint64(n) > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	return r.take(int(n))
}

func (r *ccacheReader) principal() (wire.Name, string) {
	n := wire.Name{Type: int32(r.u32())} //nolint:gosec // a name type
	count := r.u32()
	realm := string(r.data())
	if count > maxComponents {
		r.bad = true
		return n, ""
	}
	for range count {
		n.Parts = append(n.Parts, string(r.data()))
	}
	return n, realm
}

func (r *ccacheReader) time() time.Time { return time.Unix(int64(r.u32()), 0).UTC() }

// cred reads one credential; ok is false for configuration entries and for keys of unknown types.
func (r *ccacheReader) cred() (x cred, ok bool) {
	x.cname, x.crealm = r.principal()
	x.sname, x.srealm = r.principal()
	et := int32(int16(r.u16())) //nolint:gosec // the registry has negative types
	key := r.data()
	x.auth, x.start, x.end, x.renew = r.time(), r.time(), r.time(), r.time()
	r.take(1) // is_skey
	x.flags = r.u32()
	for range 2 { // addresses, authorization data
		n := r.u32()
		for i := uint32(0); i < n && !r.bad; i++ {
			r.u16()
			r.data()
		}
	}
	ticket := r.data()
	r.data() // second ticket
	if r.bad || x.srealm == "X-CACHECONF:" {
		return x, false
	}
	k, err := etype.New(et, key)
	if err != nil {
		return x, false
	}
	t, err := wire.ParseTicket(ticket)
	if err != nil {
		return x, false
	}
	x.key, x.ticket = k, t
	return x, true
}

// load takes the TGT and the service tickets of the default principal.
func (c *Client) load(cc *CCache) {
	for _, x := range cc.creds {
		if !x.cname.EqualFold(c.name) || !fold.Equal(x.crealm, c.realm.Name) || !c.allows(x.key.Type()) {
			continue
		}
		part := wire.KDCRepPart{Tag: wire.EncTGS, Key: x.key, Flags: x.flags, AuthTime: x.auth, StartTime: x.start, EndTime: x.end, RenewTill: x.renew, SRealm: x.srealm, SName: x.sname}
		if x.sname.EqualFold(wire.Krbtgt(c.realm.Name)) {
			if c.tgt == nil || x.end.After(c.tgt.part.EndTime) {
				c.tgt = &tgt{ticket: x.ticket, session: x.key, realm: c.realm, crealm: x.crealm, cname: x.cname, part: part}
			}
			continue
		}
		c.tickets[fold.Key(x.sname.String())] = &serviceTicket{ticket: x.ticket, session: x.key, part: part, crealm: x.crealm, cname: x.cname}
	}
}
