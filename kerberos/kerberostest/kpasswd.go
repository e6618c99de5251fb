package kerberostest

import (
	"encoding/binary"
	"fmt"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

// Result codes of RFC 3244 2.
const (
	kpSuccess   = 0
	kpMalformed = 1
	kpHardError = 2
	kpAuthError = 3
	kpSoftError = 4
	kpDenied    = 5
	kpVersion   = 6
)

// kpasswd answers one password change request (RFC 3244 2).
func (k *KDC) kpasswd(b []byte, network string) []byte {
	if len(b) < 6 || int(binary.BigEndian.Uint16(b)) != len(b) {
		return nil
	}
	version, n := binary.BigEndian.Uint16(b[2:]), int(binary.BigEndian.Uint16(b[4:]))
	if n > len(b)-6 {
		return nil
	}
	ap, err := wire.ParseAPReq(b[6 : 6+n])
	if err != nil {
		return nil
	}
	key := k.service(wire.Name{Parts: []string{"kadmin", "changepw"}}).key(ap.Ticket.Enc.EType)
	if key == nil {
		return nil
	}
	plain, err := ap.Ticket.Enc.Open(key, wire.UsageTicket)
	if err != nil {
		return nil
	}
	part, err := wire.ParseTicketPart(plain)
	if err != nil {
		return nil
	}
	plain, err = ap.Auth.Open(part.Key, wire.UsageAPReqAuth)
	if err != nil {
		return nil
	}
	auth, err := wire.ParseAuthenticator(plain)
	if err != nil || auth.Subkey == nil {
		return nil
	}
	sealed, err := wire.ParsePriv(b[6+n:])
	if err != nil {
		return nil
	}
	plain, err = sealed.Open(auth.Subkey, wire.UsagePriv)
	if err != nil {
		return nil
	}
	priv, err := wire.ParsePrivPart(plain)
	if err != nil {
		return nil
	}
	k.record(Request{Kind: "kpasswd", Client: part.CName.String(), Network: network})
	code, text := k.change(version, priv.UserData, part)
	return k.kpasswdReply(code, text, part, auth, priv)
}

func (k *KDC) change(version uint16, data []byte, part wire.TicketPart) (uint16, string) {
	newPassword := data
	if version == 0xff80 {
		c, err := wire.ParseChangePassword(data)
		if err != nil {
			return kpMalformed, "malformed"
		}
		if c.Target != nil {
			return k.set(c, part)
		}
		newPassword = c.New
	} else if version != 1 {
		return kpVersion, "version"
	}
	if part.Flags&wire.FlagInitial == 0 {
		return kpAuthError, "initial ticket needed"
	}
	k.mu.Lock()
	a := k.users[fold.Key(part.CName.String())]
	k.mu.Unlock()
	if a == nil {
		return kpAuthError, "no such account"
	}
	return k.store(a, newPassword)
}

// set is a change with a target, which is for administrators only.
func (k *KDC) set(c wire.ChangePassword, part wire.TicketPart) (uint16, string) {
	k.mu.Lock()
	admin, a := k.users[fold.Key(part.CName.String())], k.users[fold.Key(c.Target.String())]
	k.mu.Unlock()
	switch {
	case admin == nil || !admin.Admin || !fold.Equal(c.TargetRealm, k.cfg.Realm):
		return kpDenied, "Not permitted to change password"
	case a == nil:
		return kpHardError, "no such account"
	}
	return k.store(a, c.New)
}

func (k *KDC) store(a *account, password []byte) (uint16, string) {
	least := max(a.MinPassword, 7)
	if len(password) < least {
		return kpSoftError, fmt.Sprintf("Password too short, password must be at least %d characters long.", least)
	}
	u := a.User
	u.Password, u.State = string(password), Active
	k.AddUser(u)
	return kpSuccess, "Password changed"
}

func (k *KDC) kpasswdReply(code uint16, text string, part wire.TicketPart, auth wire.Authenticator, priv wire.PrivPart) []byte {
	rep, err := wire.Seal(part.Key, wire.UsageAPRep, wire.APRepPart{CTime: auth.CTime, Seq: priv.Seq}.Encode())
	if err != nil {
		return nil
	}
	answer := wire.PrivPart{
		UserData: append(binary.BigEndian.AppendUint16(nil, code), text...), Seq: priv.Seq,
		Sender: wire.Address{Type: 2, Data: []byte{127, 0, 0, 1}},
	}
	if k.has(FaultNonce) {
		answer.Seq++
	}
	sealed, err := wire.Seal(auth.Subkey, wire.UsagePriv, answer.Encode())
	if err != nil {
		return nil
	}
	apRep, msg := wire.EncodeAPRep(rep), wire.EncodePriv(sealed)
	n := 6 + len(apRep) + len(msg)
	out := binary.BigEndian.AppendUint16(nil, uint16(n))           //nolint:gosec // short
	out = append(out, 0, 1, byte(len(apRep)>>8), byte(len(apRep))) //nolint:gosec // short
	return append(append(out, apRep...), msg...)
}
