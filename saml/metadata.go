package saml

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"time"
)

// Metadata describes one entity (saml-metadata-2.0 section 2.3.2). It is read by [ParseMetadata] or filled by hand; a
// service provider and an identity provider publish theirs with [Metadata.Marshal] or [Metadata.Sign].
type Metadata struct {
	EntityID string

	ValidUntil    time.Time     // the earliest of the entity, its roles and the groups around it; zero = not stated
	CacheDuration time.Duration // the least of the entity and the groups around it; zero = not stated
	IDP           *IDPDescriptor
	SP            *SPDescriptor
	Organization  *Organization
	Contacts      []Contact

	// Verified says that a signature over this entity was verified with a key of [MetadataOptions]. Set by parsing.
	Verified bool
	// Warnings holds stable words for what was passed over in parsing: cache_duration for one that is malformed, key for a
	// KeyDescriptor without a usable key, certificate for one whose certificate Go refuses, endpoint for one without an address.
	Warnings []string

	characters    int  // of the document it came from
	byteOrderMark bool // at its beginning
}

func rsaBits(c *x509.Certificate) int {
	k, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return 0
	}
	return k.N.BitLen()
}

// SSODescriptor is what both roles have in common (section 2.4.2).
type SSODescriptor struct {
	Keys               []KeyDescriptor
	ArtifactResolution []IndexedEndpoint
	SingleLogout       []Endpoint
	NameIDFormats      []string
	ValidUntil         time.Time
}

// IDPDescriptor is the role of an identity provider (section 2.4.3).
type IDPDescriptor struct {
	SSODescriptor
	WantAuthnRequestsSigned bool
	SingleSignOn            []Endpoint
	Attributes              []Attribute // offered attributes, without values mostly
}

// SPDescriptor is the role of a service provider (section 2.4.4).
type SPDescriptor struct {
	SSODescriptor
	AuthnRequestsSigned  bool
	WantAssertionsSigned bool
	AssertionConsumers   []IndexedEndpoint
}

// KeyUse says what a key of metadata is for (section 2.4.1.1). The zero value means both uses.
type KeyUse string

// The two uses that a KeyDescriptor can be limited to.
const (
	KeyUseBoth       KeyUse = ""
	KeyUseSigning    KeyUse = "signing"
	KeyUseEncryption KeyUse = "encryption"
)

// KeyDescriptor is one key of a role.
type KeyDescriptor struct {
	Use         KeyUse
	Certificate *x509.Certificate
	// PublicKey is the key of a certificate that Go's x509 package refuses, for its negative serial number for example: what counts
	// in metadata is the key. Certificate is nil then.
	PublicKey         crypto.PublicKey
	EncryptionMethods []string // algorithm URIs
}

// Endpoint is an address for one binding (section 2.2.2).
type Endpoint struct {
	Binding          string
	Location         string
	ResponseLocation string // where responses go; "" = Location
}

// ResponseURL returns where a response to this endpoint's owner goes.
func (e Endpoint) ResponseURL() string {
	if e.ResponseLocation != "" {
		return e.ResponseLocation
	}
	return e.Location
}

// IndexedEndpoint is an endpoint that a message can name by its index (section 2.2.3).
type IndexedEndpoint struct {
	Endpoint
	Index   int
	Default *bool // the attribute isDefault; nil = absent
}

// Organization names who runs the entity (section 2.3.2.1), in one language.
type Organization struct {
	Lang, Name, DisplayName, URL string
}

// Contact is a person or a desk to turn to (section 2.3.2.2).
type Contact struct {
	Type                        string // technical, support, administrative, billing or other
	Company, GivenName, SurName string
	Emails, Telephones          []string
}

// DefaultEndpoint returns the endpoint that applies when a message names none (section 2.2.3): the first one that is marked
// as default, else the first without a mark, else the first. ok is false for an empty list.
func DefaultEndpoint(list []IndexedEndpoint) (e IndexedEndpoint, ok bool) {
	for _, e := range list {
		if e.Default != nil && *e.Default {
			return e, true
		}
	}
	for _, e := range list {
		if e.Default == nil {
			return e, true
		}
	}
	if len(list) == 0 {
		return IndexedEndpoint{}, false
	}
	return list[0], true
}

// EndpointFor returns the first endpoint of the list with the binding.
func EndpointFor(list []Endpoint, binding string) (e Endpoint, ok bool) {
	for _, e := range list {
		if e.Binding == binding {
			return e, true
		}
	}
	return Endpoint{}, false
}

// SigningCertificates returns the certificates whose keys may sign for this role: use "signing" or none, each once.
func (d *SSODescriptor) SigningCertificates() []*x509.Certificate {
	return d.certificates(KeyUseSigning)
}

// EncryptionCertificates returns the certificates that one may encrypt to: use "encryption" or none, each once.
func (d *SSODescriptor) EncryptionCertificates() []*x509.Certificate {
	return d.certificates(KeyUseEncryption)
}

func (d *SSODescriptor) certificates(use KeyUse) []*x509.Certificate {
	var out []*x509.Certificate
	seen := map[string]bool{}
	for _, k := range d.Keys {
		if k.Certificate == nil || (k.Use != use && k.Use != KeyUseBoth) || seen[string(k.Certificate.Raw)] {
			continue
		}
		seen[string(k.Certificate.Raw)] = true
		out = append(out, k.Certificate)
	}
	return out
}

// signingKeys returns the keys without a usable certificate that may sign.
func (d *SSODescriptor) signingKeys() []crypto.PublicKey {
	var out []crypto.PublicKey
	for _, k := range d.Keys {
		if k.Certificate == nil && k.PublicKey != nil && k.Use != KeyUseEncryption {
			out = append(out, k.PublicKey)
		}
	}
	return out
}

func publicKeys(certs []*x509.Certificate) []crypto.PublicKey {
	out := make([]crypto.PublicKey, len(certs))
	for i, c := range certs {
		out[i] = c.PublicKey
	}
	return out
}

// TrustedIdentityProvider returns what a [ServiceProvider] needs to know of this identity provider: entity ID, signing
// keys, expiry. Everything else keeps its strict zero value. Metadata without an identity provider role or without a signing
// key is refused.
func (m *Metadata) TrustedIdentityProvider() (TrustedIdentityProvider, error) {
	if m.IDP == nil {
		detail := "entity has no identity provider role for SAML 2.0"
		if m.SP != nil {
			detail += ": this is the metadata of a service provider"
		}
		return TrustedIdentityProvider{}, reject(ReasonMetadata, detail, nil)
	}
	certs, keys := m.IDP.SigningCertificates(), m.IDP.signingKeys()
	if len(certs)+len(keys) == 0 {
		return TrustedIdentityProvider{}, reject(ReasonNoKeys, "the identity provider role has no signing key", nil)
	}
	return TrustedIdentityProvider{EntityID: m.EntityID, Certificates: certs, Keys: keys, ValidUntil: m.ValidUntil}, nil
}
