package directory_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// TestTwoServersAreNotMixed: two domain controllers that differ; whatever breaks at the first, the answer is one's or the
// other's, never a part of each.
func TestTwoServersAreNotMixed(t *testing.T) {
	t.Parallel()
	_, a := small(t)
	_, b := small(t)
	for i := range 15 { // the second one is ahead
		b.Set(b.Find(fmt.Sprintf("u%d", i)), "mail", fmt.Sprintf("new%d@example.com", i))
	}
	b.RemoveMember(b.Find("all"), b.Find("u0"))
	b.NewInvocation()
	client := func(urls ...string) *directory.Client {
		return connect(t, func(cfg *directory.Config) {
			cfg.Domains[0].Servers = urls
			cfg.Domains[0].InsecurePlain = true
			cfg.Limits.ReplyTimeout = time.Second
		}, a)
	}
	full := func(c *directory.Client) ([]string, error) {
		s, err := c.ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`), Attributes: []string{"mail"}})
		if err != nil {
			return nil, err
		}
		_, _, edges, _ := brief(s)
		for _, u := range s.Users {
			edges = append(edges, u.GUID+u.String("mail"))
		}
		return edges, nil
	}
	truthA, err := full(client(a.PlainURL()))
	require.NoError(t, err)
	truthB, err := full(client(b.PlainURL()))
	require.NoError(t, err)
	require.NotEqual(t, truthA, truthB)
	both := map[string]int{}
	for n := 0; n < 24_000; n += 400 {
		a.CutAfter(n, true)
		got, err := full(client(a.PlainURL(), b.PlainURL()))
		a.CutNever()
		require.NoError(t, err, "the second server is there")
		switch fmt.Sprint(got) {
		case fmt.Sprint(truthA):
			both["a"]++
		case fmt.Sprint(truthB):
			both["b"]++
		default:
			t.Fatalf("a mixture after byte %d", n)
		}
	}
	require.NotZero(t, both["a"])
	require.NotZero(t, both["b"])
	// a cursor of one is no cursor of the other
	q := directory.ChangeQuery{Filter: classes}
	_, cursor, err := client(a.PlainURL()).Changes(t.Context(), q, directory.Cursor{})
	require.NoError(t, err)
	_, _, err = client(b.PlainURL()).Changes(t.Context(), q, cursor)
	require.ErrorIs(t, err, directory.ErrFullReadNeeded)
	a.RollBack(10)
	_, _, err = client(a.PlainURL()).Changes(t.Context(), q, cursor)
	require.ErrorIs(t, err, directory.ErrFullReadNeeded)
}

// TestBusyServer: a server that is busy or going down is left for the next one, and rests.
func TestBusyServer(t *testing.T) {
	t.Parallel()
	for _, code := range []int{51, 52} {
		_, a := lab(t, nothing)
		_, b := lab(t, nothing)
		searches := 0
		a.Install(directorytest.Fault{Point: directorytest.AtPage, Code: code, Match: func(directorytest.Event) bool { searches++; return true }})
		c := connect(t, func(cfg *directory.Config) {
			cfg.Domains[0].Servers = []string{a.PlainURL(), b.PlainURL()}
			cfg.Domains[0].InsecurePlain = true
		}, a)
		for range 3 {
			e, err := c.Resolve(t.Context(), `CORP\svc-sync`)
			require.NoError(t, err)
			require.Equal(t, b.PlainURL(), e.Server)
		}
		require.Equal(t, 1, searches, "asked again while it rests")
		b.Stop()
		_, err := c.Resolve(t.Context(), `CORP\svc-sync`)
		require.ErrorIs(t, err, directory.ErrIncomplete, "nothing but the busy one is left")
		require.True(t, directory.Temporary(err))
	}
}

// TestProbeByOne: when a server has rested long enough, one caller finds out whether it is back; the others do not wait for it.
func TestProbeByOne(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	var mu sync.Mutex
	now := time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)
	dead, held := 0, make(chan struct{})
	entered := make(chan struct{}, 100)
	c := connect(t, func(cfg *directory.Config) {
		cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		cfg.Domains[0].Servers = []string{"ldaps://dead.corp.example.test", dc.URL()}
		cfg.Limits.MaxConns, cfg.Limits.DialTimeout = 1, time.Minute
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if !strings.HasPrefix(addr, "dead") {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			mu.Lock()
			dead++
			first := dead == 1
			mu.Unlock()
			if !first {
				entered <- struct{}{}
				select {
				case <-held:
				case <-ctx.Done():
				}
			}
			return nil, errors.New("no route")
		}
	}, dc)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ask := func() error { _, err := c.Resolve(ctx, `CORP\svc-sync`); return err }
	require.NoError(t, ask()) // the first server fails and rests
	mu.Lock()
	now = now.Add(31 * time.Second)
	mu.Unlock()
	prober := make(chan error, 1)
	go func() { prober <- ask() }()
	<-entered // one caller is at the dead server
	for range 5 {
		require.NoError(t, ask(), "answered by the other server meanwhile")
	}
	close(held)
	require.NoError(t, <-prober)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 2, dead)
}

// TestServerChangesUnderneath: the database is restored while it is read.
func TestServerChangesUnderneath(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	dc.Install(directorytest.Fault{Point: directorytest.AtPage, After: 5, Times: 1, Do: dc.NewInvocation})
	_, err := everything(t.Context(), connect(t, nil, dc))
	require.ErrorIs(t, err, directory.ErrServerChanged)
	require.True(t, directory.Temporary(err))
}

// TestChangesUnderneath: what changes while a scope is read is in the answer, or the read says that it is unstable.
func TestChangesUnderneath(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(dc *directorytest.DC)
		want func(t *testing.T, users, gs, edges []string)
	}{
		"member added": {
			func(dc *directorytest.DC) { dc.AddMember(dc.Find("all"), dc.AddUser(directorytest.User{Name: "late"})) },
			func(t *testing.T, _, _, edges []string) { t.Helper(); require.Contains(t, edges, "all>late member") },
		},
		"member removed": {
			func(dc *directorytest.DC) { dc.RemoveMember(dc.Find("all"), dc.Find("u0")) },
			func(t *testing.T, _, _, edges []string) { t.Helper(); require.NotContains(t, edges, "all>u0 member") },
		},
		"member removed, container made": {
			func(dc *directorytest.DC) { dc.RemoveMember(dc.Find("all"), dc.Find("u0")); dc.AddOU("Empty") },
			func(t *testing.T, _, _, edges []string) { t.Helper(); require.NotContains(t, edges, "all>u0 member") },
		},
		"user deleted": {
			func(dc *directorytest.DC) { dc.Delete(dc.Find("u0")) },
			func(t *testing.T, users, _, _ []string) { t.Helper(); require.NotContains(t, users, "u0") },
		},
		"group deleted": {
			func(dc *directorytest.DC) { dc.Delete(dc.Find("g3")) },
			func(t *testing.T, users, gs, _ []string) {
				t.Helper()
				require.NotContains(t, gs, "g3")
				require.NotContains(t, users, "u11")
			},
		},
		"primary group": {
			func(dc *directorytest.DC) {
				dc.SetPrimaryGroup(dc.AddUser(directorytest.User{Name: "late"}), dc.Find("g1"))
			},
			func(t *testing.T, _, _, edges []string) { t.Helper(); require.Contains(t, edges, "g1>late primary") },
		},
		"user moved": {
			func(dc *directorytest.DC) { dc.Move(dc.Find("u0"), "Elsewhere") },
			func(t *testing.T, users, _, _ []string) { t.Helper(); require.Contains(t, users, "u0") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for after := range 12 { // at each page of the read
				_, dc := small(t)
				dc.Install(directorytest.Fault{Point: directorytest.AtPage, After: after, Times: 1, Do: func() { tc.do(dc) }})
				s, err := connect(t, nil, dc).ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`)})
				require.NoError(t, err)
				users, gs, edges, _ := brief(s)
				tc.want(t, users, gs, edges)
				again, err := connect(t, nil, dc).ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`)})
				require.NoError(t, err)
				_, _, want, _ := brief(again)
				require.Equal(t, want, edges, "after page %d", after)
			}
		})
	}
}

// TestUnstable: a directory that changes at every page is never read as a mixture.
func TestUnstable(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	n := 0
	dc.Install(directorytest.Fault{Point: directorytest.AtPage, Do: func() {
		n++
		dc.Set(dc.Find("u0"), "mail", fmt.Sprintf("m%d@example.com", n))
	}})
	_, err := everything(t.Context(), connect(t, nil, dc))
	require.ErrorIs(t, err, directory.ErrUnstableRead)
}

// TestRenamedContainer: names below a container change without a sign on the objects.
func TestRenamedContainer(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	u := dc.AddUser(directorytest.User{Name: "alice", OU: "People"})
	g := dc.AddGroup(directorytest.Group{Name: "all"})
	dc.AddMember(g, u)
	ou := dc.AddOU("People")
	dc.Install(directorytest.Fault{Point: directorytest.AtEntry, Times: 1, Match: func(e directorytest.Event) bool { return strings.HasPrefix(e.Text, "CN=alice") }, Do: func() {
		go dc.Rename(ou, "Staff") // the server holds its lock while it makes entries
	}})
	s, err := connect(t, nil, dc).ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`)})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(u.DN(), "OU=Staff") }, time.Second, time.Millisecond)
	again, err := connect(t, nil, dc).ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`)})
	require.NoError(t, err)
	require.Contains(t, again.Users[0].DN, "OU=Staff")
	require.Len(t, s.Users, 1)
}

// TestContainerRenamedUnderneath: at whatever page the container gets another name, the answer has the new one.
func TestContainerRenamedUnderneath(t *testing.T) {
	t.Parallel()
	for after := range 7 {
		_, dc := lab(t, nothing)
		g := dc.AddGroup(directorytest.Group{Name: "all"})
		dc.AddMember(g, dc.AddUser(directorytest.User{Name: "alice", OU: "People"}))
		nested := dc.AddGroup(directorytest.Group{Name: "nested"}) // is read after alice
		dc.AddMember(g, nested)
		dc.AddMember(nested, dc.AddUser(directorytest.User{Name: "bob", OU: "People"}))
		ou, renamed := dc.AddOU("People"), false
		dc.Install(directorytest.Fault{Point: directorytest.AtPage, After: after, Times: 1, Do: func() { dc.Rename(ou, "Staff"); renamed = true }})
		s, err := connect(t, nil, dc).ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\all`)})
		require.NoError(t, err)
		for _, u := range s.Users {
			require.Equal(t, renamed, strings.Contains(u.DN, "OU=Staff"), "after %d: %s", after, u.DN)
		}
		require.True(t, renamed || after > 4, "the read has at least five pages")
	}
}

func TestTrustsAndDomains(t *testing.T) {
	t.Parallel()
	srv, corp := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test"}, {DNS: "partner.example.test"}, {DNS: "far.example.test"}}})
	partner, far := srv.Domain("partner"), srv.Domain("far")
	corp.Trust(partner, 3, 8)
	corp.Trust(far, 1, 4)
	c := connect(t, nil, corp, partner)
	trusts, err := c.Trusts(t.Context(), "CORP")
	require.NoError(t, err)
	require.ElementsMatch(t, []directory.Trust{
		{Names: trusts[0].Names, DNS: "partner.example.test", NetBIOS: "PARTNER", SID: partner.SID(), Inbound: true, Outbound: true, ForestTransitive: true},
		{DNS: "far.example.test", NetBIOS: "FAR", SID: far.SID(), Inbound: true, Quarantined: true},
	}, trusts)
	partner.Stop()
	ds, err := c.Domains(t.Context())
	require.NoError(t, err)
	require.Len(t, ds, 3)
	require.NoError(t, ds[0].Err)
	require.Error(t, ds[1].Err)
	require.Equal(t, []string{"corp.example.test"}, ds[2].TrustedBy)
	require.False(t, ds[2].Configured)
}

// srvResolver answers SRV look-ups.
type srvResolver map[string][]*net.SRV

func (r srvResolver) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if l := r["_"+service+"._"+proto+"."+name]; l != nil {
		return "", l, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	host, port, err := net.SplitHostPort(dc.Addr())
	require.NoError(t, err)
	var p uint16
	_, err = fmt.Sscan(port, &p)
	require.NoError(t, err)
	look := srvResolver{
		"_ldap._tcp.site1._sites.dc._msdcs.corp.example.test": {{Target: "dc1.corp.example.test.", Port: p}},
		"_ldap._tcp.dc._msdcs.corp.example.test":              {{Target: "dc9.corp.example.test.", Port: p}, {Target: "dc1.corp.example.test.", Port: p}},
	}
	var dialed []string
	c := connect(t, func(cfg *directory.Config) {
		cfg.Domains[0].Servers, cfg.Domains[0].Discover, cfg.Domains[0].Site, cfg.Resolver = nil, true, "site1", look
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) { // the names lead to loopback
			dialed = append(dialed, addr)
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(host, port))
		}
	}, dc)
	e, err := c.Resolve(t.Context(), `CORP\svc-sync`)
	require.NoError(t, err)
	require.Equal(t, "ldap://dc1.corp.example.test:"+port, e.Server, "the site's server first, upgraded by StartTLS under its own name")
	require.Equal(t, []string{"dc1.corp.example.test:" + port}, dialed)

	c = connect(t, func(cfg *directory.Config) {
		cfg.Domains[0].Servers, cfg.Domains[0].Discover, cfg.Resolver = nil, true, srvResolver{}
	}, dc)
	_, err = c.Resolve(t.Context(), `CORP\svc-sync`)
	require.True(t, directory.Temporary(err), err)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	bind := directory.NewSimpleBind("a", []byte("b"))
	ok := directory.Domain{DNS: "corp.example.test", Servers: []string{"ldaps://dc1"}, Bind: bind}
	edit := func(f func(*directory.Domain)) []directory.Domain { d := ok; f(&d); return []directory.Domain{d} }
	for name, cfg := range map[string]directory.Config{
		"no domain":       {},
		"no DNS":          {Domains: edit(func(d *directory.Domain) { d.DNS = "" })},
		"no bind":         {Domains: edit(func(d *directory.Domain) { d.Bind = nil })},
		"no server":       {Domains: edit(func(d *directory.Domain) { d.Servers = nil })},
		"http":            {Domains: edit(func(d *directory.Domain) { d.Servers = []string{"http://dc1"} })},
		"path":            {Domains: edit(func(d *directory.Domain) { d.Servers = []string{"ldap://dc1/x"} })},
		"user in the URL": {Domains: edit(func(d *directory.Domain) { d.Servers = []string{"ldap://u@dc1"} })},
		"NetBIOS":         {Domains: edit(func(d *directory.Domain) { d.NetBIOS = `A\B` })},
		"twice":           {Domains: []directory.Domain{ok, ok}},
		"page size":       {Domains: []directory.Domain{ok}, Limits: directory.Limits{PageSize: 1001}},
		"negative":        {Domains: []directory.Domain{ok}, Limits: directory.Limits{Entries: -1}},
	} {
		_, err := directory.New(cfg)
		require.Error(t, err, name)
	}
	c, err := directory.New(directory.Config{Domains: []directory.Domain{ok}})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = c.Resolve(t.Context(), "x@corp.example.test")
	require.ErrorIs(t, err, directory.ErrClosed)
}

// TestNothingStays: after Close no connection is left, also after cuts and cancellations.
func TestNothingStays(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	c, err := directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: dc.DNS(), NetBIOS: "CORP", Servers: []string{dc.URL()}, TLS: dc.Server().ClientTLS(), Bind: directory.NewSimpleBind("svc-sync@"+dc.DNS(), []byte(password)),
	}}})
	require.NoError(t, err)
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		_, _ = everything(ctx, c)
		cancel()
		for _, err := range c.Search(t.Context(), directory.Query{}) { // broken off at the first entry
			require.NoError(t, err)
			break
		}
	}
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return dc.Connections() == 0 }, 5*time.Second, 5*time.Millisecond)
}

// TestBrake: a search waits for its turn, a further page for its pause; both end with the context.
func TestBrake(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		limits directory.Limits
		most   int // pages that may arrive meanwhile; without a brake it would be all
	}{
		"rate":  {directory.Limits{SearchRate: 1}, 0},
		"pause": {directory.Limits{PagePause: time.Hour}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := small(t)
			c := connect(t, func(cfg *directory.Config) { cfg.Limits = tc.limits }, dc)
			_, err := c.ServerInfo(t.Context(), "CORP") // the connection is there
			require.NoError(t, err)
			pages := 0
			dc.Install(directorytest.Fault{Point: directorytest.AtPage, Match: func(directorytest.Event) bool { pages++; return false }})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			got, err := c.SearchAll(ctx, directory.Query{}) // more than four pages of ten
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Nil(t, got)
			require.LessOrEqual(t, pages, tc.most)
		})
	}
}
