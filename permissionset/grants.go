package permissionset

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
)

// ErrUnknownUser is what errors.Is finds when there is no user of a name.
var ErrUnknownUser = errors.New("permissionset: unknown user")

// Grants answers what users of a [Directory] reach: an [Access] and a Directory together.
type Grants struct {
	Access    *Access
	Directory *Directory

	sources []source // what each group of the directory grants, without a path
	labels  []string // "group:" and the name
}

// NewGrants indexes an organization that has its own users and groups.
func NewGrants(o Organization, cfg AccessConfig) *Grants {
	g := &Grants{Access: NewAccess(o, cfg), Directory: NewDirectory(o.Users, o.Groups)}
	g.sources, g.labels = make([]source, len(o.Groups)), make([]string, len(o.Groups))
	for i := range o.Groups {
		p := principal{true, o.Groups[i].ID}
		g.sources[i] = source{accounts: g.Access.grants[p], apps: g.Access.tiles[p]}
		g.labels[i] = "group:" + o.Groups[i].DisplayName
	}
	return g
}

// EffectiveAccess returns what the user with the name reaches; nested groups count.
func (g *Grants) EffectiveAccess(_ context.Context, userName string) (Effective, error) {
	u, ok := g.Directory.User(userName)
	if !ok {
		return Effective{}, ErrUnknownUser
	}
	return g.Effective(u), nil
}

// Effective returns what a user of the directory reaches, as [Access.Effective] does with all memberships. It makes paths
// only for groups that grant something.
func (g *Grants) Effective(u User) Effective { return g.effective(u, nil) }

func (g *Grants) effective(u User, keep func(*grant) bool) Effective {
	d := g.Directory
	i, ok := d.byID[u.ID]
	if !ok {
		return g.Access.effective(u, func(func(source) bool) {}, keep)
	}
	w := d.start()
	defer d.scratch.Put(w)
	d.reach(w, i, false)
	user := "user:" + u.UserName
	return g.Access.effective(u, func(yield func(source) bool) {
		for _, at := range w.queue {
			s := g.sources[at]
			if len(s.accounts)+len(s.apps) == 0 || keep != nil && !slices.ContainsFunc(s.accounts, func(x grant) bool { return keep(&x) }) {
				continue
			}
			n := 1
			for k := at; k >= 0; k = w.from[k] {
				n++
			}
			s.path = make([]string, n)
			s.path[0] = user
			for k := at; k >= 0; k = w.from[k] {
				n--
				s.path[n] = g.labels[k]
			}
			if !yield(s) {
				return
			}
		}
	}, keep)
}

// WhoCan asks [Access.WhoCan] about all users of the directory.
func (g *Grants) WhoCan(q WhoCanQuery) (WhoCanResult, error) {
	users := g.Directory.Users()
	slices.SortStableFunc(users, func(x, y User) int { return strings.Compare(x.UserName, y.UserName) })
	return g.Access.whoCan(func(keep func(*grant) bool) iter.Seq[Effective] {
		return func(yield func(Effective) bool) {
			for _, u := range users {
				if !yield(g.effective(u, keep)) {
					return
				}
			}
		}
	}, q)
}

// PermissionSet finds a permission set by name.
func (g *Grants) PermissionSet(name string) (PermissionSet, bool) {
	return g.Access.PermissionSet(name)
}
