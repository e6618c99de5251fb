package samlhttp

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/adfedkit/adfedkit/internal/observe"
	"github.com/adfedkit/adfedkit/saml"
)

// signInFlow is one way to an assertion: an accepted request, or a relying party chosen at the sign-on page. It needs no memory on
// the server: the form is posted to the address that carries the request, or carries it in hidden fields.
type signInFlow struct {
	accepted *saml.AcceptedRequest
	action   string  // where forms of this flow are posted to
	hidden   []Field // a request that came by POST
	posted   bool    // the form fields belong to the form, not to a binding
	query    string  // the same for links
}

func (f *signInFlow) forced() bool { return f.accepted.Request != nil && f.accepted.Request.ForceAuthn }

// fresh reports whether a session may answer this flow: with ForceAuthn only one whose sign-in was for this very request.
func (f *signInFlow) fresh(s IdentitySession) bool {
	return !f.forced() || s.RequestID == f.accepted.Request.ID
}

func (f *signInFlow) passive() bool { return f.accepted.Request != nil && f.accepted.Request.IsPassive }

func (f *signInFlow) wanted() *saml.RequestedAuthnContext {
	if f.accepted.Request == nil {
		return nil
	}
	return f.accepted.Request.AuthnContext
}

// initiated serves the sign-on page: a list, or a response that nobody asked for.
func (p *IdentityProvider) initiated(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		p.refuse(w, r, err)
		return
	}
	query := r.URL.RawQuery
	if r.Method == http.MethodPost && r.PostForm.Get("loginToRp") != "" && r.URL.Query().Get("loginToRp") == "" {
		query = url.Values{"loginToRp": {r.PostForm.Get("loginToRp")}}.Encode() // the selection of AD FS's own page is posted
	}
	rpid, relay, err := saml.ParseSignOnQuery(query)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if rpid == "" {
		p.list(w, r)
		return
	}
	accepted, err := p.idp.Unsolicited(r.Context(), rpid, relay)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.signIn(w, r, &signInFlow{accepted: accepted, action: PathIdPInitiated + "?" + query, posted: r.Method == http.MethodPost, query: query})
}

func (p *IdentityProvider) list(w http.ResponseWriter, r *http.Request) {
	parties, err := p.cfg.RelyingParties.List(r.Context())
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	page := ListPage{Action: PathIdPInitiated}
	for _, rp := range parties {
		page.Parties = append(page.Parties, ListedParty{rp.EntityID, rp.DisplayName(), PathIdPInitiated + "?" + url.Values{"loginToRp": {rp.EntityID}}.Encode()})
	}
	if _, s, err := p.session(r); err == nil && !s.FactorPending {
		page.User = s.User.UserName()
	}
	p.pages.write(w, http.StatusOK, "list", func(nonce string) any { page.Nonce = nonce; return page })
}

// integrated serves /adfs/ls/wia: the same request as /adfs/ls/, answered by a ticket instead of the form.
func (p *IdentityProvider) integrated(w http.ResponseWriter, r *http.Request) {
	msg, err := p.message(r)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	f := &signInFlow{query: r.URL.RawQuery}
	if msg != nil {
		f.accepted, err = p.idp.AcceptAuthnRequest(r.Context(), msg)
		f.action = PathSignOn + "?" + r.URL.RawQuery
	} else {
		var rpid, relay string
		if rpid, relay, err = saml.ParseSignOnQuery(r.URL.RawQuery); err == nil {
			f.accepted, err = p.idp.Unsolicited(r.Context(), rpid, relay)
			f.action = PathIdPInitiated + "?" + r.URL.RawQuery
		}
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if p.cfg.Integrated == nil || !p.tryIntegrated(w, r, f) {
		p.form(w, r, f, "", "")
	}
}

// signIn brings a flow to its end: by the session, the posted form, a ticket, or by showing the form.
func (p *IdentityProvider) signIn(w http.ResponseWriter, r *http.Request, f *signInFlow) { //nolint:cyclop // one list of ways
	id, s, err := p.session(r)
	if err != nil && !errors.Is(err, ErrNoSession) {
		p.refuse(w, r, err)
		return
	}
	known := err == nil
	credentials := f.posted && (r.PostForm.Has("UserName") || r.PostForm.Has("Password"))
	factor := f.posted && r.PostForm.Get(factorField) == factorFieldValue
	switch {
	case credentials && p.crossOrigin(r):
		p.refuse(w, r, &SignInError{Reason: "cross_origin", Public: "The form was sent from another site."})
	case credentials:
		p.password(w, r, f)
	case known && factor && f.fresh(s):
		p.factorStep(w, r, f, id, s)
	case known && !f.forced() && (!s.FactorPending || !f.passive()):
		p.finish(w, r, f, id, s)
	case f.passive():
		p.status(w, r, f, saml.StatusResponder, saml.StatusNoPassive)
	case p.cfg.Integrated != nil && p.cfg.IntegratedFirst && !f.forced() && p.tryIntegrated(w, r, f):
	default:
		p.form(w, r, f, "", "")
	}
}

// crossOrigin reports a form that another site's page made the browser send: signing somebody into a stranger's account.
func (p *IdentityProvider) crossOrigin(r *http.Request) bool {
	if o := r.Header.Get("Origin"); o != "" && o == p.base.Scheme+"://"+p.base.Host {
		return false
	}
	return p.csrf.Check(r) != nil
}

// form shows the sign-in form. Whoever used a header to ask for a ticket gets the form with status 401.
func (p *IdentityProvider) form(w http.ResponseWriter, _ *http.Request, f *signInFlow, userName, message string) {
	status := http.StatusOK
	if w.Header().Get("WWW-Authenticate") != "" {
		status = http.StatusUnauthorized
	}
	page := SignInPage{Action: f.action, Application: f.accepted.RelyingParty.DisplayName(), UserName: userName, Message: message, Hidden: f.hidden}
	if p.cfg.Integrated != nil && f.query != "" {
		page.IntegratedAt = PathIntegrated + "?" + f.query
	}
	p.pages.write(w, status, "signin", func(nonce string) any { page.Nonce = nonce; return page })
}

const lockedText = "There were too many attempts. Wait some minutes and try again."

// password checks the posted form. An unknown user and a wrong password get the same words and the same status.
func (p *IdentityProvider) password(w http.ResponseWriter, r *http.Request, f *signInFlow) {
	name, source := r.PostForm.Get("UserName"), p.cfg.Source(r)
	l := Login{UserName: name, Password: []byte(r.PostForm.Get("Password")), Source: source, Request: r}
	defer clear(l.Password)
	if !p.cfg.Lockout.begin(name, source) {
		p.cfg.Logger.LogAttrs(r.Context(), slog.LevelWarn, "sign-in refused by the lock-out guard", slog.String("source", source))
		p.form(w, r, f, name, lockedText)
		return
	}
	ctx, end := observe.Start(r.Context(), p.cfg.Observer, "samlhttp.sign_in")
	user, err := p.cfg.Authenticate(ctx, l)
	end(outcome(err))
	var own *SignInError
	switch {
	case err == nil && user != nil:
		p.cfg.Lockout.success(name, source)
		p.start(w, r, f, user, MethodPassword)
	case errors.Is(err, ErrBadCredentials):
		p.form(w, r, f, name, badCredentialsText)
	case errors.As(err, &own):
		p.cfg.Lockout.neutral(name, source) // the password was right, or AD did not look at it
		p.cfg.Logger.LogAttrs(r.Context(), slog.LevelWarn, "sign-in refused", slog.String("reason", own.Reason))
		p.form(w, r, f, name, own.Public)
	default:
		p.cfg.Lockout.neutral(name, source)
		if err == nil {
			err = errors.New("samlhttp: Authenticate returned neither a user nor an error")
		}
		p.refuse(w, r, err)
	}
}

// tryIntegrated reports whether it wrote the answer.
func (p *IdentityProvider) tryIntegrated(w http.ResponseWriter, r *http.Request, f *signInFlow) bool {
	ctx, end := observe.Start(r.Context(), p.cfg.Observer, "samlhttp.integrated")
	user, err := p.cfg.Integrated(w, r.WithContext(ctx))
	if err == nil && user == nil {
		end("no_ticket")
		return false
	}
	end(outcome(err))
	if err != nil {
		p.cfg.Logger.LogAttrs(r.Context(), slog.LevelWarn, "integrated sign-in failed", slog.String("error", err.Error()))
		return false
	}
	p.start(w, r, f, user, MethodWindows)
	return true
}

// start makes a new session, with a new identifier in every case, and goes on.
func (p *IdentityProvider) start(w http.ResponseWriter, r *http.Request, f *signInFlow, user User, method string) {
	oldID, old, err := p.session(r)
	now := p.cfg.Now()
	s := IdentitySession{User: user, AuthnInstant: now, Methods: []string{method}, Expires: now.Add(p.cfg.SessionLife)}
	if f.accepted.Request != nil {
		s.RequestID = f.accepted.Request.ID
	}
	if err == nil {
		if old.User.UserName() == user.UserName() {
			s.Participants = old.Participants // signing in anew must not lose whom to sign out later
		}
		_ = p.sessions.Delete(r.Context(), oldID)
	}
	id := rand.Text()
	if err := p.saveSession(w, r, id, s); err != nil {
		p.refuse(w, r, err)
		return
	}
	p.cfg.Logger.LogAttrs(r.Context(), slog.LevelInfo, "signed in", slog.String("method", method))
	p.finish(w, r, f, id, s)
}

func (p *IdentityProvider) saveSession(w http.ResponseWriter, r *http.Request, id string, s IdentitySession) error {
	if err := p.sessions.Save(r.Context(), id, s); err != nil {
		return err
	}
	return p.jar.set(w, r, sessionCookie, id, 0)
}

// finish issues the response, after a further factor where one is needed.
func (p *IdentityProvider) finish(w http.ResponseWriter, r *http.Request, f *signInFlow, id string, s IdentitySession) {
	need, err := p.needsFactor(r.Context(), f, s)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if need && f.passive() {
		p.status(w, r, f, saml.StatusResponder, saml.StatusNoPassive)
		return
	}
	if need || s.FactorPending {
		s.FactorPending = len(s.Participants) == 0 || s.FactorPending
		if err := p.saveSession(w, r, id, s); err != nil {
			p.refuse(w, r, err)
			return
		}
		p.factorStep(w, r, f, id, s)
		return
	}
	class := classForMethods(f.wanted(), s.Methods)
	if class == "" {
		p.status(w, r, f, saml.StatusResponder, saml.StatusNoAuthnContext)
		return
	}
	p.issue(w, r, f, id, s, class)
}

// issue asks the caller what to say, builds the response and sends it.
func (p *IdentityProvider) issue(w http.ResponseWriter, r *http.Request, f *signInFlow, id string, s IdentitySession, class string) {
	resp, err := p.response(r.Context(), f, s, class)
	if errors.Is(err, saml.ErrNameIDPolicy) {
		p.status(w, r, f, saml.StatusRequester, saml.StatusInvalidNameIDPolicy)
		return
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	s.Participants = addParticipant(s.Participants, Participant{f.accepted.RelyingParty.EntityID, resp.NameID, resp.SessionIndex})
	if err := p.sessions.Save(r.Context(), id, s); err != nil {
		p.refuse(w, r, err)
		return
	}
	p.cfg.Logger.LogAttrs(r.Context(), slog.LevelInfo, "assertion issued", slog.String("relying_party", f.accepted.RelyingParty.EntityID))
	p.send(w, r, resp)
}

// response asks the caller what to say about the user and builds the message.
func (p *IdentityProvider) response(ctx context.Context, f *signInFlow, s IdentitySession, class string) (resp *saml.IssuedResponse, err error) {
	ctx, end := observe.Start(ctx, p.cfg.Observer, "samlhttp.issue")
	defer func() { end(outcome(err)) }()
	st, err := p.cfg.Issue(ctx, IssueInput{
		User: s.User, RelyingParty: f.accepted.RelyingParty, Request: f.accepted.Request, Methods: s.Methods,
		ContextClass: class, AuthnInstant: s.AuthnInstant,
	})
	if err != nil {
		return nil, err
	}
	if st.AuthnInstant.IsZero() {
		st.AuthnInstant = s.AuthnInstant
	}
	if st.AuthnContextClassRef == "" {
		st.AuthnContextClassRef = class
	}
	return p.idp.Issue(f.accepted, st)
}

const maxParticipants = 200 // assertions of one session that a logout can name

func addParticipant(list []Participant, n Participant) []Participant {
	if len(list) >= maxParticipants {
		list = list[1:]
	}
	return append(list[:len(list):len(list)], n)
}

// status answers a request with an error response to the registered address (profiles 4.1.4.2).
func (p *IdentityProvider) status(w http.ResponseWriter, r *http.Request, f *signInFlow, top, second string) {
	resp, err := p.idp.Refuse(f.accepted, top, second, "")
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.cfg.Logger.LogAttrs(r.Context(), slog.LevelWarn, "request answered with an error", slog.String("status", second))
	p.send(w, r, resp)
}

// send delivers a response by the binding of its address.
func (p *IdentityProvider) send(w http.ResponseWriter, r *http.Request, resp *saml.IssuedResponse) {
	if resp.Consumer.Binding == saml.BindingHTTPArtifact && p.artifact != nil {
		p.sendArtifact(w, r, resp)
		return
	}
	form, err := resp.Form()
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.pages.post(w, form)
}

// now is the time of policy decisions.
func (p *IdentityProvider) now() time.Time { return p.cfg.Now() }
