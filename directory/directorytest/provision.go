package directorytest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// A User says how [DC.AddUser] makes an account. Name is required.
type User struct {
	Name string // sAMAccountName

	CN          string // "" means Name
	OU          string // DN of the container, or the name of an OU below the root; "" means CN=Users
	UPN         string // "" means Name@dns; "-" means none
	Password    string // "" means that nobody can bind as this user
	GivenName   string
	Surname     string
	Initials    string
	DisplayName string
	Mail        string
	Class       string // "user" (default), "inetOrgPerson", "computer", "contact", "msDS-GroupManagedServiceAccount"
	RID         uint32 // 0 means the next one

	Disabled           bool
	PasswordMustChange bool
	PasswordNeverEnds  bool
	AccountExpires     time.Time // zero means never
	PasswordLastSet    time.Time // zero means now
	Attributes         map[string][]string
}

// A Group says how [DC.AddGroup] makes a group. Name is required.
type Group struct {
	Name string // sAMAccountName

	CN           string
	OU           string
	Scope        string // "global" (default), "domainlocal", "universal"
	Distribution bool
	RID          uint32
	Attributes   map[string][]string
}

// provision makes the objects that every domain has.
func (dc *DC) provision() {
	b := dc.baseDN
	first, _, _ := strings.Cut(dc.cfg.DNS, ".")
	dc.root = dc.create(nil, "DC="+first, []string{"top", "domain", "domainDNS"})
	dc.root.dnText, dc.root.sid = b, dc.sid
	dc.setSID(dc.root, dc.sid)
	dc.set(dc.root, "lockoutThreshold", strconv.Itoa(dc.cfg.LockoutThreshold))
	dc.set(dc.root, "lockoutDuration", interval(dc.cfg.LockoutDuration))
	dc.set(dc.root, "maxPwdAge", interval(dc.cfg.MaxPasswordAge))
	users := dc.create(dc.root, "CN=Users", []string{"top", "container"})
	builtin := dc.create(dc.root, "CN=Builtin", []string{"top", "builtinDomain"})
	dc.create(dc.root, "CN=ForeignSecurityPrincipals", []string{"top", "container"})
	dc.create(dc.root, "CN=System", []string{"top", "container"})
	deleted := dc.create(dc.root, "CN=Deleted Objects", []string{"top", "container"})
	dc.set(deleted, "isDeleted", "TRUE")
	deleted.deleted = true
	for _, g := range []struct {
		name string
		rid  uint32
	}{{"Domain Admins", 512}, {"Domain Users", 513}, {"Domain Guests", 514}, {"Domain Computers", 515}, {"Domain Controllers", 516}} {
		dc.group(users, g.name, g.name, sid.Join(dc.sid, g.rid), directory.GroupGlobal|directory.GroupSecurity)
	}
	for _, g := range []struct {
		name string
		rid  uint32
	}{{"Administrators", 544}, {"Users", 545}, {"Guests", 546}} {
		dc.group(builtin, g.name, g.name, sid.Join("S-1-5-32", g.rid), directory.GroupDomainLocal|directory.GroupSecurity|directory.GroupBuiltin)
	}
	dc.provisionConfiguration()
}

// provisionConfiguration makes the Configuration partition: the identity of the server, and the forest's names.
func (dc *DC) provisionConfiguration() {
	conf := dc.create(nil, "CN=Configuration", []string{"top", "configuration"})
	conf.dnText = "CN=Configuration," + dc.baseDN
	parts := dc.create(conf, "CN=Partitions", []string{"top", "crossRefContainer"})
	if len(dc.cfg.UPNSuffixes) > 0 {
		dc.set(parts, "uPNSuffixes", dc.cfg.UPNSuffixes...)
	}
	dc.create(parts, "CN="+dc.cfg.NetBIOS, []string{"top", "crossRef"}, "nETBIOSName", dc.cfg.NetBIOS, "dnsRoot", dc.cfg.DNS, "nCName", dc.baseDN)
	o := conf
	for _, rdn := range []string{"CN=Sites", "CN=Default-First-Site-Name", "CN=Servers", "CN=DC1"} {
		o = dc.create(o, rdn, []string{"top", "container"})
	}
	ntds := dc.create(o, "CN=NTDS Settings", []string{"top", "applicationSettings", "nTDSDSA"})
	dc.set(ntds, "invocationId", string(dc.invocation[:]))
}

func interval(d time.Duration) string {
	if d == 0 {
		return "-9223372036854775808"
	}
	return strconv.FormatInt(-int64(d/100), 10)
}

func (dc *DC) setSID(o *Object, text string) {
	raw, err := sid.Bytes(text)
	if err == nil {
		o.sid = text
		dc.set(o, "objectSid", string(raw))
	}
}

func (dc *DC) rid(want uint32) uint32 {
	if want != 0 {
		return want
	}
	dc.nextRID++
	return dc.nextRID
}

func (dc *DC) group(parent *Object, cn, name, groupSID string, kind directory.GroupType) *Object {
	o := dc.create(parent, "CN="+directory.EscapeDNValue(cn), []string{"top", "group"}, "sAMAccountName", name,
		"groupType", strconv.Itoa(int(int32(kind)))) //nolint:gosec // signed on the wire
	dc.set(o, "objectCategory", "CN=Group,CN=Schema,CN=Configuration,"+dc.baseDN)
	dc.set(o, "sAMAccountType", "268435456")
	dc.setSID(o, groupSID)
	return o
}

// AddGroup makes a group and panics on a name that is taken, as a test's set-up wants it.
func (dc *DC) AddGroup(g Group) *Object {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	kind, ok := map[string]directory.GroupType{
		"": directory.GroupGlobal, "global": directory.GroupGlobal, "domainlocal": directory.GroupDomainLocal, "universal": directory.GroupUniversal,
	}[g.Scope]
	if !ok {
		panic("directorytest: unknown group scope")
	}
	if !g.Distribution {
		kind |= directory.GroupSecurity
	}
	dc.checkName(g.Name)
	if g.CN == "" {
		g.CN = g.Name
	}
	o := dc.group(dc.container(g.OU), g.CN, g.Name, sid.Join(dc.sid, dc.rid(g.RID)), kind)
	dc.extra(o, g.Attributes)
	return o
}

func (dc *DC) checkName(name string) {
	if name == "" || len(dc.index["samaccountname"][foldKey(name)]) > 0 {
		panic(fmt.Sprintf("directorytest: the name %q is empty or taken", name))
	}
}

func (dc *DC) extra(o *Object, attrs map[string][]string) {
	for _, name := range sortedKeys(attrs) {
		dc.set(o, name, attrs[name]...)
	}
}

// container finds or makes the container of a new object.
func (dc *DC) container(ou string) *Object {
	if ou == "" {
		return dc.byDN("CN=Users," + dc.baseDN)
	}
	if !strings.Contains(ou, "=") {
		ou = "OU=" + directory.EscapeDNValue(ou) + "," + dc.baseDN
	}
	if o := dc.byDN(ou); o != nil {
		return o
	}
	rdn, rest, ok := cutDN(ou)
	if !ok || !strings.HasPrefix(rdn, "OU=") {
		panic("directorytest: no such container: " + ou)
	}
	return dc.create(dc.container(rest), rdn, []string{"top", "organizationalUnit"})
}

// cutDN splits off the first part of a DN.
func cutDN(dn string) (rdn, rest string, ok bool) {
	p, err := directory.ParseDN(dn)
	if err != nil || p.IsZero() {
		return "", "", false
	}
	rest = p.Parent().String()
	attr, value := p.Leaf()
	return attr + "=" + directory.EscapeDNValue(value), rest, true
}

// AddOU makes an organizational unit (and those above it) and returns it.
func (dc *DC) AddOU(name string) *Object {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	return dc.container(name)
}

// AddUser makes an account and panics on a name that is taken, as a test's set-up wants it.
func (dc *DC) AddUser(u User) *Object {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.checkName(u.Name)
	cn := u.CN
	if cn == "" {
		cn = u.Name
	}
	upn := u.UPN
	if upn == "" {
		upn = u.Name + "@" + dc.cfg.DNS
	}
	if upn == "-" {
		upn = ""
	}
	classes, uac, category, primary := userClass(u.Class)
	if u.Disabled {
		uac |= directory.Disabled
	}
	if u.PasswordNeverEnds {
		uac |= directory.PasswordNoExpire
	}
	o := dc.create(dc.container(u.OU), "CN="+directory.EscapeDNValue(cn), classes)
	dc.set(o, "objectCategory", "CN="+category+",CN=Schema,CN=Configuration,"+dc.baseDN)
	if u.Class == "contact" {
		dc.extra(o, map[string][]string{"mail": {u.Mail}})
		return o
	}
	o.password = u.Password
	for _, a := range [][2]string{
		{"sAMAccountName", u.Name},
		{"userPrincipalName", upn},
		{"givenName", u.GivenName},
		{"sn", u.Surname},
		{"initials", u.Initials},
		{"displayName", u.DisplayName},
		{"mail", u.Mail},
		{"userAccountControl", strconv.Itoa(int(uac))},
		{"primaryGroupID", strconv.Itoa(primary)},
		{"accountExpires", strconv.FormatInt(expires(u.AccountExpires), 10)},
		{"pwdLastSet", dc.pwdLastSet(u)},
		{"sAMAccountType", "805306368"},
		{"badPwdCount", "0"},
		{"lockoutTime", "0"},
	} {
		if a[1] != "" {
			dc.set(o, a[0], a[1])
		}
	}
	dc.setSID(o, sid.Join(dc.sid, dc.rid(u.RID)))
	dc.extra(o, u.Attributes)
	return o
}

func userClass(class string) (classes []string, uac directory.AccountControl, category string, primary int) {
	person := []string{"top", "person", "organizationalPerson", "user"}
	switch class {
	case "", "user":
		return person, directory.NormalAccount, "Person", 513
	case "inetOrgPerson":
		return append(person, "inetOrgPerson"), directory.NormalAccount, "Person", 513
	case "computer":
		return append(person, "computer"), directory.WorkstationTrust, "Computer", 515
	case "msDS-GroupManagedServiceAccount":
		return append(person, "computer", class), directory.WorkstationTrust, "ms-DS-Group-Managed-Service-Account", 515
	case "contact":
		return []string{"top", "person", "organizationalPerson", "contact"}, 0, "Person", 0
	}
	panic("directorytest: unknown class " + class)
}

func expires(t time.Time) int64 {
	if t.IsZero() {
		return 0x7FFFFFFFFFFFFFFF
	}
	return directory.ToFileTime(t)
}

func (dc *DC) pwdLastSet(u User) string {
	switch {
	case u.PasswordMustChange:
		return "0"
	case u.PasswordLastSet.IsZero():
		return strconv.FormatInt(directory.ToFileTime(dc.srv.cfg.Now()), 10)
	}
	return strconv.FormatInt(directory.ToFileTime(u.PasswordLastSet), 10)
}

// Bulk makes n users and puts each into perUser of the groups, one after the other. It is much faster than AddUser and
// AddMember for many, because it knows that every membership is new.
func (dc *DC) Bulk(groups []*Object, user func(i int) User, n, perUser int) {
	for i := range n {
		o := dc.AddUser(user(i))
		dc.srv.mu.Lock()
		for k := range perUser {
			g := groups[(i+k*7919)%len(groups)]
			dc.touch(g)
			g.members = append(g.members, &link{target: o, usn: g.usnChanged})
			o.memberOf = append(o.memberOf, g)
		}
		dc.srv.mu.Unlock()
	}
}
