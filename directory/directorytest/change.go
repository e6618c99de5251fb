package directorytest

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/sid"
)

func foldKey(s string) string { return fold.Key(s) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// AddMember makes member a member of group. A member of another forest enters as foreign security principal, as in
// Active Directory; one of another domain of the same forest enters by its DN.
func (dc *DC) AddMember(group, member *Object) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	if member.dc != dc && !strings.EqualFold(member.dc.cfg.Forest, dc.cfg.Forest) {
		member = dc.foreign(member.sid)
	}
	dc.addLink(group, member)
}

// AddForeign makes a foreign security principal for a SID, as `member: <SID=...>` does, and returns it.
func (dc *DC) AddForeign(principal string) *Object {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	return dc.foreign(principal)
}

func (dc *DC) foreign(principal string) *Object {
	if _, err := sid.Bytes(principal); err != nil {
		panic("directorytest: malformed SID " + principal)
	}
	if o := dc.bySID(principal); o != nil {
		return o
	}
	o := dc.create(dc.byDN("CN=ForeignSecurityPrincipals,"+dc.baseDN), "CN="+principal, []string{"top", "foreignSecurityPrincipal"})
	dc.setSID(o, principal)
	return o
}

// RemoveMember ends a membership and reports whether there was one.
func (dc *DC) RemoveMember(group, member *Object) bool {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	if member.dc != dc && !strings.EqualFold(member.dc.cfg.Forest, dc.cfg.Forest) {
		member = dc.foreign(member.sid)
	}
	return dc.removeLink(group, member, true)
}

// SetPrimaryGroup changes a user's primary group. As Active Directory does, the old one becomes an ordinary membership
// and the new one stops being one.
func (dc *DC) SetPrimaryGroup(user, group *Object) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.setPrimary(user, group)
}

func (dc *DC) setPrimary(user, group *Object) {
	old := sid.Join(dc.sid, uint32(user.number("primaryGroupID"))) //nolint:gosec // a RID
	if g := dc.bySID(old); g != nil {
		dc.addLink(g, user)
	}
	dc.removeLink(group, user, true)
	dc.set(user, "primaryGroupID", strconv.FormatUint(uint64(group.RID()), 10))
}

// Set replaces the values of an attribute; without values it is removed.
func (dc *DC) Set(o *Object, name string, values ...string) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.set(o, name, values...)
}

// SetPassword changes a password and unlocks the account.
func (dc *DC) SetPassword(o *Object, password string) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	o.password, o.badPwdCount = password, 0
	dc.set(o, "pwdLastSet", strconv.FormatInt(directory.ToFileTime(dc.srv.cfg.Now()), 10))
	dc.set(o, "lockoutTime", "0")
}

// Disable sets or clears the disabled bit.
func (dc *DC) Disable(o *Object, disabled bool) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	uac := directory.AccountControl(o.number("userAccountControl")) //nolint:gosec // 32 bits
	if disabled {
		uac |= directory.Disabled
	} else {
		uac &^= directory.Disabled
	}
	dc.set(o, "userAccountControl", strconv.Itoa(int(uac)))
}

// Lock locks the account as too many wrong passwords do.
func (dc *DC) Lock(o *Object) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.set(o, "lockoutTime", strconv.FormatInt(directory.ToFileTime(dc.srv.cfg.Now()), 10))
}

// Rename gives the object a new common name. Names below it change with it, without a sign on those objects.
func (dc *DC) Rename(o *Object, name string) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.rename(o, name)
}

func (dc *DC) rename(o *Object, name string) {
	attr, _, _ := strings.Cut(o.rdn, "=")
	o.rdn = attr + "=" + directory.EscapeDNValue(name)
	dc.set(o, "name", name)
	dc.set(o, strings.ToLower(attr), name)
	o.naming = o.usnChanged
}

// Move puts the object below another container: a DN, or the name of an OU below the root.
func (dc *DC) Move(o *Object, ou string) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.move(o, dc.container(ou))
}

func (dc *DC) move(o, parent *Object) {
	if o.parent != nil {
		o.parent.children = slices.DeleteFunc(o.parent.children, func(c *Object) bool { return c == o })
	}
	o.parent = parent
	parent.children = append(parent.children, o)
	dc.touch(o)
	o.naming = o.usnChanged
}

// Delete turns the object into a tombstone (recycle bin on: attributes stay) below CN=Deleted Objects. Its memberships
// end without a sign on the groups, as in Active Directory.
func (dc *DC) Delete(o *Object) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.delete(o)
}

func (dc *DC) delete(o *Object) {
	if o.deleted {
		return
	}
	for _, g := range slices.Clone(o.memberOf) {
		g.dc.removeLink(g, o, false)
	}
	for _, l := range slices.Clone(o.members) {
		dc.removeLink(o, l.target, false)
	}
	_, name, _ := strings.Cut(o.rdn, "=")
	o.lastParent, o.lastRDN = o.parent, unescapeRDN(name)
	bin := dc.byDN("CN=Deleted Objects," + dc.baseDN)
	o.deleted = true
	dc.move(o, bin)
	dc.rename(o, o.lastRDN+"\nDEL:"+o.GUID())
	dc.set(o, "isDeleted", "TRUE")
	dc.set(o, "msDS-LastKnownRDN", o.lastRDN)
	dc.set(o, "objectCategory")
}

// Recycle turns a tombstone into a recycled object: nearly all attributes go.
func (dc *DC) Recycle(o *Object) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	for _, key := range slices.Clone(o.names) {
		switch key {
		case "objectclass", "name", "cn", "isdeleted", "objectsid", "samaccountname", "msds-lastknownrdn":
		default:
			dc.set(o, o.attrs[key].name)
		}
	}
	o.recycled = true
	dc.set(o, "isRecycled", "TRUE")
}

// Purge removes the object without a trace, as garbage collection does after the tombstone lifetime.
func (dc *DC) Purge(o *Object) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.delete(o)
	for _, key := range o.names {
		if indexed(key) {
			dc.unindex(o, key, o.attrs[key].values)
		}
	}
	o.parent.children = slices.DeleteFunc(o.parent.children, func(c *Object) bool { return c == o })
	delete(dc.objects, o.guid)
	dc.order = slices.DeleteFunc(dc.order, func(x *Object) bool { return x == o })
}

// Restore undoes Delete. Memberships do not come back by themselves.
func (dc *DC) Restore(o *Object) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	if !o.deleted || o.recycled {
		return
	}
	o.deleted = false
	dc.set(o, "isDeleted")
	dc.set(o, "msDS-LastKnownRDN")
	dc.move(o, o.lastParent)
	dc.rename(o, o.lastRDN)
	o.lastParent = nil
}

// Find returns the live object with the sAMAccountName, nil if there is none.
func (dc *DC) Find(name string) *Object {
	dc.srv.mu.RLock()
	defer dc.srv.mu.RUnlock()
	return dc.find(name)
}

func (dc *DC) find(name string) *Object {
	for _, o := range dc.index["samaccountname"][fold.Key(name)] {
		if !o.deleted {
			return o
		}
	}
	return nil
}
