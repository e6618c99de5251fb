package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// A nameForm is a name as somebody typed it, taken apart. Whatever it holds is data: it enters filters as value only.
type nameForm struct {
	guid, sid, dn string
	sam           string
	upn           string
	domains       []*domain // where to look, in this order
}

const maxName = 4096

// parseName takes a name apart and finds the domains that it can belong to.
func (c *Client) parseName(ctx context.Context, text string) (nameForm, error) {
	if text == "" || len(text) > maxName || strings.ContainsRune(text, 0) {
		return nameForm{}, ErrNotFound
	}
	if raw, err := sid.GUIDBytes(text); err == nil {
		guid, err := sid.GUIDFromBytes(raw)
		return nameForm{guid: guid, domains: c.domains}, err
	}
	if s, err := sid.Canonical(text); err == nil {
		return c.sidForm(ctx, s)
	}
	if nb, sam, ok := strings.Cut(text, `\`); ok && !strings.Contains(nb, "=") {
		d, err := c.domain(nb)
		if err != nil || nb == "" {
			return nameForm{}, ErrUnknownDomain
		}
		if sam == "" {
			return nameForm{}, ErrNotFound
		}
		return nameForm{sam: sam, domains: []*domain{d}}, nil
	}
	if dn, err := ParseDN(text); err == nil && strings.Contains(text, "=") {
		d := c.byDN(dn)
		if d == nil {
			return nameForm{}, ErrUnknownDomain
		}
		return nameForm{dn: text, domains: []*domain{d}}, nil
	}
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		return c.upnForm(ctx, text[:i], text[i+1:])
	}
	return nameForm{sam: text, domains: c.domains}, nil
}

func (c *Client) sidForm(ctx context.Context, s string) (nameForm, error) {
	prefix, _, err := sid.Split(s)
	if err != nil {
		return nameForm{}, ErrNotFound
	}
	f := nameForm{sid: s}
	if !strings.HasPrefix(s, "S-1-5-21-") { // built-in groups are in every domain
		f.domains = c.domains
		return f, nil
	}
	d, err := c.bySID(ctx, prefix)
	if err != nil {
		return nameForm{}, err
	}
	if d == nil {
		return nameForm{}, ErrUnknownDomain
	}
	f.domains = []*domain{d}
	return f, nil
}

// upnForm routes user@suffix: a domain's own DNS name, a configured suffix, then what the forests themselves know.
func (c *Client) upnForm(ctx context.Context, user, suffix string) (nameForm, error) {
	if user == "" || suffix == "" {
		return nameForm{}, ErrNotFound
	}
	f := nameForm{upn: user + "@" + suffix}
	key := foldName(suffix)
	for _, d := range c.domains {
		switch {
		case foldName(d.cfg.DNS) == key:
			f.sam = user
			f.domains = append([]*domain{d}, f.domains...)
		case slices.ContainsFunc(d.cfg.UPNSuffixes, func(s string) bool { return foldName(s) == key }):
			f.domains = append(f.domains, d)
		}
	}
	if len(f.domains) == 0 {
		ds, err := c.learn(ctx, key)
		if err == nil && len(ds) == 0 {
			ds, err = c.catalogDomains(ctx, f)
		}
		if err != nil {
			return nameForm{}, err
		}
		f.domains = ds
	}
	if len(f.domains) == 0 {
		return nameForm{}, ErrUnknownDomain
	}
	return f, nil
}

// A suffixTable says which domains users with a suffix can be in: what the forests of the configured domains know.
type suffixTable struct {
	exact  map[string][]*domain // uPNSuffixes
	trusts []trustRoute
	read   time.Time
}

// A trustRoute leads to the configured domains of a trusted forest.
type trustRoute struct {
	trust   Trust
	domains []*domain
}

// suffixTTL is how long the table is kept: suffixes and trusts come and go.
const suffixTTL = 10 * time.Minute

// learn finds the domains for a suffix that the configuration does not name.
func (c *Client) learn(ctx context.Context, suffix string) ([]*domain, error) {
	now := c.cfg.Now()
	c.mu.Lock()
	t := c.suffixes
	c.mu.Unlock()
	if t == nil || !now.Before(t.read.Add(suffixTTL)) {
		var err error
		if t, err = c.readSuffixes(ctx); err != nil {
			return nil, err
		}
		t.read = now
		c.mu.Lock()
		c.suffixes = t
		c.mu.Unlock()
	}
	return t.route(suffix), nil
}

// readSuffixes asks every configured domain for the suffixes of its forest and of the forests that it trusts.
func (c *Client) readSuffixes(ctx context.Context) (*suffixTable, error) {
	t := &suffixTable{exact: map[string][]*domain{}}
	for _, d := range c.domains {
		list, err := retry(ctx, func() ([]string, error) { return d.forestSuffixes(ctx) })
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			k := foldName(s)
			t.exact[k] = append(t.exact[k], d)
		}
		trusts, err := c.Trusts(ctx, d.cfg.DNS)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrAccess) { // hidden from our account: no routes by trusts
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, trust := range trusts {
			if ds := c.forest(trust); len(ds) > 0 && len(trust.Names) > 0 {
				t.trusts = append(t.trusts, trustRoute{trust, ds})
			}
		}
	}
	return t, nil
}

// forest returns the configured domains of a trusted forest.
func (c *Client) forest(t Trust) (out []*domain) {
	for _, d := range c.domains {
		key := foldName(d.cfg.DNS)
		if key == foldName(t.DNS) || slices.ContainsFunc(t.Names, func(n ForestName) bool { return n.Kind == ForestDomain && foldName(n.DNS) == key }) {
			out = append(out, d)
		}
	}
	return out
}

func (t *suffixTable) route(suffix string) []*domain {
	if ds := t.exact[foldName(suffix)]; len(ds) > 0 {
		return ds
	}
	var out []*domain
	longest := 0
	for _, r := range t.trusts {
		switch n, ok := r.trust.claims(suffix); {
		case !ok || n < longest:
		case n > longest:
			out, longest = slices.Clone(r.domains), n
		default: // known to several of our domains, or claimed twice
			for _, d := range r.domains {
				if !slices.Contains(out, d) {
					out = append(out, d)
				}
			}
		}
	}
	return out
}

// forestSuffixes reads uPNSuffixes of the forest (MS-ADTS 6.1.1.2.1). A server that hides them has none.
func (d *domain) forestSuffixes(ctx context.Context) ([]string, error) {
	c, err := d.checkout(ctx)
	if err != nil {
		return nil, err
	}
	defer c.server.release(c)
	if !c.info.ActiveDirectory || c.info.ConfigurationNC == "" {
		return nil, nil
	}
	e, err := c.baseEntry(ctx, "CN=Partitions,"+c.info.ConfigurationNC, []string{"uPNSuffixes"})
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrAccess) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return e.Strings("uPNSuffixes"), nil
}

// domainSID returns the domain's SID: configured, or read once from the domain's root.
func (d *domain) domainSID(ctx context.Context) (string, error) {
	d.mu.Lock()
	known := d.sid
	d.mu.Unlock()
	if known != "" {
		return known, nil
	}
	return retry(ctx, func() (string, error) {
		c, err := d.checkout(ctx)
		if err != nil {
			return "", err
		}
		defer c.server.release(c)
		if !c.info.ActiveDirectory {
			return "", nil
		}
		e, err := c.baseEntry(ctx, d.base, []string{"objectSid"})
		if err != nil {
			return "", err
		}
		s, err := sid.FromBytes(e.Bytes("objectSid"))
		if err != nil {
			return "", &IncompleteError{Base: d.base, Reason: "the domain's SID cannot be read"}
		}
		d.mu.Lock()
		d.sid = s
		d.mu.Unlock()
		return s, nil
	})
}

// bySID finds the configured domain with the SID, nil for none. Configured SIDs are looked at before any server is asked.
func (c *Client) bySID(ctx context.Context, domainSID string) (*domain, error) {
	for _, d := range c.domains {
		if d.cfg.SID == domainSID {
			return d, nil
		}
	}
	for _, d := range c.domains {
		s, err := d.domainSID(ctx)
		if err != nil {
			return nil, err
		}
		if s == domainSID {
			return d, nil
		}
	}
	return nil, nil
}

// Resolve finds the one live object that a name means: DOMAIN\name, name@dns.domain, a user principal name, a SID, a GUID
// (with or without braces), a DN, or a bare sAMAccountName. Letter case does not matter. Only the domain that the name
// points to is asked; a bare name and a GUID are looked for in all. attributes are read beside the usual ones.
// Errors: [ErrNotFound], [*AmbiguousError], [ErrUnknownDomain], or why the answer is not complete.
func (c *Client) Resolve(ctx context.Context, name string, attributes ...string) (*Entry, error) {
	f, err := c.parseName(ctx, name)
	if err != nil {
		return nil, err
	}
	var hits []*Entry
	for _, d := range f.domains {
		es, err := retry(ctx, func() ([]*Entry, error) { return d.lookup(ctx, f, attributes) })
		if err != nil {
			return nil, err
		}
		hits = append(hits, es...)
	}
	return only(hits)
}

// lookup finds the objects of one domain that a name fits.
func (d *domain) lookup(ctx context.Context, f nameForm, attributes []string) ([]*Entry, error) {
	c, err := d.checkout(ctx)
	if err != nil {
		return nil, err
	}
	defer c.server.release(c)
	return c.lookup(ctx, f, attributes)
}

func (c *conn) lookup(ctx context.Context, f nameForm, attributes []string) ([]*Entry, error) {
	one := func(e *Entry, err error) ([]*Entry, error) {
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []*Entry{e}, nil
	}
	switch {
	case f.guid != "":
		return one(c.byGUID(ctx, f.guid, false, attributes))
	case f.dn != "":
		es, err := c.find(ctx, Query{Base: f.dn, Scope: Base, Attributes: attributes})
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		return es, err
	case f.sid != "":
		return c.find(ctx, Query{Filter: BySID(f.sid), Attributes: attributes, domainOnly: true})
	case f.upn == "":
		es, err := c.find(ctx, Query{Filter: Eq("sAMAccountName", f.sam), Attributes: attributes, domainOnly: true})
		return same(es, "sAMAccountName", f.sam), err
	}
	es, err := c.find(ctx, Query{Filter: Eq("userPrincipalName", f.upn), Attributes: attributes, domainOnly: true})
	es = same(es, "userPrincipalName", f.upn)
	if err != nil || len(es) > 0 || f.sam == "" {
		return es, err
	}
	// the implicit name: sAMAccountName@dns.domain
	es, err = c.find(ctx, Query{Filter: Eq("sAMAccountName", f.sam), Attributes: attributes, domainOnly: true})
	return same(es, "sAMAccountName", f.sam), err
}

// same keeps the entries whose value is the name under our own rule: servers compare accents and widths more loosely.
func same(es []*Entry, attr, value string) []*Entry {
	return slices.DeleteFunc(es, func(e *Entry) bool { return !fold.Equal(e.String(attr), value) })
}

// find returns all objects that a query matches, each once: one that moves between two pages may come twice.
func (c *conn) find(ctx context.Context, q Query) ([]*Entry, error) {
	var out []*Entry
	seen := map[string]int{}
	err := c.each(ctx, q, func(e *Entry) error {
		if i, again := seen[e.GUID]; again {
			out[i] = e
			return nil
		}
		seen[e.GUID] = len(out)
		out = append(out, e)
		return nil
	})
	return out, err
}

// each calls f for the objects that a query matches, as they come. An error of f, or an object that cannot be used, ends it.
func (c *conn) each(ctx context.Context, q Query, f func(*Entry) error) error {
	var first error
	err := c.search(ctx, q, func(e *Entry, err error) bool {
		if err == nil {
			err = f(e)
		}
		first = err
		return err == nil
	})
	if errors.Is(err, errStop) {
		return first
	}
	return err
}

// byGUID reads one object by its key, and checks that it is that object.
func (c *conn) byGUID(ctx context.Context, guid string, deleted bool, attributes []string) (*Entry, error) {
	q := Query{Base: "<GUID=" + guid + ">", Scope: Base, Attributes: attributes, Deleted: deleted}
	if !c.info.ActiveDirectory {
		q = Query{Filter: Eq("entryUUID", guid), Attributes: attributes}
	}
	es, err := c.find(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, e := range es {
		if e.GUID != guid {
			return nil, &IncompleteError{Base: q.Base, Reason: "the server answered with another object"}
		}
	}
	if len(es) == 0 {
		return nil, ErrNotFound
	}
	return es[0], nil
}

// FindAccount returns the DNS names of the configured domains that have a user with this sAMAccountName. All domains must
// answer: a domain that does not could have one too.
func (c *Client) FindAccount(ctx context.Context, name string) ([]string, error) {
	if name == "" || len(name) > maxName || strings.ContainsAny(name, "\x00@\\") {
		return nil, nil
	}
	var out []string
	for _, d := range c.domains {
		es, err := retry(ctx, func() ([]*Entry, error) { return d.lookup(ctx, nameForm{sam: name}, nil) })
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(es, func(e *Entry) bool { return e.Kind == KindUser }) {
			out = append(out, d.cfg.DNS)
		}
	}
	return out, nil
}

// Presence says what is left of an object.
type Presence string

// Presences.
const (
	Live      Presence = "live"
	Tombstone Presence = "tombstone"
	Recycled  Presence = "recycled"
	Absent    Presence = "absent" // not there at all, or hidden from our account
)

// Exists looks for an object by its objectGUID, deleted ones too. It is the proof that a deletion needs: an object that was
// not in an answer may have moved, may be hidden by a filter, or may be gone.
func (c *Client) Exists(ctx context.Context, domainName, guid string) (Presence, error) {
	d, err := c.domain(domainName)
	if err != nil {
		return "", err
	}
	raw, err := sid.GUIDBytes(guid)
	if err != nil {
		return "", err
	}
	if guid, err = sid.GUIDFromBytes(raw); err != nil {
		return "", err
	}
	return retry(ctx, func() (Presence, error) {
		x, err := d.checkout(ctx)
		if err != nil {
			return "", err
		}
		defer x.server.release(x)
		return x.exists(ctx, guid)
	})
}

func (c *conn) exists(ctx context.Context, guid string) (Presence, error) {
	e, err := c.byGUID(ctx, guid, true, nil)
	switch {
	case errors.Is(err, ErrNotFound):
		return Absent, nil
	case err != nil:
		return "", err
	case strings.EqualFold(e.String("isRecycled"), "TRUE"):
		return Recycled, nil
	case e.Deleted:
		return Tombstone, nil
	}
	return Live, nil
}
