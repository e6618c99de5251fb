package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"unicode"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/internal/secret"
)

// ErrPasswordRejected is matched when the new password breaks the domain's policy.
var ErrPasswordRejected = errors.New("kerberos: the new password was rejected")

// ChangeError says why a password was not changed after the old one had been accepted.
type ChangeError struct {
	Code int    // result code of RFC 3244 2
	Text string // the server's explanation, cleaned: printable, at most 200 characters
}

func (e *ChangeError) Error() string {
	return fmt.Sprintf("kerberos: password not changed: result code %d", e.Code)
}

// Is matches [ErrPasswordRejected] for policy refusals.
func (e *ChangeError) Is(target error) bool {
	return target == ErrPasswordRejected && e.Code == kpasswdSoft
}

// Retryable reports false: a changed password may have been stored.
func (*ChangeError) Retryable() bool { return false }

// Result codes and versions of RFC 3244 2.
const (
	kpasswdSuccess    = 0
	kpasswdSoft       = 4
	kpasswdChange     = 1
	kpasswdSet        = 0xff80
	maxKpasswdMessage = 64 << 10
)

// ChangePassword replaces the password of an account, also one that has expired or must be changed. user takes the
// forms that [Authenticator.Password] takes. It reports an [AuthError] when the old password is wrong, and a
// [ChangeError] when the new one was refused.
func (a *Authenticator) ChangePassword(ctx context.Context, user string, old, replacement []byte) error {
	if len(replacement) == 0 || strings.ContainsRune(string(replacement), 0) {
		return &ChangeError{Code: kpasswdSoft, Text: "the new password is empty or has a NUL in it"}
	}
	l := &login{Authenticator: a, user: user, secret: secret.New(old), asLeft: maxAS}
	defer l.secret.Zero()
	err := l.change(ctx, replacement, nil)
	if err == nil {
		return nil
	}
	return l.verdict(ctx, err)
}

// SetPassword sets the password of another account with the rights of an administrator, who signs in with a password
// of their own. target is the account name in the administrator's realm.
func (a *Authenticator) SetPassword(ctx context.Context, admin string, adminPassword []byte, target string, replacement []byte) error {
	if len(replacement) == 0 || target == "" || badName(target) {
		return &ChangeError{Code: kpasswdSoft, Text: "the new password or the account name is empty or malformed"}
	}
	l := &login{Authenticator: a, user: admin, secret: secret.New(adminPassword), asLeft: maxAS}
	defer l.secret.Zero()
	name := principal(target)
	err := l.change(ctx, replacement, &name)
	if err == nil {
		return nil
	}
	return l.verdict(ctx, err)
}

func (l *login) change(ctx context.Context, replacement []byte, target *wire.Name) (err error) {
	defer l.guard(ctx, ReasonKDCNotTrusted, &err)
	if l.secret.Len() == 0 {
		return refuse(ReasonBadCredentials, "empty password", nil)
	}
	t, err := l.route(ctx, l.user)
	if err != nil {
		return err
	}
	g, err := l.changepwTicket(ctx, t.realm, t.name, "")
	if k, ok := errors.AsType[*kdcError](err); ok {
		return l.asError(ctx, t.realm, t.name, k)
	}
	if err != nil {
		return err
	}
	defer g.session.Zero()
	x, err := l.newKpasswd(g, replacement, target)
	if err != nil {
		return err
	}
	defer x.subkey.Zero()
	addrs, err := l.net.kpasswd(ctx, t.realm)
	if err != nil {
		return err
	}
	reply, err := l.net.askOnce(ctx, addrs, x.msg)
	if err != nil {
		return err
	}
	return l.kpasswdResult(ctx, x, reply)
}

// kpasswdExchange is a request with what is needed to read its answer.
type kpasswdExchange struct {
	msg    []byte
	subkey *etype.Key
	g      *tgt
	auth   wire.Authenticator
}

// newKpasswd makes the request: AP-REQ with a sub-key, and KRB-PRIV under it.
func (l *login) newKpasswd(g *tgt, replacement []byte, target *wire.Name) (*kpasswdExchange, error) {
	sub, err := etype.Random(g.session.Type())
	if err != nil {
		return nil, err
	}
	seq := nonce() | 1
	auth := wire.Authenticator{CRealm: g.crealm, CName: g.cname, CTime: l.now(), Subkey: sub, Seq: seq}
	sealed, err := wire.Seal(g.session, wire.UsageAPReqAuth, auth.Encode())
	if err != nil {
		return nil, err
	}
	ap := wire.APReq{Ticket: g.ticket, Auth: sealed}.Encode()
	data := wire.ChangePassword{New: replacement} // with a target it would be a set, which ordinary users may not do
	if target != nil {
		data.Target, data.TargetRealm = target, g.realm.Name
	}
	user := data.Encode()
	defer clear(user)
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1}).AsSlice()
	part := wire.PrivPart{UserData: user, Seq: seq, Sender: wire.Address{Type: 2, Data: local}}.Encode()
	defer clear(part)
	priv, err := wire.Seal(sub, wire.UsagePriv, part)
	if err != nil {
		return nil, err
	}
	msg := wire.EncodePriv(priv)
	n := 6 + len(ap) + len(msg)
	if n > maxKpasswdMessage-1 {
		return nil, errors.New("kerberos: password change request is too long")
	}
	out := binary.BigEndian.AppendUint16(nil, uint16(n))
	out = binary.BigEndian.AppendUint16(out, kpasswdSet)      // RFC 3244's version, for changes too
	out = binary.BigEndian.AppendUint16(out, uint16(len(ap))) //nolint:gosec // checked above
	return &kpasswdExchange{append(append(out, ap...), msg...), sub, g, auth}, nil
}

// kpasswdResult reads the answer. Whatever is wrong with it, the request is not sent again: the password may have been
// changed.
func (l *login) kpasswdResult(ctx context.Context, x *kpasswdExchange, b []byte) error {
	if k, err := wire.ParseKRBError(b); err == nil {
		return errorResult(k)
	}
	if len(b) < 6 || int(binary.BigEndian.Uint16(b)) != len(b) {
		return distrust("password change reply is malformed", nil)
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n == 0 || n > len(b)-6 {
		if k, err := wire.ParseKRBError(b[6:]); err == nil {
			return errorResult(k)
		}
		return distrust("password change reply without a proof", nil)
	}
	enc, err := wire.ParseAPRep(b[6 : 6+n])
	if err != nil {
		return distrust("AP-REP of the password change service is malformed", err)
	}
	plain, err := enc.Open(x.g.session, wire.UsageAPRep)
	if err != nil {
		return distrust("AP-REP of the password change service does not decrypt", err)
	}
	rep, err := wire.ParseAPRepPart(plain)
	if err != nil || !rep.CTime.Equal(x.auth.CTime.Truncate(1000)) {
		return distrust("AP-REP of the password change service is not for this request", err)
	}
	user, err := openPriv(b[6+n:], x, rep)
	if err != nil {
		return err
	}
	l.log.LogAttrs(ctx, slog.LevelInfo, "password change answered", slog.String("realm", x.g.realm.Name))
	return changeResult(user)
}

func openPriv(b []byte, x *kpasswdExchange, rep wire.APRepPart) ([]byte, error) {
	sealed, err := wire.ParsePriv(b)
	if err != nil {
		return nil, distrust("KRB-PRIV is malformed", err)
	}
	key := x.subkey
	if rep.Subkey != nil {
		key = rep.Subkey
	}
	plain, err := sealed.Open(key, wire.UsagePriv)
	if err != nil {
		if plain, err = sealed.Open(x.subkey, wire.UsagePriv); err != nil {
			return nil, distrust("KRB-PRIV does not decrypt", err)
		}
	}
	part, err := wire.ParsePrivPart(plain)
	if err != nil {
		return nil, distrust("KRB-PRIV content is malformed", err)
	}
	if part.Seq != rep.Seq { // the number that the service announced in its AP-REP
		return nil, distrust("KRB-PRIV has another sequence number", nil)
	}
	return part.UserData, nil
}

// errorResult reads a KRB-ERROR, which nobody has signed: it may say why not, never that all is well.
func errorResult(k wire.KRBError) error {
	if len(k.EData) >= 2 {
		if err := changeResult(k.EData); err != nil {
			return err
		}
	}
	return distrust("error from the password change service", &kdcError{k})
}

// changeResult reads result code and text.
func changeResult(b []byte) error {
	if len(b) < 2 {
		return distrust("password change result is malformed", nil)
	}
	code := int(binary.BigEndian.Uint16(b))
	if code == kpasswdSuccess {
		return nil
	}
	return &ChangeError{Code: code, Text: cleanText(b[2:])}
}

// adPolicy is the length of the binary policy that Active Directory sends instead of a text.
const adPolicy = 30

// cleanText makes a peer's text fit to show.
func cleanText(b []byte) string {
	if len(b) == adPolicy && b[0] == 0 && b[1] == 0 {
		return fmt.Sprintf("the password must have at least %d characters and must not be one of the last %d",
			binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint32(b[6:]))
	}
	const most = 200
	var sb strings.Builder
	n := 0
	for _, r := range string(b) {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			continue
		}
		if n++; n > most {
			break
		}
		sb.WriteRune(r)
	}
	return sb.String()
}

// askOnce sends a message to the first address that takes a connection and never to another one after that.
func (n *network) askOnce(ctx context.Context, addrs []string, msg []byte) ([]byte, error) {
	var failed error
	for _, addr := range addrs {
		b, sent, err := n.once(ctx, addr, msg)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		failed = err
		if sent {
			break
		}
	}
	return nil, outside(ErrUnavailable, "password change service", failed)
}

func (n *network) once(ctx context.Context, addr string, msg []byte) (b []byte, sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.ConnectTimeout+n.cfg.AnswerTimeout)
	defer cancel()
	conn, done, err := n.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, false, err
	}
	defer done()
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(msg)), uint32(len(msg))) //nolint:gosec // our own message
	if _, err := conn.Write(append(frame, msg...)); err != nil {
		return nil, true, err
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, true, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > maxKpasswdMessage {
		return nil, true, errGarbage
	}
	b = make([]byte, size)
	_, err = io.ReadFull(conn, b)
	return b, true, err
}
