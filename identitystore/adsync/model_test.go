package adsync_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// history drives one world at random and compares it, after each run, with what a naive reading of the forest says.
type history struct {
	*world
	r             *rand.Rand
	users, groups []string
	ids           map[string]string // by GUID: what the store called the object first
	names         int
}

// TestRandomHistories is the model-based test: random forests, random changes, faults in between.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	for seed := range testscale.N(150, 5000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := &history{world: newWorld(t), r: rand.New(rand.NewPCG(uint64(seed), 7)), ids: map[string]string{}}
			h.cfg.Guard = identitystore.Guard{Exact: true, MaxRemovals: 1 << 30}
			for range 6 {
				h.users = append(h.users, h.newUser())
				h.groups = append(h.groups, h.newGroup())
			}
			for range 25 {
				for range 1 + h.r.IntN(6) {
					h.change()
				}
				h.step()
			}
		})
	}
}

func (h *history) name() string {
	h.names++
	return fmt.Sprintf("n%d", h.names)
}

func (h *history) newUser() string  { return h.user(h.name()) }
func (h *history) newGroup() string { return h.group(h.name()) }

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// change changes the directory, or the scope, or lets somebody sign in.
func (h *history) change() {
	r := h.r
	u, g, g2 := pick(r, h.users), pick(r, h.groups), pick(r, h.groups)
	switch r.IntN(18) {
	case 0:
		h.users = append(h.users, h.newUser())
	case 1:
		h.groups = append(h.groups, h.newGroup())
	case 2, 3, 4, 5:
		if h.objects[g] != nil && h.objects[u] != nil {
			h.put(g, u)
		}
	case 6, 7, 8:
		if h.objects[g] != nil && h.objects[g2] != nil {
			h.put(g, g2)
		}
	case 9:
		if m := slices.Sorted(maps.Keys(h.members[g])); len(m) > 0 {
			h.take(g, pick(r, m))
		}
	case 10:
		if r.IntN(3) == 0 && h.objects[u] != nil {
			h.remove(u)
		}
	case 11:
		if r.IntN(4) == 0 && h.objects[g] != nil {
			h.remove(g)
		}
	case 12:
		if o := h.objects[u]; o != nil {
			o.Name = h.name() + "@corp.example.test"
			o.Attributes["email"], o.Disabled = o.Name, r.IntN(2) == 0
		}
	case 13:
		h.signIn(u)
	case 14, 15:
		if bin := slices.Sorted(maps.Keys(h.bin)); len(bin) > 0 {
			h.restore(pick(r, bin))
		}
	default:
		var scope []string
		for range r.IntN(4) {
			scope = append(scope, pick(r, h.groups), pick(r, h.users))
		}
		h.assign(scope...)
	}
}

func (h *history) signIn(u string) {
	o := h.objects[u]
	if o == nil || o.Disabled {
		return
	}
	_, err := h.svc.SignIn(h.t.Context(), identitystore.SignIn{Source: adsync.DefaultSource, GUID: u, SID: o.SID, UserName: o.Name, Create: true})
	if err != nil { // an older record may still have the name
		require.ErrorIs(h.t, err, identitystore.ErrConflict)
	}
}

// step runs once, perhaps with a fault, and checks.
func (h *history) step() {
	seq := h.lastSeq()
	switch h.r.IntN(6) {
	case 0:
		h.fail = errors.New("cut")
	case 1:
		h.failAsk = errors.New("cut")
	}
	h.shuffle, h.twice = h.r.IntN(2) == 0, h.r.IntN(3) == 0
	res, err := h.engine().Run(h.t.Context(), h.scope, "")
	if errors.Is(err, identitystore.ErrHeld) { // nothing of the last run is in scope any more
		require.True(h.t, res.Plan.FoundNone)
		require.Equal(h.t, seq, h.lastSeq())
		res, err = h.engine().Run(h.t.Context(), h.scope, res.PlanHash)
	}
	if err != nil {
		require.True(h.t, h.fail != nil || h.failAsk != nil, err)
		require.Equal(h.t, seq, h.lastSeq(), "a failed run changes nothing")
		h.fail, h.failAsk = nil, nil
		return
	}
	h.fail, h.failAsk = nil, nil
	h.compare(res)
	again, err := h.engine().Run(h.t.Context(), h.scope, "")
	require.NoError(h.t, err)
	require.Equal(h.t, adsync.StateUnchanged, again.State, "the same input again")
}

// compare holds the store against the forest: I2, I4, I6, I7, I10, I11.
func (h *history) compare(res adsync.Result) {
	skipped := map[string]bool{}
	for _, d := range res.Plan.Decisions {
		if d.Reason != "" && d.Outcome == "skipped" {
			skipped[d.Key] = true
		}
	}
	reach := h.reachable()
	total := 0
	for guid := range h.all() {
		u := h.record(guid)
		if u == nil {
			require.False(h.t, reach[guid] && !skipped[guid], "an object in scope is not stored")
			continue
		}
		if h.ids[guid] == "" {
			h.ids[guid] = u.ID
		}
		require.Equal(h.t, h.ids[guid], u.ID, "an id is for ever")
		if u.Link.State == identitystore.StateTombstone {
			require.True(h.t, h.objects[guid] == nil || h.restored[guid], "only what is deleted there is deleted here")
			require.False(h.t, reach[guid] && !skipped[guid], "who is restored and in scope is back")
			continue
		}
		want := []string{}
		if reach[guid] && !skipped[guid] {
			require.True(h.t, u.Link.InScope())
			require.Equal(h.t, h.objects[guid].Disabled, u.Status == identitystore.StatusDisabled)
			want = h.naiveGroups(guid, reach)
		} else {
			require.False(h.t, u.Link.InScope())
		}
		got := h.groupGUIDs(u)
		require.Equal(h.t, want, got)
		total += len(got)
	}
	require.Equal(h.t, total, h.counts().Memberships)
}

func (h *history) all() map[string]bool {
	out := map[string]bool{}
	for _, u := range h.users {
		out[u] = true
	}
	return out
}

// reachable is what the scope reaches, as a child would compute it.
func (h *history) reachable() map[string]bool {
	out := map[string]bool{}
	for _, p := range h.scope.Principals {
		if o := h.find(p); o != nil {
			out[o.GUID] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for g, children := range h.members {
			for c := range children {
				if out[g] && !out[c] && h.objects[c] != nil {
					out[c], grown = true, true
				}
			}
		}
	}
	return out
}

// naiveGroups lists "guid depth" of all groups in scope above a user.
func (h *history) naiveGroups(user string, reach map[string]bool) []string {
	depth := map[string]int{user: 0}
	for d := 0; ; d++ {
		found := false
		for g, children := range h.members {
			for c := range children {
				if dc, ok := depth[c]; ok && dc == d && reach[g] {
					if _, known := depth[g]; !known {
						depth[g], found = d+1, true
					}
				}
			}
		}
		if !found {
			break
		}
	}
	delete(depth, user)
	out := []string{}
	for g, d := range depth {
		out = append(out, fmt.Sprint(g, " ", d))
	}
	slices.Sort(out)
	return out
}

func (h *history) groupGUIDs(u *identitystore.User) []string {
	r := h.svc.Reader()
	ms, err := r.MembershipsOf(h.t.Context(), u.Key, 0, 1000)
	require.NoError(h.t, err)
	out := []string{}
	for _, m := range ms {
		g, err := r.GroupByID(h.t.Context(), m.GroupID)
		require.NoError(h.t, err)
		out = append(out, fmt.Sprint(g.Link.GUID, " ", m.Depth))
	}
	slices.Sort(out)
	return out
}
