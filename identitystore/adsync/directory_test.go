package adsync_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// estate is two domains behind an engine: everything but the directory's own code is as in a program.
type estate struct {
	*world
	srv           *directorytest.Server
	corp, partner *directorytest.DC
	client        *directory.Client
}

func newEstate(t *testing.T, cfg directorytest.Config) *estate {
	t.Helper()
	cfg.Domains = []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP", UPNSuffixes: []string{"example.com"}}, {DNS: "partner.example.test", NetBIOS: "PARTNER"}}
	srv, err := directorytest.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	e := &estate{world: newWorld(t), srv: srv, corp: srv.Domain("corp.example.test"), partner: srv.Domain("partner.example.test")}
	e.open(identitystore.Config{Limits: identitystore.LimitsWide()})
	for _, dc := range []*directorytest.DC{e.corp, e.partner} {
		dc.AddUser(directorytest.User{Name: "svc-sync", Password: "S3rvice-Pass"})
	}
	e.connect(directory.Config{})
	return e
}

// connect reads through a client of that configuration from now on.
func (e *estate) connect(cfg directory.Config) {
	e.t.Helper()
	var names []string
	for _, dc := range []*directorytest.DC{e.corp, e.partner} {
		names = append(names, dc.DNS())
		cfg.Domains = append(cfg.Domains, directory.Domain{
			DNS: dc.DNS(), NetBIOS: dc.NetBIOS(), Servers: []string{dc.URL()}, TLS: e.srv.ClientTLS(),
			Bind: directory.NewSimpleBind("svc-sync@"+dc.DNS(), []byte("S3rvice-Pass")),
		})
	}
	cfg.Limits.ReplyTimeout, cfg.Limits.BindRetry = 2*time.Second, cmp.Or(cfg.Limits.BindRetry, time.Nanosecond)
	var err error
	e.client, err = directory.New(cfg)
	require.NoError(e.t, err)
	e.t.Cleanup(func(c *directory.Client) func() { return func() { _ = c.Close() } }(e.client))
	e.cfg.From, err = adsync.NewDirectory(adsync.DirectoryConfig{Client: e.client, Domains: names})
	require.NoError(e.t, err)
}

func (e *estate) person(name string) *directorytest.Object {
	return e.corp.AddUser(directorytest.User{Name: name, UPN: name + "@example.com", GivenName: name, Surname: "Person", DisplayName: name + " Person"})
}

// assignNames puts principals in scope by what an operator writes.
func (e *estate) assignNames(names ...string) {
	var list []adsync.Assignment
	for _, n := range names {
		kind, name, _ := strings.Cut(n, " ")
		list = append(list, adsync.Assignment{PrincipalType: kind, Principal: name})
	}
	e.scope = adsync.ScopeOf(list)
}

func TestDirectoryWholeWay(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	alice, bob, carol := e.person("alice"), e.person("bob"), e.person("carol")
	stranger := e.partner.AddUser(directorytest.User{Name: "stranger"})
	admins := e.corp.AddGroup(directorytest.Group{Name: "AWS-Admins", Scope: "domainlocal"})
	nested := e.corp.AddGroup(directorytest.Group{Name: "Nested"})
	main := e.corp.AddGroup(directorytest.Group{Name: "Main"})
	e.corp.AddMember(admins, nested)
	e.corp.AddMember(nested, admins)
	e.corp.AddMember(nested, alice)
	e.corp.AddMember(admins, stranger)
	e.corp.AddMember(admins, main)
	e.corp.SetPrimaryGroup(carol, main)
	e.assignNames(`GROUP corp\aws-admins`, "USER BOB@example.com", "USER bob@corp.example.test", "USER nobody@example.com", `USER CORP\AWS-Admins`, "GROUP "+alice.SID())
	res := e.run(adsync.StateApplied)
	require.Equal(t, 4, res.Counts.Users.Create)
	require.Equal(t, 3, res.Counts.Groups.Create)
	require.Equal(t, []string{"AWS-Admins:2", "Nested"}, e.groupsOf(alice.GUID()))
	require.Equal(t, []string{"AWS-Admins:2", "Main", "Nested:3"}, e.groupsOf(carol.GUID()))
	require.Equal(t, []string{"AWS-Admins", "Nested:2"}, e.groupsOf(stranger.GUID()))
	require.Empty(t, e.groupsOf(bob.GUID()))
	require.Equal(t, "stranger@partner.example.test", e.record(stranger.GUID()).UserName)
	require.Equal(t, "alice@example.com", e.record(alice.GUID()).UserName)
	require.Equal(t, "alice Person", e.record(alice.GUID()).DisplayName)
	require.Equal(t, "AWS-Admins@corp.example.test", e.groupRecord(admins.GUID()).DisplayName)
	require.ElementsMatch(t, []identitystore.Skipped{
		{Object: "nobody@example.com", Reason: adsync.SkipPrincipalNotFound},
		{Object: `CORP\AWS-Admins`, Reason: adsync.SkipPrincipalNotFound},
		{Object: alice.SID(), Reason: adsync.SkipPrincipalNotFound},
	}, res.Plan.Skipped)
	require.Contains(t, res.Plan.Snapshot, `"usn"`)
	require.Equal(t, admins.GUID(), res.Plan.Principal("group", `CORP\aws-ADMINS`))
	require.Equal(t, bob.GUID(), res.Plan.Principal("user", "bob@example.com"))
	require.Empty(t, res.Plan.Principal("user", "nobody@example.com"))
	again := e.run(adsync.StateUnchanged)
	require.True(t, again.Plan.Empty())
	e.changes(alice, bob, carol, stranger, nested)
}

// changes goes on with the estate: rename, move, disable, delete, restore.
func (e *estate) changes(alice, bob, carol, stranger, nested *directorytest.Object) {
	t := e.t
	ids := map[string]string{}
	for _, o := range []*directorytest.Object{alice, bob, carol, stranger} {
		ids[o.GUID()] = e.record(o.GUID()).ID
	}
	e.corp.Rename(alice, "Alice Renamed")
	e.corp.Set(alice, "userPrincipalName", "alice.renamed@example.com")
	e.corp.AddOU("Elsewhere")
	e.corp.Move(alice, "Elsewhere")
	e.corp.Disable(bob, true)
	e.corp.Delete(carol)
	res := e.run(adsync.StateApplied)
	require.Equal(t, identitystore.ObjectCounts{Update: 2, Remove: 1}, res.Counts.Users)
	require.Equal(t, "alice.renamed@example.com", e.record(alice.GUID()).UserName)
	require.Contains(t, e.record(alice.GUID()).Link.DN, "OU=Elsewhere")
	require.False(t, e.record(bob.GUID()).Enabled())
	require.Equal(t, identitystore.StateTombstone, e.record(carol.GUID()).Link.State)
	e.corp.Restore(carol)
	e.corp.RemoveMember(nested, alice)
	res = e.run(adsync.StateApplied)
	require.Equal(t, identitystore.StateUnscoped, e.record(alice.GUID()).Link.State)
	require.Equal(t, 1, res.Counts.Users.Create)
	for guid, id := range ids {
		require.Equal(t, id, e.record(guid).ID)
	}
}

// TestScenarioN08N09Members: of what can stand in a group, only people and groups are synchronised.
func TestScenarioN08N09Members(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	g := e.corp.AddGroup(directorytest.Group{Name: "G"})
	for name, class := range map[string]string{"ws$": "computer", "gmsa$": "msDS-GroupManagedServiceAccount", "friend": "contact", "ingrid": "inetOrgPerson"} {
		e.corp.AddMember(g, e.corp.AddUser(directorytest.User{Name: name, Class: class}))
	}
	e.corp.AddMember(g, e.corp.AddForeign("S-1-5-21-7-7-7-1200"))
	stranger := e.partner.AddUser(directorytest.User{Name: "stranger"})
	e.corp.AddMember(g, e.corp.AddForeign(stranger.SID()))
	e.assignNames(`GROUP CORP\G`)
	res := e.run(adsync.StateApplied)
	require.Equal(t, 2, res.Counts.Users.Create, "inetOrgPerson is a user, and so is whom the configured domain knows")
	require.Equal(t, []string{"G"}, e.groupsOf(e.corp.Find("ingrid").GUID()))
	require.Equal(t, []string{"G"}, e.groupsOf(stranger.GUID()))
	list := reasons(res)
	slices.Sort(list)
	require.Equal(t, []string{adsync.SkipForeignUnresolved, adsync.SkipNotAUser, adsync.SkipNotAUser, adsync.SkipNotAUser}, list)
}

// TestScenarioF11RejectedCookie: a controller that was restarted refuses the cookie of a page. The read begins again at
// page 1, and not for ever.
func TestScenarioF11RejectedCookie(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{MaxPageSize: 10})
	g := e.corp.AddGroup(directorytest.Group{Name: "G"})
	for i := range 35 {
		e.corp.AddMember(g, e.person(fmt.Sprint("user", i)))
	}
	e.assignNames(`GROUP CORP\G`)
	for _, c := range []struct {
		times int // 0: always
		state adsync.State
	}{{1, adsync.StateApplied}, {2, adsync.StateUnchanged}, {0, adsync.StateFailed}} {
		remove := e.corp.Install(directorytest.Fault{Point: directorytest.AtPage, Match: number(2), Times: c.times, BadCookie: true})
		e.corp.Disconnect()
		e.run(c.state)
		remove()
		require.Equal(t, 35, e.counts().Memberships, "each of them once")
	}
}

// TestScenarioF05OneBindPerRun: the password of our account has expired. The run fails, and does not try again and again:
// the account would be locked.
func TestScenarioF05OneBindPerRun(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	e.assignNames("USER " + `CORP\svc-sync`)
	e.run(adsync.StateApplied)
	binds := 0
	e.corp.Install(directorytest.Fault{Point: directorytest.AtBind, Code: 49, Match: func(directorytest.Event) bool { binds++; return true }})
	e.connect(directory.Config{Limits: directory.Limits{BindRetry: time.Hour}})
	e.corp.Disconnect()
	seq := e.lastSeq()
	for range 3 {
		e.run(adsync.StateFailed)
	}
	require.Equal(t, 1, binds)
	require.Equal(t, seq, e.lastSeq())
}

func TestScenarioDirectoryFaults(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{MaxPageSize: 10, MaxValRange: 15})
	g := e.corp.AddGroup(directorytest.Group{Name: "G"})
	for i := range 40 {
		e.corp.AddMember(g, e.person(fmt.Sprint("user", i)))
	}
	e.assignNames(`GROUP CORP\G`)
	e.run(adsync.StateApplied)
	seq := e.lastSeq()
	for name, f := range map[string]directorytest.Fault{
		"F01 page 2 is cut":            {Point: directorytest.AtPage, Match: number(2), Cut: true},
		"F02 size limit":               {Point: directorytest.AtPage, Match: number(2), Code: 4},
		"F03 time limit":               {Point: directorytest.AtPage, Code: 3},
		"administrative limit":         {Point: directorytest.AtPage, Code: 11},
		"unavailable":                  {Point: directorytest.AtSearch, Code: 52},
		"F08 range step fails":         {Point: directorytest.AtRange, Code: 1},
		"range step with wrong bounds": {Point: directorytest.AtRange, BadRange: true},
		"F11 cookie refused":           {Point: directorytest.AtPage, Match: number(2), BadCookie: true},
		"page without control":         {Point: directorytest.AtPage, NoControl: true},
		"refused bind":                 {Point: directorytest.AtBind, Code: 49},
		"connection refused at once":   {Point: directorytest.AtConnect, Cut: true},
	} {
		remove := e.corp.Install(f)
		e.corp.Disconnect()
		res, err := e.engine().Run(t.Context(), e.scope, "")
		remove()
		require.Error(t, err, name)
		require.Equal(t, adsync.StateFailed, res.State, name)
		require.Equal(t, seq, e.lastSeq(), name)
	}
	e.corp.Disconnect()
	e.run(adsync.StateUnchanged)
}

func number(n int) func(directorytest.Event) bool {
	return func(e directorytest.Event) bool { return e.Number == n }
}

// TestDirectoryCutAtByte cuts the connection after n bytes, and every later one at once: the outage in the middle of a
// read is never taken for an empty directory.
func TestDirectoryCutAtByte(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{MaxPageSize: 5, MaxValRange: 8})
	g := e.corp.AddGroup(directorytest.Group{Name: "G"})
	for i := range 20 {
		e.corp.AddMember(g, e.person(fmt.Sprint("user", i)))
	}
	e.assignNames(`GROUP CORP\G`)
	e.run(adsync.StateApplied)
	seq := e.lastSeq()
	const budget = 1 << 30
	e.corp.Disconnect()
	e.corp.CutAfter(budget, false)
	e.run(adsync.StateUnchanged)
	total := e.corp.Sent(budget)
	require.Greater(t, total, 1000)
	step := max(1, total/testscale.N(40, total))
	for n := 0; n < total; n += step {
		e.corp.Disconnect()
		e.corp.CutAfter(n, true)
		res, err := e.engine().Run(t.Context(), e.scope, "")
		if err == nil { // the rest was not needed
			require.Equal(t, adsync.StateUnchanged, res.State)
		}
		require.Equal(t, seq, e.lastSeq(), "cut after %d of %d bytes", n, total)
	}
	e.corp.CutNever()
	e.run(adsync.StateUnchanged)
}

func TestScenarioF06OneOfTwoDomainsDown(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	g := e.corp.AddGroup(directorytest.Group{Name: "G"})
	alice, stranger := e.person("alice"), e.partner.AddUser(directorytest.User{Name: "stranger"})
	e.corp.AddMember(g, alice)
	e.corp.AddMember(g, stranger)
	e.assignNames(`GROUP CORP\G`)
	e.run(adsync.StateApplied)
	e.partner.Stop()
	e.corp.RemoveMember(g, alice)
	e.run(adsync.StateFailed)
	require.Equal(t, []string{"G"}, e.groupsOf(alice.GUID()))
	require.Equal(t, []string{"G"}, e.groupsOf(stranger.GUID()))
	require.NoError(t, e.partner.Resume())
}

func TestScenarioF07DirectoryShowsNothing(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	g := e.corp.AddGroup(directorytest.Group{Name: "G"})
	e.corp.AddMember(g, e.person("alice"))
	e.assignNames(`GROUP CORP\G`)
	e.run(adsync.StateApplied)
	remove := e.corp.Install(directorytest.Fault{Point: directorytest.AtPage, Empty: true})
	defer remove()
	e.corp.Disconnect()
	res, err := e.engine().Run(t.Context(), e.scope, "")
	require.Error(t, err)
	require.Contains(t, []adsync.State{adsync.StateHeld, adsync.StateFailed}, res.State)
	require.Equal(t, 1, e.counts().Memberships)
}

func TestDirectoryExpiredAccountAndMapping(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	m, err := adsync.NewMapping(map[string]string{"email": "${dir:proxyAddresses:SMTP}", "title": "${ldap:title}", "nickName": "${dir:lastname}, ${ldap:department}", "familyName": ""})
	require.NoError(t, err)
	e.cfg.Mapping = m
	e.cfg.From, err = adsync.NewDirectory(adsync.DirectoryConfig{Client: e.client, Domains: []string{"corp.example.test", "partner.example.test"}, Mapping: m, Now: func() time.Time { return e.now }})
	require.NoError(t, err)
	alice := e.person("alice")
	e.corp.Set(alice, "proxyAddresses", "smtp:z@example.com", "SMTP:main@example.com", "smtp:a@example.com")
	e.corp.Set(alice, "title", "Engineer")
	e.corp.Set(alice, "accountExpires", fmt.Sprint((e.now.Add(36*time.Hour).Unix()+11644473600)*10_000_000))
	e.assignNames("USER alice@example.com")
	e.run(adsync.StateApplied)
	u := e.record(alice.GUID())
	require.Equal(t, "main@example.com", u.Email())
	require.Equal(t, "Engineer", u.Title)
	require.Empty(t, u.NickName, "one source is absent: no value and no part of one")
	require.Empty(t, u.Name.FamilyName)
	require.True(t, u.Enabled())
	e.now = e.now.Add(48 * time.Hour)
	e.run(adsync.StateApplied)
	require.False(t, e.record(alice.GUID()).Enabled())
}

// TestScenarioT08PrincipalsAreBound: an assigned group may be renamed; another one that takes its name gets nothing.
func TestScenarioT08PrincipalsAreBound(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	g, alice, bob := e.corp.AddGroup(directorytest.Group{Name: "G"}), e.person("alice"), e.person("bob")
	e.corp.AddMember(g, alice)
	e.assignNames(`GROUP CORP\G`, "GROUP g@corp.example.test", "USER bob@example.com", "USER nobody@example.com", `USER CORP\svc-sync`)
	e.run(adsync.StateApplied)
	e.corp.Rename(g, "New name")
	e.corp.Set(g, "sAMAccountName", "Renamed")
	e.corp.Set(bob, "userPrincipalName", "robert@example.com")
	res := e.run(adsync.StateApplied)
	require.Equal(t, []identitystore.Skipped{{Object: "nobody@example.com", Reason: adsync.SkipPrincipalNotFound}}, res.Plan.Skipped)
	require.Equal(t, []string{"Renamed"}, e.groupsOf(alice.GUID()))
	require.Equal(t, "robert@example.com", e.record(bob.GUID()).UserName)
	require.Equal(t, g.GUID(), res.Plan.Principal("group", `corp\g`))
	require.Equal(t, g.GUID(), res.Plan.Principal("group", "G@corp.example.test"))
	e.run(adsync.StateUnchanged)

	thief := e.corp.AddGroup(directorytest.Group{Name: "G"})
	e.corp.AddMember(thief, e.person("mallory"))
	e.run(adsync.StateUnchanged)
	e.corp.Delete(g)
	e.corp.Delete(bob)
	res = e.run(adsync.StateApplied)
	require.Len(t, res.Plan.Skipped, 4)
	e.run(adsync.StateUnchanged)
	require.Nil(t, e.groupRecord(thief.GUID()))
	again := e.corp.AddUser(directorytest.User{Name: "bob2", UPN: "bob@example.com"})
	e.corp.Restore(g)
	e.run(adsync.StateApplied)
	require.True(t, e.record(again.GUID()).Link.InScope(), "a user is assigned by name again")
	require.True(t, e.groupRecord(g.GUID()).Link.InScope())
	e.assignNames(`GROUP CORP\G`, `USER CORP\svc-sync`) // still the same assignment
	e.run(adsync.StateApplied)
	require.Nil(t, e.groupRecord(thief.GUID()))
	e.assignNames()
	e.run(adsync.StateApplied)
	e.assignNames(`GROUP CORP\G`) // a new assignment
	e.run(adsync.StateApplied)
	require.NotNil(t, e.groupRecord(thief.GUID()))
}

// TestSignInWritesWhatARunWrites: a sign-in before the first run, and one after it, make nothing for the next run to do.
func TestSignInWritesWhatARunWrites(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	alice := e.person("alice")
	m, err := adsync.NewMapping(nil)
	require.NoError(t, err)
	signIn := func() {
		var entry *directory.Entry
		for x, err := range e.client.Search(t.Context(), directory.Query{Domain: "corp.example.test", Filter: directory.ByGUID(alice.GUID()), Attributes: m.LDAPAttributes()}) {
			require.NoError(t, err)
			entry = x
		}
		_, err := e.svc.SignIn(t.Context(), identitystore.SignIn{
			Source: adsync.DefaultSource, GUID: entry.GUID, SID: entry.SID, DN: entry.DN, UserName: entry.UserName(), Mapped: m.MappedValues(entry), Create: true,
		})
		require.NoError(t, err)
	}
	signIn()
	require.Equal(t, "alice Person", e.record(alice.GUID()).DisplayName)
	e.assignNames("USER " + alice.GUID())
	e.run(adsync.StateApplied)
	signIn()
	e.run(adsync.StateUnchanged)
	require.True(t, e.record(alice.GUID()).Link.InScope())
}

func TestNewDirectoryRefuses(t *testing.T) {
	t.Parallel()
	_, err := adsync.NewDirectory(adsync.DirectoryConfig{Domains: []string{"x"}})
	require.Error(t, err)
	_, err = adsync.NewDirectory(adsync.DirectoryConfig{Client: absent{}})
	require.Error(t, err)
	s, err := adsync.NewDirectory(adsync.DirectoryConfig{Client: absent{}, Domains: []string{"corp.example.test"}})
	require.NoError(t, err)
	got, err := s.Exists(t.Context(), []adsync.Object{{GUID: "1", DN: "CN=x,DC=corp,DC=example,DC=test"}, {GUID: "2", DN: "CN=x,DC=former,DC=test"}, {GUID: "3"}})
	require.NoError(t, err)
	require.Equal(t, map[string]adsync.Presence{"1": adsync.Deleted, "2": adsync.Live, "3": adsync.Live}, got, "an unknown domain proves nothing")
}

// absent is a directory in which nothing is.
type absent struct{}

func (absent) ReadScope(context.Context, directory.ScopeQuery) (*directory.Scope, error) {
	return &directory.Scope{}, nil
}

func (absent) Exists(context.Context, string, string) (directory.Presence, error) {
	return directory.Absent, nil
}

// TestDomainThatIsNotConfiguredAnyMore: nothing proves that its users were deleted: they leave the scope, and stay.
func TestDomainThatIsNotConfiguredAnyMore(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	g, stranger := e.corp.AddGroup(directorytest.Group{Name: "G"}), e.partner.AddUser(directorytest.User{Name: "stranger"})
	e.corp.AddMember(g, e.person("alice"))
	e.corp.AddMember(g, stranger)
	e.assignNames(`GROUP CORP\G`)
	e.run(adsync.StateApplied)
	id := e.record(stranger.GUID()).ID
	client, err := directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: e.corp.DNS(), NetBIOS: e.corp.NetBIOS(), Servers: []string{e.corp.URL()}, TLS: e.srv.ClientTLS(),
		Bind: directory.NewSimpleBind("svc-sync@"+e.corp.DNS(), []byte("S3rvice-Pass")),
	}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	e.cfg.From, err = adsync.NewDirectory(adsync.DirectoryConfig{Client: client, Domains: []string{e.corp.DNS()}})
	require.NoError(t, err)
	res := e.run(adsync.StateApplied)
	require.Contains(t, reasons(res), adsync.SkipForeignUnresolved)
	require.Equal(t, identitystore.StateUnscoped, e.record(stranger.GUID()).Link.State)
	require.Equal(t, id, e.record(stranger.GUID()).ID)
}
