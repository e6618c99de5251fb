package kerberos

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Resolver looks up SRV records; *net.Resolver is one. Its answers are hints: what authenticates a KDC is its proof.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

const (
	maxSRV = 32
	srvTTL = 5 * time.Minute // the resolver of the standard library does not tell the record's own
)

// discovery finds servers by DNS SRV records (RFC 4120 7.2.3.2) and remembers them for a while.
type discovery struct {
	resolver Resolver
	now      func() time.Time

	mu    sync.Mutex
	cache map[string]found
}

type found struct {
	addrs []string
	till  time.Time
}

func newDiscovery(r Resolver, now func() time.Time) *discovery {
	return &discovery{resolver: r, now: now, cache: map[string]found{}}
}

// kdcs returns the configured KDCs of a realm, or those that DNS names.
func (n *network) kdcs(ctx context.Context, r *Realm) ([]string, error) {
	if len(r.KDCs) > 0 {
		return r.KDCs, nil
	}
	return n.srv.lookup(ctx, "kerberos", r)
}

// kpasswd returns the servers for password changes: configured, found, or port 464 of the KDCs.
func (n *network) kpasswd(ctx context.Context, r *Realm) ([]string, error) {
	if len(r.KPasswd) > 0 {
		return r.KPasswd, nil
	}
	if len(r.KDCs) == 0 {
		return n.srv.lookup(ctx, "kpasswd", r)
	}
	out := make([]string, 0, len(r.KDCs))
	for _, k := range r.KDCs {
		if host, _, err := net.SplitHostPort(k); err == nil {
			out = append(out, net.JoinHostPort(host, "464"))
		}
	}
	return out, nil
}

// lookup asks for the site's servers first, then for the realm's. The order of the resolver (priority, then weight)
// is kept.
func (d *discovery) lookup(ctx context.Context, service string, r *Realm) ([]string, error) {
	id := service + " " + r.Name + " " + r.Site
	if addrs := d.cached(id); addrs != nil {
		return addrs, nil
	}
	domain := strings.ToLower(r.Name)
	var addrs []string
	seen := map[string]bool{}
	var failed error
	for _, name := range d.names(service, domain, r.Site) {
		proto := "tcp"
		if name[0] == "udp" {
			proto = "udp"
		}
		_, records, err := d.resolver.LookupSRV(ctx, service, proto, name[1])
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			failed = err
			continue
		}
		for _, rec := range records {
			host := strings.TrimSuffix(rec.Target, ".")
			addr := net.JoinHostPort(host, strconv.Itoa(int(rec.Port)))
			if host == "" || rec.Port == 0 || seen[addr] || len(addrs) >= maxSRV {
				continue
			}
			seen[addr] = true
			addrs = append(addrs, addr)
		}
		if name[0] != "site" && len(addrs) > 0 {
			break
		}
	}
	if len(addrs) == 0 {
		return nil, outside(ErrUnavailable, "DNS names no server", failed)
	}
	d.mu.Lock()
	d.cache[id] = found{addrs, d.now().Add(srvTTL)}
	d.mu.Unlock()
	return addrs, nil
}

func (d *discovery) names(service, domain, site string) [][2]string {
	var out [][2]string
	if site != "" && service == "kerberos" {
		out = append(out, [2]string{"site", site + "._sites.dc._msdcs." + domain})
	}
	return append(out, [2]string{"tcp", domain}, [2]string{"udp", domain})
}

func (d *discovery) cached(id string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f, ok := d.cache[id]; ok && d.now().Before(f.till) {
		return f.addrs
	}
	return nil
}
