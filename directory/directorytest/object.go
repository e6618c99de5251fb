package directorytest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// An Object is one object of a domain. Its methods are safe for concurrent use with the server.
type Object struct {
	dc     *DC
	guid   [16]byte
	sid    string
	parent *Object // nil for the root of a partition
	rdn    string  // type and value, "CN=alice"
	dnText string  // of a partition's root

	attrs    map[string]*attribute // by lower-case name
	names    []string              // lower-case names in the order of creation
	members  []*link
	memberOf []*Object // groups with a live link here
	children []*Object

	password    string
	usnCreated  int64
	usnChanged  int64
	created     time.Time
	changed     time.Time
	deleted     bool
	recycled    bool
	lastParent  *Object
	lastRDN     string
	removed     []*link // links that ended, for DirSync
	badPwdCount int
	naming      int64 // USN of the last rename or move
}

type attribute struct {
	name   string
	values [][]byte
	usn    int64
}

// A link is one value of member.
type link struct {
	target *Object
	usn    int64
	gone   bool
}

// DN returns the distinguished name.
func (o *Object) DN() string {
	o.dc.srv.mu.RLock()
	defer o.dc.srv.mu.RUnlock()
	return o.dn()
}

func (o *Object) dn() string {
	if o.parent == nil {
		return o.dnText
	}
	return o.rdn + "," + o.parent.dn()
}

// GUID returns the objectGUID as text.
func (o *Object) GUID() string {
	s, _ := sid.GUIDFromBytes(o.guid[:])
	return s
}

// SID returns the objectSid as text, "" when the object has none.
func (o *Object) SID() string { return o.sid }

// RID returns the last part of the SID.
func (o *Object) RID() uint32 {
	_, rid, _ := sid.Split(o.sid)
	return rid
}

// Domain returns the domain controller that holds the object.
func (o *Object) Domain() *DC { return o.dc }

// Value returns the first value of an attribute as the server would send it, "" when there is none.
func (o *Object) Value(name string) string {
	o.dc.srv.mu.RLock()
	defer o.dc.srv.mu.RUnlock()
	if v := o.values(name); len(v) > 0 {
		return string(v[0])
	}
	return ""
}

func (o *Object) has(class string) bool {
	a := o.attrs["objectclass"]
	return a != nil && slices.ContainsFunc(a.values, func(v []byte) bool { return strings.EqualFold(string(v), class) })
}

func (o *Object) text(name string) string {
	if a := o.attrs[strings.ToLower(name)]; a != nil && len(a.values) > 0 {
		return string(a.values[0])
	}
	return ""
}

func (o *Object) number(name string) int64 {
	n, _ := strconv.ParseInt(o.text(name), 10, 64)
	return n
}

// indexed attributes are found without looking at every object.
func indexed(name string) bool {
	switch name {
	case "samaccountname", "userprincipalname", "objectsid", "primarygroupid", "name":
		return true
	}
	return false
}

// create adds an object below parent. The caller holds the lock.
func (dc *DC) create(parent *Object, rdn string, classes []string, attrs ...string) *Object {
	o := &Object{dc: dc, guid: dc.newGUID(), parent: parent, rdn: rdn, attrs: map[string]*attribute{}}
	o.created = dc.srv.cfg.Now().UTC().Truncate(time.Second)
	if parent != nil {
		parent.children = append(parent.children, o)
	}
	dc.objects[o.guid] = o
	dc.order = append(dc.order, o)
	dc.touch(o)
	o.usnCreated, o.naming = o.usnChanged, o.usnChanged
	dc.set(o, "objectClass", classes...)
	_, name, _ := strings.Cut(rdn, "=")
	dc.set(o, "name", unescapeRDN(name))
	attr, _, _ := strings.Cut(rdn, "=")
	dc.set(o, strings.ToLower(attr), unescapeRDN(name))
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			dc.set(o, attrs[i], attrs[i+1])
		}
	}
	return o
}

func unescapeRDN(v string) string {
	dn, err := directory.ParseDN("CN=" + v)
	if err != nil {
		return v
	}
	_, value := dn.Leaf()
	return value
}

// touch gives the object the next update sequence number.
func (dc *DC) touch(o *Object) {
	dc.usn++
	o.usnChanged = dc.usn
	o.changed = dc.srv.cfg.Now().UTC().Truncate(time.Second)
}

// set replaces an attribute's values; no values remove it. The caller holds the lock.
func (dc *DC) set(o *Object, name string, values ...string) {
	raw := make([][]byte, 0, len(values))
	for _, v := range values {
		raw = append(raw, []byte(v))
	}
	dc.setRaw(o, name, raw)
}

func (dc *DC) setRaw(o *Object, name string, values [][]byte) {
	key := strings.ToLower(name)
	a := o.attrs[key]
	if a == nil {
		a = &attribute{name: name}
		o.attrs[key] = a
		o.names = append(o.names, key)
	}
	if indexed(key) {
		dc.unindex(o, key, a.values)
	}
	dc.touch(o)
	a.values, a.usn = values, o.usnChanged
	if indexed(key) {
		dc.addIndex(o, key, values)
	}
}

func indexKey(key string, v []byte) string {
	if key == "objectsid" {
		return string(v)
	}
	return fold.Key(string(v))
}

// bySID finds live objects with a SID. The caller holds the lock.
func (dc *DC) bySID(text string) *Object {
	raw, _ := sid.Bytes(text)
	for _, o := range dc.index["objectsid"][string(raw)] {
		if !o.deleted {
			return o
		}
	}
	return nil
}

func (dc *DC) addIndex(o *Object, key string, values [][]byte) {
	m := dc.index[key]
	if m == nil {
		m = map[string][]*Object{}
		dc.index[key] = m
	}
	for _, v := range values {
		k := indexKey(key, v)
		m[k] = append(m[k], o)
	}
}

func (dc *DC) unindex(o *Object, key string, values [][]byte) {
	m := dc.index[key]
	for _, v := range values {
		k := indexKey(key, v)
		m[k] = slices.DeleteFunc(m[k], func(x *Object) bool { return x == o })
	}
}

// byDN finds an object by its DN in any case; deleted ones too. The caller holds the lock.
func (dc *DC) byDN(dn string) *Object {
	want, err := directory.ParseDN(dn)
	if err != nil {
		return nil
	}
	attr, value := want.Leaf()
	if want.Key() == mustDN(dc.baseDN).Key() {
		return dc.root
	}
	_ = attr
	for _, o := range dc.index["name"][fold.Key(value)] {
		if mustDN(o.dn()).Key() == want.Key() {
			return o
		}
	}
	return nil
}

func mustDN(s string) directory.DN {
	dn, _ := directory.ParseDN(s)
	return dn
}

// addLink adds a member. The caller holds the lock.
func (dc *DC) addLink(group, member *Object) {
	for _, l := range group.members {
		if l.target == member {
			return
		}
	}
	dc.touch(group)
	group.members = append(group.members, &link{target: member, usn: group.usnChanged})
	member.memberOf = append(member.memberOf, group)
	group.removed = slices.DeleteFunc(group.removed, func(l *link) bool { return l.target == member })
}

// removeLink ends a membership. touch says whether the group's number rises: not when the member was deleted.
func (dc *DC) removeLink(group, member *Object, touch bool) bool {
	for i, l := range group.members {
		if l.target != member {
			continue
		}
		group.members = slices.Delete(group.members, i, i+1)
		member.memberOf = slices.DeleteFunc(member.memberOf, func(g *Object) bool { return g == group })
		if touch {
			dc.touch(group)
			group.removed = append(group.removed, &link{target: member, usn: group.usnChanged, gone: true})
		}
		return true
	}
	return false
}
