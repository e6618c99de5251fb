package saml

import (
	"context"
	"errors"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// ArtifactResolve asks for the message behind an artifact (core 3.5.1).
type ArtifactResolve struct {
	ID           string // "" = made when built
	IssueInstant time.Time
	Issuer       string
	Destination  string
	Artifact     string
}

// Envelope returns the request, signed, in a SOAP envelope. The signature stands before the artifact, as the schema wants it and
// AD FS insists.
func (r *ArtifactResolve) Envelope(key KeyPair) ([]byte, error) {
	s, err := key.signer()
	if err != nil {
		return nil, err
	}
	if r.ID == "" {
		r.ID = newID()
	}
	w := &markup{}
	w.open("samlp:ArtifactResolve", attr{"ID", r.ID}, attr{"Version", "2.0"}, attr{"IssueInstant", instant(r.IssueInstant)},
		attr{"Destination", r.Destination}).leaf("saml:Issuer", r.Issuer).leaf("samlp:Artifact", r.Artifact).close()
	doc, err := w.signed(s, "")
	if err != nil {
		return nil, err
	}
	return WrapSOAP(doc)
}

// AnswerArtifact serves the identity provider's side of artifact resolution (profiles 5): it verifies the request of a relying
// party, which must be signed, takes the message out of the store and returns the signed ArtifactResponse in an envelope. An
// artifact that is unknown, used, expired or meant for somebody else gives an empty response with status Success, as core 3.5.3
// wants it.
func (idp *IdentityProvider) AnswerArtifact(ctx context.Context, envelope []byte, store *ArtifactStore) ([]byte, error) {
	m, err := UnwrapSOAP(envelope)
	if err != nil {
		return nil, err
	}
	el, err := m.open("ArtifactResolve")
	if err != nil {
		return nil, err
	}
	issuer, err := peekIssuer(el)
	if err != nil {
		return nil, err
	}
	rp, err := idp.relyingParty(ctx, issuer)
	if err != nil {
		return nil, err
	}
	el, signed, err := m.verified(el, rp.trust())
	if err != nil {
		return nil, err
	}
	if !signed {
		return nil, reject(ReasonUnsigned, "ArtifactResolve", nil)
	}
	h, err := readHeader(el, headerRules{
		issuer: rp.EntityID, destination: []string{idp.cfg.ArtifactResolution}, now: idp.cfg.Now(), skew: idp.cfg.ClockSkew, maxAge: artifactLife,
	})
	if err != nil {
		return nil, err
	}
	at, n := el.Only(nsProtocol, "Artifact")
	if n != 1 {
		return nil, reject(ReasonMalformedXML, "ArtifactResolve must have one Artifact", nil)
	}
	text, err := textOf(at)
	if err != nil {
		return nil, err
	}
	a, err := ParseArtifact(text)
	if err != nil {
		return nil, err
	}
	if a.SourceID != ArtifactSource(idp.cfg.EntityID) || a.EndpointIndex != 0 {
		return nil, reject(ReasonIssuer, "the artifact is of another entity or endpoint", nil)
	}
	message, _ := store.Take(a, rp.EntityID)
	return idp.artifactResponse(h.id, message)
}

func (idp *IdentityProvider) artifactResponse(inResponseTo string, message []byte) ([]byte, error) {
	var inner []byte
	if message != nil {
		stored, err := parseXML(message, xmlgate.Limits{}) // the store may be anybody's
		if err != nil {
			return nil, err
		}
		inner = []byte(stored.Root().Raw())
	}
	w := &markup{foreign: true} // the message inside declares again what is declared out here
	w.open("samlp:ArtifactResponse", attr{"ID", newID()}, attr{"Version", "2.0"}, attr{"IssueInstant", instant(idp.cfg.Now())},
		attr{"InResponseTo", inResponseTo}).leaf("saml:Issuer", idp.cfg.EntityID)
	writeStatus(w, StatusSuccess, "", "")
	w.add(inner).close()
	doc, err := w.signed(idp.signing, typePrefixes)
	if err != nil {
		return nil, err
	}
	return WrapSOAP(doc)
}

// ArtifactAnswer is what a service provider holds an ArtifactResponse against.
type ArtifactAnswer struct {
	IdentityProvider TrustedIdentityProvider
	RequestID        string // of the ArtifactResolve
	OverTLS          bool   // the answer came over an authenticated TLS connection: an unsigned one is accepted
	Now              time.Time
}

// OpenArtifactResponse verifies an ArtifactResponse in its envelope and returns the message inside, which is then validated like one
// that came by POST. An empty answer is reason no_assertion.
func OpenArtifactResponse(envelope []byte, a ArtifactAnswer) ([]byte, error) {
	m, err := UnwrapSOAP(envelope)
	if err != nil {
		return nil, err
	}
	el, err := openProtocol(m.xml, xmlgate.Limits{Bytes: maxSOAP}, "ArtifactResponse")
	if err != nil {
		return nil, err
	}
	if hasSignature(el) {
		v, err := verifySigned(el, a.IdentityProvider.keys(a.Now), a.IdentityProvider.Algorithms)
		if err != nil {
			return nil, err
		}
		el = v.root
	} else if !a.OverTLS {
		return nil, reject(ReasonUnsigned, "ArtifactResponse over a connection without TLS", nil)
	}
	h, err := readHeader(el, headerRules{issuer: a.IdentityProvider.EntityID, now: a.Now, skew: defaultSkew, maxAge: artifactLife})
	if err != nil {
		return nil, err
	}
	if a.RequestID == "" || h.inResponseTo != a.RequestID {
		return nil, reject(ReasonInResponseTo, "ArtifactResponse", nil)
	}
	top, _, _, err := readStatus(el)
	if err != nil {
		return nil, err
	}
	if top != StatusSuccess {
		return nil, reject(ReasonStatus, "ArtifactResponse", errors.New("saml: status is not Success"))
	}
	resp, n := el.Only(nsProtocol, "Response")
	if n != 1 {
		return nil, reject(ReasonNoAssertion, "ArtifactResponse without a Response", nil)
	}
	inner, err := messageOf(resp)
	if err != nil {
		return nil, err
	}
	return inner.xml, nil
}
