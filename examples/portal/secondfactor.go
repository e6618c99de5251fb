package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/examples/secondfactor"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// The values of -second-factor.
const (
	factorOff      = "off"
	factorOptional = "optional" // of those who have set one up, and where a relying party demands it
	factorRequired = "required"
)

// openSecondFactor prepares the second factor of the built-in sign-in; a.factor stays nil when it is off.
func (a *app) openSecondFactor() (err error) {
	if a.opts.secondFactor == factorOff || a.opts.secondFactor == "" {
		return nil
	}
	css, err := web.ReadFile("web/style.css")
	if err != nil {
		return err
	}
	a.issuer.defaults += methodsRule
	a.factor, err = secondfactor.New(secondfactor.Config{
		Store: secondfactor.Documents{Store: a.backend, Tenant: a.store.Tenant()}, Key: a.keys.factors, Origin: a.idpURL,
		Identify: factorID, Issuer: "adfedkit portal", Required: a.opts.secondFactor == factorRequired, Manage: a.managesFactors,
		Stylesheet: css, Now: a.opts.factorClock, Logger: a.logger,
	})
	return err
}

// factorHook is a.factor as the identity provider takes it: no factor is a nil interface.
func (a *app) factorHook() samlhttp.SecondFactor {
	if a.factor == nil {
		return nil
	}
	return a.factor
}

// factorID is the objectGUID: it survives renames, and a new account of an old name does not inherit the factor.
func factorID(u samlhttp.User) (string, error) {
	p, ok := u.(person)
	if !ok || p.entry.GUID == "" {
		return "", errors.New("the user has no objectGUID")
	}
	return p.entry.GUID, nil
}

// allFactors asks for a sign-in with several factors.
func allFactors() *saml.RequestedAuthnContext {
	return &saml.RequestedAuthnContext{ClassRefs: []string{saml.AuthnContextMultipleAuthn}}
}

// managesFactors recognises the sign-in that the portal starts for changing the factors: forced, so that nobody changes them at a
// desk that its owner has left.
func (a *app) managesFactors(step samlhttp.FactorStep) bool {
	req := step.Request
	return req != nil && step.RelyingParty.EntityID == a.portalEntity() && req.ForceAuthn &&
		req.AuthnContext != nil && slices.Equal(req.AuthnContext.ClassRefs, allFactors().ClassRefs)
}

func (a *app) portalEntity() string { return a.portalURL + "/saml/metadata" }

// identityProvider serves the addresses of the identity provider and the files of the second factor's pages.
func (a *app) identityProvider() http.Handler {
	if a.factor == nil {
		return a.idp
	}
	mux := http.NewServeMux()
	mux.Handle(secondfactor.PathPrefix, a.factor.Handler())
	mux.Handle("/", a.idp)
	return mux
}

// offersFactors says whether the portal shows its own pages for it: the second factor belongs to the built-in sign-in.
func (a *app) offersFactors() bool { return a.factor != nil && a.opts.idpMetadata == "" }

func (a *app) factorRoutes(mux *http.ServeMux) {
	if !a.offersFactors() {
		return
	}
	mux.HandleFunc("GET /security", a.signedIn(a.security))
	mux.HandleFunc("POST /security", a.signedIn(a.securityChange))
}

type securityContent struct {
	Known    bool // the user has a directory object
	Required bool
	Keys     bool
	Summary  factorView
}

// factorView is a summary for people.
type factorView struct {
	Any, Blocked  bool
	TOTP          string // day
	Keys          []factorKey
	RecoveryCodes int
}

type factorKey struct{ Name, Added, Used string }

func (a *app) factorView(r *http.Request, u *identitystore.User) (factorView, error) {
	s, err := a.factor.Summary(r.Context(), u.Link.GUID)
	v := factorView{Any: s.Any(), Blocked: s.Blocked, RecoveryCodes: s.RecoveryCodes}
	if s.TOTP != nil {
		v.TOTP = day(*s.TOTP)
	}
	for _, k := range s.Keys {
		v.Keys = append(v.Keys, factorKey{k.Name, day(k.Added), day(k.Used)})
	}
	return v, err
}

func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.DateOnly)
}

// security shows what the user has set up.
func (a *app) security(w http.ResponseWriter, r *http.Request, u *identitystore.User) {
	c := securityContent{Known: u.Link.GUID != "", Required: a.opts.secondFactor == factorRequired, Keys: a.factor.KeysOffered()}
	var err error
	if c.Known {
		if c.Summary, err = a.factorView(r, u); err != nil {
			a.unavailable(w, r, err)
			return
		}
	}
	a.render.show(w, r, http.StatusOK, "security", page{Title: "Your second factors", Section: "security", User: a.viewer(r, u), Content: c})
}

// securityChange sends the user to the identity provider, where password and factor are asked for before anything can be changed.
func (a *app) securityChange(w http.ResponseWriter, r *http.Request, _ *identitystore.User) {
	a.sp.StartLogin(w, r, samlhttp.LoginOptions{Target: "/security", ForceAuthn: true, AuthnContext: allFactors()})
}

type factorsContent struct {
	Off                  bool
	Asked, User, Message string
	Summary              factorView
}

// adminFactors shows the factors of a user to an administrator.
func (a *app) adminFactors(w http.ResponseWriter, r *http.Request, admin *identitystore.User) {
	c := factorsContent{Asked: r.URL.Query().Get("user"), Off: !a.offersFactors()}
	if r.URL.Query().Get("done") != "" {
		c.Message = "Everything was removed."
	}
	if c.Asked != "" && !c.Off {
		u, err := a.factorUser(r, c.Asked)
		if err == nil && u != nil {
			c.User = u.UserName
			c.Summary, err = a.factorView(r, u)
		}
		if err != nil {
			a.unavailable(w, r, err)
			return
		}
		if u == nil {
			c.Message = "There is no such user of the directory. Enter the user name as the table of memberships shows it."
		}
	}
	a.render.show(w, r, http.StatusOK, "factors", page{Title: "Second factors", Section: "admin", User: a.viewer(r, admin), Content: c})
}

// factorUser finds a user who came from the directory; nil is none.
func (a *app) factorUser(r *http.Request, name string) (*identitystore.User, error) {
	u, err := a.store.UserByName(r.Context(), name)
	if err := ignoreNotFound(err); err != nil {
		return nil, err
	}
	if u == nil || u.Link.GUID == "" {
		return nil, nil //nolint:nilnil // none is no error
	}
	return u, nil
}

// adminFactorsReset removes the factors of a user who has lost them.
func (a *app) adminFactorsReset(w http.ResponseWriter, r *http.Request, admin *identitystore.User) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	u, err := a.factorUser(r, r.PostFormValue("user"))
	switch {
	case err != nil:
		a.unavailable(w, r, err)
		return
	case u == nil:
		a.render.fail(w, r, samlhttp.ErrorPage{Status: http.StatusNotFound, Reason: "unknown_user", Public: "There is no such user."})
		return
	}
	if err := a.factor.Reset(r.Context(), u.Link.GUID); err != nil {
		a.unavailable(w, r, err)
		return
	}
	a.logger.LogAttrs(r.Context(), slog.LevelWarn, "second factor reset", slog.String("administrator", admin.ID), slog.String("user", u.ID))
	http.Redirect(w, r, "/admin/factors?"+url.Values{"user": {u.UserName}, "done": {"1"}}.Encode(), http.StatusSeeOther)
}

// factorKeyFile makes the key that seals the factors.
func factorKeyFile(dir string) ([]byte, error) {
	key, err := kept(dir, "secondfactor.key", func() ([]byte, error) {
		b := make([]byte, 32)
		_, err := rand.Read(b)
		return b, err
	})
	if err == nil && len(key) != 32 {
		err = errors.New("secondfactor.key: 32 bytes are needed")
	}
	return key, err
}

// publicAddress checks the value of -url and -idp-url.
func publicAddress(flag, s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("-%s %q must be scheme://host[:port]", flag, s)
	}
	return nil
}
