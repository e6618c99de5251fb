package permissionset

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// Access answers who may enter which account with which permission set. It does not change and is safe for concurrent use.
type Access struct {
	org      Organization
	now      func() time.Time
	accounts map[string]int
	sets     map[string]int
	apps     map[string]int
	grants   map[principal][]grant
	tiles    map[principal][]grant
	warnings []Problem

	accountRank, setRank, appRank []uint32 // places in the order of IDs and names
}

// AccessConfig configures an [Access]. The zero value is fine.
type AccessConfig struct {
	Now func() time.Time // for assignments that end; nil means the system clock
	// ExternalPrincipals says that users and groups live in another store: assignments to principals that are not in the
	// organization's own lists count too.
	ExternalPrincipals bool
}

type principal struct {
	group bool
	id    string
}

// grant is one assignment, to an account or to an application.
type grant struct {
	target, set int // places; set is -1 for an application
	assignment  int
	until       time.Time // zero: never ends
}

// NewAccess indexes an organization. Assignments that name an unknown account, set, application or principal grant
// nothing and stand in [Access.Warnings].
func NewAccess(o Organization, cfg AccessConfig) *Access {
	a := &Access{
		org: o, now: clock.Or(cfg.Now), accounts: map[string]int{}, sets: map[string]int{}, apps: map[string]int{},
		grants: map[principal][]grant{}, tiles: map[principal][]grant{},
	}
	for i, x := range o.Accounts {
		first(a.accounts, x.ID, i)
	}
	for i, x := range o.PermissionSets {
		first(a.sets, x.Name, i)
	}
	for i, x := range o.Applications {
		first(a.apps, x.ID, i)
	}
	a.accountRank = ranks(o.Accounts, func(x *Account) string { return x.ID })
	a.setRank = ranks(o.PermissionSets, func(x *PermissionSet) string { return x.Name })
	a.appRank = ranks(o.Applications, func(x *Application) string { return x.ID })
	users, groups := map[string]bool{}, map[string]bool{}
	for _, u := range o.Users {
		users[u.ID] = true
	}
	for _, g := range o.Groups {
		groups[g.ID] = true
	}
	known := func(t PrincipalType, id string) bool {
		switch t {
		case UserPrincipal:
			return cfg.ExternalPrincipals && id != "" || users[id]
		case GroupPrincipal:
			return cfg.ExternalPrincipals && id != "" || groups[id]
		default:
			return false
		}
	}
	a.index(known)
	a.indexApplications(known)
	return a
}

func first(m map[string]int, key string, i int) {
	if _, dup := m[key]; !dup {
		m[key] = i
	}
}

func (a *Access) warn(path, code, msg string) {
	a.warnings = append(a.warnings, Problem{Path: path, Code: code, Message: msg})
}

func (a *Access) index(known func(PrincipalType, string) bool) {
	seen := make(map[Assignment]bool, len(a.org.Assignments))
	for i, as := range a.org.Assignments {
		path := "/assignments/" + strconv.Itoa(i)
		account, ok1 := a.accounts[as.TargetID]
		set, ok2 := a.sets[as.PermissionSet]
		switch {
		case !known(as.PrincipalType, as.PrincipalID):
			a.warn(path, "unknown", "the principal is unknown; the assignment grants nothing")
			continue
		case !ok1:
			a.warn(path, "unknown", "the account is unknown; the assignment grants nothing")
			continue
		case !ok2:
			a.warn(path, "unknown", "the permission set is unknown; the assignment grants nothing")
			continue
		}
		until, ok := a.until(as.NotAfter, path)
		if key := as; ok {
			key.Reason = ""
			if seen[key] { // assignments are a set
				continue
			}
			seen[key] = true
			p := principal{as.PrincipalType == GroupPrincipal, as.PrincipalID}
			a.grants[p] = append(a.grants[p], grant{target: account, set: set, assignment: i, until: until})
		}
	}
}

func (a *Access) indexApplications(known func(PrincipalType, string) bool) {
	for i, as := range a.org.ApplicationAssignments {
		path := "/applicationAssignments/" + strconv.Itoa(i)
		app, ok := a.apps[as.Application]
		if !ok || !known(as.PrincipalType, as.PrincipalID) {
			a.warn(path, "unknown", "the principal or the application is unknown; the assignment grants nothing")
			continue
		}
		if until, ok := a.until(as.NotAfter, path); ok {
			p := principal{as.PrincipalType == GroupPrincipal, as.PrincipalID}
			a.tiles[p] = append(a.tiles[p], grant{target: app, set: -1, assignment: i, until: until})
		}
	}
}

// until reads the end of an assignment. One that cannot be read counts as ended: access must not outlive a typing error.
func (a *Access) until(text, path string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, true
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		a.warn(path, "pattern", "notAfter is no RFC 3339 time; the assignment grants nothing")
		return time.Time{}, false
	}
	if !a.now().Before(t) {
		a.warn(path, "expired", "ended at "+text+"; the assignment grants nothing")
	}
	return t, true
}

// Organization returns what the Access was made from. Do not change what it refers to.
func (a *Access) Organization() Organization { return a.org }

// Account finds an account by ID.
func (a *Access) Account(id string) (Account, bool) {
	i, ok := a.accounts[id]
	if !ok {
		return Account{}, false
	}
	return a.org.Accounts[i], true
}

// PermissionSet finds a permission set by name.
func (a *Access) PermissionSet(name string) (PermissionSet, bool) {
	i, ok := a.sets[name]
	if !ok {
		return PermissionSet{}, false
	}
	return a.org.PermissionSets[i], true
}

// ApplicationByEntityID finds the application that is a relying party of the identity provider.
func (a *Access) ApplicationByEntityID(entityID string) (Application, bool) {
	for _, app := range a.org.Applications {
		if app.SAMLEntityID == entityID && entityID != "" {
			return app, true
		}
	}
	return Application{}, false
}

// Warnings returns the assignments that grant nothing and why.
func (a *Access) Warnings() []Problem { return slices.Clone(a.warnings) }

// Effective is what one user reaches.
type Effective struct {
	User         string              `json:"user"` // userName as stored
	Status       UserStatus          `json:"status"`
	Accounts     []AccountAccess     `json:"accounts"`               // by account ID
	Applications []ApplicationAccess `json:"applications,omitempty"` // by ID
}

// AccountAccess is one account that a user reaches.
type AccountAccess struct {
	ID             string      `json:"id"`
	Name           string      `json:"name"`
	Email          string      `json:"email"`
	PermissionSets []SetAccess `json:"permissionSets"` // by name, in byte order
}

// SetAccess is one permission set that a user holds in an account.
type SetAccess struct {
	Name string `json:"name"`
	// Via has one path for each assignment: "user:alice", then the groups from the innermost to the assigned one.
	Via [][]string `json:"via"`
	// Assignments holds the place of the assignment of each path in the organization's list.
	Assignments []int `json:"-"`
}

// ApplicationAccess is one application that a user may open.
type ApplicationAccess struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Via         [][]string `json:"via"`
	Assignments []int      `json:"-"` // places in the list of application assignments
}

// Effective returns what a user reaches directly and through the given memberships; a disabled user reaches nothing.
func (a *Access) Effective(u User, memberships []Membership) Effective {
	return a.effective(u, a.sources(u, sorted(memberships)), nil)
}

// sorted returns memberships in the order of their paths.
func sorted(memberships []Membership) []Membership {
	byPath := func(x, y Membership) int { return comparePaths(x.Path, y.Path) }
	if !slices.IsSortedFunc(memberships, byPath) {
		memberships = slices.Clone(memberships)
		slices.SortStableFunc(memberships, byPath)
	}
	return memberships
}

// sources returns what the memberships grant, with paths.
func (a *Access) sources(u User, memberships []Membership) iter.Seq[source] {
	return func(yield func(source) bool) {
		for _, m := range memberships {
			s := source{accounts: a.grants[principal{true, m.GroupID}], apps: a.tiles[principal{true, m.GroupID}]}
			if len(s.accounts)+len(s.apps) == 0 {
				continue
			}
			s.path = make([]string, 0, len(m.Path)+1)
			s.path = append(s.path, "user:"+u.UserName)
			for _, g := range m.Path {
				s.path = append(s.path, "group:"+g)
			}
			if !yield(s) {
				return
			}
		}
	}
}

// source is what one group grants, with the path from the user to it.
type source struct {
	accounts, apps []grant
	path           []string
}

// effective takes the groups in the order of their paths, which then need not be compared any more. keep, when not nil,
// says which account grants are wanted.
func (a *Access) effective(u User, groups iter.Seq[source], keep func(*grant) bool) Effective {
	out := Effective{User: u.UserName, Status: u.Status, Accounts: []AccountAccess{}}
	if out.Status == "" {
		out.Status = Enabled
	}
	if out.Status != Enabled {
		return out
	}
	now := a.now()
	var accounts, apps hits
	add := func(s source) {
		accounts.add(a, s.accounts, s.path, now, keep)
		apps.add(a, s.apps, s.path, now, nil)
	}
	self := principal{id: u.ID}
	add(source{a.grants[self], a.tiles[self], []string{"user:" + u.UserName}})
	for s := range groups {
		add(s)
	}
	accounts.sort()
	apps.sort()
	out.Accounts = a.accountList(&accounts)
	out.Applications = a.applicationList(&apps)
	return out
}

// hits are the grants of one user; order sorts them by target and set, then by path.
type hits struct {
	list  []hit
	order []hitKey
}

type hit struct {
	grant *grant
	path  []string
}

type hitKey struct {
	rank uint64 // of the target, and of the set below it
	at   int
}

func (h *hits) add(a *Access, grants []grant, path []string, now time.Time, keep func(*grant) bool) {
	for i := range grants {
		g := &grants[i]
		if !g.until.IsZero() && !now.Before(g.until) || keep != nil && !keep(g) {
			continue
		}
		h.order = append(h.order, hitKey{a.rank(g), len(h.list)})
		h.list = append(h.list, hit{g, path})
	}
}

func (h *hits) sort() {
	slices.SortFunc(h.order, func(x, y hitKey) int { return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(x.at, y.at)) })
}

// rank orders grants as their targets and sets are ordered by ID and name.
func (a *Access) rank(g *grant) uint64 {
	if g.set < 0 {
		return uint64(a.appRank[g.target])
	}
	return uint64(a.accountRank[g.target])<<32 | uint64(a.setRank[g.set])
}

// ranks returns the place of each element when the list is sorted by key.
func ranks[T any](list []T, key func(*T) string) []uint32 {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return strings.Compare(key(&list[x]), key(&list[y])) })
	out := make([]uint32, len(list))
	for place, i := range order {
		out[i] = uint32(place)
	}
	return out
}

// accountList groups sorted hits. One array holds all sets of a user, and one all paths: their parts are what is returned.
func (a *Access) accountList(h *hits) []AccountAccess {
	nAccounts, nSets := 0, 0
	for i, k := range h.order {
		if i == 0 || k.rank>>32 != h.order[i-1].rank>>32 {
			nAccounts++
		}
		if i == 0 || k.rank != h.order[i-1].rank {
			nSets++
		}
	}
	accounts, sets := make([]AccountAccess, 0, nAccounts), make([]SetAccess, 0, nSets)
	via, places := make([][]string, 0, len(h.order)), make([]int, 0, len(h.order))
	for i := 0; i < len(h.order); {
		acc := &a.org.Accounts[h.list[h.order[i].at].grant.target]
		firstSet := len(sets)
		for target := h.order[i].rank >> 32; i < len(h.order) && h.order[i].rank>>32 == target; {
			from := len(via)
			rank := h.order[i].rank
			set := &a.org.PermissionSets[h.list[h.order[i].at].grant.set]
			for ; i < len(h.order) && h.order[i].rank == rank; i++ {
				x := &h.list[h.order[i].at]
				via, places = append(via, x.path), append(places, x.grant.assignment)
			}
			sets = append(sets, SetAccess{Name: set.Name, Via: via[from:len(via):len(via)], Assignments: places[from:len(places):len(places)]})
		}
		accounts = append(accounts, AccountAccess{ID: acc.ID, Name: acc.Name, Email: acc.Email, PermissionSets: sets[firstSet:len(sets):len(sets)]})
	}
	return accounts
}

func (a *Access) applicationList(h *hits) []ApplicationAccess {
	var out []ApplicationAccess
	for i := 0; i < len(h.order); {
		app := &a.org.Applications[h.list[h.order[i].at].grant.target]
		entry := ApplicationAccess{ID: app.ID, Name: app.Name}
		for rank := h.order[i].rank; i < len(h.order) && h.order[i].rank == rank; i++ {
			x := &h.list[h.order[i].at]
			entry.Via, entry.Assignments = append(entry.Via, x.path), append(entry.Assignments, x.grant.assignment)
		}
		out = append(out, entry)
	}
	return out
}

// comparePaths orders by length, then element by element in byte order.
func comparePaths(x, y []string) int {
	return cmp.Or(cmp.Compare(len(x), len(y)), slices.Compare(x, y))
}
