package permissionset

import (
	"cmp"
	"slices"
	"time"
)

// Change says what happened to the access of one user to one account with one set.
type Change string

// The changes.
const (
	Gained  Change = "gained"
	Lost    Change = "lost"
	Changed Change = "changed" // the set's policies are others
)

// Cause says why.
type Cause string

// The causes.
const (
	CauseAssignment Cause = "assignment" // an assignment came or went
	CauseMembership Cause = "membership" // the user came into a group or left one, or groups were nested otherwise
	CauseStatus     Cause = "status"     // the user was enabled, disabled, created or deleted
	CauseExpired    Cause = "expired"    // an assignment ended
	CausePolicy     Cause = "policy"     // the permission set itself
)

// AccessChange is one difference between two states.
type AccessChange struct {
	User          string     `json:"user"`
	Account       string     `json:"account"`
	PermissionSet string     `json:"permissionSet"`
	Change        Change     `json:"change"`
	Cause         Cause      `json:"cause"`
	Before        [][]string `json:"before"` // paths
	After         [][]string `json:"after"`
}

// Snapshot is an organization at a time.
type Snapshot struct {
	Organization Organization
	At           time.Time // when assignments that end are looked at
}

type heldKey struct{ user, account, set string }

type snapshotIndex struct {
	g    *Grants
	held map[heldKey]SetAccess
	keys map[assignmentKey]Assignment
}

func indexSnapshot(s Snapshot) *snapshotIndex {
	x := &snapshotIndex{
		g:    NewGrants(s.Organization, AccessConfig{Now: func() time.Time { return s.At }}),
		held: map[heldKey]SetAccess{}, keys: map[assignmentKey]Assignment{},
	}
	for _, p := range x.g.Directory.People(false) {
		for _, acc := range x.g.Access.Effective(p.User, p.Memberships).Accounts {
			for _, set := range acc.PermissionSets {
				x.held[heldKey{p.User.ID, acc.ID, set.Name}] = set
			}
		}
	}
	for _, a := range s.Organization.Assignments {
		x.keys[assignmentKey{a.PermissionSet, a.TargetID, a.PrincipalType, a.PrincipalID}] = a
	}
	return x
}

// DiffAccess says who gained, lost or changed what between two snapshots, and why. Users are the same when their IDs are.
func DiffAccess(before, after Snapshot) []AccessChange {
	x, y := indexSnapshot(before), indexSnapshot(after)
	out := []AccessChange{}
	for k, now := range y.held {
		was, had := x.held[k]
		switch {
		case !had:
			out = append(out, AccessChange{y.userName(k.user), k.account, k.set, Gained, cause(x, y, k.user, now), [][]string{}, now.Via})
		case policyChanged(x, y, k.set):
			out = append(out, AccessChange{y.userName(k.user), k.account, k.set, Changed, CausePolicy, was.Via, now.Via})
		}
	}
	for k, was := range x.held {
		if _, has := y.held[k]; !has {
			out = append(out, AccessChange{x.userName(k.user), k.account, k.set, Lost, cause(y, x, k.user, was), was.Via, [][]string{}})
		}
	}
	slices.SortFunc(out, func(a, b AccessChange) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Account, b.Account), cmp.Compare(a.PermissionSet, b.PermissionSet))
	})
	return out
}

func (x *snapshotIndex) userName(id string) string {
	u, _ := x.g.Directory.UserByID(id)
	return u.UserName
}

// cause looks in the state without the access for what the state with it has.
func cause(without, with *snapshotIndex, user string, held SetAccess) Cause {
	u, ok := without.g.Directory.UserByID(user)
	if !ok || u.Status != "" && u.Status != Enabled {
		return CauseStatus
	}
	for _, i := range held.Assignments {
		a := with.g.Access.org.Assignments[i]
		other, ok := without.keys[assignmentKey{a.PermissionSet, a.TargetID, a.PrincipalType, a.PrincipalID}]
		switch {
		case !ok:
			return CauseAssignment
		case other.NotAfter != "" && !without.g.Access.live(other):
			return CauseExpired
		}
	}
	return CauseMembership
}

// live reports whether an assignment has not ended.
func (a *Access) live(as Assignment) bool {
	end, err := time.Parse(time.RFC3339, as.NotAfter)
	return as.NotAfter == "" || err == nil && a.now().Before(end)
}

func policyChanged(x, y *snapshotIndex, set string) bool {
	a, ok1 := x.g.Access.PermissionSet(set)
	b, ok2 := y.g.Access.PermissionSet(set)
	return ok1 && ok2 && (len(policySteps(&a, &b)) > 0 || !sameDuration(a.SessionDuration, b.SessionDuration))
}
