// Package kerberostest runs a KDC with the habits of Active Directory inside the process of a test or a demo.
//
// Start with [Start]; the KDC listens on loopback over TCP and UDP until [KDC.Close]. [KDC.Realm] and [KDC.Keytab] give
// what package kerberos needs to talk to it; [KDC.Trust] joins two of them; [KDC.SetFaults] makes it misbehave in one of
// many ways.
//
// It is no KDC for production: it does not detect replays, keeps everything in memory, and answers whoever asks.
//
// Standards: RFC 4120, RFC 6806 (canonicalization, referrals), RFC 3244 (change password), MS-KILE, MS-PAC. Account
// states answer as Samba's KDC was measured to.
//
// Limits: requests of 64 KiB, one of them for each TCP connection.
//
// What may change before version 1: the list of faults grows.
package kerberostest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/internal/sid"
	"github.com/adfedkit/adfedkit/kerberos"
)

// Config describes a realm. Realm is required.
type Config struct {
	Realm       string // upper-case DNS name of the domain
	NetBIOS     string // "" means the first label
	DomainSID   string // "" means one made from the realm's name
	UPNSuffixes []string
	Users       []User
	Services    []Service

	ETypes     []int32 // of accounts that have none of their own; nil means 18, 17
	Iterations int     // of the key derivation; 0 means 4096
	NTStatus   bool    // send KERB-EXT-ERROR with refusals, as Windows does and Samba does not
	NoPAC      bool    // as MIT KDCs do
	Now        func() time.Time
}

// Service is a service account with a random key.
type Service struct {
	SPN      string
	Password string  // "" means random keys
	ETypes   []int32 // nil means those of the realm
	KVNO     uint32  // 0 means 1
}

// Request is an entry of the log of requests.
type Request struct {
	Kind    string // "as", "tgs", "kpasswd"
	Client  string // name as it was sent
	Service string
	ETypes  []int32
	Preauth int32 // encryption type of the proof, 0 when there was none
	Network string
}

// KDC is a running KDC.
type KDC struct {
	cfg       Config
	now       func() time.Time
	listeners []net.Listener
	packets   []net.PacketConn
	wg        sync.WaitGroup
	stop      context.CancelFunc
	ctx       context.Context //nolint:containedctx // ends with the server, not with a call

	// mu guards everything below
	mu       sync.Mutex
	users    map[string]*account // folded account name
	services map[string]*account // folded SPN
	krbtgt   *account
	trusts   map[string]*trust // folded realm name
	requests []Request
	faults   map[Fault]bool
	only     string
	captured *wire.KDCRep
	capPart  wire.KDCRepPart
	conns    map[net.Conn]bool
}

type trust struct {
	peer *KDC
	key  *etype.Key // of krbtgt/PEER@SELF and krbtgt/SELF@PEER
}

// maxRequest bounds a request.
const maxRequest = 64 << 10

// Start runs a KDC on loopback until Close.
func Start(cfg Config) (*KDC, error) {
	if cfg.Realm == "" || cfg.Realm != strings.ToUpper(cfg.Realm) {
		return nil, errors.New("kerberostest: Config.Realm is not an upper-case realm")
	}
	if cfg.NetBIOS == "" {
		cfg.NetBIOS, _, _ = strings.Cut(cfg.Realm, ".")
	}
	if cfg.DomainSID == "" {
		cfg.DomainSID = domainSID(cfg.Realm)
	}
	if _, err := sid.Bytes(cfg.DomainSID); err != nil {
		return nil, err
	}
	if cfg.ETypes == nil {
		cfg.ETypes = []int32{etype.AES256SHA1, etype.AES128SHA1}
	}
	ctx, stop := context.WithCancel(context.Background())
	k := &KDC{
		cfg: cfg, now: clock.Or(cfg.Now), ctx: ctx, stop: stop, users: map[string]*account{}, services: map[string]*account{},
		trusts: map[string]*trust{}, faults: map[Fault]bool{}, conns: map[net.Conn]bool{},
	}
	k.krbtgt = k.newService(Service{SPN: "krbtgt/" + cfg.Realm})
	k.addService(Service{SPN: "kadmin/changepw"})
	for _, u := range cfg.Users {
		k.AddUser(u)
	}
	for _, s := range cfg.Services {
		k.addService(s)
	}
	for _, handler := range []func([]byte, string) []byte{k.handle, k.kpasswd} {
		if err := k.listen(handler); err != nil {
			k.Close()
			return nil, err
		}
	}
	return k, nil
}

// domainSID makes a stable domain SID of a name.
func domainSID(realm string) string {
	h := uint32(2166136261)
	for _, c := range []byte(realm) {
		h = (h ^ uint32(c)) * 16777619
	}
	return sid.Join(sid.Join(sid.Join("S-1-5-21", h|1<<20), h>>3|1<<21), h>>7|1<<22)
}

// listen opens a TCP and a UDP port with the same number.
func (k *KDC) listen(handler func([]byte, string) []byte) error {
	var failed error
	for range 20 {
		l, err := new(net.ListenConfig).Listen(k.ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		p, err := new(net.ListenConfig).ListenPacket(k.ctx, "udp", l.Addr().String())
		if err != nil { // somebody else has the UDP port
			failed = err
			defer func() { _ = l.Close() }() // not before: a busy machine would offer the same port again
			continue
		}
		k.listeners, k.packets = append(k.listeners, l), append(k.packets, p)
		k.wg.Add(2)
		go k.serveTCP(l, handler)
		go k.serveUDP(p, handler)
		return nil
	}
	return failed
}

// Close stops the KDC and waits for its goroutines.
func (k *KDC) Close() {
	k.stop()
	for _, l := range k.listeners {
		_ = l.Close()
	}
	for _, p := range k.packets {
		_ = p.Close()
	}
	k.mu.Lock()
	for c := range k.conns {
		_ = c.Close()
	}
	k.mu.Unlock()
	k.wg.Wait()
}

// Addr returns host:port of the KDC, for TCP and UDP.
func (k *KDC) Addr() string { return k.listeners[0].Addr().String() }

// KPasswdAddr returns host:port of the password change service.
func (k *KDC) KPasswdAddr() string { return k.listeners[1].Addr().String() }

// DomainSID returns the domain's SID.
func (k *KDC) DomainSID() string { return k.cfg.DomainSID }

// Realm returns the configuration with which package kerberos reaches this KDC.
func (k *KDC) Realm() kerberos.Realm {
	return kerberos.Realm{
		Name: k.cfg.Realm, NetBIOS: k.cfg.NetBIOS, UPNSuffixes: append([]string(nil), k.cfg.UPNSuffixes...), KDCs: []string{k.Addr()},
		KPasswd: []string{k.KPasswdAddr()}, DomainSIDs: []string{k.cfg.DomainSID},
	}
}

// AddService adds a service or replaces its keys.
func (k *KDC) AddService(s Service) *kerberos.Keytab {
	k.addService(s)
	return k.Keytab(s.SPN)
}

func (k *KDC) addService(s Service) {
	a := k.newService(s)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.services[fold.Key(s.SPN)] = a
}

// Keytab returns the keys of services, or of the krbtgt when no name is given.
func (k *KDC) Keytab(spns ...string) *kerberos.Keytab {
	out := new(kerberos.Keytab)
	if len(spns) == 0 {
		return k.krbtgt.keytab(out, "krbtgt/"+k.cfg.Realm, k.cfg.Realm)
	}
	for _, s := range spns {
		k.mu.Lock()
		a := k.services[fold.Key(s)]
		k.mu.Unlock()
		if a != nil {
			out = a.keytab(out, s, k.cfg.Realm)
		}
	}
	return out
}

// RollKrbtgt gives the realm new krbtgt keys. Ticket-granting tickets of before are refused from now on, as in a domain
// whose krbtgt account was reset twice.
func (k *KDC) RollKrbtgt() {
	fresh := k.newService(Service{SPN: "krbtgt/" + k.cfg.Realm})
	k.krbtgt.mu.Lock()
	defer k.krbtgt.mu.Unlock()
	k.krbtgt.bits = fresh.bits
}

// Requests returns what was asked so far.
func (k *KDC) Requests() []Request {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]Request(nil), k.requests...)
}

func (k *KDC) record(r Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.requests) < 100_000 {
		k.requests = append(k.requests, r)
	}
}

// Trust joins two realms with a two-way trust.
func Trust(a, b *KDC) error {
	key, err := etype.Random(etype.AES256SHA1)
	if err != nil {
		return err
	}
	for _, side := range [][2]*KDC{{a, b}, {b, a}} {
		side[0].mu.Lock()
		side[0].trusts[fold.Key(side[1].cfg.Realm)] = &trust{side[1], key}
		side[0].mu.Unlock()
	}
	return nil
}

func (k *KDC) serveTCP(l net.Listener, handler func([]byte, string) []byte) {
	defer k.wg.Done()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		k.mu.Lock()
		k.conns[c] = true
		k.mu.Unlock()
		k.wg.Go(func() {
			defer func() {
				_ = c.Close()
				k.mu.Lock()
				delete(k.conns, c)
				k.mu.Unlock()
			}()
			k.serveConn(c, handler)
		})
	}
}

func (k *KDC) serveConn(c net.Conn, handler func([]byte, string) []byte) {
	if k.has(FaultCloseAtOnce) {
		return
	}
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxRequest {
		return
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		return
	}
	reply := handler(b, "tcp")
	if reply == nil {
		return
	}
	k.send(c, reply)
}

func (k *KDC) serveUDP(p net.PacketConn, handler func([]byte, string) []byte) {
	defer k.wg.Done()
	buf := make([]byte, maxRequest)
	for {
		n, from, err := p.ReadFrom(buf)
		if err != nil {
			return
		}
		if k.has(FaultSilence) || k.has(FaultNoUDP) {
			continue
		}
		reply := handler(append([]byte(nil), buf[:n]...), "udp")
		if len(reply) > 1400 {
			reply = k.krbError(wire.ErrResponseTooBig, wire.Krbtgt(k.cfg.Realm), nil)
		}
		if reply != nil {
			_, _ = p.WriteTo(reply, from)
		}
	}
}
