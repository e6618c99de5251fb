package identitystore

import "slices"

// MappedValue is the value that a source gives to one attribute. A nil Value means that the source has none: the
// attribute is cleared, unless Fill says that what is there stays.
type MappedValue struct {
	Path  string // one of the Mapped... paths
	Value *string
	Fill  bool
}

// The attributes that a mapping may write. Nothing else of a record is touched.
const (
	MappedUserName    = "userName"
	MappedDisplayName = "displayName"
	MappedEmail       = "emails.value" // the primary address
	MappedGivenName   = "name.givenName"
	MappedFamilyName  = "name.familyName"
	MappedMiddleName  = "name.middleName"
	MappedFormatted   = "name.formatted"
	MappedNickName    = "nickName"
	MappedTitle       = "title"
	MappedUserType    = "userType"
	MappedLanguage    = "preferredLanguage"
	MappedLocale      = "locale"
	MappedTimezone    = "timezone"
	MappedWebsite     = "website"
	MappedProfileURL  = "profileUrl"
)

// field returns where the value of a mapped path is kept; nil for the e-mail address and for unknown paths.
func (u *User) field(path string) *string {
	switch path {
	case MappedUserName:
		return &u.UserName
	case MappedDisplayName:
		return &u.DisplayName
	case MappedGivenName:
		return &u.Name.GivenName
	case MappedFamilyName:
		return &u.Name.FamilyName
	case MappedMiddleName:
		return &u.Name.MiddleName
	case MappedFormatted:
		return &u.Name.Formatted
	case MappedNickName:
		return &u.NickName
	case MappedTitle:
		return &u.Title
	case MappedUserType:
		return &u.UserType
	case MappedLanguage:
		return &u.PreferredLanguage
	case MappedLocale:
		return &u.Locale
	case MappedTimezone:
		return &u.Timezone
	case MappedWebsite:
		return &u.Website
	case MappedProfileURL:
		return &u.ProfileURL
	}
	return nil
}

// CheckMappedPath returns an error for a path that a mapping cannot write.
func CheckMappedPath(path string) error {
	if path == MappedEmail || new(User).field(path) != nil {
		return nil
	}
	return invalid(path, ReasonPath, "cannot be mapped")
}

// ApplyMapped writes the mapped attributes into the user and notes that the source owns them (Link.Owned). A user name
// is never cleared. It returns the paths whose value changed.
func ApplyMapped(u *User, mapped []MappedValue) ([]string, error) {
	var changed []string
	for _, m := range mapped {
		if err := CheckMappedPath(m.Path); err != nil {
			return nil, err
		}
		if !slices.Contains(u.Link.Owned, m.Path) {
			u.Link.Owned = append(slices.Clone(u.Link.Owned), m.Path)
			slices.Sort(u.Link.Owned)
		}
		if m.Value == nil && (m.Fill || m.Path == MappedUserName) {
			continue
		}
		value := ""
		if m.Value != nil {
			value = *m.Value
		}
		if f := u.field(m.Path); f != nil {
			if *f != value {
				*f = value
				changed = append(changed, m.Path)
			}
			continue
		}
		if u.Email() != value {
			u.SetEmail(value)
			changed = append(changed, m.Path)
		}
	}
	return changed, nil
}

// MappedAttribute returns the value of a mapped path, "" when it has none.
func (u *User) MappedAttribute(path string) string {
	if f := u.field(path); f != nil {
		return *f
	}
	if path == MappedEmail {
		return u.Email()
	}
	return ""
}
