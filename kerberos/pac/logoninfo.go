package pac

import (
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// Group attributes of MS-PAC 2.2.2.
const (
	GroupMandatory uint32 = 1
	GroupEnabled   uint32 = 4
	GroupDenyOnly  uint32 = 0x10
	GroupResource  uint32 = 0x20000000
)

// User flags of MS-PAC 2.5.
const (
	FlagExtraSIDs      uint32 = 0x20
	FlagResourceGroups uint32 = 0x200
)

// LogonInfo is KERB_VALIDATION_INFO (MS-PAC 2.5). Zero times mean never.
type LogonInfo struct {
	LogonTime, LogoffTime, KickOffTime                        time.Time
	PasswordLastSet, PasswordCanChange, PasswordMustChange    time.Time
	EffectiveName, FullName, LogonScript, ProfilePath         string
	HomeDirectory, HomeDrive, LogonServer, LogonDomainNetBIOS string

	LogonCount, BadPasswordCount uint16
	UserRID, PrimaryGroupRID     uint32
	Groups                       []GroupRID
	UserFlags, AccountControl    uint32
	DomainSID                    string
	ExtraSIDs                    []SIDAttributes
	ResourceDomainSID            string
	ResourceGroups               []GroupRID
}

// GroupRID is a group of a domain that the context names.
type GroupRID struct {
	RID, Attributes uint32
}

// SIDAttributes is a SID with its group attributes.
type SIDAttributes struct {
	SID        string
	Attributes uint32
}

// enabled reports whether a group counts: enabled and not for denying only.
func enabled(attributes uint32) bool {
	return attributes&GroupEnabled != 0 && attributes&GroupDenyOnly == 0
}

// UserSID returns the SID of the account.
func (l *LogonInfo) UserSID() string {
	if l.DomainSID == "" || l.UserRID == 0 {
		return "" // MS-PAC 2.5: the SID then is the first of ExtraSIDs
	}
	return sid.Join(l.DomainSID, l.UserRID)
}

// PrimaryGroupSID returns the SID of the primary group.
func (l *LogonInfo) PrimaryGroupSID() string {
	if l.DomainSID == "" || l.PrimaryGroupRID == 0 {
		return ""
	}
	return sid.Join(l.DomainSID, l.PrimaryGroupRID)
}

// SIDs returns the enabled groups of the account in the order of the PAC without duplicates: groups of the domain,
// resource groups, extra SIDs. Asserted identities and other SIDs that stand for the way of signing in (S-1-18-*,
// S-1-5-21-0-0-0-*) come apart.
func (l *LogonInfo) SIDs() (groups, extra, asserted []string) {
	seen := make(map[string]bool, len(l.Groups)+len(l.ExtraSIDs))
	add := func(to *[]string, s string, attributes uint32) {
		if s == "" || seen[s] || !enabled(attributes) {
			return
		}
		seen[s] = true
		if strings.HasPrefix(s, "S-1-18-") || strings.HasPrefix(s, "S-1-5-21-0-0-0-") {
			to = &asserted
		}
		*to = append(*to, s)
	}
	if l.DomainSID != "" {
		for _, g := range l.Groups {
			add(&groups, sid.Join(l.DomainSID, g.RID), g.Attributes)
		}
	}
	if l.UserFlags&FlagResourceGroups != 0 && l.ResourceDomainSID != "" {
		for _, g := range l.ResourceGroups {
			add(&groups, sid.Join(l.ResourceDomainSID, g.RID), g.Attributes)
		}
	}
	if l.UserFlags&FlagExtraSIDs != 0 {
		for _, e := range l.ExtraSIDs {
			add(&extra, e.SID, e.Attributes)
		}
	}
	return groups, extra, asserted
}

// heads are the pointers of the fixed part whose bodies follow it.
type heads struct {
	strings                    [8]str
	groups, domain, extra      uint32
	resourceDomain, resource   uint32
	nGroups, nExtra, nResource uint32
}

func decodeLogonInfo(b []byte) (*LogonInfo, error) {
	r := newNDR(b)
	if r.u32() == 0 {
		return nil, malformed("logon info is a null pointer")
	}
	var l LogonInfo
	h := l.fixed(r)
	l.deferred(r, h)
	if r.bad {
		return nil, malformed("logon info")
	}
	return &l, nil
}

func (l *LogonInfo) fixed(r *ndr) heads {
	var h heads
	for _, t := range []*time.Time{&l.LogonTime, &l.LogoffTime, &l.KickOffTime, &l.PasswordLastSet, &l.PasswordCanChange, &l.PasswordMustChange} {
		*t = fileTime(r.u64())
	}
	for i := range 6 {
		h.strings[i] = r.strHead()
	}
	l.LogonCount, l.BadPasswordCount = r.u16(), r.u16()
	l.UserRID, l.PrimaryGroupRID = r.u32(), r.u32()
	h.nGroups, h.groups = r.u32(), r.u32()
	l.UserFlags = r.u32()
	r.take(16) // user session key: zero in Kerberos, never read
	h.strings[6], h.strings[7] = r.strHead(), r.strHead()
	h.domain = r.u32()
	r.take(8) // reserved
	l.AccountControl = r.u32()
	r.u32() // sub-authentication status
	r.u64() // last successful and last failed interactive logon
	r.u64()
	r.u32() // failed logon count
	r.u32() // reserved
	h.nExtra, h.extra = r.u32(), r.u32()
	h.resourceDomain, h.nResource, h.resource = r.u32(), r.u32(), r.u32()
	return h
}

func (l *LogonInfo) deferred(r *ndr, h heads) {
	for i, s := range []*string{&l.EffectiveName, &l.FullName, &l.LogonScript, &l.ProfilePath, &l.HomeDirectory, &l.HomeDrive} {
		*s = r.strBody(h.strings[i])
	}
	l.Groups = readGroups(r, h.groups, h.nGroups)
	l.LogonServer, l.LogonDomainNetBIOS = r.strBody(h.strings[6]), r.strBody(h.strings[7])
	l.DomainSID = r.sid(h.domain)
	if h.extra != 0 {
		n := r.count(h.nExtra, 8)
		ptrs := make([]uint32, n)
		l.ExtraSIDs = make([]SIDAttributes, n)
		for i := range n {
			ptrs[i], l.ExtraSIDs[i].Attributes = r.u32(), r.u32()
		}
		for i := range n {
			l.ExtraSIDs[i].SID = r.sid(ptrs[i])
		}
	}
	l.ResourceDomainSID = r.sid(h.resourceDomain)
	l.ResourceGroups = readGroups(r, h.resource, h.nResource)
}

func readGroups(r *ndr, ptr, want uint32) []GroupRID {
	if ptr == 0 {
		return nil
	}
	out := make([]GroupRID, r.count(want, 8))
	for i := range out {
		out[i] = GroupRID{r.u32(), r.u32()}
	}
	return out
}

// Delegation is S4U_DELEGATION_INFO (MS-PAC 2.9): the services that a ticket went through.
type Delegation struct {
	Target  string
	Transit []string
}

func decodeDelegation(b []byte) (*Delegation, error) {
	r := newNDR(b)
	if r.u32() == 0 {
		return nil, malformed("delegation info is a null pointer")
	}
	target := r.strHead()
	n, ptr := r.u32(), r.u32()
	d := &Delegation{Target: r.strBody(target)}
	if ptr != 0 {
		heads := make([]str, r.count(n, 8))
		for i := range heads {
			heads[i] = r.strHead()
		}
		for _, h := range heads {
			d.Transit = append(d.Transit, r.strBody(h))
		}
	}
	if r.bad {
		return nil, malformed("delegation info")
	}
	return d, nil
}
