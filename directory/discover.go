package directory

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxSRV      = 32
	discoverTTL = 10 * time.Minute
)

// discover finds the domain's servers by DNS (MS-ADTS 6.3.2.3): those of the site first. The answer is kept for a while;
// when DNS fails later, the servers that are known stay.
func (d *domain) discover(ctx context.Context) error {
	now := d.client.cfg.Now()
	d.mu.Lock()
	known, found := len(d.servers), d.found
	d.mu.Unlock()
	if known > 0 && now.Before(found.Add(discoverTTL)) {
		return nil
	}
	var near []endpoint
	everywhere, last := d.srvRecords(ctx, "ldap", "dc._msdcs."+d.cfg.DNS)
	if site := d.site(ctx, everywhere); site != "" {
		var err error
		if near, err = d.srvRecords(ctx, "ldap", site+"._sites.dc._msdcs."+d.cfg.DNS); last == nil {
			last = err
		}
	}
	eps := mergeEndpoints(near, everywhere)
	if len(eps) == 0 {
		if known > 0 {
			return nil
		}
		return fmt.Errorf("%w: no domain controller of %s in DNS: %w", errConnection, d.cfg.DNS, orText(last))
	}
	d.adopt(eps, now)
	return nil
}

func orText(err error) error {
	if err == nil {
		return ErrNotFound
	}
	return err
}

// site is the configured site, or the one that a domain controller says we are in.
func (d *domain) site(ctx context.Context, eps []endpoint) string {
	if d.cfg.Site != "" || !d.cfg.LocateSite {
		return d.cfg.Site
	}
	n, err := d.ping(ctx, eps)
	if err != nil || !siteName(n.ClientSite) {
		return ""
	}
	return n.ClientSite
}

// srvRecords asks DNS for one name. The records come sorted by priority and shuffled by weight.
func (d *domain) srvRecords(ctx context.Context, service, name string) ([]endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, d.client.cfg.Limits.BindTimeout)
	defer cancel()
	_, srv, err := d.client.cfg.Resolver.LookupSRV(ctx, service, "tcp", name)
	if err != nil {
		return nil, err
	}
	var eps []endpoint
	for _, r := range srv {
		if host := strings.ToLower(strings.TrimSuffix(r.Target, ".")); host != "" && len(eps) < maxSRV {
			addr := net.JoinHostPort(host, strconv.Itoa(int(r.Port)))
			eps = append(eps, endpoint{url: "ldap://" + addr, host: host, addr: addr})
		}
	}
	return eps, nil
}

// mergeEndpoints returns first, then what is in then only, each address once.
func mergeEndpoints(first, then []endpoint) (out []endpoint) {
	seen := map[string]bool{}
	for _, e := range append(first, then...) {
		if !seen[e.addr] && len(out) < maxSRV {
			seen[e.addr] = true
			out = append(out, e)
		}
	}
	return out
}

// adopt replaces the list of servers and keeps the pools of those that stay.
func (d *domain) adopt(eps []endpoint, now time.Time) {
	d.mu.Lock()
	list, gone := d.renew(d.servers, eps, false)
	d.servers, d.found = list, now
	d.mu.Unlock()
	for _, o := range gone {
		o.drain()
	}
}

// renew returns the servers for some addresses, the old ones where they are known, and the old ones that are no more.
func (d *domain) renew(old []*server, eps []endpoint, gc bool) (list, gone []*server) {
	for _, ep := range eps {
		i := slices.IndexFunc(old, func(o *server) bool { return o.ep == ep })
		if i < 0 {
			s := newServer(d, ep)
			s.gc = gc
			list = append(list, s)
			continue
		}
		list = append(list, old[i])
	}
	for _, o := range old {
		if !slices.Contains(list, o) {
			gone = append(gone, o)
		}
	}
	return list, gone
}
