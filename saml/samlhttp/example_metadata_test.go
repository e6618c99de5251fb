package samlhttp_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// The partners of a service provider come from a metadata document that is read again in time; while it cannot be read, the
// last good one counts until it ends.
func ExampleNewMetadataSource() {
	key, err := samltest.NewKeyPair("adfs.corp.example.test")
	if err != nil {
		panic(err)
	}
	idp, err := saml.NewIdentityProvider(saml.IdentityProviderConfig{
		EntityID: "http://adfs.corp.example.test/adfs/services/trust", Keys: []saml.KeyPair{key},
		SingleSignOn: "https://adfs.corp.example.test/adfs/ls/", RelyingParties: samlhttp.NewRegistry(),
	})
	if err != nil {
		panic(err)
	}
	document, err := idp.SignedMetadata()
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "metadata")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "FederationMetadata.xml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		panic(err)
	}

	source, err := samlhttp.NewMetadataSource(samlhttp.MetadataSourceConfig{File: file})
	if err != nil {
		panic(err)
	}
	if err := source.Refresh(context.Background()); err != nil {
		panic(err)
	}
	// go source.Run(ctx), and source as Partners of the service provider
	partner, err := source.Partner(context.Background(), "", "http://adfs.corp.example.test/adfs/services/trust")
	if err != nil {
		panic(err)
	}
	fmt.Println(partner.Trust.EntityID, len(partner.SingleSignOn))
	// Output: http://adfs.corp.example.test/adfs/services/trust 2
}
