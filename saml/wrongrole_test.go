package saml_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// TestMetadataOfTheWrongRole: whoever swapped two files reads it in the detail.
func TestMetadataOfTheWrongRole(t *testing.T) {
	t.Parallel()
	detail := func(err error) string {
		require.ErrorIs(t, err, saml.ReasonMetadata)
		var e *saml.Error
		require.ErrorAs(t, err, &e)
		return e.Detail
	}
	_, err := (&saml.Metadata{EntityID: "e", SP: &saml.SPDescriptor{}}).TrustedIdentityProvider()
	require.Equal(t, "entity has no identity provider role for SAML 2.0: this is the metadata of a service provider", detail(err))
	_, err = (&saml.Metadata{EntityID: "e", IDP: &saml.IDPDescriptor{}}).RelyingParty()
	require.Equal(t, "entity has no service provider role for SAML 2.0: this is the metadata of an identity provider", detail(err))
	_, err = (&saml.Metadata{EntityID: "e"}).RelyingParty()
	require.Equal(t, "entity has no service provider role for SAML 2.0", detail(err))
}
