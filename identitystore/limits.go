package identitystore

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// Limits says how long values may be and which are refused. Zero means no limit; the package's own sets are
// [LimitsAWS] and [LimitsWide]. U+0000 and text that is not UTF-8 are refused by every set.
type Limits struct {
	UserName      int  // characters
	StrictName    bool // only letters, marks, symbols, numbers and punctuation in user names: no space
	ReservedNames []string
	Text          int // characters of every other attribute
	Single        int // elements of emails, phone numbers, addresses, roles
	Photos        int
	ExternalIDs   int
	ExternalID    int // characters of issuer and id
	Extensions    int // extension keys
	Operations    int // of one update
	Page          int // largest and default page
	Users         int // quota
	Groups        int // quota
	UniqueEmail   bool
}

// LimitsAWS returns the published limits of AWS IAM Identity Center's identity store.
func LimitsAWS() Limits {
	return Limits{
		UserName: 128, StrictName: true, ReservedNames: []string{"Administrator", "AWSAdministrators"}, Text: 1024, Single: 1, Photos: 3,
		ExternalIDs: 10, ExternalID: 256, Extensions: 10, Operations: 100, Page: 100, Users: 100_000, Groups: 100_000, UniqueEmail: true,
	}
}

// LimitsWide returns limits that only keep storage safe.
func LimitsWide() Limits {
	return Limits{
		UserName: 1024, Text: 1 << 20, Single: 1000, Photos: 1000, ExternalIDs: 100, ExternalID: 4096, Extensions: 100,
		Operations: 1000, Page: 1000,
	}
}

// checker collects problems.
type checker struct {
	limits   Limits
	problems []Problem
}

func (c *checker) add(path string, reason ErrorReason, message string) {
	c.problems = append(c.problems, Problem{path, reason, message})
}

func (c *checker) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	return &ValidationError{c.problems}
}

func (c *checker) text(path, s string, limit int) {
	switch {
	case !utf8.ValidString(s):
		c.add(path, ReasonCharacter, "is not UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		c.add(path, ReasonCharacter, "holds U+0000")
	case limit > 0 && utf8.RuneCountInString(s) > limit:
		c.add(path, ReasonTooLong, fmt.Sprintf("is longer than %d characters", limit))
	}
}

func (c *checker) count(path string, n, limit int) {
	if limit > 0 && n > limit {
		c.add(path, ReasonTooMany, fmt.Sprintf("has more than %d elements", limit))
	}
}

// CheckUser returns a [*ValidationError] with everything that the limits refuse in u, or nil.
func (l Limits) CheckUser(u *User) error {
	c := &checker{limits: l}
	c.userName(u.UserName)
	for path, s := range map[string]*string{
		"name.formatted": &u.Name.Formatted, "name.familyName": &u.Name.FamilyName, "name.givenName": &u.Name.GivenName,
		"name.middleName": &u.Name.MiddleName, "name.honorificPrefix": &u.Name.HonorificPrefix, "name.honorificSuffix": &u.Name.HonorificSuffix,
		"displayName": &u.DisplayName, "nickName": &u.NickName, "profileUrl": &u.ProfileURL, "userType": &u.UserType, "title": &u.Title,
		"preferredLanguage": &u.PreferredLanguage, "locale": &u.Locale, "timezone": &u.Timezone, "website": &u.Website, "birthdate": &u.Birthdate,
	} {
		c.text(path, *s, l.Text)
	}
	c.values("emails", u.Emails, l.Single)
	c.values("phoneNumbers", u.PhoneNumbers, l.Single)
	c.values("roles", u.Roles, l.Single)
	c.values("photos", u.Photos, l.Photos)
	c.values("ims", u.IMs, l.Single)
	c.values("entitlements", u.Entitlements, l.Single)
	c.values("x509Certificates", u.Certificates, l.Single)
	c.count("addresses", len(u.Addresses), l.Single)
	for _, a := range u.Addresses {
		for _, s := range []string{a.Formatted, a.StreetAddress, a.Locality, a.Region, a.PostalCode, a.Country, a.Type} {
			c.text("addresses", s, l.Text)
		}
	}
	if u.Status != "" && u.Status != StatusEnabled && u.Status != StatusDisabled {
		c.add("userStatus", ReasonForm, "is neither ENABLED nor DISABLED")
	}
	c.externalIDs(u.ExternalIDs)
	c.count("extensions", len(u.Extensions), l.Extensions)
	for k, v := range u.Extensions {
		c.text("extensions", k, l.Text)
		c.text("extensions", string(v), l.Text*16)
	}
	slices.SortFunc(c.problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return c.err()
}

// CheckGroup returns a [*ValidationError] with everything that the limits refuse in g, or nil.
func (l Limits) CheckGroup(g *Group) error {
	c := &checker{limits: l}
	if g.DisplayName == "" {
		c.add("displayName", ReasonRequired, "is required")
	}
	c.text("displayName", g.DisplayName, l.Text)
	c.reserved("displayName", g.DisplayName)
	c.text("description", g.Description, l.Text)
	c.externalIDs(g.ExternalIDs)
	return c.err()
}

func (c *checker) userName(s string) {
	if s == "" {
		c.add("userName", ReasonRequired, "is required")
		return
	}
	c.text("userName", s, c.limits.UserName)
	c.reserved("userName", s)
	if !c.limits.StrictName {
		return
	}
	for _, r := range s {
		if r != 0 && !unicode.In(r, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P) {
			c.add("userName", ReasonCharacter, "holds a character that is no letter, mark, symbol, number or punctuation")
			return
		}
	}
}

func (c *checker) reserved(path, s string) {
	if slices.ContainsFunc(c.limits.ReservedNames, func(r string) bool { return fold.Equal(r, s) }) {
		c.add(path, ReasonReserved, "is a reserved name")
	}
}

func (c *checker) values(path string, list []MultiValue, limit int) {
	c.count(path, len(list), limit)
	primaries := 0
	for _, v := range list {
		c.text(path, v.Value, c.limits.Text)
		c.text(path, v.Display, c.limits.Text)
		c.text(path, v.Type, c.limits.Text)
		if v.Primary {
			primaries++
		}
	}
	if primaries > 1 {
		c.add(path, ReasonForm, "has more than one primary element")
	}
}

func (c *checker) externalIDs(list []ExternalID) {
	c.count("externalIds", len(list), c.limits.ExternalIDs)
	seen := map[ExternalID]bool{}
	for _, e := range list {
		if e.Issuer == "" || e.ID == "" {
			c.add("externalIds", ReasonRequired, "needs issuer and id")
		}
		c.text("externalIds", e.Issuer, c.limits.ExternalID)
		c.text("externalIds", e.ID, c.limits.ExternalID)
		if seen[e] {
			c.add("externalIds", ReasonForm, "holds the same id twice")
		}
		seen[e] = true
	}
}
