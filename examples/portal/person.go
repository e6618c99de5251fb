package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// source is the name under which the identity store keeps objects of Active Directory.
const source = "ad"

// person is somebody whom the built-in identity provider recognised: the verified ticket and the directory's entry.
type person struct {
	identity *kerberos.Identity
	entry    *directory.Entry
	netbios  string
}

// UserName returns the name by which the identity store knows the person.
func (p person) UserName() string { return p.entry.UserName() }

// windowsAccount returns DOMAIN\sAMAccountName.
func (p person) windowsAccount() string {
	return p.netbios + `\` + p.entry.String("sAMAccountName")
}

// authenticate checks a password at the domain's KDC, reads the person's attributes, and writes them to the store: by the
// seed's rule every sign-in refreshes them, and somebody without a record gets one at once.
func (a *app) authenticate(ctx context.Context, l samlhttp.Login) (samlhttp.User, error) {
	id, err := a.domain.auth.Password(ctx, l.UserName, l.Password)
	if err != nil {
		return nil, signInError(err)
	}
	return a.recognise(ctx, id)
}

// recognise turns a verified Kerberos identity into a person.
func (a *app) recognise(ctx context.Context, id *kerberos.Identity) (samlhttp.User, error) {
	entry, err := a.domain.dir.Resolve(ctx, id.SID, a.mapping.LDAPAttributes()...)
	if err != nil {
		return nil, fmt.Errorf("read the attributes of a signed-in user: %w", err)
	}
	p := person{identity: id, entry: entry, netbios: a.domain.netbios[strings.ToLower(entry.Domain)]}
	_, err = a.store.SignIn(ctx, identitystore.SignIn{
		Source: source, GUID: entry.GUID, SID: entry.SID, DN: entry.DN, UserName: entry.UserName(),
		Mapped: a.mapped(entry),
		Create: a.opts.idpMetadata == "", // just-in-time users belong to the built-in sign-in
	})
	switch {
	case errors.Is(err, identitystore.ErrNotProvisioned): // with a foreign identity provider: other relying parties may still know the person
	case errors.Is(err, identitystore.ErrDisabled):
		return nil, refuse("account_disabled", err)
	case err != nil:
		return nil, fmt.Errorf("refresh the signed-in user: %w", err)
	}
	return p, nil
}

// publicTexts are shown at the form. An unknown user, an unknown domain and a wrong password share one text.
var publicTexts = map[kerberos.Reason]string{
	kerberos.ReasonAccountDisabled:    "This account is disabled. Ask your administrator to enable it.",
	kerberos.ReasonAccountLocked:      "This account is locked. Wait, or ask your administrator to unlock it.",
	kerberos.ReasonAccountExpired:     "This account has expired. Ask your administrator.",
	kerberos.ReasonPasswordExpired:    "Your password has expired. Change it on a computer of your organisation first.",
	kerberos.ReasonPasswordMustChange: "You must change your password on a computer of your organisation first.",
	kerberos.ReasonNotAllowed:         "You may not sign in now or from here. Ask your administrator.",
	kerberos.ReasonDomainRequired:     `Enter your name together with its domain: DOMAIN\user or user@domain.`,
	kerberos.ReasonKDCNotTrusted:      "The domain controller could not be trusted. Ask your administrator.",
}

func signInError(err error) error {
	auth, ok := errors.AsType[*kerberos.AuthError](err)
	if !ok {
		return fmt.Errorf("ask the domain: %w", err)
	}
	if _, shown := publicTexts[auth.Reason]; !shown {
		return fmt.Errorf("%w: %w", samlhttp.ErrBadCredentials, err)
	}
	return refuse(string(auth.Reason), err)
}

func refuse(reason string, err error) error {
	text, ok := publicTexts[kerberos.Reason(reason)]
	if !ok {
		text = "You cannot sign in. Ask your administrator."
	}
	return &samlhttp.SignInError{Reason: reason, Public: text, Err: err}
}
