package samlhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// person is whatever the program knows of a user.
type person struct{ name string }

func (p person) UserName() string { return p.name }

// An identity provider with AD FS's addresses: how to check a password, and what to say about whom.
func ExampleNewIdentityProvider() {
	key, err := samltest.NewECKeyPair("token-signing")
	if err != nil {
		panic(err)
	}
	app, err := saml.NewRelyingParty("https://app.example.com/saml/metadata", "https://app.example.com/saml/acs")
	if err != nil {
		panic(err)
	}
	idp, err := samlhttp.NewIdentityProvider(samlhttp.IdentityProviderConfig{
		BaseURL: "https://fs.example.com", Keys: []saml.KeyPair{key}, RelyingParties: samlhttp.NewRegistry(app),
		Authenticate: func(_ context.Context, l samlhttp.Login) (samlhttp.User, error) {
			if l.UserName == "alice" && string(l.Password) == "Correct-Horse-1" { // ask a directory here
				return person{"alice@example.com"}, nil
			}
			return nil, samlhttp.ErrBadCredentials
		},
		Issue: func(_ context.Context, in samlhttp.IssueInput) (saml.SubjectStatement, error) {
			return saml.SubjectStatement{NameID: saml.NameID{Value: in.User.UserName(), Format: saml.NameIDFormatEmailAddress}}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	idp.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://fs.example.com/adfs/ls/IdpInitiatedSignOn.aspx", http.NoBody))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), "https://app.example.com/saml/metadata"))
	// Output: 200 true
}

// A service provider: pages behind Middleware need a session, Handler serves the rest.
func ExampleNewServiceProvider() {
	idp := &saml.Metadata{EntityID: "http://fs.example.com/adfs/services/trust", IDP: exampleRole()} // saml.ParseMetadata of a file
	partner, err := samlhttp.NewPartner(idp)
	if err != nil {
		panic(err)
	}
	sp, err := samlhttp.NewServiceProvider(samlhttp.ServiceProviderConfig{
		BaseURL: "https://app.example.com", Partners: samlhttp.Partners{partner}, Replay: saml.NewMemoryReplayStore(0, nil),
		SignIn: func(_ context.Context, _ *http.Request, a *saml.Assertion) (map[string]string, error) {
			return map[string]string{"user": a.Subject.Value}, nil // look the account up here; an error refuses
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/saml/", sp.Handler())
	mux.Handle("/", sp.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := sp.Session(r)
		if errors.Is(err, samlhttp.ErrNoSession) {
			return // Middleware has seen to it
		}
		_, _ = fmt.Fprintln(w, "hello", session.Values["user"])
	})))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://app.example.com/reports?id=7", http.NoBody))
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 302 /saml/login?target=%2Freports%3Fid%3D7
}

func exampleRole() *saml.IDPDescriptor {
	key, err := samltest.NewECKeyPair("token-signing")
	if err != nil {
		panic(err)
	}
	return &saml.IDPDescriptor{
		SSODescriptor: saml.SSODescriptor{Keys: []saml.KeyDescriptor{{Certificate: key.Certificate}}},
		SingleSignOn:  []saml.Endpoint{{Binding: saml.BindingHTTPRedirect, Location: "https://fs.example.com/adfs/ls/"}},
	}
}
