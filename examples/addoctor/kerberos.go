package addoctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jcmturner/gokrb5/v8/messages"

	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/kerberos"
)

// Error codes of KDCs (RFC 4120 section 7.5.9).
const (
	krbServiceUnknown     = 7
	krbPrincipalNotUnique = 8
)

// kerberos asks each KDC that takes connections: with the bind account's credentials for a ticket for our service, or, when
// there are none, for somebody whom nobody knows.
func (d *doctor) kerberos(ctx context.Context, x *domain) {
	for _, kdc := range x.kdcs {
		if d.mayBind(x) && x.service != nil && strings.Count(x.bind.User, "=") == 0 { // a DN is no Kerberos name
			d.ticket(ctx, x, kdc)
			continue
		}
		d.probe(ctx, x, kdc)
	}
}

// mayBind reports whether there is an account that was not refused yet.
func (d *doctor) mayBind(x *domain) bool { return x.bind != nil && !d.refused[x.bind] }

// one returns the configuration with this domain's other KDCs left out.
func (d *doctor) one(x *domain, kdc string) *adconfig.Config {
	c := *d.cfg
	c.Domains = slices.Clone(c.Domains)
	for i := range c.Domains {
		if c.Domains[i].DNS == x.DNS {
			c.Domains[i].KDCs = []string{kdc}
		}
	}
	return &c
}

// probe learns whether a KDC answers for the realm.
func (d *doctor) probe(ctx context.Context, x *domain, kdc string) {
	a, err := kerberos.NewAuthenticator(kerberos.AuthenticatorConfig{
		Realms: []kerberos.Realm{{Name: x.Realm(), KDCs: []string{kdc}}}, InsecureSkipKDCVerification: true, Now: d.opt.Now, // nobody signs in
	})
	if err != nil {
		d.fail("kdc", kdc, sentence(err), "Correct dns and kdcs.")
		return
	}
	kctx, cancel := context.WithTimeout(ctx, d.opt.Patience)
	defer cancel()
	if _, err = a.Password(kctx, "no-such-account-adfedkit@"+x.DNS, []byte("x")); reasonOf(err) == kerberos.ReasonBadCredentials {
		d.ok("kdc", kdc, fmt.Sprintf("The KDC answers for %s.", x.Realm()))
		if x.service == nil {
			return
		}
		d.skip("service", kdc, "Whether the keytab fits can be told with an account only: add bind, or give a user with -doctor USER.")
		return
	}
	d.kdcTrouble(x, kdc, err)
}

func reasonOf(err error) kerberos.Reason {
	if ae, ok := errors.AsType[*kerberos.AuthError](err); ok {
		return ae.Reason
	}
	return ""
}

// ticket gets a ticket for our service and opens it with our keytab: the whole proof of a sign-in.
func (d *doctor) ticket(ctx context.Context, x *domain, kdc string) {
	cfg := d.one(x, kdc)
	client, err := cfg.Client(x.bind)
	if err != nil {
		d.skip("kdc", kdc, "The bind account's credentials cannot be read; see the lines above.")
		return
	}
	defer client.Close()
	spn := x.service.SPN
	kctx, cancel := context.WithTimeout(ctx, 2*d.opt.Patience)
	defer cancel()
	in, err := client.Initiate(kctx, kerberos.InitiateConfig{SPN: spn})
	code, _ := kerberos.KDCErrorCode(err)
	switch {
	case err == nil:
		d.ok("kdc", kdc, fmt.Sprintf("The KDC gives %s tickets.", client.Principal()))
		d.opens(ctx, x, kdc, in.Token)
	case code == krbPrincipalNotUnique:
		d.fail("service", kdc, fmt.Sprintf("Several accounts have the service principal name %s.", spn), "Find them with setspn -Q "+spn+", and remove it from all but one with setspn -D.")
	case errors.Is(err, kerberos.ErrServiceUnknown), code == krbServiceUnknown:
		d.fail("service", kdc, fmt.Sprintf("The KDC knows no account with the service principal name %s.", spn), "Add it to the service account: setspn -S "+spn+" ACCOUNT")
	case errors.Is(err, kerberos.ErrRefused) && reasonOf(err) != kerberos.ReasonKDCNotTrusted:
		d.refused[x.bind] = reasonOf(err) != kerberos.ReasonNotAllowed // then the password was right, and the directory says more
		d.fail("kdc", kdc, fmt.Sprintf("The KDC refused the account %s: %s.", client.Principal(), reasonOf(err)), adviceFor(reasonOf(err), "the bind account's password or keytab"))
	default:
		d.kdcTrouble(x, kdc, err)
	}
}

const adviceAES = "Allow AES on the account (\"This account supports Kerberos AES 256 bit encryption\") and set its password anew, so that AES keys are made."

// kdcTrouble explains what is no verdict on anybody.
func (d *doctor) kdcTrouble(x *domain, kdc string, err error) {
	skew, _ := errors.AsType[*kerberos.OutsideError](err)
	distrust, _ := errors.AsType[*kerberos.AuthError](err)
	switch {
	case errors.Is(err, kerberos.ErrClockSkew) && skew != nil:
		d.clock(kdc, d.opt.Now().Add(skew.Offset))
	case errors.Is(err, kerberos.ErrNoCommonEtype):
		d.fail("kdc", kdc, "The KDC and we have no encryption type in common.", adviceAES)
	case errors.Is(err, kerberos.ErrUnavailable), kerberos.Temporary(err):
		d.silent("kdc", kdc, "The port is open, but no Kerberos answer comes.", "See that the port is that of a KDC (88) and not blocked half-way.")
	case distrust != nil && strings.HasPrefix(distrust.Detail, "service ticket of an encryption type"):
		d.fail("service", kdc, "The KDC encrypts tickets for "+x.service.SPN+" with RC4 or another type that is refused.", "Tick \"This account supports Kerberos AES 256 bit encryption\" on the service account, set its password anew, and make the keytab again.")
	case distrust != nil && strings.Contains(distrust.Detail, "encryption type"):
		d.fail("kdc", kdc, "The KDC and we have no encryption type in common.", adviceAES)
	case distrust != nil && distrust.Reason == kerberos.ReasonKDCNotTrusted:
		d.fail("kdc", kdc, fmt.Sprintf("What answers is no honest KDC for %s, or has other rules: %s.", x.Realm(), distrust.Detail), "See that dns is the domain's name and that kdcs leads to its controllers.")
	default:
		d.fail("kdc", kdc, sentence(err), "See that dns is the domain's name and that kdcs leads to its controllers.")
	}
}

// opens tries our keytab on a fresh ticket, as the programs do with each sign-in.
func (d *doctor) opens(ctx context.Context, x *domain, kdc string, token []byte) {
	if x.keytab == nil {
		return
	}
	spn := x.service.SPN
	kvno, etype, ok := ticketKey(token)
	if !ok {
		d.fail("service", kdc, "The ticket cannot be read.", "See that kdcs leads to domain controllers.")
		return
	}
	a, err := kerberos.NewAcceptor(kerberos.AcceptorConfig{
		Keytab: x.keytab, SPNs: []string{spn}, AnyRealm: true, AllowMachines: true,
		Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{}), Now: d.opt.Now,
	})
	if err != nil {
		d.fail("service", kdc, sentence(err), "Correct service.spn.")
		return
	}
	_, err = a.Accept(ctx, token, kerberos.AcceptInput{})
	what := fmt.Sprintf("%s version %d", etypeName(etype), kvno)
	mine := entriesFor(x.keytab, spn, x.Realm())
	switch {
	case err == nil:
		x.opened = true
		d.ok("service", kdc, fmt.Sprintf("A ticket for %s (%s) opens with the keytab.", spn, what))
	case !slices.ContainsFunc(mine, func(e kerberos.KeytabEntry) bool { return e.EType == etype }):
		d.fail("service", kdc, fmt.Sprintf("The KDC uses %s, and the keytab has %s.", what, keyList(mine)), "Make the keytab anew with that encryption type, or with all of them.")
	case !slices.ContainsFunc(mine, func(e kerberos.KeytabEntry) bool { return e.EType == etype && (e.KVNO == kvno || e.KVNO == 0) }):
		d.fail("service", kdc, fmt.Sprintf("The KDC uses %s, and the keytab has %s: the account's key was changed since.", what, keyList(mine)), "Make the keytab anew (ktpass sets a new password and raises the version each time), and copy the newest file here.")
	default:
		d.fail("service", kdc, fmt.Sprintf("The keytab's %s is another key than the KDC's.", what), "The keytab is of another account, another domain, or an older password: make it anew for the account that has "+spn+".")
	}
}

func entriesFor(kt *kerberos.Keytab, spn, realm string) []kerberos.KeytabEntry {
	var out []kerberos.KeytabEntry
	for _, e := range kt.Entries() {
		if strings.EqualFold(e.Principal, spn) && strings.EqualFold(e.Realm, realm) {
			out = append(out, e)
		}
	}
	return out
}

// ticketKey reads version and type of the key that a ticket is encrypted with. They stand in clear (RFC 4120 section 5.3).
func ticketKey(token []byte) (kvno uint32, etype int32, ok bool) {
	i := bytes.Index(token, []byte{1, 0, 0x6e}) // the mark of an AP-REQ in a GSS-API token (RFC 4121 section 4.1)
	if i < 0 {
		return 0, 0, false
	}
	var req messages.APReq
	if err := req.Unmarshal(token[i+2:]); err != nil {
		return 0, 0, false
	}
	return uint32(req.Ticket.EncPart.KVNO), req.Ticket.EncPart.EType, true //nolint:gosec // a version is never negative
}

// adviceFor says what to do about a refusal.
func adviceFor(r kerberos.Reason, secret string) string {
	switch r {
	case kerberos.ReasonBadCredentials:
		return "Correct the name or " + secret + ". It is not tried again now, so that the account is not locked."
	case kerberos.ReasonAccountDisabled:
		return "Enable the account."
	case kerberos.ReasonAccountLocked:
		return "Unlock the account, and find out who tries wrong passwords."
	case kerberos.ReasonAccountExpired:
		return "Move the account's expiry date."
	case kerberos.ReasonPasswordExpired, kerberos.ReasonPasswordMustChange:
		return "Set a new password, and for a service account \"Password never expires\"."
	case kerberos.ReasonNotAllowed:
		return "See whether the account is disabled, locked or expired, and its logon hours and workstations."
	case kerberos.ReasonKDCNotTrusted:
		return "Look at the lines about the keytab and the service."
	case kerberos.ReasonUnknownDomain:
		return "Add the domain, or the suffix under upnSuffixes."
	case kerberos.ReasonDomainRequired:
		return `Write the name with its domain: DOMAIN\user or user@domain.`
	}
	return "Look at the account in the directory."
}
