package saml_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

// A service provider of AD FS: its metadata says where to send the request and which keys sign the answer. NameIDPolicy is left
// out, because AD FS refuses formats that it has no rule for.
func ExampleAuthnRequest_Redirect() {
	raw, err := os.ReadFile("testdata/metadata/adfs-v4-metadata.xml")
	if err != nil {
		panic(err)
	}
	adfs, err := saml.ParseMetadata(raw, saml.MetadataOptions{})
	if err != nil {
		panic(err)
	}
	endpoint, _ := saml.EndpointFor(adfs.IDP.SingleSignOn, saml.BindingHTTPRedirect)
	request := &saml.AuthnRequest{
		IssueInstant: time.Now(), Issuer: "https://app.example.com/saml/metadata", Destination: endpoint.Location,
		AssertionConsumerServiceURL: "https://app.example.com/saml/acs",
	}
	address, err := request.Redirect("relay-1", nil)
	if err != nil {
		panic(err)
	}
	u, _ := url.Parse(address)
	fmt.Println(u.Host, u.Path, u.Query().Get("RelayState"), len(adfs.IDP.SigningCertificates()))
	// Output: fs.msidlab11.com /adfs/ls/ relay-1 1
}

// remoteKey stands for a key in a key management service: it answers Public and Sign, and nothing else is ever asked.
type remoteKey struct{ key *ecdsa.PrivateKey }

func (r remoteKey) Public() crypto.PublicKey { return r.key.Public() }

func (r remoteKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return r.key.Sign(random, digest, opts) // a call over the network
}

// Keys are crypto.Signer everywhere, so they may live in a key management service or a hardware module.
func ExampleKeyPair() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	pair := saml.KeyPair{Signer: remoteKey{key}, Certificate: certificate(key)}
	m := &saml.Metadata{EntityID: "https://app.example.com/saml/metadata", SP: &saml.SPDescriptor{
		SSODescriptor:      saml.SSODescriptor{Keys: []saml.KeyDescriptor{{Use: saml.KeyUseSigning, Certificate: pair.Certificate}}},
		AssertionConsumers: []saml.IndexedEndpoint{{Endpoint: saml.Endpoint{Binding: saml.BindingHTTPPost, Location: "https://app.example.com/saml/acs"}}},
	}}
	doc, err := m.Sign(pair)
	if err != nil {
		panic(err)
	}
	read, err := saml.ParseMetadata(doc, saml.MetadataOptions{TrustedKeys: []crypto.PublicKey{key.Public()}})
	fmt.Println(err, read.Verified)
	// Output: <nil> true
}

// An identity provider for IAM: the assertion carries the roles that may be assumed.
func ExampleAWSAttributes() {
	aws := saml.AWSAttributes{
		Roles: []saml.AWSRole{{
			RoleARN: "arn:aws:iam::111122223333:role/adfedkit_LogArchiveReadOnly", ProviderARN: "arn:aws:iam::111122223333:saml-provider/ADFS",
		}},
		RoleSessionName: "alice@example.com", SessionDuration: time.Hour, PrincipalTags: map[string]string{"team": "SRE"},
	}
	attributes, err := aws.Attributes()
	if err != nil {
		panic(err)
	}
	signIn, err := saml.NewRelyingParty(saml.AWSAudience, saml.AWSSignIn)
	if err != nil {
		panic(err)
	}
	config := newPeers().config
	config.RelyingParties = saml.StaticRelyingParties{signIn}
	idp, err := saml.NewIdentityProvider(config)
	if err != nil {
		panic(err)
	}
	accepted := &saml.AcceptedRequest{RelyingParty: signIn, Consumer: signIn.AssertionConsumers[0]}
	response, err := idp.Issue(accepted, saml.SubjectStatement{
		NameID: saml.NameID{Value: "alice@example.com", Format: saml.NameIDFormatPersistent}, Attributes: attributes,
	})
	if err != nil {
		panic(err)
	}
	form, err := response.Form()
	fmt.Println(err, form.Action, form.Field, len(attributes))
	aws.RoleSessionName = "Alice A."
	_, err = aws.Attributes()
	fmt.Println(saml.ReasonOf(err))
	// Output:
	// <nil> https://signin.aws.amazon.com/saml SAMLResponse 4
	// attribute
}

// IAM Identity Center takes at most 75,000 characters of metadata; the minimal export of a big AD FS document fits in any case.
func ExampleMetadata_Minimal() {
	raw, err := os.ReadFile("testdata/metadata/adfs-v3-metadata.xml")
	if err != nil {
		panic(err)
	}
	m, err := saml.ParseMetadata(raw, saml.MetadataOptions{})
	if err != nil {
		panic(err)
	}
	minimal, err := m.Minimal()
	if err != nil {
		panic(err)
	}
	doc, err := minimal.Marshal()
	if err != nil {
		panic(err)
	}
	fmt.Println(len(raw) > 70_000, len(doc) < 5_000, minimal.CheckIdentityCenter(), m.CheckIAM())
	// Output: true true [] []
}

// The link that starts at AD FS's own sign-on page and ends deep in an application.
func ExampleSignOnURL() {
	link := saml.SignOnURL("https://fs.example.com/adfs/ls/IdpInitiatedSignOn.aspx", "https://app.example.com/saml/metadata", "/reports?id=7")
	fmt.Println(link)
	_, query, _ := strings.Cut(link, "?")
	fmt.Println(saml.ParseSignOnQuery(query))
	// Output:
	// https://fs.example.com/adfs/ls/IdpInitiatedSignOn.aspx?RelayState=RPID%3Dhttps%253A%252F%252Fapp.example.com%252Fsaml%252Fmetadata%26RelayState%3D%252Freports%253Fid%253D7
	// https://app.example.com/saml/metadata /reports?id=7 <nil>
}
