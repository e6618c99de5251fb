package main

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

//go:embed web
var web embed.FS

// page is what every template gets.
type page struct {
	Title   string
	Section string // "home" or "admin"
	User    *viewer
	Content any

	Script  string // below /static, for a page that is better with one
	Refresh int    // seconds after which a browser without scripts asks again; 0: never
}

// viewer is the signed-in user as the page head shows it.
type viewer struct {
	Name    string
	Admin   bool
	Factors bool // there is a page for second factors
}

// renderer writes the portal's pages.
type renderer struct {
	pages  map[string]*template.Template
	csp    string
	logger *slog.Logger
}

// newRenderer parses the templates. formTargets are the origins that a form of ours may end at: Chromium holds
// form-action against the redirects after a POST too.
func newRenderer(logger *slog.Logger, formTargets ...string) (*renderer, error) {
	r := &renderer{
		pages: map[string]*template.Template{}, logger: logger,
		csp: "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' " + strings.Join(formTargets, " "),
	}
	for _, name := range []string{"signedout", "home", "credentials", "error", "admin", "rules", "saml", "security", "factors"} {
		t, err := template.ParseFS(web, "web/layout.html", "web/admin_nav.html", "web/factor_list.html", "web/"+name+".html")
		if err != nil {
			return nil, err
		}
		r.pages[name] = t
	}
	return r, nil
}

// show writes a page; it is rendered first, so that a failure is an error page and never half a page.
func (r *renderer) show(w http.ResponseWriter, req *http.Request, status int, name string, p page) {
	var buf bytes.Buffer
	if err := r.pages[name].ExecuteTemplate(&buf, "layout", p); err != nil {
		r.logger.LogAttrs(req.Context(), slog.LevelError, "portal: page failed", slog.String("page", name), slog.Any("error", err))
		http.Error(w, "The page could not be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	csp := r.csp
	if p.Script != "" {
		csp += "; script-src 'self'; connect-src 'self'"
	}
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes())
}

// advice says what a person can do about a refusal.
var advice = map[string]string{
	"not_provisioned":      "Your identity provider knows you, but nobody has added you here. Ask your administrator to provision your account.",
	"account_disabled":     "Ask your administrator to enable your account, then sign in again.",
	"in_response_to":       "The sign-in did not start in this browser, or took too long. Go back to the start page and sign in again.",
	"replay":               "This sign-in was used before. Go back to the start page and sign in again.",
	"expired":              "The sign-in took too long, or a clock is wrong. Go back to the start page and sign in again.",
	"subject_confirmation": "The sign-in took too long, or was meant for another address. Go back to the start page and sign in again.",
	"unsolicited":          "Start from the portal's own page.",
}

type errorContent struct{ Message, Reason, Advice string }

// fail shows an error page. The text is ours; what the other side sent never stands in it.
func (r *renderer) fail(w http.ResponseWriter, req *http.Request, p samlhttp.ErrorPage) {
	if p.Err != nil {
		r.logger.LogAttrs(req.Context(), slog.LevelWarn, "portal: request refused", slog.Int("status", p.Status),
			slog.String("reason", p.Reason), slog.Any("error", p.Err))
	}
	title := "Sign-in failed"
	switch {
	case strings.HasPrefix(req.URL.Path, "/saml/"):
	case p.Status == http.StatusNotFound:
		title = "Page not found"
	case p.Status == http.StatusUnauthorized:
		title = "Signed out"
	case p.Status == http.StatusForbidden:
		title = "Not allowed"
	case p.Status >= 500:
		title = "Something is not available"
	}
	r.show(w, req, p.Status, "error", page{Title: title, Content: errorContent{Message: p.Public, Reason: p.Reason, Advice: advice[p.Reason]}})
}
