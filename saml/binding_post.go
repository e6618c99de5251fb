package saml

import (
	"net/url"
)

// PostForm is a message in the fields of an HTML form (bindings 3.5.4). The page around it belongs to package samlhttp.
type PostForm struct {
	Action        string
	Field         Field
	Value         string // base64 of the XML
	RelayState    string
	HasRelayState bool // an empty RelayState that was received is sent back as such
}

// NewPostForm checks address and RelayState and encodes the message. RelayState "" is left out.
func NewPostForm(action string, field Field, doc []byte, relayState string) (PostForm, error) {
	if err := checkLocation(action, true); err != nil {
		return PostForm{}, err
	}
	// An answer carries what it was asked with, byte for byte, so the limit is the one for received values.
	if err := checkRelayStateIn(relayState); err != nil {
		return PostForm{}, err
	}
	return PostForm{Action: action, Field: field, Value: base64Text(doc), RelayState: relayState, HasRelayState: relayState != ""}, nil
}

// DecodePost reads a message from the fields of a posted form: pass the values of the body alone, never those of the
// address ([net/http.Request.PostForm]). Fields may stand there once only.
func DecodePost(form url.Values) (*Message, error) {
	for _, name := range samlParameters() {
		if len(form[name]) > 1 {
			return nil, reject(ReasonBinding, "field "+name+" occurs twice", nil)
		}
	}
	m := &Message{binding: BindingHTTPPost, Field: FieldRequest}
	raw, isRequest := form[string(FieldRequest)]
	resp, isResponse := form[string(FieldResponse)]
	switch {
	case form.Has("wa"), form.Has("wresult"):
		return nil, reject(ReasonUnsupported, "WS-Federation", nil)
	case isRequest == isResponse:
		return nil, reject(ReasonBinding, "exactly one of SAMLRequest and SAMLResponse must be there", nil)
	case form.Has("Signature") || form.Has("SigAlg"):
		return nil, reject(ReasonUnsupported, "HTTP-POST-SimpleSign", nil)
	case isResponse:
		m.Field, raw = FieldResponse, resp
	}
	if rs, ok := form["RelayState"]; ok {
		m.RelayState, m.HasRelayState = rs[0], true
	}
	if err := checkRelayStateIn(m.RelayState); err != nil {
		return nil, err
	}
	var err error
	m.xml, err = decodeBase64(raw[0], maxPostMessage)
	if err != nil {
		return nil, err
	}
	if len(m.xml) > maxPostXML {
		return nil, reject(ReasonTooLarge, "posted message", nil)
	}
	return m, nil
}
