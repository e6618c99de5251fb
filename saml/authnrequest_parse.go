package saml

import (
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

const (
	maxListed   = 256 // class references, IDPEntry and RequesterID of one request
	maxURI      = 4096
	maxNameText = 8192
)

// readAuthnRequest reads the request from el, which is verified when a signature was there. Unknown parts that change the
// meaning (Conditions) are refused; Extensions are passed over.
func readAuthnRequest(el xmlgate.Elem, h header) (*AuthnRequest, error) {
	r := &AuthnRequest{ID: h.id, IssueInstant: h.issueInstant, Issuer: h.issuer, Destination: h.destination}
	r.AssertionConsumerServiceURL, _ = el.Attr("AssertionConsumerServiceURL")
	r.ProtocolBinding, _ = el.Attr("ProtocolBinding")
	r.ProviderName, _ = el.Attr("ProviderName")
	r.Consent, _ = el.Attr("Consent")
	var err error
	if r.ForceAuthn, err = strictBool(el, "ForceAuthn"); err != nil {
		return nil, err
	}
	if r.IsPassive, err = strictBool(el, "IsPassive"); err != nil {
		return nil, err
	}
	if v, ok := el.Attr("AssertionConsumerServiceIndex"); ok {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil {
			return nil, reject(ReasonMalformedXML, "AssertionConsumerServiceIndex", err)
		}
		i := int(n)
		r.AssertionConsumerServiceIndex = &i
		if _, both := el.Attr("AssertionConsumerServiceURL"); both || r.ProtocolBinding != "" {
			return nil, reject(ReasonMalformedXML, "AssertionConsumerService by index and by address", nil)
		}
	}
	for c := range el.Children() {
		if err := r.readChild(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *AuthnRequest) readChild(c xmlgate.Elem) error {
	var err error
	switch {
	case c.Is(nsProtocol, "NameIDPolicy"):
		if r.NameIDPolicy != nil {
			return reject(ReasonMalformedXML, "two NameIDPolicy", nil)
		}
		p := &NameIDPolicy{}
		p.Format, _ = c.Attr("Format")
		p.SPNameQualifier, _ = c.Attr("SPNameQualifier")
		p.AllowCreate, err = strictBool(c, "AllowCreate")
		r.NameIDPolicy = p
	case c.Is(nsProtocol, "RequestedAuthnContext"):
		if r.AuthnContext != nil {
			return reject(ReasonMalformedXML, "two RequestedAuthnContext", nil)
		}
		r.AuthnContext, err = readAuthnContext(c)
	case c.Is(nsProtocol, "Scoping"):
		r.Scoping, err = readScoping(c)
	case c.Is(nsAssertion, "Subject"):
		r.Subject, err = readRequestSubject(c)
	case c.Is(nsAssertion, "Conditions"):
		return reject(ReasonUnsupported, "Conditions in an AuthnRequest", nil)
	}
	return err
}

func readAuthnContext(el xmlgate.Elem) (*RequestedAuthnContext, error) {
	c := &RequestedAuthnContext{}
	c.Comparison, _ = el.Attr("Comparison")
	if !validComparison(c.Comparison) {
		return nil, reject(ReasonAuthnContext, "Comparison", nil)
	}
	for ref := range el.Children() {
		if !ref.Is(nsAssertion, "AuthnContextClassRef") {
			return nil, reject(ReasonUnsupported, "AuthnContextDeclRef in RequestedAuthnContext", nil)
		}
		text, err := textOf(ref)
		if err != nil {
			return nil, err
		}
		if len(c.ClassRefs) >= maxListed || len(text) > maxURI {
			return nil, reject(ReasonTooLarge, "RequestedAuthnContext", nil)
		}
		c.ClassRefs = append(c.ClassRefs, strings.TrimSpace(text))
	}
	if len(c.ClassRefs) == 0 {
		return nil, reject(ReasonAuthnContext, "RequestedAuthnContext names no class", nil)
	}
	return c, nil
}

func readScoping(el xmlgate.Elem) (*Scoping, error) {
	s := &Scoping{}
	if v, ok := el.Attr("ProxyCount"); ok {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil {
			return nil, reject(ReasonMalformedXML, "ProxyCount", err)
		}
		i := int(n)
		s.ProxyCount = &i
	}
	for c := range el.Children() {
		switch {
		case c.Is(nsProtocol, "IDPList"):
			for e := range c.Children() {
				if id, ok := e.Attr("ProviderID"); ok && len(s.IDPs) < maxListed {
					s.IDPs = append(s.IDPs, id)
				}
			}
		case c.Is(nsProtocol, "RequesterID"):
			text, err := textOf(c)
			if err != nil {
				return nil, err
			}
			if len(s.RequesterIDs) < maxListed {
				s.RequesterIDs = append(s.RequesterIDs, text)
			}
		}
	}
	return s, nil
}

func readRequestSubject(el xmlgate.Elem) (*NameID, error) {
	id, n := el.Only(nsAssertion, "NameID")
	if n != 1 {
		return nil, reject(ReasonUnsupported, "a Subject without NameID in an AuthnRequest", nil)
	}
	name, err := readNameID(id)
	if err != nil {
		return nil, err
	}
	if len(name.Value) > maxNameText {
		return nil, reject(ReasonNameID, "NameID is too long", nil)
	}
	return &name, nil
}

// strictBool reads an xs:boolean that decides something: a value that is none is refused.
func strictBool(el xmlgate.Elem, name string) (bool, error) {
	v, ok := el.Attr(name)
	switch strings.TrimSpace(v) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	if !ok {
		return false, nil
	}
	return false, reject(ReasonMalformedXML, name+" is no boolean", nil)
}
