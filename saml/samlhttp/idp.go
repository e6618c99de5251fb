package samlhttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/saml"
)

// Addresses of an identity provider, as AD FS has them; paths are compared without regard to case.
const (
	PathSignOn             = "/adfs/ls/"
	PathIntegrated         = "/adfs/ls/wia"
	PathIdPInitiated       = "/adfs/ls/IdpInitiatedSignOn.aspx"
	PathFederationMetadata = "/FederationMetadata/2007-06/FederationMetadata.xml"
	PathArtifactResolution = "/adfs/services/trust/artifactresolution"
	entityIDPath           = "/adfs/services/trust"
)

// User is whoever Authenticate recognised. The value is the caller's own and comes back to Issue; the handlers only show the name.
type User interface{ UserName() string }

// Login is one attempt at the sign-in form.
type Login struct {
	UserName string        // as typed
	Password []byte        // exactly as typed; overwritten when Authenticate returns
	Source   string        // the client's address without port
	Request  *http.Request // for headers of a trusted proxy and the like
}

// IssueInput is what Issue decides from.
type IssueInput struct {
	User         User
	RelyingParty *saml.RelyingParty
	Request      *saml.AuthnRequest // nil when nobody asked (started at the sign-on page)
	Methods      []string           // authentication methods that were used, for the authnmethodsreferences claim
	ContextClass string             // proposed AuthnContextClassRef
	AuthnInstant time.Time
	SessionIndex string
}

// Integrated signs somebody in without a form, by a Kerberos ticket for example. It returns nil and no error when the request
// carries nothing to sign in with; it may then have set WWW-Authenticate, and the form is sent with status 401 so that
// clients that cannot answer still have something to use. An error that is not [ErrBadCredentials] or a [*SignInError] is a failure of
// a dependency; in every case the form is shown.
type Integrated func(w http.ResponseWriter, r *http.Request) (User, error)

// IdentityProviderConfig configures an [IdentityProvider]. The fields above the blank line are required.
type IdentityProviderConfig struct {
	BaseURL        string // scheme, host and port, for example https://fs.example.com
	Keys           []saml.KeyPair
	RelyingParties RelyingPartyRegistry
	Authenticate   func(ctx context.Context, l Login) (User, error)
	Issue          func(ctx context.Context, in IssueInput) (saml.SubjectStatement, error)

	EntityID          string       // "" = BaseURL + /adfs/services/trust
	Integrated        Integrated   // nil = the form only
	IntegratedFirst   bool         // try it before the form is shown, not only at /adfs/ls/wia
	SecondFactor      SecondFactor // nil = one factor
	Lockout           *LockoutGuard
	Sessions          IdentitySessions // nil = in memory
	SessionLife       time.Duration    // 0 = 8 h, as AD FS
	RequireSigned     bool             // refuse unsigned requests of everybody
	AssertionLifetime time.Duration    // 0 = 60 min
	NotBeforeSkew     time.Duration    // 0 = none
	BackChannel       bool             // logout by SOAP: offered, and used first with relying parties that offer it
	HTTPClient        *http.Client     // for the back channel; nil = 10 s, system roots, no redirects
	Artifacts         bool             // offer the HTTP-Artifact binding for responses
	Organization      *saml.Organization
	Pages             Pages                        // nil = the default pages
	ErrorPage         ErrorRenderer                // nil = the template "error"
	CookiePrefix      string                       // "" = "adfedkit_idp_"; cookies do not know ports, so two programs on a host need two prefixes
	Source            func(r *http.Request) string // the client's address, "" = that of the connection
	Now               func() time.Time
	Logger            *slog.Logger
	Observer          Observer // of "samlhttp.sign_in" (the form), "samlhttp.integrated" and "samlhttp.issue"; nil = none
}

// IdentityProvider is an [http.Handler] with the addresses of AD FS. It is safe for concurrent use.
type IdentityProvider struct {
	cfg      IdentityProviderConfig
	idp      *saml.IdentityProvider
	pages    pageWriter
	jar      cookieJar
	base     *url.URL
	sessions IdentitySessions
	csrf     *http.CrossOriginProtection
	routes   map[string]http.HandlerFunc
	artifact *saml.ArtifactStore
	logout   *saml.LogoutService
}

const (
	defaultIdPPrefix   = "adfedkit_idp_"
	defaultSessionLife = 8 * time.Hour
	maxFormBytes       = 4<<20 + 64<<10 // the base64 limit of package saml and the other fields
)

// NewIdentityProvider checks the configuration and prepares the handlers.
func NewIdentityProvider(cfg IdentityProviderConfig) (*IdentityProvider, error) {
	base, err := parseBase(cfg.BaseURL)
	switch {
	case err != nil:
		return nil, err
	case cfg.RelyingParties == nil:
		return nil, errors.New("samlhttp: IdentityProviderConfig.RelyingParties is nil")
	case cfg.Authenticate == nil || cfg.Issue == nil:
		return nil, errors.New("samlhttp: IdentityProviderConfig needs Authenticate and Issue")
	}
	cfg.fill(base)
	core := saml.IdentityProviderConfig{
		EntityID: cfg.EntityID, Keys: cfg.Keys, SingleSignOn: cfg.BaseURL + PathSignOn, SingleLogout: cfg.BaseURL + PathSignOn,
		LogoutBySOAP:   cfg.BackChannel,
		RelyingParties: cfg.RelyingParties, RequireSigned: cfg.RequireSigned, AssertionLifetime: cfg.AssertionLifetime,
		NotBeforeSkew: cfg.NotBeforeSkew, Organization: cfg.Organization, Now: cfg.Now, Logger: cfg.Logger,
	}
	p := &IdentityProvider{cfg: cfg, base: base, sessions: cfg.Sessions, pages: pageWriter{cfg.Pages}, csrf: http.NewCrossOriginProtection()}
	if cfg.Artifacts {
		core.ArtifactResolution = cfg.BaseURL + PathArtifactResolution
		p.artifact = saml.NewArtifactStore(0, cfg.Now)
	}
	if p.idp, err = saml.NewIdentityProvider(core); err != nil {
		return nil, err
	}
	if p.logout, err = p.newLogoutService(); err != nil {
		return nil, err
	}
	p.jar = cookieJar{prefix: cfg.CookiePrefix, secure: base.Scheme == "https", path: "/"}
	p.routes = map[string]http.HandlerFunc{
		"/adfs/ls":                              p.signOn,
		"/adfs/ls/wia":                          p.integrated,
		"/adfs/ls/idpinitiatedsignon":           p.initiated,
		"/adfs/ls/idpinitiatedsignon.aspx":      p.initiated,
		strings.ToLower(PathFederationMetadata): p.metadata,
		PathArtifactResolution:                  p.resolveArtifact,
	}
	return p, nil
}

func (c *IdentityProviderConfig) fill(base *url.URL) {
	c.BaseURL = base.String()
	if c.EntityID == "" {
		c.EntityID = c.BaseURL + entityIDPath
	}
	if c.CookiePrefix == "" {
		c.CookiePrefix = defaultIdPPrefix
	}
	if c.SessionLife <= 0 {
		c.SessionLife = defaultSessionLife
	}
	c.Now = clock.Or(c.Now)
	if c.Sessions == nil {
		c.Sessions = NewMemorySessions(0, c.Now)
	}
	if c.Lockout == nil {
		c.Lockout = NewLockoutGuard(LockoutConfig{Now: c.Now})
	}
	if c.Pages == nil {
		c.Pages = DefaultPages()
	}
	if c.HTTPClient == nil {
		c.HTTPClient = newBackChannel()
	}
	if c.Source == nil {
		c.Source = connectionSource
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// parseBase accepts an address without path, so that every URL that is sent or compared is configured and none is guessed.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(s, "/"))
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("samlhttp: BaseURL %q must be scheme://host[:port]", s)
	}
	return u, nil
}

func connectionSource(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Core returns the identity provider behind the handlers, for its metadata and for messages that the caller builds.
func (p *IdentityProvider) Core() *saml.IdentityProvider { return p.idp }

// ServeHTTP serves all addresses of the identity provider; anything else is 404.
func (p *IdentityProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, ok := p.routes[strings.TrimSuffix(strings.ToLower(r.URL.Path), "/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h(w, r)
}

func (p *IdentityProvider) metadata(w http.ResponseWriter, _ *http.Request) {
	doc, err := p.idp.SignedMetadata()
	if err != nil {
		http.Error(w, "metadata cannot be signed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(doc)
}

// refuse shows an error page; nothing is posted anywhere.
func (p *IdentityProvider) refuse(w http.ResponseWriter, r *http.Request, err error) {
	page := pageFor(err)
	logRefusal(r, p.cfg.Logger, page)
	w.Header().Del("WWW-Authenticate")
	if p.cfg.ErrorPage != nil {
		p.cfg.ErrorPage(w, r, page)
		return
	}
	p.pages.fail(w, page)
}
