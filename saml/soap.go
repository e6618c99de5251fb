package saml

import "github.com/adfedkit/adfedkit/internal/xmlgate"

const maxSOAP = 4 << 20 // bytes of an envelope

// WrapSOAP returns a SOAP 1.1 envelope around one message (bindings 3.2).
func WrapSOAP(message []byte) ([]byte, error) {
	doc, err := parseXML(message, xmlgate.Limits{Bytes: maxSOAP})
	if err != nil {
		return nil, err
	}
	w := &markup{}
	return w.open("soap:Envelope").open("soap:Body").add([]byte(doc.Root().Raw())).close().close().bytes()
}

// UnwrapSOAP returns the message of an envelope as a document of its own: the one child of Body, with every namespace declaration
// that it inherits. A Fault is an error of reason status; a header that must be understood is refused (SOAP 1.1 section 4.2.3).
func UnwrapSOAP(envelope []byte) (*Message, error) {
	doc, err := parseXML(envelope, xmlgate.Limits{Bytes: maxSOAP})
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	if !root.Is(nsSOAP, "Envelope") {
		return nil, reject(ReasonBinding, "no SOAP 1.1 envelope", nil)
	}
	body, n := root.Only(nsSOAP, "Body")
	if n != 1 {
		return nil, reject(ReasonBinding, "an envelope must have one Body", nil)
	}
	if h, ok := root.Child(nsSOAP, "Header"); ok {
		for c := range h.Children() {
			if v, _ := c.AttrNS(nsSOAP, "mustUnderstand"); v == "1" || v == "true" {
				return nil, reject(ReasonUnsupported, "a SOAP header that must be understood", nil)
			}
		}
	}
	child := body.First()
	if child.IsZero() || !child.Next().IsZero() {
		return nil, reject(ReasonBinding, "a SOAP Body must hold one element", nil)
	}
	if child.Is(nsSOAP, "Fault") {
		return nil, reject(ReasonStatus, "SOAP fault", nil)
	}
	m, err := messageOf(child)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// messageOf takes an element out of its document. Inclusive canonicalisation writes the inherited declarations, so an exclusive
// signature inside means the same as before.
func messageOf(el xmlgate.Elem) (*Message, error) {
	raw, err := el.Canonical(nil, xmlgate.Canonicalization{})
	if err != nil {
		return nil, reject(ReasonMalformedXML, "message inside an envelope", err)
	}
	field := FieldRequest
	if _, ok := el.Attr("InResponseTo"); ok {
		field = FieldResponse
	}
	return &Message{Field: field, binding: BindingSOAP, xml: raw}, nil
}
