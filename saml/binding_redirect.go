package saml

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Field is the name of the parameter that carries a message.
type Field string

// The three parameters that can carry a message (bindings 3.4.4, 3.5.4, 3.6.3).
const (
	FieldRequest  Field = "SAMLRequest"
	FieldResponse Field = "SAMLResponse"
	FieldArtifact Field = "SAMLart"
)

const (
	encodingDeflate = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"

	maxRedirectInflated = 1 << 20   // no request or logout message comes near; also the portal's own limit
	maxRedirectEncoded  = 64 << 10  // servers cut query strings at 8 to 64 KiB anyway
	maxRelayStateOut    = 80        // bindings 3.4.3
	maxRelayStateIn     = 1024      // peers exceed 80 in practice
	maxPostMessage      = 4 << 20   // base64 text
	maxPostXML          = 2 << 20   // after decoding
	defaultMessageAge   = time.Hour // of requests and logout messages
)

// RedirectMessage is what [EncodeRedirect] sends.
type RedirectMessage struct {
	Location   string // the endpoint; its own query is kept
	Response   bool   // SAMLResponse instead of SAMLRequest
	XML        []byte // without an embedded signature (bindings 3.4.4.1)
	RelayState string // at most 80 bytes; "" = left out
	Key        *KeyPair
}

// EncodeRedirect returns the URL of the HTTP-Redirect binding with DEFLATE encoding; with a key it ends in SigAlg and
// Signature over the octets that stand before it (bindings 3.4.4.1).
func EncodeRedirect(m RedirectMessage) (string, error) {
	if err := checkLocation(m.Location, true); err != nil {
		return "", err
	}
	check := checkRelayStateOut
	if m.Response {
		check = checkRelayStateIn // an answer carries what it was asked with
	}
	if err := check(m.RelayState); err != nil {
		return "", err
	}
	var buf bytes.Buffer
	fw, err := flate.NewWriter(&buf, flate.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := fw.Write(m.XML); err != nil {
		return "", err
	}
	if err := fw.Close(); err != nil {
		return "", err
	}
	field := FieldRequest
	if m.Response {
		field = FieldResponse
	}
	q := string(field) + "=" + url.QueryEscape(base64Text(buf.Bytes()))
	if m.RelayState != "" {
		q += "&RelayState=" + url.QueryEscape(m.RelayState)
	}
	if m.Key != nil {
		if q, err = signQuery(q, *m.Key); err != nil {
			return "", err
		}
	}
	sep := "?"
	if strings.Contains(m.Location, "?") {
		sep = "&"
	}
	return m.Location + sep + q, nil
}

func signQuery(q string, key KeyPair) (string, error) {
	s, err := key.signer()
	if err != nil {
		return "", err
	}
	q += "&SigAlg=" + url.QueryEscape(s.Algorithm())
	sig, err := s.Detached([]byte(q))
	if err != nil {
		return "", err
	}
	return q + "&Signature=" + url.QueryEscape(base64Text(sig)), nil
}

// Message is one message as a binding delivered it: decoded, but not parsed and not verified. Only functions of this package
// look into it.
type Message struct {
	Field         Field  // SAMLRequest or SAMLResponse
	RelayState    string // exactly as received
	HasRelayState bool

	binding   string
	xml       []byte
	octets    string // what the detached signature covers, as received
	sigAlg    string
	signature []byte // nil = no detached signature
}

// Binding returns the binding that the message came by.
func (m *Message) Binding() string { return m.binding }

// UnverifiedXML returns the decoded document, for logs and debuggers. Nothing in it may be believed.
func (m *Message) UnverifiedXML() []byte { return m.xml }

// DecodeRedirect reads the raw query of a request to an endpoint (bindings 3.4.4). Every parameter of the binding may stand
// there once only, SAMLRequest and SAMLResponse exclude each other, SigAlg and Signature need each other. The signature is
// kept for the check against the octets exactly as they were received.
func DecodeRedirect(rawQuery string) (*Message, error) {
	if len(rawQuery) > maxRedirectEncoded {
		return nil, reject(ReasonTooLarge, "query of the redirect binding", nil)
	}
	p, err := splitQuery(rawQuery)
	if err != nil {
		return nil, err
	}
	m := &Message{binding: BindingHTTPRedirect, Field: FieldRequest}
	raw, isRequest := p[string(FieldRequest)]
	resp, isResponse := p[string(FieldResponse)]
	switch {
	case isRequest == isResponse:
		return nil, reject(ReasonBinding, "exactly one of SAMLRequest and SAMLResponse must be there", nil)
	case isResponse:
		m.Field, raw = FieldResponse, resp
	}
	if enc, ok := p["SAMLEncoding"]; ok && enc.value != encodingDeflate {
		return nil, reject(ReasonBinding, "SAMLEncoding is not DEFLATE", nil)
	}
	m.octets = string(m.Field) + "=" + raw.raw
	if rs, ok := p["RelayState"]; ok {
		m.RelayState, m.HasRelayState = rs.value, true
		m.octets += "&RelayState=" + rs.raw
	}
	if err := checkRelayStateIn(m.RelayState); err != nil {
		return nil, err
	}
	if err := m.takeSignature(p); err != nil {
		return nil, err
	}
	if m.xml, err = inflate(raw.value); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Message) takeSignature(p map[string]queryParam) error {
	alg, hasAlg := p["SigAlg"]
	sig, hasSig := p["Signature"]
	if hasAlg != hasSig {
		return reject(ReasonBinding, "SigAlg and Signature need each other", nil)
	}
	if !hasSig {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(sig.value)
	if err != nil || len(b) == 0 {
		return reject(ReasonMalformedBase64, "Signature of the redirect binding", err)
	}
	m.sigAlg, m.signature = alg.value, b
	m.octets += "&SigAlg=" + alg.raw
	return nil
}

// queryParam is a value as it stands in the query and decoded.
type queryParam struct{ raw, value string }

// splitQuery keeps the raw octets. Names are compared after decoding, so that a second SAMLRequest cannot hide behind an
// escape; other parameters belong to the endpoint's own address and are passed over.
func splitQuery(q string) (map[string]queryParam, error) {
	out := map[string]queryParam{}
	for part := range strings.SplitSeq(q, "&") {
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, reject(ReasonBinding, "malformed query", err)
		}
		if !isSAMLParameter(name) {
			continue
		}
		if name != rawName {
			return nil, reject(ReasonBinding, "an escaped parameter name", nil)
		}
		if _, dup := out[name]; dup {
			return nil, reject(ReasonBinding, "parameter "+name+" occurs twice", nil)
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, reject(ReasonBinding, "malformed query", err)
		}
		out[name] = queryParam{rawValue, value}
	}
	return out, nil
}

func isSAMLParameter(name string) bool {
	return slices.Contains(samlParameters(), name)
}

// inflate decodes base64 and DEFLATE with caps on both sides and refuses bytes after the end of the stream.
func inflate(text string) ([]byte, error) {
	deflated, err := decodeBase64(text, maxRedirectEncoded)
	if err != nil {
		return nil, err
	}
	src := bytes.NewReader(deflated)
	fr := flate.NewReader(src)
	defer func() { _ = fr.Close() }()
	out, err := io.ReadAll(io.LimitReader(fr, maxRedirectInflated+1))
	switch {
	case err != nil:
		return nil, reject(ReasonBinding, "malformed DEFLATE stream", err)
	case len(out) > maxRedirectInflated:
		return nil, reject(ReasonTooLarge, "inflated message", nil)
	case src.Len() > 0:
		return nil, reject(ReasonBinding, "bytes after the DEFLATE stream", nil)
	}
	return out, nil
}

var errRelayStateLong = errors.New("saml: RelayState is longer than 80 bytes")

func checkRelayStateOut(s string) error {
	if len(s) > maxRelayStateOut {
		return errRelayStateLong
	}
	return checkRelayStateIn(s)
}

func checkRelayStateIn(s string) error {
	if len(s) > maxRelayStateIn {
		return reject(ReasonRelayState, "longer than 1024 bytes", nil)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return reject(ReasonRelayState, "control character", nil)
	}
	return nil
}

// detachedOK verifies the signature of the redirect binding over the octets as received (bindings 3.4.4.1).
func (m *Message) detachedOK(t trust) error {
	if m.signature == nil {
		return reject(ReasonUnsigned, "no Signature parameter", nil)
	}
	return verifyDetached(m.sigAlg, []byte(m.octets), m.signature, t.keys, t.policy)
}

// SignatureAlgorithm returns the SigAlg parameter of a detached signature, "" when there is none.
func (m *Message) SignatureAlgorithm() string { return m.sigAlg }
