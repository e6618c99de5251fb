package kerberos

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/internal/observe"
	"github.com/adfedkit/adfedkit/internal/secret"
)

// AuthenticatorConfig configures an [Authenticator]. Realms and Service are required (Service may stand in every
// realm instead).
type AuthenticatorConfig struct {
	Realms  []Realm
	Service Service // with which KDCs prove themselves

	Accounts     AccountFinder // nil: bare names work with a single realm only
	States       AccountStater // nil: the ticket alone speaks
	DefaultRealm string        // takes UPNs of unknown suffixes; "" refuses them
	Network      NetworkConfig

	EncTypes      []int32 // in order of preference; nil means 18, 17
	AllowRC4      bool    // for domains that still have RC4-only accounts
	MaxIterations int     // of the key derivation; 0 means 32,768
	MaxSkew       time.Duration

	PAC              PACPolicy
	StrictAWSNames   bool // with four or more realms only DOMAIN\user
	AllowMachines    bool // accept name$ accounts
	HideAccountState bool // every account reason becomes bad_credentials
	RetryOnPDC       bool // ask Realm.PDC once more after a wrong password

	// InsecureSkipKDCVerification accepts whoever answers as the KDC. Anybody on the network can then sign in as
	// anybody.
	InsecureSkipKDCVerification bool

	Now           func() time.Time // nil means the system clock
	Logger        *slog.Logger     // nil means no logging
	Observer      Observer         // of "kerberos.password" and "kerberos.exchange", a message to one KDC; nil means none
	LogPrincipals bool             // names of users in the log
}

// Authenticator checks passwords. It is safe for concurrent use.
type Authenticator struct {
	*engine
	cfg     AuthenticatorConfig
	learned *learnedDomains
}

// NewAuthenticator checks the configuration. It does not dial.
func NewAuthenticator(cfg AuthenticatorConfig) (*Authenticator, error) {
	cfg.Now, cfg.Logger = clock.Or(cfg.Now), loggerOr(cfg.Logger)
	e, err := newEngine(cfg.Realms, cfg.Network, enginePolicy{cfg.EncTypes, cfg.AllowRC4, cfg.MaxIterations, cfg.MaxSkew}, cfg.Now, cfg.Logger, cfg.Observer)
	if err != nil {
		return nil, err
	}
	if cfg.DefaultRealm != "" && e.realms.named(cfg.DefaultRealm) == nil {
		return nil, errors.New("kerberos: AuthenticatorConfig.DefaultRealm is not in Realms")
	}
	for _, r := range e.realms.list {
		if r.Service != nil || cfg.InsecureSkipKDCVerification {
			continue
		}
		if err := cfg.Service.check(); err != nil {
			return nil, errors.New("kerberos: AuthenticatorConfig.Service is required: " + err.Error())
		}
	}
	return &Authenticator{engine: e, cfg: cfg, learned: newLearnedDomains()}, nil
}

// login is the state of one call of Password.
type login struct {
	*Authenticator
	user   string // as typed
	secret secret.Bytes
	asLeft int
	sent   bool // a proof of the password has left this process
}

// Password checks a password and returns who it belongs to. user is name, DOMAIN\name, name@dns.domain or a UPN.
// The password is shown to one realm only, and at most once. Neither user nor password is kept.
func (a *Authenticator) Password(ctx context.Context, user string, password []byte) (id *Identity, err error) {
	ctx, end := observe.Start(ctx, a.cfg.Observer, "kerberos.password")
	defer func() { end(outcome(err)) }()
	l := &login{Authenticator: a, user: user, secret: secret.New(password), asLeft: maxAS}
	defer l.secret.Zero()
	if id, err = l.run(ctx); err != nil {
		return nil, l.verdict(ctx, err)
	}
	return id, nil
}

// verdict hides what the policy hides and logs refusals.
func (l *login) verdict(ctx context.Context, err error) error {
	ae, ok := errors.AsType[*AuthError](err)
	if !ok {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	if l.cfg.HideAccountState {
		switch ae.Reason {
		case ReasonAccountDisabled, ReasonAccountExpired, ReasonAccountLocked, ReasonNotAllowed, ReasonPasswordExpired, ReasonPasswordMustChange:
			ae = refuse(ReasonBadCredentials, ae.Detail, ae)
		}
	}
	attrs := []slog.Attr{slog.Any("error", ae)}
	if l.cfg.LogPrincipals {
		attrs = append(attrs, slog.String("user", l.user))
	}
	l.log.LogAttrs(ctx, slog.LevelWarn, "sign-in refused", attrs...)
	return ae
}

func (l *login) run(ctx context.Context) (id *Identity, err error) {
	defer l.guard(ctx, ReasonKDCNotTrusted, &err)
	if l.secret.Len() == 0 {
		return nil, refuse(ReasonBadCredentials, "empty password", nil)
	}
	t, err := l.route(ctx, l.user)
	if err != nil {
		return nil, err
	}
	if n := t.name.Parts[0]; strings.HasSuffix(n, "$") && !l.cfg.AllowMachines {
		return nil, refuse(ReasonBadCredentials, "machine account", nil)
	}
	g, err := l.initial(ctx, t)
	if err != nil {
		return nil, err
	}
	defer g.session.Zero()
	if strings.HasSuffix(g.cname.String(), "$") && !l.cfg.AllowMachines {
		return nil, refuse(ReasonBadCredentials, "machine account", nil)
	}
	if l.cfg.InsecureSkipKDCVerification {
		return l.unproved(g), nil
	}
	svc := g.realm.Service
	if svc == nil {
		svc = &l.cfg.Service
	}
	st, err := l.serviceFor(ctx, g, svc.SPN)
	if err != nil {
		return nil, err
	}
	defer st.session.Zero()
	id, err = l.prove(st, g, svc)
	if err != nil {
		return nil, err
	}
	if err := l.confirmName(t, g, id); err != nil {
		return nil, err
	}
	l.log.LogAttrs(ctx, slog.LevelInfo, "sign-in accepted", slog.String("realm", id.Realm), slog.String("kdc", g.kdc), slog.Int("etype", int(g.etype)))
	return id, nil
}

// unproved is the identity of a sign-in without a proof: the reply's name and nothing else.
func (l *login) unproved(g *tgt) *Identity {
	id := &Identity{Realm: g.crealm, Name: g.cname.String(), AuthTime: g.part.AuthTime, EndTime: g.part.EndTime}
	id.fillNames(nil)
	id.PreAuthenticated = g.part.Flags&wire.FlagPreAuthent != 0
	return id
}

// confirmName makes sure that the account that an enterprise name led to is the one that was typed: its UPN, or its
// account name at the domain or at the typed suffix of the realm.
func (l *login) confirmName(t target, g *tgt, id *Identity) error {
	if t.name.Type != wire.NTEnterprise && g.askedType != wire.NTEnterprise {
		return nil
	}
	if id.PAC == nil || id.PAC.UPNDNSInfo == nil {
		return distrust("nothing confirms the account behind the UPN", nil)
	}
	if fold.Equal(l.user, id.UPN) {
		return nil
	}
	name, suffix, _ := strings.Cut(l.user, "@")
	if fold.Equal(name, id.Name) && fold.Equal(suffix, id.DNSDomain) {
		return nil
	}
	return distrust("the UPN led to another account", nil)
}

// initial gets the TGT: one request without a proof, and one with it. Client referrals (RFC 6806 7) lead to configured
// realms only.
func (l *login) initial(ctx context.Context, t target) (*tgt, error) {
	seen := map[string]bool{}
	r, name, prefer, second := t.realm, t.name, "", t.second
	for hops := 0; ; {
		seen[r.Name] = true
		if l.asLeft--; l.asLeft < 0 {
			return nil, distrust("too many exchanges", nil)
		}
		req := l.newASReq(asReq{realm: r, name: name})
		rep, addr, err := l.send(ctx, r, req, true, prefer)
		if err == nil {
			return l.direct(req, rep, r, addr)
		}
		k, ok := errors.AsType[*kdcError](err)
		if !ok {
			return nil, err
		}
		prefer = addr
		switch {
		case k.Code == wire.ErrPreauthRequired:
			return l.preauth(ctx, asReq{realm: r, name: name, prefer: addr}, k)
		case k.Code == wire.ErrClientUnknown && second != nil:
			name, second = *second, nil
		case k.Code == wire.ErrWrongRealm:
			next := l.realms.byDNS[foldRealm(k.CRealm)]
			if hops++; next == nil || seen[next.Name] || hops > maxReferrals || k.CRealm == "" {
				return nil, distrust("client referral to a realm that is not configured, or in a circle", err)
			}
			r, prefer, second = next, "", nil
			l.asLeft++ // a referral is bounded by its own count
		default:
			return nil, l.asError(ctx, r, name, k)
		}
	}
}

func foldRealm(name string) string { return fold.Key(name) }

// direct handles an AS-REP that came without a demand for pre-authentication: whether it decrypts is the password
// check.
func (l *login) direct(req wire.KDCReq, rep wire.KDCRep, r *Realm, addr string) (*tgt, error) {
	if !l.allows(rep.Enc.EType) {
		return nil, distrust("the reply is encrypted with a type that we do not allow", nil)
	}
	salt, iterations := []byte(defaultSalt(r, rep.CName)), etype.DefaultIterations(rep.Enc.EType)
	if _, ok := wire.FindPA(rep.PAData, wire.PAETypeInfo2); ok {
		et, s, n, err := l.pickInfo(rep.PAData)
		if err != nil {
			return nil, err
		}
		if et != rep.Enc.EType {
			return nil, distrust("ETYPE-INFO2 speaks of another type than the reply", nil)
		}
		salt, iterations = s, n
	}
	key, err := l.derive(rep.Enc.EType, salt, iterations)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	if _, err := rep.Enc.Open(key, wire.UsageASRep); err != nil {
		return nil, refuse(ReasonBadCredentials, "reply without pre-authentication does not decrypt", nil)
	}
	g, err := l.checkASRep(req, rep, key, r, addr)
	if err == nil {
		g.askedType = req.CName.Type
	}
	return g, err
}

func defaultSalt(r *Realm, n wire.Name) string { return r.Name + strings.Join(n.Parts, "") }

func (l *login) derive(et int32, salt []byte, iterations int) (*etype.Key, error) {
	key, err := etype.StringToKey(et, l.secret.Reveal(), salt, iterations)
	if err != nil {
		return nil, refuse(ReasonBadCredentials, "no key can be made of this password", err)
	}
	return key, nil
}

// preauth sends the proof of the password (RFC 4120 5.2.7.2), once.
func (l *login) preauth(ctx context.Context, a asReq, k *kdcError) (*tgt, error) {
	pa, err := wire.ParsePAData(k.EData)
	if err != nil {
		return nil, distrust("hints for pre-authentication are malformed", err)
	}
	et, salt, iterations, err := l.pickInfo(pa)
	if err != nil {
		return nil, err
	}
	key, err := l.derive(et, salt, iterations)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	g, err := l.prove1(ctx, a, key, l.net.cfg.HedgePreauth, nil)
	if kerr, ok := errors.AsType[*kdcError](err); ok && kerr.Code == wire.ErrPreauthFailed && l.cfg.RetryOnPDC && a.realm.PDC != "" && a.realm.PDC != a.prefer {
		g, err = l.prove1(ctx, a, key, false, []string{a.realm.PDC}) // the password may be so new that only the PDC emulator knows it
	}
	if kerr, ok := errors.AsType[*kdcError](err); ok {
		return nil, l.asError(ctx, a.realm, a.name, kerr)
	}
	return g, err
}

// prove1 sends one AS-REQ with PA-ENC-TIMESTAMP under the key.
func (l *login) prove1(ctx context.Context, a asReq, key *etype.Key, hedge bool, only []string) (*tgt, error) {
	req := l.newASReq(a)
	sealed, err := wire.Seal(key, wire.UsagePATimestamp, wire.EncodeTimestamp(l.now()))
	if err != nil {
		return nil, err
	}
	req.PAData = []wire.PAData{{Type: wire.PAEncTS, Value: sealed.Encode()}}
	l.sent = true
	r := a.realm
	if only != nil {
		one := *a.realm
		one.KDCs = only
		r = &one
	}
	rep, addr, err := l.send(ctx, r, req, hedge, a.prefer)
	if err != nil {
		return nil, err
	}
	g, err := l.checkASRep(req, rep, key, a.realm, addr)
	if err == nil {
		g.askedType = a.name.Type
	}
	return g, err
}
