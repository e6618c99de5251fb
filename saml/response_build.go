package saml

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmlenc"
)

// SubjectStatement is what a response says about somebody.
type SubjectStatement struct {
	NameID     NameID // required
	Attributes []Attribute

	AuthnContextClassRef string    // "" = unspecified
	AuthnInstant         time.Time // zero = now
	SessionIndex         string    // "" = the assertion's ID, as AD FS does
	SessionNotOnOrAfter  time.Time // zero = not stated
}

// IssuedResponse is a response ready to be sent.
type IssuedResponse struct {
	XML          []byte
	Consumer     IndexedEndpoint // where it goes
	ResponseID   string
	AssertionID  string // "" for an error
	SessionIndex string
	NameID       NameID // as issued
	Encrypted    bool

	audience      string // entity ID of the relying party
	relayState    string
	hasRelayState bool
}

// Form returns the POST form for the response; RelayState is the one that was received.
func (r *IssuedResponse) Form() (PostForm, error) {
	f, err := NewPostForm(r.Consumer.ResponseURL(), FieldResponse, r.XML, r.relayState)
	f.HasRelayState = r.hasRelayState
	return f, err
}

// ErrNameIDPolicy is returned by [IdentityProvider.Issue] when the subject's NameID does not have the format that the request
// demands; answer with [StatusInvalidNameIDPolicy].
var ErrNameIDPolicy = errors.New("saml: the request demands another NameID format")

// Issue builds the success response to an accepted request: the assertion is signed, encrypted where the relying party has a
// key for it, and the response is signed too where the relying party is set so.
func (idp *IdentityProvider) Issue(a *AcceptedRequest, s SubjectStatement) (*IssuedResponse, error) {
	if s.NameID.Value == "" {
		return nil, errors.New("saml: SubjectStatement.NameID is empty")
	}
	if wantsTransient(a.Request) && s.NameID.Format != NameIDFormatTransient {
		// A transient identifier is a fresh random value by definition (core 8.3.8), so none has to be looked up.
		s.NameID = NameID{Value: newID(), Format: NameIDFormatTransient}
	}
	if err := checkNameIDPolicy(a.Request, s.NameID); err != nil {
		return nil, err
	}
	b := &responseBuilder{idp: idp, a: a, rp: a.RelyingParty, s: s, now: idp.cfg.Now()}
	cert, alg, err := b.rp.encryption()
	if err != nil {
		return nil, err
	}
	assertion, err := b.assertion(cert, alg)
	if err != nil {
		return nil, err
	}
	typed := b.typed
	if cert != nil {
		if assertion, err = encryptElement("saml:EncryptedAssertion", assertion, cert, alg); err != nil {
			return nil, err
		}
		typed = false // the prefixes went with the plain text
	}
	out := &IssuedResponse{Consumer: a.Consumer, AssertionID: b.id, SessionIndex: b.sessionIndex, NameID: s.NameID, Encrypted: cert != nil}
	return out, b.response(out, StatusSuccess, "", "", assertion, typed)
}

// Refuse builds a response with an error status and without an assertion; it is signed. Top is StatusRequester or
// StatusResponder, second a code below it or "", message a text for people or "".
func (idp *IdentityProvider) Refuse(a *AcceptedRequest, top, second, message string) (*IssuedResponse, error) {
	if top == StatusSuccess || top == "" {
		return nil, errors.New("saml: an error response needs an error status")
	}
	b := &responseBuilder{idp: idp, a: a, rp: a.RelyingParty, now: idp.cfg.Now()}
	out := &IssuedResponse{Consumer: a.Consumer}
	return out, b.response(out, top, second, message, nil, false)
}

func wantsTransient(r *AuthnRequest) bool {
	return r != nil && r.NameIDPolicy != nil && r.NameIDPolicy.Format == NameIDFormatTransient
}

// checkNameIDPolicy holds the NameID against what the request demands (core 3.4.1.1). Unspecified demands nothing.
func checkNameIDPolicy(r *AuthnRequest, n NameID) error {
	if r == nil || r.NameIDPolicy == nil {
		return nil
	}
	p := r.NameIDPolicy
	if p.SPNameQualifier != "" && p.SPNameQualifier != r.Issuer {
		return ErrNameIDPolicy // affiliations are not known here
	}
	switch p.Format {
	case "", NameIDFormatUnspecified, NameIDFormatEncrypted, n.Format:
		return nil
	}
	return ErrNameIDPolicy
}

// encryption returns the certificate and algorithm to encrypt with, or nil for a plain assertion.
func (rp *RelyingParty) encryption() (*x509.Certificate, string, error) {
	if rp.Encrypt == EncryptNever {
		return nil, "", nil
	}
	if len(rp.EncryptionCertificates) == 0 {
		if rp.Encrypt == EncryptAlways {
			return nil, "", fmt.Errorf("saml: %s demands encryption and has no key for it", rp.EntityID)
		}
		return nil, "", nil
	}
	alg, err := xmlenc.ChooseContent(rp.EncryptionMethods)
	if err != nil {
		return nil, "", err
	}
	return rp.EncryptionCertificates[0], alg, nil
}

// encryptElement replaces an element by one of the given name that holds its cipher text.
func encryptElement(name string, plain []byte, cert *x509.Certificate, alg string) ([]byte, error) {
	data, err := xmlenc.Encrypt(plain, cert, alg, "")
	if err != nil {
		return nil, err
	}
	w := &markup{}
	return w.open(name).add(data).close().bytes()
}

type responseBuilder struct {
	idp          *IdentityProvider
	a            *AcceptedRequest
	rp           *RelyingParty
	s            SubjectStatement
	now          time.Time
	id           string
	sessionIndex string
	typed        bool // attribute values carry xsi:type, whose prefixes the signature lists
}

func (b *responseBuilder) inResponseTo() string {
	if b.a.Request == nil {
		return ""
	}
	return b.a.Request.ID
}

// typePrefixes stand in xsi:type="xs:string", where exclusive canonicalisation does not look for prefixes; listing both keeps
// them signed and declared once.
const typePrefixes = "xs xsi"

func prefixListFor(typed bool) string {
	if typed {
		return typePrefixes
	}
	return ""
}

// assertion writes saml:Assertion (core 2.3.3) in AD FS's order of statements: attributes, then authentication.
func (b *responseBuilder) assertion(cert *x509.Certificate, alg string) ([]byte, error) {
	b.id = newID()
	b.sessionIndex = b.s.SessionIndex
	if b.sessionIndex == "" {
		b.sessionIndex = b.id
	}
	b.typed = slices.ContainsFunc(b.s.Attributes, func(a Attribute) bool { return len(a.Values) > 0 })
	var declare []string
	if b.typed {
		declare = []string{"xs", "xsi"}
	}
	w := &markup{}
	w.openDeclaring("saml:Assertion", declare, attr{"ID", b.id}, attr{"IssueInstant", instant(b.now)}, attr{"Version", "2.0"})
	w.leaf("saml:Issuer", b.idp.cfg.EntityID)
	if err := b.subject(w, cert, alg); err != nil {
		return nil, err
	}
	life := orDuration(b.rp.AssertionLifetime, b.idp.cfg.AssertionLifetime)
	w.open("saml:Conditions", attr{"NotBefore", instant(b.now.Add(-b.idp.cfg.NotBeforeSkew))}, attr{"NotOnOrAfter", instant(b.now.Add(life))})
	w.open("saml:AudienceRestriction").leaf("saml:Audience", b.rp.EntityID).close().close()
	if err := b.attributes(w); err != nil {
		return nil, err
	}
	b.authn(w)
	if w.close(); b.rp.Sign == SignResponse {
		return w.bytes()
	}
	return w.signed(b.idp.signing, prefixListFor(b.typed))
}

func (b *responseBuilder) subject(w *markup, cert *x509.Certificate, alg string) error {
	w.open("saml:Subject")
	if b.rp.EncryptNameID || (b.a.Request != nil && b.a.Request.NameIDPolicy != nil && b.a.Request.NameIDPolicy.Format == NameIDFormatEncrypted) {
		if err := b.encryptedID(w, cert, alg); err != nil {
			return err
		}
	} else {
		writeNameID(w, "saml:NameID", b.s.NameID)
	}
	w.open("saml:SubjectConfirmation", attr{"Method", confirmationBearer})
	w.open("saml:SubjectConfirmationData", attr{"InResponseTo", b.inResponseTo()}, attr{"NotOnOrAfter", instant(b.now.Add(b.idp.cfg.ConfirmationLife))},
		attr{"Recipient", b.a.Consumer.ResponseURL()})
	w.close().close().close()
	return nil
}

// encryptedID needs a key of its own even where the assertion stays plain.
func (b *responseBuilder) encryptedID(w *markup, cert *x509.Certificate, alg string) error {
	if cert == nil {
		forced := *b.rp
		forced.Encrypt = EncryptAlways
		var err error
		if cert, alg, err = forced.encryption(); err != nil {
			return err
		}
	}
	inner := &markup{}
	writeNameID(inner, "saml:NameID", b.s.NameID)
	plain, err := inner.bytes()
	if err != nil {
		return err
	}
	enc, err := xmlenc.Encrypt(plain, cert, alg, "")
	if err != nil {
		return err
	}
	w.open("saml:EncryptedID").add(enc).close()
	return nil
}

func (b *responseBuilder) attributes(w *markup) error {
	if len(b.s.Attributes) == 0 {
		return nil
	}
	w.open("saml:AttributeStatement")
	for _, a := range b.s.Attributes {
		if a.Name == "" {
			return errors.New("saml: an attribute has no name")
		}
		if a.NameFormat == "" {
			a.NameFormat = b.rp.AttributeNameFormat
		}
		writeAttribute(w, a)
	}
	w.close()
	return nil
}

func (b *responseBuilder) authn(w *markup) {
	at := b.s.AuthnInstant
	if at.IsZero() {
		at = b.now
	}
	class := b.s.AuthnContextClassRef
	if class == "" {
		class = AuthnContextUnspecified
	}
	w.open("saml:AuthnStatement", attr{"AuthnInstant", instant(at)}, attr{"SessionIndex", b.sessionIndex},
		attr{"SessionNotOnOrAfter", instant(b.s.SessionNotOnOrAfter)})
	w.open("saml:AuthnContext").leaf("saml:AuthnContextClassRef", class).close().close()
}

// response writes samlp:Response (core 3.3.3) around what it is given. An error response is always signed: there is no
// assertion whose signature could speak for it.
func (b *responseBuilder) response(out *IssuedResponse, top, second, message string, assertion []byte, typed bool) error {
	out.ResponseID, out.audience, out.relayState, out.hasRelayState = newID(), b.rp.EntityID, b.a.RelayState, b.a.HasRelayState
	w := &markup{}
	w.open("samlp:Response", attr{"Consent", consentUnspecified}, attr{"Destination", b.a.Consumer.ResponseURL()}, attr{"ID", out.ResponseID},
		attr{"InResponseTo", b.inResponseTo()}, attr{"IssueInstant", instant(b.now)}, attr{"Version", "2.0"})
	w.leaf("saml:Issuer", b.idp.cfg.EntityID)
	writeStatus(w, top, second, message)
	w.add(assertion).close()
	var err error
	if assertion == nil || b.rp.Sign != SignAssertion {
		out.XML, err = w.signed(b.idp.signing, prefixListFor(typed))
	} else {
		out.XML, err = w.bytes()
	}
	return err
}

func writeStatus(w *markup, top, second, message string) {
	w.open("samlp:Status").open("samlp:StatusCode", attr{"Value", top})
	if second != "" {
		w.open("samlp:StatusCode", attr{"Value", second}).close()
	}
	w.close()
	if message != "" {
		w.leaf("samlp:StatusMessage", message)
	}
	w.close()
}
