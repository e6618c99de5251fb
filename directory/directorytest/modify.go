package directorytest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// modify answers the writing operations, enough for tests and tools: any bound account may write.
func (s *session) modify(m ldapwire.Message) bool {
	if s.bound == nil {
		return s.result(m, result{1, "a successful bind must be completed on the connection"})
	}
	s.dc.srv.mu.Lock()
	var r result
	switch m.Op.Tag {
	case ldapwire.OpDelRequest:
		r = s.dc.opDelete(string(m.Op.Body))
	case ldapwire.OpModDNRequest:
		r = s.dc.opModDN(m.Op)
	case ldapwire.OpAddRequest:
		r = s.dc.opAdd(m.Op)
	default:
		r = s.dc.opModify(m.Op)
	}
	s.dc.srv.mu.Unlock()
	return s.result(m, r)
}

func (dc *DC) live(dn string) *Object {
	if o := dc.byDN(dn); o != nil && !o.deleted {
		return o
	}
	return nil
}

func (dc *DC) opDelete(dn string) result {
	o := dc.live(dn)
	if o == nil {
		return result{32, "no such object"}
	}
	for _, c := range o.children {
		if !c.deleted {
			return result{66, "not allowed on non-leaf"}
		}
	}
	dc.delete(o)
	return result{}
}

func (dc *DC) opModDN(e ldapwire.Element) result {
	req, err := ldapwire.ParseModDNRequest(e)
	if err != nil {
		return result{2, "malformed request"}
	}
	o := dc.live(req.DN)
	dn, perr := directory.ParseDN(req.NewRDN)
	if o == nil {
		return result{32, "no such object"}
	}
	if perr != nil || dn.IsZero() {
		return result{34, "invalid DN syntax"}
	}
	if req.NewSuperior != "" {
		p := dc.live(req.NewSuperior)
		if p == nil {
			return result{32, "no such superior"}
		}
		dc.move(o, p)
	}
	_, name := dn.Leaf()
	dc.rename(o, name)
	return result{}
}

func (dc *DC) opAdd(e ldapwire.Element) result { //nolint:cyclop // one list of checks
	req, err := ldapwire.ParseAddRequest(e)
	if err != nil {
		return result{2, "malformed request"}
	}
	if dc.live(req.DN) != nil {
		return result{68, "entry already exists"}
	}
	rdn, rest, ok := cutDN(req.DN)
	parent := dc.live(rest)
	if !ok || parent == nil {
		return result{32, "no such parent"}
	}
	attrs := map[string][]string{}
	for _, a := range req.Attributes {
		for _, v := range a.Values {
			attrs[strings.ToLower(a.Name)] = append(attrs[strings.ToLower(a.Name)], string(v))
		}
	}
	sam := first(attrs["samaccountname"])
	if sam != "" && len(dc.index["samaccountname"][foldKey(sam)]) > 0 {
		return result{68, "name is taken"}
	}
	o := dc.create(parent, rdn, attrs["objectclass"])
	if o.has("group") || o.has("user") {
		dc.setSID(o, dc.sid+"-"+itoa(dc.rid(0)))
	}
	if o.has("user") && attrs["primarygroupid"] == nil {
		dc.set(o, "primaryGroupID", "513")
		dc.set(o, "accountExpires", "9223372036854775807")
		dc.set(o, "pwdLastSet", "0")
	}
	for _, a := range req.Attributes {
		if strings.EqualFold(a.Name, "objectClass") {
			continue
		}
		if r := dc.change(o, ldapwire.Change{Op: 0, Attribute: a}); r.code != 0 {
			return r
		}
	}
	return result{}
}

func first(v []string) string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

func (dc *DC) opModify(e ldapwire.Element) result {
	req, err := ldapwire.ParseModifyRequest(e)
	if err != nil {
		return result{2, "malformed request"}
	}
	o := dc.live(req.DN)
	if o == nil {
		return result{32, "no such object"}
	}
	for _, c := range req.Changes {
		if r := dc.change(o, c); r.code != 0 {
			return r
		}
	}
	return result{}
}

// change applies one add (0), delete (1) or replace (2).
func (dc *DC) change(o *Object, c ldapwire.Change) result { //nolint:cyclop // one case for each special attribute
	switch strings.ToLower(c.Name) {
	case "member":
		return dc.changeMembers(o, c)
	case "primarygroupid":
		if len(c.Values) == 1 && o.attrs["primarygroupid"] != nil {
			rid, err := strconv.ParseUint(string(c.Values[0]), 10, 32)
			g := dc.bySID(sid.Join(dc.sid, uint32(rid)))
			if err != nil || g == nil || o.dc != dc {
				return result{53, "no such group"}
			}
			if !slices.ContainsFunc(g.members, func(l *link) bool { return l.target == o }) {
				return result{53, "not a member of the group"}
			}
			dc.setPrimary(o, g)
			return result{}
		}
	case "unicodepwd", "userpassword":
		if len(c.Values) == 1 {
			o.password = decodePassword(c.Values[0])
			dc.touch(o)
		}
		return result{}
	case "objectguid", "objectsid", "usnchanged", "name", "distinguishedname":
		return result{19, "constraint violation"}
	}
	have := o.values(c.Name)
	var out [][]byte
	switch c.Op {
	case 0:
		out = append(append(out, have...), c.Values...)
	case 1:
		if len(have) == 0 {
			return result{16, "no such attribute"}
		}
		for _, v := range have {
			keep := len(c.Values) > 0
			for _, x := range c.Values {
				keep = keep && string(x) != string(v)
			}
			if keep {
				out = append(out, v)
			}
		}
	default:
		out = c.Values
	}
	dc.setRaw(o, c.Name, out)
	return result{}
}

// decodePassword undoes the quotes and UTF-16 of unicodePwd.
func decodePassword(v []byte) string {
	if len(v) >= 4 && v[0] == '"' && v[1] == 0 {
		var sb strings.Builder
		for i := 2; i+3 < len(v); i += 2 {
			sb.WriteByte(v[i])
		}
		return sb.String()
	}
	return string(v)
}

func (dc *DC) changeMembers(o *Object, c ldapwire.Change) result {
	if c.Op == 2 {
		for len(o.members) > 0 {
			dc.removeLink(o, o.members[0].target, true)
		}
	}
	for _, v := range c.Values {
		t := dc.memberTarget(string(v))
		switch {
		case t == nil:
			return result{32, "no such member"}
		case c.Op == 1:
			if !dc.removeLink(o, t, true) {
				return result{53, "not a member"}
			}
		default:
			dc.addLink(o, t)
		}
	}
	return result{}
}

// memberTarget finds a member by DN or "<SID=...>"; a SID of elsewhere becomes a foreign security principal.
func (dc *DC) memberTarget(v string) *Object {
	x, err := directory.ParseExtendedDN(v)
	if err != nil {
		return nil
	}
	if x.SID == "" || x.DN != "" {
		return dc.live(x.DN)
	}
	if o := dc.bySID(x.SID); o != nil {
		return o
	}
	return dc.foreign(x.SID)
}
