package kerberos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/internal/secret"
)

// ClientConfig configures a [Client]. Realms is required, and exactly one of Keytab, Password and Cache.
type ClientConfig struct {
	Realms    []Realm
	Principal string // name@REALM; with Cache it may be empty

	Keytab   KeytabSource
	Password []byte // copied
	Cache    *CCache

	Network       NetworkConfig
	EncTypes      []int32 // nil means 18, 17
	AllowRC4      bool
	MaxIterations int           // 0 means 32,768
	MaxSkew       time.Duration // 0 means 5 minutes
	Now           func() time.Time
	Logger        *slog.Logger
	Observer      Observer // of "kerberos.exchange"; nil means none
}

// Client gets tickets for one principal and keeps them until they end. Concurrent requests for one service make one
// exchange. Nothing runs in the background: tickets are renewed when they are used.
type Client struct {
	*engine
	cfg    ClientConfig
	realm  *Realm
	name   wire.Name
	secret secret.Bytes

	// mu guards what follows
	mu      sync.Mutex
	tgt     *tgt
	tickets map[string]*serviceTicket
	flights map[string]chan struct{}
}

// NewClient checks the configuration. It does not dial.
func NewClient(cfg ClientConfig) (*Client, error) {
	cfg.Now, cfg.Logger = clock.Or(cfg.Now), loggerOr(cfg.Logger)
	e, err := newEngine(cfg.Realms, cfg.Network, enginePolicy{cfg.EncTypes, cfg.AllowRC4, cfg.MaxIterations, cfg.MaxSkew}, cfg.Now, cfg.Logger, cfg.Observer)
	if err != nil {
		return nil, err
	}
	sources := 0
	for _, has := range []bool{cfg.Keytab != nil, len(cfg.Password) > 0, cfg.Cache != nil} {
		if has {
			sources++
		}
	}
	if sources != 1 {
		return nil, errors.New("kerberos: ClientConfig needs exactly one of Keytab, Password and Cache")
	}
	c := &Client{engine: e, cfg: cfg, secret: secret.New(cfg.Password), tickets: map[string]*serviceTicket{}, flights: map[string]chan struct{}{}}
	c.cfg.Password = nil
	if cfg.Cache != nil && cfg.Principal == "" {
		c.cfg.Principal = cfg.Cache.Principal()
	}
	name, realm, ok := strings.Cut(c.cfg.Principal, "@")
	if c.realm = e.realms.named(realm); !ok || name == "" || c.realm == nil {
		return nil, errors.New("kerberos: ClientConfig.Principal is not name@REALM of one of Realms")
	}
	c.name = wire.Name{Type: wire.NTPrincipal, Parts: strings.Split(name, "/")}
	if cfg.Cache != nil {
		c.load(cfg.Cache)
	}
	return c, nil
}

// Principal returns name@REALM as configured.
func (c *Client) Principal() string { return c.name.String() + "@" + c.realm.Name }

// Close forgets the tickets and overwrites the keys. No other call may be running.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secret.Zero()
	if c.tgt != nil {
		c.tgt.session.Zero()
	}
	for _, t := range c.tickets {
		t.session.Zero()
	}
	c.tgt, c.tickets = nil, map[string]*serviceTicket{}
}

// renewBefore is how long before its end a ticket is not used any more.
const renewBefore = time.Minute

// ticket returns a ticket for a service, from the cache or from the KDC. Concurrent callers share one exchange.
func (c *Client) ticket(ctx context.Context, spn string) (*serviceTicket, error) {
	id := fold.Key(spn)
	for {
		c.mu.Lock()
		if t := c.tickets[id]; t != nil && t.part.EndTime.After(c.now().Add(renewBefore)) {
			c.mu.Unlock()
			return t, nil
		}
		done, busy := c.flights[id]
		if !busy {
			done = make(chan struct{})
			c.flights[id] = done
		}
		c.mu.Unlock()
		if busy {
			select {
			case <-done:
				continue // look again: the other caller may have failed
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		t, err := c.fetch(ctx, spn)
		c.mu.Lock()
		if err == nil {
			c.keep(id, t)
		}
		delete(c.flights, id)
		c.mu.Unlock()
		close(done)
		return t, err
	}
}

// maxTickets bounds the tickets that a [Client] keeps.
const maxTickets = 256

// keep remembers a ticket. A full table first loses what has ended, then everything: who asks for so many services is
// better served by new tickets than by more memory. The keys are left to the collector: a caller may still use them.
func (c *Client) keep(id string, t *serviceTicket) {
	if len(c.tickets) >= maxTickets {
		now := c.now()
		maps.DeleteFunc(c.tickets, func(_ string, t *serviceTicket) bool { return !t.part.EndTime.After(now) })
	}
	if len(c.tickets) >= maxTickets {
		clear(c.tickets)
	}
	c.tickets[id] = t
}

// fetch gets a service ticket. A TGT that was kept and that the KDC no longer takes, for instance because the domain
// has new krbtgt keys, is replaced once.
func (c *Client) fetch(ctx context.Context, spn string) (*serviceTicket, error) {
	g, kept, err := c.initial(ctx)
	if err != nil {
		return nil, err
	}
	st, err := c.serviceFor(ctx, g, spn)
	if code, _ := KDCErrorCode(err); err == nil || !kept || !staleTGT(code) {
		return st, err
	}
	c.mu.Lock()
	if c.tgt == g {
		c.tgt = nil
	}
	c.mu.Unlock()
	if g, _, err = c.initial(ctx); err != nil {
		return nil, err
	}
	return c.serviceFor(ctx, g, spn)
}

// staleTGT reports the errors with which a KDC refuses the ticket-granting ticket itself (RFC 4120 7.5.9).
func staleTGT(code int32) bool {
	switch code {
	case wire.ErrTGTRevoked, wire.ErrBadIntegrity, wire.ErrTktExpired, wire.ErrModified, wire.ErrBadKeyVer, wire.ErrNoKey:
		return true
	}
	return false
}

// initial returns the TGT, a fresh one when the old one has ended. kept reports one of an earlier call.
func (c *Client) initial(ctx context.Context) (g *tgt, kept bool, err error) {
	c.mu.Lock()
	g = c.tgt
	c.mu.Unlock()
	if g != nil && g.part.EndTime.After(c.now().Add(renewBefore)) {
		return g, true, nil
	}
	if c.cfg.Cache != nil {
		return nil, false, refuse(ReasonBadCredentials, "the credential cache has no valid ticket-granting ticket", nil)
	}
	if g, err = c.authenticate(ctx); err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	c.tgt = g
	c.mu.Unlock()
	return g, false, nil
}

// authenticate makes the AS exchange with the keytab or the password.
func (c *Client) authenticate(ctx context.Context) (g *tgt, err error) {
	defer c.guard(ctx, ReasonKDCNotTrusted, &err)
	a := asReq{realm: c.realm, name: c.name}
	req := c.newASReq(a)
	rep, addr, err := c.send(ctx, c.realm, req, true, "")
	if err == nil {
		key, e := c.replyKey(rep)
		if e != nil {
			return nil, e
		}
		return c.checkASRep(req, rep, key, c.realm, addr)
	}
	k, ok := errors.AsType[*kdcError](err)
	if !ok {
		return nil, err
	}
	if k.Code != wire.ErrPreauthRequired {
		return nil, c.clientError(k)
	}
	pa, err := wire.ParsePAData(k.EData)
	if err != nil {
		return nil, distrust("hints for pre-authentication are malformed", err)
	}
	key, err := c.keyFor(pa)
	if err != nil {
		return nil, err
	}
	req = c.newASReq(a)
	sealed, err := wire.Seal(key, wire.UsagePATimestamp, wire.EncodeTimestamp(c.now()))
	if err != nil {
		return nil, err
	}
	req.PAData = []wire.PAData{{Type: wire.PAEncTS, Value: sealed.Encode()}}
	rep, addr, err = c.send(ctx, c.realm, req, false, addr)
	if k, ok := errors.AsType[*kdcError](err); ok {
		return nil, c.clientError(k)
	}
	if err != nil {
		return nil, err
	}
	return c.checkASRep(req, rep, key, c.realm, addr)
}

// replyKey finds the key for a reply without pre-authentication.
func (c *Client) replyKey(rep wire.KDCRep) (*etype.Key, error) {
	if _, ok := wire.FindPA(rep.PAData, wire.PAETypeInfo2); ok || c.cfg.Keytab == nil {
		return c.keyFor(rep.PAData)
	}
	return c.keytabKey(rep.Enc.EType)
}

// keyFor picks the first offered type that we allow and, with a keytab, have a key of.
func (c *Client) keyFor(pa []wire.PAData) (*etype.Key, error) {
	et, salt, iterations, err := c.pickInfo(pa)
	if err != nil {
		return nil, err
	}
	if c.cfg.Keytab == nil {
		key, err := etype.StringToKey(et, c.secret.Reveal(), salt, iterations)
		if err != nil {
			return nil, refuse(ReasonBadCredentials, "no key can be made of this password", err)
		}
		return key, nil
	}
	if key, err := c.keytabKey(et); err == nil {
		return key, nil
	}
	raw, _ := wire.FindPA(pa, wire.PAETypeInfo2)
	list, _ := wire.ParseETypeInfo2(raw)
	for _, i := range list {
		if !c.allows(i.EType) {
			continue
		}
		if key, err := c.keytabKey(i.EType); err == nil {
			return key, nil
		}
	}
	return nil, outside(ErrNoCommonEtype, "the keytab has no key of a type that the KDC offers", nil)
}

func (c *Client) keytabKey(et int32) (*etype.Key, error) {
	keys, err := c.cfg.Keytab.Current().find(c.name.String(), c.realm.Name, 0, et)
	if err != nil {
		return nil, outside(ErrNoCommonEtype, "keytab", err)
	}
	return keys[0], nil
}

// clientError maps errors of the AS exchange for our own account.
func (c *Client) clientError(k *kdcError) error {
	switch k.Code {
	case wire.ErrClientUnknown, wire.ErrPreauthFailed, wire.ErrBadIntegrity:
		return refuse(ReasonBadCredentials, "our own account", k)
	case wire.ErrKeyExpired:
		return refuse(ReasonPasswordExpired, "our own account", k)
	case wire.ErrClientRevoked, wire.ErrPolicy:
		return refuse(ReasonNotAllowed, "our own account", k)
	case wire.ErrEtypeNoSupp:
		return outside(ErrNoCommonEtype, "KDC error 14", k)
	case wire.ErrSkew:
		return &OutsideError{Kind: ErrClockSkew, Offset: k.STime.Sub(c.now()), Err: k}
	case wire.ErrSvcUnavailable, wire.ErrGeneric:
		return outside(ErrUnavailable, "the KDC failed", k)
	}
	return distrust("unexpected error", k)
}

// Format prints the principal alone, under every verb: what is inside are keys and tickets.
func (c *Client) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, "kerberos.Client of ", c.Principal())
}

// LogValue prints what Format prints.
func (c *Client) LogValue() slog.Value {
	return slog.StringValue("kerberos.Client of " + c.Principal())
}
