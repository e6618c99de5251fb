package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/observe"
	"github.com/adfedkit/adfedkit/internal/secret"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// VerifyPassword tries a name and a password by a bind on a fresh connection that is closed at once. The account is looked
// up first, so that the password is sent to one domain only, in a form that names exactly one account. [StateActive] with a
// nil error means accepted. A refusal is a [*BindError] with its State beside the same state; every other error says
// nothing about the password. An empty password is refused and nothing is sent.
func (c *Client) VerifyPassword(ctx context.Context, name string, password []byte) (state AccountState, err error) {
	ctx, end := observe.Start(ctx, c.cfg.Observer, "directory.verify_password")
	defer func() { end(outcome(err)) }()
	refused := &BindError{Code: codeInvalidCreds, State: StateBadCredentials}
	if len(password) == 0 {
		return refused.State, refused
	}
	e, err := c.Resolve(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrAmbiguous), err == nil && e.Kind != KindUser:
		if err := c.decoy(ctx, name); err != nil {
			return "", err
		}
		return refused.State, refused
	case err != nil:
		return "", err
	}
	d, err := c.domain(e.Domain)
	if err != nil {
		return "", err
	}
	b := simpleBind{e.DN, secret.New(password)}
	defer b.password.Zero()
	if sam := e.String("sAMAccountName"); e.ad && sam != "" && d.cfg.NetBIOS != "" {
		b.name = d.cfg.NetBIOS + `\` + sam // a DN may change between the look-up and the bind
	}
	if err := d.tryBind(ctx, b); err != nil {
		if be, ok := errors.AsType[*BindError](err); ok {
			return be.State, err
		}
		return "", err
	}
	return StateActive, nil
}

// decoy makes an unknown name cost what a wrong password costs: one bind, with a name that nobody has and a password that
// nobody typed.
func (c *Client) decoy(ctx context.Context, name string) error {
	f, err := c.parseName(ctx, name)
	if err != nil || len(f.domains) == 0 {
		return nil //nolint:nilerr // a name of no form at all costs nothing anywhere
	}
	err = f.domains[0].tryBind(ctx, simpleBind{rand.Text() + "@" + f.domains[0].cfg.DNS, secret.New([]byte(rand.Text()))})
	if errors.Is(err, ErrBindRefused) {
		return nil
	}
	return err
}

// tryBind binds once. A server that cannot be reached is passed over; one that has answered has the last word, because
// every further attempt counts towards the lock-out.
func (d *domain) tryBind(ctx context.Context, b Binder) error {
	servers, err := d.candidates(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for s := range d.inOrder(servers) {
		if d.client.isClosed() {
			return ErrClosed
		}
		c, err := s.open(ctx, bindOnly{b})
		if err == nil {
			c.close()
			return nil
		}
		if errors.Is(err, ErrBindRefused) || ctx.Err() != nil {
			return err
		}
		s.noteFailure()
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return errConnection
	}
	return errors.Join(errs...)
}

// bindOnly marks a binder of somebody else's credentials: the connection is closed after the bind, nothing is read on it.
type bindOnly struct{ Binder }

// AccountState reads the state of a user from the directory, without a password: disabled, locked, expired, password to be
// changed, password expired, active, in this order.
func (c *Client) AccountState(ctx context.Context, name string) (AccountState, error) {
	e, err := c.Resolve(ctx, name, "accountExpires", "pwdLastSet", "lockoutTime")
	if err != nil {
		return "", err
	}
	d, err := c.domain(e.Domain)
	if err != nil {
		return "", err
	}
	return retry(ctx, func() (AccountState, error) {
		x, err := d.checkout(ctx)
		if err != nil {
			return "", err
		}
		defer x.server.release(x)
		return x.accountState(ctx, e, c.cfg.Now())
	})
}

func (c *conn) accountState(ctx context.Context, e *Entry, now time.Time) (AccountState, error) {
	// the computed attribute is constructed: it comes with a base search only
	x, err := c.byGUID(ctx, e.GUID, false, []string{
		"msDS-User-Account-Control-Computed", "accountExpires", "pwdLastSet", "lockoutTime", "msDS-ResultantPSO",
	})
	if err != nil {
		return "", err
	}
	uac := x.AccountControl()
	n, hasComputed := x.Int("msDS-User-Account-Control-Computed")
	computed := AccountControl(uint32(n)) //nolint:gosec // 32 bits
	end, expires := x.Time("accountExpires")
	if x.String("accountExpires") == "" {
		expires = false
	}
	locked := computed.Has(LockedOut)
	expired := computed.Has(PasswordExpired)
	if !hasComputed {
		if locked, expired, err = c.computeState(ctx, x, now); err != nil {
			return "", err
		}
	}
	switch {
	case uac.Has(Disabled):
		return StateDisabled, nil
	case locked:
		return StateLocked, nil
	case expires && !now.Before(end):
		return StateExpired, nil
	case x.String("pwdLastSet") == "0" && !uac.Has(PasswordNoExpire):
		return StatePasswordMustChange, nil
	case expired && !uac.Has(PasswordNoExpire):
		return StatePasswordExpired, nil
	}
	return StateActive, nil
}

// computeState does what msDS-User-Account-Control-Computed does, from the domain's policy, for servers without it. A
// password settings object that applies cannot be read by everybody; then the domain's age counts.
func (c *conn) computeState(ctx context.Context, e *Entry, now time.Time) (locked, expired bool, err error) {
	dom, err := c.baseEntry(ctx, c.server.dom.base, []string{"lockoutDuration", "maxPwdAge"})
	if err != nil {
		return false, false, err
	}
	if n, ok := e.Int("lockoutTime"); ok && n > 0 {
		at, _ := FromFileTime(n)
		raw, _ := dom.Int("lockoutDuration")
		length, ends := Interval(raw)
		locked = !ends || now.Before(at.Add(length))
	}
	if n, ok := e.Int("pwdLastSet"); ok && n > 0 {
		at, _ := FromFileTime(n)
		raw, _ := dom.Int("maxPwdAge")
		age, ends := Interval(raw)
		expired = ends && !now.Before(at.Add(age))
	}
	return locked, expired, nil
}

// TokenGroups returns the SIDs of all security groups that the domain controller finds for an account: nested, primary and
// built-in. It is for the moment of a sign-in. Groups of other domains may be missing, so it is never a source of
// synchronisation.
func (c *Client) TokenGroups(ctx context.Context, domainName, guid string) ([]string, error) {
	d, err := c.domain(domainName)
	if err != nil {
		return nil, err
	}
	return retry(ctx, func() ([]string, error) {
		x, err := d.checkout(ctx)
		if err != nil {
			return nil, err
		}
		defer x.server.release(x)
		e, err := x.byGUID(ctx, guid, false, []string{"tokenGroups"})
		if err != nil {
			return nil, err
		}
		var out []string
		for _, raw := range e.values("tokenGroups") {
			s, err := sid.FromBytes(raw)
			if err != nil {
				return nil, &ObjectError{DN: e.DN, GUID: e.GUID, Reason: "malformed SID in tokenGroups"}
			}
			out = append(out, s)
		}
		return out, nil
	})
}

// AlternateLogin finds the one user whose mail (or another attribute that is given) is exactly the value, in all domains.
// Several hits are [ErrAmbiguous]: nobody is signed in by a value that two accounts share.
func (c *Client) AlternateLogin(ctx context.Context, attribute, value string) (*Entry, error) {
	if value == "" || len(value) > maxName || strings.ContainsRune(value, 0) {
		return nil, ErrNotFound
	}
	var hits []*Entry
	for _, d := range c.domains {
		es, err := c.SearchAll(ctx, Query{Domain: d.cfg.DNS, Filter: Eq(attribute, value), Attributes: []string{attribute}})
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			if e.Kind == KindUser && fold.Equal(e.String(attribute), value) {
				hits = append(hits, e)
			}
		}
	}
	switch len(hits) {
	case 0:
		return nil, ErrNotFound
	case 1:
		return hits[0], nil
	}
	return nil, &AmbiguousError{Candidates: hits}
}
