package permissionset

import (
	"cmp"
	"slices"
	"sync"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// Membership says that a user is in a group, and through which groups: Path goes from the group that holds the user
// directly to GroupID itself, by display names. A direct member has a path of one.
type Membership struct {
	GroupID string
	Path    []string
}

// Directory is the users and groups of an [Organization], ready for questions. Groups may be nested to any depth and in
// cycles. It does not change and is safe for concurrent use.
type Directory struct {
	users  []User
	byID   map[string]int32
	byName map[string]int32

	groups  []Group
	groupID map[string]int32
	parents [][]int32 // groups that hold the group, by name
	direct  [][]int32 // groups that hold the user, by name

	scratch sync.Pool
}

// NewDirectory indexes users and groups. Members that name nobody are left out. Of two users with one ID the first counts.
func NewDirectory(users []User, groups []Group) *Directory {
	d := &Directory{
		users: users, groups: groups,
		byID: make(map[string]int32, len(users)), byName: make(map[string]int32, len(users)),
		groupID: make(map[string]int32, len(groups)),
		parents: make([][]int32, len(groups)), direct: make([][]int32, len(users)),
	}
	for i := range users {
		put(d.byID, users[i].ID, i)
		put(d.byName, fold.Key(users[i].UserName), i)
	}
	for i := range groups {
		put(d.groupID, groups[i].ID, i)
	}
	// Groups are visited by name, so every list of groups comes out sorted by name without sorting it.
	for _, g := range d.nameOrder() {
		for _, id := range groups[g].Groups {
			if c, ok := d.groupID[id]; ok {
				d.parents[c] = appendOnce(d.parents[c], g)
			}
		}
		for _, id := range groups[g].Users {
			if u, ok := d.byID[id]; ok {
				d.direct[u] = appendOnce(d.direct[u], g)
			}
		}
	}
	d.scratch.New = func() any { return &walk{seen: make([]uint32, len(groups)), from: make([]int32, len(groups))} }
	return d
}

func put(m map[string]int32, key string, i int) {
	if _, dup := m[key]; !dup {
		m[key] = int32(i) //nolint:gosec // the number of users and groups is far below 2^31
	}
}

// appendOnce adds g unless it is the last element; callers add one group's members together.
func appendOnce(list []int32, g int32) []int32 {
	if n := len(list); n > 0 && list[n-1] == g {
		return list
	}
	return append(list, g)
}

func (d *Directory) nameOrder() []int32 {
	order := make([]int32, 0, len(d.groups))
	for i := range d.groups {
		if g := d.groupID[d.groups[i].ID]; int(g) == i {
			order = append(order, g)
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &d.groups[a], &d.groups[b]
		return cmp.Or(cmp.Compare(x.DisplayName, y.DisplayName), cmp.Compare(x.ID, y.ID))
	})
	return order
}

// User finds a user by name, without regard to case.
func (d *Directory) User(name string) (User, bool) {
	i, ok := d.byName[fold.Key(name)]
	if !ok {
		return User{}, false
	}
	return d.users[i], true
}

// UserByID finds a user by ID.
func (d *Directory) UserByID(id string) (User, bool) {
	i, ok := d.byID[id]
	if !ok {
		return User{}, false
	}
	return d.users[i], true
}

// Users returns all users in their order.
func (d *Directory) Users() []User { return slices.Clone(d.users) }

// HasGroup reports whether there is a group with the ID.
func (d *Directory) HasGroup(id string) bool {
	_, ok := d.groupID[id]
	return ok
}

// Memberships returns every group that holds the user, directly or, unless directOnly, through nested groups. The path
// is the shortest one; of several, the smallest by the byte order of the names. Shorter paths come first.
func (d *Directory) Memberships(userID string, directOnly bool) []Membership {
	u, ok := d.byID[userID]
	if !ok {
		return nil
	}
	w := d.start()
	defer d.scratch.Put(w)
	d.reach(w, u, directOnly)
	out := make([]Membership, 0, len(w.queue))
	for _, g := range w.queue {
		out = append(out, Membership{GroupID: d.groups[g].ID, Path: d.path(w, g, nil)})
	}
	return out
}

// walk is the memory of one breadth-first search; marks carry the number of the search, so nothing is cleared.
type walk struct {
	seen  []uint32
	from  []int32
	round uint32
	queue []int32
}

func (d *Directory) start() *walk {
	w, _ := d.scratch.Get().(*walk)
	w.queue = w.queue[:0]
	if w.round++; w.round == 0 {
		clear(w.seen)
		w.round = 1
	}
	return w
}

// reach visits groups in the order of their smallest path: lists are sorted by name, so the first way to a group is the
// smallest of the shortest.
func (d *Directory) reach(w *walk, u int32, directOnly bool) {
	visit := func(g, from int32) {
		if w.seen[g] != w.round {
			w.seen[g], w.from[g] = w.round, from
			w.queue = append(w.queue, g)
		}
	}
	for _, g := range d.direct[u] {
		visit(g, -1)
	}
	for i := 0; i < len(w.queue) && !directOnly; i++ {
		for _, p := range d.parents[w.queue[i]] {
			visit(p, w.queue[i])
		}
	}
}

// path returns the names from the direct group to g.
func (d *Directory) path(w *walk, g int32, out []string) []string {
	for at := g; at >= 0; at = w.from[at] {
		out = append(out, d.groups[at].DisplayName)
	}
	slices.Reverse(out)
	return out
}

// cyclic returns the places of groups that contain themselves, in order: members of a strongly connected component of
// more than one group, or of a loop. Tarjan's algorithm with a stack of its own, since chains may be long.
func (d *Directory) cyclic() []int {
	n := len(d.groups)
	index, low, onStack := make([]int32, n), make([]int32, n), make([]bool, n)
	var stack []int32
	type frame struct{ g, next int32 }
	var frames []frame
	counter := int32(0)
	out := []int{}
	open := func(g int32) {
		counter++
		index[g], low[g], onStack[g] = counter, counter, true
		stack = append(stack, g)
		frames = append(frames, frame{g: g})
	}
	for root := range d.groups {
		if index[root] != 0 {
			continue
		}
		open(int32(root))
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			g := f.g
			if int(f.next) < len(d.parents[g]) {
				p := d.parents[g][f.next]
				f.next++
				switch {
				case index[p] == 0:
					open(p)
				case onStack[p]:
					low[g] = min(low[g], index[p])
				}
				continue
			}
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				up := frames[len(frames)-1].g
				low[up] = min(low[up], low[g])
			}
			if low[g] != index[g] {
				continue
			}
			at := len(stack) - 1
			for stack[at] != g {
				at--
			}
			part := stack[at:]
			stack = stack[:at]
			for _, m := range part {
				onStack[m] = false
				if len(part) > 1 || slices.Contains(d.parents[m], m) {
					out = append(out, int(m))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}
