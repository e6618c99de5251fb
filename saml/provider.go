package saml

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"time"
)

// maxPinnedKeys bounds the keys that are tried for one signature.
const maxPinnedKeys = 16

// TrustedIdentityProvider is what a [ServiceProvider] knows of one identity provider. EntityID and at least one certificate or
// key are required; every other zero value is strict.
type TrustedIdentityProvider struct {
	EntityID     string
	Certificates []*x509.Certificate // pinned signing certificates; only their keys count, see CheckCertificateDates
	Keys         []crypto.PublicKey  // pinned signing keys without a certificate

	Algorithms             AlgorithmPolicy
	AllowUnsolicited       bool      // accept responses that nobody asked for (identity provider initiated sign-in)
	RequireSignedAssertion bool      // the assertion itself must be signed, also within a signed response
	RequireSignedResponse  bool      // the response itself must be signed
	CheckCertificateDates  bool      // a certificate outside its validity period is no key; the default only warns
	ValidUntil             time.Time // of the metadata; zero means no end
}

// WarningCertificateExpired is the warning of a result whose signature was made with a pinned certificate outside its validity period.
const WarningCertificateExpired = "certificate_expired"

// keys returns the pinned keys that may be used at now.
func (p *TrustedIdentityProvider) keys(now time.Time) []crypto.PublicKey {
	out := make([]crypto.PublicKey, 0, len(p.Certificates)+len(p.Keys))
	for _, c := range p.Certificates {
		if c != nil && (!p.CheckCertificateDates || !outside(c, now)) {
			out = append(out, c.PublicKey)
		}
	}
	return append(out, p.Keys...)
}

func outside(c *x509.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) || now.After(c.NotAfter)
}

// expiredKey reports whether key comes from a pinned certificate that is outside its validity period.
func (p *TrustedIdentityProvider) expiredKey(key crypto.PublicKey, now time.Time) bool {
	for _, c := range p.Certificates {
		if c != nil && sameKey(c.PublicKey, key) {
			return outside(c, now)
		}
	}
	return false
}

// sameKey reports whether two public keys are equal; mostly they are the same, which costs nothing to see.
func sameKey(a, b crypto.PublicKey) bool {
	if k, ok := a.(*rsa.PublicKey); ok {
		if other, ok := b.(*rsa.PublicKey); ok && k == other {
			return true
		}
	}
	k, ok := a.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// usable checks what must hold before any key of p is used.
func (p *TrustedIdentityProvider) usable(entityID string, now time.Time) error {
	switch {
	case p.EntityID != entityID:
		return reject(ReasonIssuer, "the resolver returned another identity provider", nil)
	case !p.ValidUntil.IsZero() && !now.Before(p.ValidUntil):
		return reject(ReasonMetadataExpired, "valid until "+p.ValidUntil.Format(time.RFC3339), nil)
	case len(p.keys(now)) == 0:
		return reject(ReasonNoKeys, "no usable key is pinned for the identity provider", nil)
	case len(p.Certificates)+len(p.Keys) > maxPinnedKeys:
		return reject(ReasonNoKeys, "more keys are pinned than would be tried", nil)
	}
	return nil
}

// IdentityProviderResolver finds an identity provider. It returns an error that matches [ErrNotFound] for one that the tenant
// does not trust; any other error refuses the message as [ReasonUnavailable].
type IdentityProviderResolver interface {
	IdentityProvider(ctx context.Context, tenant, entityID string) (TrustedIdentityProvider, error)
}

// StaticIdentityProviders trusts the given identity providers for every tenant.
func StaticIdentityProviders(idps ...TrustedIdentityProvider) IdentityProviderResolver {
	return TenantIdentityProviders{"": idps}
}

// TenantIdentityProviders trusts identity providers by tenant. What stands under "" is for every tenant that has no entry of its own.
type TenantIdentityProviders map[string][]TrustedIdentityProvider

// IdentityProvider implements [IdentityProviderResolver].
func (m TenantIdentityProviders) IdentityProvider(_ context.Context, tenant, entityID string) (TrustedIdentityProvider, error) {
	list, ok := m[tenant]
	if !ok {
		list = m[""]
	}
	for _, p := range list {
		if p.EntityID == entityID {
			return p, nil
		}
	}
	return TrustedIdentityProvider{}, ErrNotFound
}
