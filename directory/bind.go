package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/secret"
)

// A Binder proves our identity on a fresh connection. It is called once for each connection and must be safe for
// concurrent use. [NewSimpleBind] and [ExternalBind] are here; package gssapibind has the one for Kerberos.
type Binder interface {
	Bind(ctx context.Context, s *BindSession) error
}

// A Protector is a [Binder] that signs or seals what follows the bind (RFC 4752), so that ldap:// needs no TLS.
type Protector interface {
	Binder
	ProtectsConnection() bool
}

// A BindSession is a connection on which a [Binder] works. It is valid only during Bind.
type BindSession struct{ c *conn }

// Host returns the server's host name or address as configured or discovered.
func (s *BindSession) Host() string { return s.c.server.ep.host }

// ServiceHost returns the host part of the server's service principal name. For a server that is configured by its address
// it is what the server's rootDSE says, if that is a host of the domain: the server still has to prove itself with a
// ticket for that name.
func (s *BindSession) ServiceHost(ctx context.Context) (string, error) {
	host := s.Host()
	if net.ParseIP(host) == nil {
		return host, nil
	}
	if s.c.ldap != nil {
		return "", errors.New("directory: ServiceHost after a bind")
	}
	name, err := s.c.firstHostName(ctx)
	if err != nil {
		return "", err
	}
	if !strings.HasSuffix(foldName(name), "."+foldName(s.Realm())) {
		return "", &ResultError{Op: "rootDSE", Code: codeUnavailable, Diagnostic: "dnsHostName is no host of the domain"}
	}
	return name, nil
}

// firstHostName asks for dnsHostName before any bind, in the first life of the connection.
func (c *conn) firstHostName(ctx context.Context) (string, error) {
	id, err := c.send(ctx, ldapwire.SearchRequest{
		Filter: &ldapwire.Filter{Op: ldapwire.FilterPresent, Attr: "objectClass"}, Attributes: []string{"dnsHostName"},
	}.Encode())
	if err != nil {
		return "", err
	}
	name := ""
	for range 10 {
		m, err := c.recv(ctx, id)
		if err != nil {
			return "", err
		}
		if m.Op.Tag == ldapwire.OpSearchDone {
			break
		}
		e, err := ldapwire.ParseSearchEntry(m.Op)
		if m.Op.Tag != ldapwire.OpSearchEntry || err != nil {
			return "", c.fail(ctx, "rootDSE", ldapwire.ErrMalformed)
		}
		for _, a := range e.Attributes {
			if strings.EqualFold(a.Name, "dnsHostName") && len(a.Values) == 1 {
				name = string(a.Values[0])
			}
		}
	}
	return name, nil
}

// Realm returns the DNS name of the domain.
func (s *BindSession) Realm() string { return s.c.server.dom.cfg.DNS }

// TLS returns the state of the TLS connection, nil without TLS.
func (s *BindSession) TLS() *tls.ConnectionState { return s.c.tls }

// Simple sends a simple bind (RFC 4513 section 5.1). An empty name or password is an error before anything is sent: it
// would be an anonymous or unauthenticated bind, which succeeds and proves nothing.
func (s *BindSession) Simple(ctx context.Context, name string, password []byte) error {
	if name == "" || len(password) == 0 {
		return &BindError{Code: codeInvalidCreds, State: StateBadCredentials}
	}
	if err := s.c.start(); err != nil { //nolint:contextcheck // go-ldap runs beyond this call
		return err
	}
	err := s.c.do(ctx, "bind", func() error {
		_, err := s.c.ldap.SimpleBind(ldap.NewSimpleBindRequest(name, string(password), nil))
		return err
	})
	if re, ok := errors.AsType[*ResultError](err); ok {
		return bindError(re.Code, re.Diagnostic)
	}
	return err
}

// SASL sends one step of a SASL bind (RFC 4513 section 5.2) and returns the server's credentials. done says that the
// server has accepted; otherwise it expects another step.
func (s *BindSession) SASL(ctx context.Context, mechanism string, creds []byte) (reply []byte, done bool, err error) {
	if mechanism == "" || s.c.ldap != nil {
		return nil, false, errors.New("directory: SASL without a mechanism, or after another bind")
	}
	r, err := s.roundTrip(ctx, ldapwire.BindRequest{Version: 3, Mechanism: mechanism, Creds: creds})
	if err != nil {
		return nil, false, err
	}
	switch r.Code {
	case 0:
		return r.Creds, true, nil
	case codeSASLInProgress:
		return r.Creds, false, nil
	}
	return nil, false, bindError(r.Code, r.Diagnostic)
}

// Wrap replaces the connection by one that protects it. It is called after the last SASL step; from then on every
// message goes through wrap's result.
func (s *BindSession) Wrap(wrap func(net.Conn) net.Conn) error {
	if s.c.ldap != nil || s.c.br.Buffered() > 0 {
		return s.c.fail(context.Background(), "bind", errors.New("bytes after the last step"))
	}
	s.c.nc = wrap(s.c.nc)
	s.c.br.Reset(s.c.nc)
	s.c.plain = false
	return nil
}

func (s *BindSession) roundTrip(ctx context.Context, b ldapwire.BindRequest) (ldapwire.BindResponse, error) {
	id, err := s.c.send(ctx, b.Encode())
	if err != nil {
		return ldapwire.BindResponse{}, err
	}
	m, err := s.c.recv(ctx, id)
	if err != nil {
		return ldapwire.BindResponse{}, err
	}
	if m.Op.Tag != ldapwire.OpBindResponse {
		return ldapwire.BindResponse{}, s.c.fail(ctx, "bind", ldapwire.ErrMalformed)
	}
	r, err := ldapwire.ParseBindResponse(m.Op)
	if err != nil {
		return ldapwire.BindResponse{}, s.c.fail(ctx, "bind", err)
	}
	return r, nil
}

func (c *conn) bind(ctx context.Context, b Binder) error {
	if err := b.Bind(ctx, &BindSession{c}); err != nil {
		return err
	}
	if c.plain && !c.server.dom.cfg.InsecurePlain {
		return errors.New("directory: the binder left an ldap:// connection without protection")
	}
	return nil
}

type simpleBind struct {
	name     string
	password secret.Bytes
}

// NewSimpleBind returns the [Binder] for a name (DN, user principal name or DOMAIN\user) and its password, which is copied.
func NewSimpleBind(name string, password []byte) Binder {
	return simpleBind{name, secret.New(password)}
}

// Bind implements [Binder].
func (b simpleBind) Bind(ctx context.Context, s *BindSession) error {
	return s.Simple(ctx, b.name, b.password.Reveal())
}

// ExternalBind is the [Binder] for a TLS client certificate (RFC 4513 section 5.2.3); the certificate is in Domain.TLS.
type ExternalBind struct{}

// Bind implements [Binder].
func (ExternalBind) Bind(ctx context.Context, s *BindSession) error {
	if s.TLS() == nil {
		return errors.New("directory: ExternalBind needs TLS")
	}
	_, done, err := s.SASL(ctx, "EXTERNAL", []byte{})
	if err == nil && !done {
		err = &BindError{Code: codeSASLInProgress}
	}
	return err
}

// An AccountState says in which state the directory found an account.
type AccountState string

// States, in the order in which the first that holds is reported by [Client.AccountState].
const (
	StateActive             AccountState = "active"
	StateDisabled           AccountState = "account_disabled"
	StateLocked             AccountState = "account_locked"
	StateExpired            AccountState = "account_expired"
	StatePasswordMustChange AccountState = "password_must_change"
	StatePasswordExpired    AccountState = "password_expired"
	StateNotAllowed         AccountState = "not_allowed"     // logon hours, workstation, logon type
	StateBadCredentials     AccountState = "bad_credentials" // unknown name or wrong password: not told apart
	StateRefused            AccountState = "refused"         // refused with a code that is not known
)

// A BindError says that the directory refused a bind.
type BindError struct {
	Code       int          // LDAP result code, 49 for refused credentials
	Data       string       // Active Directory's data code, lower-case hexadecimal; "" when there was none
	State      AccountState // what Data means
	Diagnostic string       // the server's text: for a log, not for users
}

// Error implements error with fixed text.
func (e *BindError) Error() string {
	if e.Code == codeStrongAuth {
		return "directory: bind refused: the server demands signing, sealing or TLS"
	}
	return "directory: bind refused: " + string(e.State)
}

// Is reports whether target is [ErrBindRefused].
func (e *BindError) Is(target error) bool { return target == ErrBindRefused }

// LogValue implements [slog.LogValuer].
func (e *BindError) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("code", e.Code), slog.String("data", e.Data), slog.String("state", string(e.State)))
}

// bindError tells a refusal from a server that cannot answer now.
func bindError(code int, diagnostic string) error {
	switch code {
	case codeBusy, codeUnavailable, codeOther, codeOperations, codeUnwilling, codeTimeLimit, codeAdminLimit:
		return &ResultError{Op: "bind", Code: code, Diagnostic: diagnostic}
	}
	e := &BindError{Code: code, State: StateRefused, Diagnostic: diagnostic}
	if code == codeInvalidCreds {
		e.Data, e.State = parseData(diagnostic)
	}
	return e
}

// parseData reads Active Directory's "... AcceptSecurityContext error, data 52e, v1db1" (MS-ERREF codes). The code stands
// after "data ", up to the comma; any other text is a refusal without a known reason.
func parseData(diagnostic string) (string, AccountState) {
	const marker = "AcceptSecurityContext error, data "
	if len(diagnostic) > 4096 {
		return "", StateBadCredentials
	}
	_, rest, ok := strings.Cut(diagnostic, marker)
	if !ok {
		return "", StateBadCredentials // other servers give no code: bad credentials is what 49 means
	}
	code, _, ok := strings.Cut(rest, ",")
	if !ok || code == "" || len(code) > 8 || strings.Trim(code, "0123456789abcdefABCDEF") != "" {
		return "", StateRefused
	}
	code = strings.ToLower(code)
	switch code {
	case "525", "52e":
		return code, StateBadCredentials
	case "530", "531", "534":
		return code, StateNotAllowed
	case "532":
		return code, StatePasswordExpired
	case "533":
		return code, StateDisabled
	case "701":
		return code, StateExpired
	case "773":
		return code, StatePasswordMustChange
	case "775":
		return code, StateLocked
	}
	return code, StateRefused
}
