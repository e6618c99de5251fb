package adsync

import (
	"cmp"
	"slices"
)

// relink gives the record of a former SID to the object that has that SID in its history, if that is wanted. Of several
// objects that claim one record, and of several records that one object claims, none is linked.
func (p *planner) relink() {
	if !p.cfg.LinkBySIDHistory {
		return
	}
	read := map[string]bool{}
	for _, o := range p.snap.Objects {
		read[o.GUID] = true
	}
	former := map[string]string{} // SID -> GUID of the record
	for _, guid := range p.stored.all() {
		if rec, _ := p.stored.record(guid); !read[guid] && rec.link.SID != "" {
			former[rec.link.SID] = guid
		}
	}
	claims := map[string][]Object{}
	for _, o := range p.snap.Objects {
		if _, known := p.stored.record(o.GUID); known {
			continue
		}
		var hits []string
		for _, sid := range o.SIDHistory {
			if guid := former[sid]; guid != "" {
				hits = append(hits, guid)
			}
		}
		slices.Sort(hits)
		if hits = slices.Compact(hits); len(hits) == 1 {
			claims[hits[0]] = append(claims[hits[0]], o)
		}
	}
	for guid, by := range claims {
		slices.SortFunc(by, func(a, b Object) int { return cmp.Compare(a.GUID, b.GUID) })
		by = slices.CompactFunc(by, func(a, b Object) bool { return a.GUID == b.GUID })
		if rec, _ := p.stored.record(guid); len(by) == 1 && by[0].Kind == rec.kind {
			p.stored.rename(guid, by[0].GUID)
			p.moved[by[0].GUID] = guid
			delete(p.gone, guid)
		}
	}
}

// rename lets a record be known by another GUID. The record itself is shared, and is not changed.
func (s *stored) rename(from, to string) {
	if u := s.users[from]; u != nil {
		u = u.Clone()
		u.Link.GUID = to
		s.users[to] = u
		s.guidOf[u.Key] = to
		delete(s.users, from)
	}
	if g := s.groups[from]; g != nil {
		g = g.Clone()
		g.Link.GUID = to
		s.groups[to] = g
		s.guidOf[g.Key] = to
		delete(s.groups, from)
	}
}
