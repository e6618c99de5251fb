package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/internal/observe"
)

// NetworkConfig says how KDCs are reached. The zero value is TCP with the defaults below.
type NetworkConfig struct {
	// Dial opens connections; nil means a net.Dialer. It must honour its context.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// UDP asks by datagram first; answers that are too big, and silence, lead to TCP.
	UDP bool

	ConnectTimeout time.Duration // for one KDC; 0 means 3 s
	AnswerTimeout  time.Duration // for one KDC; 0 means 5 s
	HedgeAfter     time.Duration // ask the next KDC too after this silence; 0 means 600 ms
	HedgePreauth   bool          // hedge even with a password proof, which may then count twice
	MaxReply       int           // bytes; 0 means 128 KiB, at most 1 MiB

	// Resolver finds SRV records for realms with Discover; nil means net.DefaultResolver.
	Resolver Resolver
}

const (
	defaultConnect = 3 * time.Second
	defaultAnswer  = 5 * time.Second
	defaultHedge   = 600 * time.Millisecond
	udpWait        = time.Second
	udpMax         = 1400
	defaultReply   = 128 << 10
	maxReply       = 1 << 20
	restFirst      = 30 * time.Second
	restMost       = 5 * time.Minute
)

// network asks KDCs and remembers which of them work. It is shared by all calls of its owner.
type network struct {
	cfg NetworkConfig
	now func() time.Time
	log *slog.Logger
	obs Observer
	srv *discovery

	mu     sync.Mutex
	health map[string]*health
}

// health is what is known of one address.
type health struct {
	failures int
	restTill time.Time
	probing  bool
}

func newNetwork(cfg NetworkConfig, now func() time.Time, log *slog.Logger, obs Observer) (*network, error) {
	if cfg.MaxReply < 0 || cfg.MaxReply > maxReply {
		return nil, errors.New("kerberos: Network.MaxReply is above 1 MiB")
	}
	if cfg.ConnectTimeout < 0 || cfg.AnswerTimeout < 0 || cfg.HedgeAfter < 0 {
		return nil, errors.New("kerberos: Network has a negative timeout")
	}
	setDefault(&cfg.MaxReply, defaultReply)
	setDefault(&cfg.ConnectTimeout, defaultConnect)
	setDefault(&cfg.AnswerTimeout, defaultAnswer)
	setDefault(&cfg.HedgeAfter, defaultHedge)
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	return &network{cfg: cfg, now: now, log: log, obs: obs, srv: newDiscovery(cfg.Resolver, now), health: map[string]*health{}}, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// errGarbage marks an answer that is no Kerberos message.
var errGarbage = errors.New("answer is no Kerberos message")

// request is one message for one of several KDCs.
type request struct {
	addrs  []string
	msg    []byte
	hedge  bool
	prefer string // the address that answered before in this sign-in
	// check looks at an answer; an error means that another KDC should be asked
	check func([]byte) error
}

// answer is what came back and from where.
type answer struct {
	body []byte
	addr string
	err  error
}

// ask sends the request to the first KDC that works. After HedgeAfter without an answer the next one is asked too, if
// the request allows it. It returns errGarbage (wrapped) when the only answers were no Kerberos messages.
func (n *network) ask(ctx context.Context, r request) (answer, error) {
	order := n.order(r.addrs, r.prefer)
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan answer, len(order))
	running := 0
	defer func() { // no goroutine outlives the call: each ends soon after its context
		cancel()
		for ; running > 0; running-- {
			<-results
		}
	}()
	var failed error
	next := 0
	start := func() {
		addr := order[next]
		next++
		running++
		go func() { results <- n.one(ctx, addr, r) }()
	}
	for next < len(order) || running > 0 {
		if running == 0 {
			start()
		}
		var hedge <-chan time.Time
		if r.hedge && next < len(order) {
			timer := time.NewTimer(n.cfg.HedgeAfter)
			defer timer.Stop() //nolint:gocritic // one per KDC of a short list
			hedge = timer.C
		}
		select {
		case a := <-results:
			running--
			if a.err == nil {
				return a, nil
			}
			if failed == nil || errors.Is(a.err, errGarbage) {
				failed = a.err
			}
		case <-hedge:
			start()
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
		if ctx.Err() != nil {
			return answer{}, ctx.Err()
		}
	}
	if errors.Is(failed, errGarbage) {
		return answer{}, distrust("no KDC sent a Kerberos message", failed)
	}
	return answer{}, outside(ErrUnavailable, "every KDC failed", failed)
}

// one asks one KDC and notes how it went.
func (n *network) one(ctx context.Context, addr string, r request) answer {
	n.probe(addr)
	ctx, end := observe.Start(ctx, n.obs, "kerberos.exchange")
	body, err := n.attempt(ctx, addr, r)
	if ctx.Err() == nil { // a cancelled loser of a race says nothing about the KDC
		n.note(addr, err)
		if err != nil {
			n.log.LogAttrs(ctx, slog.LevelInfo, "KDC failed", slog.String("kdc", addr), slog.String("error", err.Error()))
		}
	}
	n.unprobe(addr)
	end(observe.Outcome(err))
	return answer{body, addr, err}
}

// attempt makes the exchange and looks at the answer. It runs in a goroutine of its own, where a panic of a decoder, or
// of the caller's Dial, would end the program: nobody above could recover it.
func (n *network) attempt(ctx context.Context, addr string, r request) (body []byte, err error) {
	defer func() {
		if recover() != nil {
			logDefect(ctx, n.log)
			body, err = nil, fmt.Errorf("%w: panic while reading it", errGarbage)
		}
	}()
	if body, err = n.exchange(ctx, addr, r.msg); err != nil {
		return nil, err
	}
	return body, r.check(body)
}

// exchange sends one message and reads one answer, by UDP first if configured.
func (n *network) exchange(ctx context.Context, addr string, msg []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.ConnectTimeout+n.cfg.AnswerTimeout)
	defer cancel()
	if n.cfg.UDP && len(msg) <= udpMax {
		if b, err := n.udp(ctx, addr, msg); err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return n.tcp(ctx, addr, msg)
}

func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, func(), error) {
	dialCtx, cancel := context.WithTimeout(ctx, n.cfg.ConnectTimeout)
	defer cancel()
	conn, err := n.cfg.Dial(dialCtx, network, addr)
	if err != nil {
		return nil, nil, fmt.Errorf("connect: %w", err)
	}
	// the context ends reads and writes by closing the connection
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, func() { stop(); _ = conn.Close() }, nil
}

func (n *network) tcp(ctx context.Context, addr string, msg []byte) ([]byte, error) {
	conn, done, err := n.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer done()
	answerCtx, cancel := context.WithTimeout(ctx, n.cfg.AnswerTimeout)
	defer cancel()
	defer context.AfterFunc(answerCtx, func() { _ = conn.Close() })()
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(msg)), uint32(len(msg))) //nolint:gosec // our own message
	if _, err := conn.Write(append(frame, msg...)); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || uint64(size) > uint64(n.cfg.MaxReply) { //nolint:gosec // positive
		return nil, fmt.Errorf("%w: length prefix", errGarbage)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	return body, nil
}

func (n *network) udp(ctx context.Context, addr string, msg []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, udpWait)
	defer cancel()
	conn, done, err := n.dial(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := conn.Write(msg); err != nil {
		return nil, err
	}
	buf := make([]byte, 1<<16)
	size, err := conn.Read(buf)
	if err != nil {
		return nil, err
	}
	if e, err := wire.ParseKRBError(buf[:size]); err == nil && e.Code == wire.ErrResponseTooBig {
		return nil, errors.New("answer is too big for a datagram")
	}
	return buf[:size:size], nil
}

// order returns the addresses to try: the preferred one, the healthy ones as configured, then the resting ones. Of the
// resting ones whose rest is over a single caller gets the probe at its configured place.
func (n *network) order(addrs []string, prefer string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	var good, resting []string
	for _, a := range addrs {
		h := n.health[a]
		switch {
		case a == prefer:
			good = append([]string{a}, good...)
		case h == nil || h.failures == 0:
			good = append(good, a)
		case !now.Before(h.restTill) && !h.probing:
			good = append(good, a)
		default:
			resting = append(resting, a)
		}
	}
	return append(good, resting...)
}

func (n *network) note(addr string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.health[addr]
	if h == nil {
		h = new(health)
		n.health[addr] = h
	}
	if err == nil {
		h.failures = 0
		return
	}
	h.failures++
	h.restTill = n.now().Add(min(restFirst<<min(h.failures-1, 4), restMost))
}

// probe keeps other callers away from a KDC that failed while this one tries it.
func (n *network) probe(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.health[addr]; h != nil && h.failures > 0 {
		h.probing = true
	}
}

func (n *network) unprobe(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.health[addr]; h != nil {
		h.probing = false
	}
}
