package samlhttp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/saml"
)

// signOn serves /adfs/ls/: requests to sign in or out by redirect or POST, and the forms of the sign-in itself.
func (p *IdentityProvider) signOn(w http.ResponseWriter, r *http.Request) {
	if p.cfg.BackChannel && r.Method == http.MethodPost && strings.Contains(r.Header.Get("Content-Type"), "xml") {
		p.soapLogout(w, r)
		return
	}
	if err := readForm(w, r); err != nil {
		p.refuse(w, r, err)
		return
	}
	msg, err := p.message(r)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if msg == nil && r.URL.Query().Get("wa") == "wsignout1.0" {
		p.signOut(w, r)
		return
	}
	if msg == nil { // nothing to answer: AD FS's list is the useful thing to show
		http.Redirect(w, r, PathIdPInitiated, http.StatusSeeOther)
		return
	}
	kind, err := msg.Kind()
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	switch kind {
	case "LogoutRequest":
		p.logoutRequest(w, r, msg)
		return
	case "LogoutResponse":
		p.logoutResponse(w, r, msg)
		return
	}
	accepted, err := p.idp.AcceptAuthnRequest(r.Context(), msg)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	f := requestFlow(r, msg, accepted)
	if p.cookiesHeldBack(r, f) {
		hidden := append(slices.Clone(f.hidden), Field{againField, "1"})
		p.pages.write(w, http.StatusOK, "post", func(nonce string) any { return PostPage{Action: PathSignOn, Hidden: hidden, Nonce: nonce} })
		return
	}
	p.signIn(w, r, f)
}

// requestFlow keeps a request in the address of the form, or in its hidden fields when it came by POST.
func requestFlow(r *http.Request, msg *saml.Message, accepted *saml.AcceptedRequest) *signInFlow {
	f := &signInFlow{accepted: accepted, action: PathSignOn, posted: r.Method == http.MethodPost}
	if msg.Binding() != saml.BindingHTTPPost {
		f.action += "?" + r.URL.RawQuery
		f.query = r.URL.RawQuery
		return f
	}
	f.hidden = []Field{{string(saml.FieldRequest), r.PostForm.Get(string(saml.FieldRequest))}}
	if msg.HasRelayState {
		f.hidden = append(f.hidden, Field{"RelayState", msg.RelayState})
	}
	return f
}

// againField marks a request that our own page sent once more.
const againField = "again"

// cookiesHeldBack reports a request that a page of another site posted: SameSite=Lax keeps the session's cookie from coming with it, so
// whoever is signed in would see the form, or a passive request an error. A page of our own posts the same request again, and the
// cookie comes. Browsers say where a request comes from; for everybody else nothing changes.
func (p *IdentityProvider) cookiesHeldBack(r *http.Request, f *signInFlow) bool {
	return len(f.hidden) > 0 && r.Header.Get("Sec-Fetch-Site") == "cross-site" && p.jar.get(r, sessionCookie) == "" && !f.forced() &&
		!r.PostForm.Has(againField) && !r.PostForm.Has("UserName") && !r.PostForm.Has("Password")
}

// message finds the message of a request in the body or, failing that, in the query.
func (p *IdentityProvider) message(r *http.Request) (*saml.Message, error) {
	if r.PostForm.Has(string(saml.FieldRequest)) || r.PostForm.Has(string(saml.FieldResponse)) {
		return saml.DecodePost(r.PostForm)
	}
	q := r.URL.Query()
	if q.Has(string(saml.FieldRequest)) || q.Has(string(saml.FieldResponse)) {
		return saml.DecodeRedirect(r.URL.RawQuery)
	}
	return nil, nil //nolint:nilnil // no message is no error
}
