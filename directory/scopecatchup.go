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
		renamed := false
		q := Query{Filter: AtLeast("uSNChanged", p.mark+1), Attributes: r.attributes(), Deleted: true, domainOnly: true}
		if err := p.conn.each(ctx, q, func(e *Entry) error {
			matters, err := r.changed(d, e)
			changed = changed || matters
			renamed = renamed || e.Kind == KindOU
			return err
		}); err != nil {
			return false, err
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
func (r *scopeReader) changed(d *domain, e *Entry) (bool, error) {
	id, known := r.lookup(e.GUID)
	switch {
	case !known && e.Kind == KindUser && !e.Deleted && r.groupSIDs[r.primarySID(e)]: // a new primary member
		_, err := r.add(d, e)
		return true, err
	case !known:
		return false, nil
	case e.Deleted:
		r.remove(id)
		return true, nil
	}
	n := &r.nodes[id]
	if e.USNChanged == n.entry.USNChanged && e.DN == n.entry.DN { // read after the change
		return false, nil
	}
	n.entry = r.pack(e)
	if n.group != nil {
		r.enqueue(n.group)
	}
	return true, nil
}

// rename reads the names of one domain's objects again: when a container is renamed or moved, all names below it change
// without a sign on the objects themselves.
func (r *scopeReader) rename(ctx context.Context, p *pin) (bool, error) {
	var guids []string
	for i := range r.nodes {
		if n := &r.nodes[i]; !n.gone && n.entry.Domain == p.dom.cfg.DNS {
			guids = append(guids, n.entry.GUID)
		}
	}
	slices.Sort(guids)
	moved := false
	for chunk := range slices.Chunk(guids, guidsPerQuery) {
		es, err := p.byGUIDs(ctx, chunk, r.attributes())
		if err != nil {
			return false, err
		}
		for g, e := range es {
			if id, ok := r.lookup(g); ok && r.nodes[id].entry.DN != e.DN {
				r.nodes[id].entry, moved = r.pack(e), true
			}
		}
	}
	return moved, nil
}
