package samlhttp

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

const (
	purposeLogout = "logout"
	logoutWait    = 10 * time.Minute
)

// pendingLogout is the request that an answer must name.
type pendingLogout struct{ ID, IdP, Target string }

// logoutPeer looks partners of one tenant up.
func (p *ServiceProvider) logoutPeer(tenant string) func(context.Context, string) (saml.LogoutPeer, error) {
	return func(ctx context.Context, entityID string) (saml.LogoutPeer, error) {
		if entityID == "" {
			return saml.LogoutPeer{}, saml.ErrNotFound
		}
		partner, err := p.cfg.Partners.Partner(ctx, tenant, entityID)
		if err != nil {
			return saml.LogoutPeer{}, err
		}
		return peerOf(partner), nil
	}
}

// logoutFor returns the service for the tenant of a request.
func (p *ServiceProvider) logoutFor(r *http.Request) *saml.LogoutService {
	return p.logout.WithPeer(p.logoutPeer(p.cfg.Tenant(r)))
}

func peerOf(partner Partner) saml.LogoutPeer {
	return saml.LogoutPeer{
		EntityID: partner.Trust.EntityID, Certificates: append([]*x509.Certificate(nil), partner.Trust.Certificates...),
		Keys: partner.Trust.Keys, Algorithms: partner.Trust.Algorithms, SingleLogout: partner.SingleLogout,
	}
}

// Logout ends the session here, and at the identity provider where that has an address for it. It takes a POST of our own pages only.
func (p *ServiceProvider) Logout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || p.csrf.Check(r) != nil && r.Header.Get("Origin") != p.base.Scheme+"://"+p.base.Host {
		p.refuse(w, r, &SignInError{Reason: "cross_origin", Public: "Sign out with the button of this site."})
		return
	}
	s, err := p.Session(r)
	p.jar.clear(w, r, sessionCookie)
	if err != nil {
		http.Redirect(w, r, p.cfg.DefaultTarget, http.StatusSeeOther)
		return
	}
	if err := p.revoke(r.Context(), s.Issuer, s.NameID.Value, []string{s.SessionIndex}); err != nil {
		p.refuse(w, r, err)
		return
	}
	partner, err := p.cfg.Partners.Partner(r.Context(), s.Tenant, s.Issuer)
	if err != nil || p.logout == nil {
		http.Redirect(w, r, p.cfg.DefaultTarget, http.StatusSeeOther)
		return
	}
	var indexes []string
	if s.SessionIndex != "" {
		indexes = []string{s.SessionIndex}
	}
	req := p.logout.NewRequest(s.NameID, indexes...)
	out, err := p.logout.SendRequest(peerOf(partner), req, "")
	if errors.Is(err, saml.ErrNoEndpoint) {
		http.Redirect(w, r, p.cfg.DefaultTarget, http.StatusSeeOther)
		return
	}
	if err == nil {
		err = p.expectLogout(w, r, pendingLogout{ID: req.ID, IdP: s.Issuer})
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.pages.deliver(w, r, out)
}

func (p *ServiceProvider) expectLogout(w http.ResponseWriter, r *http.Request, q pendingLogout) error {
	sealed, err := p.seal.sealJSON(purposeLogout, p.cfg.Now().Add(logoutWait), q)
	if err != nil {
		return err
	}
	return p.jar.set(w, r, logoutCookie, sealed, logoutWait)
}

// SLO is the single logout service: requests of the identity provider by redirect, POST or SOAP, and its answers to ours.
func (p *ServiceProvider) SLO(w http.ResponseWriter, r *http.Request) {
	if p.logout == nil {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodPost && strings.Contains(r.Header.Get("Content-Type"), "xml") {
		p.backChannel(w, r)
		return
	}
	msg, err := frontMessage(w, r)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if msg.Field == saml.FieldResponse {
		p.logoutAnswer(w, r, msg)
		return
	}
	req, peer, err := p.logoutFor(r).AcceptRequest(r.Context(), msg)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	status, second := saml.StatusSuccess, ""
	if s, err := p.Session(r); err == nil {
		if s.Issuer == req.Issuer && saml.SameName(s.NameID, req.NameID) {
			p.jar.clear(w, r, sessionCookie)
		} else {
			status, second = saml.StatusResponder, saml.StatusUnknownPrincipal
		}
	}
	if err := p.revoke(r.Context(), req.Issuer, req.NameID.Value, req.SessionIndexes); err != nil {
		p.refuse(w, r, err)
		return
	}
	p.cfg.Logger.LogAttrs(r.Context(), slog.LevelInfo, "signed out by the identity provider")
	out, err := p.logout.SendResponse(peer, p.logout.NewResponse(req, status, second))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.pages.deliver(w, r, out)
}

// frontMessage reads a message that came through the browser.
func frontMessage(w http.ResponseWriter, r *http.Request) (*saml.Message, error) {
	if r.Method != http.MethodPost {
		return saml.DecodeRedirect(r.URL.RawQuery)
	}
	if err := readForm(w, r); err != nil {
		return nil, err
	}
	return saml.DecodePost(r.PostForm)
}

// logoutAnswer ends a logout that we started. An answer by POST from another site comes without the cookie: our session is over
// already, so all that is lost is the word of the identity provider about the others.
func (p *ServiceProvider) logoutAnswer(w http.ResponseWriter, r *http.Request, msg *saml.Message) {
	var q pendingLogout
	if err := p.seal.openJSON(purposeLogout, p.jar.get(r, logoutCookie), &q); err != nil {
		p.signedOut(w, true)
		return
	}
	resp, err := p.logoutFor(r).AcceptResponse(r.Context(), msg, q.IdP, q.ID)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.jar.clear(w, r, logoutCookie)
	p.signedOut(w, resp.Partial())
}

func (p *ServiceProvider) signedOut(w http.ResponseWriter, partial bool) {
	p.pages.write(w, http.StatusOK, "signedout", func(nonce string) any { return SignedOutPage{Partial: partial, Nonce: nonce} })
}

// backChannel serves a LogoutRequest by SOAP: the sessions end without the browser.
func (p *ServiceProvider) backChannel(w http.ResponseWriter, r *http.Request) {
	envelope, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSOAPBody))
	if err != nil {
		soapFault(w, http.StatusBadRequest)
		return
	}
	msg, err := saml.UnwrapSOAP(envelope)
	var req *saml.LogoutRequest
	if err == nil {
		req, _, err = p.logoutFor(r).AcceptRequest(r.Context(), msg)
	}
	if err == nil {
		err = p.revoke(r.Context(), req.Issuer, req.NameID.Value, req.SessionIndexes)
	}
	var answer []byte
	if err == nil {
		answer, err = p.logout.ResponseEnvelope(p.logout.NewResponse(req, saml.StatusSuccess, ""))
	}
	if err != nil {
		logRefusal(r, p.cfg.Logger, pageFor(err))
		soapFault(w, http.StatusInternalServerError)
		return
	}
	writeSOAP(w, http.StatusOK, answer)
}

// artifact fetches the response behind an artifact over the back channel and goes on as if it had been posted.
func (p *ServiceProvider) artifact(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	doc, err := p.resolve(r.Context(), p.cfg.Tenant(r), q)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	// The artifact came by a redirect, so the Lax cookies are here.
	p.accept(w, r, doc, q.Get("RelayState"), false)
}

// ArtifactSources is an optional method of a [PartnerResolver]: it finds the partner whose entity ID has that SHA-1 (bindings 3.6.4).
type ArtifactSources interface {
	PartnerBySource(ctx context.Context, tenant string, source [20]byte) (Partner, error)
}

// PartnerBySource implements [ArtifactSources].
func (l Partners) PartnerBySource(_ context.Context, tenant string, source [20]byte) (Partner, error) {
	for i := range l {
		if l[i].Tenant == tenant && saml.ArtifactSource(l[i].Trust.EntityID) == source {
			return l[i], nil
		}
	}
	return Partner{}, saml.ErrNotFound
}

var errArtifactUnsupported = errors.New("samlhttp: artifacts need a key and a resolver with ArtifactSources")

func (p *ServiceProvider) resolve(ctx context.Context, tenant string, q url.Values) ([]byte, error) {
	sources, ok := p.cfg.Partners.(ArtifactSources)
	if !ok || p.cfg.Key == nil {
		return nil, errArtifactUnsupported
	}
	if len(q[string(saml.FieldArtifact)]) != 1 {
		return nil, &SignInError{Reason: string(saml.ReasonBinding), Public: "The sign-in message was refused."}
	}
	a, err := saml.ParseArtifact(q.Get(string(saml.FieldArtifact)))
	if err != nil {
		return nil, err
	}
	partner, err := sources.PartnerBySource(ctx, tenant, a.SourceID)
	if err != nil {
		return nil, &SignInError{Reason: string(saml.ReasonIssuer), Public: "This identity provider is not known here.", Err: err}
	}
	for _, e := range partner.ArtifactResolution {
		if e.Binding == saml.BindingSOAP && e.Index == int(a.EndpointIndex) {
			return p.fetchArtifact(ctx, partner, e.Location, a)
		}
	}
	return nil, &SignInError{Reason: string(saml.ReasonBinding), Public: "The sign-in message was refused.", Err: saml.ErrNoEndpoint}
}

func (p *ServiceProvider) fetchArtifact(ctx context.Context, partner Partner, to string, a saml.Artifact) ([]byte, error) {
	req := saml.ArtifactResolve{IssueInstant: p.cfg.Now(), Issuer: p.cfg.EntityID, Destination: to, Artifact: a.String()}
	envelope, err := req.Envelope(*p.cfg.Key)
	if err != nil {
		return nil, err
	}
	answer, err := soapCall(ctx, p.cfg.HTTPClient, to, envelope)
	if err != nil {
		return nil, err
	}
	return saml.OpenArtifactResponse(answer, saml.ArtifactAnswer{
		IdentityProvider: partner.Trust, RequestID: req.ID, OverTLS: strings.HasPrefix(to, "https://"), Now: p.cfg.Now(),
	})
}

// soapCall posts an envelope and returns that of the answer.
func soapCall(ctx context.Context, client *http.Client, to string, envelope []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, backChannelTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(envelope))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	req.Header.Set("SOAPAction", `"http://www.oasis-open.org/committees/security"`)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New("samlhttp: back channel answered " + resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxHandOffSize))
}
