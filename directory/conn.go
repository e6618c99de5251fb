package directory

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// A conn is one LDAP connection. Whoever has it is alone on it: one request, then its whole answer. A conn that saw any
// error other than an LDAP result is dead and never used again.
//
// It has two lives. Until start, StartTLS and SASL binds are spoken on the bare connection, because go-ldap reads ahead on
// a connection and cannot have it replaced by a protecting one afterwards. From start on, go-ldap speaks, behind a gate.
type conn struct {
	nc     net.Conn
	br     *bufio.Reader // first life
	ldap   *ldap.Conn    // second life
	gate   *gate
	lim    *Limits
	server *server
	id     int32
	dead   bool
	plain  bool // neither TLS nor a protecting binder
	tls    *tls.ConnectionState
	info   ServerInfo
}

func newConn(nc net.Conn, s *server, lim *Limits) *conn {
	return &conn{nc: nc, br: bufio.NewReaderSize(nc, 32<<10), lim: lim, server: s}
}

// start hands the connection over to go-ldap.
func (c *conn) start() error {
	if c.ldap != nil {
		return nil
	}
	if c.br.Buffered() > 0 {
		return c.fail(context.Background(), "bind", errors.New("bytes that nobody asked for"))
	}
	c.gate = newGate(c.nc, c.lim)
	c.ldap = ldap.NewConn(c.gate, c.tls != nil)
	c.ldap.SetTimeout(requestFactor * c.lim.ReplyTimeout) // go-ldap has none by itself; the gate watches each message
	c.ldap.Start()
	return nil
}

// requestFactor: a page of a thousand messages may take longer than one message.
const requestFactor = 20

// close ends the connection and, in its second life, go-ldap's goroutines.
func (c *conn) close() {
	c.dead = true
	_ = c.nc.Close()
	if c.ldap != nil {
		_ = c.ldap.Close()
	}
}

// do runs one go-ldap request. It ends when ctx ends, because then the connection is closed under it: for the server that
// is the same as Abandon (RFC 4511 section 4.3.1), and an answer on its way is not taken for a later one.
func (c *conn) do(ctx context.Context, what string, request func() error) error {
	if c.dead {
		return fmt.Errorf("%w: %s: already closed", errConnection, c.server.ep.url)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	disarm := c.gate.arm(ctx)
	err := request()
	disarm()
	if err == nil {
		return nil
	}
	le, ok := errors.AsType[*ldap.Error](err)
	if gateErr := c.gate.failure(); gateErr != nil {
		err, ok = gateErr, false
	}
	if !ok || le.ResultCode >= ldap.ErrorNetwork || c.ldap.IsClosing() {
		return c.fail(ctx, what, err)
	}
	return &ResultError{Op: what, Code: int(le.ResultCode), MatchedDN: le.MatchedDN, Diagnostic: le.Err.Error()}
}

// guard arms the socket for one step: it ends after d, or when ctx ends. The returned function disarms it.
// Deadlines are the system clock's, taken from a context, so that an injected clock never reaches a socket.
func (c *conn) guard(ctx context.Context, d time.Duration) func() {
	tctx, cancel := context.WithTimeout(ctx, d)
	if deadline, ok := tctx.Deadline(); ok {
		_ = c.nc.SetDeadline(deadline)
	}
	past := time.Unix(1, 0)
	stop := context.AfterFunc(ctx, func() { _ = c.nc.SetDeadline(past) })
	return func() {
		if stop() {
			_ = c.nc.SetDeadline(time.Time{})
		}
		cancel()
	}
}

// fail marks the connection dead and says why: the context's own error wins, because it is what the caller did.
func (c *conn) fail(ctx context.Context, what string, err error) error {
	c.close()
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	return fmt.Errorf("%w: %s: %s: %w", errConnection, c.server.ep.url, what, err)
}

func (c *conn) send(ctx context.Context, op []byte, controls ...ldapwire.Control) (int32, error) {
	if c.dead {
		return 0, fmt.Errorf("%w: %s: already closed", errConnection, c.server.ep.url)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if c.id++; c.id >= ldapwire.MaxID {
		c.id = 1
	}
	defer c.guard(ctx, c.lim.ReplyTimeout)()
	if _, err := c.nc.Write(ldapwire.Encode(c.id, op, controls...)); err != nil {
		return 0, c.fail(ctx, "write", err)
	}
	return c.id, nil
}

// send and recv are the first life. recv waits for the answer to request id.
func (c *conn) recv(ctx context.Context, id int32) (ldapwire.Message, error) {
	frame, err := c.frame(ctx)
	if err != nil {
		return ldapwire.Message{}, c.fail(ctx, "read", err)
	}
	m, err := ldapwire.ParseMessage(frame)
	if err != nil {
		return ldapwire.Message{}, c.fail(ctx, "read", err)
	}
	if m.ID != id {
		what := errors.New("answer to another request")
		if m.ID == 0 {
			what = errors.New("the server closes the connection")
		}
		return ldapwire.Message{}, c.fail(ctx, "read", what)
	}
	return m, nil
}

func (c *conn) frame(ctx context.Context) ([]byte, error) {
	defer c.guard(ctx, c.lim.ReplyTimeout)()
	return ldapwire.ReadFrame(c.br, c.lim.MessageBytes)
}

// startTLS upgrades the connection (RFC 4511 section 4.14).
func (c *conn) startTLS(ctx context.Context, cfg *tls.Config) error {
	id, err := c.send(ctx, ldapwire.Extended{OID: ldapwire.OIDStartTLS}.EncodeRequest())
	if err != nil {
		return err
	}
	m, err := c.recv(ctx, id)
	if err != nil {
		return err
	}
	if m.Op.Tag != ldapwire.OpExtendedResponse {
		return c.fail(ctx, "StartTLS", ldapwire.ErrMalformed)
	}
	x, err := ldapwire.ParseExtendedResponse(m.Op)
	if err != nil {
		return c.fail(ctx, "StartTLS", err)
	}
	if x.Code != 0 {
		c.close()
		return &ResultError{Op: "StartTLS", Code: x.Code, Diagnostic: x.Diagnostic}
	}
	if c.br.Buffered() > 0 { // plain text that somebody put in front of the handshake
		return c.fail(ctx, "StartTLS", errors.New("bytes before the handshake"))
	}
	return c.handshake(ctx, cfg)
}

func (c *conn) handshake(ctx context.Context, cfg *tls.Config) error {
	t := tls.Client(c.nc, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return c.fail(ctx, "TLS", err)
	}
	st := t.ConnectionState()
	c.nc, c.tls = t, &st
	c.br = bufio.NewReaderSize(t, 32<<10)
	return nil
}

// open dials, protects and binds one connection to s.
func (s *server) open(ctx context.Context, binder Binder) (*conn, error) {
	cl := s.dom.client
	dctx, cancel := context.WithTimeout(ctx, cl.cfg.Limits.DialTimeout)
	nc, err := cl.cfg.Dial(dctx, "tcp", s.ep.addr)
	cancel()
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %s: dial: %w", errConnection, s.ep.url, err)
	}
	c := newConn(nc, s, &cl.cfg.Limits)
	bctx, cancel := context.WithTimeout(ctx, cl.cfg.Limits.BindTimeout)
	defer cancel()
	err = c.protect(bctx, binder)
	if err == nil {
		err = c.bind(bctx, binder)
	}
	if err == nil {
		err = c.start() //nolint:contextcheck // go-ldap runs beyond this call
	}
	if _, only := binder.(bindOnly); err == nil && !only {
		err = c.readRoot(bctx)
	}
	if err != nil {
		c.close()
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) { // ours, not the caller's
			err = fmt.Errorf("%w: %s: bind timed out: %w", errConnection, s.ep.url, err)
		}
		return nil, err
	}
	return c, nil
}

// protect decides by the binder of this very connection: a password that is only tried goes over TLS even where our own
// binder needs none.
func (c *conn) protect(ctx context.Context, binder Binder) error {
	d := &c.server.dom.cfg
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.TLS != nil {
		cfg = d.TLS.Clone()
		cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	}
	if cfg.ServerName == "" {
		cfg.ServerName = c.server.ep.host
	}
	if only, ok := binder.(bindOnly); ok {
		binder = only.Binder
	}
	p, _ := binder.(Protector)
	switch {
	case c.server.ep.tls:
		return c.handshake(ctx, cfg)
	case d.InsecurePlain, p != nil && p.ProtectsConnection():
		c.plain = true
		return nil
	default:
		return c.startTLS(ctx, cfg)
	}
}
