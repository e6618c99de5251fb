package directorytest

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

func itoa(v uint32) string { return strconv.FormatUint(uint64(v), 10) }

// cookie layout: 16 bytes invocationId, 8 bytes USN up to which everything is known, 8 bytes USN of the round's end,
// 8 bytes position in the round.
const cookieLen = 40

// dirSync answers a search with the DirSync control (MS-ADTS 3.1.1.3.4.1.3): what changed since the cookie, attribute by
// attribute.
func (s *session) dirSync(m ldapwire.Message, q query) bool {
	s.dc.srv.mu.RLock()
	list, reply, r := s.dc.dirSyncRound(q, s.bound)
	s.dc.srv.mu.RUnlock()
	noControl := false
	if f := s.dc.flt.hit(Event{Point: AtPage, Number: 1}); f != nil {
		if !s.apply(f) {
			return false
		}
		noControl = f.NoControl
		if f.BadCookie {
			r = result{12, "the cookie is refused"}
		}
		if f.Code != 0 {
			r = result{f.Code, "fault"}
		}
	}
	if r.code != 0 {
		return s.result(m, r)
	}
	for _, e := range list {
		if !s.send(m.ID, e.Encode()) {
			return false
		}
	}
	if noControl {
		return s.result(m, result{})
	}
	return s.send(m.ID, ldapwire.Result{}.Encode(ldapwire.OpSearchDone), reply.Reply())
}

func (dc *DC) dirSyncRound(q query, who *Object) ([]ldapwire.SearchEntry, ldapwire.DirSync, result) { //nolint:cyclop // the checks of MS-ADTS in their order
	base := dc.byDN(q.Base)
	none := ldapwire.DirSync{}
	security := q.dirsync.Flags&ldapwire.DirSyncObjectSecurity != 0
	switch {
	case base != dc.root && base != nil && security:
		return nil, none, result{53, "the base must be the root of a naming context"}
	case base != dc.root:
		return nil, none, result{50, "insufficient access"}
	case !security && who.text("x-replicate") != "TRUE":
		return nil, none, result{50, "insufficient access: replicate changes"}
	}
	since, end, pos := int64(0), dc.usn, 0
	if c := q.dirsync.Cookie; len(c) > 0 {
		if len(c) != cookieLen || string(c[:16]) != string(dc.invocation[:]) {
			return nil, none, result{12, "the cookie is refused"}
		}
		since = number(c[16:])
		if e := number(c[24:]); e != 0 {
			end, pos = e, int(number(c[32:]))
		}
	}
	var changed []*Object
	q.deleted, q.recycled = true, true
	for _, o := range dc.order {
		if o.lastChange() > since && inScope(o, base, 2) && dc.matches(o, q.Filter) && o != dc.root {
			changed = append(changed, o)
		}
	}
	slices.SortStableFunc(changed, func(a, b *Object) int { return int(a.usnCreated - b.usnCreated) })
	limit := dc.srv.cfg.MaxPageSize
	stop := min(pos+limit, len(changed))
	var out []ldapwire.SearchEntry
	for _, o := range changed[min(pos, len(changed)):stop] {
		out = append(out, dc.delta(q, o, since))
	}
	cookie := make([]byte, cookieLen)
	copy(cookie, dc.invocation[:])
	reply := ldapwire.DirSync{Cookie: cookie}
	if stop < len(changed) {
		binary.LittleEndian.PutUint64(cookie[16:], uint64(since))
		binary.LittleEndian.PutUint64(cookie[24:], uint64(end))  //nolint:gosec // positive
		binary.LittleEndian.PutUint64(cookie[32:], uint64(stop)) //nolint:gosec // positive
		reply.Flags = 1
	} else {
		binary.LittleEndian.PutUint64(cookie[16:], uint64(end)) //nolint:gosec // positive
	}
	return out, reply, result{}
}

// number reads a number that dirSyncRound wrote.
func number(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) } //nolint:gosec // our own number

func (o *Object) lastChange() int64 { return o.usnChanged }

// delta makes the entry of one changed object: the asked attributes that changed, cleared ones without values.
func (dc *DC) delta(q query, o *Object, since int64) ldapwire.SearchEntry { //nolint:cyclop // one rule for each attribute
	e := ldapwire.SearchEntry{DN: o.name(true)}
	e.Attributes = append(e.Attributes, ldapwire.Attribute{Name: "objectGUID", Values: o.values("objectGUID")})
	asked := func(name string) bool {
		return len(q.Attributes) == 0 || slices.ContainsFunc(q.Attributes, func(a string) bool { return a == "*" || strings.EqualFold(a, name) })
	}
	for _, key := range o.names {
		a := o.attrs[key]
		if asked(a.name) && a.usn > since && (len(a.values) > 0 || since > 0) && (key != "name" || o.naming > since) {
			e.Attributes = append(e.Attributes, ldapwire.Attribute{Name: a.name, Values: a.values})
		}
	}
	if o.naming > since && asked("parentGUID") && o.parent != nil {
		e.Attributes = append(e.Attributes, ldapwire.Attribute{Name: "parentGUID", Values: o.values("parentGUID")})
	}
	if o.deleted && o.lastParent != nil && asked("lastKnownParent") {
		e.Attributes = append(e.Attributes, ldapwire.Attribute{Name: "lastKnownParent", Values: [][]byte{[]byte(o.lastParent.name(true))}})
	}
	if asked("member") {
		e.Attributes = append(e.Attributes, dc.memberDelta(q, o, since)...)
	}
	return e
}

// memberDelta: with incremental values additions come as range=1-1 and removals as range=0-0, else the whole list.
func (dc *DC) memberDelta(q query, o *Object, since int64) []ldapwire.Attribute {
	var added, removed [][]byte
	for _, l := range o.members {
		if l.usn > since {
			added = append(added, []byte(l.target.name(true)))
		}
	}
	for _, l := range o.removed {
		if l.usn > since && since > 0 {
			removed = append(removed, []byte(l.target.name(true)))
		}
	}
	if len(added)+len(removed) == 0 {
		return nil
	}
	if q.dirsync.Flags&ldapwire.DirSyncIncrementalValues == 0 {
		return []ldapwire.Attribute{{Name: "member", Values: o.memberValues(true)}}
	}
	var out []ldapwire.Attribute
	if len(added) > 0 {
		out = append(out, ldapwire.Attribute{Name: "member;range=1-1", Values: added})
	}
	if len(removed) > 0 {
		out = append(out, ldapwire.Attribute{Name: "member;range=0-0", Values: removed})
	}
	return out
}

// AllowReplication gives an account the right to read changes with DirSync.
func (dc *DC) AllowReplication(o *Object) { dc.Set(o, "x-replicate", "TRUE") }
