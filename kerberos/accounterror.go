package kerberos

import (
	"bytes"
	"context"
	"errors"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

// NTSTATUS values that Windows KDCs send in KERB-EXT-ERROR (MS-ERREF 2.3).
func statusReason(status uint32) (Reason, bool) {
	switch status {
	case 0xC0000072:
		return ReasonAccountDisabled, true
	case 0xC0000234:
		return ReasonAccountLocked, true
	case 0xC0000193:
		return ReasonAccountExpired, true
	case 0xC0000071:
		return ReasonPasswordExpired, true
	case 0xC0000224:
		return ReasonPasswordMustChange, true
	case 0xC000006F, 0xC0000070:
		return ReasonNotAllowed, true
	}
	return "", false
}

// asError maps a KRB-ERROR of the AS exchange to a verdict.
func (l *login) asError(ctx context.Context, r *Realm, name wire.Name, k *kdcError) error {
	switch k.Code {
	case wire.ErrClientUnknown:
		l.burn(r, name)
		return refuse(ReasonBadCredentials, "unknown user", k)
	case wire.ErrPreauthFailed, wire.ErrBadIntegrity:
		if !l.sent {
			l.burn(r, name)
		}
		return refuse(ReasonBadCredentials, "wrong password", k)
	case wire.ErrClientRevoked, wire.ErrPolicy, wire.ErrKeyExpired, wire.ErrClientNotYet:
		return l.accountError(ctx, r, name, k)
	case wire.ErrEtypeNoSupp:
		return outside(ErrNoCommonEtype, "KDC error 14", k)
	case wire.ErrSkew:
		return &OutsideError{Kind: ErrClockSkew, Offset: k.STime.Sub(l.now()), Err: k}
	case wire.ErrSvcUnavailable, wire.ErrGeneric:
		return outside(ErrUnavailable, "the KDC failed", k)
	}
	return distrust("unexpected error", k)
}

// burn takes the time that a known user's key would have taken.
func (l *login) burn(r *Realm, name wire.Name) {
	if key, err := etype.StringToKey(l.etypes[0], l.secret.Reveal(), []byte(defaultSalt(r, name)), etype.DefaultIterations(l.etypes[0])); err == nil {
		key.Zero()
	}
}

// accountError finds out the kind of 12, 18 and 23: from the error's own NTSTATUS, from the caller's directory, or not
// at all.
func (l *login) accountError(ctx context.Context, r *Realm, name wire.Name, k *kdcError) error {
	fallback := ReasonNotAllowed
	if k.Code == wire.ErrKeyExpired {
		fallback = ReasonPasswordExpired
	}
	if k.Code == wire.ErrKeyExpired && !l.sent {
		// MIT KDCs say so before they look at the password: the change-password service still takes it
		if err := l.provePassword(ctx, r, name); err != nil {
			return err
		}
	}
	if reason, ok := statusReason(wire.NTStatus(k.EData)); ok && (l.sent || reason == ReasonAccountLocked) {
		return refuse(reason, "NTSTATUS of the KDC", k)
	}
	if l.cfg.States == nil {
		return refuse(fallback, "the kind cannot be told", k)
	}
	copied := bytes.Clone(l.secret.Reveal())
	defer clear(copied)
	state, err := l.cfg.States.AccountState(ctx, r.Name, name.String(), copied)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return refuse(fallback, "the directory could not tell the kind", errors.Join(k, err))
	}
	return refuse(stateReason(state, fallback), "state from the directory", k)
}

func stateReason(s AccountState, fallback Reason) Reason {
	switch s {
	case StateBadPassword:
		return ReasonBadCredentials
	case StateDisabled:
		return ReasonAccountDisabled
	case StateLocked:
		return ReasonAccountLocked
	case StateExpired:
		return ReasonAccountExpired
	case StatePasswordExpired:
		return ReasonPasswordExpired
	case StatePasswordMustChange:
		return ReasonPasswordMustChange
	case StateNotAllowed:
		return ReasonNotAllowed
	case StateUnknown, StateActive:
	}
	return fallback
}

// provePassword checks the password against kadmin/changepw, which takes expired ones. Any success will do: the ticket
// is thrown away.
func (l *login) provePassword(ctx context.Context, r *Realm, name wire.Name) error {
	g, err := l.changepwTicket(ctx, r, name, "")
	if k, ok := errors.AsType[*kdcError](err); ok {
		if k.Code == wire.ErrPreauthFailed || k.Code == wire.ErrBadIntegrity || k.Code == wire.ErrClientUnknown {
			return refuse(ReasonBadCredentials, "wrong password", k)
		}
		return nil // no answer about the password: the KDC's first word stands
	}
	if err != nil {
		return err
	}
	g.session.Zero()
	return nil
}

// changepwTicket gets a ticket for the password change service with the password.
func (l *login) changepwTicket(ctx context.Context, r *Realm, name wire.Name, prefer string) (*tgt, error) {
	a := asReq{realm: r, name: name, service: wire.Name{Type: wire.NTPrincipal, Parts: []string{"kadmin", "changepw"}}, prefer: prefer}
	req := l.newASReq(a)
	req.Options = wire.OptCanonicalize
	rep, addr, err := l.send(ctx, r, req, true, prefer)
	if err == nil {
		return l.direct(req, rep, r, addr)
	}
	k, ok := errors.AsType[*kdcError](err)
	if !ok || k.Code != wire.ErrPreauthRequired {
		return nil, err
	}
	pa, perr := wire.ParsePAData(k.EData)
	if perr != nil {
		return nil, distrust("hints for pre-authentication are malformed", perr)
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
	a.prefer = addr
	return l.prove1(ctx, a, key, false, nil)
}
