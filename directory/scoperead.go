package directory

import (
	"context"
	"slices"
	"strings"
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
