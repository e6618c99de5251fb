package directory_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// TestFaultsOfCatchUp: what changed during a read is read again; a refusal at any search of that, the last one too, is an error.
func TestFaultsOfCatchUp(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(dc *directorytest.DC, ou *directorytest.Object){
		"nothing":       func(*directorytest.DC, *directorytest.Object) {},
		"member":        func(dc *directorytest.DC, _ *directorytest.Object) { dc.RemoveMember(dc.Find("all"), dc.Find("u0")) },
		"renamed OU":    func(dc *directorytest.DC, ou *directorytest.Object) { dc.Rename(ou, "Staff") },
		"deleted group": func(dc *directorytest.DC, _ *directorytest.Object) { dc.Delete(dc.Find("g1")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			struck := true
			for n := 0; struck; n++ {
				_, dc := small(t)
				ou := dc.AddOU("People")
				dc.AddMember(dc.Find("all"), dc.AddUser(directorytest.User{Name: "last", OU: "People"}))
				c := connect(t, nil, dc)
				_, err := c.ServerInfo(t.Context(), "")
				require.NoError(t, err)
				struck = false
				dc.Install(directorytest.Fault{Point: directorytest.AtPage, Times: 1, Do: func() { do(dc, ou) }})
				remove := dc.Install(directorytest.Fault{Point: directorytest.AtPage, After: n, Times: 1, Code: 80, Do: func() { struck = true }})
				got, err := everything(t.Context(), c)
				remove()
				if struck {
					require.ErrorIs(t, err, directory.ErrIncomplete, "page %d", n)
					require.Nil(t, got)
					continue
				}
				require.NoError(t, err)
				truth, err := everything(t.Context(), c)
				require.NoError(t, err)
				require.Equal(t, truth, got)
				require.Greater(t, n, 4, "so many pages a read has at least")
			}
		})
	}
}

// TestTurnedBack: the database goes back in time while it is read, under the same identity.
func TestTurnedBack(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	dc.Install(directorytest.Fault{Point: directorytest.AtPage, After: 2, Times: 1, Do: func() { dc.RollBack(10) }})
	_, err := everything(t.Context(), connect(t, nil, dc))
	require.ErrorIs(t, err, directory.ErrServerChanged)
}

// TestLateAccounts: an account that comes by its primary group while the group is read is a member if it is a user, and alive.
func TestLateAccounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(dc *directorytest.DC, u *directorytest.Object)
		user directorytest.User
		want bool
	}{
		"a user":         {do: func(*directorytest.DC, *directorytest.Object) {}, want: true},
		"deleted again":  {do: func(dc *directorytest.DC, u *directorytest.Object) { dc.Delete(u) }},
		"recycled":       {do: func(dc *directorytest.DC, u *directorytest.Object) { dc.Delete(u); dc.Recycle(u) }},
		"back again":     {do: func(dc *directorytest.DC, u *directorytest.Object) { dc.Delete(u); dc.Restore(u) }, want: true},
		"a computer":     {do: func(*directorytest.DC, *directorytest.Object) {}, user: directorytest.User{Class: "computer"}},
		"a managed user": {do: func(*directorytest.DC, *directorytest.Object) {}, user: directorytest.User{Class: "msDS-GroupManagedServiceAccount"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := small(t)
			dc.Install(directorytest.Fault{Point: directorytest.AtPage, After: 4, Times: 1, Do: func() {
				tc.user.Name = "late"
				u := dc.AddUser(tc.user)
				dc.SetPrimaryGroup(u, dc.Find("g1"))
				tc.do(dc, u)
			}})
			s, err := connect(t, nil, dc).ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`)})
			require.NoError(t, err)
			users, _, edges, _ := brief(s)
			require.Equal(t, tc.want, slices.Contains(users, "late"))
			require.Equal(t, tc.want && name != "back again" || slices.Contains(edges, "g1>late primary"), slices.Contains(edges, "g1>late primary"))
		})
	}
}

// TestDomainThatNobodyNeeds: a configured domain that no principal lies in is not asked.
func TestDomainThatNobodyNeeds(t *testing.T) {
	t.Parallel()
	srv, corp := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test"}, {DNS: "partner.example.test"}}})
	partner := srv.Domain("partner")
	corp.AddMember(corp.AddGroup(directorytest.Group{Name: "all"}), corp.AddUser(directorytest.User{Name: "alice"}))
	partner.Stop()
	c := connect(t, nil, corp, partner)
	s, err := c.ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`)})
	require.NoError(t, err)
	require.Len(t, s.Users, 1)
	require.Len(t, s.Marks, 1)
	_, err = c.ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`, `PARTNER\all`)})
	require.Error(t, err, "and one that is needed must answer")
}

// plainLDAP is a directory that is not Active Directory: keyed by entryUUID, members by their bare names, no sequence numbers.
type plainLDAP struct {
	script

	entries map[string]map[string][]string // by DN
	codes   map[string]int                 // results of base searches
	before  func(d *plainLDAP, q ldapwire.SearchRequest)
}

func newPlainLDAP(t *testing.T) *plainLDAP {
	t.Helper()
	const base = ",DC=corp,DC=example,DC=test"
	d := &plainLDAP{entries: map[string]map[string][]string{
		"CN=all" + base:   {"entryUUID": {guid1}, "objectClass": {"groupOfNames"}, "sAMAccountName": {"all"}, "member": {"CN=alice" + base, "CN=some" + base, "CN=thing" + base}},
		"CN=some" + base:  {"entryUUID": {guid2}, "objectClass": {"groupOfNames"}, "sAMAccountName": {"some"}, "member": {"CN=bob" + base, "CN=far,DC=elsewhere"}},
		"CN=alice" + base: {"entryUUID": {strings.ReplaceAll(guid1, "1", "a")}, "objectClass": {"inetOrgPerson"}, "sAMAccountName": {"alice"}, "mail": {"alice@example.com"}},
		"CN=bob" + base:   {"entryUUID": {strings.ReplaceAll(guid1, "1", "b")}, "objectClass": {"inetOrgPerson"}, "sAMAccountName": {"bob"}},
		"CN=thing" + base: {"entryUUID": {strings.ReplaceAll(guid1, "1", "c")}, "objectClass": {"device"}},
	}, codes: map[string]int{}}
	d.t, d.search = t, d.find
	d.root = map[string][]string{"supportedCapabilities": nil, "dsServiceName": nil, "highestCommittedUSN": nil, "defaultNamingContext": nil}
	return d
}

func (d *plainLDAP) find(q ldapwire.SearchRequest, _ ldapwire.Message) *said {
	if d.before != nil {
		d.before(d, q)
	}
	a := &said{controls: lastPage()}
	if q.Scope == 0 {
		if code := d.codes[q.Base]; code != 0 || d.entries[q.Base] == nil {
			return &said{code: max(code, 32)}
		}
	}
	for _, dn := range slices.Sorted(maps.Keys(d.entries)) {
		attrs := d.entries[dn]
		if (q.Scope == 0) == (dn == q.Base) && d.matches(attrs, q.Filter) {
			var list [][]string
			for _, k := range slices.Sorted(maps.Keys(attrs)) {
				list = append(list, append([]string{k}, attrs[k]...))
			}
			a.entries = append(a.entries, item(dn, list...))
		}
	}
	return a
}

func (d *plainLDAP) matches(attrs map[string][]string, f *ldapwire.Filter) bool {
	switch f.Op {
	case ldapwire.FilterAnd:
		return !slices.ContainsFunc(f.Children, func(c *ldapwire.Filter) bool { return !d.matches(attrs, c) })
	case ldapwire.FilterOr:
		return slices.ContainsFunc(f.Children, func(c *ldapwire.Filter) bool { return d.matches(attrs, c) })
	case ldapwire.FilterEqual:
		return slices.ContainsFunc(attrs[f.Attr], func(v string) bool { return strings.EqualFold(v, string(f.Value)) })
	case ldapwire.FilterPresent:
		return true
	}
	return false
}

// TestReadScopeWithoutNumbers: without sequence numbers a read counts when two of them agree; one that never settles, or that
// fails at any search, is an error.
func TestReadScopeWithoutNumbers(t *testing.T) {
	t.Parallel()
	const base = ",DC=corp,DC=example,DC=test"
	read := func(t *testing.T, d *plainLDAP) ([]string, error) {
		t.Helper()
		s, err := d.client(nil).ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`), Attributes: []string{"mail"}})
		if err != nil {
			require.Nil(t, s)
			return nil, err
		}
		require.True(t, s.Marks[0].Server.IsZero())
		u, g, e, k := brief(s)
		for _, x := range s.Users {
			u = append(u, x.DN, x.String("mail"))
		}
		return slices.Concat(u, g, e, k), nil
	}
	truth, err := read(t, newPlainLDAP(t))
	require.NoError(t, err)
	for _, want := range []string{"all>alice member", "all>some member", "some>bob member", "CN=thing" + base + " not_a_user", "CN=far,DC=elsewhere foreign_unresolved"} {
		require.Contains(t, truth, want)
	}
	for name, change := range map[string]func(d *plainLDAP, n int){
		"an attribute": func(d *plainLDAP, n int) {
			d.entries["CN=alice"+base]["mail"] = []string{fmt.Sprintf("m%d@example.com", n)}
		},
		"a key": func(d *plainLDAP, n int) {
			d.entries["CN=bob"+base]["entryUUID"] = []string{fmt.Sprintf("%08d-1111-4111-8111-111111111111", n)}
		},
		"a class": func(d *plainLDAP, n int) {
			d.entries["CN=bob"+base]["objectClass"] = []string{[]string{"inetOrgPerson", "device"}[n%2]}
		},
		"a member": func(d *plainLDAP, n int) {
			d.entries["CN=some"+base]["member"] = [][]string{{"CN=bob" + base}, {"CN=bob" + base, "CN=alice" + base}}[n%2]
		},
		"who is no user": func(d *plainLDAP, n int) {
			d.entries["CN=some"+base]["member"] = []string{"CN=bob" + base, fmt.Sprintf("CN=far%d,DC=elsewhere", n)}
		},
		"a group": func(d *plainLDAP, n int) {
			d.entries["CN=some"+base]["description"] = []string{"x"}
			d.entries["CN=some"+base]["sAMAccountName"] = []string{fmt.Sprintf("some%d", n)}
		},
	} {
		for _, settles := range []bool{true, false} {
			d, reads := newPlainLDAP(t), 0
			d.before = func(d *plainLDAP, q ldapwire.SearchRequest) {
				if isNameSearch(q) {
					if reads++; !settles || reads <= 3 {
						change(d, reads)
					}
				}
			}
			got, err := read(t, d)
			if !settles {
				require.ErrorIs(t, err, directory.ErrUnstableRead, name)
				continue
			}
			require.NoError(t, err, name)
			d.before = nil
			want, err := read(t, d)
			require.NoError(t, err)
			require.ElementsMatch(t, want, got, name)
		}
	}
	// a refusal at each search
	for n, all := 1, 1; n <= all; n++ {
		d := newPlainLDAP(t)
		d.search = func(q ldapwire.SearchRequest, m ldapwire.Message) *said {
			if len(d.asks) == n {
				return &said{code: 80}
			}
			return d.find(q, m)
		}
		_, err := read(t, d)
		require.ErrorIs(t, err, directory.ErrIncomplete, "search %d", n)
		if n == 1 {
			whole := newPlainLDAP(t)
			_, err = read(t, whole)
			require.NoError(t, err)
			all = whole.searches()
			require.Greater(t, all, 8)
		}
	}
	// a member that is not there is none; one that is hidden is an error
	d := newPlainLDAP(t)
	delete(d.entries, "CN=bob"+base)
	got, err := read(t, d)
	if err == nil {
		require.NotContains(t, got, "some>bob member")
	} else {
		require.ErrorIs(t, err, directory.ErrIncomplete)
	}
	d = newPlainLDAP(t)
	d.codes["CN=bob"+base] = 50
	_, err = read(t, d)
	require.ErrorIs(t, err, directory.ErrAccess)
}

// isNameSearch reports whether a search looks for the principal, which each read does first.
func isNameSearch(q ldapwire.SearchRequest) bool {
	var has func(f *ldapwire.Filter) bool
	has = func(f *ldapwire.Filter) bool {
		return strings.EqualFold(f.Attr, "sAMAccountName") || slices.ContainsFunc(f.Children, has)
	}
	return has(q.Filter)
}

// TestFaultAtEverySearch: two domains, all kinds of memberships, and somebody deleted on the way: a refusal of any one search,
// in any domain, is an error.
func TestFaultAtEverySearch(t *testing.T) {
	t.Parallel()
	type world struct {
		dcs []*directorytest.DC
		c   *directory.Client
	}
	build := func(t *testing.T) world {
		t.Helper()
		srv, corp := lab(t, directorytest.Config{MaxValRange: 3, Domains: []directorytest.Domain{{DNS: "corp.example.test"}, {DNS: "partner.example.test"}}})
		partner := srv.Domain("partner")
		all := corp.AddGroup(directorytest.Group{Name: "all", Scope: "domainlocal"})
		nested := corp.AddGroup(directorytest.Group{Name: "nested"})
		for _, m := range []*directorytest.Object{
			corp.AddUser(directorytest.User{Name: "alice"}), nested, partner.AddUser(directorytest.User{Name: "bob"}),
			corp.AddUser(directorytest.User{Name: "gone"}), corp.AddUser(directorytest.User{Name: "pc$", Class: "computer"}),
		} {
			corp.AddMember(all, m)
		}
		corp.SetPrimaryGroup(corp.AddUser(directorytest.User{Name: "carol"}), nested)
		w := world{dcs: []*directorytest.DC{corp, partner}, c: connect(t, nil, corp, partner)}
		for _, d := range w.dcs { // connections and domain SIDs are there
			_, err := w.c.Resolve(t.Context(), d.NetBIOS()+`\svc-sync`)
			require.NoError(t, err)
		}
		return w
	}
	read := func(t *testing.T, w world) ([]string, error) {
		t.Helper()
		s, err := w.c.ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`)})
		if err != nil {
			require.Nil(t, s)
			return nil, err
		}
		u, g, e, k := brief(s)
		return slices.Concat(u, g, e, k), nil
	}
	for deleted := 0; deleted < 6; deleted += testscale.N(2, 1) {
		for where := range 2 {
			struck := true
			for n := 0; struck; n++ {
				w := build(t)
				struck = false
				w.dcs[0].Install(directorytest.Fault{Point: directorytest.AtPage, After: deleted, Times: 1, Do: func() { w.dcs[0].Delete(w.dcs[0].Find("gone")) }})
				remove := w.dcs[where].Install(directorytest.Fault{Point: directorytest.AtSearch, After: n, Times: 1, Code: 80, Do: func() { struck = true }})
				got, err := read(t, w)
				remove()
				if struck {
					require.ErrorIs(t, err, directory.ErrIncomplete, "domain %d, search %d, deleted at page %d", where, n, deleted)
					continue
				}
				require.NoError(t, err)
				truth, err := read(t, w)
				require.NoError(t, err)
				require.Equal(t, truth, got)
				require.Contains(t, got, "all>bob fsp")
				require.Contains(t, got, "nested>carol primary")
			}
		}
	}
}

// TestGroupThatHides: a group that was there and is not in a later answer is an error, unless it is proved to be deleted.
func TestGroupThatHides(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"once": 1, "for good": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := small(t)
			isGroup := func(e directorytest.Event) bool {
				return strings.HasPrefix(e.Text, "CN=g2,") || strings.Contains(e.Text, ">;CN=g2,")
			}
			dc.Install(directorytest.Fault{Point: directorytest.AtEntry, Match: isGroup, After: 1, Times: times, Drop: true})
			got, err := everything(t.Context(), connect(t, nil, dc))
			require.ErrorIs(t, err, directory.ErrIncomplete)
			require.Nil(t, got)
		})
	}
}

// TestWhoIsNoUser: computers have primary groups too, and are no principals.
func TestWhoIsNoUser(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	all := dc.AddGroup(directorytest.Group{Name: "all"})
	dc.SetPrimaryGroup(dc.AddUser(directorytest.User{Name: "alice"}), all)
	pc := dc.AddUser(directorytest.User{Name: "pc$", Class: "computer"})
	dc.SetPrimaryGroup(pc, all)
	s, err := connect(t, nil, dc).ReadScope(t.Context(), directory.ScopeQuery{Principals: []directory.Principal{
		{Name: `CORP\all`}, {Name: `CORP\pc$`}, {Name: pc.GUID(), Kind: directory.KindUser}, {Name: `CORP\alice`, Kind: directory.KindGroup},
	}})
	require.NoError(t, err)
	users, _, edges, _ := brief(s)
	require.Equal(t, []string{"alice"}, users)
	require.Equal(t, []string{"all>alice primary"}, edges)
	for _, p := range s.Principals[1:] {
		require.ErrorIs(t, p.Err, directory.ErrNotFound, p.Name)
	}
}
