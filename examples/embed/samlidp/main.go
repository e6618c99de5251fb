// Command samlidp shows an identity provider: one user, one relying party whose metadata you give. Its own metadata is at
// http://127.0.0.1:8001/FederationMetadata/2007-06/FederationMetadata.xml.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

type user string

func (u user) UserName() string { return string(u) }

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: samlidp SP-METADATA.xml")
	}
	raw, err := os.ReadFile(os.Args[1]) //nolint:gosec // the file that the user named
	check(err)
	metadata, err := saml.ParseMetadata(raw, saml.MetadataOptions{})
	check(err)
	application, err := metadata.RelyingParty()
	check(err)
	key, err := samltest.NewKeyPair("Token signing") // a throw-away key; use your own crypto.Signer
	check(err)
	idp, err := samlhttp.NewIdentityProvider(samlhttp.IdentityProviderConfig{
		BaseURL: "http://127.0.0.1:8001", Keys: []saml.KeyPair{key}, RelyingParties: samlhttp.NewRegistry(application),
		Authenticate: func(_ context.Context, l samlhttp.Login) (samlhttp.User, error) {
			if l.UserName != "alice" || string(l.Password) != "Correct-Horse-1" { // package kerberos asks Active Directory
				return nil, samlhttp.ErrBadCredentials
			}
			return user("alice@example.com"), nil
		},
		Issue: func(_ context.Context, in samlhttp.IssueInput) (saml.SubjectStatement, error) {
			return saml.SubjectStatement{NameID: saml.NameID{Value: in.User.UserName(), Format: saml.NameIDFormatEmailAddress}}, nil
		},
	})
	check(err)
	server := &http.Server{Addr: "127.0.0.1:8001", Handler: idp, ReadHeaderTimeout: 10 * time.Second}
	check(server.ListenAndServe())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
