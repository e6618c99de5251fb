package saml_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/saml"
)

func TestHonest(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]forged{
		"assertion signed":            {signAssertion: true},
		"response signed":             {signResponse: true},
		"both signed":                 {signAssertion: true, signResponse: true},
		"assertion signed, encrypted": {signAssertion: true, encrypt: &encrypting{}},
		"response signed, encrypted":  {signResponse: true, encrypt: &encrypting{}},
		"both signed, encrypted":      {signAssertion: true, signResponse: true, encrypt: &encrypting{}},
		"cbc":                         {signAssertion: true, encrypt: &encrypting{alg: xmlenc.AES256CBC}},
		"cbc 128":                     {signAssertion: true, encrypt: &encrypting{alg: xmlenc.AES128CBC}},
		"no issuer in the response":   {signAssertion: true, responseIssuer: "-"},
		"no destination":              {signAssertion: true, destination: "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := accepted(t, newSetup(), f.xml())
			require.Equal(t, idpEntity, a.Issuer)
			require.Equal(t, "_assertion1", a.ID)
			require.Equal(t, "_response1", a.ResponseID)
			require.Equal(t, requestID, a.InResponseTo)
			require.Equal(t, []string{"AWS-000001", "AWS-000002"}, a.Attribute("group"))
			require.Equal(t, "_session1", a.SessionIndex())
			require.Equal(t, saml.AuthnContextPasswordProtectedTransport, a.ContextClass())
			require.Equal(t, []string{spEntity}, a.Conditions.Audiences)
			require.Equal(t, f.signAssertion, a.SignedBy("assertion"))
			require.Equal(t, f.signResponse, a.SignedBy("response"))
			require.Equal(t, f.encrypt != nil, a.Encrypted)
			require.Empty(t, a.Warnings)
		})
	}
}
