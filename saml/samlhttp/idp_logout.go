package samlhttp

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

// LogoutRun is a logout on its way through the relying parties of a session.
type LogoutRun struct {
	Initiator *saml.LogoutRequest // nil when the identity provider started it
	Pending   []Participant
	Current   string // entity ID that is asked at the moment
	RequestID string // of the request to it
	Partial   bool   // somebody was not reached or did not confirm
}

const (
	logoutRunLife = 10 * time.Minute
	logoutCookie  = "logout"
	maxSOAPBody   = 1 << 20
)

// logoutService verifies and builds logout messages; it is made when the handlers are.
func (p *IdentityProvider) newLogoutService() (*saml.LogoutService, error) {
	return saml.NewLogoutService(saml.LogoutServiceConfig{
		EntityID: p.idp.EntityID(), Key: p.idp.SigningKey(), Locations: []string{p.cfg.BaseURL + PathSignOn},
		Replay: saml.NewMemoryReplayStore(0, p.cfg.Now), Now: p.cfg.Now,
		Peer: func(ctx context.Context, entityID string) (saml.LogoutPeer, error) {
			rp, err := p.cfg.RelyingParties.RelyingParty(ctx, entityID)
			if err != nil {
				return saml.LogoutPeer{}, err
			}
			return rp.LogoutPeer(), nil
		},
	})
}

// logoutRequest serves a relying party's request: the session ends, the others are asked in turn, the first gets the answer.
func (p *IdentityProvider) logoutRequest(w http.ResponseWriter, r *http.Request, m *saml.Message) {
	req, peer, err := p.logout.AcceptRequest(r.Context(), m)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	id, s, err := p.sessionFor(r, req)
	if errors.Is(err, ErrNoSession) {
		p.answerLogout(w, r, peer, p.logout.NewResponse(req, saml.StatusResponder, saml.StatusUnknownPrincipal))
		return
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.startLogout(w, r, id, s, req)
}

// sessionFor finds the session that a request means: that of the browser, else one by SessionIndex. NameID and, where given,
// SessionIndex must be those of an assertion that this relying party got in it.
func (p *IdentityProvider) sessionFor(r *http.Request, req *saml.LogoutRequest) (string, IdentitySession, error) {
	if id, s, err := p.session(r); err == nil && holds(s, req) {
		return id, s, nil
	}
	for _, index := range req.SessionIndexes {
		id, s, err := p.sessions.FindByIndex(r.Context(), req.Issuer, index)
		if errors.Is(err, ErrNoSession) || err == nil && !holds(s, req) {
			continue
		}
		return id, s, err
	}
	return "", IdentitySession{}, ErrNoSession
}

func holds(s IdentitySession, req *saml.LogoutRequest) bool {
	return slices.ContainsFunc(s.Participants, func(q Participant) bool {
		return q.EntityID == req.Issuer && saml.SameName(q.NameID, req.NameID) &&
			(len(req.SessionIndexes) == 0 || slices.Contains(req.SessionIndexes, q.SessionIndex))
	})
}

// startLogout ends the session at once and begins the round. The round is kept under an identifier of its own, which travels as
// RelayState: an answer by POST from another site comes without our cookies.
func (p *IdentityProvider) startLogout(w http.ResponseWriter, r *http.Request, id string, s IdentitySession, req *saml.LogoutRequest) {
	if err := p.sessions.Delete(r.Context(), id); err != nil {
		p.refuse(w, r, err)
		return
	}
	p.jar.clear(w, r, sessionCookie)
	p.cfg.Logger.LogAttrs(r.Context(), slog.LevelInfo, "signed out", slog.Int("participants", len(s.Participants)))
	run := &LogoutRun{Initiator: req, Pending: others(s, req)}
	p.tellDirectly(r.Context(), run)
	p.goRound(w, r, rand.Text(), run)
}

// tellDirectly tells the pending parties that can be told by SOAP and leaves the others pending. A party that has an address for
// the browser too gets a second chance there when the call fails.
func (p *IdentityProvider) tellDirectly(ctx context.Context, run *LogoutRun) {
	var left []Participant
	for _, q := range run.Pending {
		rp, err := p.cfg.RelyingParties.RelyingParty(ctx, q.EntityID)
		if err != nil {
			left = append(left, q)
			continue
		}
		_, err = rp.LogoutPeer().FrontChannel()
		browser := err == nil
		if browser && !p.cfg.BackChannel {
			left = append(left, q)
			continue
		}
		if err := p.tell(ctx, rp.LogoutPeer(), q); err != nil {
			left = append(left, q)
		}
	}
	run.Pending = left
}

// tell sends one request by SOAP and reads the answer.
func (p *IdentityProvider) tell(ctx context.Context, peer saml.LogoutPeer, q Participant) error {
	req := p.logout.NewRequest(q.NameID, q.SessionIndex)
	envelope, to, err := p.logout.RequestEnvelope(peer, req)
	if err != nil {
		return err
	}
	answer, err := soapCall(ctx, p.cfg.HTTPClient, to, envelope)
	if err != nil {
		return err
	}
	m, err := saml.UnwrapSOAP(answer)
	if err != nil {
		return err
	}
	resp, err := p.logout.AcceptResponse(ctx, m, q.EntityID, req.ID)
	if err == nil && resp.Status != saml.StatusSuccess {
		err = errNotLoggedOut
	}
	return err
}

var errNotLoggedOut = errors.New("samlhttp: the relying party did not end its session")

// soapLogout serves a LogoutRequest that a relying party sends without the browser: the session ends, parties that can be told by
// SOAP are told, and the answer says whether somebody was left.
func (p *IdentityProvider) soapLogout(w http.ResponseWriter, r *http.Request) {
	envelope, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSOAPBody))
	if err != nil {
		soapFault(w, http.StatusBadRequest)
		return
	}
	var req *saml.LogoutRequest
	m, err := saml.UnwrapSOAP(envelope)
	if err == nil {
		req, _, err = p.logout.AcceptRequest(r.Context(), m)
	}
	if err != nil {
		logRefusal(r, p.cfg.Logger, pageFor(err))
		soapFault(w, http.StatusInternalServerError)
		return
	}
	resp := p.logout.NewResponse(req, saml.StatusSuccess, "")
	id, s, err := p.sessionFor(r, req)
	if err == nil {
		err = p.sessions.Delete(r.Context(), id)
	}
	switch {
	case errors.Is(err, ErrNoSession):
		resp = p.logout.NewResponse(req, saml.StatusResponder, saml.StatusUnknownPrincipal)
	case err != nil:
		soapFault(w, http.StatusInternalServerError)
		return
	default:
		run := &LogoutRun{Pending: others(s, req)}
		p.tellDirectly(r.Context(), run)
		if len(run.Pending) > 0 {
			resp.SecondStatus = saml.StatusPartialLogout
		}
	}
	answer, err := p.logout.ResponseEnvelope(resp)
	if err != nil {
		soapFault(w, http.StatusInternalServerError)
		return
	}
	writeSOAP(w, http.StatusOK, answer)
}

// others lists the participants besides whoever asked.
func others(s IdentitySession, req *saml.LogoutRequest) []Participant {
	return slices.DeleteFunc(slices.Clone(s.Participants), func(q Participant) bool { return req != nil && q.EntityID == req.Issuer })
}

// logoutResponse takes the answer of the party that was asked and goes on.
func (p *IdentityProvider) logoutResponse(w http.ResponseWriter, r *http.Request, m *saml.Message) {
	runID := m.RelayState
	if runID == "" {
		runID = p.jar.get(r, logoutCookie)
	}
	s, err := p.sessions.Load(r.Context(), runID)
	if err != nil || s.Logout == nil {
		p.refuse(w, r, &SignInError{Reason: string(saml.ReasonInResponseTo), Public: "No sign-out is under way.", Err: err})
		return
	}
	run := s.Logout
	resp, err := p.logout.AcceptResponse(r.Context(), m, run.Current, run.RequestID)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	run.Partial = run.Partial || resp.Partial()
	p.goRound(w, r, runID, run)
}

// signOut serves AD FS's own address for it (?wa=wsignout1.0): the identity provider starts, or goes on with a round whose last
// stop did not send the browser back.
func (p *IdentityProvider) signOut(w http.ResponseWriter, r *http.Request) {
	if runID := p.jar.get(r, logoutCookie); runID != "" {
		if s, err := p.sessions.Load(r.Context(), runID); err == nil && s.Logout != nil {
			s.Logout.Partial = true
			p.goRound(w, r, runID, s.Logout)
			return
		}
	}
	id, s, err := p.session(r)
	if err != nil {
		p.jar.clear(w, r, sessionCookie)
		p.signedOut(w, false)
		return
	}
	p.startLogout(w, r, id, s, nil)
}

// goRound asks the next party, or ends the round.
func (p *IdentityProvider) goRound(w http.ResponseWriter, r *http.Request, runID string, run *LogoutRun) {
	for len(run.Pending) > 0 {
		next := run.Pending[0]
		run.Pending = run.Pending[1:]
		out, reqID, err := p.ask(r.Context(), next, runID)
		if err != nil {
			run.Partial = true
			p.cfg.Logger.LogAttrs(r.Context(), slog.LevelWarn, "relying party cannot be told of the sign-out",
				slog.String("relying_party", next.EntityID), slog.String("error", err.Error()))
			continue
		}
		run.Current, run.RequestID = next.EntityID, reqID
		s := IdentitySession{Logout: run, Expires: p.now().Add(logoutRunLife)}
		if err := p.sessions.Save(r.Context(), runID, s); err != nil {
			p.refuse(w, r, err)
			return
		}
		if err := p.jar.set(w, r, logoutCookie, runID, logoutRunLife); err != nil {
			p.refuse(w, r, err)
			return
		}
		p.deliver(w, r, out)
		return
	}
	p.endRound(w, r, runID, run)
}

// ask builds the signed request for one participant, with its own NameID and SessionIndex.
func (p *IdentityProvider) ask(ctx context.Context, q Participant, runID string) (saml.Outgoing, string, error) {
	rp, err := p.cfg.RelyingParties.RelyingParty(ctx, q.EntityID)
	if err != nil {
		return saml.Outgoing{}, "", err
	}
	req := p.logout.NewRequest(q.NameID, q.SessionIndex)
	out, err := p.logout.SendRequest(rp.LogoutPeer(), req, runID)
	return out, req.ID, err
}

func (p *IdentityProvider) endRound(w http.ResponseWriter, r *http.Request, runID string, run *LogoutRun) {
	_ = p.sessions.Delete(r.Context(), runID)
	p.jar.clear(w, r, logoutCookie)
	if run.Initiator == nil {
		p.signedOut(w, run.Partial)
		return
	}
	rp, err := p.cfg.RelyingParties.RelyingParty(r.Context(), run.Initiator.Issuer)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	second := ""
	if run.Partial {
		second = saml.StatusPartialLogout
	}
	p.answerLogout(w, r, rp.LogoutPeer(), p.logout.NewResponse(run.Initiator, saml.StatusSuccess, second))
}

// answerLogout sends the response; to a party without an address for it the browser gets a page.
func (p *IdentityProvider) answerLogout(w http.ResponseWriter, r *http.Request, peer saml.LogoutPeer, resp *saml.LogoutResponse) {
	out, err := p.logout.SendResponse(peer, resp)
	if errors.Is(err, saml.ErrNoEndpoint) {
		p.signedOut(w, resp.Partial())
		return
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.deliver(w, r, out)
}

func (p *IdentityProvider) signedOut(w http.ResponseWriter, partial bool) {
	p.pages.write(w, http.StatusOK, "signedout", func(nonce string) any { return SignedOutPage{Partial: partial, Nonce: nonce} })
}

func (p *IdentityProvider) deliver(w http.ResponseWriter, r *http.Request, out saml.Outgoing) {
	p.pages.deliver(w, r, out)
}

// deliver sends a message through the browser.
func (p pageWriter) deliver(w http.ResponseWriter, r *http.Request, out saml.Outgoing) {
	if out.Form != nil {
		p.post(w, *out.Form)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, out.URL, http.StatusFound)
}

// sendArtifact sends the browser to the assertion consumer service with a reference in place of the response.
func (p *IdentityProvider) sendArtifact(w http.ResponseWriter, r *http.Request, resp *saml.IssuedResponse) {
	u, err := p.idp.ArtifactRedirect(p.artifact, resp)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.deliver(w, r, saml.Outgoing{URL: u})
}

// resolveArtifact serves the back channel of the artifact binding.
func (p *IdentityProvider) resolveArtifact(w http.ResponseWriter, r *http.Request) {
	if p.artifact == nil || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	envelope, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSOAPBody))
	if err != nil {
		soapFault(w, http.StatusBadRequest)
		return
	}
	answer, err := p.idp.AnswerArtifact(r.Context(), envelope, p.artifact)
	if err != nil {
		logRefusal(r, p.cfg.Logger, pageFor(err))
		soapFault(w, http.StatusInternalServerError)
		return
	}
	writeSOAP(w, http.StatusOK, answer)
}

func writeSOAP(w http.ResponseWriter, status int, envelope []byte) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(envelope) //nolint:gosec // text/xml that this program built, with nosniff
}

// soapFault says that the request was refused and nothing more (SOAP 1.1 section 4.4).
func soapFault(w http.ResponseWriter, status int) {
	writeSOAP(w, status, []byte(`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>`+
		`<faultcode>soap:Client</faultcode><faultstring>The request was refused.</faultstring></soap:Fault></soap:Body></soap:Envelope>`))
}
