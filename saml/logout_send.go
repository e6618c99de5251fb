package saml

import "errors"

// NewRequest prepares a request to a partner; send it with [LogoutService.Send].
func (l *LogoutService) NewRequest(nameID NameID, indexes ...string) *LogoutRequest {
	now := l.cfg.Now()
	return &LogoutRequest{ID: newID(), IssueInstant: now, Issuer: l.cfg.EntityID, NameID: nameID, SessionIndexes: indexes, NotOnOrAfter: now.Add(logoutLife), Reason: logoutReasonUser}
}

// NewResponse prepares the answer to a request.
func (l *LogoutService) NewResponse(r *LogoutRequest, status, second string) *LogoutResponse {
	return &LogoutResponse{
		ID: newID(), IssueInstant: l.cfg.Now(), Issuer: l.cfg.EntityID, InResponseTo: r.ID, Status: status, SecondStatus: second,
		RelayState: r.RelayState, HasRelayState: r.HasRelayState,
	}
}

// Outgoing is a message on its way through the browser: a redirect or a form.
type Outgoing struct {
	URL  string    // for the Redirect binding
	Form *PostForm // for the POST binding
}

// ErrNoEndpoint is returned when a partner has no address for the message.
var ErrNoEndpoint = errors.New("saml: the partner has no endpoint for this")

// FrontChannel returns the partner's logout address for the browser, Redirect before POST.
func (p LogoutPeer) FrontChannel() (Endpoint, error) {
	for _, b := range []string{BindingHTTPRedirect, BindingHTTPPost} {
		if e, ok := EndpointFor(p.SingleLogout, b); ok {
			return e, nil
		}
	}
	return Endpoint{}, ErrNoEndpoint
}

// SendRequest signs a request for the partner's front-channel address.
func (l *LogoutService) SendRequest(p LogoutPeer, r *LogoutRequest, relayState string) (Outgoing, error) {
	e, err := p.FrontChannel()
	if err != nil {
		return Outgoing{}, err
	}
	r.Destination = e.Location
	return l.send(e.Binding, e.Location, FieldRequest, relayState, relayState != "", r.write)
}

// SendResponse signs a response for the partner's front-channel address.
func (l *LogoutService) SendResponse(p LogoutPeer, r *LogoutResponse) (Outgoing, error) {
	e, err := p.FrontChannel()
	if err != nil {
		return Outgoing{}, err
	}
	r.Destination = e.ResponseURL()
	return l.send(e.Binding, r.Destination, FieldResponse, r.RelayState, r.HasRelayState, r.write)
}

func (l *LogoutService) send(binding, to string, field Field, relayState string, has bool, write func(*markup)) (Outgoing, error) {
	w := &markup{}
	write(w)
	if binding == BindingHTTPRedirect {
		doc, err := w.signed(nil, "")
		if err != nil {
			return Outgoing{}, err
		}
		u, err := EncodeRedirect(RedirectMessage{Location: to, Response: field == FieldResponse, XML: doc, RelayState: relayState, Key: &l.cfg.Key})
		return Outgoing{URL: u}, err
	}
	doc, err := w.signed(l.signer, "")
	if err != nil {
		return Outgoing{}, err
	}
	form, err := NewPostForm(to, field, doc, relayState)
	form.HasRelayState = has
	return Outgoing{Form: &form}, err
}

func (r *LogoutRequest) write(w *markup) {
	w.open("samlp:LogoutRequest", attr{"ID", r.ID}, attr{"Version", "2.0"}, attr{"IssueInstant", instant(r.IssueInstant)},
		attr{"Destination", r.Destination}, attr{"NotOnOrAfter", instant(r.NotOnOrAfter)}, attr{"Reason", r.Reason})
	w.leaf("saml:Issuer", r.Issuer)
	writeNameID(w, "saml:NameID", r.NameID)
	for _, i := range r.SessionIndexes {
		w.leaf("samlp:SessionIndex", i)
	}
	w.close()
}

func (r *LogoutResponse) write(w *markup) {
	w.open("samlp:LogoutResponse", attr{"ID", r.ID}, attr{"Version", "2.0"}, attr{"IssueInstant", instant(r.IssueInstant)},
		attr{"Destination", r.Destination}, attr{"InResponseTo", r.InResponseTo})
	w.leaf("saml:Issuer", r.Issuer)
	writeStatus(w, r.Status, r.SecondStatus, r.Message)
	w.close()
}

// RequestEnvelope signs a request for the partner's SOAP address and returns envelope and address (profiles 4.4, back channel).
func (l *LogoutService) RequestEnvelope(p LogoutPeer, r *LogoutRequest) (envelope []byte, location string, err error) {
	e, ok := EndpointFor(p.SingleLogout, BindingSOAP)
	if !ok {
		return nil, "", ErrNoEndpoint
	}
	r.Destination = e.Location
	envelope, err = l.envelope(r.write)
	return envelope, e.Location, err
}

// ResponseEnvelope signs the answer to a request that came by SOAP.
func (l *LogoutService) ResponseEnvelope(r *LogoutResponse) ([]byte, error) {
	return l.envelope(r.write)
}

func (l *LogoutService) envelope(write func(*markup)) ([]byte, error) {
	w := &markup{}
	write(w)
	doc, err := w.signed(l.signer, "")
	if err != nil {
		return nil, err
	}
	return WrapSOAP(doc)
}

// SameName reports whether two NameIDs mean the same principal between two partners (core 2.2.2): the same value, and no
// contradiction in what else both of them state.
func SameName(a, b NameID) bool {
	agree := func(x, y string) bool { return x == y || x == "" || y == "" }
	format := func(f string) string {
		if f == NameIDFormatUnspecified {
			return ""
		}
		return f
	}
	return a.Value == b.Value && agree(format(a.Format), format(b.Format)) && agree(a.NameQualifier, b.NameQualifier) &&
		agree(a.SPNameQualifier, b.SPNameQualifier)
}
