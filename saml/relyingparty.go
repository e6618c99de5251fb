package saml

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// SignWhat says which elements of a response are signed. AD FS calls the three AssertionOnly, MessageAndAssertion and MessageOnly.
type SignWhat int

// The three ways to sign a response.
const (
	SignAssertion SignWhat = iota // the default
	SignBoth                      // the assertion first, then the response over it
	SignResponse                  // the response only
)

// EncryptWhen says whether assertions for a relying party are encrypted.
type EncryptWhen int

// The three encryption rules.
const (
	EncryptIfKey  EncryptWhen = iota // when the metadata announces a key for it, as AD FS does
	EncryptNever                     // although there may be a key
	EncryptAlways                    // a relying party without a key is a configuration error
)

// RelyingParty is a service provider as an [IdentityProvider] knows it. It comes from [Metadata.RelyingParty], or is filled by
// hand from an entity ID and one address.
type RelyingParty struct {
	EntityID string // required

	Name                   string // for lists that people see; "" = EntityID
	AssertionConsumers     []IndexedEndpoint
	SingleLogout           []Endpoint
	ArtifactResolution     []IndexedEndpoint
	SigningCertificates    []*x509.Certificate // keys of its requests; none = it cannot sign
	EncryptionCertificates []*x509.Certificate
	EncryptionMethods      []string // announced for the encryption key
	NameIDFormats          []string
	RequestsSigned         bool // AuthnRequestsSigned of the metadata: an unsigned request is refused
	Algorithms             AlgorithmPolicy
	ValidUntil             time.Time // of the metadata; after it nothing is issued

	Sign                SignWhat
	Encrypt             EncryptWhen
	EncryptNameID       bool          // put the NameID into an EncryptedID (core 2.2.4); needs an encryption key
	AttributeNameFormat string        // for attributes that have none of their own; "" = left out, as AD FS does
	AssertionLifetime   time.Duration // 0 = that of the identity provider
}

// RelyingParty returns what an [IdentityProvider] needs to know of this service provider. Metadata without a service provider
// role or without an address to post responses to is refused.
func (m *Metadata) RelyingParty() (*RelyingParty, error) {
	if m.SP == nil {
		detail := "entity has no service provider role for SAML 2.0"
		if m.IDP != nil {
			detail += ": this is the metadata of an identity provider"
		}
		return nil, reject(ReasonMetadata, detail, nil)
	}
	if !slices.ContainsFunc(m.SP.AssertionConsumers, usableConsumer) {
		return nil, reject(ReasonMetadata, "no assertion consumer service with the POST or Artifact binding", nil)
	}
	rp := &RelyingParty{
		EntityID: m.EntityID, AssertionConsumers: m.SP.AssertionConsumers, SingleLogout: m.SP.SingleLogout,
		ArtifactResolution: m.SP.ArtifactResolution, SigningCertificates: m.SP.SigningCertificates(),
		EncryptionCertificates: m.SP.EncryptionCertificates(), NameIDFormats: m.SP.NameIDFormats,
		RequestsSigned: m.SP.AuthnRequestsSigned, ValidUntil: m.ValidUntil,
	}
	if m.Organization != nil {
		rp.Name = m.Organization.DisplayName
	}
	if len(rp.EncryptionCertificates) > 0 {
		for _, k := range m.SP.Keys {
			if k.Certificate != nil && k.Certificate.Equal(rp.EncryptionCertificates[0]) && k.Use != KeyUseSigning {
				rp.EncryptionMethods = append(rp.EncryptionMethods, k.EncryptionMethods...)
			}
		}
	}
	return rp, nil
}

// NewRelyingParty returns a relying party that is known by its entity ID and one address for POST responses only.
func NewRelyingParty(entityID, acs string) (*RelyingParty, error) {
	if entityID == "" {
		return nil, errors.New("saml: the entity ID of a relying party is empty")
	}
	if err := checkLocation(acs, true); err != nil {
		return nil, err
	}
	return &RelyingParty{EntityID: entityID, AssertionConsumers: []IndexedEndpoint{{Endpoint: Endpoint{Binding: BindingHTTPPost, Location: acs}}}}, nil
}

// DisplayName returns Name, or the entity ID when there is none.
func (rp *RelyingParty) DisplayName() string {
	if rp.Name != "" {
		return rp.Name
	}
	return rp.EntityID
}

func (rp *RelyingParty) trust() trust {
	return trust{keys: publicKeys(rp.SigningCertificates), policy: rp.Algorithms}
}

func usableConsumer(e IndexedEndpoint) bool {
	return e.Binding == BindingHTTPPost || e.Binding == BindingHTTPArtifact
}

// consumer picks the address that an answer goes to: the one that the request names, which must stand in the metadata
// (profiles 4.1.4.1: an identity provider may not send an assertion anywhere else), else the default. Addresses for artifacts
// count only where artifacts are served.
func (rp *RelyingParty) consumer(r *AuthnRequest, artifacts bool) (IndexedEndpoint, error) {
	usable := slices.DeleteFunc(slices.Clone(rp.AssertionConsumers), func(e IndexedEndpoint) bool {
		return !usableConsumer(e) || e.Binding == BindingHTTPArtifact && !artifacts
	})
	if r != nil && r.ProtocolBinding != "" {
		usable = slices.DeleteFunc(usable, func(e IndexedEndpoint) bool { return e.Binding != r.ProtocolBinding })
	}
	switch {
	case r != nil && r.AssertionConsumerServiceIndex != nil:
		for _, e := range usable {
			if e.Index == *r.AssertionConsumerServiceIndex {
				return e, nil
			}
		}
		return IndexedEndpoint{}, reject(ReasonRecipient, "AssertionConsumerServiceIndex is not in the metadata", nil)
	case r != nil && r.AssertionConsumerServiceURL != "":
		for _, e := range usable {
			if e.Location == r.AssertionConsumerServiceURL {
				return e, nil
			}
		}
		return IndexedEndpoint{}, reject(ReasonRecipient, "AssertionConsumerServiceURL is not in the metadata", nil)
	}
	e, ok := DefaultEndpoint(usable)
	if !ok {
		return e, reject(ReasonBinding, "no assertion consumer service with the wanted binding", nil)
	}
	return e, nil
}

// RelyingPartyResolver finds a relying party by its entity ID. An error that matches [ErrNotFound] means unknown.
type RelyingPartyResolver interface {
	RelyingParty(ctx context.Context, entityID string) (*RelyingParty, error)
}

// StaticRelyingParties is a resolver over a fixed list.
type StaticRelyingParties []*RelyingParty

// RelyingParty returns the entry with that entity ID.
func (s StaticRelyingParties) RelyingParty(_ context.Context, entityID string) (*RelyingParty, error) {
	for _, rp := range s {
		if rp.EntityID == entityID {
			return rp, nil
		}
	}
	return nil, ErrNotFound
}
