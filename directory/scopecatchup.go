package directory

import (
	"context"
	"slices"
)

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
