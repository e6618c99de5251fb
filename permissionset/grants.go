package permissionset

import (
	"context"
	"errors"
)

// ErrUnknownUser is what errors.Is finds when there is no user of a name.
var ErrUnknownUser = errors.New("permissionset: unknown user")

// Grants answers what users of a [Directory] reach: an [Access] and a Directory together.
type Grants struct {
	Access    *Access
	Directory *Directory
}

// NewGrants indexes an organization that has its own users and groups.
func NewGrants(o Organization, cfg AccessConfig) *Grants {
	return &Grants{Access: NewAccess(o, cfg), Directory: NewDirectory(o.Users, o.Groups)}
}

// EffectiveAccess returns what the user with the name reaches; nested groups count.
func (g *Grants) EffectiveAccess(_ context.Context, userName string) (Effective, error) {
	u, ok := g.Directory.User(userName)
	if !ok {
		return Effective{}, ErrUnknownUser
	}
	return g.Access.Effective(u, g.Directory.Memberships(u.ID, false)), nil
}

// PermissionSet finds a permission set by name.
func (g *Grants) PermissionSet(name string) (PermissionSet, bool) {
	return g.Access.PermissionSet(name)
}
