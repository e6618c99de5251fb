package directory_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// A tape is one conversation with a server, recorded and played again: the client that is tested sends the same requests
// each time, and thousands of runs need no server that computes the same answers.
type tape struct {
	mu    sync.Mutex
	steps []step
}

// A step is one request with the bytes that came after it.
type step struct{ request, answer []byte }

// recorder is the connection that a tape is recorded on.
type recorder struct {
	net.Conn

	t *tape
}

func (r recorder) Write(b []byte) (int, error) {
	r.t.mu.Lock()
	r.t.steps = append(r.t.steps, step{request: slices.Clone(b)})
	r.t.mu.Unlock()
	return r.Conn.Write(b)
}

func (r recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	if k := len(r.t.steps) - 1; k >= 0 {
		r.t.steps[k].answer = append(r.t.steps[k].answer, b[:n]...)
	}
	return n, err
}

// taped makes a client whose connections come from dial. It speaks without TLS: the suites count bytes of LDAP.
func taped(tb testing.TB, dc *directorytest.DC, dial func(context.Context) (net.Conn, error)) *directory.Client {
	tb.Helper()
	c, err := directory.New(directory.Config{
		Dial:   func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		Limits: directory.Limits{ReplyTimeout: 20 * time.Second, BindTimeout: 20 * time.Second, DialTimeout: 20 * time.Second},
		Domains: []directory.Domain{{
			DNS: dc.DNS(), NetBIOS: dc.NetBIOS(), SID: dc.SID(), Servers: []string{dc.PlainURL()}, InsecurePlain: true,
			Bind: directory.NewSimpleBind("svc-sync@"+dc.DNS(), []byte(password)),
		}},
	})
	require.NoError(tb, err)
	return c
}

// record runs a read once, undisturbed, and returns its tape.
func record(tb testing.TB, dc *directorytest.DC, read func(*directory.Client)) *tape {
	tb.Helper()
	t := &tape{}
	c := taped(tb, dc, func(ctx context.Context) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", dc.Addr())
		return recorder{nc, t}, err
	})
	read(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	steps := slices.Clone(t.steps) // what Close says is not on the tape
	require.NoError(tb, c.Close())
	return &tape{steps: steps}
}

// boundaries returns the positions between two messages of the server, the start and the end among them.
func (t *tape) boundaries() []int {
	out, at := []int{0}, 0
	for _, s := range t.steps {
		for r := bytes.NewReader(s.answer); r.Len() > 0; out = append(out, at) {
			br := bufio.NewReaderSize(r, 16)
			before := r.Len() + br.Buffered()
			if _, err := ldapwire.ReadFrame(br, 1<<30); err != nil {
				panic(err)
			}
			used := before - r.Len() - br.Buffered()
			at += used
			_, _ = r.Seek(-int64(br.Buffered()), io.SeekCurrent)
		}
	}
	return out
}

func (t *tape) size() (n int) {
	for _, s := range t.steps {
		n += len(s.answer)
	}
	return n
}

// A player is a server that plays a tape and ends the connection after so many bytes: in the middle of a message if need be.
type player struct {
	t    *tape
	keep bool // later connections end at once; else they go on without a fault

	mu    sync.Mutex
	left  int
	cut   bool
	other bool // a request that is not on the tape
	wg    sync.WaitGroup
}

func (p *player) dial(context.Context) (net.Conn, error) {
	a, b := net.Pipe()
	p.wg.Go(func() { p.serve(b) })
	return a, nil
}

func (p *player) serve(nc net.Conn) {
	defer func() { _ = nc.Close() }()
	r := bufio.NewReader(nc)
	for _, s := range p.t.steps {
		want, _ := ldapwire.ReadFrame(bufio.NewReader(bytes.NewReader(s.request)), 1<<30)
		got, err := ldapwire.ReadFrame(r, 1<<20)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.other = p.other || !bytes.Equal(want, got)
		answer := s.answer
		ended := false
		switch {
		case p.cut && p.keep:
			answer, ended = nil, true
		case !p.cut && len(answer) > p.left:
			answer, ended, p.cut = answer[:p.left], true, true
		}
		p.left -= len(answer)
		p.mu.Unlock()
		if _, err := nc.Write(answer); err != nil || ended {
			return
		}
	}
	_, _ = io.Copy(io.Discard, r)
}

// cutAt plays the tape with a cut at byte n to a fresh client. With keep the server stays away.
func (t *tape) cutAt(tb testing.TB, dc *directorytest.DC, n int, keep bool, read func(*directory.Client) error) error {
	tb.Helper()
	p := &player{t: t, left: n, keep: keep}
	c := taped(tb, dc, p.dial)
	err := read(c)
	require.NoError(tb, c.Close())
	p.wg.Wait()
	require.False(tb, p.other, "the client asked something else than before")
	if errors.Is(err, context.DeadlineExceeded) {
		tb.Errorf("the read waited for an answer that never came, cut at %d", n)
	}
	return err
}
