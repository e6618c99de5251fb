package saml

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/xmldsig"
)

// Defaults of AD FS (token lifetime, life of the confirmation) and limits of this package.
const (
	defaultAssertionLifetime    = time.Hour
	defaultSkew                 = 3 * time.Minute
	maxSkew                     = 10 * time.Minute
	defaultConfirmationLifetime = 5 * time.Minute
)

// IdentityProviderConfig configures an [IdentityProvider]. The fields above the blank line are required.
type IdentityProviderConfig struct {
	EntityID       string
	Keys           []KeyPair // the first one signs; all are published, so that a next key is known before it is used
	SingleSignOn   string    // address of the sign-on service, for the Redirect and the POST binding
	RelyingParties RelyingPartyResolver

	SingleLogout       string        // address of the logout service; "" = no logout
	LogoutBySOAP       bool          // the same address takes logout requests by SOAP too
	ArtifactResolution string        // address of the SOAP service that serves artifacts; "" = no artifacts
	OtherDestinations  []string      // further addresses that requests may name as Destination
	RequireSigned      bool          // refuse unsigned requests of everybody
	AssertionLifetime  time.Duration // 0 = 60 min
	ConfirmationLife   time.Duration // of SubjectConfirmationData; 0 = 5 min
	NotBeforeSkew      time.Duration // how long before now an assertion is valid; 0 = not at all, as AD FS
	ClockSkew          time.Duration // for the times of requests; 0 = 3 min, at most 10 min
	MaxRequestAge      time.Duration // 0 = 1 h
	Organization       *Organization
	Contacts           []Contact
	MetadataValidity   time.Duration    // validUntil of the published metadata from now; 0 = not stated, as AD FS
	Now                func() time.Time // nil = system clock
	Logger             *slog.Logger     // nil = no logging
}

// IdentityProvider accepts requests and issues responses. It is safe for concurrent use and knows no HTTP: package samlhttp
// puts it behind handlers.
type IdentityProvider struct {
	cfg     IdentityProviderConfig
	signing *xmldsig.Signer
}

// NewIdentityProvider checks the configuration.
func NewIdentityProvider(cfg IdentityProviderConfig) (*IdentityProvider, error) { //nolint:cyclop // one list of checks
	switch {
	case cfg.EntityID == "" || len(cfg.EntityID) > 1024:
		return nil, errors.New("saml: IdentityProviderConfig.EntityID must have 1 to 1024 characters")
	case len(cfg.Keys) == 0:
		return nil, errors.New("saml: IdentityProviderConfig.Keys is empty")
	case cfg.RelyingParties == nil:
		return nil, errors.New("saml: IdentityProviderConfig.RelyingParties is nil")
	case cfg.ClockSkew < 0 || cfg.ClockSkew > maxSkew || cfg.NotBeforeSkew < 0 || cfg.NotBeforeSkew > maxSkew:
		return nil, errors.New("saml: IdentityProviderConfig: a skew must be between 0 and 10 minutes")
	case cfg.AssertionLifetime < 0 || cfg.ConfirmationLife < 0 || cfg.MaxRequestAge < 0:
		return nil, errors.New("saml: IdentityProviderConfig: a duration is negative")
	}
	if err := checkLocation(cfg.SingleSignOn, true); err != nil {
		return nil, fmt.Errorf("saml: IdentityProviderConfig.SingleSignOn: %w", err)
	}
	for _, u := range []string{cfg.SingleLogout, cfg.ArtifactResolution} {
		if err := checkLocation(u, true); u != "" && err != nil {
			return nil, fmt.Errorf("saml: IdentityProviderConfig: %w", err)
		}
	}
	idp := &IdentityProvider{cfg: cfg}
	for i, k := range cfg.Keys {
		s, err := k.signer()
		if err != nil {
			return nil, fmt.Errorf("saml: IdentityProviderConfig.Keys[%d]: %w", i, err)
		}
		if i == 0 {
			idp.signing = s
		}
	}
	idp.cfg.AssertionLifetime = orDuration(cfg.AssertionLifetime, defaultAssertionLifetime)
	idp.cfg.ConfirmationLife = orDuration(cfg.ConfirmationLife, defaultConfirmationLifetime)
	idp.cfg.ClockSkew = orDuration(cfg.ClockSkew, defaultSkew)
	idp.cfg.MaxRequestAge = orDuration(cfg.MaxRequestAge, defaultMessageAge)
	idp.cfg.Now = clock.Or(cfg.Now)
	if cfg.Logger == nil {
		idp.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return idp, nil
}

func orDuration(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// EntityID returns the entity ID.
func (idp *IdentityProvider) EntityID() string { return idp.cfg.EntityID }

// Metadata returns the identity provider's own description with every key.
func (idp *IdentityProvider) Metadata() *Metadata {
	d := &IDPDescriptor{WantAuthnRequestsSigned: idp.cfg.RequireSigned}
	for _, k := range idp.cfg.Keys {
		d.Keys = append(d.Keys, KeyDescriptor{Use: KeyUseSigning, Certificate: k.Certificate})
	}
	d.NameIDFormats = []string{NameIDFormatEmailAddress, NameIDFormatPersistent, NameIDFormatTransient, NameIDFormatUnspecified}
	if idp.cfg.ArtifactResolution != "" {
		yes := true
		d.ArtifactResolution = []IndexedEndpoint{{Endpoint: Endpoint{Binding: BindingSOAP, Location: idp.cfg.ArtifactResolution}, Default: &yes}}
	}
	for _, b := range []string{BindingHTTPRedirect, BindingHTTPPost} {
		d.SingleSignOn = append(d.SingleSignOn, Endpoint{Binding: b, Location: idp.cfg.SingleSignOn})
		if idp.cfg.SingleLogout != "" {
			d.SingleLogout = append(d.SingleLogout, Endpoint{Binding: b, Location: idp.cfg.SingleLogout})
		}
	}
	if idp.cfg.SingleLogout != "" && idp.cfg.LogoutBySOAP {
		d.SingleLogout = append(d.SingleLogout, Endpoint{Binding: BindingSOAP, Location: idp.cfg.SingleLogout})
	}
	m := &Metadata{EntityID: idp.cfg.EntityID, IDP: d, Organization: idp.cfg.Organization, Contacts: idp.cfg.Contacts}
	if idp.cfg.MetadataValidity > 0 {
		m.ValidUntil = idp.cfg.Now().Add(idp.cfg.MetadataValidity)
	}
	return m
}

// SignedMetadata returns the metadata as XML, signed with the signing key that it announces.
func (idp *IdentityProvider) SignedMetadata() ([]byte, error) {
	return idp.Metadata().marshal(idp.signing)
}

// SigningKey returns the key that signs, for messages that a caller sends by itself.
func (idp *IdentityProvider) SigningKey() KeyPair { return idp.cfg.Keys[0] }

// SigningCertificates returns the certificates of all keys, the signing one first.
func (idp *IdentityProvider) SigningCertificates() []*x509.Certificate {
	out := make([]*x509.Certificate, len(idp.cfg.Keys))
	for i, k := range idp.cfg.Keys {
		out[i] = k.Certificate
	}
	return out
}

// AcceptedRequest is an AuthnRequest that passed every check, with the partner it came from and the address that the answer
// goes to. A nil Request means that the identity provider starts by itself.
type AcceptedRequest struct {
	Request       *AuthnRequest
	RelyingParty  *RelyingParty
	Consumer      IndexedEndpoint
	RelayState    string
	HasRelayState bool
	Signed        bool
}

// AcceptAuthnRequest verifies a request: known issuer, signature where the partner's metadata or the configuration demands one
// and wherever one is there, version, time, Destination, an assertion consumer service of the metadata. A refused request
// must not be answered with a message; show an error page.
func (idp *IdentityProvider) AcceptAuthnRequest(ctx context.Context, m *Message) (*AcceptedRequest, error) {
	if m.Field != FieldRequest {
		return nil, reject(ReasonBinding, "a response where a request is expected", nil)
	}
	el, err := m.open("AuthnRequest")
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
	if !signed && (rp.RequestsSigned || idp.cfg.RequireSigned) {
		return nil, reject(ReasonUnsigned, "AuthnRequest", nil)
	}
	h, err := readHeader(el, headerRules{
		issuer: rp.EntityID, destination: append([]string{idp.cfg.SingleSignOn}, idp.cfg.OtherDestinations...), needDest: signed,
		now: idp.cfg.Now(), skew: idp.cfg.ClockSkew, maxAge: idp.cfg.MaxRequestAge,
	})
	if err != nil {
		return nil, err
	}
	req, err := readAuthnRequest(el, h)
	if err != nil {
		return nil, err
	}
	acs, err := rp.consumer(req, idp.cfg.ArtifactResolution != "")
	if err != nil {
		return nil, err
	}
	return &AcceptedRequest{Request: req, RelyingParty: rp, Consumer: acs, RelayState: m.RelayState, HasRelayState: m.HasRelayState, Signed: signed}, nil
}

// Unsolicited prepares a response that nobody asked for (profiles 4.1.5), to the default address of a relying party.
func (idp *IdentityProvider) Unsolicited(ctx context.Context, entityID, relayState string) (*AcceptedRequest, error) {
	rp, err := idp.relyingParty(ctx, entityID)
	if err != nil {
		return nil, err
	}
	if err := checkRelayStateIn(relayState); err != nil {
		return nil, err
	}
	acs, err := rp.consumer(nil, idp.cfg.ArtifactResolution != "")
	if err != nil {
		return nil, err
	}
	return &AcceptedRequest{RelyingParty: rp, Consumer: acs, RelayState: relayState, HasRelayState: relayState != ""}, nil
}

func (idp *IdentityProvider) relyingParty(ctx context.Context, entityID string) (*RelyingParty, error) {
	rp, err := idp.cfg.RelyingParties.RelyingParty(ctx, entityID)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && rp == nil:
		return nil, reject(ReasonIssuer, "unknown relying party", ErrNotFound)
	case err != nil:
		return nil, reject(ReasonUnavailable, "relying party registry", err)
	case rp.EntityID != entityID:
		return nil, reject(ReasonIssuer, "the registry answered with another entity", nil)
	case !rp.ValidUntil.IsZero() && !idp.cfg.Now().Before(rp.ValidUntil):
		return nil, reject(ReasonMetadataExpired, "metadata of the relying party", nil)
	}
	return rp, nil
}
