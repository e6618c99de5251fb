package saml

import (
	"crypto"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// trust is what a partner's signatures are verified with.
type trust struct {
	keys   []crypto.PublicKey
	policy AlgorithmPolicy
}

// header holds what every protocol message carries (core 3.2.1, 3.2.2).
type header struct {
	id           string
	issueInstant time.Time
	issuer       string
	destination  string
	inResponseTo string
}

// Kind passes the document through the gate and returns the local name of its root element in the protocol namespace:
// AuthnRequest, LogoutRequest, LogoutResponse, Response and so on. It decides which handler gets the message, no more.
func (m *Message) Kind() (string, error) {
	doc, err := parseXML(m.xml, xmlgate.Limits{})
	if err != nil {
		return "", err
	}
	root := doc.Root()
	if root.Space() != nsProtocol {
		return "", reject(ReasonBinding, "the message is not of the SAML 2.0 protocol namespace", nil)
	}
	return root.Local(), nil
}

// PeekResponse returns which request a response says it answers, "" for none, and who says so. Neither may be believed: they only
// help to find the request that the response will then be held against.
func PeekResponse(doc []byte) (inResponseTo, issuer string, err error) {
	d, err := uniqueIDs(xmlgate.ParseOwned(doc, xmlgate.Limits{})) // read at once; what is returned is copied
	if err != nil {
		return "", "", err
	}
	inResponseTo, _ = d.Root().Attr("InResponseTo")
	if _, n := d.Root().Only(nsAssertion, "Issuer"); n == 1 {
		if issuer, err = peekIssuer(d.Root()); err != nil {
			return "", "", err
		}
	}
	return strings.Clone(inResponseTo), strings.Clone(issuer), nil
}

// open passes the document through the gate and checks the root element.
func (m *Message) open(local string) (xmlgate.Elem, error) {
	lim := xmlgate.Limits{Bytes: maxRedirectInflated} // requests and logout messages are small on every binding
	return openProtocol(m.xml, lim, local)
}

func openProtocol(raw []byte, lim xmlgate.Limits, local string) (xmlgate.Elem, error) {
	doc, err := parseXML(raw, lim)
	if err != nil {
		return xmlgate.Elem{}, err
	}
	root := doc.Root()
	if !root.Is(nsProtocol, local) {
		return xmlgate.Elem{}, reject(ReasonBinding, "the message is no samlp:"+local, nil)
	}
	return root, nil
}

// peekIssuer reads the Issuer of an unverified message, only to find the keys that it must be verified with; the value is
// compared again after verification.
func peekIssuer(el xmlgate.Elem) (string, error) {
	is, n := el.Only(nsAssertion, "Issuer")
	if n != 1 {
		return "", reject(ReasonIssuer, "the message must have one Issuer", nil)
	}
	return issuerText(is)
}

func issuerText(is xmlgate.Elem) (string, error) {
	if f, ok := is.Attr("Format"); ok && f != NameIDFormatEntity {
		return "", reject(ReasonIssuer, "Issuer Format is not entity", nil)
	}
	text, err := textOf(is)
	if err != nil {
		return "", err
	}
	if text == "" || len(text) > 1024 {
		return "", reject(ReasonIssuer, "Issuer must have 1 to 1024 characters", nil)
	}
	return text, nil
}

// verified returns the element to read, and whether a signature covers it. A signature that is there must verify, whether it is
// demanded or not. With the redirect binding the detached one covers every octet of the message and decides alone; an embedded one,
// which some peers leave in against bindings 3.4.4.1, is no substitute for it.
func (m *Message) verified(el xmlgate.Elem, t trust) (xmlgate.Elem, bool, error) {
	if err := noStraySignature(el); err != nil {
		return el, false, err
	}
	if m.signature != nil {
		return el, true, m.detachedOK(t)
	}
	if hasSignature(el) {
		v, err := verifySigned(el, t.keys, t.policy)
		if err != nil {
			return el, false, err
		}
		return v.root, m.binding != BindingHTTPRedirect, nil
	}
	return el, false, nil
}

// noStraySignature refuses a ds:Signature below the place where it belongs: it would be a captured one. Those that are children of the
// message are counted and placed when they are verified.
func noStraySignature(message xmlgate.Elem) error {
	for el := range message.Descendants() {
		if el.Is(nsDSig, "Signature") && el.Parent() != message {
			return reject(ReasonSignatureShape, "a Signature stands where none may stand", nil)
		}
	}
	return nil
}

// headerRules says what the header of a message is held against.
type headerRules struct {
	issuer       string
	destination  []string // accepted addresses
	needDest     bool     // Destination is required (a signed message, bindings 3.4.5.2 and 3.5.5.2)
	now          time.Time
	skew, maxAge time.Duration
}

// readHeader reads and checks the common part of a message, in the order of saml-core 3.2.
func readHeader(el xmlgate.Elem, r headerRules) (header, error) {
	var h header
	var err error
	if v, _ := el.Attr("Version"); v != "2.0" {
		return h, reject(ReasonVersion, "Version is not 2.0", nil)
	}
	if h.id, _ = el.Attr("ID"); h.id == "" || len(h.id) > 256 {
		return h, reject(ReasonMissingID, "ID must have 1 to 256 characters", nil)
	}
	at, _ := el.Attr("IssueInstant")
	if h.issueInstant, err = parseTime(at); err != nil {
		return h, reject(ReasonIssueInstant, "IssueInstant", err)
	}
	if h.issueInstant.After(r.now.Add(r.skew)) || h.issueInstant.Before(r.now.Add(-r.maxAge-r.skew)) {
		return h, reject(ReasonIssueInstant, "IssueInstant is in the future or too old", nil)
	}
	if h.issuer, err = peekIssuer(el); err != nil {
		return h, err
	}
	if h.issuer != r.issuer {
		return h, reject(ReasonIssuer, "Issuer is not "+r.issuer, nil)
	}
	var has bool
	h.destination, has = el.Attr("Destination")
	if has && len(r.destination) > 0 && !oneOf(h.destination, r.destination) || !has && r.needDest {
		return h, reject(ReasonDestination, "Destination is not ours", nil)
	}
	h.inResponseTo, _ = el.Attr("InResponseTo")
	return h, nil
}

func oneOf(s string, list []string) bool {
	for _, l := range list {
		if s == l && l != "" {
			return true
		}
	}
	return false
}
