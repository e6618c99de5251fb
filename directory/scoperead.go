package directory

import (
	"context"
	"slices"
	"strings"
)

// Sizes of the packed queries of a scope read.
const (
	guidsPerQuery  = 100
	groupsPerQuery = 20    // each brings its whole member list
	manyValues     = 4_000 // so many members in one answer: fewer groups in the next
)

// maxNodes is the number of users and groups that one scope can hold: edges have 30 bits for the number of their end.
const maxNodes = 1 << 30

// A scopeReader collects one scope. Each domain is read on one connection from start to end.
type scopeReader struct {
	c         *Client
	q         ScopeQuery
	keep      []string // attributes that entries are kept with
	pins      map[*domain]*pin
	found     []ResolvedPrincipal
	nodes     []node             // users and groups
	index     map[guidKey]uint32 // their numbers
	queue     []*groupNode       // groups whose members are to be read
	primary   []*groupNode       // groups whose primary members are to be read
	groupSIDs map[string]bool    // of the groups in nodes
	batch     int                // groups in the next query, 1 to groupsPerQuery
	counts    ScopeCounts
}

// A pin is the one connection to a domain.
type pin struct {
	dom  *domain
	conn *conn
	mark int64  // changes up to here are in what was read
	sid  string // of the domain
}

// A node is a user or a group. It keeps its number for ever: edges hold it.
type node struct {
	entry *Entry
	group *groupNode // nil for a user
	gone  bool       // deleted since it was read
}

// A groupNode is what groups have in addition: users are many.
type groupNode struct {
	id        uint32
	dom       *domain
	edges     []halfEdge // member and fsp
	primaries []uint32   // users by primary group, set at the end
	skipped   []Skipped
	queued    bool
}

// A halfEdge is an edge without its parent: the number of the child, and the kind.
type halfEdge uint32

func newEdge(child, bits uint32) halfEdge { return halfEdge(child<<kindBits | bits) }

func (e halfEdge) child() uint32 { return uint32(e) >> kindBits }

func (e halfEdge) bits() uint32 { return uint32(e) & kindMask }

// A guidKey is a GUID in 16 bytes, a third of its text.
type guidKey [16]byte

// keyOf reads the canonical text of a GUID: 8-4-4-4-12 digits, lower case.
func keyOf[T string | []byte](guid T) (k guidKey, ok bool) {
	if len(guid) != 36 {
		return k, false
	}
	i := 0
	for pos := 0; pos < len(guid); pos += 2 {
		if pos == 8 || pos == 13 || pos == 18 || pos == 23 {
			if guid[pos] != '-' {
				return k, false
			}
			pos++
		}
		hi, lo := nibble(guid[pos]), nibble(guid[pos+1])
		if hi|lo > 0xf {
			return k, false
		}
		k[i] = hi<<4 | lo
		i++
	}
	return k, true
}

func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// lookup returns the number of a live user or group that is known.
func (r *scopeReader) lookup(guid string) (uint32, bool) {
	k, ok := keyOf(guid)
	return r.number(k, ok)
}

func (r *scopeReader) number(k guidKey, ok bool) (uint32, bool) {
	if !ok {
		return 0, false
	}
	id, ok := r.index[k]
	return id, ok && !r.nodes[id].gone
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
	hits, err := r.candidates(ctx, forms)
	if err != nil {
		return err
	}
	for i, p := range r.q.Principals {
		rp := ResolvedPrincipal{Principal: p, Err: errs[i]}
		var e *Entry
		if rp.Err == nil {
			e, rp.Err = only(hits[i])
		}
		if rp.Err == nil {
			d, err := r.c.domain(e.Domain)
			if err == nil {
				_, err = r.add(d, e)
			}
			if err != nil {
				return err
			}
			rp.GUID, rp.Kind = e.GUID, e.Kind
		}
		r.found = append(r.found, rp)
	}
	return nil
}

// candidates finds the users and groups that each principal's name fits.
func (r *scopeReader) candidates(ctx context.Context, forms []nameForm) ([][]*Entry, error) {
	hits := make([][]*Entry, len(forms))
	for _, d := range r.c.domains {
		which, some := formsOf(forms, d)
		if len(some) == 0 {
			continue
		}
		x, err := r.pin(ctx, d)
		if err != nil {
			return nil, err
		}
		found, err := x.conn.lookupAll(ctx, some, r.attributes())
		if err != nil {
			return nil, err
		}
		for k, i := range which {
			p := r.q.Principals[i]
			for _, e := range found[k] {
				if (e.Kind == KindUser || e.Kind == KindGroup) && (p.Kind == "" || e.Kind == p.Kind) {
					hits[i] = append(hits[i], e)
				}
			}
		}
	}
	return hits, nil
}

// add makes a user or group known; a group is queued for its members.
func (r *scopeReader) add(d *domain, e *Entry) (uint32, error) {
	k, ok := keyOf(e.GUID)
	if !ok {
		return 0, &IncompleteError{Base: e.DN, Reason: "an object without a canonical GUID"}
	}
	e = r.pack(e)
	id, known := r.index[k]
	if known && !r.nodes[id].gone {
		r.nodes[id].entry = e
		return id, nil
	}
	if !known {
		if len(r.nodes) == maxNodes {
			return 0, &IncompleteError{Base: e.DN, Reason: "limit: objects of one scope", Got: len(r.nodes)}
		}
		id = uint32(len(r.nodes)) //nolint:gosec // below maxNodes
		r.nodes = append(r.nodes, node{})
		r.index[k] = id
	}
	n := node{entry: e}
	if e.Kind == KindGroup {
		n.group = &groupNode{id: id, dom: d}
		r.enqueue(n.group)
		r.primary = append(r.primary, n.group)
		r.groupSIDs[e.SID] = true
		r.counts.Groups++
	} else {
		r.counts.Users++
	}
	r.nodes[id] = n
	if (r.counts.Users+r.counts.Groups)%progressStep == 0 {
		r.progress()
	}
	return id, nil
}

// progressStep: progress is told each time so many objects were read.
const progressStep = 1000

func (r *scopeReader) progress() {
	if r.q.Progress != nil {
		r.q.Progress(r.counts)
	}
}

// remove forgets a user or group that was deleted.
func (r *scopeReader) remove(id uint32) {
	n := &r.nodes[id]
	n.gone = true
	if n.group == nil {
		r.counts.Users--
		return
	}
	r.counts.Groups--
	r.counts.Edges -= len(n.group.edges)
	n.group.edges = nil
}

// pack makes the form in which entries are kept: what was asked, and what the methods of Entry need. Member lists are
// kept as edges only.
func (r *scopeReader) pack(e *Entry) *Entry { return e.pack(r.c.packing, r.keep) }

func (r *scopeReader) enqueue(g *groupNode) {
	if !g.queued {
		g.queued = true
		r.queue = append(r.queue, g)
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
		var batch []*groupNode
		var rest []*groupNode
		for _, g := range r.queue {
			if g.dom == d && len(batch) < r.batch {
				batch = append(batch, g)
			} else {
				rest = append(rest, g)
			}
		}
		r.queue = rest
		if err := r.expandGroups(ctx, d, batch); err != nil {
			return err
		}
	}
	r.progress()
	return nil
}

// expandGroups reads the member lists of some groups of one domain, then the members that are not known yet.
func (r *scopeReader) expandGroups(ctx context.Context, d *domain, batch []*groupNode) error {
	p, err := r.pin(ctx, d)
	if err != nil {
		return err
	}
	var guids []string
	for _, g := range batch {
		guids = append(guids, r.nodes[g.id].entry.GUID)
		g.queued = false
	}
	entries, err := p.byGUIDs(ctx, guids, append(r.attributes(), "member"))
	if err != nil {
		return err
	}
	values := 0
	for _, e := range entries {
		values += len(e.values("member"))
	}
	switch {
	case values > manyValues:
		r.batch = max(1, r.batch/2)
	case values < manyValues/4:
		r.batch = min(groupsPerQuery, r.batch*2)
	}
	l := linker{r: r, own: d}
	for i, g := range batch {
		if r.nodes[g.id].gone || r.nodes[g.id].group != g { // deleted meanwhile, or deleted and restored
			continue
		}
		e := entries[guids[i]]
		delete(entries, guids[i]) // its member list can be large
		if e == nil {             // deleted since: proved, or the read is not whole
			if err := r.vanished(ctx, p, guids[i], r.nodes[g.id].entry.DN); err != nil {
				return err
			}
			r.remove(g.id)
			continue
		}
		if err := l.group(ctx, p, g, e); err != nil {
			return err
		}
	}
	return l.flush(ctx)
}
