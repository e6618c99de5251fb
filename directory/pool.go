package directory

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/observe"
)

// Rest times of a server that failed: doubling from the first to the second.
const (
	restMin = 30 * time.Second
	restMax = 5 * time.Minute
)

// A server is one domain controller with its pool of connections and its health.
type server struct {
	dom  *domain
	ep   endpoint
	gc   bool          // a global catalog
	slot chan struct{} // one token for each connection that is allowed

	mu      sync.Mutex
	idle    []*idleConn // most recently used last
	rest    time.Duration
	restEnd time.Time
	probing bool // one caller finds out whether the server is back; the others go elsewhere meanwhile
}

type idleConn struct {
	c     *conn
	timer *time.Timer
}

func newServer(d *domain, ep endpoint) *server {
	return &server{dom: d, ep: ep, slot: make(chan struct{}, d.client.cfg.Limits.MaxConns)}
}

// Answers of admit.
const (
	healthy = iota
	probe   // it has rested long enough: this caller tries it, and says so by endProbe
	rests
)

func (s *server) admit(now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.rest == 0:
		return healthy
	case s.probing || now.Before(s.restEnd):
		return rests
	}
	s.probing = true
	return probe
}

func (s *server) endProbe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probing = false
}

func (s *server) noteFailure() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest = min(max(restMin, 2*s.rest), restMax)
	s.restEnd = s.dom.client.cfg.Now().Add(s.rest)
}

func (s *server) noteSuccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest, s.restEnd = 0, time.Time{}
}

// checkout waits for a free slot and returns an idle or a fresh connection, bound.
func (s *server) checkout(ctx context.Context) (*conn, error) {
	if s.dom.client.isClosed() {
		return nil, ErrClosed
	}
	if err := s.dom.bindGuard(); err != nil {
		return nil, err
	}
	select {
	case s.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := s.takeIdle(); c != nil {
		return c, nil
	}
	octx, end := observe.Start(ctx, s.dom.client.cfg.Observer, "directory.connect")
	c, err := s.open(octx, s.dom.cfg.Bind)
	end(outcome(err))
	if err == nil {
		s.noteSuccess()
		return c, nil
	}
	<-s.slot
	switch {
	case ctx.Err() != nil: // says nothing about the server
	case errors.Is(err, ErrBindRefused):
		s.dom.noteRefusal(err)
	default:
		s.noteFailure()
	}
	return nil, err
}

func (s *server) takeIdle() *conn {
	for {
		s.mu.Lock()
		if len(s.idle) == 0 {
			s.mu.Unlock()
			return nil
		}
		ic := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		s.mu.Unlock()
		ic.timer.Stop()
		if ic.c.fresh() {
			return ic.c
		}
		ic.c.close()
	}
}

// fresh reports whether an idle connection is still open. go-ldap reads all the time: it knows when the server closed it,
// and the gate closes it when the server says anything unasked.
func (c *conn) fresh() bool { return !c.dead && !c.ldap.IsClosing() }

// release gives the connection back. One that is dead, or of a closed client, ends.
func (s *server) release(c *conn) {
	defer func() { <-s.slot }()
	if c.dead || s.dom.client.isClosed() {
		c.close()
		return
	}
	ic := &idleConn{c: c}
	s.mu.Lock()
	defer s.mu.Unlock()
	ic.timer = time.AfterFunc(s.dom.client.cfg.Limits.IdleTimeout, func() { s.expire(ic) })
	s.idle = append(s.idle, ic)
}

func (s *server) expire(ic *idleConn) {
	s.mu.Lock()
	found := false
	for i, x := range s.idle {
		if x == ic {
			s.idle = append(s.idle[:i], s.idle[i+1:]...)
			found = true
			break
		}
	}
	s.mu.Unlock()
	if found {
		ic.c.close()
	}
}

func (s *server) drain() {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, ic := range idle {
		ic.timer.Stop()
		ic.c.close()
	}
}

// brake limits the rate of searches: one after the other, each behind its gap.
type brake struct{ mu sync.Mutex }

// wait returns when the next search may start. Waiting is real time, never the injected clock's.
func (b *brake) wait(ctx context.Context, perSecond int, pause time.Duration) error {
	if perSecond > 0 {
		b.mu.Lock()
		gap := time.Second / time.Duration(perSecond)
		tick := time.NewTimer(gap)
		defer func() { tick.Stop(); b.mu.Unlock() }()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
