package directory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// small makes a directory of 30 objects of all kinds, with pages and ranges that are passed several times.
func small(tb testing.TB) (*directorytest.Server, *directorytest.DC) {
	tb.Helper()
	srv, dc := lab(tb, directorytest.Config{MaxPageSize: 10, MaxValRange: 6, Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	fill(dc, 15, 4)
	return srv, dc
}

// fill makes users and nested groups: "all" holds everything.
func fill(dc *directorytest.DC, users, groups int) {
	all := dc.AddGroup(directorytest.Group{Name: "all"})
	last := all
	var gs []*directorytest.Object
	for i := range groups {
		g := dc.AddGroup(directorytest.Group{Name: fmt.Sprintf("g%d", i)})
		dc.AddMember(last, g)
		last = g
		gs = append(gs, g)
	}
	dc.AddMember(last, all) // a cycle
	for i := range users {
		u := dc.AddUser(directorytest.User{Name: fmt.Sprintf("u%d", i), Mail: fmt.Sprintf("u%d@example.com", i)})
		if i%7 == 3 {
			dc.SetPrimaryGroup(u, gs[i%len(gs)])
		} else {
			dc.AddMember(gs[i%len(gs)], u)
		}
		if i%2 == 0 {
			dc.AddMember(all, u)
		}
	}
	dc.AddMember(all, dc.AddUser(directorytest.User{Name: "pc$", Class: "computer"}))
}

// everything is the full read of the suites below, in a form that can be compared; nil when it failed.
func everything(ctx context.Context, c *directory.Client) ([]string, error) {
	s, err := c.ReadScope(ctx, directory.ScopeQuery{Principals: groups(`CORP\all`), Attributes: []string{"mail"}})
	if err != nil {
		return nil, err
	}
	u, g, e, k := brief(s)
	return append(append(append(append(e, u...), g...), k...), s.Users[0].DN, s.Users[0].String("mail")), nil
}

// plain connects without TLS: the suites count bytes of LDAP, and thousands of handshakes would only cost time.
func plain(tb testing.TB, dc *directorytest.DC) *directory.Client {
	tb.Helper()
	c, err := directory.New(directory.Config{
		Limits: directory.Limits{PageSize: 1000, ReplyTimeout: 2 * time.Second, BindTimeout: 2 * time.Second},
		Domains: []directory.Domain{{
			DNS: dc.DNS(), NetBIOS: dc.NetBIOS(), SID: dc.SID(), Servers: []string{dc.PlainURL()}, InsecurePlain: true,
			Bind: directory.NewSimpleBind("svc-sync@"+dc.DNS(), []byte(password)),
		}},
	})
	require.NoError(tb, err)
	return c
}

// cut reads everything with a connection that ends after n bytes. Either the truth comes, or an error: never less.
func cut(tb testing.TB, dc *directorytest.DC, n int, keep bool, truth []string) (complete bool) {
	tb.Helper()
	c := plain(tb, dc)
	defer func() { _ = c.Close() }()
	dc.CutAfter(n, keep)
	got, err := everything(tb.Context(), c)
	dc.CutNever()
	if err == nil {
		require.Equal(tb, truth, got, "less than the truth after a cut at byte %d", n)
	}
	return err == nil
}

// measure reads everything once undisturbed and counts the bytes.
func measure(tb testing.TB, dc *directorytest.DC) (total int, truth []string) {
	tb.Helper()
	const plenty = 1 << 30
	c := plain(tb, dc)
	defer func() { _ = c.Close() }()
	dc.CutAfter(plenty, true)
	truth, err := everything(tb.Context(), c)
	require.NoError(tb, err)
	total = dc.Sent(plenty)
	dc.CutNever()
	return total, truth
}

func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	start := time.Now()
	total := 0
	var restarted atomic.Int64
	t.Run("bytes", func(t *testing.T) {
		for part := range 2 { // two servers with the same content share the work
			_, dc := small(t)
			n, truth := measure(t, dc)
			require.Len(t, truth, 51)
			total = n
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for n := part; n < total; n += 2 * testscale.N(29, 1) {
					require.False(t, cut(t, dc, n, true, truth), "an outage at byte %d went unnoticed", n)
					if n%10 < 4 && cut(t, dc, n, false, truth) {
						restarted.Add(1)
					}
				}
			})
		}
	})
	require.Positive(t, restarted.Load(), "no read survived a single cut")
	t.Logf("%d bytes in %v", total, time.Since(start).Round(time.Millisecond))
}

func TestCutBigRead(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	fill(dc, 2900, 90)
	total, truth := measure(t, dc)
	seed := rand.New(rand.NewPCG(1, 2))
	start := time.Now()
	for range testscale.N(8, 500) {
		require.False(t, cut(t, dc, seed.IntN(total), true, truth))
	}
	t.Logf("%d bytes, %v", total, time.Since(start).Round(time.Millisecond))
}
