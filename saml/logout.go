package saml

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

const logoutLife = 5 * time.Minute // NotOnOrAfter of the requests that are sent

// LogoutRequest asks to end a session (core 3.7.1).
type LogoutRequest struct {
	ID             string // "" = made when built
	IssueInstant   time.Time
	Issuer         string
	Destination    string
	NameID         NameID
	SessionIndexes []string // none = all sessions of the NameID
	NotOnOrAfter   time.Time
	Reason         string

	RelayState    string // as received
	HasRelayState bool
	Binding       string
}

// LogoutResponse answers a [LogoutRequest] (core 3.7.2).
type LogoutResponse struct {
	ID           string // "" = made when built
	IssueInstant time.Time
	Issuer       string
	Destination  string
	InResponseTo string
	Status       string // top-level code
	SecondStatus string // code below it, "" for none
	Message      string

	RelayState    string
	HasRelayState bool
}

// Partial reports whether the other side says that somebody may still be signed in.
func (r *LogoutResponse) Partial() bool {
	return r.Status != StatusSuccess || r.SecondStatus == StatusPartialLogout
}

// LogoutPeer is a partner of single logout, of either role.
type LogoutPeer struct {
	EntityID     string
	Certificates []*x509.Certificate // keys that its messages are verified with
	Keys         []crypto.PublicKey  // further ones, without a certificate
	Algorithms   AlgorithmPolicy
	SingleLogout []Endpoint
}

// LogoutPeer returns the partner as single logout needs it.
func (rp *RelyingParty) LogoutPeer() LogoutPeer {
	return LogoutPeer{EntityID: rp.EntityID, Certificates: rp.SigningCertificates, Algorithms: rp.Algorithms, SingleLogout: rp.SingleLogout}
}

// LogoutServiceConfig configures a [LogoutService]. The fields above the blank line are required.
type LogoutServiceConfig struct {
	EntityID  string
	Key       KeyPair  // every message is signed (profiles 4.4.3.1 and 4.4.3.5)
	Locations []string // our own addresses, as Destination must name them
	Peer      func(ctx context.Context, entityID string) (LogoutPeer, error)
	Replay    ReplayStore

	DecryptionKeys []crypto.Decrypter // for an EncryptedID in a request
	ClockSkew      time.Duration      // 0 = 3 min, at most 10 min
	Now            func() time.Time
}

// LogoutService builds and verifies the messages of single logout for either role (profiles 4.4).
type LogoutService struct {
	cfg    LogoutServiceConfig
	signer *xmldsig.Signer
}

// NewLogoutService checks the configuration.
func NewLogoutService(cfg LogoutServiceConfig) (*LogoutService, error) {
	switch {
	case cfg.EntityID == "":
		return nil, errors.New("saml: LogoutServiceConfig.EntityID is empty")
	case len(cfg.Locations) == 0:
		return nil, errors.New("saml: LogoutServiceConfig.Locations is empty")
	case cfg.Peer == nil || cfg.Replay == nil:
		return nil, errors.New("saml: LogoutServiceConfig needs Peer and Replay")
	case cfg.ClockSkew < 0 || cfg.ClockSkew > maxSkew:
		return nil, errors.New("saml: LogoutServiceConfig.ClockSkew must be between 0 and 10 minutes")
	}
	s, err := cfg.Key.signer()
	if err != nil {
		return nil, fmt.Errorf("saml: LogoutServiceConfig.Key: %w", err)
	}
	cfg.ClockSkew = orDuration(cfg.ClockSkew, defaultSkew)
	cfg.Now = clock.Or(cfg.Now)
	return &LogoutService{cfg: cfg, signer: s}, nil
}

// WithPeer returns a copy that looks partners up with peer: those of one tenant.
func (l *LogoutService) WithPeer(peer func(ctx context.Context, entityID string) (LogoutPeer, error)) *LogoutService {
	c := *l
	c.cfg.Peer = peer
	return &c
}

// AcceptRequest verifies a LogoutRequest: known issuer, signature, time, Destination, not seen before.
func (l *LogoutService) AcceptRequest(ctx context.Context, m *Message) (*LogoutRequest, LogoutPeer, error) {
	el, h, peer, err := l.accept(ctx, m, "LogoutRequest", FieldRequest)
	if err != nil {
		return nil, peer, err
	}
	r := &LogoutRequest{
		ID: h.id, IssueInstant: h.issueInstant, Issuer: h.issuer, Destination: h.destination,
		RelayState: m.RelayState, HasRelayState: m.HasRelayState, Binding: m.binding,
	}
	now := l.cfg.Now()
	until := h.issueInstant.Add(defaultMessageAge)
	if v, ok := el.Attr("NotOnOrAfter"); ok {
		if r.NotOnOrAfter, err = parseTime(v); err != nil {
			return nil, peer, reject(ReasonMalformedXML, "NotOnOrAfter", err)
		}
		if !now.Before(r.NotOnOrAfter.Add(l.cfg.ClockSkew)) {
			return nil, peer, reject(ReasonExpired, "LogoutRequest", nil)
		}
	}
	r.Reason, _ = el.Attr("Reason")
	if r.NameID, err = l.nameID(el, peer); err != nil {
		return nil, peer, err
	}
	if err := r.readIndexes(el); err != nil {
		return nil, peer, err
	}
	if err := l.cfg.Replay.UseOnce(ctx, replayKey("logout", h.issuer, h.id), until.Add(2*l.cfg.ClockSkew)); err != nil {
		if errors.Is(err, ErrReplay) {
			return nil, peer, reject(ReasonReplay, "LogoutRequest", err)
		}
		return nil, peer, reject(ReasonUnavailable, "replay store", err)
	}
	return r, peer, nil
}

// nameID reads whom the request means: a NameID, or an EncryptedID for one of our keys (core 3.7.1).
func (l *LogoutService) nameID(el xmlgate.Elem, peer LogoutPeer) (NameID, error) {
	name, n := el.Only(nsAssertion, "NameID")
	enc, m := el.Only(nsAssertion, "EncryptedID")
	if n+m != 1 {
		return NameID{}, reject(ReasonNameID, "a LogoutRequest must have one NameID", nil)
	}
	if m == 1 {
		if len(l.cfg.DecryptionKeys) == 0 {
			return NameID{}, reject(ReasonDecrypt, "", nil)
		}
		plain, _, err := newDecrypter(l.cfg.DecryptionKeys, peer.Algorithms).Decrypt(enc, &xmlenc.Budget{})
		if errors.Is(err, xmlenc.ErrAlgorithm) {
			return NameID{}, reject(ReasonEncryptionAlgorithm, "", err)
		}
		if err != nil {
			return NameID{}, reject(ReasonDecrypt, "", err)
		}
		doc, err := xmlgate.ParseIn(plain, xmlgate.Limits{}, enc)
		if err != nil || !doc.Root().Is(nsAssertion, "NameID") {
			return NameID{}, reject(ReasonDecrypt, "", nil)
		}
		name = doc.Root()
	}
	id, err := readNameID(name)
	if err == nil && len(id.Value) > maxNameText {
		return NameID{}, reject(ReasonNameID, "NameID is too long", nil)
	}
	return id, err
}

func (r *LogoutRequest) readIndexes(el xmlgate.Elem) error {
	for c := range el.Children() {
		if !c.Is(nsProtocol, "SessionIndex") {
			continue
		}
		text, err := textOf(c)
		if err != nil {
			return err
		}
		if len(r.SessionIndexes) >= maxListed {
			return reject(ReasonTooLarge, "SessionIndex elements", nil)
		}
		r.SessionIndexes = append(r.SessionIndexes, text)
	}
	return nil
}

// accept is the list of checks that requests and responses share.
func (l *LogoutService) accept(ctx context.Context, m *Message, local string, field Field) (xmlgate.Elem, header, LogoutPeer, error) {
	var peer LogoutPeer
	if m.Field != field {
		return xmlgate.Elem{}, header{}, peer, reject(ReasonBinding, local+" in the wrong parameter", nil)
	}
	el, err := m.open(local)
	if err != nil {
		return el, header{}, peer, err
	}
	issuer, err := peekIssuer(el)
	if err != nil {
		return el, header{}, peer, err
	}
	peer, err = l.cfg.Peer(ctx, issuer)
	switch {
	case errors.Is(err, ErrNotFound):
		return el, header{}, peer, reject(ReasonIssuer, "unknown partner", err)
	case err != nil:
		return el, header{}, peer, reject(ReasonUnavailable, "partner registry", err)
	case peer.EntityID != issuer:
		return el, header{}, peer, reject(ReasonIssuer, "the registry answered with another entity", nil)
	}
	el, signed, err := m.verified(el, trust{keys: append(publicKeys(peer.Certificates), peer.Keys...), policy: peer.Algorithms})
	if err != nil {
		return el, header{}, peer, err
	}
	if !signed {
		return el, header{}, peer, reject(ReasonUnsigned, local, nil)
	}
	h, err := readHeader(el, headerRules{
		issuer: peer.EntityID, destination: l.cfg.Locations, needDest: m.binding != BindingSOAP, now: l.cfg.Now(),
		skew: l.cfg.ClockSkew, maxAge: defaultMessageAge,
	})
	return el, h, peer, err
}

// AcceptResponse verifies a LogoutResponse. inResponseTo is the ID of the request that this browser carries an answer to, from
// the partner with that entity ID.
func (l *LogoutService) AcceptResponse(ctx context.Context, m *Message, entityID, inResponseTo string) (*LogoutResponse, error) {
	el, h, _, err := l.accept(ctx, m, "LogoutResponse", FieldResponse)
	if err != nil {
		return nil, err
	}
	if h.issuer != entityID {
		return nil, reject(ReasonIssuer, "not the partner that was asked", nil)
	}
	if inResponseTo == "" || h.inResponseTo != inResponseTo {
		return nil, reject(ReasonInResponseTo, "LogoutResponse", nil)
	}
	top, second, message, err := readStatus(el)
	if err != nil {
		return nil, err
	}
	return &LogoutResponse{
		ID: h.id, IssueInstant: h.issueInstant, Issuer: h.issuer, Destination: h.destination, InResponseTo: h.inResponseTo,
		Status: top, SecondStatus: second, Message: message, RelayState: m.RelayState, HasRelayState: m.HasRelayState,
	}, nil
}

// readStatus reads samlp:Status (core 3.2.2.1).
func readStatus(el xmlgate.Elem) (top, second, message string, err error) {
	status, n := el.Only(nsProtocol, "Status")
	if n != 1 {
		return "", "", "", reject(ReasonStatus, "the message must have one Status", nil)
	}
	code, n := status.Only(nsProtocol, "StatusCode")
	if n != 1 {
		return "", "", "", reject(ReasonStatus, "Status must have one StatusCode", nil)
	}
	if top, _ = code.Attr("Value"); top == "" {
		return "", "", "", reject(ReasonStatus, "StatusCode has no Value", nil)
	}
	if sub, ok := code.Child(nsProtocol, "StatusCode"); ok {
		second, _ = sub.Attr("Value")
	}
	if msg, ok := status.Child(nsProtocol, "StatusMessage"); ok {
		if message, err = textOf(msg); err != nil {
			return "", "", "", err
		}
	}
	return top, second, message, nil
}
