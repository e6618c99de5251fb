package saml_test

import (
	"crypto"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// TestAttributeTypes: value types of XML Schema and the original issuer travel; any other type arrives as text.
func TestAttributeTypes(t *testing.T) {
	t.Parallel()
	const xs = "http://www.w3.org/2001/XMLSchema#"
	p := newPeers()
	p.config.Keys = []saml.KeyPair{{Signer: spKey(), Certificate: certificate(spKey())}}
	idp := p.idp(t)
	req, err := acceptQuery(t, p, redirected(t, honestRequest(), "rs", nil))
	require.NoError(t, err)
	st := aliceStatement()
	st.Attributes = []saml.Attribute{{Name: "n", OriginalIssuer: "urn:example:first", Values: []saml.AttributeValue{
		{Value: "7", Type: xs + "integer"},
		{Value: "s", Type: xs + "string"},
		{Value: "x", Type: "urn:other#type"},
		{Value: "y", Type: xs + `a" b`},
		{Value: "z", Type: xs},
	}}}
	resp, err := idp.Issue(req, st)
	require.NoError(t, err)
	form, err := resp.Form()
	require.NoError(t, err)
	sp, err := saml.NewServiceProvider(saml.ServiceProviderConfig{
		EntityID: peerSP, ACS: peerACS, Replay: saml.NewMemoryReplayStore(0, peerNow), Now: peerNow, NoClockSkew: true,
		IdentityProviders: saml.StaticIdentityProviders(saml.TrustedIdentityProvider{EntityID: peerIdP, Keys: []crypto.PublicKey{spKey().Public()}}),
	})
	require.NoError(t, err)
	a, err := sp.Validate(t.Context(), saml.ResponseInput{Message: []byte(form.Value), Request: &saml.Request{ID: req.Request.ID, IdP: peerIdP, Expires: until(time.Hour)}})
	require.NoError(t, err)
	require.Equal(t, []saml.Attribute{{Name: "n", OriginalIssuer: "urn:example:first", Values: []saml.AttributeValue{
		{Value: "7", Type: xs + "integer"}, {Value: "s"}, {Value: "x"}, {Value: "y"}, {Value: "z"},
	}}}, a.Attributes)
}
