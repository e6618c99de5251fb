package adsync

import (
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// field is one place of a stored user that a mapping can fill.
type field struct {
	path string // in the store's words
	get  func(u *identitystore.User, source string) string
	set  func(u *identitystore.User, source, value string)
}

func text(path string, at func(u *identitystore.User) *string) field {
	return field{
		path,
		func(u *identitystore.User, _ string) string { return *at(u) },
		func(u *identitystore.User, _, value string) { *at(u) = value },
	}
}

// fields returns the targets that have a place in the store.
func fields() map[string]field {
	return map[string]field{
		TargetName:          text("displayName", func(u *identitystore.User) *string { return &u.DisplayName }),
		TargetGivenName:     text("name.givenName", func(u *identitystore.User) *string { return &u.Name.GivenName }),
		TargetFamilyName:    text("name.familyName", func(u *identitystore.User) *string { return &u.Name.FamilyName }),
		TargetMiddleName:    text("name.middleName", func(u *identitystore.User) *string { return &u.Name.MiddleName }),
		"formatted":         text("name.formatted", func(u *identitystore.User) *string { return &u.Name.Formatted }),
		"title":             text("title", func(u *identitystore.User) *string { return &u.Title }),
		"nickName":          text("nickName", func(u *identitystore.User) *string { return &u.NickName }),
		"userType":          text("userType", func(u *identitystore.User) *string { return &u.UserType }),
		"preferredLanguage": text("preferredLanguage", func(u *identitystore.User) *string { return &u.PreferredLanguage }),
		"locale":            text("locale", func(u *identitystore.User) *string { return &u.Locale }),
		"timezone":          text("timezone", func(u *identitystore.User) *string { return &u.Timezone }),
		"website":           text("website", func(u *identitystore.User) *string { return &u.Website }),
		"profileUrl":        text("profileUrl", func(u *identitystore.User) *string { return &u.ProfileURL }),
		TargetEmail: {
			identitystore.MappedEmail,
			func(u *identitystore.User, _ string) string { return u.Email() },
			func(u *identitystore.User, _, value string) { u.SetEmail(value) },
		},
		TargetExternalID: {
			"externalIds",
			func(u *identitystore.User, source string) string { return u.ExternalID(source) },
			setExternalID,
		},
	}
}

func setExternalID(u *identitystore.User, source, value string) {
	u.ExternalIDs = slices.DeleteFunc(slices.Clone(u.ExternalIDs), func(e identitystore.ExternalID) bool { return e.Issuer == source })
	if value != "" {
		u.ExternalIDs = append(u.ExternalIDs, identitystore.ExternalID{Issuer: source, ID: value})
	}
}

// Paths of what is not mapped, but always synchronised.
const (
	pathUserName   = "userName"
	pathStatus     = "userStatus"
	pathGroupName  = "displayName"
	pathGUID       = "link.guid"
	pathSID        = "link.sid"
	pathSIDHistory = "link.sidHistory"
	pathDN         = "link.dn"
	pathState      = "link.state"
	pathOrigin     = "link.origin"
	pathOwned      = "link.owned"
)

// linkFields are common to users and groups.
func linkFields() map[string]func(l *identitystore.Link) *string {
	return map[string]func(l *identitystore.Link) *string{
		pathGUID:   func(l *identitystore.Link) *string { return &l.GUID },
		pathSID:    func(l *identitystore.Link) *string { return &l.SID },
		pathDN:     func(l *identitystore.Link) *string { return &l.DN },
		pathState:  func(l *identitystore.Link) *string { return (*string)(&l.State) },
		pathOrigin: func(l *identitystore.Link) *string { return (*string)(&l.Origin) },
	}
}

const listSeparator = " "

func getLink(l *identitystore.Link, out map[string]string) {
	for path, at := range linkFields() {
		out[path] = *at(l)
	}
	if out[pathState] == "" {
		out[pathState] = string(identitystore.StateActive)
	}
	out[pathSIDHistory] = strings.Join(l.SIDHistory, listSeparator)
	out[pathOwned] = strings.Join(l.Owned, listSeparator)
}

func setLink(l *identitystore.Link, path, value string) {
	switch path {
	case pathSIDHistory:
		l.SIDHistory = strings.Fields(value)
	case pathOwned:
		l.Owned = strings.Fields(value)
	default:
		if at, ok := linkFields()[path]; ok {
			*at(l) = value
		}
	}
}

// userValues returns everything of a stored user that a synchronisation may change, by path.
func (m *Mapping) userValues(u *identitystore.User, source string) map[string]string {
	out := map[string]string{pathUserName: u.UserName, pathStatus: string(u.Status)}
	if u.Status == "" {
		out[pathStatus] = string(identitystore.StatusEnabled)
	}
	all := fields()
	for target := range m.templates {
		if f, ok := all[target]; ok {
			out[f.path] = f.get(u, source)
		}
	}
	getLink(&u.Link, out)
	return out
}

func groupValues(g *identitystore.Group) map[string]string {
	out := map[string]string{pathGroupName: g.DisplayName}
	getLink(&g.Link, out)
	return out
}

// applyUser writes planned values into a copy of a stored user.
func applyUser(u *identitystore.User, source string, changes []identitystore.FieldChange) {
	all := fields()
	for _, c := range changes {
		switch c.Path {
		case pathUserName:
			u.UserName = c.New
		case pathStatus:
			u.Status = identitystore.Status(c.New)
		default:
			for _, f := range all {
				if f.path == c.Path {
					f.set(u, source, c.New)
				}
			}
			setLink(&u.Link, c.Path, c.New)
		}
	}
}

func applyGroup(g *identitystore.Group, changes []identitystore.FieldChange) {
	for _, c := range changes {
		if c.Path == pathGroupName {
			g.DisplayName = c.New
			continue
		}
		setLink(&g.Link, c.Path, c.New)
	}
}

// difference lists the paths whose values differ, in order.
func difference(old, want map[string]string) []identitystore.FieldChange {
	var out []identitystore.FieldChange
	for path, w := range want {
		if o := old[path]; o != w {
			out = append(out, identitystore.FieldChange{Path: path, Old: o, New: w})
		}
	}
	slices.SortFunc(out, func(a, b identitystore.FieldChange) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// everything lists all paths as if each had changed.
func everything(want map[string]string) []identitystore.FieldChange {
	out := make([]identitystore.FieldChange, 0, len(want))
	for path, v := range want {
		out = append(out, identitystore.FieldChange{Path: path, New: v})
	}
	return out
}
