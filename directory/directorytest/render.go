package directorytest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// values returns the values of an attribute, stored or constructed; member is not among them.
func (o *Object) values(name string) [][]byte { //nolint:cyclop // one case for each constructed attribute
	key := strings.ToLower(name)
	one := func(s string) [][]byte {
		if s == "" {
			return nil
		}
		return [][]byte{[]byte(s)}
	}
	switch key {
	case "objectguid":
		return [][]byte{slices.Clone(o.guid[:])}
	case "distinguishedname":
		return one(o.dn())
	case "usnchanged":
		return one(strconv.FormatInt(o.usnChanged, 10))
	case "usncreated":
		return one(strconv.FormatInt(o.usnCreated, 10))
	case "whenchanged":
		return one(generalized(o.changed))
	case "whencreated":
		return one(generalized(o.created))
	case "memberof":
		return o.memberOfValues()
	case "member":
		return o.memberValues(false)
	case "lastknownparent":
		if o.lastParent != nil {
			return one(o.lastParent.dn())
		}
		return nil
	case "parentguid":
		if o.parent != nil {
			return [][]byte{slices.Clone(o.parent.guid[:])}
		}
		return nil
	case "msds-user-account-control-computed":
		if o.attrs["useraccountcontrol"] != nil {
			return one(o.dc.computed(o))
		}
		return nil
	case "primarygrouptoken":
		if o.has("group") {
			return one(strconv.FormatUint(uint64(o.RID()), 10))
		}
		return nil
	}
	if a := o.attrs[key]; a != nil {
		return a.values
	}
	return nil
}

func generalized(t time.Time) string { return t.UTC().Format("20060102150405.0Z") }

func (o *Object) memberOfValues() [][]byte {
	var out [][]byte
	for _, g := range o.memberOf {
		if g.dc == o.dc { // back links of other domains are not here
			out = append(out, []byte(g.dn()))
		}
	}
	return out
}

func (o *Object) memberValues(extended bool) [][]byte {
	return o.memberPart(extended, 0, len(o.members))
}

// memberPart returns the list of members with the values from low to high-1 only: a long list is asked for in many parts.
func (o *Object) memberPart(extended bool, low, high int) [][]byte {
	if len(o.members) == 0 {
		return nil
	}
	out := make([][]byte, len(o.members))
	for i := min(low, len(out)); i < min(high, len(out)); i++ {
		out[i] = []byte(o.members[i].target.name(extended))
	}
	return out
}

// name is the DN, or the extended DN.
func (o *Object) name(extended bool) string {
	if !extended {
		return o.dn()
	}
	s := "<GUID=" + o.GUID() + ">;"
	if o.sid != "" {
		s += "<SID=" + o.sid + ">;"
	}
	return s + o.dn()
}

// render makes the entry that a search sends.
func (s *session) render(q query, o *Object, f *Fault) (ldapwire.SearchEntry, result) {
	s.dc.srv.mu.RLock()
	defer s.dc.srv.mu.RUnlock()
	e := ldapwire.SearchEntry{DN: o.name(q.extended)}
	all := len(q.Attributes) == 0
	for _, desc := range q.Attributes {
		if desc == "*" {
			all = true
			continue
		}
		attrs, r := s.attribute(q, o, desc, f)
		if r.code != 0 {
			return e, r
		}
		e.Attributes = append(e.Attributes, attrs...)
	}
	if all {
		for _, name := range append(slices.Clone(o.names), "objectGUID", "distinguishedName", "uSNChanged", "uSNCreated", "whenCreated", "whenChanged", "member", "memberOf") {
			if a := o.attrs[name]; a != nil {
				name = a.name
			}
			attrs, _ := s.attribute(q, o, name, f)
			e.Attributes = append(e.Attributes, attrs...)
		}
	}
	if f.Hide != "" {
		e.Attributes = slices.DeleteFunc(e.Attributes, func(a ldapwire.Attribute) bool {
			name, _, _ := strings.Cut(a.Name, ";")
			return strings.EqualFold(name, f.Hide)
		})
	}
	for i, a := range e.Attributes {
		if f.BadGUID && strings.EqualFold(a.Name, "objectGUID") {
			e.Attributes[i].Values = [][]byte{[]byte("short")}
		}
		if f.BadSID && strings.EqualFold(a.Name, "objectSid") {
			e.Attributes[i].Values = [][]byte{[]byte("\x01\x05short")}
		}
	}
	return e, result{}
}

// attribute answers one requested description: nothing, one attribute, or two for a long one (as Active Directory does, an
// empty one beside the part).
func (s *session) attribute(q query, o *Object, desc string, f *Fault) ([]ldapwire.Attribute, result) { //nolint:cyclop // one case for each special attribute
	name, opts, _ := strings.Cut(desc, ";")
	low, high, ranged := parseRangeOption(opts)
	var values [][]byte
	switch strings.ToLower(name) {
	case "member":
		if s.gc && o.number("groupType")&universalGroup == 0 { // a global catalog knows the members of universal groups only
			return nil, result{}
		}
		values = o.memberPart(q.extended, low, low+s.dc.srv.cfg.MaxValRange)
	case "tokengroups", "tokengroupsglobalanduniversal":
		if q.Scope != 0 {
			return nil, result{}
		}
		values = s.dc.tokenGroups(o)
	case "ntsecuritydescriptor":
		if o == s.dc.root {
			values = [][]byte{s.dc.descriptor()}
		}
	case "lastknownparent":
		if o.lastParent != nil {
			values = [][]byte{[]byte(o.lastParent.name(q.extended))}
		}
	default:
		values = o.values(name)
	}
	if ranged {
		if f2 := s.rangeFault(low); f2 != nil {
			f = f2
		}
	}
	if !ranged && len(values) <= s.dc.srv.cfg.MaxValRange {
		if len(values) == 0 {
			return nil, result{}
		}
		return []ldapwire.Attribute{{Name: name, Values: values}}, result{}
	}
	return s.rangePart(name, values, low, high, f)
}

func (s *session) rangeFault(low int) *Fault {
	return s.dc.flt.hit(Event{Point: AtRange, Number: low})
}

func (s *session) rangePart(name string, values [][]byte, low, high int, f *Fault) ([]ldapwire.Attribute, result) {
	if f.Code != 0 {
		return nil, result{f.Code, "fault"}
	}
	limit := s.dc.srv.cfg.MaxValRange
	if low >= len(values) || f.NoValues {
		return nil, result{}
	}
	end := min(low+limit, len(values))
	if high >= 0 {
		end = min(end, high+1)
	}
	upper := strconv.Itoa(end - 1)
	if end == len(values) {
		upper = "*"
	}
	if f.BadRange {
		low++
	}
	part := ldapwire.Attribute{Name: name + ";range=" + strconv.Itoa(low) + "-" + upper, Values: values[min(low, end):end]}
	return []ldapwire.Attribute{{Name: name}, part}, result{}
}

// parseRangeOption reads range=low-high; high is -1 for "*".
func parseRangeOption(opts string) (low, high int, ok bool) {
	for o := range strings.SplitSeq(opts, ";") {
		rest, found := strings.CutPrefix(strings.ToLower(o), "range=")
		if !found {
			continue
		}
		a, b, _ := strings.Cut(rest, "-")
		low, err := strconv.Atoi(a)
		if err != nil || low < 0 {
			return 0, -1, false
		}
		high := -1
		if b != "*" {
			if high, err = strconv.Atoi(b); err != nil {
				return 0, -1, false
			}
		}
		return low, high, true
	}
	return 0, -1, false
}

// tokenGroups are the SIDs of all security groups of an account in this domain: nested, primary, built-in.
func (dc *DC) tokenGroups(o *Object) [][]byte {
	seen := map[*Object]bool{}
	var walk func(x *Object)
	walk = func(x *Object) {
		for _, g := range x.memberOf {
			if g.dc == dc && !seen[g] && g.number("groupType") < 0 { // the security bit is the sign
				seen[g] = true
				walk(g)
			}
		}
	}
	walk(o)
	if p := o.number("primaryGroupID"); p != 0 {
		if g := dc.bySID(sid.Join(dc.sid, uint32(p))); g != nil && !seen[g] { //nolint:gosec // a RID
			seen[g] = true
			walk(g)
		}
	}
	var out [][]byte
	for g := range seen {
		raw, err := sid.Bytes(g.sid)
		if err == nil {
			out = append(out, raw)
		}
	}
	slices.SortFunc(out, slices.Compare[[]byte])
	return out
}
