package identitystore

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Key is the number of a user or group inside one store. It never leaves the program: what others see is the ID.
type Key int64

// Kind tells users from groups.
type Kind string

// The kinds of principal.
const (
	KindUser  Kind = "user"
	KindGroup Kind = "group"
)

// Status says whether a user may be used.
type Status string

// The states of a user.
const (
	StatusEnabled  Status = "ENABLED"
	StatusDisabled Status = "DISABLED"
)

// Origin says who brought a record in.
type Origin string

// The origins of users, groups and memberships.
const (
	OriginSync   Origin = "sync"   // read from a directory
	OriginJIT    Origin = "jit"    // created at a sign-in
	OriginSCIM   Origin = "scim"   // pushed by an identity provider
	OriginCSV    Origin = "csv"    // imported from a file
	OriginManual Origin = "manual" // entered by hand or by an API call
)

// State is a record's place in the life of a synchronised object.
type State string

// The states of a [Link]. A tombstone is invisible to every verb; it keeps the id of a deleted object for the day on
// which the directory restores it.
const (
	StateActive    State = "active"
	StateUnscoped  State = "unscoped" // known, but not in the scope of synchronisation: no memberships
	StateTombstone State = "tombstone"
)

// Link joins a record to the object that it stands for in its source. The zero value is a record without a source.
type Link struct {
	Source     string    `json:"source,omitempty"`
	GUID       string    `json:"guid,omitempty"` // objectGUID: the key that survives rename and move
	SID        string    `json:"sid,omitempty"`
	SIDHistory []string  `json:"sidHistory,omitempty"`
	DN         string    `json:"dn,omitempty"`
	Origin     Origin    `json:"origin,omitempty"`
	State      State     `json:"state,omitempty"` // "" means active
	Reason     string    `json:"reason,omitempty"`
	Owned      []string  `json:"owned,omitempty"` // attribute paths that only the source may write
	LastRun    string    `json:"lastRun,omitempty"`
	LastSeen   time.Time `json:"lastSeen,omitzero"`
	LastSignIn time.Time `json:"lastSignIn,omitzero"`
}

// InScope reports whether the object is one that synchronisation keeps up to date.
func (l *Link) InScope() bool {
	return l.Origin == OriginSync && (l.State == "" || l.State == StateActive)
}

// Owns reports whether the attribute path, or one above or below it, belongs to the source.
func (l *Link) Owns(path string) bool {
	return slices.ContainsFunc(l.Owned, func(o string) bool { return related(o, path) })
}

// Name holds the parts of a person's name.
type Name struct {
	Formatted       string `json:"formatted,omitempty"`
	FamilyName      string `json:"familyName,omitempty"`
	GivenName       string `json:"givenName,omitempty"`
	MiddleName      string `json:"middleName,omitempty"`
	HonorificPrefix string `json:"honorificPrefix,omitempty"`
	HonorificSuffix string `json:"honorificSuffix,omitempty"`
}

// MultiValue is one element of a list such as emails.
type MultiValue struct {
	Value   string `json:"value,omitempty"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// Address is a postal address.
type Address struct {
	Formatted     string `json:"formatted,omitempty"`
	StreetAddress string `json:"streetAddress,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postalCode,omitempty"`
	Country       string `json:"country,omitempty"`
	Type          string `json:"type,omitempty"`
	Primary       bool   `json:"primary,omitempty"`
}

// ExternalID is a name that another system, the issuer, has given to the record.
type ExternalID struct {
	Issuer string `json:"issuer"`
	ID     string `json:"id"`
}

// User is a person. Values that a [Reader] returns are shared: use [User.Clone] before changing one.
type User struct {
	Key               Key                        `json:"-"`
	ID                string                     `json:"id"`
	UserName          string                     `json:"userName"`
	Name              Name                       `json:"name,omitzero"`
	DisplayName       string                     `json:"displayName,omitempty"`
	NickName          string                     `json:"nickName,omitempty"`
	ProfileURL        string                     `json:"profileUrl,omitempty"`
	Emails            []MultiValue               `json:"emails,omitempty"`
	PhoneNumbers      []MultiValue               `json:"phoneNumbers,omitempty"`
	Addresses         []Address                  `json:"addresses,omitempty"`
	Roles             []MultiValue               `json:"roles,omitempty"`
	Photos            []MultiValue               `json:"photos,omitempty"`
	IMs               []MultiValue               `json:"ims,omitempty"`
	Entitlements      []MultiValue               `json:"entitlements,omitempty"`
	Certificates      []MultiValue               `json:"x509Certificates,omitempty"`
	UserType          string                     `json:"userType,omitempty"`
	Title             string                     `json:"title,omitempty"`
	PreferredLanguage string                     `json:"preferredLanguage,omitempty"`
	Locale            string                     `json:"locale,omitempty"`
	Timezone          string                     `json:"timezone,omitempty"`
	Website           string                     `json:"website,omitempty"`
	Birthdate         string                     `json:"birthdate,omitempty"`
	Status            Status                     `json:"userStatus,omitempty"` // "" means enabled
	ExternalIDs       []ExternalID               `json:"externalIds,omitempty"`
	Extensions        map[string]json.RawMessage `json:"extensions,omitempty"`
	Audit
	Link Link `json:"link,omitzero"`
}

// Audit says when and by whom a record was written, and how often.
type Audit struct {
	CreatedAt time.Time `json:"createdAt,omitzero"`
	CreatedBy string    `json:"createdBy,omitempty"`
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
	UpdatedBy string    `json:"updatedBy,omitempty"`
	Rev       int64     `json:"rev,omitempty"`
}

// Revision returns an opaque text that changes exactly when the visible content of the record changes.
func (a *Audit) Revision() string { return strconv.FormatInt(a.Rev, 10) }

// Enabled reports whether the user may be used: enabled, and not deleted.
func (u *User) Enabled() bool { return u.Status != StatusDisabled && u.Link.State != StateTombstone }

// Email returns the primary e-mail address, or the first, or "".
func (u *User) Email() string {
	for _, e := range u.Emails {
		if e.Primary {
			return e.Value
		}
	}
	if len(u.Emails) > 0 {
		return u.Emails[0].Value
	}
	return ""
}

// ExternalID returns the id that the issuer has given to the user, or "".
func (u *User) ExternalID(issuer string) string { return externalID(u.ExternalIDs, issuer) }

// SetEmail makes value the primary e-mail address; "" removes it. Other addresses stay.
func (u *User) SetEmail(value string) {
	i := slices.IndexFunc(u.Emails, func(e MultiValue) bool { return e.Primary })
	if i < 0 && len(u.Emails) > 0 {
		i = 0
	}
	list := slices.Clone(u.Emails)
	switch {
	case value == "" && i >= 0:
		list = slices.Delete(list, i, i+1)
	case value == "":
	case i >= 0:
		list[i].Value, list[i].Primary = value, true
	default:
		list = append(list, MultiValue{Value: value, Type: "work", Primary: true})
	}
	u.Emails = list
}

// Clone returns a copy that shares nothing that could be changed.
func (u *User) Clone() *User {
	c := *u
	c.Emails, c.PhoneNumbers, c.Addresses = slices.Clone(u.Emails), slices.Clone(u.PhoneNumbers), slices.Clone(u.Addresses)
	c.Roles, c.Photos, c.IMs = slices.Clone(u.Roles), slices.Clone(u.Photos), slices.Clone(u.IMs)
	c.Entitlements, c.Certificates = slices.Clone(u.Entitlements), slices.Clone(u.Certificates)
	c.ExternalIDs, c.Extensions = slices.Clone(u.ExternalIDs), maps.Clone(u.Extensions)
	c.Link = u.Link.clone()
	return &c
}

func (l *Link) clone() Link {
	c := *l
	c.SIDHistory, c.Owned = slices.Clone(l.SIDHistory), slices.Clone(l.Owned)
	return c
}

// Group is a set of users and, through edges, of other groups.
type Group struct {
	Key         Key          `json:"-"`
	ID          string       `json:"id"`
	DisplayName string       `json:"displayName"`
	Description string       `json:"description,omitempty"`
	ExternalIDs []ExternalID `json:"externalIds,omitempty"`
	Audit
	Link Link `json:"link,omitzero"`
}

// Clone returns a copy that shares nothing that could be changed.
func (g *Group) Clone() *Group {
	c := *g
	c.ExternalIDs, c.Link = slices.Clone(g.ExternalIDs), g.Link.clone()
	return &c
}

// ExternalID returns the id that the issuer has given to the group, or "".
func (g *Group) ExternalID(issuer string) string { return externalID(g.ExternalIDs, issuer) }

func externalID(list []ExternalID, issuer string) string {
	for _, e := range list {
		if e.Issuer == issuer {
			return e.ID
		}
	}
	return ""
}

// Via says which statement makes an edge. An edge of each kind can exist between the same two records.
type Via string

// The kinds of edge.
const (
	ViaMember  Via = "member"  // the directory's member attribute
	ViaPrimary Via = "primary" // primaryGroupID
	ViaForeign Via = "foreign" // a foreign security principal
	ViaSCIM    Via = "scim"
	ViaCSV     Via = "csv"
	ViaManual  Via = "manual"
)

// Edge says that Child, a user or a group, is a direct member of the group Parent.
type Edge struct {
	Parent, Child Key
	Via           Via
	ChildKind     Kind
}

// Membership is one effective membership: the user reaches the group, directly or through other groups.
type Membership struct {
	ID        string
	Group     Key
	User      Key
	GroupID   string
	UserID    string
	Direct    bool
	Depth     int // number of edges on a shortest path
	CreatedAt time.Time
}

// Ref names a record of either kind.
type Ref struct {
	Key  Key
	Kind Kind
	ID   string
}

// Counts says how much a tenant holds. Tombstones are not counted.
type Counts struct{ Users, Groups, Memberships, Edges int }

// Tenant is one identity store: nothing crosses from one to another.
type Tenant struct {
	ID   string // "d-" and ten hexadecimal digits, or a UUID
	Name string
}

// DefaultTenant is the tenant of programs that have only one.
const DefaultTenant = "d-0000000001"
