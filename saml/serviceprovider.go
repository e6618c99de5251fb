package saml

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/observe"
	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

const (
	receiverSkew    = 3 * time.Minute
	receiverMaxSkew = 10 * time.Minute
	defaultIssueAge = 24 * time.Hour
	defaultBase64   = 4 << 20

	defaultMessageBytes = 2 << 20
)

// ServiceProviderConfig configures a [ServiceProvider]. The fields above the blank line are required.
type ServiceProviderConfig struct {
	EntityID          string                   // our entity ID, which every audience restriction must name
	ACS               string                   // URL of our assertion consumer service, which Destination and Recipient must equal
	IdentityProviders IdentityProviderResolver // whom we trust, and with which keys
	Replay            ReplayStore              // remembers assertion IDs

	Tracker                 RequestTracker     // remembers our requests; nil: only requests proven by the caller, see [ResponseInput]
	DecryptionKeys          []crypto.Decrypter // our private keys, all are tried; none: encrypted content is refused
	Affiliations            []string           // affiliation IDs that an SPNameQualifier may name besides our entity ID
	AllowMissingNameID      bool               // accept an assertion whose subject has no NameID
	AllowMultipleAssertions bool               // accept up to 8 assertions in one response, if all are valid and for the same subject
	NameIDFormat            string             // demand this NameID format; "" accepts any
	ClockSkew               time.Duration      // tolerated difference of the clocks, at most 10 minutes; 0 means 3 minutes
	NoClockSkew             bool               // tolerate none
	MaxIssueAge             time.Duration      // how old IssueInstant may be; 0 means 24 hours
	Limits                  Limits             // of a message; zero fields mean the defaults
	Now                     func() time.Time   // nil means the system clock
	Logger                  *slog.Logger       // nil means no logging
	Observer                Observer           // of "saml.check", everything but the single use, and "saml.accept"; nil means none
}

// Limits bounds a message before work is spent on it. A zero field means the default; nothing can be switched off.
type Limits struct {
	Base64     int // length of the form field, default 4 MiB
	Bytes      int // of the XML, default 2 MiB; of a decrypted element too
	Depth      int // nested elements, default 64
	Elements   int // default 50,000
	Attributes int // per element, default 128
	Namespaces int // declarations per element, default 64
	NameLength int // bytes of one name, default 1024
}

func (l Limits) gate() xmlgate.Limits {
	return xmlgate.Limits{
		Bytes: l.Bytes, Depth: l.Depth, Elements: l.Elements, Attributes: l.Attributes, Namespaces: l.Namespaces, NameLength: l.NameLength,
	}
}

// ServiceProvider validates responses (SAML profiles 4.1.4). It is safe for concurrent use and keeps no state beside the stores.
type ServiceProvider struct {
	cfg  ServiceProviderConfig
	skew time.Duration
	gate xmlgate.Limits
}

// NewServiceProvider checks cfg and returns a service provider.
func NewServiceProvider(cfg ServiceProviderConfig) (*ServiceProvider, error) { //nolint:cyclop // one list of checks
	switch {
	case cfg.EntityID == "":
		return nil, errors.New("saml: ServiceProviderConfig.EntityID is empty")
	case cfg.ACS == "":
		return nil, errors.New("saml: ServiceProviderConfig.ACS is empty")
	case cfg.IdentityProviders == nil:
		return nil, errors.New("saml: ServiceProviderConfig.IdentityProviders is nil")
	case cfg.Replay == nil:
		return nil, errors.New("saml: ServiceProviderConfig.Replay is nil")
	case cfg.ClockSkew < 0 || cfg.ClockSkew > receiverMaxSkew:
		return nil, errors.New("saml: ServiceProviderConfig.ClockSkew is not between 0 and 10 minutes")
	case cfg.NoClockSkew && cfg.ClockSkew != 0:
		return nil, errors.New("saml: ServiceProviderConfig.NoClockSkew and ClockSkew contradict each other")
	case cfg.MaxIssueAge < 0:
		return nil, errors.New("saml: ServiceProviderConfig.MaxIssueAge is negative")
	}
	sp := &ServiceProvider{cfg: cfg, skew: cfg.ClockSkew}
	if sp.skew == 0 && !cfg.NoClockSkew {
		sp.skew = receiverSkew
	}
	if cfg.MaxIssueAge == 0 {
		sp.cfg.MaxIssueAge = defaultIssueAge
	}
	if cfg.Limits.Base64 <= 0 {
		sp.cfg.Limits.Base64 = defaultBase64
	}
	if cfg.Limits.Bytes <= 0 {
		sp.cfg.Limits.Bytes = defaultMessageBytes
	}
	sp.gate = sp.cfg.Limits.gate()
	sp.cfg.Now = clock.Or(cfg.Now)
	if cfg.Logger == nil {
		sp.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return sp, nil
}

// ResponseInput is one received response and what its receiver knows about it. Exactly one of Message and XML is required.
type ResponseInput struct {
	Message []byte // the form field SAMLResponse as received (base64)
	XML     []byte // or the document itself

	// Deflated says that Message is compressed, as the Redirect binding carries it. The profile does not allow responses by
	// that binding (profiles 4.1.2); this is for programs that inspect messages.
	Deflated bool

	Tenant string // whose identity providers may answer
	ACS    string // the configured address at which it arrived; "" means that of the configuration. Never the Host header
	Issuer string // the identity provider that must have answered; "" means that of the request, else the one the response names

	// Which request it must answer: one that this browser started, as proven by its cookie. With RequestID the tracker is asked;
	// Request is for callers that keep the request in the cookie itself. Pending names several of which one may be answered, or
	// none if the identity provider may send unsolicited responses. All empty: the response is unsolicited.
	RequestID string
	Request   *Request
	Pending   []Request

	AuthnContext      *RequestedAuthnContext // what the request asked for; nil accepts any
	AuthnContextOrder []string               // classes from weak to strong, for the comparisons minimum, maximum and better
	PeerCertificate   *x509.Certificate      // of the TLS client, for holder-of-key confirmations; nil accepts none
	Address           string                 // of the client, compared with the Address of the confirmation; "" does not compare

	Explain func(Check) // is called for every check in order, up to the one that failed; nil means no
}

// Check is one step of a validation, for an administrator's log. Received may quote the message: it is not for the sender's eyes.
type Check struct {
	Name       string // a stable word
	Section    string // of the standard
	Configured string // what was demanded
	Received   string // what the message says
	Err        error  // nil when the check passed
}

// Validate verifies a response and uses it up: [ServiceProvider.Check] and [Candidate.Accept] in one.
func (sp *ServiceProvider) Validate(ctx context.Context, in ResponseInput) (*Assertion, error) {
	c, err := sp.Check(ctx, in)
	if err != nil {
		return nil, err
	}
	return c.Accept(ctx)
}

// Candidate is a response that passed every check but has not been used yet.
type Candidate struct {
	sp       *ServiceProvider
	a        *Assertion
	request  Request // the answered request; zero for an unsolicited response
	tracked  bool    // the tracker knows the request
	until    time.Time
	explain  func(Check)
	accepted time.Time
}

// InResponseTo returns the ID of the request that the response answers, "" for an unsolicited one.
func (c *Candidate) InResponseTo() string { return c.a.InResponseTo }

// Issuer returns the identity provider that signed.
func (c *Candidate) Issuer() string { return c.a.Issuer }

// Accept finishes the request and uses the assertion's ID, both once, and only then gives the assertion away. A response that
// was checked long ago is refused when it has expired meanwhile.
func (c *Candidate) Accept(ctx context.Context) (*Assertion, error) {
	ctx, end := observe.Start(ctx, c.sp.cfg.Observer, "saml.accept")
	a, err := c.accept(ctx)
	end(outcome(err))
	if err != nil {
		c.sp.log(ctx, err, c.a.Issuer)
		return nil, err
	}
	return a, nil
}

func (c *Candidate) accept(ctx context.Context) (*Assertion, error) {
	if now := c.sp.cfg.Now(); !now.Before(c.accepted) {
		return nil, c.step("expired", "core 2.5.1.2", reject(ReasonExpired, "the checked response has expired", nil))
	}
	a := *c.a
	if c.tracked {
		r, err := c.sp.cfg.Tracker.Finish(ctx, a.InResponseTo)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil, c.step("request", "profiles 4.1.4.3", reject(ReasonInResponseTo, "no such request is pending", err))
		case err != nil:
			return nil, c.step("request", "profiles 4.1.4.3", reject(ReasonUnavailable, "request tracker", err))
		case r.IdP != "" && r.IdP != a.Issuer:
			return nil, c.step("request", "profiles 4.1.4.3", reject(ReasonIssuer, "another identity provider was asked", nil))
		}
		a.RelayState = r.RelayState
	}
	for _, id := range a.ids() {
		if err := c.sp.useOnce(ctx, replayKey("assertion", a.Issuer, id), c.until); err != nil {
			return nil, c.step("replay", "profiles 4.1.4.5", err)
		}
	}
	if c.request.ID != "" && !c.tracked { // a request that the caller keeps is answered once too
		if err := c.sp.useOnce(ctx, replayKey("request", c.sp.cfg.EntityID, c.request.ID), later(c.request.Expires, c.until)); err != nil {
			return nil, c.step("request", "profiles 4.1.4.3", err)
		}
	}
	_ = c.step("replay", "profiles 4.1.4.5", nil)
	return &a, nil
}

func (c *Candidate) step(name, section string, err error) error {
	if c.explain != nil {
		c.explain(Check{Name: name, Section: section, Configured: "first use", Err: err})
	}
	return err
}

func (sp *ServiceProvider) useOnce(ctx context.Context, key [32]byte, until time.Time) error {
	err := sp.cfg.Replay.UseOnce(ctx, key, until)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrReplay):
		return reject(ReasonReplay, "", err)
	}
	return reject(ReasonUnavailable, "replay store", err)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Check verifies everything that can be verified without using anything up. The caller may throw the candidate away: a message
// that is delivered to the wrong browser can still be delivered to the right one.
func (sp *ServiceProvider) Check(ctx context.Context, in ResponseInput) (*Candidate, error) {
	ctx, end := observe.Start(ctx, sp.cfg.Observer, "saml.check")
	v := &validation{sp: sp, in: &in, now: sp.cfg.Now(), acs: sp.cfg.ACS}
	if in.ACS != "" {
		v.acs = in.ACS
	}
	c, err := v.run(ctx)
	end(outcome(err))
	if err != nil {
		sp.log(ctx, err, v.idp.EntityID)
		return nil, err
	}
	return c, nil
}

func (sp *ServiceProvider) log(ctx context.Context, err error, idp string) {
	sp.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "SAML response refused", slog.String("idp", idp), slog.Any("error", err))
}

func (sp *ServiceProvider) decrypter(p AlgorithmPolicy) *xmlenc.Decrypter {
	return newDecrypter(sp.cfg.DecryptionKeys, p)
}

func newDecrypter(keys []crypto.Decrypter, p AlgorithmPolicy) *xmlenc.Decrypter {
	return &xmlenc.Decrypter{Keys: keys, Policy: xmlenc.Policy{
		RefuseCBC: p.RefuseCBC, TripleDES: p.InsecureAllowTripleDES, RSA15: p.InsecureAllowRSA15, WrongDigestURI: p.AllowWrongOAEPDigestURI,
	}}
}
