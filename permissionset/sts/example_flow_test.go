package sts_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/permissionset/policy"
	"github.com/adfedkit/adfedkit/permissionset/sts"
	"github.com/adfedkit/adfedkit/saml"
)

// An identity provider's assertion becomes temporary credentials, and those an address of the console. Here the token
// service is ours, at a test server; with [sts.ClientConfig] left empty the client speaks to AWS.
func Example() {
	ctx := context.Background()
	const provider, role = "arn:aws:iam::111122223333:saml-provider/ADFS", "arn:aws:iam::111122223333:role/LogsReader"
	idp := exampleIdentityProvider()
	trust, err := policy.Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "`+provider+`"},
		"Action": "sts:AssumeRoleWithSAML", "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}}]}`), policy.ParseOptions{Kind: policy.Trust})
	if err != nil {
		panic(err)
	}
	trusted, err := idp.Metadata().TrustedIdentityProvider()
	if err != nil {
		panic(err)
	}
	sessions := sts.NewMemoryStore(0, nil)
	tokens, err := sts.NewHandler(sts.Config{
		Providers: []sts.Provider{{ARN: provider, IdP: trusted}}, Roles: []sts.Role{{ARN: role, Trust: trust}}, Store: sessions,
	})
	if err != nil {
		panic(err)
	}
	console, err := sts.NewFederation(sts.FederationConfig{Store: sessions})
	if err != nil {
		panic(err)
	}
	srv := httptest.NewServer(sts.NewServer(tokens, console, nil))
	defer srv.Close()
	client, err := sts.NewClient(sts.ClientConfig{STSEndpoint: srv.URL, FederationEndpoint: srv.URL + "/federation"})
	if err != nil {
		panic(err)
	}

	out, err := client.AssumeRoleWithSAML(ctx, sts.AssumeInput{RoleARN: role, PrincipalARN: provider, SAMLAssertion: exampleAssertion(ctx, idp, role, provider)})
	if err != nil {
		panic(err)
	}
	fmt.Println(out.AssumedRoleARN)
	address, err := client.SigninURL(ctx, out.Credentials, sts.SigninOptions{Issuer: "https://portal.corp.example.test/"})
	if err != nil {
		panic(err)
	}
	fmt.Println(strings.Contains(address, "Action=login"), strings.Contains(address, out.Credentials.SecretAccessKey))
	// Output:
	// arn:aws:sts::111122223333:assumed-role/LogsReader/alice@corp.example.test
	// true false
}

type awsParty struct{ rp *saml.RelyingParty }

func (a awsParty) RelyingParty(context.Context, string) (*saml.RelyingParty, error) { return a.rp, nil }

func exampleIdentityProvider() *saml.IdentityProvider {
	rp, err := saml.NewRelyingParty("urn:amazon:webservices", "https://signin.aws.amazon.com/saml")
	if err != nil {
		panic(err)
	}
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
		SingleSignOn: "https://adfs.corp.example.test/adfs/ls/", RelyingParties: awsParty{rp},
	})
	if err != nil {
		panic(err)
	}
	return idp
}

func exampleAssertion(ctx context.Context, idp *saml.IdentityProvider, role, provider string) string {
	accepted, err := idp.Unsolicited(ctx, "urn:amazon:webservices", "")
	if err != nil {
		panic(err)
	}
	const prefix = "https://aws.amazon.com/SAML/Attributes/"
	response, err := idp.Issue(accepted, saml.SubjectStatement{
		NameID:     saml.NameID{Value: "alice@corp.example.test", Format: saml.NameIDFormatPersistent},
		Attributes: []saml.Attribute{saml.NewAttribute(prefix+"Role", role+","+provider), saml.NewAttribute(prefix+"RoleSessionName", "alice@corp.example.test")},
	})
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(response.XML)
}
