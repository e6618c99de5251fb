package directory

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// linkStep is how many members are looked at together: a group of a hundred thousand is taken in parts.
const linkStep = 1000

// A linker turns member lists into edges. Members that are known already cost nothing but their edge.
type linker struct {
	r       *scopeReader
	own     *domain // of the groups
	pending []pendingMember
}

type pendingMember struct {
	group *groupNode
	ExtendedDN
}

// group replaces the edges of a group by what its member list says.
func (l *linker) group(ctx context.Context, p *pin, g *groupNode, e *Entry) error {
	r := l.r
	values := e.values("member")
	r.nodes[g.id].entry = r.pack(e)
	r.counts.Edges -= len(g.edges)
	g.edges, g.skipped = make([]halfEdge, 0, len(values)), nil
	for _, v := range values {
		if id, ok := r.knownMember(v); ok {
			g.edges = append(g.edges, newEdge(id, bitsMember))
			r.counts.Edges++
			continue
		}
		x, err := ParseExtendedDN(string(v))
		if err != nil {
			return &IncompleteError{Base: e.DN, Reason: "a member that is no DN", Got: len(g.edges)}
		}
		if x.GUID == "" && p.holds(x.DN) {
			if x.GUID, x.SID, err = p.identify(ctx, x.DN); err != nil {
				return err
			}
		}
		if l.pending = append(l.pending, pendingMember{g, x}); len(l.pending) == linkStep {
			if err := l.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// knownMember looks at "<GUID=...>;" only: the rest of an extended name says nothing that the object itself does not.
func (r *scopeReader) knownMember(v []byte) (uint32, bool) {
	const prefix, end = "<GUID=", len("<GUID=") + 36
	if len(v) < end+2 || string(v[:len(prefix)]) != prefix || v[end] != '>' || v[end+1] != ';' {
		return 0, false
	}
	k, ok := keyOf(v[len(prefix):end])
	return r.number(k, ok)
}

// flush reads the members that are not known yet and links them.
func (l *linker) flush(ctx context.Context) error {
	loaded, err := l.r.load(ctx, l.own, l.pending)
	if err != nil {
		return err
	}
	for _, m := range l.pending {
		if err := l.r.link(ctx, m.group, m.ExtendedDN, loaded); err != nil {
			return err
		}
	}
	clear(l.pending)
	l.pending = l.pending[:0]
	return nil
}

// identify asks for the key of a member: for servers that do not give extended names.
func (p *pin) identify(ctx context.Context, dn string) (guid, sid string, err error) {
	m, err := p.conn.find(ctx, Query{Base: dn, Scope: Base})
	if errors.Is(err, ErrNotFound) {
		return "", "", nil
	}
	if err != nil || len(m) != 1 {
		return "", "", err
	}
	return m[0].GUID, m[0].SID, nil
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
func (r *scopeReader) load(ctx context.Context, own *domain, wanted []pendingMember) (map[string]*Entry, error) {
	byDomain := map[*domain][]string{}
	var order []*domain
	for _, m := range wanted {
		if _, known := r.lookup(m.GUID); known || m.GUID == "" { // made known by a part before this one
			continue
		}
		d := r.domainOf(m.ExtendedDN, own)
		if d == nil {
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

// link makes the edge of a group to one member.
func (r *scopeReader) link(ctx context.Context, g *groupNode, m ExtendedDN, loaded map[string]*Entry) error {
	if id, known := r.lookup(m.GUID); known {
		r.edge(g, id, bitsMember)
		return nil
	}
	d := r.domainOf(m, g.dom)
	if d == nil {
		g.skipped = append(g.skipped, Skipped{m.DN, SkipForeign, m.SID})
		return nil
	}
	e := loaded[m.GUID]
	if e == nil {
		var err error
		if e, err = r.missing(ctx, d, g, m); err != nil || e == nil {
			return err
		}
	}
	switch e.Kind {
	case KindUser, KindGroup:
		id, err := r.add(d, e)
		if err != nil {
			return err
		}
		r.edge(g, id, bitsMember)
	case KindForeign:
		return r.foreign(ctx, g, e)
	default:
		g.skipped = append(g.skipped, Skipped{e.DN, SkipNotAUser, ""})
	}
	return nil
}

func (r *scopeReader) edge(g *groupNode, child, bits uint32) {
	g.edges = append(g.edges, newEdge(child, bits))
	r.counts.Edges++
}

// missing looks for a member that the packed query did not find: it may lie outside the domain's partition, it may have
// been deleted since the list was read, or our account may not read it. Only the last one is an incomplete read.
func (r *scopeReader) missing(ctx context.Context, d *domain, g *groupNode, m ExtendedDN) (*Entry, error) {
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
	if inRecycleBin(m.DN) {
		return nil, nil
	}
	return nil, r.noMember(ctx, g, m)
}

// noMember proves that what is neither live nor deleted for us is no member any more.
func (r *scopeReader) noMember(ctx context.Context, g *groupNode, m ExtendedDN) error {
	own, err := r.pin(ctx, g.dom)
	if err != nil {
		return err
	}
	now, err := own.conn.byGUID(ctx, r.nodes[g.id].entry.GUID, false, []string{"member"})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, v := range now.values("member") {
		x, err := ParseExtendedDN(string(v))
		if err != nil || (x.GUID == m.GUID && x.DN == m.DN) {
			return &IncompleteError{Base: now.DN, Reason: "a member that cannot be read", Got: len(g.edges)}
		}
	}
	return nil
}

// inRecycleBin reports whether the name is that of a deleted object. Samba leaves such members in the list while its recycle
// bin is on, and an account without the right to read deleted objects cannot look them up.
func inRecycleBin(dn string) bool {
	name := strings.ToLower(dn)
	return strings.Contains(name, `\0adel:`) && strings.Contains(name, ",cn=deleted objects,")
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
func (r *scopeReader) foreign(ctx context.Context, g *groupNode, e *Entry) error {
	prefix, _, err := sid.Split(e.SID)
	if err != nil || !strings.HasPrefix(e.SID, "S-1-5-21-") {
		g.skipped = append(g.skipped, Skipped{e.DN, SkipWellKnown, e.SID})
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
		g.skipped = append(g.skipped, Skipped{e.DN, SkipForeign, e.SID})
	case hits[0].Kind == KindUser || hits[0].Kind == KindGroup:
		id, err := r.add(d, hits[0])
		if err != nil {
			return err
		}
		r.edge(g, id, bitsFSP)
	default:
		g.skipped = append(g.skipped, Skipped{e.DN, SkipNotAUser, e.SID})
	}
	return nil
}

// expandPrimary finds the users whose primary group is one of the new groups: they are in no member list.
func (r *scopeReader) expandPrimary(ctx context.Context) error {
	groups := r.primary
	r.primary = nil
	byDomain := map[*domain][]Filter{}
	for _, g := range groups {
		p, err := r.pin(ctx, g.dom)
		if err != nil {
			return err
		}
		prefix, rid, err := sid.Split(r.nodes[g.id].entry.SID)
		if err == nil && prefix == p.sid {
			byDomain[g.dom] = append(byDomain[g.dom], Eq("primaryGroupID", strconv.FormatUint(uint64(rid), 10)))
		}
	}
	for _, d := range r.c.domains { // in a fixed order
		for chunk := range slices.Chunk(byDomain[d], guidsPerQuery) {
			err := r.pins[d].conn.each(ctx, Query{Filter: Or(chunk...), Attributes: r.attributes(), domainOnly: true}, func(e *Entry) error {
				if e.Kind != KindUser {
					return nil
				}
				_, err := r.add(d, e)
				return err
			})
			if err != nil {
				return err
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
