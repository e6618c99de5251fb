package addoctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/kerberos"
)

type (
	adconfigDomain = adconfig.Domain
	kerberosEntry  = kerberos.KeytabEntry
)

// signIn tries the whole way of a sign-in for the user that was given.
func (d *doctor) signIn(ctx context.Context) {
	if d.opt.User == "" {
		return
	}
	kcfg, err := d.cfg.Kerberos()
	if err != nil {
		d.skip("sign-in", d.opt.User, "The keytab cannot be read; see the lines above.")
		return
	}
	kcfg.Now = d.opt.Now
	if d.cfg.HasDirectory() {
		dcfg, err := d.cfg.Directory()
		if err != nil {
			d.skip("sign-in", d.opt.User, "The directory's files cannot be read; see the lines above.")
			return
		}
		client, err := directory.New(dcfg)
		if err != nil {
			d.skip("sign-in", d.opt.User, sentence(err))
			return
		}
		defer client.Close() //nolint:errcheck // nothing is pending
		accounts := adconfig.Accounts{Client: client}
		kcfg.Accounts, kcfg.States = accounts, accounts
	}
	a, err := kerberos.NewAuthenticator(kcfg)
	if err != nil {
		d.wrongFile("sign-in", d.opt.User, sentence(err), "Add what is missing; adlogin and portal need service.")
		return
	}
	id, err := a.Password(ctx, d.opt.User, d.opt.Password)
	reason := reasonOf(err)
	if errors.Is(err, kerberos.ErrServiceUnknown) {
		reason = kerberos.ReasonKDCNotTrusted
	}
	switch {
	case err == nil:
		d.ok("sign-in", id.Principal, fmt.Sprintf("The sign-in works, with %s.", count(len(id.GroupSIDs)+len(id.ExtraSIDs), "group")))
	case reason != "":
		d.fail("sign-in", d.opt.User, fmt.Sprintf("The sign-in was refused: %s.", reason), adviceFor(reason, "the password"))
	case kerberos.Temporary(err), directory.Temporary(err):
		d.silent("sign-in", d.opt.User, "No domain controller could be asked: "+err.Error()+".", "See the lines about ports above.")
	default:
		d.fail("sign-in", d.opt.User, sentence(err), "See the lines above.")
	}
}
