package saml_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

// exampleIdP returns an identity provider for one relying party, and its certificate.
func exampleIdP(rp *saml.RelyingParty) (*saml.IdentityProvider, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	idp, err := saml.NewIdentityProvider(saml.IdentityProviderConfig{
		EntityID: "http://adfs.corp.example.test/adfs/services/trust", Keys: []saml.KeyPair{{Signer: key, Certificate: cert}},
		SingleSignOn: "https://adfs.corp.example.test/adfs/ls/", RelyingParties: oneParty{rp},
	})
	if err != nil {
		panic(err)
	}
	return idp, cert
}

type oneParty struct{ rp *saml.RelyingParty }

func (o oneParty) RelyingParty(context.Context, string) (*saml.RelyingParty, error) { return o.rp, nil }

// A service provider that trusts one AD FS and takes sign-ins that start there.
func ExampleServiceProvider_Validate() {
	ctx := context.Background()
	const entityID, acs = "https://portal.corp.example.test/saml/metadata", "https://portal.corp.example.test/saml/acs"
	rp := &saml.RelyingParty{EntityID: entityID, AssertionConsumers: []saml.IndexedEndpoint{{Endpoint: saml.Endpoint{Binding: saml.BindingHTTPPost, Location: acs}}}}
	idp, certificate := exampleIdP(rp)

	sp, err := saml.NewServiceProvider(saml.ServiceProviderConfig{
		EntityID: entityID,
		ACS:      acs,
		IdentityProviders: saml.StaticIdentityProviders(saml.TrustedIdentityProvider{
			EntityID: idp.EntityID(), Certificates: []*x509.Certificate{certificate}, AllowUnsolicited: true,
		}),
		Replay: saml.NewMemoryReplayStore(0, nil),
	})
	if err != nil {
		panic(err)
	}

	// What the identity provider would let the browser post.
	accepted, err := idp.Unsolicited(ctx, entityID, "")
	if err != nil {
		panic(err)
	}
	response, err := idp.Issue(accepted, saml.SubjectStatement{
		NameID:     saml.NameID{Value: "alice@corp.example.test", Format: saml.NameIDFormatEmailAddress},
		Attributes: []saml.Attribute{saml.NewAttribute("http://schemas.xmlsoap.org/claims/Group", "Engineering", "Platform")},
	})
	if err != nil {
		panic(err)
	}
	field := base64.StdEncoding.EncodeToString(response.XML)

	assertion, err := sp.Validate(ctx, saml.ResponseInput{Message: []byte(field)})
	if err != nil {
		panic(err)
	}
	fmt.Println(assertion.Subject.Value, assertion.Attribute("http://schemas.xmlsoap.org/claims/Group"))

	_, err = sp.Validate(ctx, saml.ResponseInput{Message: []byte(field)})
	fmt.Println(err, errors.Is(err, saml.ReasonReplay))
	// Output:
	// alice@corp.example.test [Engineering Platform]
	// saml: replay: The message was used before. true
}

// Several tenants: which keys count is decided by tenant and issuer, never by trying all.
func ExampleTenantIdentityProviders() {
	idps := saml.TenantIdentityProviders{
		"north": {{EntityID: "https://idp.north.example.test"}},
		"south": {{EntityID: "https://idp.south.example.test"}},
	}
	_, err := idps.IdentityProvider(context.Background(), "north", "https://idp.south.example.test")
	fmt.Println(errors.Is(err, saml.ErrNotFound))
	// Output: true
}

// The administrator's view of a refused message.
func ExampleCheck() {
	sp, err := saml.NewServiceProvider(saml.ServiceProviderConfig{
		EntityID: "https://portal.corp.example.test", ACS: "https://portal.corp.example.test/acs",
		IdentityProviders: saml.StaticIdentityProviders(), Replay: saml.NewMemoryReplayStore(0, nil),
	})
	if err != nil {
		panic(err)
	}
	_, err = sp.Validate(context.Background(), saml.ResponseInput{
		XML: []byte(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Version="1.1"/>`),
		Explain: func(c saml.Check) {
			fmt.Printf("%s: wanted %q, got %q, %v\n", c.Name, c.Configured, c.Received, c.Err)
		},
	})
	fmt.Println(saml.ReasonOf(err))
	// Output:
	// xml: wanted "", got "", <nil>
	// response version: wanted "2.0", got "1.1", saml: version: The message is not of SAML version 2.0.
	// version
}
