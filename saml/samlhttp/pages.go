package samlhttp

import (
	"bytes"
	"crypto/rand"
	_ "embed" // the default pages
	"html/template"
	"net/http"

	"github.com/adfedkit/adfedkit/saml"
)

//go:embed pages.html
var pagesText string

// Pages are the templates of all pages, by name: "signin" ([SignInPage]), "list" ([ListPage]), "error" ([ErrorPage]), "post"
// ([PostPage]) and "signedout" ([SignedOutPage]). A brand redefines "head" (inside the head element, style included), "top" and
// "bottom" or any whole page with [template.Template.Parse] on [DefaultPages].
type Pages = *template.Template

// DefaultPages returns a fresh copy of the default templates.
func DefaultPages() Pages {
	return template.Must(template.New("pages").Parse(pagesText))
}

// SignInPage is shown by the sign-in form.
type SignInPage struct {
	Action       string // where the form is posted to
	Application  string // display name of the relying party
	UserName     string // as typed before
	Message      string // why the last try failed
	Hidden       []Field
	IntegratedAt string // address of integrated Windows sign-in, "" when it is off
	Nonce        string
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// ListPage lists the relying parties of the sign-on page.
type ListPage struct {
	Action  string
	Parties []ListedParty
	User    string // who is signed in, or ""
	Nonce   string
}

// ListedParty is one line of the list.
type ListedParty struct{ EntityID, Name, URL string }

// PostPage carries a message to its destination: by script at once, or by its button.
type PostPage struct {
	Action string
	Hidden []Field
	Nonce  string
}

// SignedOutPage ends a logout.
type SignedOutPage struct {
	Partial bool // somebody did not confirm
	Nonce   string
}

// writer renders pages with the headers that they need.
type pageWriter struct {
	pages Pages
}

// write renders into memory first, so that a broken template gives a clean error. The policy lets no foreign script, frame or
// object in; form-action is left out, because Chromium applies it to the redirects behind the form too.
func (p pageWriter) write(w http.ResponseWriter, status int, name string, data func(nonce string) any) {
	nonce := rand.Text()
	var buf bytes.Buffer
	if err := p.pages.ExecuteTemplate(&buf, name, data(nonce)); err != nil {
		http.Error(w, "page template failed", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self' 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+
		"'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes())
}

// post writes the page that carries a form to its action.
func (p pageWriter) post(w http.ResponseWriter, f saml.PostForm) {
	hidden := []Field{{string(f.Field), f.Value}}
	if f.HasRelayState {
		hidden = append(hidden, Field{"RelayState", f.RelayState})
	}
	p.write(w, http.StatusOK, "post", func(nonce string) any { return PostPage{Action: f.Action, Hidden: hidden, Nonce: nonce} })
}

func (p pageWriter) fail(w http.ResponseWriter, e ErrorPage) {
	p.write(w, e.Status, "error", func(nonce string) any {
		return struct {
			ErrorPage
			Nonce string
		}{e, nonce}
	})
}
