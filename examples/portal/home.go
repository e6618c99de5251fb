package main

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/adfedkit/adfedkit/examples/opmetrics"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

type homeContent struct {
	Accounts     []accountCard
	Applications []applicationTile
}

type accountCard struct {
	ID, Name, Email string
	Sets            []setCard
}

type setCard struct {
	Name, Description    string
	Console, Credentials string
	Via                  [][]string
}

type applicationTile struct{ Name, URL string }

// routes returns the portal's handler.
func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /start", a.signedIn(a.start))
	mux.HandleFunc("GET /credentials", a.signedIn(a.credentials))
	for pattern, page := range a.adminPages() {
		mux.HandleFunc(pattern, a.signedIn(a.adminOnly(page)))
	}
	a.factorRoutes(mux)
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.Handle("/metrics", opmetrics.Guard(a.telemetry.token, &a.telemetry.counts))
	mux.Handle("/saml/", a.sp.Handler())
	mux.Handle("/federation", a.console)
	mux.HandleFunc("GET /static/{file}", a.static)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.render.fail(w, r, samlhttp.ErrorPage{Status: http.StatusNotFound, Public: "There is nothing at this address."})
	})
	guard := http.NewCrossOriginProtection()
	guard.AddInsecureBypassPattern("/saml/") // a SAML response is a cross-site POST by design; it carries its own proof
	return guard.Handler(mux)
}

// adminPages are the addresses of administrators. They stand in one table, so that none is served without the check.
func (a *app) adminPages() map[string]userHandler {
	pages := map[string]userHandler{
		"GET /admin": a.admin, "POST /admin/sync": a.adminSync, "GET /admin/sync/progress": a.adminProgress,
		"GET /admin/rules": a.rulesForm, "POST /admin/rules": a.rulesRun,
		"GET /admin/saml": a.samlForm, "POST /admin/saml": a.samlInspect,
		"GET /admin/factors": a.adminFactors,
	}
	if a.offersFactors() {
		pages["POST /admin/factors"] = a.adminFactorsReset
	}
	return pages
}

// static serves the stylesheet, the icon and the script.
func (a *app) static(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	if file != "style.css" && file != "icon.svg" && file != "progress.js" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "max-age=300")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeFileFS(w, r, web, "web/"+file) //nolint:gosec // one of three names
}

func (a *app) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte("ok\n"))
}

// userHandler is a handler that has a signed-in, enabled user.
type userHandler func(w http.ResponseWriter, r *http.Request, u *identitystore.User)

// user returns the stored user of the request's session, read anew each time: who was disabled a moment ago is out.
func (a *app) user(r *http.Request) (*identitystore.User, error) {
	s, err := a.sp.Session(r)
	if err != nil {
		return nil, err
	}
	u, err := a.store.DescribeUser(r.Context(), s.Values["user"])
	if errors.Is(err, identitystore.ErrNotFound) {
		return nil, samlhttp.ErrNoSession
	}
	if err == nil && !u.Enabled() {
		return nil, samlhttp.ErrNoSession
	}
	return u, err
}

func (a *app) signedIn(next userHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, err := a.user(r)
		switch {
		case errors.Is(err, samlhttp.ErrNoSession) && r.Method == http.MethodGet:
			http.Redirect(w, r, "/saml/login?"+url.Values{"target": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		case errors.Is(err, samlhttp.ErrNoSession):
			a.render.fail(w, r, samlhttp.ErrorPage{Status: http.StatusUnauthorized, Public: "Your session has ended. Sign in again.", Err: err})
		case err != nil:
			a.unavailable(w, r, err)
		default:
			next(w, r, u)
		}
	}
}

func (a *app) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	a.render.fail(w, r, samlhttp.ErrorPage{Status: http.StatusServiceUnavailable, Reason: "unavailable", Public: "A service that this page needs is not available. Try again in a minute.", Err: err})
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	u, err := a.user(r)
	if errors.Is(err, samlhttp.ErrNoSession) {
		a.render.show(w, r, http.StatusOK, "signedout", page{Title: "Welcome", Section: "home"})
		return
	}
	var eff permissionset.Effective
	if err == nil {
		eff, err = a.effective(r.Context(), u)
	}
	if err != nil {
		a.unavailable(w, r, err)
		return
	}
	a.render.show(w, r, http.StatusOK, "home", page{Title: "Your AWS access", Section: "home", User: a.viewer(r, u), Content: a.homeContent(eff)})
}

func (a *app) homeContent(eff permissionset.Effective) homeContent {
	var c homeContent
	for _, acc := range eff.Accounts {
		card := accountCard{ID: acc.ID, Name: acc.Name, Email: acc.Email}
		for _, s := range acc.PermissionSets {
			set, _ := a.access.Load().PermissionSet(s.Name)
			q := url.Values{"account": {acc.ID}, "role": {s.Name}}.Encode()
			card.Sets = append(card.Sets, setCard{Name: s.Name, Description: set.Description, Console: "/start?" + q, Credentials: "/credentials?" + q, Via: s.Via})
		}
		c.Accounts = append(c.Accounts, card)
	}
	byID := map[string]permissionset.Application{}
	for _, x := range a.access.Load().Organization().Applications {
		byID[x.ID] = x
	}
	for _, x := range eff.Applications {
		appl := byID[x.ID]
		target := appl.StartURL
		if appl.SAMLEntityID != "" {
			target = a.idpURL + "/adfs/ls/IdpInitiatedSignOn.aspx?" + url.Values{"loginToRp": {appl.SAMLEntityID}}.Encode()
		}
		c.Applications = append(c.Applications, applicationTile{Name: x.Name, URL: target})
	}
	return c
}

func (a *app) viewer(r *http.Request, u *identitystore.User) *viewer {
	admin, err := a.isAdmin(r.Context(), u)
	return &viewer{Name: u.UserName, Admin: err == nil && admin, Factors: a.offersFactors()}
}
