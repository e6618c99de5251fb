package addoctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
)

// directory signs in at each server that can be used, and at the first good one looks at what the programs will need.
func (d *doctor) directory(ctx context.Context, x *domain) {
	if len(x.LDAP) == 0 {
		d.skip("bind", x.DNS, `"ldap" is missing: bare names and the kind of a revoked account cannot be looked up, and adsync has nothing to read.`)
		return
	}
	if x.bind == nil {
		d.fail("bind", x.DNS, `"bind" is missing: nothing says how to sign in to the directory.`, "Add bind with an ordinary account and its password file or keytab.")
		return
	}
	looked := false
	for _, l := range x.ldap {
		if d.refused[x.bind] {
			d.skip("bind", l, "Not tried: the account was refused before, and three wrong passwords may lock it.")
			continue
		}
		c, ok := d.signInAt(ctx, x, l)
		if ok && !looked {
			looked = true
			d.look(ctx, x, c)
		}
		if c != nil {
			_ = c.Close()
		}
	}
}

// signInAt binds at one server.
func (d *doctor) signInAt(ctx context.Context, x *domain, address string) (*directory.Client, bool) {
	cfg := *d.cfg
	cfg.Domains = slices.Clone(cfg.Domains)
	cfg.Domains = slices.DeleteFunc(cfg.Domains, func(y adconfigDomain) bool { return y.DNS != x.DNS })
	cfg.Domains[0].LDAP = []string{address}
	if len(x.kdcs) > 0 {
		cfg.Domains[0].KDCs = x.kdcs
	}
	dcfg, err := cfg.Directory()
	if err != nil {
		d.wrongFile("bind", address, sentence(err), "See the lines about the files above.")
		return nil, false
	}
	dcfg.Now, dcfg.Dial = d.opt.Now, d.opt.Dial
	c, err := directory.New(dcfg)
	if err != nil {
		d.wrongFile("bind", address, sentence(err), "Correct the domain's entry.")
		return nil, false
	}
	bctx, cancel := context.WithTimeout(ctx, 2*d.opt.Patience)
	defer cancel()
	info, err := c.ServerInfo(bctx, x.DNS)
	if err != nil {
		d.bindTrouble(x, address, err)
		return c, false
	}
	if info.ReadOnly {
		d.warn("bind", address, "The server is a read-only domain controller.", "Name a writable one first: a read-only one may lack attributes.")
	}
	d.ok("bind", address, fmt.Sprintf("The account %s signs in (%s).", x.bind.User, x.bind.Method))
	return c, true
}

func (d *doctor) bindTrouble(x *domain, address string, err error) {
	be, refused := errors.AsType[*directory.BindError](err)
	re, result := errors.AsType[*directory.ResultError](err)
	const strongAuth, invalidCredentials = 8, 49
	switch {
	case refused && be.Code == strongAuth, result && re.Code == strongAuth:
		d.fail("bind", address, "The server wants a protected connection for this kind of bind.", "Use ldaps://, StartTLS (ldap:// without insecurePlain), or the method gssapi.")
	case refused && be.Code == invalidCredentials && x.bind.Method == "gssapi":
		d.fail("bind", address, "The server does not accept the Kerberos ticket: "+string(be.State)+".", "Write the server's full DNS name into ldap, so that the ticket is for its own SPN (ldap/HOST); look at the clocks.")
	case refused:
		d.refused[x.bind] = true
		d.fail("bind", address, fmt.Sprintf("The server refused %s: %s.", x.bind.User, be.State), bindAdvice(be.State))
	case errors.Is(err, context.DeadlineExceeded), directory.Temporary(err):
		d.silent("bind", address, "The sign-in did not end: "+plain(err)+".", "Try again; look at the server's event log and load.")
	default:
		d.fail("bind", address, sentence(err), "Look at the method, the user and the address.")
	}
}

func bindAdvice(s directory.AccountState) string {
	switch s {
	case directory.StateDisabled:
		return "Enable the account."
	case directory.StateLocked:
		return "Unlock the account, and find out who tries wrong passwords."
	case directory.StateExpired:
		return "Move the account's expiry date."
	case directory.StatePasswordExpired, directory.StatePasswordMustChange:
		return "Set a new password and \"Password never expires\" for the account, and write it into the password file."
	case directory.StateNotAllowed:
		return "Look at the account's logon hours and workstations."
	}
	return "Correct bind.user (a UPN, DOMAIN\\name or DN) or the password in its file. It is not tried again now, so that the account is not locked."
}

// look reads what the programs will need.
func (d *doctor) look(ctx context.Context, x *domain, c *directory.Client) {
	d.names(ctx, x, c)
	d.spn(ctx, x, c)
	d.rights(ctx, x, c)
	d.changes(ctx, x, c)
	d.trusts(ctx, x, c)
}

// names holds the short name and the suffixes against the forest's own list.
func (d *doctor) names(ctx context.Context, x *domain, c *directory.Client) {
	info, err := c.ServerInfo(ctx, x.DNS)
	if err != nil || info.ConfigurationNC == "" {
		return // no Active Directory
	}
	base := "CN=Partitions," + info.ConfigurationNC
	refs, err := c.SearchAll(ctx, directory.Query{
		Domain: x.DNS, Base: base, Scope: directory.OneLevel, Filter: directory.Eq("nCName", baseDN(x.DNS)), Attributes: []string{"nETBIOSName"}, IgnoreReferrals: true,
	})
	if err != nil || len(refs) != 1 {
		d.warn("names", x.DNS, "The forest's list of domains cannot be read.", "Let the bind account read CN=Partitions in the configuration partition, as every user may by default.")
		return
	}
	name := refs[0].String("nETBIOSName")
	switch {
	case name != "" && x.NetBIOS == "":
		d.warn("names", x.DNS, fmt.Sprintf("The member netbios is missing: nobody can sign in as %s\\name.", name), fmt.Sprintf("Add \"netbios\": %q.", name))
	case name != "" && !strings.EqualFold(name, x.NetBIOS):
		d.fail("names", x.DNS, fmt.Sprintf("The domain's short name is %s, not %s.", name, x.NetBIOS), fmt.Sprintf("Write \"netbios\": %q.", name))
	default:
		d.ok("names", x.DNS, fmt.Sprintf("The short name is %s.", x.NetBIOS))
	}
	d.suffixes(ctx, x, c, base)
}

func (d *doctor) suffixes(ctx context.Context, x *domain, c *directory.Client, base string) {
	parts, err := c.SearchAll(ctx, directory.Query{Domain: x.DNS, Base: base, Scope: directory.Base, Attributes: []string{"uPNSuffixes"}, IgnoreReferrals: true})
	if err != nil || len(parts) != 1 {
		return
	}
	known := parts[0].Strings("uPNSuffixes")
	for _, s := range x.UPNSuffixes {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, s) }) {
			d.warn("names", x.DNS, fmt.Sprintf("The forest does not list the UPN suffix %s.", s), "Harmless if accounts have it all the same; else correct upnSuffixes.")
		}
	}
	for _, k := range known {
		if !slices.ContainsFunc(x.UPNSuffixes, func(s string) bool { return strings.EqualFold(k, s) }) {
			d.warn("names", x.DNS, fmt.Sprintf("The forest has the UPN suffix %s, which upnSuffixes lacks: names with it are refused as unknown_domain.", k), fmt.Sprintf("Add %q to upnSuffixes, if people sign in with it.", k))
		}
	}
}

// spn looks for the account behind our service.
func (d *doctor) spn(ctx context.Context, x *domain, c *directory.Client) {
	if x.service == nil {
		return
	}
	name := x.service.SPN
	found, err := c.SearchAll(ctx, directory.Query{
		Domain: x.DNS, Filter: directory.Eq("servicePrincipalName", name),
		Attributes: []string{"sAMAccountName", "userAccountControl", "msDS-KeyVersionNumber", "msDS-SupportedEncryptionTypes"},
	})
	switch {
	case err != nil:
		d.warn("spn", name, "The service's account cannot be looked up: "+sentence(err), "Let the bind account read servicePrincipalName, as every user may by default.")
		return
	case len(found) == 0 && x.opened: // as an alias of another name: host/ stands for http/ and others
		d.ok("spn", name, "No account lists the name, but the KDC knows it under an alias.")
		return
	case len(found) == 0:
		d.fail("spn", name, "No account of the domain has this service principal name.", "Add it to the service account: setspn -S "+name+" ACCOUNT")
		return
	case len(found) > 1:
		var who []string
		for _, e := range found {
			who = append(who, e.DN)
		}
		d.fail("spn", name, fmt.Sprintf("Several accounts have this service principal name: %s.", list(who)), "Remove it from all but one: setspn -D "+name+" ACCOUNT")
		return
	}
	d.serviceAccount(x, name, found[0])
}

func (d *doctor) serviceAccount(x *domain, name string, e *directory.Entry) {
	account := e.String("sAMAccountName")
	if e.Disabled() {
		d.fail("spn", name, fmt.Sprintf("The service's account %s is disabled.", account), "Enable it.")
		return
	}
	// MS-KILE 2.2.7: the bits of the types that the account supports
	const aes128bit, aes256bit = 0x8, 0x10
	if types, ok := e.Int("msDS-SupportedEncryptionTypes"); ok && types != 0 && types&(aes128bit|aes256bit) == 0 {
		d.fail("spn", name, fmt.Sprintf("The service's account %s supports no AES.", account), "Tick \"This account supports Kerberos AES 256 bit encryption\", set its password anew, and make the keytab again.")
		return
	}
	kvno, known := e.Int("msDS-KeyVersionNumber")
	if known && !x.opened && x.keytab != nil {
		mine := entriesFor(x.keytab, name, x.Realm())
		if len(mine) > 0 && !slices.ContainsFunc(mine, func(k kerberosEntry) bool { return int64(k.KVNO) == kvno || k.KVNO == 0 }) {
			d.fail("spn", name, fmt.Sprintf("The account %s has key version %d, and the keytab has %s.", account, kvno, keyList(mine)), "Make the keytab anew, and copy the newest file here.")
			return
		}
	}
	d.ok("spn", name, fmt.Sprintf("One account has the name: %s.", account))
}

// rights reads one user and one group as a synchronisation does.
func (d *doctor) rights(ctx context.Context, x *domain, c *directory.Client) {
	users := directory.And(directory.Eq("objectCategory", "person"), directory.Eq("objectClass", "user"))
	var user *directory.Entry
	for e, err := range c.Search(ctx, directory.Query{Domain: x.DNS, Filter: users, Attributes: []string{"userAccountControl", "sAMAccountName", "userPrincipalName"}}) {
		if err != nil {
			d.fail("rights", x.DNS, "Users cannot be read: "+sentence(err), "Give the bind account the right to read users (every ordinary account has it by default).")
			return
		}
		if user = e; e.Has("userAccountControl") {
			break
		}
	}
	switch {
	case user == nil:
		d.fail("rights", x.DNS, "The account sees no user at all.", "Give the bind account the right to list and read the users (every ordinary account has it by default).")
		return
	case !user.Has("userAccountControl"):
		d.fail("rights", x.DNS, "The account may not read userAccountControl, so that nobody could be told to be disabled.", "Give the bind account the right to read the account restrictions of users.")
		return
	}
	for _, err := range c.Search(ctx, directory.Query{Domain: x.DNS, Filter: directory.And(directory.Eq("objectClass", "group"), directory.Present("member")), Attributes: []string{"sAMAccountName"}}) {
		if err != nil {
			d.fail("rights", x.DNS, "Groups cannot be read: "+sentence(err), "Give the bind account the right to read groups and their members.")
			return
		}
		d.ok("rights", x.DNS, "Users and the members of groups can be read.")
		return
	}
	d.warn("rights", x.DNS, "No group with members is visible.", "If there are some, give the bind account the right to read member.")
}

// changes asks for the right to read changes; without it they are found in another way.
func (d *doctor) changes(ctx context.Context, x *domain, c *directory.Client) {
	_, err := c.Now(ctx, directory.ChangeQuery{Domain: x.DNS, Mode: directory.DirSync})
	switch {
	case err == nil:
		d.ok("changes", x.DNS, "Changes can be read with DirSync.")
	case errors.Is(err, directory.ErrAccess):
		d.warn("changes", x.DNS, "The account may not use DirSync; changes are found by sequence numbers at one domain controller.", "Give it \"Replicating Directory Changes\" at the domain's root (never \"... All\"), or leave it so.")
	case errors.Is(err, directory.ErrFullReadNeeded):
		d.warn("changes", x.DNS, "The server cannot tell changes; every synchronisation reads everything.", "Use a domain controller of Active Directory.")
	default:
		d.warn("changes", x.DNS, "Changes cannot be read: "+sentence(err), "Look at the server's event log.")
	}
}

// trusts tells which trusted domains nobody has configured.
func (d *doctor) trusts(ctx context.Context, x *domain, c *directory.Client) {
	ts, err := c.Trusts(ctx, x.DNS)
	if err != nil {
		d.warn("trusts", x.DNS, "The trusts cannot be read: "+sentence(err), "Let the bind account read CN=System.")
		return
	}
	missing := 0
	for _, t := range ts {
		if !slices.ContainsFunc(d.domains, func(y *domain) bool { return strings.EqualFold(y.DNS, t.DNS) }) {
			missing++
			d.warn("trusts", x.DNS, fmt.Sprintf("The domain %s is trusted, and not configured: its people cannot sign in, and its members of groups are left out (foreign_unresolved).", t.DNS), "Add an entry for it under domains, if its people are to be served.")
		}
	}
	if missing == 0 {
		d.ok("trusts", x.DNS, fmt.Sprintf("No trusted domain is missing (%s).", count(len(ts), "trust")))
	}
}
