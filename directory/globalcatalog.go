package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// A Location says where an object of a forest is.
type Location struct {
	Domain     string // DNS name, from the object's DN
	Configured bool   // the domain is one of the client's
	DN         string
	GUID       string
	SID        string
	Kind       Kind
}

// newCatalog makes the server for a global catalog's address, with the ports of those.
func newCatalog(d *domain, url string) (*server, error) {
	ep, err := parseEndpoint(url, "3268", "3269")
	if err != nil {
		return nil, err
	}
	s := newServer(d, ep)
	s.gc = true
	return s, nil
}

// catalogList returns the global catalogs that a domain's configuration names, or those of the forest that DNS names (MS-ADTS
// 6.3.2.3): those of the site first. The answer is kept for a while. None at all is an error: a name must not be unknown
// because nobody was asked.
func (d *domain) catalogList(ctx context.Context) ([]*server, error) {
	now := d.client.cfg.Now()
	d.mu.Lock()
	list, found := slices.Clone(d.catalogs), d.foundCatalogs
	d.mu.Unlock()
	if !d.cfg.DiscoverCatalogs || len(d.cfg.GlobalCatalogs) > 0 || len(list) > 0 && now.Before(found.Add(discoverTTL)) {
		return list, nil
	}
	forest, err := d.forest(ctx)
	if err != nil {
		return nil, err
	}
	var near []endpoint
	everywhere, last := d.srvRecords(ctx, "gc", forest)
	if site := d.site(ctx, d.endpoints()); site != "" {
		if near, err = d.srvRecords(ctx, "gc", site+"._sites."+forest); last == nil {
			last = err
		}
	}
	eps := mergeEndpoints(near, everywhere)
	if len(eps) == 0 {
		if len(list) > 0 { // DNS fails: those that are known stay
			return list, nil
		}
		return nil, fmt.Errorf("%w: no global catalog of %s in DNS: %w", errConnection, forest, orText(last))
	}
	d.mu.Lock()
	list, gone := d.renew(d.catalogs, eps, true)
	d.catalogs, d.foundCatalogs = list, now
	d.mu.Unlock()
	for _, s := range gone {
		s.drain()
	}
	return list, nil
}

// forest is the DNS name of the forest's root domain: configured, or what the domain's own server says.
func (d *domain) forest(ctx context.Context) (string, error) {
	if d.cfg.Forest != "" {
		return d.cfg.Forest, nil
	}
	i, err := d.client.ServerInfo(ctx, d.cfg.DNS)
	if err != nil {
		return "", err
	}
	dn, err := ParseDN(i.RootDomainNC)
	if err != nil || dn.DNS() == "" {
		return "", &IncompleteError{Reason: "rootDomainNamingContext cannot be read"}
	}
	return dn.DNS(), nil
}

func (d *domain) endpoints() (eps []endpoint) {
	for _, s := range d.list() {
		eps = append(eps, s.ep)
	}
	return eps
}

// Locate asks the global catalogs of the configured forests which objects have a name: a user principal name, a bare
// sAMAccountName, sAMAccountName@domain, a SID or a GUID. It tells of domains that are not configured too. Only names are
// looked up there: a global catalog lacks most attributes and most members of groups. Without GlobalCatalogs and
// DiscoverCatalogs nothing is found.
func (c *Client) Locate(ctx context.Context, name string) ([]Location, error) {
	f, ok := catalogForm(name)
	if !ok {
		return nil, nil
	}
	return c.locate(ctx, f)
}

// catalogForm takes a name apart without looking for its domain.
func catalogForm(name string) (f nameForm, ok bool) {
	if name == "" || len(name) > maxName || strings.ContainsAny(name, "\x00\\") {
		return f, false
	}
	if raw, err := sid.GUIDBytes(name); err == nil {
		f.guid, err = sid.GUIDFromBytes(raw)
		return f, err == nil
	}
	if s, err := sid.Canonical(name); err == nil {
		return nameForm{sid: s}, true
	}
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		return nameForm{upn: name, sam: name[:i]}, i > 0 && i < len(name)-1
	}
	return nameForm{sam: name}, true
}

func (c *Client) locate(ctx context.Context, f nameForm) ([]Location, error) {
	var out []Location
	for _, d := range c.domains {
		catalogs, err := d.catalogList(ctx)
		if err != nil {
			return nil, err
		}
		if len(catalogs) == 0 {
			continue
		}
		es, err := retry(ctx, func() ([]*Entry, error) {
			x, err := d.checkoutOf(ctx, catalogs)
			if err != nil {
				return nil, err
			}
			defer x.server.release(x)
			return x.find(ctx, Query{Filter: f.filter()})
		})
		if err != nil {
			return nil, err
		}
		for _, e := range f.chooseForest(es) {
			dn, err := ParseDN(e.DN)
			if err != nil || slices.ContainsFunc(out, func(l Location) bool { return l.GUID == e.GUID }) {
				continue
			}
			out = append(out, Location{Domain: dn.DNS(), Configured: c.byDN(dn) != nil, DN: e.DN, GUID: e.GUID, SID: e.SID, Kind: e.Kind})
		}
	}
	return out, nil
}

// chooseForest is choose over all domains of a forest: an implicit name counts in the domain that it names only.
func (f nameForm) chooseForest(es []*Entry) []*Entry {
	if f.upn != "" {
		suffix := foldName(f.upn[strings.LastIndexByte(f.upn, '@')+1:])
		written := f
		written.sam = ""
		if out := written.choose(es); len(out) > 0 {
			return out
		}
		es = slices.DeleteFunc(slices.Clone(es), func(e *Entry) bool {
			dn, err := ParseDN(e.DN)
			return err != nil || foldName(dn.DNS()) != suffix
		})
	}
	return f.choose(es)
}

// catalogDomains returns the configured domains in which a global catalog finds a name.
func (c *Client) catalogDomains(ctx context.Context, f nameForm) (out []*domain, err error) {
	locations, err := c.locate(ctx, f)
	for _, l := range locations {
		if d, err := c.domain(l.Domain); err == nil && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out, err
}
