package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/adattributes"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// openIdentityProvider builds the AD FS side: form, claim rules, relying parties.
func (a *app) openIdentityProvider(context.Context) error {
	attributes, err := adattributes.New(adattributes.Config{Client: a.domain.dir, NetBIOS: a.domain.netbios})
	if err != nil {
		return err
	}
	if a.issuer, err = newIssuer(claims.Stores{claims.StoreActiveDirectory: attributes}); err != nil {
		return err
	}
	registry := samlhttp.NewRegistry()
	a.parties = registry
	own, err := saml.NewRelyingParty(a.portalEntity(), a.portalURL+"/saml/acs")
	if err != nil {
		return err
	}
	own.Name = "AWS access portal"
	for _, k := range append([]saml.KeyPair{a.keys.portal}, a.keys.nextPortal...) {
		own.SigningCertificates = append(own.SigningCertificates, k.Certificate)
	}
	for _, b := range []string{saml.BindingHTTPRedirect, saml.BindingHTTPPost} {
		own.SingleLogout = append(own.SingleLogout, saml.Endpoint{Binding: b, Location: a.portalURL + "/saml/slo"})
	}
	registry.Put(own)
	if err := a.issuer.add(own.EntityID, portalRules); err != nil {
		return err
	}
	if err := a.openSecondFactor(); err != nil {
		return err
	}
	if err := a.registerRelyingParties(registry); err != nil {
		return err
	}
	pages, err := identityProviderPages()
	if err != nil {
		return err
	}
	a.idp, err = samlhttp.NewIdentityProvider(samlhttp.IdentityProviderConfig{
		BaseURL: a.idpURL, Keys: append([]saml.KeyPair{a.keys.signing}, a.keys.nextSigning...), RelyingParties: registry,
		Authenticate: a.authenticate, Issue: a.issue,
		Integrated: a.integrated(), SecondFactor: a.factorHook(), SessionLife: a.opts.sessionLife,
		Lockout: samlhttp.NewLockoutGuard(samlhttp.LockoutConfig{}), CookiePrefix: "adfedkit_idp_", Logger: a.logger,
		NotBeforeSkew: 5 * time.Second, // partners without tolerance, a clock a little behind
		Pages:         pages, Observer: a.telemetry,
	})
	return err
}

// identityProviderPages gives the default pages of the identity provider the portal's looks.
func identityProviderPages() (samlhttp.Pages, error) {
	css, err := web.ReadFile("web/style.css")
	if err != nil {
		return nil, err
	}
	return samlhttp.DefaultPages().Parse(`{{define "head"}}<style nonce="{{.Nonce}}">` + string(css) + `</style>{{end}}{{define "top"}}<main class="idp">{{end}}`)
}

// registerRelyingParties adds the -rp flags: who can sign in gets an assertion, unless the rules or an application's
// assignments say otherwise.
func (a *app) registerRelyingParties(registry *samlhttp.Registry) error {
	for _, x := range a.opts.relying {
		rp, err := x.relyingParty()
		if err != nil {
			return fmt.Errorf("-rp: %w", err)
		}
		if rp.RequestsSigned {
			// Some partners still sign requests with SHA-1. Only their request is concerned: the answer goes to the
			// registered address in any case, and what we sign is SHA-256.
			rp.Algorithms.InsecureAllowSHA1 = true
			say(a.stderr, "portal: warning: requests of %s may be signed with SHA-1", rp.EntityID)
		}
		registry.Put(rp)
		if err := a.issuer.addFile(rp.EntityID, x.rules); err != nil {
			return fmt.Errorf("-rp %s: %w", rp.EntityID, err)
		}
	}
	return nil
}

func (x relyingParty) relyingParty() (*saml.RelyingParty, error) {
	if x.metadata == "" {
		rp, err := saml.NewRelyingParty(x.entity, x.acs)
		if err == nil {
			rp.Name = x.name
		}
		return rp, err
	}
	raw, err := os.ReadFile(x.metadata)
	if err != nil {
		return nil, err
	}
	m, err := saml.ParseMetadata(raw, saml.MetadataOptions{InsecureAllowHTTP: true})
	if err != nil {
		return nil, unusable(x.metadata, err)
	}
	rp, err := m.RelyingParty()
	if err != nil {
		return nil, unusable(x.metadata, err)
	}
	if x.name != "" {
		rp.Name = x.name
	}
	return rp, nil
}

// openPortal builds the service provider side: it trusts one identity provider, the built-in one or the one of -idp.
func (a *app) openPortal(context.Context) error {
	m, err := a.trustedMetadata()
	if err != nil {
		return err
	}
	partner, err := samlhttp.NewPartner(m)
	if err != nil {
		return fmt.Errorf("-idp: %w", unusable(a.opts.idpMetadata, err))
	}
	partner.Trust.AllowUnsolicited = true // sign-ins that start at the identity provider
	if a.render, err = newRenderer(a.logger, formTargets(a.idpURL, partner)...); err != nil {
		return err
	}
	a.sp, err = samlhttp.NewServiceProvider(samlhttp.ServiceProviderConfig{
		BaseURL: a.portalURL, Partners: samlhttp.Partners{partner},
		Replay: identitystore.SingleUse{Store: a.backend, Seen: saml.ErrReplay},
		Key:    &a.keys.portal, NextKeys: a.keys.nextPortal, DecryptionKeys: a.keys.decrypters(), Encrypted: true, CookieKey: a.keys.cookies, CookiePrefix: "adfedkit_portal_", SessionLife: a.opts.sessionLife,
		SignIn: a.signIn, ErrorPage: a.render.fail, Now: a.opts.portalClock, Logger: a.logger, Observer: a.telemetry,
	})
	return err
}

func (a *app) trustedMetadata() (*saml.Metadata, error) {
	if a.opts.idpMetadata == "" {
		return a.idp.Core().Metadata(), nil
	}
	raw, err := os.ReadFile(a.opts.idpMetadata)
	if err != nil {
		return nil, err
	}
	m, err := saml.ParseMetadata(raw, saml.MetadataOptions{InsecureAllowHTTP: true})
	if err != nil {
		return nil, fmt.Errorf("-idp: %w", unusable(a.opts.idpMetadata, err))
	}
	return m, nil
}

// unusable names the file and what is wrong with the metadata in it: fixed text of package saml.
func unusable(file string, err error) error {
	if e, ok := errors.AsType[*saml.Error](err); ok && e.Detail != "" {
		return fmt.Errorf("%s: %s: %w", file, e.Detail, err)
	}
	return fmt.Errorf("%s: %w", file, err)
}

// signIn finds the person that a verified assertion names. Nobody is created here: the built-in sign-in has written the
// record already, and the users of a foreign identity provider must have been provisioned.
func (a *app) signIn(ctx context.Context, _ *http.Request, as *saml.Assertion) (map[string]string, error) {
	res, err := a.store.SignIn(ctx, identitystore.SignIn{UserName: as.Subject.Value})
	switch {
	case errors.Is(err, identitystore.ErrNotProvisioned):
		return nil, &samlhttp.SignInError{Reason: "not_provisioned", Public: "You are not provisioned here.", Err: err}
	case errors.Is(err, identitystore.ErrDisabled):
		return nil, &samlhttp.SignInError{Reason: "account_disabled", Public: "Your account is disabled.", Err: err}
	case err != nil:
		return nil, err
	}
	return map[string]string{"user": res.User.ID}, nil
}
