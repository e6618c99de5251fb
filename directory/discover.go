package directory

import (
	"context"
	"fmt"
	"net"
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
	names := []string{"dc._msdcs." + d.cfg.DNS}
	if d.cfg.Site != "" {
		names = []string{d.cfg.Site + "._sites.dc._msdcs." + d.cfg.DNS, names[0]}
	}
	var eps []endpoint
	var last error
	for _, name := range names {
		rctx, cancel := context.WithTimeout(ctx, d.client.cfg.Limits.BindTimeout)
		_, srv, err := d.client.cfg.Resolver.LookupSRV(rctx, "ldap", "tcp", name)
		cancel()
		if err != nil {
			last = err
			continue
		}
		eps = appendEndpoints(eps, srv) // LookupSRV has sorted by priority and shuffled by weight
	}
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

func appendEndpoints(eps []endpoint, srv []*net.SRV) []endpoint {
	for _, r := range srv {
		host := strings.ToLower(strings.TrimSuffix(r.Target, "."))
		if host == "" || len(eps) >= maxSRV {
			continue
		}
		addr := net.JoinHostPort(host, strconv.Itoa(int(r.Port)))
		e := endpoint{url: "ldap://" + addr, host: host, addr: addr}
		dup := false
		for _, x := range eps {
			dup = dup || x.addr == addr
		}
		if !dup {
			eps = append(eps, e)
		}
	}
	return eps
}

// adopt replaces the list of servers and keeps the pools of those that stay.
func (d *domain) adopt(eps []endpoint, now time.Time) {
	d.mu.Lock()
	old := d.servers
	keep := map[*server]bool{}
	list := make([]*server, 0, len(eps))
	for _, ep := range eps {
		s := newServer(d, ep)
		for _, o := range old {
			if o.ep == ep {
				s = o
				keep[o] = true
			}
		}
		list = append(list, s)
	}
	d.servers, d.found = list, now
	d.mu.Unlock()
	for _, o := range old {
		if !keep[o] {
			o.drain()
		}
	}
}
