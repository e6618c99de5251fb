package samlhttp

import (
	"context"

	"github.com/adfedkit/adfedkit/saml"
)

// Partner is an identity provider as a [ServiceProvider] deals with it: what is trusted, and where messages go.
type Partner struct {
	Trust saml.TrustedIdentityProvider

	Tenant             string // whose users it signs in; "" in a service without tenants
	Name               string // for people
	SingleSignOn       []saml.Endpoint
	SingleLogout       []saml.Endpoint
	ArtifactResolution []saml.IndexedEndpoint
	WantsSigned        bool // WantAuthnRequestsSigned: our requests are signed
	NameIDPolicy       *saml.NameIDPolicy
	AuthnContext       *saml.RequestedAuthnContext // demanded of every sign-in
	AuthnContextOrder  []string                    // weak to strong, for comparisons other than exact
}

// NewPartner makes a partner of an identity provider's metadata. Trust keeps its strict zero values: set AllowUnsolicited for sign-ins
// that the identity provider starts.
func NewPartner(m *saml.Metadata) (Partner, error) {
	t, err := m.TrustedIdentityProvider()
	if err != nil {
		return Partner{}, err
	}
	p := Partner{
		Trust: t, SingleSignOn: m.IDP.SingleSignOn, SingleLogout: m.IDP.SingleLogout,
		ArtifactResolution: m.IDP.ArtifactResolution, WantsSigned: m.IDP.WantAuthnRequestsSigned,
	}
	if m.Organization != nil {
		p.Name = m.Organization.DisplayName
	}
	return p, nil
}

// PartnerResolver finds identity providers. An error that matches [saml.ErrNotFound] means unknown. An empty entityID asks for the
// one that a tenant's users are sent to when nobody chose.
type PartnerResolver interface {
	Partner(ctx context.Context, tenant, entityID string) (Partner, error)
}

// Partners is a fixed list; the first one of a tenant is its default.
type Partners []Partner

// Partner returns the entry of that tenant with that entity ID.
func (l Partners) Partner(_ context.Context, tenant, entityID string) (Partner, error) {
	for i := range l {
		if l[i].Tenant == tenant && (entityID == "" || l[i].Trust.EntityID == entityID) {
			return l[i], nil
		}
	}
	return Partner{}, saml.ErrNotFound
}

// trusted shows partners to package saml.
type trusted struct{ partners PartnerResolver }

func (t trusted) IdentityProvider(ctx context.Context, tenant, entityID string) (saml.TrustedIdentityProvider, error) {
	if entityID == "" {
		return saml.TrustedIdentityProvider{}, saml.ErrNotFound
	}
	p, err := t.partners.Partner(ctx, tenant, entityID)
	return p.Trust, err
}
