package samlhttp

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

// LoginOptions says how a sign-in starts. The zero value sends the browser to the tenant's default identity provider and back to
// the default target.
type LoginOptions struct {
	IdentityProvider string // entity ID; "" = the default
	Target           string // local path to end at
	ForceAuthn       bool
	IsPassive        bool
	AuthnContext     *saml.RequestedAuthnContext // nil = that of the partner
}

// pending is a request that this browser started, as its cookie keeps it.
type pending struct {
	Request saml.Request
	Tenant  string
	Target  string
	Context *saml.RequestedAuthnContext
}

const (
	requestCookie   = "r_"
	maxPending      = 6 // tabs that sign in at the same time; more would only fill the header
	purposeRequest  = "request"
	purposeSession  = "session"
	purposeHandOff  = "handoff"
	relayStateChars = 20
)

// Login starts a sign-in: GET /saml/login?target=/path&idp=ENTITYID.
func (p *ServiceProvider) Login(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.StartLogin(w, r, LoginOptions{IdentityProvider: q.Get("idp"), Target: q.Get("target")})
}

// StartLogin sends the browser to the identity provider and remembers the request in a sealed cookie, so that only this browser can
// bring the answer.
func (p *ServiceProvider) StartLogin(w http.ResponseWriter, r *http.Request, o LoginOptions) {
	tenant := p.cfg.Tenant(r)
	partner, err := p.cfg.Partners.Partner(r.Context(), tenant, o.IdentityProvider)
	if err != nil {
		if errors.Is(err, saml.ErrNotFound) {
			err = &SignInError{Reason: string(saml.ReasonIssuer), Public: "This identity provider is not known here.", Err: err}
		}
		p.refuse(w, r, err)
		return
	}
	endpoint, err := signOnEndpoint(partner)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	now := p.cfg.Now()
	req := &saml.AuthnRequest{
		ID: "_" + rand.Text(), IssueInstant: now, Issuer: p.cfg.EntityID, Destination: endpoint.Location,
		AssertionConsumerServiceURL: p.cfg.BaseURL + PathACS, ProtocolBinding: saml.BindingHTTPPost,
		ForceAuthn: o.ForceAuthn, IsPassive: o.IsPassive, NameIDPolicy: partner.NameIDPolicy, AuthnContext: partner.AuthnContext,
	}
	if o.AuthnContext != nil {
		req.AuthnContext = o.AuthnContext
	}
	relay := rand.Text()[:relayStateChars]
	pend := pending{
		Request: saml.Request{ID: req.ID, IdP: partner.Trust.EntityID, ACS: p.cfg.BaseURL + PathACS, RelayState: relay, Expires: now.Add(p.cfg.RequestLife)},
		Tenant:  tenant, Target: p.target(o.Target), Context: req.AuthnContext,
	}
	if err := p.remember(w, r, relay, pend); err != nil {
		p.refuse(w, r, err)
		return
	}
	p.sendRequest(w, r, endpoint, req, relay)
}

// signOnEndpoint prefers the redirect, whose address a person can see and reload; a partner that demands signed requests gets a POST,
// because some look for the signature in the document alone.
func signOnEndpoint(p Partner) (saml.Endpoint, error) {
	order := []string{saml.BindingHTTPRedirect, saml.BindingHTTPPost}
	if p.WantsSigned {
		slices.Reverse(order)
	}
	for _, b := range order {
		if e, ok := saml.EndpointFor(p.SingleSignOn, b); ok {
			return e, nil
		}
	}
	return saml.Endpoint{}, saml.ErrNoEndpoint
}

func (p *ServiceProvider) sendRequest(w http.ResponseWriter, r *http.Request, e saml.Endpoint, req *saml.AuthnRequest, relay string) {
	if e.Binding == saml.BindingHTTPPost {
		form, err := req.Post(relay, p.cfg.Key)
		if err != nil {
			p.refuse(w, r, err)
			return
		}
		p.pages.post(w, form)
		return
	}
	u, err := req.Redirect(relay, p.cfg.Key)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, u, http.StatusFound)
}

// remember writes the cookie of a pending request, named after its RelayState, and makes room for it.
func (p *ServiceProvider) remember(w http.ResponseWriter, r *http.Request, relay string, pend pending) error {
	if p.cfg.Tracker != nil {
		if err := p.cfg.Tracker.Start(r.Context(), pend.Request); err != nil {
			return err
		}
	}
	sealed, err := p.seal.sealJSON(purposeRequest, pend.Request.Expires, pend)
	if err != nil {
		return err
	}
	live := p.pendingOf(r)
	for len(live) >= maxPending {
		oldest := ""
		for name, q := range live {
			if oldest == "" || q.Request.Expires.Before(live[oldest].Request.Expires) {
				oldest = name
			}
		}
		delete(live, oldest)
		p.jar.clear(w, r, requestCookie+oldest)
	}
	return p.jar.set(w, r, requestCookie+relay, sealed, p.cfg.RequestLife)
}

// pendingOf returns the requests that this browser started and that are still open, by RelayState.
func (p *ServiceProvider) pendingOf(r *http.Request) map[string]pending {
	out := map[string]pending{}
	prefix := p.cfg.CookiePrefix + requestCookie
	for _, c := range r.Cookies() {
		name, ok := strings.CutPrefix(c.Name, prefix)
		if !ok || strings.Contains(name, ".") {
			continue
		}
		var q pending
		if p.seal.openJSON(purposeRequest, p.jar.get(r, requestCookie+name), &q) == nil && q.Request.RelayState == name {
			out[name] = q
		}
	}
	return out
}

// Middleware lets requests with a session pass. A browser that navigates without one is sent to sign in and comes back to the same
// address; anything else gets 401.
func (p *ServiceProvider) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := p.Session(r)
		switch {
		case err == nil:
			w.Header().Add("Vary", "Cookie")
			next.ServeHTTP(w, r)
		case !errors.Is(err, ErrNoSession):
			p.refuse(w, r, err)
		case navigation(r):
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, PathLogin+"?"+url.Values{"target": {r.URL.RequestURI()}}.Encode(), http.StatusFound)
		default:
			http.Error(w, "not signed in", http.StatusUnauthorized)
		}
	})
}

// navigation reports a request that a person made by going to a page, as far as headers tell.
func navigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	mode := r.Header.Get("Sec-Fetch-Mode")
	return (mode == "" || mode == "navigate") && r.Header.Get("X-Requested-With") == ""
}

// minTime returns the earlier of two times, zero meaning none.
func minTime(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
