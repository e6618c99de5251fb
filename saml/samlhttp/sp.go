package samlhttp

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/saml"
)

// Addresses of a service provider below its BaseURL.
const (
	PathMetadata = "/saml/metadata"
	PathACS      = "/saml/acs"
	PathSLO      = "/saml/slo"
	PathLogin    = "/saml/login"
	PathLogout   = "/saml/logout"
)

// ServiceProviderConfig configures a [ServiceProvider]. The fields above the blank line are required.
type ServiceProviderConfig struct {
	BaseURL  string           // scheme, host and port, for example https://app.example.com
	Partners PartnerResolver  // identity providers; [Partners] is a fixed list
	Replay   saml.ReplayStore // shared by all replicas

	EntityID       string              // "" = BaseURL + /saml/metadata
	Key            *saml.KeyPair       // signs requests and logout messages; nil = requests are not signed, no single logout
	NextKeys       []saml.KeyPair      // published for a rollover
	DecryptionKeys []crypto.Decrypter  // nil = Key's, if it can decrypt
	CookieKey      []byte              // 32 bytes, shared by all replicas; nil = random, good for one process only
	Tracker        saml.RequestTracker // nil = pending requests live in sealed cookies alone

	// SignIn sees a verified assertion before the session begins. It returns values to keep in the session, or an error that
	// refuses the sign-in ([*SignInError] for a text of its own). nil keeps the attributes.
	SignIn         func(ctx context.Context, r *http.Request, a *saml.Assertion) (map[string]string, error)
	DefaultTarget  string                       // where a sign-in without target ends; "" = "/"
	AllowedTargets []string                     // absolute URLs besides local paths, compared whole
	Tenant         func(r *http.Request) string // nil = one tenant, ""
	SessionLife    time.Duration                // 0 = 8 h; SessionNotOnOrAfter of the assertion may shorten it
	RequestLife    time.Duration                // how long a sign-in may take; 0 = 15 min
	ClockSkew      time.Duration                // 0 = 3 min
	Encrypted      bool                         // publish Key for encryption too
	Revocations    Revocations                  // sessions that a logout ended; nil = in memory
	HandOffs       HandOffs                     // responses between POST and GET that are too large for cookies; nil = in memory
	HTTPClient     *http.Client                 // for the back channels; nil = 10 s, system roots, no redirects
	Organization   *saml.Organization
	Pages          Pages
	ErrorPage      ErrorRenderer
	CookiePrefix   string // "" = "adfedkit_sp_"
	Now            func() time.Time
	Logger         *slog.Logger
	Observer       Observer // of "saml.check", "saml.accept" and "samlhttp.begin", which is SignIn; nil = none
}

// ServiceProvider lets people sign in at an identity provider. It is safe for concurrent use and keeps sessions in sealed cookies.
type ServiceProvider struct {
	cfg    ServiceProviderConfig
	sp     *saml.ServiceProvider
	logout *saml.LogoutService
	seal   *sealer
	jar    cookieJar
	base   *url.URL
	pages  pageWriter
	csrf   *http.CrossOriginProtection
}

const (
	defaultSPPrefix    = "adfedkit_sp_"
	defaultRequestLife = 15 * time.Minute
	backChannelTimeout = 10 * time.Second
)

// NewServiceProvider checks the configuration and prepares the handlers.
func NewServiceProvider(cfg ServiceProviderConfig) (*ServiceProvider, error) {
	base, err := parseBase(cfg.BaseURL)
	switch {
	case err != nil:
		return nil, err
	case cfg.Partners == nil:
		return nil, errors.New("samlhttp: ServiceProviderConfig.Partners is nil")
	case cfg.Replay == nil:
		return nil, errors.New("samlhttp: ServiceProviderConfig.Replay is nil")
	case cfg.Encrypted && !rsaPair(cfg.Key):
		return nil, errors.New("samlhttp: ServiceProviderConfig.Encrypted needs an RSA Key")
	}
	cfg.fill(base)
	p := &ServiceProvider{cfg: cfg, base: base, pages: pageWriter{cfg.Pages}, csrf: http.NewCrossOriginProtection()}
	p.jar = cookieJar{prefix: cfg.CookiePrefix, secure: base.Scheme == "https", path: "/"}
	if p.seal, err = newSealer(cfg.CookieKey, cfg.Now); err != nil {
		return nil, err
	}
	p.sp, err = saml.NewServiceProvider(saml.ServiceProviderConfig{
		EntityID: cfg.EntityID, ACS: cfg.BaseURL + PathACS, IdentityProviders: trusted{cfg.Partners}, Replay: cfg.Replay,
		Tracker: cfg.Tracker, DecryptionKeys: cfg.DecryptionKeys, ClockSkew: cfg.ClockSkew, Now: cfg.Now, Logger: cfg.Logger,
		Observer: cfg.Observer,
	})
	if err != nil || cfg.Key == nil {
		return p, err
	}
	p.logout, err = saml.NewLogoutService(saml.LogoutServiceConfig{
		EntityID: cfg.EntityID, Key: *cfg.Key, Locations: []string{cfg.BaseURL + PathSLO}, Peer: p.logoutPeer(""), Replay: cfg.Replay,
		DecryptionKeys: cfg.DecryptionKeys, ClockSkew: cfg.ClockSkew, Now: cfg.Now,
	})
	return p, err
}

// rsaPair reports whether others can encrypt to the key: key transport is RSA-OAEP.
func rsaPair(k *saml.KeyPair) bool {
	return k != nil && k.Certificate != nil && k.Certificate.PublicKeyAlgorithm == x509.RSA
}

func (c *ServiceProviderConfig) fill(base *url.URL) {
	c.BaseURL = base.String()
	if c.EntityID == "" {
		c.EntityID = c.BaseURL + PathMetadata
	}
	if c.CookiePrefix == "" {
		c.CookiePrefix = defaultSPPrefix
	}
	if c.DefaultTarget == "" {
		c.DefaultTarget = "/"
	}
	if c.SessionLife <= 0 {
		c.SessionLife = defaultSessionLife
	}
	if c.RequestLife <= 0 {
		c.RequestLife = defaultRequestLife
	}
	c.Now = clock.Or(c.Now)
	if c.Revocations == nil {
		c.Revocations = NewMemoryRevocations(0, c.Now)
	}
	if c.HandOffs == nil {
		c.HandOffs = NewMemoryHandOffs(0, c.Now)
	}
	if c.DecryptionKeys == nil && c.Key != nil {
		if d, ok := c.Key.Signer.(crypto.Decrypter); ok {
			c.DecryptionKeys = []crypto.Decrypter{d}
		}
	}
	if c.Pages == nil {
		c.Pages = DefaultPages()
	}
	if c.Tenant == nil {
		c.Tenant = func(*http.Request) string { return "" }
	}
	if c.HTTPClient == nil {
		c.HTTPClient = newBackChannel()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// newBackChannel follows no redirect: a message for one address must not end at another.
func newBackChannel() *http.Client {
	return &http.Client{
		Timeout:       backChannelTimeout,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 2, IdleConnTimeout: backChannelTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// EntityID returns our entity ID.
func (p *ServiceProvider) EntityID() string { return p.cfg.EntityID }

// Core returns the validator behind the handlers.
func (p *ServiceProvider) Core() *saml.ServiceProvider { return p.sp }

// Metadata returns our own description.
func (p *ServiceProvider) Metadata() *saml.Metadata {
	d := &saml.SPDescriptor{AuthnRequestsSigned: p.cfg.Key != nil, WantAssertionsSigned: true}
	keys := p.cfg.NextKeys
	if p.cfg.Key != nil {
		keys = append([]saml.KeyPair{*p.cfg.Key}, keys...)
	}
	for i, k := range keys {
		d.Keys = append(d.Keys, saml.KeyDescriptor{Use: saml.KeyUseSigning, Certificate: k.Certificate})
		if i == 0 && p.cfg.Encrypted {
			d.Keys = append(d.Keys, saml.KeyDescriptor{Use: saml.KeyUseEncryption, Certificate: k.Certificate, EncryptionMethods: []string{
				"http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2009/xmlenc11#aes128-gcm",
				"http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
			}})
		}
	}
	yes := true
	d.AssertionConsumers = []saml.IndexedEndpoint{{Endpoint: saml.Endpoint{Binding: saml.BindingHTTPPost, Location: p.cfg.BaseURL + PathACS}, Default: &yes}}
	if p.cfg.Key != nil {
		d.AssertionConsumers = append(d.AssertionConsumers, saml.IndexedEndpoint{
			Endpoint: saml.Endpoint{Binding: saml.BindingHTTPArtifact, Location: p.cfg.BaseURL + PathACS}, Index: 1,
		})
		for _, b := range []string{saml.BindingHTTPRedirect, saml.BindingHTTPPost, saml.BindingSOAP} {
			d.SingleLogout = append(d.SingleLogout, saml.Endpoint{Binding: b, Location: p.cfg.BaseURL + PathSLO})
		}
	}
	return &saml.Metadata{EntityID: p.cfg.EntityID, SP: d, Organization: p.cfg.Organization}
}

// Handler serves /saml/metadata, /saml/acs, /saml/slo, /saml/login and /saml/logout.
func (p *ServiceProvider) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathMetadata, p.serveMetadata)
	mux.HandleFunc(PathACS, p.ACS)
	mux.HandleFunc(PathSLO, p.SLO)
	mux.HandleFunc("GET "+PathLogin, p.Login)
	mux.HandleFunc("POST "+PathLogout, p.Logout)
	return mux
}

func (p *ServiceProvider) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	var doc []byte
	var err error
	if p.cfg.Key != nil {
		doc, err = p.Metadata().Sign(*p.cfg.Key)
	} else {
		doc, err = p.Metadata().Marshal()
	}
	if err != nil {
		http.Error(w, "metadata cannot be built", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(doc)
}

// refuse shows an error page.
func (p *ServiceProvider) refuse(w http.ResponseWriter, r *http.Request, err error) {
	page := pageFor(err)
	if page.Status == http.StatusBadRequest {
		page.Status = http.StatusForbidden
	}
	logRefusal(r, p.cfg.Logger, page)
	if p.cfg.ErrorPage != nil {
		p.cfg.ErrorPage(w, r, page)
		return
	}
	p.pages.fail(w, page)
}

// target returns where a sign-in ends: a local path or a URL of the list; anything else becomes the default. A path that begins
// with two slashes or holds a backslash would leave the site.
func (p *ServiceProvider) target(s string) string {
	if slices.Contains(p.cfg.AllowedTargets, s) {
		return s
	}
	if localPath(s) {
		return s
	}
	return p.cfg.DefaultTarget
}

func localPath(s string) bool {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || len(s) > 1024 {
		return false
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Host == "" && u.Scheme == "" && !strings.HasPrefix(u.Path, "//") && !strings.Contains(u.Path, `\`)
}
