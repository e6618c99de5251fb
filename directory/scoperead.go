package directory

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// Sizes of the packed queries of a scope read.
const (
	guidsPerQuery  = 100
	groupsPerQuery = 20 // each brings its whole member list
)

// A scopeReader collects one scope. Each domain is read on one connection from start to end.
type scopeReader struct {
	c         *Client
	q         ScopeQuery
	keep      []string // attributes that entries are kept with
	pins      map[*domain]*pin
	found     []ResolvedPrincipal
	nodes     map[string]*node // by GUID: users and groups
	queue     []*node          // groups whose members are to be read
	primary   []*node          // groups whose primary members are to be read
	groupSIDs map[string]bool  // of the groups in nodes
	edges     int
}

// A pin is the one connection to a domain.
type pin struct {
	dom  *domain
	conn *conn
	mark int64  // changes up to here are in what was read
	sid  string // of the domain
}

// A node is a user or a group.
type node struct {
	dom     *domain
	entry   *Entry
	group   *groupNode // nil for a user
	reached bool
}

// A groupNode is what groups have in addition: users are many.
type groupNode struct {
	edges   []halfEdge // member and fsp
	skipped []Skipped
	queued  bool
}

// A halfEdge is an edge without its parent.
type halfEdge struct {
	child string
	fsp   bool
}

func (e halfEdge) kind() EdgeKind {
	if e.fsp {
		return EdgeFSP
	}
	return EdgeMember
}

func (r *scopeReader) release() {
	for _, p := range r.pins {
		p.conn.server.release(p.conn)
	}
}

// pin connects to a domain once and notes its watermark before anything is read.
func (r *scopeReader) pin(ctx context.Context, d *domain) (*pin, error) {
	if p := r.pins[d]; p != nil {
		return p, nil
	}
	s, err := d.domainSID(ctx)
	if err != nil {
		return nil, err
	}
	c, err := d.checkout(ctx)
	if err != nil {
		return nil, err
	}
	p := &pin{dom: d, conn: c, sid: s}
	r.pins[d] = p
	if c.info.ActiveDirectory {
		if p.mark, err = c.highestUSN(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (r *scopeReader) attributes() []string {
	attrs := slices.DeleteFunc(slices.Clone(r.q.Attributes), func(a string) bool { return strings.EqualFold(a, "member") })
	return append(attrs, "primaryGroupID")
}

// principals resolves the names of the query.
func (r *scopeReader) principals(ctx context.Context) error {
	// names are routed before the first connection is kept: routing may need connections of its own
	forms := make([]nameForm, len(r.q.Principals))
	errs := make([]error, len(r.q.Principals))
	for i, p := range r.q.Principals {
		if forms[i], errs[i] = r.c.parseName(ctx, p.Name); errs[i] != nil && !notFound(errs[i]) {
			return errs[i]
		}
	}
	for i, p := range r.q.Principals {
		var e *Entry
		var d *domain
		err := errs[i]
		if err == nil {
			e, d, err = r.resolve(ctx, p, forms[i])
		}
		if err != nil && !notFound(err) {
			return err
		}
		rp := ResolvedPrincipal{Principal: p, Err: err}
		if err == nil {
			rp.GUID, rp.Kind = e.GUID, e.Kind
			r.add(d, e)
		}
		r.found = append(r.found, rp)
	}
	return nil
}

func (r *scopeReader) resolve(ctx context.Context, p Principal, f nameForm) (*Entry, *domain, error) {
	var hits []*Entry
	var where *domain
	for _, d := range f.domains {
		x, err := r.pin(ctx, d)
		if err != nil {
			return nil, nil, err
		}
		es, err := x.conn.lookup(ctx, f, r.attributes())
		if err != nil {
			return nil, nil, err
		}
		for _, e := range es {
			if (e.Kind == KindUser || e.Kind == KindGroup) && (p.Kind == "" || e.Kind == p.Kind) {
				hits, where = append(hits, e), d
			}
		}
	}
	switch len(hits) {
	case 0:
		return nil, nil, ErrNotFound
	case 1:
		return hits[0], where, nil
	}
	return nil, nil, &AmbiguousError{Candidates: hits}
}

// add makes a user or group known; a group is queued for its members.
func (r *scopeReader) add(d *domain, e *Entry) *node {
	e = r.pack(e)
	n := r.nodes[e.GUID]
	if n == nil {
		n = &node{dom: d}
		r.nodes[e.GUID] = n
		if e.Kind == KindGroup {
			n.group = &groupNode{}
			r.enqueue(n)
			r.primary = append(r.primary, n)
			r.groupSIDs[e.SID] = true
		}
		if r.q.Progress != nil && len(r.nodes)%1000 == 0 {
			n.entry = e
			r.q.Progress(r.counts())
		}
	}
	n.entry = e
	return n
}

// pack makes the form in which entries are kept: what was asked, and what the methods of Entry need. Member lists are
// kept as edges only.
func (r *scopeReader) pack(e *Entry) *Entry { return e.pack(&r.c.names, r.keep) }

func (r *scopeReader) counts() ScopeCounts {
	c := ScopeCounts{Edges: r.edges}
	for _, n := range r.nodes {
		if n.entry != nil && n.entry.Kind == KindGroup {
			c.Groups++
		}
	}
	c.Users = len(r.nodes) - c.Groups
	return c
}

func (r *scopeReader) enqueue(n *node) {
	if !n.group.queued {
		n.group.queued = true
		r.queue = append(r.queue, n)
	}
}

// expand reads the members of queued groups until no group is left.
func (r *scopeReader) expand(ctx context.Context) error {
	for len(r.queue) > 0 || len(r.primary) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.expandPrimary(ctx); err != nil {
			return err
		}
		if len(r.queue) == 0 {
			continue
		}
		d := r.queue[0].dom
		var batch []*node
		var rest []*node
		for _, n := range r.queue {
			if n.dom == d && len(batch) < groupsPerQuery {
				batch = append(batch, n)
			} else {
				rest = append(rest, n)
			}
		}
		r.queue = rest
		if err := r.expandGroups(ctx, d, batch); err != nil {
			return err
		}
	}
	if r.q.Progress != nil {
		r.q.Progress(r.counts())
	}
	return nil
}

// expandGroups reads the member lists of some groups of one domain, then the members that are not known yet.
func (r *scopeReader) expandGroups(ctx context.Context, d *domain, batch []*node) error {
	p, err := r.pin(ctx, d)
	if err != nil {
		return err
	}
	var guids []string
	for _, n := range batch {
		guids = append(guids, n.entry.GUID)
		n.group.queued = false
	}
	entries, err := p.byGUIDs(ctx, guids, append(r.attributes(), "member"))
	if err != nil {
		return err
	}
	lists := map[*node][]ExtendedDN{}
	var wanted []ExtendedDN
	for _, n := range batch {
		e := entries[n.entry.GUID]
		if e == nil { // deleted since: proved, or the read is not whole
			if err := r.vanished(ctx, p, n.entry.GUID, n.entry.DN); err != nil {
				return err
			}
			delete(r.nodes, n.entry.GUID)
			continue
		}
		list, err := p.members(ctx, e)
		if err != nil {
			return err
		}
		n.entry = r.pack(e)
		lists[n] = list
		for _, m := range list {
			if r.nodes[m.GUID] == nil {
				wanted = append(wanted, m)
			}
		}
	}
	loaded, err := r.load(ctx, d, wanted)
	if err != nil {
		return err
	}
	for _, n := range batch {
		if list, ok := lists[n]; ok {
			if err := r.link(ctx, n, list, loaded); err != nil {
				return err
			}
		}
	}
	return nil
}

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
	return sid.Join(prefix, uint32(n)) //nolint:gosec // checked
}

// catchUp reads what changed since the watermarks and queues what has to be read again. It reports whether there was
// anything that matters.
func (r *scopeReader) catchUp(ctx context.Context) (bool, error) {
	changed := false
	for _, d := range r.c.domains {
		p := r.pins[d]
		if p == nil || !p.conn.info.ActiveDirectory {
			continue
		}
		was := p.conn.info.ID
		if err := p.conn.readRoot(ctx); err != nil {
			return false, err
		}
		mark := p.conn.info.HighestUSN
		if p.conn.info.ID != was || mark < p.mark {
			p.conn.close()
			return false, ErrServerChanged
		}
		if mark == p.mark {
			continue
		}
		es, err := p.conn.find(ctx, Query{Filter: AtLeast("uSNChanged", p.mark+1), Attributes: r.attributes(), Deleted: true, domainOnly: true})
		if err != nil {
			return false, err
		}
		renamed := false
		for _, e := range es {
			changed = r.changed(d, e) || changed
			renamed = renamed || e.Kind == KindOU
		}
		if renamed {
			moved, err := r.rename(ctx, p)
			if err != nil {
				return false, err
			}
			changed = changed || moved
		}
		p.mark = mark
	}
	return changed, nil
}

// changed takes in one changed object and reports whether it matters.
func (r *scopeReader) changed(d *domain, e *Entry) bool {
	n := r.nodes[e.GUID]
	switch {
	case n == nil && e.Kind == KindUser && !e.Deleted: // a new primary member?
		if r.groupSIDs[r.primarySID(e)] {
			r.add(d, e)
			return true
		}
		return false
	case n == nil:
		return false
	case e.Deleted:
		delete(r.nodes, e.GUID)
		return true
	}
	if e.USNChanged == n.entry.USNChanged && e.DN == n.entry.DN { // read after the change
		return false
	}
	n.entry = r.pack(e)
	if n.group != nil {
		r.enqueue(n)
	}
	return true
}

// rename reads the names of one domain's objects again: when a container is renamed or moved, all names below it change
// without a sign on the objects themselves.
func (r *scopeReader) rename(ctx context.Context, p *pin) (bool, error) {
	var guids []string
	for g, n := range r.nodes {
		if n.dom == p.dom {
			guids = append(guids, g)
		}
	}
	slices.Sort(guids)
	es, err := p.byGUIDs(ctx, guids, r.attributes())
	moved := false
	for g, e := range es {
		if n := r.nodes[g]; n.entry.DN != e.DN {
			n.entry, moved = r.pack(e), true
		}
	}
	return moved, err
}
