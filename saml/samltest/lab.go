package samltest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// Account is somebody who can sign in.
type Account struct {
	Name       string // NameID, in emailAddress format
	Password   string
	Attributes map[string][]string
}

// UserName returns the name.
func (a Account) UserName() string { return a.Name }

// Config configures a [Lab]. The zero value has the user alice@example.com with the password Correct-Horse-1.
type Config struct {
	Accounts         map[string]Account // by what is typed into the form
	AllowUnsolicited bool               // the service provider accepts what it did not ask for
	Encrypted        bool               // the service provider announces an encryption key
	IdentityProvider func(*samlhttp.IdentityProviderConfig)
	ServiceProvider  func(*samlhttp.ServiceProviderConfig)
	RelyingParty     func(*saml.RelyingParty)
	Partner          func(*samlhttp.Partner)
	Now              func() time.Time
	Logger           *slog.Logger
}

// Lab is a running pair.
type Lab struct {
	IdP      *samlhttp.IdentityProvider
	SP       *samlhttp.ServiceProvider
	Registry *samlhttp.Registry
	IdPURL   string
	SPURL    string

	idp, sp *httptest.Server
}

// DefaultAccounts returns alice@example.com with three group values, under the names alice and alice@example.com.
func DefaultAccounts() map[string]Account {
	alice := Account{Name: "alice@example.com", Password: "Correct-Horse-1", Attributes: map[string][]string{
		"displayName": {"Alice"}, "http://schemas.xmlsoap.org/claims/Group": {"Engineering", "Platform", "SRE"},
	}}
	return map[string]Account{"alice": alice, "alice@example.com": alice}
}

// Start runs both sides on loopback until Close. The service provider shows "signed in as NAME" at / to who is signed in.
func Start(cfg Config) (*Lab, error) {
	if cfg.Accounts == nil {
		cfg.Accounts = DefaultAccounts()
	}
	l := &Lab{Registry: samlhttp.NewRegistry()}
	l.idp, l.sp = httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	l.IdPURL, l.SPURL = "http://"+l.idp.Listener.Addr().String(), "http://"+l.sp.Listener.Addr().String()
	if err := l.build(cfg); err != nil {
		_ = l.idp.Listener.Close()
		_ = l.sp.Listener.Close()
		return nil, err
	}
	l.idp.Config.Handler, l.sp.Config.Handler = l.IdP, l.pages()
	l.idp.Start()
	l.sp.Start()
	return l, nil
}

func (l *Lab) build(cfg Config) error {
	idpKey, err := NewECKeyPair("samltest identity provider") // made in no time
	if err != nil {
		return err
	}
	spKeyPair := NewECKeyPair
	if cfg.Encrypted { // RSA-OAEP needs RSA
		spKeyPair = NewKeyPair
	}
	spKey, err := spKeyPair("samltest service provider")
	if err != nil {
		return err
	}
	ic := samlhttp.IdentityProviderConfig{
		BaseURL: l.IdPURL, Keys: []saml.KeyPair{idpKey}, RelyingParties: l.Registry, Now: cfg.Now, Logger: cfg.Logger,
		Authenticate: cfg.authenticate, Issue: issue,
	}
	if cfg.IdentityProvider != nil {
		cfg.IdentityProvider(&ic)
	}
	if l.IdP, err = samlhttp.NewIdentityProvider(ic); err != nil {
		return err
	}
	partner, err := samlhttp.NewPartner(l.IdP.Core().Metadata())
	if err != nil {
		return err
	}
	partner.Trust.AllowUnsolicited = cfg.AllowUnsolicited
	if cfg.Partner != nil {
		cfg.Partner(&partner)
	}
	sc := samlhttp.ServiceProviderConfig{
		BaseURL: l.SPURL, Partners: samlhttp.Partners{partner}, Replay: saml.NewMemoryReplayStore(0, cfg.Now), Key: &spKey,
		Encrypted: cfg.Encrypted, Now: cfg.Now, Logger: cfg.Logger,
	}
	if cfg.ServiceProvider != nil {
		cfg.ServiceProvider(&sc)
	}
	if l.SP, err = samlhttp.NewServiceProvider(sc); err != nil {
		return err
	}
	rp, err := l.SP.Metadata().RelyingParty()
	if err != nil {
		return err
	}
	if cfg.RelyingParty != nil {
		cfg.RelyingParty(rp)
	}
	l.Registry.Put(rp)
	return nil
}

func (c Config) authenticate(_ context.Context, in samlhttp.Login) (samlhttp.User, error) {
	a, ok := c.Accounts[in.UserName]
	if !ok || a.Password != string(in.Password) {
		return nil, samlhttp.ErrBadCredentials
	}
	return a, nil
}

func issue(_ context.Context, in samlhttp.IssueInput) (saml.SubjectStatement, error) {
	a, ok := in.User.(Account)
	if !ok {
		return saml.SubjectStatement{}, samlhttp.ErrNotPermitted
	}
	st := saml.SubjectStatement{NameID: saml.NameID{Value: a.Name, Format: saml.NameIDFormatEmailAddress}}
	for name, values := range a.Attributes {
		st.Attributes = append(st.Attributes, saml.NewAttribute(name, values...))
	}
	return st, nil
}

func (l *Lab) pages() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/saml/", l.SP.Handler())
	mux.Handle("/", l.SP.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := l.SP.Session(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprintf(w, "signed in as %s at %s\n%v\n", s.NameID.Value, r.URL.Path, s.Attributes) //nolint:gosec // text/plain
	})))
	return mux
}

// Close ends both servers.
func (l *Lab) Close() {
	l.idp.Close()
	l.sp.Close()
}
