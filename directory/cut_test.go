package directory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// TestCutServer: the cuts below are played from a tape; here a server makes them, at some bytes.
func TestCutServer(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	total, truth := measure(t, dc)
	require.Len(t, truth, 51)
	restarted := 0
	for n := 0; n < total; n += testscale.N(397, 97) {
		require.False(t, cut(t, dc, n, true, truth), "an outage at byte %d went unnoticed", n)
		if cut(t, dc, n, false, truth) {
			restarted++
		}
	}
	require.Positive(t, restarted, "no read survived a single cut")
}

// cutAll plays a tape with a cut at each of the positions, by two workers. With the server gone the read must fail, unless
// all of it had come; with the server back, which is tried at two in every so many positions, what comes must be the truth.
func cutAll(t *testing.T, dc *directorytest.DC, tp *tape, positions []int, again int, truth []string, read func(context.Context, *directory.Client) ([]string, error)) {
	t.Helper()
	var restarted atomic.Int64
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			for i := worker; i < len(positions) && !t.Failed(); i += 2 {
				n := positions[i]
				var got []string
				run := func(c *directory.Client) (err error) { got, err = read(t.Context(), c); return err }
				err := tp.cutAt(t, dc, n, true, run)
				if n < tp.size() && err == nil {
					t.Errorf("an outage at byte %d went unnoticed", n)
				}
				if err == nil && !slices.Equal(truth, got) || err != nil && got != nil {
					t.Errorf("less than the truth after a cut at byte %d", n)
				}
				if i%again > 1 { // the second kind of cut costs a whole read more
					continue
				}
				switch err := tp.cutAt(t, dc, n, false, run); {
				case err == nil && !slices.Equal(truth, got):
					t.Errorf("less than the truth after a cut at byte %d and a new start", n)
				case err == nil:
					restarted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.Positive(t, restarted.Load(), "no read survived a single cut")
}

// every returns 0, step, 2*step ... and n.
func every(n, step int) (out []int) {
	for i := 0; i < n; i += step {
		out = append(out, i)
	}
	return append(out, n)
}

// recordAll records the full read of the suites.
func recordAll(t *testing.T, dc *directorytest.DC) (tp *tape, truth []string) {
	t.Helper()
	tp = record(t, dc, func(c *directory.Client) {
		var err error
		truth, err = everything(t.Context(), c)
		require.NoError(t, err)
	})
	return tp, truth
}

func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	tp, truth := recordAll(t, dc)
	require.Len(t, truth, 51)
	start := time.Now()
	positions := every(tp.size(), testscale.N(23, 1))
	cutAll(t, dc, tp, positions, 10, truth, everything)
	t.Logf("%d bytes, %d cuts, %v", tp.size(), len(positions), time.Since(start).Round(time.Millisecond))
}

// TestCutBigRead: 3,000 objects, with several pages in each answer and several parts in each long member list. The messages'
// boundaries are those of the pages and of the parts too.
func TestCutBigRead(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{MaxPageSize: 60, MaxValRange: 400, Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	fill(dc, 2900, 90)
	tp, truth := recordAll(t, dc)
	all := tp.boundaries()
	require.Greater(t, len(all), 3_000)
	require.Greater(t, len(tp.steps), 80, "pages and ranges")
	start := time.Now()
	seed := rand.New(rand.NewPCG(1, 2))
	var positions []int
	for i := seed.IntN(testscale.N(150, 1)); i < len(all); i += testscale.N(150, 1) {
		positions = append(positions, all[i])
	}
	for range testscale.N(10, 500) {
		positions = append(positions, seed.IntN(tp.size()))
	}
	cutAll(t, dc, tp, positions, 100, truth, everything)
	t.Logf("%d bytes, %d messages, %d requests, %d cuts, %v", tp.size(), len(all)-1, len(tp.steps), len(positions), time.Since(start).Round(time.Millisecond))
}

// TestCutChanges: for every kind of change, in both ways to read changes: the whole delta or an error, and a cursor only
// with the whole delta.
func TestCutChanges(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(dc *directorytest.DC, ou, gone *directorytest.Object){
		"nothing": func(*directorytest.DC, *directorytest.Object, *directorytest.Object) {},
		"create": func(dc *directorytest.DC, _, _ *directorytest.Object) {
			dc.AddUser(directorytest.User{Name: "new", Mail: "new@example.com"})
		},
		"create group": func(dc *directorytest.DC, _, _ *directorytest.Object) {
			dc.AddMember(dc.AddGroup(directorytest.Group{Name: "new"}), dc.Find("u1"))
		},
		"modify": func(dc *directorytest.DC, _, _ *directorytest.Object) {
			dc.Set(dc.Find("u1"), "mail", "changed@example.com")
		},
		"clear":         func(dc *directorytest.DC, _, _ *directorytest.Object) { dc.Set(dc.Find("u1"), "mail") },
		"disable":       func(dc *directorytest.DC, _, _ *directorytest.Object) { dc.Disable(dc.Find("u1"), true) },
		"rename":        func(dc *directorytest.DC, _, _ *directorytest.Object) { dc.Rename(dc.Find("u1"), "Renamed, User") },
		"rename OU":     func(dc *directorytest.DC, ou, _ *directorytest.Object) { dc.Rename(ou, "Staff") },
		"move":          func(dc *directorytest.DC, _, _ *directorytest.Object) { dc.Move(dc.Find("u1"), "Elsewhere") },
		"add member":    func(dc *directorytest.DC, _, _ *directorytest.Object) { dc.AddMember(dc.Find("g0"), dc.Find("u1")) },
		"remove member": func(dc *directorytest.DC, _, _ *directorytest.Object) { dc.RemoveMember(dc.Find("all"), dc.Find("u0")) },
		"primary group": func(dc *directorytest.DC, _, _ *directorytest.Object) {
			dc.SetPrimaryGroup(dc.Find("u1"), dc.Find("g0"))
		},
		"delete":       func(dc *directorytest.DC, _, _ *directorytest.Object) { dc.Delete(dc.Find("u0")) },
		"delete group": func(dc *directorytest.DC, _, _ *directorytest.Object) { dc.Delete(dc.Find("g2")) },
		"restore":      func(dc *directorytest.DC, _, gone *directorytest.Object) { dc.Restore(gone) },
		"recycle":      func(dc *directorytest.DC, _, gone *directorytest.Object) { dc.Recycle(gone) },
		"many":         func(dc *directorytest.DC, _, _ *directorytest.Object) { fill2(dc) },
	} {
		for mode, label := range map[directory.ChangeMode]string{directory.ByUSN: "uSNChanged", directory.DirSync: "DirSync"} {
			t.Run(name+" "+label, func(t *testing.T) {
				t.Parallel()
				_, dc := small(t)
				dc.AllowReplication(dc.Find("svc-sync"))
				ou := dc.AddOU("People")
				gone := dc.AddUser(directorytest.User{Name: "gone", OU: "People"})
				dc.AddMember(dc.Find("g1"), gone)
				dc.Delete(gone)
				q := directory.ChangeQuery{
					Mode: mode, Filter: directory.Or(classes, directory.Eq("objectClass", "organizationalUnit")),
					Attributes: []string{"mail", "member", "name", "parentGUID"},
				}
				quiet := plain(t, dc)
				defer func() { _ = quiet.Close() }()
				_, cursor, err := quiet.Changes(t.Context(), q, directory.Cursor{})
				require.NoError(t, err)
				do(dc, ou, gone)
				read := func(ctx context.Context, c *directory.Client) ([]string, error) {
					set, next, err := c.Changes(ctx, q, cursor)
					if err != nil {
						if set != nil || !next.IsZero() {
							return nil, nil // a part of an answer: taken for an answer, which is less than the truth
						}
						return nil, err
					}
					return append(deltaText(set), "a cursor: "+strconv.FormatBool(!next.IsZero())), nil
				}
				var truth []string
				tp := record(t, dc, func(c *directory.Client) {
					var err error
					truth, err = read(t.Context(), c)
					require.NoError(t, err)
				})
				require.Equal(t, name == "nothing", len(truth) == 1, truth)
				positions := append(every(tp.size(), testscale.N(211, 1)), tp.boundaries()...)
				cutAll(t, dc, tp, positions, 10, truth, read)
			})
		}
	}
}

// fill2 changes enough for several pages.
func fill2(dc *directorytest.DC) {
	for i := range 15 {
		u := dc.Find(fmt.Sprintf("u%d", i))
		dc.Set(u, "mail", "x@example.com")
		dc.AddMember(dc.Find("g3"), u)
	}
	dc.Delete(dc.Find("u7"))
}

// deltaText writes a change set in a form that can be compared.
func deltaText(set *directory.ChangeSet) (out []string) {
	entry := func(e *directory.Entry) string {
		var s strings.Builder
		fmt.Fprint(&s, e.GUID, e.DN, e.SID, e.Kind, e.Deleted)
		for _, a := range e.Attributes() {
			fmt.Fprint(&s, a, e.Strings(a))
		}
		return s.String()
	}
	for _, ch := range set.Changed {
		out = append(out, fmt.Sprint("changed ", entry(ch.Entry), ch.Whole, ch.Cleared))
	}
	for _, l := range set.Links {
		out = append(out, fmt.Sprint("links ", l))
	}
	for _, e := range set.Deleted {
		out = append(out, "deleted "+entry(e))
	}
	return out
}
