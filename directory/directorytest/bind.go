package directorytest

import (
	"bufio"
	"crypto/subtle"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

func (s *session) bind(m ldapwire.Message) bool {
	b, err := ldapwire.ParseBindRequest(m.Op)
	if err != nil {
		return false
	}
	s.bound = nil
	if f := s.dc.flt.hit(Event{Point: AtBind, Text: b.Name}); f != nil {
		if !s.apply(f) {
			return false
		}
		if f.Code != 0 {
			return s.result(m, result{f.Code, "fault"})
		}
	}
	if b.Mechanism != "" {
		return s.saslBind(m, b)
	}
	if b.Name == "" && len(b.Simple) == 0 { // anonymous: allowed, and good for nothing but the rootDSE
		return s.result(m, result{})
	}
	if s.dc.srv.cfg.RequireSigning && !s.tls {
		return s.result(m, result{8, "The server requires binds to turn on integrity checking if SSL\\TLS are not already active on the connection"})
	}
	if len(b.Simple) == 0 {
		return s.result(m, result{53, "unauthenticated bind"})
	}
	s.dc.srv.mu.Lock()
	o, code := s.dc.authenticate(b.Name, string(b.Simple))
	s.dc.srv.mu.Unlock()
	if code != "" {
		return s.result(m, result{49, "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data " + code + ", v4563"})
	}
	s.bound = o
	return s.result(m, result{})
}

// account finds who a bind name means: a DN, a user principal name, DOMAIN\name, name@dns. A bare name means nobody.
func (dc *DC) account(name string) *Object {
	if strings.Contains(name, "=") {
		if o := dc.byDN(name); o != nil && !o.deleted {
			return o
		}
		return nil
	}
	if nb, sam, ok := strings.Cut(name, `\`); ok {
		if fold.Equal(nb, dc.cfg.NetBIOS) || fold.Equal(nb, dc.cfg.DNS) {
			return dc.find(sam)
		}
		return nil
	}
	for _, o := range dc.index["userprincipalname"][fold.Key(name)] {
		if !o.deleted {
			return o
		}
	}
	i := strings.LastIndexByte(name, '@')
	if i > 0 && (fold.Equal(name[i+1:], dc.cfg.DNS) || fold.Equal(name[i+1:], dc.cfg.NetBIOS)) {
		return dc.find(name[:i])
	}
	return nil
}

// authenticate checks a password as Active Directory does and returns its data code, "" for success. Locked accounts are
// refused whatever the password is; the other states are told to those who know the password.
func (dc *DC) authenticate(name, password string) (*Object, string) {
	o := dc.account(name)
	if o == nil || o.password == "" {
		return nil, "52e"
	}
	if dc.locked(o) {
		return nil, "775"
	}
	if subtle.ConstantTimeCompare([]byte(o.password), []byte(password)) != 1 {
		if dc.cfg.LockoutThreshold > 0 {
			o.badPwdCount++
			dc.set(o, "badPwdCount", strconv.Itoa(o.badPwdCount))
			if o.badPwdCount >= dc.cfg.LockoutThreshold {
				dc.set(o, "lockoutTime", strconv.FormatInt(directory.ToFileTime(dc.srv.cfg.Now()), 10))
			}
		}
		return nil, "52e"
	}
	if code := dc.state(o); code != "" {
		return nil, code
	}
	o.badPwdCount = 0
	return o, ""
}

func (dc *DC) locked(o *Object) bool {
	at, ok := directory.FromFileTime(o.number("lockoutTime"))
	if !ok {
		return false
	}
	return dc.cfg.LockoutDuration == 0 || dc.srv.cfg.Now().Before(at.Add(dc.cfg.LockoutDuration))
}

func (dc *DC) state(o *Object) string {
	uac := directory.AccountControl(o.number("userAccountControl")) //nolint:gosec // 32 bits
	now := dc.srv.cfg.Now()
	end, expires := directory.FromFileTime(o.number("accountExpires"))
	switch {
	case uac.Has(directory.SmartCardRequired):
		return "52e"
	case uac.Has(directory.Disabled):
		return "533"
	case expires && !now.Before(end):
		return "701"
	case uac.Has(directory.PasswordNoExpire):
		return ""
	case o.text("pwdLastSet") == "0":
		return "773"
	case dc.passwordExpired(o, now):
		return "532"
	}
	return ""
}

func (dc *DC) passwordExpired(o *Object, now time.Time) bool {
	set, ok := directory.FromFileTime(o.number("pwdLastSet"))
	return ok && dc.cfg.MaxPasswordAge > 0 && !now.Before(set.Add(dc.cfg.MaxPasswordAge))
}

// computed is msDS-User-Account-Control-Computed.
func (dc *DC) computed(o *Object) string {
	var v directory.AccountControl
	uac := directory.AccountControl(o.number("userAccountControl")) //nolint:gosec // 32 bits
	if dc.locked(o) {
		v |= directory.LockedOut
	}
	if !uac.Has(directory.PasswordNoExpire) && (o.text("pwdLastSet") == "0" || dc.passwordExpired(o, dc.srv.cfg.Now())) {
		v |= directory.PasswordExpired
	}
	return strconv.Itoa(int(v))
}

func (s *session) saslBind(m ldapwire.Message, b ldapwire.BindRequest) bool {
	acc := s.dc.srv.cfg.SASL
	if acc == nil {
		return s.result(m, result{7, "no SASL mechanism"})
	}
	refuse := func() bool {
		s.sasl = nil
		return s.result(m, result{49, "8009030C: LdapErr: DSID-0C0904D0, comment: AcceptSecurityContext error, data 52e, v4563"})
	}
	if s.sasl == nil {
		x, err := acc.Start(b.Mechanism, s.tls)
		if err != nil {
			return refuse()
		}
		s.sasl = x
	}
	reply, name, done, err := s.sasl.Step(b.Creds)
	if err != nil {
		return refuse()
	}
	if !done {
		return s.send(m.ID, ldapwire.BindResponse{Result: ldapwire.Result{Code: 14}, Creds: orEmpty(reply)}.Encode())
	}
	s.dc.srv.mu.RLock()
	o := s.dc.account(name)
	if o == nil {
		o = s.dc.find(name)
	}
	s.dc.srv.mu.RUnlock()
	if o == nil {
		return refuse()
	}
	wrapped := s.sasl.Wrap(s.nc)
	s.sasl = nil
	if wrapped == nil && s.dc.srv.cfg.RequireSigning {
		return s.result(m, result{8, "SASL:[GSSAPI]: Sign or Seal are required"})
	}
	ok := s.send(m.ID, ldapwire.BindResponse{Creds: reply}.Encode())
	if wrapped != nil {
		s.nc, s.layer = wrapped, true
		s.br = bufio.NewReader(s.nc)
	}
	s.bound = o
	return ok
}

func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
