package permissionset

import (
	"cmp"
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
	reason      string
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
	users, groups := map[string]bool{}, map[string]bool{}
	for _, u := range o.Users {
		users[u.ID] = true
	}
	for _, g := range o.Groups {
		groups[g.ID] = true
	}
	known := func(t PrincipalType, id string) bool {
		return cfg.ExternalPrincipals && id != "" || t == UserPrincipal && users[id] || t == GroupPrincipal && groups[id]
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
		case as.PrincipalType != UserPrincipal && as.PrincipalType != GroupPrincipal, !known(as.PrincipalType, as.PrincipalID):
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
			a.grants[p] = append(a.grants[p], grant{target: account, set: set, assignment: i, until: until, reason: as.Reason})
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
			a.tiles[p] = append(a.tiles[p], grant{target: app, set: -1, assignment: i, until: until, reason: as.Reason})
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
	out := Effective{User: u.UserName, Status: u.Status, Accounts: []AccountAccess{}}
	if out.Status == "" {
		out.Status = Enabled
	}
	if out.Status != Enabled {
		return out
	}
	hits := a.collect(a.grants, u, memberships)
	for i := 0; i < len(hits); {
		acc := &a.org.Accounts[hits[i].target]
		entry := AccountAccess{ID: acc.ID, Name: acc.Name, Email: acc.Email}
		for j := i; i < len(hits) && hits[i].target == hits[j].target; {
			set := SetAccess{Name: a.org.PermissionSets[hits[i].set].Name}
			for k := i; i < len(hits) && hits[i].target == hits[k].target && hits[i].set == hits[k].set; i++ {
				set.Via = append(set.Via, hits[i].path)
				set.Assignments = append(set.Assignments, hits[i].assignment)
			}
			entry.PermissionSets = append(entry.PermissionSets, set)
		}
		out.Accounts = append(out.Accounts, entry)
	}
	tiles := a.collect(a.tiles, u, memberships)
	for i := 0; i < len(tiles); {
		app := &a.org.Applications[tiles[i].target]
		entry := ApplicationAccess{ID: app.ID, Name: app.Name}
		for j := i; i < len(tiles) && tiles[i].target == tiles[j].target; i++ {
			entry.Via = append(entry.Via, tiles[i].path)
			entry.Assignments = append(entry.Assignments, tiles[i].assignment)
		}
		out.Applications = append(out.Applications, entry)
	}
	return out
}

// hit is a grant with the path by which the user has it.
type hit struct {
	grant
	path []string
}

// collect returns the user's grants, sorted by target, set and path.
func (a *Access) collect(grants map[principal][]grant, u User, memberships []Membership) []hit {
	var hits []hit
	now := a.now()
	add := func(p principal, groups []string) {
		gs := grants[p]
		if len(gs) == 0 {
			return
		}
		path := make([]string, 0, len(groups)+1)
		path = append(path, "user:"+u.UserName)
		for _, g := range groups {
			path = append(path, "group:"+g)
		}
		for _, g := range gs {
			if g.until.IsZero() || now.Before(g.until) {
				hits = append(hits, hit{g, path})
			}
		}
	}
	add(principal{id: u.ID}, nil)
	for _, m := range memberships {
		add(principal{group: true, id: m.GroupID}, m.Path)
	}
	slices.SortFunc(hits, func(x, y hit) int {
		return cmp.Or(a.compareTargets(x.grant, y.grant), comparePaths(x.path, y.path), cmp.Compare(x.assignment, y.assignment))
	})
	return hits
}

func (a *Access) compareTargets(x, y grant) int {
	if x.set < 0 {
		return cmp.Or(strings.Compare(a.org.Applications[x.target].ID, a.org.Applications[y.target].ID), cmp.Compare(x.target, y.target))
	}
	if x.target != y.target {
		return strings.Compare(a.org.Accounts[x.target].ID, a.org.Accounts[y.target].ID)
	}
	if x.set != y.set {
		return strings.Compare(a.org.PermissionSets[x.set].Name, a.org.PermissionSets[y.set].Name)
	}
	return 0
}

// comparePaths orders by length, then element by element in byte order.
func comparePaths(x, y []string) int {
	return cmp.Or(cmp.Compare(len(x), len(y)), slices.Compare(x, y))
}
