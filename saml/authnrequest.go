package saml

import (
	"errors"
	"fmt"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
)

// AuthnRequest asks an identity provider to sign somebody in (core 3.4.1). A service provider fills one and sends it with
// [AuthnRequest.Redirect] or [AuthnRequest.Post]; an identity provider gets one from [IdentityProvider.AcceptAuthnRequest].
type AuthnRequest struct {
	ID           string    // "" = made when built
	IssueInstant time.Time // required to build
	Issuer       string    // entity ID of the service provider
	Destination  string    // address of the identity provider

	// At most one of the URL and the index; neither means the default of the service provider's metadata.
	AssertionConsumerServiceURL   string
	AssertionConsumerServiceIndex *int
	ProtocolBinding               string // with the URL only; "" = any

	ForceAuthn   bool
	IsPassive    bool
	ProviderName string
	Consent      string

	NameIDPolicy *NameIDPolicy // nil = none, which is right for AD FS
	AuthnContext *RequestedAuthnContext
	Scoping      *Scoping
	Subject      *NameID // whom to sign in, if the service provider knows already

	// Extensions holds elements of other namespaces that stand in samlp:Extensions, as canonical XML. Building checks that
	// each is one well-formed element of a foreign namespace. Parsing leaves it empty: nothing there is understood.
	Extensions []string
}

// NameIDPolicy is what a service provider wishes the NameID to be (core 3.4.1.1).
type NameIDPolicy struct {
	Format          string
	SPNameQualifier string
	AllowCreate     bool
}

// RequestedAuthnContext is how strong the authentication must be (core 3.3.2.2.1).
type RequestedAuthnContext struct {
	Comparison string // exact, minimum, maximum or better; "" = exact
	ClassRefs  []string
}

// Scoping limits proxying (core 3.4.1.2).
type Scoping struct {
	ProxyCount   *int
	IDPs         []string // entity IDs
	RequesterIDs []string
}

// Marshal returns the request as XML, unsigned (for the Redirect binding, whose signature stands beside it).
func (r *AuthnRequest) Marshal() ([]byte, error) { return r.marshal(nil) }

// Sign returns the request with an enveloped signature (for the POST binding).
func (r *AuthnRequest) Sign(key KeyPair) ([]byte, error) {
	s, err := key.signer()
	if err != nil {
		return nil, err
	}
	return r.marshal(s)
}

// Redirect returns the address at the identity provider that carries the request (bindings 3.4). A nil key means unsigned.
func (r *AuthnRequest) Redirect(relayState string, key *KeyPair) (string, error) {
	doc, err := r.Marshal()
	if err != nil {
		return "", err
	}
	return EncodeRedirect(RedirectMessage{Location: r.Destination, XML: doc, RelayState: relayState, Key: key})
}

// Post returns the form that carries the request (bindings 3.5). A nil key means unsigned.
func (r *AuthnRequest) Post(relayState string, key *KeyPair) (PostForm, error) {
	var s *xmldsig.Signer
	if key != nil {
		var err error
		if s, err = key.signer(); err != nil {
			return PostForm{}, err
		}
	}
	doc, err := r.marshal(s)
	if err != nil {
		return PostForm{}, err
	}
	return NewPostForm(r.Destination, FieldRequest, doc, relayState)
}

func (r *AuthnRequest) check() error {
	switch {
	case r.Issuer == "":
		return errors.New("saml: AuthnRequest.Issuer is empty")
	case r.IssueInstant.IsZero():
		return errors.New("saml: AuthnRequest.IssueInstant is zero")
	case r.AssertionConsumerServiceIndex != nil && (r.AssertionConsumerServiceURL != "" || r.ProtocolBinding != ""):
		return errors.New("saml: AuthnRequest has both an index and an address for its assertion consumer service (core 3.4.1)")
	case r.AssertionConsumerServiceIndex != nil && (*r.AssertionConsumerServiceIndex < 0 || *r.AssertionConsumerServiceIndex > 65535):
		return errors.New("saml: AuthnRequest.AssertionConsumerServiceIndex is no unsigned short")
	case r.AuthnContext != nil && len(r.AuthnContext.ClassRefs) == 0:
		return errors.New("saml: AuthnRequest.AuthnContext names no class")
	}
	if r.AuthnContext != nil && !validComparison(r.AuthnContext.Comparison) {
		return fmt.Errorf("saml: AuthnContext comparison %q", r.AuthnContext.Comparison)
	}
	return nil
}

func validComparison(c string) bool {
	switch c {
	case "", "exact", "minimum", "maximum", "better":
		return true
	}
	return false
}

func (r *AuthnRequest) marshal(s *xmldsig.Signer) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.ID == "" {
		r.ID = newID()
	}
	index := ""
	if r.AssertionConsumerServiceIndex != nil {
		index = intAttr(*r.AssertionConsumerServiceIndex)
	}
	w := &markup{}
	w.open("samlp:AuthnRequest", attr{"ID", r.ID}, attr{"Version", "2.0"}, attr{"IssueInstant", instant(r.IssueInstant)},
		attr{"Destination", r.Destination}, attr{"Consent", r.Consent}, attr{"ForceAuthn", boolAttr(r.ForceAuthn)},
		attr{"IsPassive", boolAttr(r.IsPassive)}, attr{"ProtocolBinding", r.ProtocolBinding}, attr{"ProviderName", r.ProviderName},
		attr{"AssertionConsumerServiceIndex", index}, attr{"AssertionConsumerServiceURL", r.AssertionConsumerServiceURL})
	w.leaf("saml:Issuer", r.Issuer)
	if err := writeExtensions(w, r.Extensions); err != nil {
		return nil, err
	}
	if r.Subject != nil {
		w.open("saml:Subject")
		writeNameID(w, "saml:NameID", *r.Subject)
		w.close()
	}
	if p := r.NameIDPolicy; p != nil {
		w.open("samlp:NameIDPolicy", attr{"AllowCreate", boolAttr(p.AllowCreate)}, attr{"Format", p.Format},
			attr{"SPNameQualifier", p.SPNameQualifier}).close()
	}
	r.AuthnContext.write(w)
	r.Scoping.write(w)
	return w.close().signed(s, "")
}

func (c *RequestedAuthnContext) write(w *markup) {
	if c == nil {
		return
	}
	w.open("samlp:RequestedAuthnContext", attr{"Comparison", c.Comparison})
	for _, ref := range c.ClassRefs {
		w.leaf("saml:AuthnContextClassRef", ref)
	}
	w.close()
}

func (s *Scoping) write(w *markup) {
	if s == nil {
		return
	}
	count := ""
	if s.ProxyCount != nil {
		count = intAttr(*s.ProxyCount)
	}
	w.open("samlp:Scoping", attr{"ProxyCount", count})
	if len(s.IDPs) > 0 {
		w.open("samlp:IDPList")
		for _, id := range s.IDPs {
			w.open("samlp:IDPEntry", attr{"ProviderID", id}).close()
		}
		w.close()
	}
	for _, id := range s.RequesterIDs {
		w.leaf("samlp:RequesterID", id)
	}
	w.close()
}
