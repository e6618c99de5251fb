package directory

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// members returns the member list of a group with a GUID for each. A server that does not give extended names is asked
// for each member.
func (p *pin) members(ctx context.Context, e *Entry) ([]ExtendedDN, error) {
	values := e.values("member")
	out := make([]ExtendedDN, 0, len(values))
	for _, v := range values {
		x, err := ParseExtendedDN(string(v))
		if err != nil {
			return nil, &IncompleteError{Base: e.DN, Reason: "a member that is no DN", Got: len(out)}
		}
		if x.GUID == "" && p.holds(x.DN) {
			m, err := p.conn.find(ctx, Query{Base: x.DN, Scope: Base})
			if err != nil && !errors.Is(err, ErrNotFound) {
				return nil, err
			}
			if len(m) == 1 {
				x.GUID, x.SID = m[0].GUID, m[0].SID
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func (p *pin) holds(dn string) bool {
	d, err := ParseDN(dn)
	base, err2 := ParseDN(p.dom.base)
	return err == nil && err2 == nil && d.Below(base)
}

// byGUIDs reads objects of one domain by their keys, in packed queries.
func (p *pin) byGUIDs(ctx context.Context, guids, attributes []string) (map[string]*Entry, error) {
	out := make(map[string]*Entry, len(guids))
	for chunk := range slices.Chunk(guids, guidsPerQuery) {
		var or []Filter
		for _, g := range chunk {
			if p.conn.info.ActiveDirectory {
				or = append(or, ByGUID(g))
			} else {
				or = append(or, Eq("entryUUID", g))
			}
		}
		es, err := p.conn.find(ctx, Query{Filter: Or(or...), Attributes: attributes, domainOnly: true})
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			out[e.GUID] = e
		}
	}
	return out, nil
}

// load reads members that are not known yet: in the domain that their DN says, else in the group's own one. Members of
// domains that are not configured are left out of the answer.
func (r *scopeReader) load(ctx context.Context, own *domain, wanted []ExtendedDN) (map[string]*Entry, error) {
	byDomain := map[*domain][]string{}
	var order []*domain
	for _, m := range wanted {
		d := r.domainOf(m, own)
		if d == nil || m.GUID == "" {
			continue
		}
		if byDomain[d] == nil {
			order = append(order, d)
		}
		byDomain[d] = append(byDomain[d], m.GUID)
	}
	all := map[string]*Entry{}
	for _, d := range order {
		p, err := r.pin(ctx, d)
		if err != nil {
			return nil, err
		}
		guids := byDomain[d]
		slices.Sort(guids)
		for chunk := range slices.Chunk(slices.Compact(guids), guidsPerQuery) {
			es, err := p.byGUIDs(ctx, chunk, r.attributes())
			if err != nil {
				return nil, err
			}
			for g, e := range es {
				all[g] = r.pack(e) // at once: there may be 100,000 of them
			}
		}
	}
	return all, nil
}

// domainOf says which configured domain holds a member, nil for none of them.
func (r *scopeReader) domainOf(m ExtendedDN, own *domain) *domain {
	dn, err := ParseDN(m.DN)
	if err != nil || dn.IsZero() {
		return own
	}
	return r.c.byDN(dn)
}

// link makes the edges of a group from its member list.
func (r *scopeReader) link(ctx context.Context, n *node, list []ExtendedDN, loaded map[string]*Entry) error {
	r.edges -= len(n.group.edges)
	n.group.edges, n.group.skipped = make([]halfEdge, 0, len(list)), nil
	for _, m := range list {
		d := r.domainOf(m, n.dom)
		if d == nil {
			n.group.skipped = append(n.group.skipped, Skipped{m.DN, SkipForeign, m.SID})
			continue
		}
		if known := r.nodes[m.GUID]; known != nil {
			n.group.edges = append(n.group.edges, halfEdge{child: known.entry.GUID}) // the one text that all edges to it share
			continue
		}
		e := loaded[m.GUID]
		if e == nil {
			var err error
			if e, err = r.missing(ctx, d, n, m); err != nil {
				return err
			}
			if e == nil {
				continue
			}
		}
		switch e.Kind {
		case KindUser, KindGroup:
			r.add(d, e)
			n.group.edges = append(n.group.edges, halfEdge{child: r.nodes[e.GUID].entry.GUID})
		case KindForeign:
			if err := r.foreign(ctx, n, e); err != nil {
				return err
			}
		default:
			n.group.skipped = append(n.group.skipped, Skipped{e.DN, SkipNotAUser, ""})
		}
	}
	r.edges += len(n.group.edges)
	return nil
}

// missing looks for a member that the packed query did not find: it may lie outside the domain's partition, it may have
// been deleted since the list was read, or our account may not read it. Only the last one is an incomplete read.
func (r *scopeReader) missing(ctx context.Context, d *domain, n *node, m ExtendedDN) (*Entry, error) {
	p, err := r.pin(ctx, d)
	if err != nil {
		return nil, err
	}
	if m.GUID != "" {
		e, err := p.conn.byGUID(ctx, m.GUID, false, r.attributes())
		if err == nil || !errors.Is(err, ErrNotFound) {
			return e, err
		}
		if gone, err := p.conn.exists(ctx, m.GUID); err != nil || gone == Tombstone || gone == Recycled {
			return nil, err
		}
	}
	// neither live nor deleted: is it still a member?
	own, err := r.pin(ctx, n.dom)
	if err != nil {
		return nil, err
	}
	g, err := own.conn.byGUID(ctx, n.entry.GUID, false, []string{"member"})
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, v := range g.values("member") {
		x, err := ParseExtendedDN(string(v))
		if err != nil || (x.GUID == m.GUID && x.DN == m.DN) {
			return nil, &IncompleteError{Base: n.entry.DN, Reason: "a member that cannot be read", Got: len(n.group.edges)}
		}
	}
	return nil, nil
}

// vanished proves that a group that was known is deleted.
func (r *scopeReader) vanished(ctx context.Context, p *pin, guid, dn string) error {
	state, err := p.conn.exists(ctx, guid)
	if err != nil {
		return err
	}
	if state == Live || state == Absent {
		return &IncompleteError{Base: dn, Reason: "a group that cannot be read any more"}
	}
	return nil
}

// foreign follows a foreign security principal: by its SID, not by its name, into the domain with that SID.
func (r *scopeReader) foreign(ctx context.Context, n *node, e *Entry) error {
	prefix, _, err := sid.Split(e.SID)
	if err != nil || !strings.HasPrefix(e.SID, "S-1-5-21-") {
		n.group.skipped = append(n.group.skipped, Skipped{e.DN, SkipWellKnown, e.SID})
		return nil
	}
	d, err := r.c.bySID(ctx, prefix)
	if err != nil {
		return err
	}
	var hits []*Entry
	if d != nil {
		p, err := r.pin(ctx, d)
		if err != nil {
			return err
		}
		if hits, err = p.conn.find(ctx, Query{Filter: BySID(e.SID), Attributes: r.attributes(), domainOnly: true}); err != nil {
			return err
		}
	}
	switch {
	case len(hits) != 1:
		n.group.skipped = append(n.group.skipped, Skipped{e.DN, SkipForeign, e.SID})
	case hits[0].Kind == KindUser || hits[0].Kind == KindGroup:
		r.add(d, hits[0])
		n.group.edges = append(n.group.edges, halfEdge{r.nodes[hits[0].GUID].entry.GUID, true})
	default:
		n.group.skipped = append(n.group.skipped, Skipped{e.DN, SkipNotAUser, e.SID})
	}
	return nil
}

// expandPrimary finds the users whose primary group is one of the new groups: they are in no member list.
func (r *scopeReader) expandPrimary(ctx context.Context) error {
	groups := r.primary
	r.primary = nil
	byDomain := map[*domain][]Filter{}
	for _, n := range groups {
		p, err := r.pin(ctx, n.dom)
		if err != nil {
			return err
		}
		prefix, rid, err := sid.Split(n.entry.SID)
		if err == nil && prefix == p.sid {
			byDomain[n.dom] = append(byDomain[n.dom], Eq("primaryGroupID", strconv.FormatUint(uint64(rid), 10)))
		}
	}
	for _, d := range r.c.domains { // in a fixed order
		for chunk := range slices.Chunk(byDomain[d], guidsPerQuery) {
			es, err := r.pins[d].conn.find(ctx, Query{Filter: Or(chunk...), Attributes: r.attributes(), domainOnly: true})
			if err != nil {
				return err
			}
			for _, e := range es {
				if e.Kind == KindUser {
					r.add(d, e)
				}
			}
		}
	}
	return nil
}

// primarySID is the SID of a user's primary group.
func (r *scopeReader) primarySID(e *Entry) string {
	n, ok := e.Int("primaryGroupID")
	prefix, _, err := sid.Split(e.SID)
	if !ok || err != nil || n <= 0 || n > 1<<32-1 {
		return ""
	}
	return sid.Join(prefix, uint32(n))
}
