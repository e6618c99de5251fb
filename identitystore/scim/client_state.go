package scim

import (
	"context"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// PushUser is a user as a service should have it. An empty field takes the value away there, but an empty ExternalID and
// UserName, and what profile [AWS] requires, are left as they are.
type PushUser struct {
	UserName, ExternalID, DisplayName, GivenName, FamilyName, Email string
	Active                                                          bool
	// More holds further attributes by path (title, name.middleName, ...); a path that is not there is left alone.
	More map[string]string
}

// PushGroup is a group as a service should have it. Members are user names.
type PushGroup struct {
	DisplayName, ExternalID string
	Members                 []string
}

// State is what a service should hold.
type State struct {
	Users  []PushUser
	Groups []PushGroup
}

// Paths of users that a push knows, in the words of [identitystore.Plan], in the order in which they are sent.
const (
	pathUserName   = "userName"
	pathName       = "displayName"
	pathGiven      = "name.givenName"
	pathFamily     = "name.familyName"
	pathExternalID = "externalIds"
	pathEmail      = "emails.value"
	pathStatus     = "userStatus"
)

var pushPaths = []string{ //nolint:gochecknoglobals // never changes
	pathUserName, pathName, pathExternalID, pathGiven, pathFamily, "name.middleName", "name.formatted", "name.honorificPrefix", "name.honorificSuffix",
	"nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone", pathEmail, pathStatus,
}

// values returns the user by path. Paths without a value are there: the service should have none either.
func (u *PushUser) values(p Profile) map[string]string {
	out := map[string]string{
		pathUserName: u.UserName, pathName: u.DisplayName, pathExternalID: u.ExternalID, pathGiven: u.GivenName, pathFamily: u.FamilyName,
		pathEmail: u.Email, pathStatus: string(identitystore.StatusEnabled),
	}
	if !u.Active {
		out[pathStatus] = string(identitystore.StatusDisabled)
	}
	for path, v := range u.More {
		if _, own := out[path]; !own {
			out[path] = v
		}
	}
	for _, path := range []string{pathUserName, pathExternalID} {
		if out[path] == "" {
			delete(out, path)
		}
	}
	if p == AWS {
		for _, path := range []string{pathName, pathGiven, pathFamily} {
			if out[path] == "" {
				delete(out, path)
			}
		}
	}
	return out
}

// StateOf reads the state from a store: groups with their effective members. External ids are the directory's object
// GUIDs, else what the issuer gave, else the store's own ids: all of them survive a change of name.
func StateOf(ctx context.Context, svc *identitystore.Service, issuer string) (State, error) {
	var out State
	err := svc.View(ctx, func(r identitystore.Reader) error {
		out = State{}
		names := map[identitystore.Key]string{}
		for after := ""; ; {
			us, err := r.ListUsers(ctx, after, chunkSize)
			if err != nil {
				return err
			}
			for _, u := range us {
				names[u.Key] = u.UserName
				out.Users = append(out.Users, pushUser(u, issuer))
				after = u.ID
			}
			if len(us) < chunkSize {
				break
			}
		}
		return out.readGroups(ctx, r, names, issuer)
	})
	return out, err
}

func pushUser(u *identitystore.User, issuer string) PushUser {
	return PushUser{
		UserName: u.UserName, ExternalID: sourceID(u.Link.GUID, u.ExternalIDs, issuer, u.ID), DisplayName: u.DisplayName,
		GivenName: u.Name.GivenName, FamilyName: u.Name.FamilyName, Email: u.Email(), Active: u.Enabled(),
		More: map[string]string{
			"name.middleName": u.Name.MiddleName, "name.formatted": u.Name.Formatted, "name.honorificPrefix": u.Name.HonorificPrefix,
			"name.honorificSuffix": u.Name.HonorificSuffix, "nickName": u.NickName, "profileUrl": u.ProfileURL, "title": u.Title,
			"userType": u.UserType, "preferredLanguage": u.PreferredLanguage, "locale": u.Locale, "timezone": u.Timezone,
		},
	}
}

func sourceID(guid string, ids []identitystore.ExternalID, issuer, id string) string {
	if guid != "" {
		return guid
	}
	if ext := externalID(ids, issuer); ext != "" {
		return ext
	}
	return id
}

// guidKey returns a plan's key if it is an objectGUID: other keys are names, which change.
func guidKey(key string) string {
	if _, err := sid.GUIDBytes(key); err != nil {
		return ""
	}
	return key
}

func (s *State) readGroups(ctx context.Context, r identitystore.Reader, names map[identitystore.Key]string, issuer string) error {
	for after := ""; ; {
		gs, err := r.ListGroups(ctx, after, chunkSize)
		if err != nil {
			return err
		}
		for _, g := range gs {
			pg := PushGroup{DisplayName: g.DisplayName, ExternalID: sourceID(g.Link.GUID, g.ExternalIDs, issuer+"/groups", g.ID)}
			for from := identitystore.Key(0); ; {
				ms, err := r.Members(ctx, g.Key, from, chunkSize)
				if err != nil {
					return err
				}
				for _, m := range ms {
					pg.Members = append(pg.Members, names[m.User])
					from = m.User
				}
				if len(ms) < chunkSize {
					break
				}
			}
			s.Groups = append(s.Groups, pg)
			after = g.ID
		}
		if len(gs) < chunkSize {
			return nil
		}
	}
}
