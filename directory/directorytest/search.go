package directorytest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// A pageState is one paged search under way on a connection.
type pageState struct {
	key     string // of the request: another search cannot continue it
	objects []*Object
	pos     int
	page    int
}

// A query is one search request with what its controls ask for.
type query struct {
	ldapwire.SearchRequest

	deleted, recycled bool
	extended          bool
	noReferences      bool
	paged             bool
	size              int
	cookie            []byte
	dirsync           *ldapwire.DirSync
}

func parseQuery(m ldapwire.Message) (q query, r result) {
	req, err := ldapwire.ParseSearchRequest(m.Op)
	if err != nil {
		return q, result{2, "malformed search"}
	}
	q.SearchRequest = req
	for _, c := range m.Controls {
		switch c.OID {
		case ldapwire.OIDShowDeleted:
			q.deleted = true
		case ldapwire.OIDShowRecycled:
			q.deleted, q.recycled = true, true
		case ldapwire.OIDDomainScope:
			q.noReferences = true
		case ldapwire.OIDExtendedDN:
			q.extended = true
		case ldapwire.OIDPaging:
			q.paged = true
			if q.size, q.cookie, err = ldapwire.ParsePaging(c.Value); err != nil {
				return q, result{2, "malformed paging control"}
			}
		case ldapwire.OIDDirSync:
			x, err := ldapwire.ParseDirSync(c.Value)
			if err != nil {
				return q, result{2, "malformed DirSync control"}
			}
			q.dirsync = &x
		}
	}
	return q, result{}
}

func (s *session) search(m ldapwire.Message) bool { //nolint:cyclop // one list of checks
	q, r := parseQuery(m)
	if r.code != 0 {
		return s.result(m, r)
	}
	if f := s.dc.flt.hit(Event{Point: AtSearch, Text: q.Base}); f != nil {
		if !s.apply(f) {
			return false
		}
		if f.Code != 0 {
			return s.result(m, result{f.Code, "fault"})
		}
	}
	if q.Base == "" && q.Scope == 0 {
		return s.rootDSE(m, q)
	}
	if s.bound == nil {
		return s.result(m, result{1, "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the connection."})
	}
	if q.dirsync != nil {
		return s.dirSync(m, q)
	}
	if q.paged && len(q.cookie) > 0 {
		return s.nextPage(m, q)
	}
	s.dc.srv.mu.RLock()
	base, r, matched := s.dc.base(q)
	var found []*Object
	switch {
	case s.gc && q.Base == "":
		r, found = result{}, s.dc.forestMatch(q)
	case base != nil:
		found = s.dc.match(base, q)
	}
	s.dc.srv.mu.RUnlock()
	if r.code == 10 {
		res := ldapwire.Result{Code: 10, Referrals: []string{"ldap://" + r.text + "/" + q.Base}}
		return s.send(m.ID, res.Encode(ldapwire.OpSearchDone))
	}
	if r.code != 0 {
		return s.send(m.ID, ldapwire.Result{Code: r.code, Diagnostic: r.text, MatchedDN: matched}.Encode(ldapwire.OpSearchDone))
	}
	if q.paged {
		return s.sendPage(m, q, &pageState{key: q.key(), objects: found})
	}
	code := 0
	limit := s.dc.srv.cfg.MaxPageSize
	if q.SizeLimit > 0 {
		limit = min(limit, q.SizeLimit)
	}
	if len(found) > limit {
		found, code = found[:limit], 4
	}
	if !s.entries(m, q, found, 0) || (code == 0 && !s.references(m, q)) {
		return false
	}
	return s.result(m, result{code: code})
}

// key is what two requests of one paged search have in common.
func (q query) key() string {
	return q.Base + "|" + strconv.Itoa(q.Scope) + "|" + string(q.Filter.Encode()) + "|" + strings.Join(q.Attributes, ",")
}

// base finds where a search starts.
func (dc *DC) base(q query) (o *Object, r result, matched string) { //nolint:cyclop // one case for each form of a base
	none := result{32, "0000208D: NameErr: DSID-03100245, problem 2001 (NO_OBJECT), data 0"}
	if strings.HasPrefix(q.Base, "<") {
		x, err := directory.ParseExtendedDN(q.Base)
		switch {
		case err != nil:
			return nil, none, ""
		case x.GUID != "":
			raw, err := sid.GUIDBytes(x.GUID)
			if err == nil {
				o = dc.objects[[16]byte(raw)]
			}
		case x.SID != "":
			o = dc.bySID(x.SID)
		}
	} else {
		if _, err := directory.ParseDN(q.Base); err != nil {
			return nil, result{34, "invalid DN syntax"}, ""
		}
		o = dc.byDN(q.Base)
	}
	if o == nil || !q.visible(o) {
		for _, other := range dc.srv.domains {
			dn := mustDN(q.Base)
			if other != dc && strings.EqualFold(other.cfg.Forest, dc.cfg.Forest) && !dn.IsZero() && dn.Below(mustDN(other.baseDN)) && !dn.Below(mustDN(dc.baseDN)) {
				return nil, result{10, other.cfg.DNS}, ""
			}
		}
		for p := mustDN(q.Base); !p.IsZero(); p = p.Parent() {
			if a := dc.byDN(p.String()); a != nil && q.visible(a) {
				return nil, none, a.dn()
			}
		}
		return nil, none, ""
	}
	return o, result{}, ""
}

func (q query) visible(o *Object) bool {
	if o.recycled {
		return q.recycled
	}
	return !o.deleted || q.deleted
}

// match returns the objects that a search finds, in the order of creation.
func (dc *DC) match(base *Object, q query) []*Object {
	if q.Scope == 0 {
		if dc.matches(base, q.Filter) {
			return []*Object{base}
		}
		return nil
	}
	list, exact := dc.candidates(q.Filter)
	if !exact {
		list = dc.order
	}
	var out []*Object
	for _, o := range list {
		if !q.visible(o) || !inScope(o, base, q.Scope) || !dc.matches(o, q.Filter) {
			continue
		}
		out = append(out, o)
	}
	return out
}

func inScope(o, base *Object, scope int) bool {
	if scope == 1 {
		return o.parent == base
	}
	for ; o != nil; o = o.parent {
		if o == base {
			return true
		}
	}
	return false
}

// candidates returns a superset of what a filter can match, from the indexes; false when it has to be every object.
func (dc *DC) candidates(f *ldapwire.Filter) ([]*Object, bool) {
	switch f.Op {
	case ldapwire.FilterEqual:
		key := strings.ToLower(f.Attr)
		if key == "objectguid" {
			if len(f.Value) != 16 {
				return nil, true
			}
			if o := dc.objects[[16]byte(f.Value)]; o != nil {
				return []*Object{o}, true
			}
			return nil, true
		}
		if indexed(key) {
			return dc.index[key][indexKey(key, f.Value)], true
		}
	case ldapwire.FilterAnd:
		for _, c := range f.Children {
			if list, ok := dc.candidates(c); ok {
				return list, true
			}
		}
	case ldapwire.FilterOr:
		var all []*Object
		seen := map[*Object]bool{}
		for _, c := range f.Children {
			list, ok := dc.candidates(c)
			if !ok {
				return nil, false
			}
			for _, o := range list {
				if !seen[o] {
					seen[o] = true
					all = append(all, o)
				}
			}
		}
		return all, true
	}
	return nil, false
}

func (s *session) nextPage(m ldapwire.Message, q query) bool {
	st := s.pages[string(q.cookie)]
	f := s.dc.flt.hit(Event{Point: AtPage, Number: pageNumber(st) + 1})
	if st == nil || st.key != q.key() || (f != nil && f.BadCookie) {
		return s.result(m, result{53, "00002120: the cookie is not known on this connection"})
	}
	delete(s.pages, string(q.cookie))
	return s.page(m, q, st, f)
}

func pageNumber(st *pageState) int {
	if st == nil {
		return 0
	}
	return st.page
}

func (s *session) sendPage(m ldapwire.Message, q query, st *pageState) bool {
	return s.page(m, q, st, s.dc.flt.hit(Event{Point: AtPage, Number: 1}))
}

// page answers one page of a paged search.
func (s *session) page(m ldapwire.Message, q query, st *pageState, f *Fault) bool {
	if f == nil {
		f = &Fault{}
	}
	if !s.apply(f) {
		return false
	}
	if f.Code != 0 {
		return s.result(m, result{f.Code, "fault"})
	}
	size := s.dc.srv.cfg.MaxPageSize
	if q.size > 0 {
		size = min(size, q.size)
	}
	if f.SkipPage {
		st.pos = min(st.pos+size, len(st.objects))
	}
	if f.RepeatPage {
		st.pos = max(0, st.pos-size)
	}
	if f.Empty {
		st.pos = len(st.objects)
	}
	end := min(st.pos+size, len(st.objects))
	batch := st.objects[st.pos:end]
	if !s.entries(m, q, batch, st.pos) {
		return false
	}
	st.pos = end
	st.page++
	var cookie []byte
	if st.pos < len(st.objects) {
		s.cookies++
		cookie = []byte("page-" + strconv.Itoa(s.cookies))
		s.pages[string(cookie)] = st
	} else if !s.references(m, q) {
		return false
	}
	done := ldapwire.Result{}.Encode(ldapwire.OpSearchDone)
	if f.NoControl {
		return s.send(m.ID, done)
	}
	ctl := ldapwire.Paging(0, cookie)
	ctl.Critical = false
	return s.send(m.ID, done, ctl)
}

// entries sends objects as they are now. One that was deleted in between is left out, as a real server does.
func (s *session) entries(m ldapwire.Message, q query, list []*Object, _ int) bool {
	for n, o := range list {
		s.dc.srv.mu.RLock()
		visible := q.visible(o)
		var f *Fault
		dn := o.dn()
		s.dc.srv.mu.RUnlock()
		if f = s.dc.flt.hit(Event{Point: AtEntry, Number: n + 1, Text: dn}); f == nil {
			f = &Fault{}
		}
		if !s.apply(f) {
			return false
		}
		if !visible || f.Drop {
			continue
		}
		e, r := s.render(q, o, f)
		if r.code != 0 {
			return s.result(m, r)
		}
		op := e.Encode()
		if !s.send(m.ID, op) || (f.Duplicate && !s.send(m.ID, op)) {
			return false
		}
	}
	return true
}

// references are what every subtree search at a domain's root ends with.
func (s *session) references(m ldapwire.Message, q query) bool {
	if q.Scope != 2 || q.noReferences || mustDN(q.Base).Key() != mustDN(s.dc.baseDN).Key() {
		return true
	}
	dns, b := s.dc.cfg.DNS, s.dc.baseDN
	uris := []string{
		"ldap://ForestDnsZones." + dns + "/DC=ForestDnsZones," + b, "ldap://DomainDnsZones." + dns + "/DC=DomainDnsZones," + b,
		"ldap://" + dns + "/CN=Configuration," + b,
	}
	for _, other := range s.dc.srv.domains {
		if other != s.dc && strings.EqualFold(other.cfg.Forest, s.dc.cfg.Forest) && mustDN(other.baseDN).Below(mustDN(b)) {
			uris = append(uris, "ldap://"+other.cfg.DNS+"/"+other.baseDN)
		}
	}
	if f := s.dc.flt.hit(Event{Point: AtReference, Text: q.Base}); f != nil && f.Refer != "" {
		uris = append(uris, f.Refer)
	}
	for _, u := range uris {
		if !s.send(m.ID, ldapwire.EncodeReference([]string{u})) {
			return false
		}
	}
	return true
}

// rootDSE answers the one search that needs no bind.
func (s *session) rootDSE(m ldapwire.Message, q query) bool {
	s.dc.srv.mu.RLock()
	b := s.dc.baseDN
	ntds := "CN=NTDS Settings,CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration," + b
	values := map[string][]string{
		"objectClass": {"top"}, "defaultNamingContext": {b}, "rootDomainNamingContext": {b}, "configurationNamingContext": {"CN=Configuration," + b},
		"schemaNamingContext": {"CN=Schema,CN=Configuration," + b}, "namingContexts": {b, "CN=Configuration," + b},
		"dnsHostName": {"dc1." + s.dc.cfg.DNS}, "dsServiceName": {ntds}, "highestCommittedUSN": {strconv.FormatInt(s.dc.usn, 10)},
		"currentTime":    {s.dc.srv.cfg.Now().UTC().Format("20060102150405") + ".0Z"},
		"isSynchronized": {"TRUE"}, "isGlobalCatalogReady": {strings.ToUpper(strconv.FormatBool(s.dc.cfg.GlobalCatalog))}, "supportedLDAPVersion": {"3"}, "forestFunctionality": {"7"}, "domainFunctionality": {"7"},
		"supportedCapabilities": {ldapwire.OIDActiveDirectory},
		"supportedControl": {
			ldapwire.OIDPaging, ldapwire.OIDShowDeleted, ldapwire.OIDShowRecycled, ldapwire.OIDExtendedDN, ldapwire.OIDDirSync, ldapwire.OIDDomainScope,
		},
	}
	if s.dc.srv.cfg.SASL != nil {
		values["supportedSASLMechanisms"] = s.dc.srv.cfg.SASL.Mechanisms()
	}
	if s.bound != nil { // only when it is asked for, below
		for _, raw := range append(s.bound.values("objectSid"), s.dc.tokenGroups(s.bound)...) {
			values["tokenGroups"] = append(values["tokenGroups"], string(raw))
		}
	}
	s.dc.srv.mu.RUnlock()
	var e ldapwire.SearchEntry
	for _, name := range sortedKeys(values) {
		if name != "tokenGroups" && len(q.Attributes) == 0 || slices.ContainsFunc(q.Attributes, func(a string) bool { return a == "*" || a == "+" || strings.EqualFold(a, name) }) {
			a := ldapwire.Attribute{Name: name}
			for _, v := range values[name] {
				a.Values = append(a.Values, []byte(v))
			}
			e.Attributes = append(e.Attributes, a)
		}
	}
	return s.send(m.ID, e.Encode()) && s.result(m, result{})
}
