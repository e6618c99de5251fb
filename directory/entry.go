package directory

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// A Kind tells classes of objects apart by what they are to an identity store.
type Kind string

// Kinds of objects.
const (
	KindUser     Kind = "user"     // user and inetOrgPerson
	KindGroup    Kind = "group"    // of any scope, security or distribution
	KindComputer Kind = "computer" // workstation, server, domain controller
	KindManaged  Kind = "managed"  // managed service account, group managed or not
	KindTrust    Kind = "trust"    // account of a trust to another domain
	KindContact  Kind = "contact"
	KindForeign  Kind = "foreign" // foreign security principal
	KindOU       Kind = "ou"      // organizational unit, container, domain
	KindOther    Kind = "other"
)

// An Entry is one object as it was read. GUID is its key; DN changes with renames and moves. Entries are not changed after
// they were handed out; slices and maps that the methods return are the caller's.
type Entry struct {
	DN         string
	GUID       string // objectGUID, canonical text
	SID        string // objectSid, canonical text; "" when there is none
	Kind       Kind
	Domain     string // DNS name of the configured domain
	Server     string // URL of the server that answered
	USNChanged int64  // number of that server only
	Deleted    bool   // tombstone or recycled object

	ad     bool // read from an Active Directory
	attrs  *attributes
	packed string // in place of attrs.list, see pack
}

// attributes are one entry's own, or what all packed entries of a client share.
type attributes struct {
	list  []attribute
	names *nameTable // of packed; nil for an entry that is not packed
}

type attribute struct {
	name   string
	values [][]byte
}

// core attributes are asked for with every search: they make the fields above.
func coreAttributes() []string {
	return []string{
		"objectGUID", "objectSid", "objectClass", "uSNChanged", "userAccountControl", "groupType", "sAMAccountName",
		"userPrincipalName", "isDeleted", "isRecycled",
	}
}

// Has reports whether the attribute came with at least one value.
func (e *Entry) Has(attribute string) bool { return len(e.values(attribute)) > 0 }

// list returns the attributes of an entry that is not packed.
func (e *Entry) list() []attribute {
	if e.attrs == nil {
		return nil
	}
	return e.attrs.list
}

func (e *Entry) values(attribute string) [][]byte {
	for _, a := range e.list() {
		if strings.EqualFold(a.name, attribute) {
			return a.values
		}
	}
	var out [][]byte
	for _, v := range e.unpack(attribute, -1) {
		out = append(out, []byte(v))
	}
	return out
}

// Attributes returns the names of all attributes that came, in the server's order.
func (e *Entry) Attributes() []string {
	out := make([]string, 0, len(e.list()))
	for _, a := range e.list() {
		out = append(out, a.name)
	}
	return append(out, e.unpackNames()...)
}

// String returns the first value as text, "" when there is none.
func (e *Entry) String(attribute string) string {
	for _, a := range e.list() {
		if strings.EqualFold(a.name, attribute) && len(a.values) > 0 {
			return string(a.values[0])
		}
	}
	if v := e.unpack(attribute, 1); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Strings returns all values as text, in the server's order.
func (e *Entry) Strings(attribute string) []string {
	var out []string
	for _, v := range e.values(attribute) {
		out = append(out, string(v))
	}
	return out
}

// Bytes returns a copy of the first value.
func (e *Entry) Bytes(attribute string) []byte {
	if v := e.values(attribute); len(v) > 0 {
		return slices.Clone(v[0])
	}
	return nil
}

// Int returns the first value as a decimal number.
func (e *Entry) Int(attribute string) (int64, bool) {
	n, err := strconv.ParseInt(e.String(attribute), 10, 64)
	return n, err == nil
}

// Time returns the first value as an instant: GeneralizedTime or FILETIME. ok is false when there is none, when it means
// "never", or when it is neither.
func (e *Entry) Time(attribute string) (t time.Time, ok bool) {
	v := e.String(attribute)
	if t, err := ParseGeneralizedTime(v); err == nil {
		return t, true
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return FromFileTime(n)
}

// AccountControl returns userAccountControl, 0 when it did not come.
func (e *Entry) AccountControl() AccountControl {
	n, _ := e.Int("userAccountControl")
	return AccountControl(uint32(n)) //nolint:gosec // a signed 32-bit number on the wire
}

// GroupType returns groupType, 0 when it did not come.
func (e *Entry) GroupType() GroupType {
	n, _ := e.Int("groupType")
	return GroupType(uint32(n)) //nolint:gosec // a signed 32-bit number on the wire
}

// Disabled reports whether userAccountControl has the disabled bit.
func (e *Entry) Disabled() bool { return e.AccountControl().Has(Disabled) }

// UserName returns the user principal name, or sAMAccountName@dns.domain when there is none, or "".
func (e *Entry) UserName() string {
	if upn := e.String("userPrincipalName"); upn != "" {
		return upn
	}
	return e.GroupName()
}

// GroupName returns sAMAccountName@dns.domain, or "" without a sAMAccountName.
func (e *Entry) GroupName() string {
	sam := e.String("sAMAccountName")
	if sam == "" {
		return ""
	}
	return sam + "@" + e.Domain
}

// newEntry decodes one search result. A result without a usable key gives the entry as far as it is known and an ObjectError.
func newEntry(raw ldapwire.SearchEntry, c *conn) (*Entry, error) {
	e := &Entry{DN: raw.DN, Domain: c.server.dom.cfg.DNS, Server: c.server.ep.url, attrs: attributesOf(raw), ad: c.info.ActiveDirectory}
	if x, err := ParseExtendedDN(raw.DN); err == nil && x.DN != "" {
		e.DN = x.DN
	}
	e.Kind = e.kind()
	e.USNChanged, _ = e.Int("uSNChanged")
	e.Deleted = strings.EqualFold(e.String("isDeleted"), "TRUE")
	var err error
	if c.info.ActiveDirectory {
		e.GUID, err = sid.GUIDFromBytes(e.Bytes("objectGUID"))
	} else {
		e.GUID, err = guidOf(e.String("entryUUID"))
	}
	if err != nil {
		e.GUID = ""
		return e, &ObjectError{DN: e.DN, Reason: "no usable objectGUID"}
	}
	if raw := e.values("objectSid"); len(raw) > 0 {
		if e.SID, err = sid.FromBytes(raw[0]); err != nil {
			return e, &ObjectError{DN: e.DN, GUID: e.GUID, Reason: "malformed objectSid"}
		}
	}
	for _, name := range []string{"objectGUID", "objectSid", "sAMAccountName", "userPrincipalName", "uSNChanged"} {
		if len(e.values(name)) > 1 {
			return e, &ObjectError{DN: e.DN, GUID: e.GUID, Reason: "several values of " + name}
		}
	}
	return e, nil
}

func (e *Entry) kind() Kind {
	has := func(class string) bool {
		return slices.ContainsFunc(e.values("objectClass"), func(v []byte) bool { return strings.EqualFold(string(v), class) })
	}
	uac := e.AccountControl()
	switch { // the most special class first: a computer is a user too, a managed account is a computer too
	case has("msDS-GroupManagedServiceAccount"), has("msDS-ManagedServiceAccount"), has("msDS-DelegatedManagedServiceAccount"):
		return KindManaged
	case has("computer"):
		return KindComputer
	case has("foreignSecurityPrincipal"):
		return KindForeign
	case has("group"), has("groupOfNames"):
		return KindGroup
	case has("user"), has("inetOrgPerson"):
		if uac.Has(InterdomainTrust) {
			return KindTrust
		}
		if uac.Has(WorkstationTrust) || uac.Has(ServerTrust) {
			return KindComputer
		}
		return KindUser
	case has("contact"):
		return KindContact
	case has("organizationalUnit"), has("container"), has("builtinDomain"), has("domainDNS"), has("dcObject"):
		return KindOU
	}
	return KindOther
}

func guidFromBytes(b []byte) (string, error) { return sid.GUIDFromBytes(b) }
