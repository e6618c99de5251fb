package identitystore

import (
	"cmp"
	"context"
	"maps"
	"slices"
)

// flattenBatch bounds how many users are read and written at once.
const flattenBatch = 500

// Link adds edges; those that exist already are left alone. Both ends must exist.
func (tx *Tx) Link(ctx context.Context, edges ...Edge) error {
	if len(edges) == 0 {
		return nil
	}
	if err := tx.markEdges(ctx, edges); err != nil {
		return err
	}
	if err := tx.raw.PutEdges(ctx, edges); err != nil {
		return err
	}
	for _, e := range edges {
		if f := tx.fresh[e.Child]; f != nil {
			f.parents = append(f.parents, e.Parent)
		}
	}
	return nil
}

// Unlink removes edges; those that do not exist are ignored. An edge with an empty Via stands for all kinds.
func (tx *Tx) Unlink(ctx context.Context, edges ...Edge) error {
	if len(edges) == 0 {
		return nil
	}
	if err := tx.markEdges(ctx, edges); err != nil {
		return err
	}
	for _, e := range edges {
		delete(tx.fresh, e.Child)
	}
	return tx.raw.DeleteEdges(ctx, edges)
}

// markEdges notes the users whose groups may change. A user is below a changed edge at the moment of the change if any
// of its paths begins or ceases to exist with it, so it is enough to look at each edge when it changes.
func (tx *Tx) markEdges(ctx context.Context, edges []Edge) error {
	tx.parents = nil // read again at the end
	var groups []Key
	for _, e := range edges {
		if e.ChildKind == KindUser {
			tx.dirty[e.Child] = true
		} else {
			groups = append(groups, e.Child)
		}
	}
	return tx.markBelow(ctx, groups...)
}

// markBelow notes all users below the groups.
func (tx *Tx) markBelow(ctx context.Context, groups ...Key) error {
	seen := map[Key]bool{}
	for len(groups) > 0 {
		batch := groups[:min(len(groups), flattenBatch)]
		groups = groups[len(batch):]
		for _, g := range batch {
			seen[g] = true
		}
		edges, err := tx.ChildEdges(ctx, batch)
		if err != nil {
			return err
		}
		for _, e := range edges {
			switch {
			case e.ChildKind == KindUser:
				tx.dirty[e.Child] = true
			case !seen[e.Child]:
				seen[e.Child] = true
				groups = append(groups, e.Child)
			}
		}
	}
	return nil
}

// flattenDirty brings the effective memberships of all noted users up to date.
func (tx *Tx) flattenDirty(ctx context.Context) error {
	users := slices.Sorted(maps.Keys(tx.dirty))
	for batch := range slices.Chunk(users, flattenBatch) {
		if err := tx.flatten(ctx, batch); err != nil {
			return err
		}
	}
	clear(tx.dirty)
	return nil
}

// freshUser is a user whom this transaction made: all that there is about it was written here, so that it need not be
// read again. Whatever changes it otherwise than by new edges takes it out of Tx.fresh, and it is read like any other.
type freshUser struct {
	user    *User
	parents []Key // of direct edges
}

// flatten compares, for some users, what they reach over the edges with the stored memberships. The cost is that of
// the users' groups, whatever the size of those groups.
func (tx *Tx) flatten(ctx context.Context, keys []Key) error {
	byKey, firsts := make(map[Key]*User, len(keys)), make(map[Key][]Key, len(keys))
	stored := make([]Key, 0, len(keys))
	for _, k := range keys {
		if f := tx.fresh[k]; f != nil {
			byKey[k], firsts[k] = f.user, f.parents
			delete(tx.fresh, k) // from now on it has memberships
		} else {
			stored = append(stored, k)
		}
	}
	have, err := tx.stored(ctx, stored, byKey, firsts)
	if err != nil {
		return err
	}
	if err := tx.loadParents(ctx, firsts); err != nil {
		return err
	}
	var put, del []Membership
	reached := map[Key]int{}
	for _, k := range keys {
		clear(reached)
		if u := byKey[k]; u != nil && u.Link.State != StateTombstone && (!tx.s.cfg.HideDisabled || u.Enabled()) {
			tx.reach(firsts[k], reached)
		}
		put, del = tx.compare(k, have[k], reached, put, del)
	}
	tx.name(put, byKey)
	tx.noteMemberships(put, del, have)
	if err := tx.raw.DeleteMemberships(ctx, del, tx.now); err != nil {
		return err
	}
	return tx.raw.PutMemberships(ctx, put)
}

// stored reads users with the groups that they are in directly, and returns the memberships that they have.
func (tx *Tx) stored(ctx context.Context, keys []Key, byKey map[Key]*User, firsts map[Key][]Key) (map[Key][]Membership, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	users, err := tx.Users(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		byKey[u.Key] = u
	}
	direct, err := tx.ParentEdges(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, e := range direct {
		firsts[e.Child] = append(firsts[e.Child], e.Parent)
	}
	ms, err := tx.MembershipsOfUsers(ctx, keys)
	if err != nil {
		return nil, err
	}
	have := map[Key][]Membership{}
	for _, m := range ms {
		have[m.User] = append(have[m.User], m)
	}
	return have, nil
}

// reach fills depth with the groups above a user and their distance.
func (tx *Tx) reach(first []Key, depth map[Key]int) {
	queue := make([]Key, 0, 16)
	for _, g := range first {
		if depth[g] == 0 {
			depth[g] = 1
			queue = append(queue, g)
		}
	}
	if tx.s.cfg.DirectOnly {
		return
	}
	for i := 0; i < len(queue); i++ {
		for _, e := range tx.parents[queue[i]] {
			if depth[e.Parent] == 0 {
				depth[e.Parent] = depth[queue[i]] + 1
				queue = append(queue, e.Parent)
			}
		}
	}
}

// loadParents reads the edges above all groups that users are in. Groups are read once in a transaction.
func (tx *Tx) loadParents(ctx context.Context, firsts map[Key][]Key) error {
	if tx.parents == nil {
		tx.parents, tx.groups = map[Key][]Edge{}, map[Key]*Group{}
	}
	var frontier []Key
	note := func(g Key) {
		if _, known := tx.parents[g]; !known {
			tx.parents[g] = nil
			frontier = append(frontier, g)
		}
	}
	for _, groups := range firsts {
		for _, g := range groups {
			note(g)
		}
	}
	for len(frontier) > 0 {
		batch := frontier[:min(len(frontier), flattenBatch)]
		frontier = frontier[len(batch):]
		groups, err := tx.Groups(ctx, slices.Sorted(slices.Values(batch)))
		if err != nil {
			return err
		}
		for _, g := range groups {
			tx.groups[g.Key] = g
		}
		edges, err := tx.ParentEdges(ctx, batch)
		if err != nil {
			return err
		}
		for _, e := range edges {
			tx.parents[e.Child] = append(tx.parents[e.Child], e)
			note(e.Parent)
		}
	}
	return nil
}

// compare adds the memberships of one user that are to be written, and those to be deleted.
func (tx *Tx) compare(user Key, have []Membership, depth map[Key]int, put, del []Membership) (allPut, allDel []Membership) {
	const hidden = -1
	first := len(put)
	for g := range depth { // a group that is not in scope hands its users on, but has none itself
		if known := tx.groups[g]; known == nil || known.Link.state() != StateActive {
			depth[g] = hidden
		}
	}
	for _, m := range have {
		d := depth[m.Group]
		switch {
		case d <= 0:
			del = append(del, m)
		case d != m.Depth || (d == 1) != m.Direct:
			m.Depth, m.Direct = d, d == 1
			put = append(put, m)
		}
		delete(depth, m.Group)
	}
	for g, d := range depth {
		if d == hidden {
			continue
		}
		put = append(put, Membership{Group: g, User: user, Direct: d == 1, Depth: d})
	}
	slices.SortFunc(put[first:], func(a, b Membership) int { return cmp.Compare(a.Group, b.Group) })
	return put, del
}

// name fills in the ids of new memberships.
func (tx *Tx) name(put []Membership, users map[Key]*User) {
	for i := range put {
		m := &put[i]
		if m.ID == "" {
			m.ID, m.CreatedAt, m.GroupID = tx.membershipID(), tx.now, tx.groups[m.Group].ID
		}
		m.UserID = users[m.User].ID
	}
}

// noteMemberships makes the events.
func (tx *Tx) noteMemberships(put, del []Membership, have map[Key][]Membership) {
	byUser := map[Key]*Event{}
	var order []*Event
	event := func(m Membership) *Event {
		e := byUser[m.User]
		if e == nil {
			e = &Event{Op: OpMemberships, Kind: KindUser, ID: m.UserID}
			byUser[m.User] = e
			order = append(order, e)
		}
		return e
	}
	for _, m := range put {
		if m.CreatedAt.Equal(tx.now) && !slices.ContainsFunc(have[m.User], func(h Membership) bool { return h.Group == m.Group }) {
			e := event(m)
			e.Added = append(e.Added, m.GroupID)
		}
	}
	for _, m := range del {
		e := event(m)
		e.Removed = append(e.Removed, m.GroupID)
	}
	for _, e := range order {
		tx.events = append(tx.events, *e)
	}
}
