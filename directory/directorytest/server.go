package directorytest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// listeners are the addresses of a domain controller.
type listeners struct {
	mu    sync.Mutex
	plain net.Listener
	tls   net.Listener
	gc    net.Listener   // nil without a global catalog
	gcP   net.Listener   // the same without TLS
	ping  net.PacketConn // nil without a site
	addrP string
	addrG string
	addrH string // of gcP
	addrT string
}

// listen opens the addresses; after Stop the same ones again.
func (dc *DC) listen() error {
	dc.net.mu.Lock()
	defer dc.net.mu.Unlock()
	var err error
	if err = dc.listenPlain(); err != nil {
		return err
	}
	if dc.net.tls, err = listenOn(dc.net.addrT); err != nil {
		dc.closePlain()
		return err
	}
	dc.net.addrP, dc.net.addrT = dc.net.plain.Addr().String(), dc.net.tls.Addr().String()
	if dc.net.ping != nil {
		dc.srv.wg.Go(func(pc net.PacketConn) func() { return func() { dc.answerPings(pc) } }(dc.net.ping))
	}
	if dc.cfg.GlobalCatalog {
		if err := dc.listenCatalog(); err != nil {
			dc.closePlain()
			_ = dc.net.tls.Close()
			return err
		}
	}
	dc.accept(dc.net.plain, session{})
	dc.accept(dc.net.tls, session{tls: true})
	return nil
}

// listenPlain opens the ldap:// address, and UDP at the same port when pings are answered: a port that is free for one of
// them need not be free for the other, so others are tried.
func (dc *DC) listenPlain() (err error) {
	for range maxPorts {
		if dc.net.plain, err = listenOn(dc.net.addrP); err != nil || dc.cfg.Site == "" {
			return err
		}
		addr := dc.net.plain.Addr().String()
		if dc.net.ping, err = (&net.ListenConfig{}).ListenPacket(context.Background(), "udp", addr); err == nil {
			return nil
		}
		dc.net.ping = nil
		dc.closePlain()
		err = fmt.Errorf("directorytest: %w", err)
	}
	return err
}

func (dc *DC) listenCatalog() (err error) {
	if dc.net.gc, err = listenOn(dc.net.addrG); err != nil {
		return err
	}
	if dc.net.gcP, err = listenOn(dc.net.addrH); err != nil {
		_ = dc.net.gc.Close()
		return err
	}
	dc.net.addrG, dc.net.addrH = dc.net.gc.Addr().String(), dc.net.gcP.Addr().String()
	dc.accept(dc.net.gc, session{tls: true, gc: true})
	dc.accept(dc.net.gcP, session{gc: true})
	return nil
}

// maxPorts is how many ports are tried for TCP and UDP together.
const maxPorts = 50

func (dc *DC) closePlain() {
	_ = dc.net.plain.Close()
	if dc.net.ping != nil {
		_ = dc.net.ping.Close()
	}
}

func listenOn(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("directorytest: %w", err)
	}
	return l, nil
}

func (dc *DC) accept(l net.Listener, kind session) {
	dc.srv.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			dc.srv.wg.Go(func() { dc.serve(nc, kind) })
		}
	})
}

// Stop closes the addresses and all connections of this domain controller: an outage. [DC.Resume] ends it.
func (dc *DC) Stop() {
	dc.net.mu.Lock()
	for _, l := range []net.Listener{dc.net.plain, dc.net.tls, dc.net.gc, dc.net.gcP} {
		if l != nil {
			_ = l.Close()
		}
	}
	if dc.net.ping != nil {
		_ = dc.net.ping.Close()
	}
	dc.net.mu.Unlock()
	dc.Disconnect()
}

// Resume opens the same addresses again after [DC.Stop].
func (dc *DC) Resume() error { return dc.listen() }

// Disconnect ends all connections to this domain controller.
func (dc *DC) Disconnect() {
	dc.srv.connMu.Lock()
	defer dc.srv.connMu.Unlock()
	for c := range dc.srv.conns {
		if c.dc == dc {
			_ = c.raw.Close()
		}
	}
}

// Connections returns how many connections are open.
func (dc *DC) Connections() int {
	dc.srv.connMu.Lock()
	defer dc.srv.connMu.Unlock()
	n := 0
	for c := range dc.srv.conns {
		if c.dc == dc {
			n++
		}
	}
	return n
}

// URL returns the ldaps:// address.
func (dc *DC) URL() string { return "ldaps://" + dc.net.addrT }

// PlainURL returns the ldap:// address, which offers StartTLS.
func (dc *DC) PlainURL() string { return "ldap://" + dc.net.addrP }

// Addr returns host and port of the ldap:// address.
func (dc *DC) Addr() string { return dc.net.addrP }

// A session is one connection.
type session struct {
	dc    *DC
	raw   net.Conn
	nc    net.Conn
	br    *bufio.Reader
	tls   bool
	layer bool // a SASL layer protects the connection
	gc    bool // a global catalog's connection

	bound   *Object
	sasl    SASLExchange
	pages   map[string]*pageState
	cookies int
}

const maxRequest = 4 << 20

func (dc *DC) serve(nc net.Conn, kind session) {
	s := &session{dc: dc, raw: nc, gc: kind.gc, pages: map[string]*pageState{}}
	dc.srv.connMu.Lock()
	if dc.srv.closed {
		dc.srv.connMu.Unlock()
		_ = nc.Close()
		return
	}
	dc.srv.conns[s] = struct{}{}
	dc.srv.connMu.Unlock()
	defer func() {
		_ = nc.Close()
		dc.srv.connMu.Lock()
		delete(dc.srv.conns, s)
		dc.srv.connMu.Unlock()
	}()
	if f := dc.flt.hit(Event{Point: AtConnect}); f != nil {
		if f.Alert {
			_, _ = nc.Write([]byte{0x15, 3, 3, 0, 2, 2, 40}) // TLS alert: handshake_failure
			return
		}
		if !s.apply(f) {
			return
		}
	}
	s.nc = nc
	if kind.tls {
		if !s.upgrade() {
			return
		}
	}
	s.br = bufio.NewReader(s.nc)
	s.loop()
}

func (s *session) upgrade() bool {
	t := tls.Server(s.raw, &tls.Config{Certificates: []tls.Certificate{s.dc.srv.ca.leaf}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return false
	}
	s.nc, s.tls = t, true
	return true
}

func (s *session) loop() {
	for {
		frame, err := ldapwire.ReadFrame(s.br, maxRequest)
		if err != nil {
			return
		}
		m, err := ldapwire.ParseMessage(frame)
		if err != nil || !s.handle(m) {
			return
		}
	}
}

// handle answers one request; false ends the connection.
func (s *session) handle(m ldapwire.Message) bool {
	switch m.Op.Tag {
	case ldapwire.OpUnbindRequest:
		return false
	case ldapwire.OpAbandonRequest:
		return true
	case ldapwire.OpExtendedRequest:
		return s.extended(m)
	}
	for _, c := range m.Controls {
		if c.Critical && !knownControl(c.OID) {
			return s.result(m, result{12, "unknown critical control"})
		}
	}
	switch m.Op.Tag {
	case ldapwire.OpBindRequest:
		return s.bind(m)
	case ldapwire.OpSearchRequest:
		return s.search(m)
	case ldapwire.OpModifyRequest, ldapwire.OpAddRequest, ldapwire.OpDelRequest, ldapwire.OpModDNRequest:
		return s.modify(m)
	}
	return s.result(m, result{2, "operation not offered"})
}

type result struct {
	code int
	text string
}

// result answers a request with a code and nothing else.
func (s *session) result(m ldapwire.Message, r result) bool {
	op := map[byte]byte{
		ldapwire.OpBindRequest: ldapwire.OpBindResponse, ldapwire.OpSearchRequest: ldapwire.OpSearchDone, ldapwire.OpModifyRequest: ldapwire.OpModifyResponse,
		ldapwire.OpAddRequest: ldapwire.OpAddResponse, ldapwire.OpDelRequest: ldapwire.OpDelResponse, ldapwire.OpModDNRequest: ldapwire.OpModDNResponse,
		ldapwire.OpCompareRequest: ldapwire.OpCompareResponse, ldapwire.OpExtendedRequest: ldapwire.OpExtendedResponse,
	}[m.Op.Tag]
	if op == 0 {
		return false
	}
	return s.send(m.ID, ldapwire.Result{Code: r.code, Diagnostic: r.text}.Encode(op))
}

// send writes one message; false says that the connection is gone.
func (s *session) send(id int32, op []byte, controls ...ldapwire.Control) bool {
	b := ldapwire.Encode(id, op, controls...)
	n, cut := s.dc.flt.allow(len(b))
	if n > 0 {
		if _, err := s.nc.Write(b[:n]); err != nil {
			return false
		}
	}
	return !cut
}

func (s *session) extended(m ldapwire.Message) bool {
	x, err := ldapwire.ParseExtendedRequest(m.Op)
	if err != nil {
		return false
	}
	if x.OID != ldapwire.OIDStartTLS || s.tls {
		return s.result(m, result{2, "extended operation not offered"})
	}
	if !s.send(m.ID, ldapwire.Extended{OID: ldapwire.OIDStartTLS}.EncodeResponse()) || s.br.Buffered() > 0 || !s.upgrade() {
		return false
	}
	s.br = bufio.NewReader(s.nc)
	return true
}

func knownControl(oid string) bool {
	switch oid {
	case ldapwire.OIDPaging, ldapwire.OIDShowDeleted, ldapwire.OIDShowRecycled, ldapwire.OIDExtendedDN, ldapwire.OIDDirSync,
		ldapwire.OIDDomainScope, ldapwire.OIDSDFlags:
		return true
	}
	return false
}

// Server returns the server that the domain controller belongs to.
func (dc *DC) Server() *Server { return dc.srv }
