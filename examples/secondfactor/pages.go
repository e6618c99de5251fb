package secondfactor

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

//go:embed web
var web embed.FS

// Addresses of the files of the pages, on the identity provider's host.
const (
	PathPrefix     = "/adfs/portal/secondfactor/"
	pathScript     = PathPrefix + "keys.js"
	pathStylesheet = PathPrefix + "style.css"
)

// common is what every page has.
type common struct {
	Action  string
	Hidden  []samlhttp.Field
	Ticket  string
	Message string
	User    string
	Party   string
	Script  string
	Style   string
	Leave   string // ends the sign-in
}

type question struct {
	common
	TOTP, Recovery bool
	Key            string // options for navigator.credentials.get, as JSON
}

type setup struct {
	common
	First    bool // nothing is set up yet, and the sign-in goes on afterwards
	Methods  []method
	Codes    int
	Replaces bool
	Secret   string
	QR       drawing
	Key      string // options for navigator.credentials.create, as JSON
}

type method struct {
	Name  string
	Added time.Time
	Which string
}

// Day is the date for people.
func (m method) Day() string { return m.Added.UTC().Format(time.DateOnly) }

type recoveryPage struct {
	common
	Codes []string
	Last  bool
}

func parsePages() (*template.Template, error) {
	t, err := template.ParseFS(web, "web/*.html")
	if err != nil {
		return nil, fmt.Errorf("secondfactor: %w", err)
	}
	return t, nil
}

func (v *visit) common(message string) common {
	return common{
		Action: v.step.Action, Hidden: v.step.Hidden, Message: message, User: v.step.User.UserName(), Party: v.step.RelyingParty.DisplayName(),
		Script: pathScript, Style: pathStylesheet,
		Leave: samlhttp.PathSignOn + "?wa=wsignout1.0",
	}
}

// policy allows the two files of ours and no script or style in the page itself. form-action is left out, because browsers hold it
// against the redirects behind the form too.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// show writes a page; it is rendered first, so that a failure is an error and never half a page.
func (v *visit) show(name string, page any) error {
	var buf bytes.Buffer
	if err := v.f.pages.ExecuteTemplate(&buf, name, page); err != nil {
		return fmt.Errorf("secondfactor: %w", err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", policy)
	_, err := v.w.Write(buf.Bytes())
	return err
}

// Handler serves the script and the stylesheet below [PathPrefix].
func (f *Factor) Handler() http.Handler {
	mux := http.NewServeMux()
	script, err := web.ReadFile("web/keys.js")
	if err != nil {
		panic("secondfactor: the script is not embedded")
	}
	mux.HandleFunc("GET "+pathScript, file("text/javascript; charset=utf-8", script))
	mux.HandleFunc("GET "+pathStylesheet, file("text/css; charset=utf-8", f.cfg.Stylesheet))
	return mux
}

func file(kind string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "max-age=300")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(content)
	}
}
